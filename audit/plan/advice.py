"""What a plan's author should think about before it begins. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.plan.model import Plan
from probes.telephony.prices import minor

_FEWEST = 6
_SECRET_NAMES = ("password", "passwort", "secret", "token", "pin", "api_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the plan would use if every step were taken, whatever its limits."""

    calls: int
    calls_by_vendor: Mapping[str, int]
    call_minutes: float
    tickets: int
    chats: int
    money_minor: float
    currencies: tuple[str, ...]


def warnings(
    plan: Plan, *, wanted: Wanted, lasts_until_utc: datetime, counted: Mapping[tuple[str, str, str], int]
) -> Iterator[str]:
    """Yield sentences about what is allowed and perhaps not meant."""
    yield from _limits(plan, wanted)
    yield from _time(plan, wanted, lasts_until_utc)
    yield from _unused(plan, counted)
    yield from _few(counted)
    yield from _clear(plan)


def _limits(plan: Plan, wanted: Wanted) -> Iterator[str]:
    limits = plan.limits
    pairs = (
        ("calls", wanted.calls, limits.calls),
        ("call_minutes", wanted.call_minutes, limits.call_minutes),
        ("tickets", wanted.tickets, limits.tickets),
        ("chats", wanted.chats, limits.chats),
    )
    for name, most, limit in pairs:
        if most > limit:
            yield f"limits.{name} is {limit:g} and the plan could want {most:g}: what goes beyond is refused"
    if wanted.money_minor <= 0:
        return
    if limits.money is None:
        yield "limits.money is not set: only the number and length of the calls limit what they cost"
    elif wanted.currencies != (limits.money.currency,):
        yield (
            f"calls are paid in {', '.join(wanted.currencies)} and limits.money is in {limits.money.currency}: "
            "calls in another currency are refused"
        )
    elif wanted.money_minor > minor(limits.money.amount, limits.money.currency):
        most = wanted.money_minor / minor(1, limits.money.currency)
        yield f"limits.money is {limits.money.amount:g} and the plan could want {most:.2f}: what goes beyond is refused"


def _time(plan: Plan, wanted: Wanted, lasts_until_utc: datetime) -> Iterator[str]:
    for vendor, calls in wanted.calls_by_vendor.items():
        days = -(-calls // max(1, plan.limits.calls_per_day))
        if timedelta(days=days - 1) > timedelta(seconds=plan.limits.audit_at_most.s):
            yield f"{calls} calls to {vendor} need {days} days at calls_per_day, longer than the audit may last"
    if lasts_until_utc.date() > plan.authorisation.until:
        yield f"the authorisation ends on {plan.authorisation.until}, before the audit may: later acts are refused"
    for scenario in plan.scenarios:
        waits_s = sum(step.wait.at_most.s for step in scenario.steps if step.wait is not None)
        if waits_s > plan.limits.audit_at_most.s:
            yield f'the waits of "{scenario.id}" take longer than limits.audit_at_most: its last steps may not come'
        opened = {step.open for step in scenario.steps if step.open is not None}
        kinds = {channel.kind for each in plan.vendors for name, channel in each.channels.items() if name in opened}
        if kinds == {"email_ticket"}:  # looking into our own mailbox bothers nobody
            continue
        for index, step in enumerate(scenario.steps, start=1):
            if step.wait is not None and step.wait.look_every is not None and step.wait.look_every.s < 60:
                yield f'step {index} of "{scenario.id}" looks more than once a minute, which a vendor may take amiss'


def _unused(plan: Plan, counted: Mapping[tuple[str, str, str], int]) -> Iterator[str]:
    parts = {
        "vendor": [vendor.id for vendor in plan.vendors],
        "persona": [persona.id for persona in plan.personas],
        "scenario": [scenario.id for scenario in plan.scenarios],
    }
    for position, (word, names) in enumerate(parts.items()):
        used = {key[position] for key in counted}
        yield from (f'{word} "{name}" is in no sample: nothing is done with it' for name in names if name not in used)


def _few(counted: Mapping[tuple[str, str, str], int]) -> Iterator[str]:
    by_vendor: dict[str, int] = {}
    for (vendor, _, _), number in counted.items():
        by_vendor[vendor] = by_vendor.get(vendor, 0) + number
    few = [f"{vendor} ({number})" for vendor, number in by_vendor.items() if number < _FEWEST]
    if few:
        yield f"fewer than {_FEWEST} cases allow no interval and no rank: {', '.join(few)}"


def _clear(plan: Plan) -> Iterator[str]:
    for persona in plan.personas:
        for name, value in persona.identifiers.items():
            if "${" not in value:
                where = f'"{name}" of persona "{persona.id}"'
                yield f"{where} stands in the plan in clear; use ${{env:NAME}} if it is a secret"
    for vendor in plan.vendors:
        for channel, value in vendor.channels.items():
            for place in _clear_secrets(value, channel):
                yield f"{vendor.id}: {place} looks like a secret in clear; use ${{env:NAME}}"


def _clear_secrets(value: object, place: str) -> Iterator[str]:
    """Yield where a text stands under a name like "password" and refers to nothing."""
    pairs: list[tuple[str, object]] = []
    if isinstance(value, Mapping):
        pairs = [(str(name), inner) for name, inner in value.items()]
    elif isinstance(value, (tuple, list)):
        pairs = [(f"[{index}]", inner) for index, inner in enumerate(value)]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = [(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)]
    for name, inner in pairs:
        here = f"{place}{name}" if name.startswith("[") else f"{place}.{name}"
        if not isinstance(inner, str):
            yield from _clear_secrets(inner, here)
        elif inner and "{" not in inner and name.lower().split("=")[-1] in _SECRET_NAMES:
            yield here

"""The one gate that every outgoing act passes: may we do this, to this vendor, now, within the plan's limits?

`judge` is pure, so that the engine can ask it in the transaction which reserves the effect; `ContactGate` is what a
probe asks while it carries a contact out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers import PhoneNumberType as NumberType

from audit.calendar import BusinessCalendar
from audit.model import Usage
from audit.plan.model import Plan, Vendor
from probes.clock import Clock
from probes.errors import AuditError, BudgetReached, Refused
from probes.events import Action
from probes.model import Act, ActKind
from probes.telephony.prices import minor

_NON_GEOGRAPHICAL = "001"
# Sums of many small amounts must not refuse the one that just fits.
_ROUNDING = 1e-6
_REFUSED_TYPES = {
    NumberType.PREMIUM_RATE: ("number_premium", "a premium-rate number"),
    NumberType.SHARED_COST: ("number_shared_cost", "a shared-cost number"),
    NumberType.PERSONAL_NUMBER: ("number_special", "a personal number, charged like a premium one"),
    NumberType.PAGER: ("number_special", "a pager"),
    NumberType.VOICEMAIL: ("number_special", "a voice mailbox"),
}


class Rule(StrEnum):
    """The rules of the gate, in the order in which they are asked."""

    STOPPED = "stopped"
    AUTHORISATION = "authorisation"
    TARGET = "target"
    OFF_LIMITS = "off_limits"
    NUMBER_FORM = "number_form"
    NUMBER_EMERGENCY = "number_emergency"
    NUMBER_INVALID = "number_invalid"
    NUMBER_PREMIUM = "number_premium"
    NUMBER_SHARED_COST = "number_shared_cost"
    NUMBER_SPECIAL = "number_special"
    NUMBER_COUNTRY = "number_country"
    HOURS = "hours"
    ONE_CALL_AT_A_TIME = "one_call_at_a_time"
    CALLS = "calls"
    CALLS_PER_DAY = "calls_per_day"
    CALL_MINUTES = "call_minutes"
    MONEY = "money"
    TICKETS = "tickets"
    CHATS = "chats"


BUDGETS = frozenset({Rule.CALLS, Rule.CALLS_PER_DAY, Rule.CALL_MINUTES, Rule.MONEY, Rule.TICKETS, Rule.CHATS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an act is allowed; if not, by which rule, why, and how the plan could be changed.

    `again_at_utc` is when waiting alone would help (opening hours, the next day), else None.
    """

    allowed: bool
    rule: Rule | None = None
    reason: str = ""
    fix: str = ""
    again_at_utc: datetime | None = None

    @property
    def is_budget(self) -> bool:
        """Whether a limit of the plan is used up, rather than the act being forbidden."""
        return self.rule in BUDGETS

    def error(self) -> AuditError:
        """Return the refusal as an error."""
        return (BudgetReached if self.is_budget else Refused)(self._words(), at=f"rule {self.rule}", fix=self.fix)

    def refusal(self) -> Refused:
        """Return the refusal as what a probe is told, budget or not."""
        return Refused(self._words(), at=f"rule {self.rule}", fix=self.fix)

    def _words(self) -> str:
        return f"refused: {self.reason}"


ALLOWED = Verdict(allowed=True)


def judge(
    act: Act, plan: Plan, vendor: Vendor, now_utc: datetime, usage: Usage, *, action: Action = Action.OPEN
) -> Verdict:
    """Return whether `act` towards `vendor` is allowed now.

    `usage` does not hold the act itself. `action` is what it is done for: only opening counts as a ticket.
    """
    verdict = permitted(act, plan, vendor, now_utc, stopped=usage.stopped)
    return verdict if not verdict.allowed else within_limits(act, plan, vendor, now_utc, usage, action=action)


def first_refused(
    acts: Iterable[Act], plan: Plan, vendor: Vendor, now_utc: datetime, usage: Usage, *, action: Action
) -> tuple[Act, Verdict] | None:
    """Return the first act of one contact that is not allowed, and why; None: all are.

    What the acts before it may take is counted: together they must fit the limits of minutes and money.
    """
    for act in acts:
        verdict = judge(act, plan, vendor, now_utc, usage, action=action)
        if not verdict.allowed:
            return act, verdict
        minutes = act.longest.s / 60 if act.kind is ActKind.CALL else 0.0
        usage = dataclasses.replace(
            usage, spent_minor=usage.spent_minor + act.dearest_minor, call_minutes=usage.call_minutes + minutes
        )
    return None


def permitted(act: Act, plan: Plan, vendor: Vendor, now_utc: datetime, *, stopped: str | None) -> Verdict:
    """Return whether such an act is allowed now, whatever has been used up. `stopped`: why everything is."""
    if stopped is not None:
        return _no(Rule.STOPPED, f"everything is stopped ({stopped})", "run: holdproof resume")
    until = plan.authorisation.until
    today = now_utc.astimezone(ZoneInfo(vendor.time_zone)).date()
    if today > until:
        reason = f"the authorisation ended on {until} (it is {today} in {vendor.time_zone})"
        return _no(Rule.AUTHORISATION, reason, "have it renewed, then change authorisation.until")
    if not is_named(act.target, vendor):
        fix = f"name it under the channels of {vendor.id}, if it is the vendor's"
        return _no(Rule.TARGET, f"{act.target} is not named in the plan for {vendor.id}", fix)
    for channel, why in vendor.off_limits.items():
        if _stands_in(act.target, {channel: vendor.channels.get(channel)}):
            fix = f"leave {channel} out of the steps, or take it off off_limits once the vendor has agreed"
            return _no(Rule.OFF_LIMITS, f"{channel} of {vendor.id} must not be used by a machine: {why}", fix)
    if act.kind is not ActKind.CALL:
        return ALLOWED
    verdict = judge_number(act.target, vendor)
    return verdict if not verdict.allowed else _judge_hours(vendor, now_utc)


def _judge_hours(vendor: Vendor, now_utc: datetime) -> Verdict:
    hours = vendor.call_hours or vendor.hours
    calendar = _calendar(hours, vendor.time_zone, vendor.place)
    if calendar.is_open(now_utc):
        return ALLOWED
    opens = calendar.next_open(now_utc)
    local = f"{calendar.local(now_utc):%a %Y-%m-%d %H:%M} {vendor.time_zone}"
    reason = f"{vendor.id} is called only in its hours ({hours}); it is {local}"
    fix = f"wait until {calendar.local(opens):%a %Y-%m-%d %H:%M}, or set call_hours of {vendor.id}"
    return _no(Rule.HOURS, reason, fix, opens)


def within_limits(
    act: Act, plan: Plan, vendor: Vendor, now_utc: datetime, usage: Usage, *, action: Action = Action.OPEN
) -> Verdict:
    """Return whether the plan's limits leave room for one more such act."""
    limits = plan.limits
    if act.kind is ActKind.CALL:
        verdict = _call_limits(act, plan, vendor, now_utc, usage)
        if not verdict.allowed:
            return verdict
    elif act.kind is ActKind.CHAT:
        if usage.chats + 1 > limits.chats:
            reason = f"{usage.chats} chats are opened, and limits.chats is {limits.chats}"
            return _no(Rule.CHATS, reason, "raise limits.chats")
    elif act.writes and action is Action.OPEN and usage.tickets + 1 > limits.tickets:
        reason = f"{usage.tickets} tickets are opened, and limits.tickets is {limits.tickets}"
        return _no(Rule.TICKETS, reason, "raise limits.tickets")
    if limits.money is not None and act.dearest_minor > 0:
        if act.currency != limits.money.currency:
            paid = act.currency or "no known currency"
            reason = f"the act is paid in {paid}, and limits.money is in {limits.money.currency}"
            return _no(Rule.MONEY, reason, "state limits.money in the currency that the carrier charges")
        if usage.spent_minor + act.dearest_minor > minor(limits.money.amount, limits.money.currency) + _ROUNDING:
            one = minor(1, act.currency)
            reason = (
                f"{usage.spent_minor / one:.2f} {act.currency} are spent or reserved, this can cost "
                f"{act.dearest_minor / one:.2f} more, and limits.money is {limits.money.amount:.2f}"
            )
            return _no(Rule.MONEY, reason, "raise limits.money, or shorten the calls")
    return ALLOWED


def _call_limits(act: Act, plan: Plan, vendor: Vendor, now_utc: datetime, usage: Usage) -> Verdict:
    limits, minutes = plan.limits, act.longest.s / 60
    if minutes <= 0:
        raise ValueError(f"the call to {act.target} does not say how long it may last")
    if usage.calls_live_for_vendor:
        return _no(Rule.ONE_CALL_AT_A_TIME, f"a call to {vendor.id} is under way", "wait until it is over")
    if usage.calls + 1 > limits.calls:
        reason = f"{usage.calls} calls are placed, and limits.calls is {limits.calls}"
        return _no(Rule.CALLS, reason, "raise limits.calls")
    if usage.calls_today + 1 > limits.calls_per_day:
        today, most = usage.calls_today, limits.calls_per_day
        reason = f"{today} calls are placed to {vendor.id} today, and limits.calls_per_day is {most}"
        return _no(
            Rule.CALLS_PER_DAY,
            reason,
            "wait until tomorrow, or raise limits.calls_per_day",
            vendor_day(vendor, now_utc)[1],
        )
    if usage.call_minutes + minutes > limits.call_minutes + _ROUNDING:
        reason = (
            f"{usage.call_minutes:.1f} minutes are called or reserved, this call may last {minutes:.1f}, "
            f"and limits.call_minutes is {limits.call_minutes:g}"
        )
        return _no(Rule.CALL_MINUTES, reason, "raise limits.call_minutes, or shorten the calls")
    return ALLOWED


def judge_number(number: str, vendor: Vendor) -> Verdict:
    """Return whether a number is one that we may call for this vendor: ordinary, valid, of an expected country."""
    country = vendor.place.partition("-")[0]
    digits = number.removeprefix("+")
    if digits.isascii() and digits.isdigit() and _is_emergency(digits, country):
        return _no(Rule.NUMBER_EMERGENCY, f"{number} reaches emergency services", "call the vendor's own number")
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) != number:
        reason = f'"{number}" is not written as + country code number, without spaces (E.164)'
        return _no(Rule.NUMBER_FORM, reason, "write it as +442079460123")
    if not phonenumbers.is_valid_number(parsed):
        return _no(
            Rule.NUMBER_INVALID, f"{number} is no number that exists in any numbering plan", "correct the number"
        )
    kind = phonenumbers.number_type(parsed)
    if kind in _REFUSED_TYPES:
        rule, words = _REFUSED_TYPES[kind]
        return _no(Rule(rule), f"{number} is {words}", "use an ordinary or toll-free number of the vendor")
    region = phonenumbers.region_code_for_number(parsed)
    if region == _NON_GEOGRAPHICAL:
        if kind == NumberType.TOLL_FREE:
            return ALLOWED
        return _no(
            Rule.NUMBER_SPECIAL,
            f"{number} belongs to no country (satellite or network service)",
            "use an ordinary number",
        )
    if not any(phonenumbers.is_valid_number_for_region(parsed, each) for each in (country, *vendor.countries)):
        listed = ", ".join((country, *vendor.countries))
        reason = f"{number} is a number of {region}, and {vendor.id} is called in {listed} only"
        return _no(Rule.NUMBER_COUNTRY, reason, f"add {region} to countries of {vendor.id}, if the number is right")
    return ALLOWED


def _is_emergency(digits: str, country: str) -> bool:
    """Whether digits, with or without a country code before them, are an emergency number."""
    if phonenumbers.is_emergency_number(digits, country):
        return True
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length] or 0), ())
        national = digits[length:]
        if national and any(
            region in phonenumbers.SUPPORTED_SHORT_REGIONS and phonenumbers.is_emergency_number(national, region)
            for region in regions
        ):
            return True
    return False


def is_named(target: str, vendor: Vendor) -> bool:
    """Whether a host (with or without its port), number or mail address stands in the vendor's channels."""
    return _stands_in(target, vendor.channels)


def _stands_in(target: str, channels: Mapping[str, object]) -> bool:
    named = frozenset(_named(channels))
    wanted = target.lower()
    if "@" in wanted and f"@{wanted.rpartition('@')[2]}" in named:
        return True
    host = _host_of(f"//{wanted}") if "@" not in wanted else ""
    return wanted in named or (host != "" and host in named)


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that are no address
        return ""


def _named(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named(inner, str(name))
    elif isinstance(value, (tuple, list, frozenset)):
        for inner in value:
            yield from _named(inner, key)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            yield from _named(getattr(value, each.name), each.name)
    elif isinstance(value, str):
        text = value.strip().lower()
        if text.startswith(("http://", "https://", "ws://", "wss://")):
            host = _host_of(text)
            if host:
                yield host
                yield urlsplit(text).netloc.rpartition("@")[2]
        elif text.startswith("@"):  # all addresses of a domain, where a channel lists addresses
            if key == "addresses":
                yield text
        elif key in ("host", "hosts") or "@" in text or (text.startswith("+") and key != "caller_id"):
            yield text


def vendor_day(vendor: Vendor, now_utc: datetime) -> tuple[datetime, datetime]:
    """Return when the vendor's present day began and when it ends, in UTC."""
    zone = ZoneInfo(vendor.time_zone)
    start = now_utc.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    end = (start + timedelta(days=1)).replace(fold=0)
    return start.astimezone(UTC), end.astimezone(UTC)


class ContactGate:
    """The gate of one contact (see `probes.model.Gate`).

    Acts that the engine has reserved for the contact are counted already: they pass the limits, a call just once.
    """

    def __init__(
        self, plan: Plan, vendor: Vendor, clock: Clock, usage: Callable[[], Usage], reserved: tuple[Act, ...] = ()
    ) -> None:
        self._plan, self._vendor, self._clock, self._usage = plan, vendor, clock, usage
        self._reserved = list(reserved)

    def check(self, act: Act) -> None:
        """Return if the act is allowed now.

        Raises:
            Refused: the rule that forbids it and how to change the plan.
        """
        usage, now_utc = self._usage(), self._clock.now_utc()
        verdict = permitted(act, self._plan, self._vendor, now_utc, stopped=usage.stopped)
        if verdict.allowed:
            cover = next((held for held in self._reserved if _covers(held, act)), None)
            if cover is None:
                verdict = within_limits(act, self._plan, self._vendor, now_utc, usage)
            elif act.kind is ActKind.CALL:
                self._reserved.remove(cover)
        if not verdict.allowed:
            raise verdict.refusal()


def _covers(held: Act, act: Act) -> bool:
    return (
        (held.kind, held.target) == (act.kind, act.target)
        and held.writes >= act.writes
        and held.longest >= act.longest
        and held.dearest_minor >= act.dearest_minor
    )


@lru_cache(maxsize=256)
def _calendar(hours: str, time_zone: str, place: str) -> BusinessCalendar:
    return BusinessCalendar(hours, time_zone, place)


def _no(rule: Rule, reason: str, fix: str, again_at_utc: datetime | None = None) -> Verdict:
    return Verdict(allowed=False, rule=rule, reason=reason, fix=fix, again_at_utc=again_at_utc)

"""From a plan's samples to its cases, and from a step of a case to what a probe is asked to do. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from audit.plan.model import Persona, Plan, Scenario, Step
from probes.duration import Duration
from probes.events import Action
from probes.model import Spec
from probes.placeholders import fill

PERSONA_FIELDS = ("name", "email", "phone", "account", "tier", "language")

# No 0, O, 1 and I: a reference is read aloud and typed by people.
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_REFERENCE_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCase:
    """One case of the plan: ids of its vendor, persona and scenario, and its number among its like, from 1."""

    vendor: str
    persona: str
    scenario: str
    sample: int
    case_id: str


@dataclass(frozen=True, slots=True)
class Verb:
    """What a step does over a channel. `field` is the step's key in the plan."""

    field: str
    action: Action
    channel: str
    script: str | None = None
    text: str | None = None


def planned_cases(plan: Plan) -> tuple[PlannedCase, ...]:
    """Return the plan's cases, in the order of its samples; numbers go on where samples name the same again."""
    counted: dict[tuple[str, str, str], int] = {}
    cases = []
    for sample in plan.samples:
        for vendor in sample.vendors or tuple(vendor.id for vendor in plan.vendors):
            for persona in sample.personas or tuple(persona.id for persona in plan.personas):
                key = vendor, persona, sample.scenario
                for _ in range(sample.n):
                    counted[key] = number = counted.get(key, 0) + 1
                    cases.append(
                        PlannedCase(
                            vendor=vendor,
                            persona=persona,
                            scenario=sample.scenario,
                            sample=number,
                            case_id=".".join((*key, str(number))),
                        )
                    )
    return tuple(cases)


def reference(seed: str, case_id: str) -> str:
    """Return our short code for a case, as "HP-7K3Q9XMD": the same for the same seed (of an audit) and case."""
    digest = hashlib.sha256(f"{seed}\0{case_id}".encode()).digest()
    number = int.from_bytes(digest[:8], "big")
    letters = []
    for _ in range(_REFERENCE_LENGTH):
        number, index = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[index])
    return "HP-" + "".join(letters)


def verb_of(step: Step) -> Verb | None:
    """Return what a step does over a channel, or None if it waits."""
    if step.open is not None:
        return Verb("open", Action.OPEN, step.open)
    if step.look is not None:
        return Verb("look", Action.LOOK, step.look)
    if step.call is not None:
        return Verb("call", Action.CALL, step.call.channel, script=step.call.script)
    if step.chat is not None:
        return Verb("chat", Action.CHAT, step.chat.channel, script=step.chat.script)
    if step.reply is not None:
        return Verb("reply", Action.REPLY, step.reply.channel, text=step.reply.text)
    if step.dispute is not None:
        return Verb("dispute", Action.REPLY, step.dispute.channel, text=step.dispute.text)
    if step.close is not None:
        return Verb("close", Action.CLOSE, step.close)
    return None


def disputes(scenario: Scenario) -> frozenset[int]:
    """Return which steps of a scenario say that what was called resolved is not, counted from 0."""
    return frozenset(index for index, step in enumerate(scenario.steps) if step.dispute is not None)


def values_for(persona: Persona, scenario: Scenario, our_reference: str) -> dict[str, str]:
    """Return what `{name}` stands for in a case's texts; what the persona does not have is left out.

    Raises:
        UserError: the problem's subject or body names something that there is not.
    """
    values = {"reference": our_reference}
    for name in PERSONA_FIELDS:
        value = getattr(persona, name)
        if value is not None:
            values[f"persona.{name}"] = value
    values |= {f"persona.identifiers.{name}": value for name, value in persona.identifiers.items()}
    subject = fill(scenario.problem.subject, values)
    values["problem.subject"] = subject
    values["problem.body"] = fill(scenario.problem.body, values)
    return values


def spec_for(plan: Plan, case: PlannedCase, step: Step, our_reference: str, handle: Any = None) -> Spec:
    """Return what the probe is asked to do for a step of a case. `handle` is that of the ticket it belongs to.

    Raises:
        ValueError: the step waits and asks nothing of a probe.
        UserError: a text names something that there is not (`read_plan` has refused such a plan).
    """
    verb = verb_of(step)
    if verb is None:
        raise ValueError("a step that waits has no specification")
    values = values_for(plan.persona(case.persona), plan.scenario(case.scenario), our_reference)
    return Spec(
        action=verb.action,
        reference=our_reference,
        channel=plan.vendor(case.vendor).channels[verb.channel],
        values=values,
        script=verb.script,
        text=fill(verb.text, values) if verb.text is not None else None,
        handle=handle,
        longest=_longest(plan, verb),
    )


def _longest(plan: Plan, verb: Verb) -> Duration:
    """No call may use more minutes than the whole audit may; its channel bounds it further, and a chat alone."""
    if verb.action is Action.CHAT:
        return Duration(86400.0)
    return Duration(plan.limits.call_minutes * 60.0) if verb.action is Action.CALL else Duration(3600.0)

"""What must hold between the parts of a plan: references, the order of steps, limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from audit.analysis.dimensions import BY_ID
from audit.plan.braces import find_brace_faults
from audit.plan.cases import PERSONA_FIELDS, Verb, verb_of
from audit.plan.draft import Draft, Found
from audit.plan.faults import choices
from audit.plan.model import Basis, Condition, Limits, Persona, Sample, Scenario, Step, Thresholds, Vendor
from audit.plan.source import Keys
from probes.events import Action

_MOST_CASES = 100_000
_VERBS = ("call", "chat", "close", "dispute", "look", "open", "reply", "wait")


def find_faults(draft: Draft) -> Iterator[Found]:
    """Yield place, message and fix of everything that does not hold between the parts."""
    for section in ("vendors", "personas", "scenarios"):
        yield from _ids(draft, section)
    for index, vendor in draft.vendors.items():
        channels = draft.channel_names(vendor.id)
        yield from _promises(vendor, channels, ("vendors", index, "promises"))
        for name in vendor.off_limits:
            if name not in channels:
                yield ("vendors", index, "off_limits", name), f'unknown channel "{name}"', choices(channels, name)
    for index, persona in draft.personas.items():
        yield from _pair(draft, persona, ("personas", index, "pair"))
    for index, sample in draft.samples.items():
        yield from _sample(draft, sample, ("samples", index))
    for index, scenario in draft.scenarios.items():
        yield from _steps(draft, scenario, ("scenarios", index, "steps"))
    yield from _spread(draft)
    yield from _number_of_cases(draft)
    yield from _thresholds(draft)
    yield from _clock(draft)
    yield from _limits(draft)
    yield from find_brace_faults(draft)


def _ids(draft: Draft, section: str) -> Iterator[Found]:
    first = draft.declared(section)
    for index, name in draft.named(section):
        if first[name] != index:
            yield (section, index, "id"), f'the id "{name}" stands twice in {section}', "give each its own id"


def _promises(vendor: Vendor, channels: set[str], place: Keys) -> Iterator[Found]:
    seen: set[str] = set()
    for index, promise in enumerate(vendor.promises):
        if promise.id in seen:
            yield (*place, index, "id"), f'the id "{promise.id}" stands twice in the promises', "give each its own id"
        seen.add(promise.id)
        for number, name in enumerate(promise.channels):
            if name not in channels:
                yield (*place, index, "channels", number), f'unknown channel "{name}"', choices(channels, name)


def _pair(draft: Draft, persona: Persona, place: Keys) -> Iterator[Found]:
    if persona.pair is None:
        return
    others = {other.id: other for other in draft.personas.values()}
    if persona.pair.of == persona.id:
        yield (*place, "of"), f'"{persona.id}" is paired with itself', "name the persona it is matched with"
    elif persona.pair.of not in draft.declared("personas"):
        known = set(draft.declared("personas")) - {persona.id}
        fix = choices(known, persona.pair.of) or "describe the persona it is matched with, too"
        yield (*place, "of"), f'unknown persona "{persona.pair.of}"', fix
    elif persona.pair.of in others and persona.pair.differs_in in PERSONA_FIELDS:
        name = persona.pair.differs_in
        if getattr(persona, name) == getattr(others[persona.pair.of], name):
            message = f'"{persona.id}" and "{persona.pair.of}" do not differ in {name}'
            yield (*place, "differs_in"), message, f"give them different values of {name}, or name what differs"


def _sample(draft: Draft, sample: Sample, place: Keys) -> Iterator[Found]:
    if sample.scenario not in draft.declared("scenarios"):
        fix = choices(draft.declared("scenarios"), sample.scenario)
        yield (*place, "scenario"), f'unknown scenario "{sample.scenario}"', fix
    for key, names in (("vendors", sample.vendors), ("personas", sample.personas)):
        for number, name in enumerate(names):
            if name not in draft.declared(key):
                yield (*place, key, number), f'unknown {key[:-1]} "{name}"', choices(draft.declared(key), name)
            elif name in names[:number]:
                yield (*place, key, number), f'"{name}" stands twice in this sample', "for more cases raise n"


def _spread(draft: Draft) -> Iterator[Found]:
    limits = draft.parts.get("limits") or Limits()
    for index, sample in draft.samples.items():
        place: Keys = ("samples", index)
        if sample.spread_over is None:
            if sample.seed is not None:
                fix = "write spread_over, as spread_over: 2 weeks, or remove seed"
                yield (*place, "seed"), "seed draws nothing without spread_over", fix
        elif sample.spread_over.s <= 0:
            yield (*place, "spread_over"), "cases cannot be spread over no time", "write a length, as 2 weeks"
        elif sample.spread_over >= limits.audit_at_most:
            message = f"cases begin over {sample.spread_over}, and the audit lasts {limits.audit_at_most} at most"
            yield (*place, "spread_over"), message, "raise limits.audit_at_most, so that the last case can be followed"


def _thresholds(draft: Draft) -> Iterator[Found]:
    thresholds = draft.parts.get("thresholds")
    if thresholds is None:
        return
    for name in thresholds.weights:
        if name not in BY_ID:
            yield ("thresholds", "weights", name), f'unknown dimension "{name}"', choices(BY_ID, name)
    if thresholds.weights and not any(thresholds.weights.values()):
        yield ("thresholds", "weights"), "all weights are 0", "give what counts a weight, or leave weights out"
    if thresholds.profile != Thresholds().profile:
        from audit.analysis.profiles import profile_names  # brings the statistics, which take a second to load

        if thresholds.profile not in profile_names():
            fix = choices(profile_names(), thresholds.profile)
            yield ("thresholds", "profile"), f'unknown profile "{thresholds.profile}"', fix


def _number_of_cases(draft: Draft) -> Iterator[Found]:
    vendors, personas = len(draft.declared("vendors")), len(draft.declared("personas"))
    cases = 0
    for index, sample in draft.samples.items():
        cases += sample.n * (len(sample.vendors) or vendors) * (len(sample.personas) or personas)
        if cases > _MOST_CASES:
            message = f"the samples make {cases:,} cases or more"
            yield (
                ("samples", index, "n"),
                message,
                f"{_MOST_CASES:,} is the most; lower n, or name vendors and personas",
            )
            return


def _steps(draft: Draft, scenario: Scenario, place: Keys) -> Iterator[Found]:
    opened: set[str] = set()
    called = talked = False
    in_order = True  # after the first fault of order, what comes later says nothing new
    if not scenario.steps:
        yield place, f'the scenario "{scenario.id}" has no steps', "write at least one step, as - open: portal"
    for index, step in enumerate(scenario.steps):
        here = *place, index
        verbs = [name for name in _VERBS if getattr(step, name) is not None]
        if len(verbs) != 1:
            said = f"has {' and '.join(verbs)}" if verbs else "has no verb"
            yield here, f"step {index + 1} {said}", f"a step has exactly one of: {', '.join(_VERBS)}"
            in_order = False
            continue
        for key in ("at_most", "look_every") if step.wait is not None else ():
            length = getattr(step.wait, key)
            if length is not None and length.s <= 0:
                yield (*here, "wait", key), f"{key} is no time at all", 'write how long, as "3 days"'
        if in_order:
            fault = _out_of_order(step, here, opened, called=called, talked=talked)
            in_order = fault is None
            if fault is not None:
                yield fault
        verb = verb_of(step)
        if verb is None:
            continue
        if verb.action is Action.OPEN:
            opened.add(verb.channel)
        called = called or verb.action is Action.CALL
        talked = talked or verb.action is Action.CHAT
        yield from _verb(draft, scenario, verb, (*here, verb.field))


def _out_of_order(step: Step, here: Keys, opened: set[str], *, called: bool, talked: bool) -> Found | None:
    """Return what a step needs that no step before it has done."""
    conditions = [(step.condition, (*here, "when" if step.when is not None else "dispute"))]
    if step.wait is not None:
        if not opened and not called and not talked:
            return (*here, "wait"), "there is a wait before anything was opened", "open a ticket, chat or call first"
        conditions.append((step.wait.until, (*here, "wait", "until")))
    for condition, where in conditions:
        if condition is Condition.CALL_LOST and not called:
            return where, '"call_lost" is asked before any call', "put a call step before it"
        if condition not in (None, Condition.CALL_LOST) and not opened and not talked:
            return where, f'"{condition}" is asked before anything was opened', "put an open step before it"
    verb = verb_of(step)
    if verb is not None and verb.action in (Action.LOOK, Action.REPLY, Action.CLOSE) and verb.channel not in opened:
        message = f'{verb.field} comes before "{verb.channel}" was opened'
        return (*here, verb.field), message, f"put - open: {verb.channel} before it"
    return None


def _verb(draft: Draft, scenario: Scenario, verb: Verb, place: Keys) -> Iterator[Found]:
    """Yield what keeps a step from being done with the vendors that its scenario is for."""
    where = (*place, "channel") if verb.action in (Action.CALL, Action.CHAT, Action.REPLY) else place
    vendors = draft.sampled.get(scenario.id)
    everywhere = {name for vendor in draft.declared("vendors") for name in draft.channel_names(vendor)}
    if not vendors and verb.channel not in everywhere:
        yield where, f'no vendor has a channel "{verb.channel}"', choices(everywhere, verb.channel)
    good = {vendor.id: vendor for vendor in draft.vendors.values()}
    for name in vendors or {}:
        if verb.channel not in draft.channel_names(name):
            fix = choices(draft.channel_names(name), verb.channel) or f"describe it under the channels of {name}"
            yield where, f'vendor "{name}" has no channel "{verb.channel}"', fix
        channel = good[name].channels.get(verb.channel) if name in good else None
        if channel is None:
            continue
        probe = draft.load(channel.kind)
        if verb.action not in probe.ACTIONS:
            can = ", ".join(sorted(_verb_name(action) for action in probe.ACTIONS))
            message = f'"{verb.channel}" of {name} is a {probe.NAME}, which cannot {_verb_name(verb.action)}'
            yield where, message, f"a {probe.NAME} can: {can}"
            continue
        scripts = getattr(channel, "scripts", None)
        if verb.script is not None and isinstance(scripts, Mapping) and verb.script not in scripts:
            message = f'"{verb.channel}" of {name} has no script "{verb.script}"'
            yield (*place, "script"), message, choices(scripts, verb.script)


def _verb_name(action: Action) -> str:
    return str(action.value)


def _clock(draft: Draft) -> Iterator[Found]:
    clock, authorisation = draft.parts.get("clock"), draft.parts.get("authorisation")
    if clock is None or authorisation is None:
        return
    if clock.factor != 1.0 and authorisation.basis not in (Basis.PRACTICE, Basis.OWN_SYSTEM):
        message = f"a clock that runs {clock.factor:g} times as fast is for practice only"
        yield ("clock", "factor"), message, "remove clock, or set authorisation.basis to practice or own_system"


def _limits(draft: Draft) -> Iterator[Found]:
    limits = draft.parts.get("limits", Limits())
    if limits is None:
        return
    needs = {
        verb.action
        for scenario in draft.scenarios.values()
        if scenario.id in draft.sampled
        for step in scenario.steps
        if (verb := verb_of(step)) is not None
    }
    if Action.CALL in needs:
        for key in ("calls", "calls_per_day", "call_minutes"):
            if getattr(limits, key) <= 0:
                yield (
                    ("limits", key),
                    f"the plan calls, and limits.{key} is 0",
                    f"set limits.{key}, or remove the call steps",
                )
    if Action.CHAT in needs and limits.chats <= 0:
        yield ("limits", "chats"), "the plan chats, and limits.chats is 0", "set limits.chats"
    if Action.OPEN in needs and limits.tickets <= 0:
        yield ("limits", "tickets"), "the plan opens tickets, and limits.tickets is 0", "set limits.tickets"
    if limits.audit_at_most.s <= 0:
        yield ("limits", "audit_at_most"), "the audit may last no time at all", 'write how long, as "14 days"'

"""What carrying out a plan would mean: whom it contacts, how often at most, when, what it costs, what is kept."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from audit.calendar import BusinessCalendar
from audit.plan import advice
from audit.plan.cases import PlannedCase, planned_cases, reference, spec_for, verb_of
from audit.plan.faults import Fault, PlanFaults, dotted
from audit.plan.looks import looks_at_most
from audit.plan.model import Plan, Step, Vendor
from audit.plan.reader import PlanFile
from audit.plan.sampling import Moment, by_moment, default_seed, sampling_plan
from audit.plan.source import Keys, read_nodes
from audit.safety import judge_number
from probes import registry
from probes.clock import Clock
from probes.duration import Duration
from probes.errors import UserError
from probes.events import Action
from probes.model import Act, ActKind, Probe
from probes.telephony.prices import minor

FORMAT, VERSION = "holdproof.preview", 1
Load = Callable[[str], Probe]
Can = Callable[[str], frozenset[Any]]
Lacking = Callable[[str], tuple[UserError, ...]]
_MOST_MOMENTS = 40

_DOES = {
    Action.OPEN: "open a ticket",
    Action.LOOK: "look at tickets",
    Action.REPLY: "write in a ticket",
    Action.CLOSE: "close a ticket",
    Action.CALL: "call",
    Action.CHAT: "chat",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cases that differ in their number only."""

    vendor: str
    persona: str
    scenario: str
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAct:
    """A way in which a vendor is contacted, and how often at most. Lengths and cost are those of one contact.

    `shows` is what would be sent, where that is known beforehand; the reference in it is made up.
    """

    vendor: str
    channel: str
    action: Action
    script: str | None
    kind: ActKind
    target: str
    at_most: int
    when: str
    longest_s: float | None
    dearest_minor: float
    currency: str
    records: bool
    shows: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The most that the plan can cost, its limits included. `human_minutes` is time of the vendor's people on calls."""

    calls: int
    call_minutes: float
    human_minutes: float
    tickets: int
    chats: int
    messages: int
    money_minor: float
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What carrying out a plan would mean, as of a moment.

    `lasts_until_utc` is when the audit ends at the latest; `longest_wait_s` what the waits of one case take at most.
    `begins` holds the cases that are spread over time, as they would be drawn if the plan began at `at_utc`.
    """

    plan: str
    path: str
    sha256: str
    at_utc: datetime
    authorisation: str
    clock_factor: float
    lasts_until_utc: datetime
    longest_wait_s: float
    cases: int
    groups: tuple[Group, ...]
    begins: tuple[Moment, ...]
    acts: tuple[PlannedAct, ...]
    most: Spending
    kept: tuple[str, ...]
    unknown: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the preview as a document."""
        document = dataclasses.asdict(self)
        for key in ("at_utc", "lasts_until_utc"):
            document[key] = document[key].isoformat()
        for moment in document["begins"]:
            moment["begins_at_utc"] = moment["begins_at_utc"].isoformat()
        return {"format": FORMAT, "version": VERSION, **document}

    def to_text(self) -> str:
        """Return the preview as lines for a terminal."""
        return "\n".join(_lines(self))


def ready(
    plan_file: PlanFile, now_utc: datetime | None = None, load: Load = registry.load, can: Can | None = None
) -> None:
    """Return if the plan could begin now. `can` tells what a carrier is able to; without it nobody asks.

    Raises:
        PlanFaults: its authorisation is over, it names a number that must not be called, or a carrier cannot do what
            a script needs.
    """
    plan = plan_file.plan
    at_utc = (
        _audit_clock(plan, now_utc).now_utc() if now_utc is None else _audit_clock(plan, now_utc).audit_utc(now_utc)
    )
    found = [*_authorised(plan, at_utc), *_numbers(plan, load), *_drawn(plan, at_utc), *_carriers(plan, load, can)]
    if found:
        root, _ = read_nodes(plan_file.text, plan_file.path)
        located = [(root.locate(keys), message, fix) for keys, message, fix in found]
        raise PlanFaults(plan_file.path, [Fault(text, at[1], dotted(at[0]), fix) for at, text, fix in located])


def preview(
    plan_file: PlanFile,
    now_utc: datetime,
    load: Load = registry.load,
    can: Can | None = None,
    lacking: Lacking | None = None,
) -> Preview:
    """Work out what carrying out a plan would mean if it began at `now_utc`; contacts nobody.

    `can` as for `ready`; `lacking` tells which secrets are not set here, which is a warning as long as nothing runs.

    Raises:
        PlanFaults: the plan could not begin now (see `ready`).
    """
    ready(plan_file, now_utc, load, can)
    plan = plan_file.plan
    at_utc = _audit_clock(plan, now_utc).audit_utc(now_utc)
    cases = planned_cases(plan)
    counted = Counter((case.vendor, case.persona, case.scenario) for case in cases)
    groups = tuple(Group(vendor=v, persona=p, scenario=s, cases=n) for (v, p, s), n in counted.items())
    acts = _acts(plan, cases, counted, at_utc, load)
    most = _most(plan, acts)
    unset = [] if lacking is None else unset_secrets(plan_file, lacking)
    lasts = at_utc + timedelta(seconds=plan.limits.audit_at_most.s)
    return Preview(
        plan=plan.name,
        path=plan_file.path,
        sha256=plan_file.sha256,
        at_utc=at_utc,
        authorisation=f"{plan.authorisation.basis}, by {plan.authorisation.by}, until {plan.authorisation.until}",
        clock_factor=plan.clock.factor,
        lasts_until_utc=lasts,
        longest_wait_s=_longest_wait_s(plan),
        cases=len(cases),
        groups=groups,
        begins=tuple(by_moment(sampling_plan(plan, at_utc, default_seed(plan_file.sha256)))),
        acts=acts,
        most=most,
        kept=tuple(_kept(acts)),
        unknown=tuple(_unknown(plan, acts, [exc for _, exc, is_known in _unfit(plan, load, can) if not is_known])),
        warnings=(
            *(f"{fault.message} here (line {fault.line}); run will not begin without it" for fault in unset),
            *advice.warnings(plan, wanted=_wanted(acts), lasts_until_utc=lasts, counted=counted),
        ),
    )


def unset_secrets(plan_file: PlanFile, lacking: Lacking) -> list[Fault]:
    """Return a fault for each secret that the plan refers to and that is not set, once, where it stands first."""
    root, _ = read_nodes(plan_file.text, plan_file.path)
    found: dict[str, Fault] = {}
    for keys, text in root.texts():
        for exc in lacking(text):
            _, line = root.locate(keys)
            found.setdefault(exc.message, Fault(exc.message, line, dotted(keys), exc.fix))
    return list(found.values())


def _audit_clock(plan: Plan, now_utc: datetime | None) -> Clock:
    origin = plan.clock.origin_utc or now_utc
    return Clock(plan.clock.factor, origin) if origin is not None else Clock()


def _authorised(plan: Plan, at_utc: datetime) -> Iterator[tuple[Keys, str, str]]:
    for vendor in plan.vendors:
        today = BusinessCalendar(vendor.hours, vendor.time_zone, vendor.place).local(at_utc).date()
        if today > plan.authorisation.until:
            message = f"the authorisation ended on {plan.authorisation.until} (it is {today} in {vendor.time_zone})"
            yield ("authorisation", "until"), message, "have it renewed, then change authorisation.until"
            return


def _drawn(plan: Plan, at_utc: datetime) -> Iterator[tuple[Keys, str, str]]:
    try:
        sampling_plan(plan, at_utc, 0)
    except ValueError as exc:
        yield ("samples",), str(exc), "spread the cases over a longer time, or correct the vendor's hours"


def _numbers(plan: Plan, load: Load) -> Iterator[tuple[Keys, str, str]]:
    seen = set()
    for case in planned_cases(plan):
        for step in plan.scenario(case.scenario).steps:
            verb = verb_of(step)
            if verb is None or verb.action is not Action.CALL or (case.vendor, verb.channel) in seen:
                continue
            seen.add((case.vendor, verb.channel))
            vendor = plan.vendor(case.vendor)
            for act in _acts_of(plan, case, step, load):
                verdict = judge_number(act.target, vendor)
                if not verdict.allowed:
                    index = plan.vendors.index(vendor)
                    config = vendor.channels[verb.channel]
                    field = "auditor" if act.target == getattr(config, "auditor", None) else "number"
                    yield ("vendors", index, "channels", verb.channel, field), verdict.reason, verdict.fix


def _carriers(plan: Plan, load: Load, can: Can | None) -> Iterator[tuple[Keys, str, str]]:
    """Yield the scripts that need more than their carrier is able to."""
    for place, refusal, is_known in _unfit(plan, load, can):
        if is_known:
            yield place, refusal.message, refusal.fix


def _unfit(plan: Plan, load: Load, can: Can | None) -> Iterator[tuple[Keys, UserError, bool]]:
    """Yield the scripts that a carrier cannot carry out, or of which that cannot be told here, and why."""
    seen: set[tuple[str, str, str | None]] = set()
    for case in planned_cases(plan):
        for step in plan.scenario(case.scenario).steps:
            verb = verb_of(step)
            if verb is None or can is None or (key := (case.vendor, verb.channel, verb.script)) in seen:
                continue
            seen.add(key)
            spec = spec_for(plan, case, step, reference("preview", case.case_id))
            unfit = getattr(load(spec.channel.kind), "unfit", None)
            if unfit is None:
                continue
            index = plan.vendors.index(plan.vendor(case.vendor))
            place = ("vendors", index, "channels", verb.channel, "scripts", verb.script or "")
            try:
                refusal = unfit(spec, can)
            except UserError as exc:
                yield place, exc, False
            else:
                if refusal is not None:
                    yield place, refusal, True


def _acts_of(plan: Plan, case: PlannedCase, step: Step, load: Load) -> tuple[Act, ...]:
    spec = spec_for(plan, case, step, reference("preview", case.case_id))
    return load(spec.channel.kind).acts(spec)


def _acts(
    plan: Plan, cases: tuple[PlannedCase, ...], counted: Counter[tuple[str, str, str]], at_utc: datetime, load: Load
) -> tuple[PlannedAct, ...]:
    """Return the plan's contacts, those that differ in nothing but the case counted together."""
    times: Counter[PlannedAct] = Counter()
    first = {(case.vendor, case.persona, case.scenario): case for case in reversed(cases)}
    for key, number in counted.items():
        for act, often in _acts_of_case(plan, first[key], at_utc, load):
            times[act] += often * number
    return tuple(dataclasses.replace(act, at_most=often) for act, often in times.items())


def _acts_of_case(plan: Plan, case: PlannedCase, at_utc: datetime, load: Load) -> Iterator[tuple[PlannedAct, int]]:
    vendor = plan.vendor(case.vendor)
    opened: dict[str, None] = {}
    for step in plan.scenario(case.scenario).steps:
        verb = verb_of(step)
        if verb is not None:
            if verb.action is Action.OPEN:
                opened[verb.channel] = None
            yield from ((act, 1) for act in _planned(plan, case, step, vendor, at_utc, load))
        elif step.wait is not None:
            for channel in opened:
                if Action.LOOK in load(vendor.channels[channel].kind).ACTIONS:
                    looks = _planned(plan, case, Step(look=channel), vendor, at_utc, load)
                    yield from ((act, looks_at_most(step.wait)) for act in looks)


def _planned(
    plan: Plan, case: PlannedCase, step: Step, vendor: Vendor, at_utc: datetime, load: Load
) -> Iterator[PlannedAct]:
    verb = verb_of(step)
    assert verb is not None
    spec = spec_for(plan, case, step, reference("preview", case.case_id))
    in_words = getattr(load(spec.channel.kind), "in_words", None)
    words = in_words(spec) if in_words is not None and verb.script is not None else ()
    for number, act in enumerate(_acts_of(plan, case, step, load)):
        yield PlannedAct(
            vendor=vendor.id,
            channel=verb.channel,
            action=verb.action,
            script=verb.script,
            kind=act.kind,
            target=act.target,
            at_most=0,
            when=_when(vendor, act, at_utc),
            longest_s=act.longest.s if act.kind in (ActKind.CALL, ActKind.CHAT) else None,
            dearest_minor=act.dearest_minor,
            currency=act.currency,
            records=act.records,
            shows=act.shows,
            words=words if number == 0 else (),
        )


def _when(vendor: Vendor, act: Act, at_utc: datetime) -> str:
    if act.kind is not ActKind.CALL:
        return "at any hour"
    hours = vendor.call_hours or vendor.hours
    if hours == "always":
        return "at any hour"
    calendar = BusinessCalendar(hours, vendor.time_zone, vendor.place)
    opens = f"{calendar.local(calendar.next_open(at_utc)):%a %Y-%m-%d %H:%M}"
    now = "open now" if calendar.is_open(at_utc) else f"next {opens}"
    return f"{hours} ({vendor.time_zone}; {now}), not on public holidays of {vendor.place}"


def _wanted(acts: tuple[PlannedAct, ...]) -> advice.Wanted:
    calls = [act for act in acts if act.kind is ActKind.CALL]
    currencies = sorted({act.currency for act in calls if act.dearest_minor > 0})
    return advice.Wanted(
        calls=sum(act.at_most for act in calls),
        calls_by_vendor=dict(_summed((act.vendor, act.at_most) for act in calls)),
        call_minutes=sum(act.at_most * (act.longest_s or 0.0) / 60 for act in calls),
        tickets=_contacts(acts, Action.OPEN),
        chats=_contacts(acts, Action.CHAT),
        money_minor=sum(act.at_most * act.dearest_minor for act in calls),
        currencies=tuple(currencies),
    )


def _summed(pairs: Iterator[tuple[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for name, number in pairs:
        total[name] += number
    return total


def _contacts(acts: tuple[PlannedAct, ...], *actions: Action) -> int:
    """Return how many contacts there are, where one contact may reach several hosts."""
    most: dict[tuple[str, str, Action], int] = {}
    for act in acts:
        if act.action in actions:
            key = act.vendor, act.channel, act.action
            most[key] = max(most.get(key, 0), act.at_most)
    return sum(most.values())


def _most(plan: Plan, acts: tuple[PlannedAct, ...]) -> Spending:
    wanted, limits = _wanted(acts), plan.limits
    minutes = min(wanted.call_minutes, limits.call_minutes)
    money = wanted.money_minor
    if limits.money is not None:
        money = min(money, minor(limits.money.amount, limits.money.currency))
    return Spending(
        calls=min(wanted.calls, limits.calls),
        call_minutes=minutes,
        human_minutes=minutes,
        tickets=min(wanted.tickets, limits.tickets),
        chats=min(wanted.chats, limits.chats),
        messages=_contacts(acts, Action.REPLY, Action.CLOSE),
        money_minor=money,
        currency=", ".join(wanted.currencies) or (limits.money.currency if limits.money else ""),
    )


def _longest_wait_s(plan: Plan) -> float:
    """Return how long a case's waits take at most, all steps taken."""
    sampled = {sample.scenario for sample in plan.samples}
    return max(
        sum(step.wait.at_most.s for step in scenario.steps if step.wait is not None)
        for scenario in plan.scenarios
        if scenario.id in sampled
    )


def _kept(acts: tuple[PlannedAct, ...]) -> Iterator[str]:
    if any(act.kind is ActKind.CHAT for act in acts):
        yield "of every chat: what was written by whom and when, its notices, source and a picture at each turn"
    if any(act.kind is ActKind.BROWSE for act in acts):
        yield "of every page: its address, source and a picture; of every ticket: number, messages, status"
    if any(act.kind is ActKind.MAIL for act in acts):
        yield "of every mail, ours and the vendor's: the whole of it with its headers; attachments are not opened"
    for vendor in dict.fromkeys(act.vendor for act in acts if act.kind is ActKind.CALL):
        records = any(act.records for act in acts if act.vendor == vendor and act.kind is ActKind.CALL)
        heard = "the sound of both sides, and what is heard in it" if records else "no sound"
        yield f"of calls to {vendor}: the carrier's records, and {heard}"
    yield "all of it in the home of this audit until you remove it; secrets are taken out before anything is kept"


def _unknown(plan: Plan, acts: tuple[PlannedAct, ...], carriers: list[UserError]) -> Iterator[str]:
    yield "how long the vendors take, and so which of the steps that depend on it are taken"
    if any(act.kind is ActKind.CALL for act in acts):
        yield "how many of the call minutes are spent with people; the most is assumed"
        yield "whether the carrier's price is the one that the plan states"
    for why in dict.fromkeys(exc.message for exc in carriers):
        yield f"whether the carrier lets us hear a call while it lasts: {why}"
    for vendor in dict.fromkeys(act.vendor for act in acts if act.records):
        place = plan.vendor(vendor).place
        yield f"whether recording a call is allowed to you in {place} and where you are; that is for you to find out"


def _lines(seen: Preview) -> Iterator[str]:
    yield f"{seen.plan}: {seen.cases} {_plural('case', seen.cases)}"
    yield f"  authorised    {seen.authorisation}"
    waits = Duration(seen.longest_wait_s)
    ends = f"{seen.lasts_until_utc:%Y-%m-%d %H:%M} UTC"
    yield f"  lasts         a case waits {waits} at most; begun now, everything ends by {ends}"
    if seen.clock_factor != 1.0:
        yield f"  clock         practice time, {seen.clock_factor:g} times as fast as real time"
    yield ""
    yield "cases"
    for group in seen.groups:
        yield f"  {group.cases:>5} × {group.vendor} · {group.persona} · {group.scenario}"
    if seen.begins:
        yield ""
        seeds = ", ".join(str(seed) for seed in dict.fromkeys(moment.seed for moment in seen.begins))
        yield f"begins, drawn at random by seed {seeds}, if the audit began now"
        for moment in seen.begins[:_MOST_MOMENTS]:
            yield f"  {moment.begins_at_utc:%a %Y-%m-%d %H:%M} UTC  {moment.case_id}"
        if len(seen.begins) > _MOST_MOMENTS:
            yield f"  and {len(seen.begins) - _MOST_MOMENTS} more: check --json lists all"
    yield ""
    yield "contacts at most"
    for act in seen.acts:
        script = f' with script "{act.script}"' if act.script else ""
        yield f"  {act.at_most:>5} × {_DOES[act.action]}{script}: {act.vendor}, {act.target} ({act.channel})"
        yield from (f"          {line}".rstrip() for line in act.shows.splitlines())
        if act.kind is ActKind.CALL:
            length = Duration(act.longest_s or 0.0)
            yield f"          each at most {length} and {act.dearest_minor / minor(1, act.currency):.2f} {act.currency}"
            yield f"          {act.when}"
        elif act.kind is ActKind.CHAT:
            yield f"          each at most {Duration(act.longest_s or 0.0)}"
        yield from (f"            {line}" for line in act.words)
    yield ""
    yield "the most it can cost"
    most = seen.most
    yield f"  calls         {most.calls}, {most.call_minutes:g} minutes in all"
    yield f"  people        {most.human_minutes:g} minutes of the vendors' people on the telephone"
    yield f"  tickets       {most.tickets}, and {most.messages} further {_plural('message', most.messages)}"
    if most.chats:
        yield f"  chats         {most.chats}"
    if most.currency:
        money = most.money_minor / minor(1, most.currency[:3])
        yield f"  money         {money:.2f} {most.currency}"
    for title, texts in (("kept", seen.kept), ("not known beforehand", seen.unknown), ("warnings", seen.warnings)):
        if texts:
            yield ""
            yield title
            yield from (f"  - {text}" for text in texts)


def _plural(word: str, number: int) -> str:
    return word if number == 1 else f"{word}s"

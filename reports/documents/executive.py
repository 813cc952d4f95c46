"""The executive report: what it says, in which order, from an analysis. Only layout is decided here.

The values below are what templates/report prints, for paper and screen alike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from audit.analysis.model.audits import Accounting, Analysis, VendorName
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.findings import Evidence, Finding, Story, StoryLine, Verdict
from audit.analysis.model.measures import Measure
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.analysis.model.scores import Headline, Judgement, Scorecard
from audit.analysis.over_time import NOTHING, Drift, OverTime
from audit.analysis.trends import Comparison, Trend
from reports import words
from reports.documents import charts
from reports.documents.charts import Chart, Envelopes

MOST_CHARTED, MOST_OTHERS = 3, 36
MOST_STORIES, MOST_PROMISES, MOST_POINTS, MOST_EVIDENCE, MOST_MEASURES = 12, 60, 6, 400, 150
# Which two measures stand beside the share of expectations met, where they were rated: the first two of these.
LEADING = (
    "first_human_response_s",
    "resolution_s",
    "time_to_human_s",
    "hold_s",
    "customer_effort_min",
    "contacts_per_case",
)
_SLUG = re.compile(r"[^A-Za-z0-9-]+")
_STANDING = {Verdict.CONFIRMED: 0, Verdict.ANOMALY: 1, Verdict.NOT_ESTABLISHED: 2, Verdict.OURS: 3}
_WORST_FIRST = {
    PromiseOutcome.BROKEN: 0,
    PromiseOutcome.LATE: 1,
    PromiseOutcome.WITHDRAWN: 2,
    PromiseOutcome.KEPT: 3,
    PromiseOutcome.PENDING: 4,
    PromiseOutcome.NOT_OBSERVED: 5,
}


def slug(name: str) -> str:
    """Return a name as part of an anchor or file name."""
    return _SLUG.sub("-", name).strip("-")[:60] or "x"


@dataclass(frozen=True, slots=True)
class Number:
    """One of the three numbers of page 2."""

    value: str
    name: str
    interval: str
    range: str
    counted: str


@dataclass(frozen=True, slots=True)
class VendorSummary:
    """What page 2 says of a vendor."""

    vendor: VendorName
    judgement: Judgement | None
    headline: Headline | None
    numbers: tuple[Number | None, ...]
    counted: str


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings on one measure, under the sentence of the first, with the chart that proves them."""

    anchor: str
    lead: Finding
    others: tuple[Finding, ...]
    others_more: int
    chart: Chart | None
    evidence: tuple[str, ...]
    story: str | None


@dataclass(frozen=True, slots=True)
class PromiseSection:
    """A vendor's promises: those not kept first."""

    vendor: VendorName
    rows: tuple[PromiseRecord, ...]
    left_out: int
    counts: tuple[tuple[PromiseOutcome, int], ...]
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class CallSection:
    """One call of a case: its strip, the file to play, and the moments that can be jumped to."""

    anchor: str
    call: CallRecord
    chart: Chart | None
    audio: str | None
    moments: tuple[tuple[float, str], ...]
    said: str


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """A line of a story. `call` is the anchor of the call that its second belongs to."""

    number: int
    line: StoryLine
    call: str | None


@dataclass(frozen=True, slots=True)
class StorySection:
    """A case, told: timeline, lines, calls."""

    anchor: str
    story: Story
    vendor: VendorName
    chart: Chart | None
    lines: tuple[NumberedLine, ...]
    calls: tuple[CallSection, ...]


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """A line of the index: one evidence number with one of its files (or none)."""

    evidence: Evidence
    name: str
    path: str | None
    size: str
    sha256: str
    first: bool


@dataclass(frozen=True, slots=True)
class ChangeSection:
    """What changed since earlier audits, those changes first that stand; and trends within the audit that do."""

    over: OverTime
    compared: tuple[Comparison, ...]
    too_few: tuple[Comparison, ...]
    alarms: tuple[Drift, ...]
    calm: tuple[str, ...]
    trends: tuple[Trend, ...]


@dataclass(frozen=True, slots=True)
class FollowSection:
    """Courtesy and outcome of what was judged of one vendor: how often which, and the plot."""

    vendor: VendorName
    counts: tuple[tuple[str, int], ...]
    chart: Chart | None
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfAll:
    """A sentence about all vendors together."""

    sentence: str
    vendor: str | None = None
    evidence: tuple[str, ...] = ()


class Stated(Protocol):
    """What has a sentence and evidence: tests of limits, pairs, agreement, costs."""

    @property
    def vendor(self) -> str | None: ...  # noqa: D102
    @property
    def sentence(self) -> str: ...  # noqa: D102
    @property
    def evidence(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class ExecutiveReport:
    """Everything that the templates print."""

    analysis: Analysis
    title: str
    classification: str
    practice: str | None
    period: str
    made: str
    key_fingerprint: str | None
    vendors: Mapping[str, VendorName]
    summaries: tuple[VendorSummary, ...]
    leading: tuple[str, ...]
    established: tuple[Finding, ...]
    unsure: tuple[Finding, ...]
    points: int
    groups: tuple[FindingGroup, ...]
    not_established: tuple[Finding, ...]
    not_established_more: int
    scorecards: tuple[Scorecard, ...]
    promises: tuple[PromiseSection, ...]
    headlines: Chart | None
    stories: tuple[StorySection, ...]
    stories_left_out: int
    accounting: tuple[tuple[Accounting, str], ...]
    counts: tuple[tuple[str, tuple[str, ...]], ...]
    evidence: tuple[EvidenceRow, ...]
    evidence_left_out: int
    evidence_zone: str
    anchors: frozenset[str]
    measures: tuple[Measure, ...]
    measures_left_out: int
    unseen: tuple[str, ...]
    tests: tuple[tuple[str, tuple[Stated, ...]], ...]
    judged: bool
    follow_through: tuple[FollowSection, ...]
    changes: ChangeSection | None
    measure_names: Mapping[str, str]


def build(
    analysis: Analysis,
    files: Mapping[str, str],
    *,
    now_utc: datetime,
    classification: str,
    key_fingerprint: str | None = None,
    envelopes: Envelopes | None = None,
    over_time: OverTime = NOTHING,
) -> ExecutiveReport:
    """Lay out an analysis.

    Args:
        analysis: what is said; no number is worked out here.
        files: the path beside the report of each artifact, by its hash.
        now_utc: when the report is made.
        classification: printed on every page.
        key_fingerprint: of the key that will seal the pack, for the cover.
        envelopes: the levels of recordings, by hash; a call without them is drawn without a waveform.
        over_time: what changed since earlier audits, and within this one.
    """
    envelopes = envelopes or {}
    analysis = _with_all_vendors(analysis)
    vendors = {vendor.id: vendor for vendor in analysis.vendors}
    evidence = {item.number: item for item in analysis.evidence}
    zone = words.zone(analysis.vendors[0].time_zone if len(analysis.vendors) == 1 else "UTC")
    stories = _chosen_stories(analysis)
    leading = _leading(analysis.measures)
    seen = [measure for measure in analysis.measures if measure.n]
    sections = tuple(_story(analysis, story, vendors, evidence, files, envelopes) for story in stories)
    confirmed = _by_vendor(analysis, [f for f in analysis.findings if f.verdict is Verdict.CONFIRMED])
    unsure = _by_vendor(analysis, [f for f in analysis.findings if f.verdict is not Verdict.CONFIRMED])
    undecided = tuple(f for f in unsure if f.verdict is not Verdict.ANOMALY)
    groups = _groups(analysis, {section.story.case: section.anchor for section in sections}, envelopes)
    promises = tuple(_promises(analysis, vendor) for vendor in analysis.vendors)
    cited = _cited(analysis, groups, sections, promises)
    rows = _evidence_rows([item for item in analysis.evidence if item.number in cited], files)
    return ExecutiveReport(
        analysis=analysis,
        title=analysis.plan_name,
        classification=classification,
        practice=practice_notice(analysis.clock_factor),
        period=words.period(analysis.started_at_utc, analysis.ended_at_utc, zone),
        made=words.moment(now_utc, zone),
        key_fingerprint=key_fingerprint,
        vendors=vendors,
        summaries=tuple(_summary(analysis, vendor, [m.id for m in leading]) for vendor in analysis.vendors),
        leading=tuple(words.capital(measure.name) for measure in leading),
        established=confirmed,
        unsure=unsure,
        points=MOST_POINTS if len(analysis.vendors) <= MOST_CHARTED else MOST_POINTS // 2,
        groups=groups,
        not_established=undecided[:MOST_OTHERS],
        not_established_more=max(0, len(undecided) - MOST_OTHERS),
        scorecards=tuple(card for card in analysis.scorecards if any(d.score is not None for d in card.dimensions)),
        promises=tuple(section for section in promises if section.rows),
        headlines=charts.headlines_chart(analysis),
        stories=sections,
        stories_left_out=len(analysis.stories) - len(stories),
        accounting=tuple((row, words.accounting(row)) for row in analysis.accounting),
        counts=words.accounting_rows(analysis.accounting) if len(analysis.accounting) <= MOST_CHARTED else (),
        evidence=tuple(rows[:MOST_EVIDENCE]),
        evidence_left_out=len(analysis.evidence) - len({row.evidence.number for row in rows[:MOST_EVIDENCE]}),
        evidence_zone=zone.key,
        anchors=frozenset(row.evidence.number for row in rows[:MOST_EVIDENCE]),
        measures=tuple(seen[:MOST_MEASURES]),
        measures_left_out=max(0, len(seen) - MOST_MEASURES),
        unseen=tuple(dict.fromkeys(m.name for m in analysis.measures if m.id not in {s.id for s in seen})),
        tests=_tests(analysis),
        judged=bool(analysis.judgements),
        follow_through=_follow_through(analysis),
        changes=_changes(over_time, {measure.id: measure.name for measure in analysis.measures}),
        measure_names={measure.id: measure.name for measure in analysis.measures},
    )


def _tests(analysis: Analysis) -> tuple[tuple[str, tuple[Stated, ...]], ...]:
    found: tuple[tuple[str, tuple[Stated, ...]], ...] = (
        ("Limits of the profile, held against the measurements", analysis.limits),
        ("The same problem, as two different customers", analysis.pairs),
        ("Whether the vendors differ", tuple(OfAll(test.sentence) for test in analysis.vendor_tests)),
        ("Whether answers agree", analysis.agreements),
        ("What the service costs its customer", analysis.costs),
    )
    return tuple((heading, items) for heading, items in found if items)


def _follow_through(analysis: Analysis) -> tuple[FollowSection, ...]:
    sections = []
    for vendor in analysis.vendors:
        own = [point for point in analysis.follow_through if point.vendor == vendor.id]
        if own:
            counts = tuple(Counter(point.label for point in own).most_common())
            chart = charts.follow_through_chart(vendor.name, own) if len(analysis.vendors) <= MOST_CHARTED else None
            evidence = tuple(dict.fromkeys(e for point in own for e in point.evidence))
            sections.append(FollowSection(vendor, counts, chart, evidence[:MOST_OTHERS]))
    return tuple(sections)


def _changes(over: OverTime, names: Mapping[str, str]) -> ChangeSection | None:
    tested = [one for one in over.comparisons if one.p_holm is not None]
    tested.sort(key=lambda one: _STANDING[one.verdict])
    few = tuple(one for one in over.comparisons if one.p_holm is None)
    moved = tuple(one for one in over.trends if one.verdict is not Verdict.NOT_ESTABLISHED)
    alarms = tuple(drift for drift in over.drifts if drift.verdict is not Verdict.NOT_ESTABLISHED)
    calm = tuple(dict.fromkeys(names[drift.measure] for drift in over.drifts if drift not in alarms))
    return ChangeSection(over, tuple(tested), few, alarms, calm, moved) if over.against or moved else None


def _with_all_vendors(analysis: Analysis) -> Analysis:
    """Give vendors that the plan does not name (any more) a place under their identifier, so that none is left out."""
    known = {vendor.id for vendor in analysis.vendors}
    met = [story.vendor for story in analysis.stories] + [finding.vendor for finding in analysis.findings]
    met += [row.vendor for row in analysis.accounting]
    unnamed = [vendor for vendor in dict.fromkeys(met) if vendor not in known]
    added = tuple(VendorName(id=vendor, name=vendor, place="", time_zone="UTC") for vendor in unnamed)
    return replace(analysis, vendors=(*analysis.vendors, *added))


def drawn_calls(analysis: Analysis) -> list[CallRecord]:
    """Return the calls that a report may draw: those of the cases it tells, and those that findings name."""
    analysis = _with_all_vendors(analysis)
    cases = {story.case for story in _chosen_stories(analysis)}
    named = {finding.contact for finding in analysis.findings}
    return [call for call in analysis.calls if call.case in cases or call.contact in named]


def practice_notice(clock_factor: float) -> str | None:
    """Return the words that stand on every page of a report made in practice time."""
    if clock_factor == 1.0:
        return None
    return f"Practice vendor, not a real one: its clock ran {words.number(clock_factor)} times as fast as ours"


def _summary(analysis: Analysis, vendor: VendorName, leading: Sequence[str]) -> VendorSummary:
    measures = [measure for measure in analysis.measures if measure.vendor == vendor.id]
    headline = next((item for item in analysis.headlines if item.vendor == vendor.id), None)
    by_id = {measure.id: measure for measure in measures}
    numbers = [_headline_number(headline) if headline else None]
    numbers += [_measure_number(by_id[name]) if name in by_id else None for name in leading]
    account = next((row for row in analysis.accounting if row.vendor == vendor.id), None)
    judgement = next((item for item in analysis.judgements if item.vendor == vendor.id), None)
    return VendorSummary(vendor, judgement, headline, tuple(numbers), words.accounting(account) if account else "")


def _headline_number(headline: Headline) -> Number:
    value = words.share(headline.share) if headline.share is not None else f"{headline.met} of {headline.due}"
    interval = found = "no interval at this n"
    if headline.low is not None and headline.high is not None:
        found = words.interval(headline.low, headline.high, "ratio")
        interval = f"95 % interval {found}"
    return Number(value, "of expectations met", interval, found, f"{headline.met} of {headline.due} that came due")


def _measure_number(measure: Measure) -> Number:
    interval = found = words.estimate_interval(measure)
    if measure.low is not None and measure.high is not None:
        found = words.interval(measure.low, measure.high, measure.unit)
    return Number(words.estimate(measure), measure.name, interval, found, words.counted(measure))


def _leading(measures: Sequence[Measure]) -> list[Measure]:
    """Return the two measures for page 2: those that most vendors have an estimate of, then the preferred ones."""
    first = {measure.id: measure for measure in reversed(measures) if measure.n}

    def place(name: str) -> tuple[int, int, int]:
        of_it = [measure for measure in measures if measure.id == name]
        preferred = LEADING.index(name) if name in LEADING else len(LEADING)
        return (
            preferred == len(LEADING),
            -sum(measure.estimate is not None for measure in of_it),
            preferred,
        )

    return [first[name] for name in sorted(first, key=place)[:2]]


def _by_vendor(analysis: Analysis, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Take findings from each vendor in turn, so that the first few speak of all of them."""
    order = [vendor.id for vendor in analysis.vendors]
    queues = {vendor: [f for f in findings if f.vendor == vendor] for vendor in order}
    taken: list[Finding] = []
    while any(queues.values()):
        for vendor in order:
            if queues[vendor]:
                taken.append(queues[vendor].pop(0))
    return tuple(taken)


def _groups(analysis: Analysis, told: Mapping[str, str], envelopes: Envelopes) -> tuple[FindingGroup, ...]:
    """Gather confirmed findings and anomalies by measure (by case where there is no measure)."""
    gathered: dict[str, list[Finding]] = {}
    for finding in sorted(analysis.findings, key=lambda f: _STANDING[f.verdict]):
        if finding.verdict in (Verdict.CONFIRMED, Verdict.ANOMALY):
            gathered.setdefault(finding.measure or f"\0{finding.id}", []).append(finding)
    groups = []
    strips = {call.contact: call for call in analysis.calls if call.timeline is not None}
    for number, (measure, findings) in enumerate(gathered.items(), start=1):
        spoken = frozenset(finding.vendor for finding in findings[:1])
        chart = charts.measure_chart(analysis, measure, spoken) if not measure.startswith("\0") else None
        if chart is None and (contact := next((f.contact for f in findings if f.contact in strips), None)) is not None:
            chart = charts.call_chart(
                strips.pop(contact), envelopes
            )  # each call is drawn once here, and again in its case
        lead, *rest = findings
        others = tuple(rest)
        cited = tuple(dict.fromkeys(ref for finding in (lead, *others[:MOST_OTHERS]) for ref in finding.evidence))
        story = next((told[f.case] for f in findings if f.case is not None and f.case in told), None)
        groups.append(
            FindingGroup(
                f"finding-{number}", lead, others[:MOST_OTHERS], len(others[MOST_OTHERS:]), chart, cited, story
            )
        )
    return tuple(groups)


def _promises(analysis: Analysis, vendor: VendorName) -> PromiseSection:
    own = [record for record in analysis.promises if record.vendor == vendor.id]
    own.sort(key=lambda record: (_WORST_FIRST[record.outcome], -(record.late_by_s or 0.0), record.id))
    room = max(3, MOST_PROMISES // max(1, len(analysis.vendors)))
    rows = own[:room]
    best = [record for record in own[room:] if record.outcome is PromiseOutcome.KEPT][:1]
    if best and not any(record.outcome is PromiseOutcome.KEPT for record in rows):
        rows[-1:] = best  # the vendor's best result is shown too
    # With many vendors the tables alone fill pages enough; the shares are compared in one chart before them.
    chart = charts.promises_chart(vendor.name, rows) if len(analysis.vendors) <= MOST_CHARTED else None
    counts = tuple(
        (outcome, found) for outcome in PromiseOutcome if (found := sum(record.outcome is outcome for record in own))
    )
    return PromiseSection(vendor, tuple(rows), len(own) - len(rows), counts, chart)


def _chosen_stories(analysis: Analysis) -> list[Story]:
    """Choose which cases are told: for each vendor in turn those that findings name, then by broken promises."""
    named = {finding.case for finding in analysis.findings if finding.case is not None}
    missed: dict[str, int] = {}
    for record in analysis.promises:
        if record.outcome in (PromiseOutcome.BROKEN, PromiseOutcome.LATE):
            missed[record.case] = missed.get(record.case, 0) + 1
    order = [vendor.id for vendor in analysis.vendors]
    queues = {
        vendor: sorted(
            (story for story in analysis.stories if story.vendor == vendor),
            key=lambda story: (story.case not in named, -missed.get(story.case, 0), story.opened_at_utc, story.case),
        )
        for vendor in order
    }
    chosen: list[Story] = []
    while any(queues.values()) and len(chosen) < MOST_STORIES:
        for vendor in order:
            if queues[vendor] and len(chosen) < MOST_STORIES:
                chosen.append(queues[vendor].pop(0))
    return sorted(chosen, key=lambda story: (order.index(story.vendor), story.opened_at_utc, story.case))


def _story(
    analysis: Analysis,
    story: Story,
    vendors: Mapping[str, VendorName],
    evidence: Mapping[str, Evidence],
    files: Mapping[str, str],
    envelopes: Envelopes,
) -> StorySection:
    calls = [call for call in analysis.calls if call.case == story.case]
    anchors = {call.contact: f"call-{slug(call.contact)}" for call in calls}
    of_contact = {number: item.contact for number, item in evidence.items()}
    lines = []
    for number, line in enumerate(story.lines, start=1):
        contact = next((of_contact[ref] for ref in line.evidence if of_contact.get(ref) in anchors), None)
        lines.append(NumberedLine(number, line, anchors.get(contact or "")))
    sections = tuple(_call(call, anchors[call.contact], lines, files, envelopes) for call in calls)
    chart = charts.case_chart(analysis, story, dict(evidence))
    return StorySection(f"case-{slug(story.case)}", story, vendors[story.vendor], chart, tuple(lines), sections)


def _call(
    call: CallRecord, anchor: str, lines: Sequence[NumberedLine], files: Mapping[str, str], envelopes: Envelopes
) -> CallSection:
    audio = files.get(call.recording.sha256) if call.recording else None
    told = [(n.line.t_s, n.line.sentence) for n in lines if n.call == anchor and n.line.t_s is not None]
    heard = charts.call_moments(call.timeline) if call.timeline else []
    moments = tuple(sorted([*told, *heard], key=lambda moment: moment[0]))
    return CallSection(anchor, call, charts.call_chart(call, envelopes), audio, moments, words.call(call))


def _cited(
    analysis: Analysis,
    groups: Sequence[FindingGroup],
    stories: Sequence[StorySection],
    promises: Sequence[PromiseSection],
) -> frozenset[str]:
    refs = {ref for finding in analysis.findings for ref in finding.evidence}
    refs |= {ref for group in groups for ref in group.evidence}
    refs |= {ref for section in stories for line in section.story.lines for ref in line.evidence}
    refs |= {ref for section in stories for call in section.calls for ref in call.call.evidence}
    refs |= {ref for section in promises for row in section.rows for ref in row.evidence}
    refs |= {ref for test in analysis.limits for ref in test.evidence}
    refs |= {ref for pair in analysis.pairs for ref in pair.evidence}
    refs |= {ref for result in analysis.agreements for ref in result.evidence}
    refs |= {ref for cost in analysis.costs for ref in cost.evidence}
    refs |= {ref for point in analysis.follow_through for ref in point.evidence}
    return frozenset(refs)


def _evidence_rows(items: Sequence[Evidence], files: Mapping[str, str]) -> list[EvidenceRow]:
    rows = []
    for item in items:
        if not item.artifacts:
            rows.append(EvidenceRow(item, "journal entry, no file", None, "–", "–", True))
        for place, artifact in enumerate(item.artifacts):
            path = files.get(artifact.sha256)
            size = words.size(artifact.size_bytes)
            rows.append(EvidenceRow(item, artifact.name, path, size, artifact.sha256, place == 0))
    return rows

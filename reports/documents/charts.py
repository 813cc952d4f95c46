"""From the analysis to figures: which chart proves which measure, promise, case or call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from audit.analysis.model.audits import Analysis
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.comparisons import FollowThrough
from audit.analysis.model.findings import Evidence, Story, StoryLine
from audit.analysis.model.measures import Measure, MeasureKind
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from probes.audio.timeline import Timeline
from reports import words
from reports.figures.call_strip import call_strip_svg, look, phases
from reports.figures.case_timeline import Due, Lane, Mark, case_timeline_svg
from reports.figures.dots import Dot, Row, dots_svg
from reports.figures.follow_through import Place, follow_through_svg
from reports.figures.promises import Pledge, promises_svg
from reports.figures.survival import Curve, survival_svg

# The levels of each recording, by its hash.
Envelopes = Mapping[str, Sequence[float]]
MOST_PLEDGES, MOST_CURVES, FEWEST_OBSERVED = 14, 3, 3
_CURVE_FROM_N = 6
_OUR_KINDS = frozenset({"ticket_submitted", "message_sent", "chat_opened"})
_VENDOR_KINDS = frozenset({"message_seen", "status_seen", "hand_off_seen", "notice_seen", "chat_ended"})


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure and what stands under it."""

    svg: Markup
    caption: str


def measure_chart(analysis: Analysis, measure_id: str, spoken_of: frozenset[str]) -> Chart | None:
    """Draw one measure for all vendors that have it, in the report's order; None where a sentence says as much."""
    names = {vendor.id: vendor.name for vendor in analysis.vendors}
    by_vendor = {measure.vendor: measure for measure in analysis.measures if measure.id == measure_id}
    measures = [by_vendor[vendor.id] for vendor in analysis.vendors if vendor.id in by_vendor]
    measures = [measure for measure in measures if measure.n]
    if sum(measure.n for measure in measures) < FEWEST_OBSERVED:
        return None
    title = measures[0].name
    curves = [
        _curve(measure, names, spoken_of) for measure in measures if measure.survival and measure.n >= _CURVE_FROM_N
    ]
    if len(curves) == len(measures) <= MOST_CURVES and any(measure.n_censored for measure in measures):
        svg = survival_svg(title, curves, horizon_s=max(m.survival.horizon for m in measures if m.survival))
        how = "Each step is an answer; short strokes are waits that we stopped before an answer came."
    else:
        upto = 1.0 if measures[0].kind is MeasureKind.SHARE else None
        svg = dots_svg(title, [_row(m, names, spoken_of) for m in measures], measures[0].unit, upto=upto)
        how = _dots_explained(measures)
    spoken = [measure for measure in measures if measure.vendor in spoken_of] or measures
    said = "; ".join(f"{names.get(m.vendor, m.vendor)}: {words.counted(m)}" for m in spoken[:4])
    method = words.capital(measures[0].method.rstrip("."))
    caption = f"{words.capital(title)}, per {measures[0].per}. {how} {said}. {method}."
    return Chart(Markup(svg), caption)  # noqa: S704 - built by us, escaped there


def _dots_explained(measures: Sequence[Measure]) -> str:
    if measures[0].kind is MeasureKind.SHARE:
        return "Upright line: the share; band: its 95 % interval."
    parts = [f"One dot is one {measures[0].per}"]
    if any(observed.censored for measure in measures for observed in measure.observed):
        parts.append("a hollow dot with an arrow was still waiting when we stopped")
    if any(observed.earliest is not None for measure in measures for observed in measure.observed):
        parts.append("a thin line before a dot: it came at some time in between two of our looks")
    if any(measure.estimate is not None for measure in measures):
        parts.append("upright line: the estimate")
    if any(measure.low is not None for measure in measures):
        parts.append("band: its 95 % interval")
    return "; ".join(parts) + "."


def _row(measure: Measure, names: dict[str, str], spoken_of: frozenset[str]) -> Row:
    label = names.get(measure.vendor, measure.vendor)
    if measure.kind is MeasureKind.SHARE:
        dots: tuple[Dot, ...] = ()
        said = f"{round(sum(o.value for o in measure.observed))} of {measure.n}"
        said = f"{words.estimate(measure)} ({said})" if measure.estimate is not None else said
    else:
        dots = tuple(
            Dot(o.value, o.censored, ", ".join(o.evidence), o.earliest)
            for o in measure.observed
            if math.isfinite(o.value)
        )
        said = words.estimate(measure) if measure.estimate is not None else f"n = {measure.n}: no estimate"
    below = ""
    if measure.estimate is None and measure.n == 1 and dots:
        said, below = words.observed_span(measure), "one observation"
    if measure.low is not None and measure.high is not None:
        below = words.interval(measure.low, measure.high, measure.unit)
    return Row(label, dots, measure.estimate, measure.low, measure.high, said, below, measure.vendor in spoken_of)


def _curve(measure: Measure, names: dict[str, str], spoken_of: frozenset[str]) -> Curve:
    assert measure.survival is not None
    points = measure.survival.curve
    return Curve(
        label=names.get(measure.vendor, measure.vendor),
        times_s=tuple(point.at for point in points),
        shares=tuple(point.waiting for point in points),
        waits_s=tuple(observed.value for observed in measure.observed),
        censored_s=tuple(observed.value for observed in measure.observed if observed.censored),
        low=tuple(point.low for point in points),
        high=tuple(point.high for point in points),
        spoken_of=measure.vendor in spoken_of,
    )


def headlines_chart(analysis: Analysis) -> Chart | None:
    """Draw the share of expectations met for all vendors; None for one vendor, whose number stands on page 2."""
    if len(analysis.vendors) < 2 or not analysis.headlines:
        return None
    by_vendor = {headline.vendor: headline for headline in analysis.headlines}
    rows = []
    for vendor in analysis.vendors:
        if (headline := by_vendor.get(vendor.id)) is None:
            continue
        said = f"{headline.met} of {headline.due}"
        if headline.share is not None:
            said = f"{words.share(headline.share)} ({said})"
        below = ""
        if headline.low is not None and headline.high is not None:
            below = words.interval(headline.low, headline.high, "ratio")
        rows.append(Row(vendor.name, (), headline.share, headline.low, headline.high, said, below))
    svg = dots_svg("Share of expectations met", rows, "ratio", upto=1.0)
    caption = (
        "Of the promises that came due, the share that was kept. Upright line: the share; band: its 95 % interval."
    )
    return Chart(Markup(svg), caption)  # noqa: S704 - built by us, escaped there


def follow_through_chart(name: str, points: Sequence[FollowThrough]) -> Chart:
    """Draw courtesy against outcome for what was judged of one vendor."""
    svg = follow_through_svg(name, [Place(point.courtesy, point.outcome) for point in points])
    caption = "Each dot is a contact (or case) that persons judged. At the lower right: charming and useless."
    return Chart(Markup(svg), caption)  # noqa: S704 - built by us, escaped there


def promises_chart(vendor_name: str, promises: Sequence[PromiseRecord]) -> Chart | None:
    """Draw a vendor's promises that have a due moment, at most `MOST_PLEDGES` of them; None where there are none."""
    pledges = [pledge for record in promises if (pledge := _pledge(record)) is not None]
    if not pledges:
        return None
    shown = pledges[:MOST_PLEDGES]
    svg = promises_svg(f"What {vendor_name} promised and what came", shown)
    cut = f" {len(shown)} of {len(pledges)} promises with a due time are drawn." if len(shown) < len(pledges) else ""
    return Chart(
        Markup(svg),  # noqa: S704 - built by us, escaped there
        "Time from the moment a promise began to run, on the wall clock. "
        f"Broken line: it had not come when we stopped looking.{cut}",
    )


def _pledge(record: PromiseRecord) -> Pledge | None:
    if record.made_at_utc is None or record.due_at_utc is None or record.outcome is PromiseOutcome.NOT_OBSERVED:
        return None
    promised_s = (record.due_at_utc - record.made_at_utc).total_seconds()
    actual_s = (record.came_at_utc - record.made_at_utc).total_seconds() if record.came_at_utc else None
    if promised_s < 0:
        return None
    return Pledge(
        words.plain(words.identifier(record.what), 60), promised_s, actual_s, record.outcome, promise_said(record)
    )


def promise_said(record: PromiseRecord) -> str:
    """Return a promise's outcome in words, with how late it was."""
    word = words.OUTCOMES[record.outcome][0]
    if record.outcome in (PromiseOutcome.LATE, PromiseOutcome.BROKEN) and record.late_by_s is not None:
        at_least = "at least " if record.came_at_utc is None else ""
        return f"{word}, {at_least}{words.duration(record.late_by_s)} over"
    return word


def case_chart(analysis: Analysis, story: Story, evidence: dict[str, Evidence]) -> Chart | None:
    """Draw a case's timeline; the numbers in it are those of the story's lines. None where nothing can be placed."""
    calls = {call.contact: call for call in analysis.calls if call.case == story.case}
    vendor = next((vendor for vendor in analysis.vendors if vendor.id == story.vendor), None)
    marks, seen_calls = [], set()
    for number, line in enumerate(story.lines, start=1):
        contact, lane = _place(line, evidence, calls)
        if lane is None or contact in seen_calls:
            continue
        if lane is Lane.CALL and contact is not None:
            seen_calls.add(contact)
        marks.append(_mark(number, lane, line, calls.get(contact or "")))
    if not marks:
        return None
    dues = [
        Due(
            words.plain(words.identifier(record.what), 40),
            record.made_at_utc,
            record.due_at_utc,
            record.came_at_utc,
            record.outcome,
        )
        for record in analysis.promises
        if record.case == story.case and record.made_at_utc is not None and record.due_at_utc is not None
    ]
    end = story.closed_at_utc or analysis.ended_at_utc or max(line.at_utc for line in story.lines)
    zone = words.zone(vendor.time_zone if vendor else "UTC")
    svg = case_timeline_svg(f"Case {story.case}", marks, dues[:8], story.opened_at_utc, end, zone)
    caption = f"Numbers are the lines of the story below. Times in {zone.key}."
    if dues:
        caption += " Promises: grey line up to the due moment, then what came."
    return Chart(Markup(svg), caption)  # noqa: S704 - built by us, escaped there


def _place(
    line: StoryLine, evidence: dict[str, Evidence], calls: dict[str, CallRecord]
) -> tuple[str | None, Lane | None]:
    """Return the contact and the lane of a story's line, by what its evidence is."""
    found = [evidence[number] for number in line.evidence if number in evidence]
    contact = next((item.contact for item in found if item.contact in calls), None)
    kinds = {item.kind for item in found}
    if contact is not None or line.t_s is not None or any(kind.startswith("call_") for kind in kinds):
        return contact, Lane.CALL
    if kinds & _VENDOR_KINDS:
        return None, Lane.VENDOR
    return None, Lane.CUSTOMER if kinds & _OUR_KINDS else None


def _mark(number: int, lane: Lane, line: StoryLine, call: CallRecord | None) -> Mark:
    if lane is Lane.CALL and call is not None and call.dialled_at_utc is not None:
        end = call.dialled_at_utc + timedelta(seconds=call.duration_s) if call.duration_s is not None else None
        return Mark(number, lane, call.dialled_at_utc, line.sentence, end)
    return Mark(number, lane, line.at_utc, line.sentence)


def call_chart(call: CallRecord, envelopes: Envelopes) -> Chart | None:
    """Draw what was heard on a call; None where nothing was recorded."""
    if call.timeline is None:
        return None
    svg = call_strip_svg(
        call.timeline,
        title=f"Call {call.number_in_case} of case {call.case}",
        envelope=envelopes.get(call.recording.sha256) if call.recording else None,
        end_note=f"{words.ENDED_BY[call.ended_by]}, {words.clock(call.timeline.duration_s)}",
    )
    caption = "Minutes and seconds of the recording."
    if call.timeline.holds:
        caption += " Bracket: on hold; its ticks mark where the music begins again."
    return Chart(Markup(svg), f"{caption} Found by machine ({call.timeline.listener_version}).")  # noqa: S704


def call_moments(timeline: Timeline) -> list[tuple[float, str]]:
    """Return the moments of a recording that a listener may want to jump to."""
    return [
        (phase.start_s, f"{look(phase.label)[0]} ({words.duration(phase.end_s - phase.start_s)})")
        for phase in phases(timeline.segments)
        if phase.end_s - phase.start_s >= 1.0
    ][:60]

"""How numbers, moments and verdicts are said: the one place that turns values of the analysis into words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from audit.analysis.model.audits import Accounting
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.findings import Verdict
from audit.analysis.model.measures import Measure, MeasureKind
from audit.analysis.model.promises import PromiseOutcome
from audit.analysis.model.scores import Decision
from probes.errors import Side

MINUS = "\u2212"
_DAY_S, _HOUR_S, _MINUTE_S = 86400, 3600, 60
# Signs that steer the direction of text or cannot be seen: shown by number, so that nothing hides in a vendor's text.
_HIDDEN = re.compile("[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def plain(text: str, most: int | None = None) -> str:
    """Return text that others wrote made fit to print: nothing hidden, no control signs, at most `most` characters."""
    shown = _HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text if most is None else text[: most + 1])
    shown = _CONTROL.sub("\ufffd", shown)
    shown = unicodedata.normalize("NFC", shown)
    if most is not None and len(text) > most:
        shown = f"{shown[:most].rstrip()} … (cut here; the whole text has {count(len(text))} characters)"
    return shown


def count(number: float) -> str:
    """Return a whole number with thousands set apart: 12,400."""
    return f"{round(number):,}".replace("-", MINUS)


def number(value: float, places: int = 1) -> str:
    """Return a number with at most `places` decimals and a true minus sign."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else f"{MINUS if value < 0 else ''}infinite"
    text = f"{value:,.{places}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS) if text not in ("-0", "0") else "0"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units: "4.2 s", "21 min 40 s", "5 h 20 min", "3 days 4 h"."""
    if not math.isfinite(seconds):
        return number(seconds)
    if seconds < 0:
        return MINUS + duration(-seconds)
    if seconds < 9.95:
        return f"{number(seconds)} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return _two(whole, _MINUTE_S, "min", 1, "s")
    whole = round(seconds / _MINUTE_S) * _MINUTE_S
    if whole < _DAY_S:
        return _two(whole, _HOUR_S, "h", _MINUTE_S, "min")
    whole = round(seconds / _HOUR_S) * _HOUR_S
    return _two(whole, _DAY_S, "day" if whole < 2 * _DAY_S else "days", _HOUR_S, "h")


def _two(whole: int, large_s: int, large: str, small_s: int, small: str) -> str:
    first, rest = divmod(whole, large_s)
    second = rest // small_s
    return f"{first} {large} {second} {small}" if second else f"{first} {large}"


def clock(seconds: float) -> str:
    """Return a second of a recording as a player shows it: 0:07, 21:40, 1:02:03."""
    whole = int(seconds)
    hours, rest = divmod(whole, _HOUR_S)
    minutes, second = divmod(rest, _MINUTE_S)
    return f"{hours}:{minutes:02}:{second:02}" if hours else f"{minutes}:{second:02}"


def share(value: float) -> str:
    """Return a share 0..1 in per cent without decimals; never 0 % or 100 % for what is not quite so."""
    percent = round(value * 100)
    if percent == 0 and value > 0:
        return "under 1 %"
    if percent == 100 and value < 1:
        return "over 99 %"
    return f"{percent} %"


def value(amount: float, unit: str) -> str:
    """Return a measured value in its unit."""
    match unit:
        case "s":
            return duration(amount)
        case "min":
            return duration(amount * 60)
        case "ratio":
            return share(amount)
        case _:
            said = number(amount)
            return f"{said} {unit.removesuffix('s') if said == '1' else unit}".strip()


def interval(low: float, high: float, unit: str) -> str:
    """Return the two ends of an interval in their unit."""
    return f"{value(low, unit)} to {value(high, unit)}"


def estimate(measure: Measure) -> str:
    """Return a measure's estimate; where there is none, from what to what it was observed."""
    if measure.estimate is not None:
        return value(measure.estimate, measure.unit)
    return observed_span(measure) if measure.observed else "not seen"


def observed_span(measure: Measure) -> str:
    """Return from what to what a measure was observed, where it has no estimate.

    Lower bounds are called so; what is only known to lie between two of our looks counts from the earlier one.
    """
    first = min(seen.value if seen.earliest is None else seen.earliest for seen in measure.observed)
    most = max(measure.observed, key=lambda seen: (seen.value, seen.censored))
    low, high = value(first, measure.unit), value(most.value, measure.unit)
    said = f"at least {high}" if most.censored else high
    return said if low == high else f"{low} to {said}"


def estimate_interval(measure: Measure) -> str:
    """Return the interval of a measure in words, or why there is none."""
    if measure.low is not None and measure.high is not None:
        return f"95 % interval {interval(measure.low, measure.high, measure.unit)}"
    return measure.why_not or ("no interval at this n" if measure.estimate is not None else "too few observations")


def interval_cell(measure: Measure) -> str:
    """Return the interval of a measure for a table whose head says what it is; that n is too small is said there."""
    if measure.low is not None and measure.high is not None:
        return interval(measure.low, measure.high, measure.unit)
    from audit.analysis.statistics import SMALLEST_N  # not needed for what is shown most often, and slow to load

    too_few = measure.kind is not MeasureKind.SHARE and measure.n < SMALLEST_N and bool(measure.observed)
    return "n too small" if too_few else estimate_interval(measure)


def counted(measure: Measure) -> str:
    """Return n with what stands beside it: lower bounds, readings unconfirmed, failures of ours, what was not run."""
    parts = [f"n = {count(measure.n)}"]
    if measure.n_censored:
        parts.append(f"{count(measure.n_censored)} still waiting when we stopped")
    if measure.n_by_machine:
        parts.append(f"{count(measure.n_by_machine)} read by machine, unconfirmed")
    if measure.n_ours:
        parts.append(f"{count(measure.n_ours)} failed on our side and left out")
    if measure.n_not_run:
        parts.append(f"{count(measure.n_not_run)} not run")
    return ", ".join(parts)


def zone(name: str) -> ZoneInfo:
    """Return a time zone by name; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(at: datetime, where: ZoneInfo) -> str:
    """Return a moment in a vendor's zone, with the zone's name: "Tue 3 Nov 2026, 14:05 CET"."""
    local = at.astimezone(where)
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {zone_name(local)}"


def moment_short(at: datetime, where: ZoneInfo) -> str:
    """Return a moment without year and zone, for a list that names the zone in its head: "Tue 3 Nov 14:05:09"."""
    local = at.astimezone(where)
    return f"{local:%a} {local.day} {local:%b %H:%M:%S}"


def day(at: datetime, where: ZoneInfo) -> str:
    """Return a day: "3 November 2026"."""
    local = at.astimezone(where)
    return f"{local.day} {local:%B %Y}"


def period(start: datetime, end: datetime | None, where: ZoneInfo) -> str:
    """Return from when to when, in days."""
    if end is None:
        return f"since {day(start, where)}, still running"
    first, last = day(start, where), day(end, where)
    return first if first == last else f"{first} to {last}"


def zone_name(local: datetime) -> str:
    """Return the short name of an aware moment's zone: CET, or UTC+03 where the zone has only a number."""
    name = local.tzname() or "UTC"
    return f"UTC{name}" if name[:1] in "+-" else name


def size(size_bytes: int) -> str:
    """Return a file's size."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= factor:
            return f"{number(size_bytes / factor)} {unit}"
    return f"{size_bytes} bytes"


def money(minor: float, currency: str | None) -> str:
    """Return an amount given in minor units."""
    return f"{minor / 100:,.2f} {currency or ''}".strip()


def channel(name: str | None) -> str:
    """Return a channel as a reader calls it."""
    words = {"phone_call": "phone", "web_ticket": "web portal", "email_ticket": "e-mail", "chat": "chat"}
    return "" if name is None else words.get(name, name.replace("_", " "))


def capital(text: str) -> str:
    """Return a text with its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def identifier(name: str) -> str:
    """Return an identifier as words: "given_up" becomes "given up"."""
    return name.replace("_", " ")


VERDICTS = {
    Verdict.CONFIRMED: "confirmed",
    Verdict.ANOMALY: "anomaly: seen, not yet certain",
    Verdict.NOT_ESTABLISHED: "not established",
    Verdict.OURS: "a failure of ours, not the vendor's",
}

DECISIONS = {
    Decision.SIGN: "Sign",
    Decision.SIGN_WITH_CONDITIONS: "Sign with conditions",
    Decision.DO_NOT_SIGN_YET: "Do not sign yet",
    Decision.NOT_ENOUGH_EVIDENCE: "Not enough evidence",
}

# A word and a shape beside each colour, so that the outcome reads without it.
OUTCOMES = {
    PromiseOutcome.KEPT: ("kept", "circle"),
    PromiseOutcome.LATE: ("late", "diamond"),
    PromiseOutcome.BROKEN: ("broken", "cross"),
    PromiseOutcome.WITHDRAWN: ("withdrawn", "bar"),
    PromiseOutcome.PENDING: ("pending", "ring"),
    PromiseOutcome.NOT_OBSERVED: ("not observed", "ring"),
}


def accounting(row: Accounting) -> str:
    """Return in one sentence what a vendor's numbers rest on."""
    text = f"{_many(row.cases, 'case')} with {_many(row.contacts, 'contact')}"
    beside = []
    if row.contacts_ours:
        beside.append(f"{_many(row.contacts_ours, 'contact')} failed on our side")
    if row.contacts_not_run:
        beside.append(f"{count(row.contacts_not_run)} not run")
    if row.refused:
        beside.append(f"{count(row.refused)} refused by our own limits")
    if row.retries:
        beside.append("1 was a retry" if row.retries == 1 else f"{count(row.retries)} were retries")
    if row.cases_censored:
        beside.append(f"{_many(row.cases_censored, 'case')} still open when the audit ended")
    return f"{text}; {', '.join(beside)}" if beside else text


_COUNTS = (
    ("cases planned", "cases_planned"),
    ("cases made", "cases"),
    ("cases closed", "cases_closed"),
    ("cases still open when the audit ended", "cases_censored"),
    ("cases that failed on our side", "cases_ours"),
    ("contacts", "contacts"),
    ("contacts that failed on our side", "contacts_ours"),
    ("contacts not run", "contacts_not_run"),
    ("acts refused by our own limits", "refused"),
    ("retries", "retries"),
    ("calls", "calls"),
)


def accounting_rows(rows: Sequence[Accounting]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what was counted, line by line, with one figure for each vendor."""
    lines = [(name, tuple(count(getattr(row, field)) for row in rows)) for name, field in _COUNTS]
    lines.append(("minutes on the telephone", tuple(number(row.call_minutes) for row in rows)))
    paid = tuple("none" if row.cost_minor is None else money(row.cost_minor, row.currency) for row in rows)
    return (*lines, ("paid to carriers", paid))


def _many(number_of: int, noun: str) -> str:
    return f"1 {noun}" if number_of == 1 else f"{count(number_of)} {noun}s"


ENDED_BY = {
    Side.OURS: "we hung up",
    Side.VENDOR: "the vendor's side hung up",
    Side.NETWORK: "the network ended it",
    Side.NOT_KNOWN: "who ended it is not known",
}


def call(record: CallRecord) -> str:
    """Return the clocks of a call in one line."""
    parts = [f"Lasted {duration(record.duration_s)}"] if record.duration_s is not None else ["Length not known"]
    if record.to_human_s is not None:
        parts.append(f"a person after {duration(record.to_human_s)}")
    elif record.waited_s is not None:
        parts.append(f"no person reached in {duration(record.waited_s)}")
    if record.hold_s:
        parts.append(f"{duration(record.hold_s)} on hold")
    if record.talk_s:
        parts.append(f"{duration(record.talk_s)} of talk")
    ended = ENDED_BY[record.ended_by]
    signs = f" ({'; '.join(plain(reason, 80) for reason in record.ended_reasons)})" if record.ended_reasons else ""
    phase = f" during {identifier(record.phase_at_end)}" if record.phase_at_end else ""
    return f"{', '.join(parts)}. {ended[0].upper()}{ended[1:]}{phase}{signs}."

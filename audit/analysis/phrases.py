"""How numbers are put into words: the one place that decides on digits, units and plurals."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_DOUBLE_STOP = re.compile(r"([.!?…]”)\.")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth"}


def length(seconds: float) -> str:
    """Return a length of time in the two largest units that matter: "48 s", "21 min 40 s", "3 days 2 h"."""
    if seconds < 0:
        return f"−{length(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    if seconds < 3600 - 0.5:
        return _two(round(seconds), 60, "min", "s")
    if seconds < 2 * 86400 - 30:
        return _two(round(seconds / 60), 60, "h", "min")
    return _two(round(seconds / 3600), 24, "days", "h")


def _two(total: int, per: int, large: str, small: str) -> str:
    whole, rest = divmod(total, per)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def is_coarse(seen_s: float, absent_s: float) -> bool:
    """Return whether the look before was so long before the sight that the sight alone does not tell the moment.

    Args:
        seen_s: seconds from the start until something was seen.
        absent_s: seconds from the start until the last look that did not show it; 0 if there was none.
    """
    return seen_s - absent_s > max(60.0, 0.02 * seen_s)


def arrival(seen_s: float, absent_s: float, claimed_s: float | None, after: str = "") -> str:
    """Return when something came, with what is known of its moment: our sight, our look before, the vendor's word.

    The vendor's word is given only where it lies between the two looks. `after` follows the length (" after …").
    """
    if not is_coarse(seen_s, absent_s):
        return length(seen_s) + after
    known = [f"not there yet after {length(absent_s)}" if absent_s > 0 else "it stood there at our first look"]
    if claimed_s is not None and absent_s <= claimed_s <= seen_s:
        known.append(f"{length(claimed_s)} by the vendor's clock")
    return f"at most {length(seen_s)}{after} ({', '.join(known)})"


def count(n: int, one: str, many: str | None = None) -> str:
    """Return "1 call", "3 calls"."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def times(n: int) -> str:
    """Return "once", "twice", "3 times"."""
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


def ordinal(n: int) -> str:
    """Return "first", "second", … "7th"."""
    return _ORDINALS.get(n, f"{n}th")


def share(part: int, whole: int) -> str:
    """Return "7 of 12 (58 %)"."""
    return f"{part} of {whole} ({percent(part / whole)})" if whole else "0 of 0"


def percent(ratio: float) -> str:
    """Return a ratio of 0..1 as whole percent, never rounding to 0 % or 100 % what is neither."""
    whole = round(ratio * 100)
    if whole == 100 and ratio < 1:
        return "over 99 %"
    if whole == 0 and ratio > 0:
        return "under 1 %"
    return f"{whole} %"


def number(value: float) -> str:
    """Return a number with at most three digits that matter."""
    if abs(value) >= 100 or value == int(value):
        text = f"{value:.0f}"
    else:
        text = (f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}").rstrip("0").rstrip(".")
    return text.replace("-", "−")


def money(amount: float, currency: str) -> str:
    """Return an amount in major units: "1,240 GBP", "9.50 GBP"."""
    return f"{amount:,.0f} {currency}" if abs(amount) >= 100 else f"{amount:.2f} {currency}"


def with_unit(value: float, unit: str) -> str:
    """Return a value as printed for its unit: seconds as a length, ratios as percent, others with the unit's name."""
    if unit == "s":
        return length(value)
    if unit == "ratio":
        return percent(value)
    if unit in ("", "times"):
        return number(value)
    if unit == "LU":  # nobody hears a hundredth
        return f"{number(round(value, 1))} {unit}"
    if unit == "points":
        return f"{number(round(value))} points"
    shown = number(value)
    return f"{shown} {unit.removesuffix('s') if shown in ('1', '−1') and unit.islower() else unit}"


def signed(value: float, unit: str) -> str:
    """Return a change as printed for its unit: "+2 h 10 min", "−12 points"."""
    return f"{'+' if value > 0 else ''}{with_unit(value, unit)}"


def moment(at_utc: datetime, zone: str) -> str:
    """Return a moment on the vendor's wall clock: "Thu 5 Mar 2026, 10:00 CET"."""
    local = at_utc.astimezone(ZoneInfo(zone))
    return (
        f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}, "
        f"{local.hour:02d}:{local.minute:02d} {local.tzname()}"
    )


def quote(text: str, longest: int = 160) -> str:
    """Return words of the vendor or ours in quotation marks, on one line, shortened in the middle of nothing."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[: longest - 1].rsplit(" ", 1)[0] + " …"
    return f"“{line}”"


def stopped(sentence: str) -> str:
    """Return a sentence without a second full stop after quoted words that end with their own."""
    return _DOUBLE_STOP.sub(r"\1", sentence) if "”." in sentence else sentence


def listed(words: list[str]) -> str:
    """Return "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""

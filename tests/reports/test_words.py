"""Numbers, moments and other people's text in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from audit.analysis.model.measures import Observed
from reports import words
from tests.reports.samples import Store, departure


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (4.23, "4.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (1300, "21 min 40 s"),
        (3599.7, "1 h"),
        (19200, "5 h 20 min"),
        (86399, "1 day"),
        (86400 * 3 + 4 * 3600, "3 days 4 h"),
        (-90, "−1 min 30 s"),
    ],
)
def test_durations_carry_over_and_use_two_units(seconds: float, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.0, "0 %"), (0.002, "under 1 %"), (0.334, "33 %"), (0.997, "over 99 %"), (1.0, "100 %")]
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, said: str) -> None:
    assert words.share(share) == said


def test_what_was_seen_a_few_times_is_told_as_a_span_with_its_bounds() -> None:
    base = departure(Store()).measures[0]
    (seen,) = base.observed

    def span(*observed: Observed) -> str:
        return words.observed_span(replace(base, observed=observed, n=len(observed)))

    between = replace(seen, value=22500.0, earliest=17220.0)
    waiting = replace(seen, value=90000.0, censored=True)
    assert span(replace(seen, value=60.0)) == "1 min"
    assert span(between) == "4 h 47 min to 6 h 15 min"
    assert span(waiting) == "at least 1 day 1 h"
    assert span(between, waiting) == "4 h 47 min to at least 1 day 1 h"


def test_a_moment_is_told_in_the_vendors_zone_with_its_name() -> None:
    at = datetime(2026, 7, 3, 22, 5, tzinfo=UTC)
    assert words.moment(at, words.zone("Europe/Berlin")) == "Sat 4 Jul 2026, 00:05 CEST"
    assert words.moment(at, words.zone("America/Sao_Paulo")).endswith("19:05 UTC-03")
    assert words.moment(at, words.zone("No/Such")).endswith("22:05 UTC")


def test_hidden_and_control_signs_are_shown() -> None:
    assert words.plain("pay\u202egpj.exe\x00") == "pay[U+202E]gpj.exe\ufffd"
    assert words.plain("a\u200bb") == "a[U+200B]b"


def test_a_long_text_is_cut_and_says_so() -> None:
    cut = words.plain("word " * 20_000, 300)
    assert len(cut) < 400
    assert cut.endswith("… (cut here; the whole text has 100,000 characters)")

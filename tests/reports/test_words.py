"""Numbers, moments and other people's text in words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reports import words


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

"""Who ended a call: every order of evidence, and what stays not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from probes.errors import FailureKind, Side
from probes.events import Doubt
from probes.telephony.carrier import AudioEnd
from probes.telephony.ending import AudioSignals, EndSignals, who_ended
from probes.telephony.lasting import Lasting

END = datetime(2026, 11, 22, 10, 2, 8, tzinfo=UTC)


def signals(**changes: Any) -> EndSignals:
    """Return an answered call of 120 s, a quarter of an hour before every limit of ours."""
    standard: dict[str, Any] = {
        "failure": None, "rang_s": None, "ring_at_most_s": 60.0, "script_fault": None, "hang_up_asked_at_utc": None,
        "ended_at_utc": END, "duration_s": 120.0, "error_s": 1.0, "script": Lasting(1020.0, 1021.0),
        "longest_s": 1800.0, "bye_from": None, "bye_source": None, "code": None,
    }  # fmt: skip
    return EndSignals(**{**standard, **changes})


def before(seconds: float) -> datetime:
    return END - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("changes", "side", "word"),
    [
        ({}, Side.NOT_KNOWN, "only polling ran"),
        ({}, Side.NOT_KNOWN, "we did not ask for a hang-up"),
        ({}, Side.NOT_KNOWN, "900 s before our script's hang-up"),
        ({}, Side.NOT_KNOWN, "1680 s before our time limit"),
        # 1. our own request, recorded before the end
        ({"hang_up_asked_at_utc": before(3)}, Side.OURS, "3 s before the end"),
        ({"hang_up_asked_at_utc": before(3), "bye_from": Side.VENDOR}, Side.OURS, "3 s before the end"),
        ({"hang_up_asked_at_utc": before(0.5)}, Side.NOT_KNOWN, "too close to tell"),
        ({"hang_up_asked_at_utc": before(0.5), "bye_from": Side.VENDOR}, Side.VENDOR, "too close to tell"),
        ({"hang_up_asked_at_utc": before(-9)}, Side.NOT_KNOWN, "9 s after the end"),
        ({"hang_up_asked_at_utc": before(3), "ended_at_utc": None}, Side.OURS, "no moment of the end"),
        ({"script_fault": "error 12100", "bye_from": Side.VENDOR}, Side.OURS, "error 12100"),
        # 2. the goodbye that the carrier saw
        ({"bye_from": Side.VENDOR, "bye_source": "the summary"}, Side.VENDOR, "the summary says that the called side"),
        ({"bye_from": Side.OURS, "code": "200"}, Side.OURS, "last SIP code 200"),
        ({"bye_from": Side.VENDOR, "duration_s": 1800.0}, Side.VENDOR, "called side"),
        # 3. our time limit, 4. our script's end
        ({"duration_s": 1800.0}, Side.OURS, "as long as our time limit"),
        ({"duration_s": 1799.0}, Side.OURS, "as long as our time limit"),
        ({"duration_s": 1020.0}, Side.OURS, "exactly as long as our script"),
        ({"duration_s": 1022.0}, Side.OURS, "exactly as long as our script"),
        ({"duration_s": 1018.0}, Side.NOT_KNOWN, "2 s before our script's hang-up"),
        ({"duration_s": 1100.0}, Side.NOT_KNOWN, "79 s after our script's hang-up was due"),
        ({"duration_s": 1040.0, "script": Lasting(1020.0, 1060.0)}, Side.NOT_KNOWN, "may have been its hang-up"),
        ({"duration_s": None}, Side.NOT_KNOWN, "only polling ran"),
        # never answered
        ({"failure": FailureKind.BUSY, "code": "486"}, Side.VENDOR, "SIP code 486"),
        ({"failure": FailureKind.NO_ANSWER}, Side.OURS, "within the 60 s that we allow"),
        ({"failure": FailureKind.NO_ANSWER, "rang_s": 61.0}, Side.OURS, "within the 60 s that we allow"),
        ({"failure": FailureKind.NO_ANSWER, "rang_s": 20.0}, Side.NOT_KNOWN, "40 s before the time that we allow"),
        ({"failure": FailureKind.STOPPED}, Side.OURS, "cancelled"),
        ({"failure": FailureKind.NUMBER_UNREACHABLE}, Side.NOT_KNOWN, "not put through"),
    ],
)
def test_the_conclusion_and_its_reasons(changes: dict[str, Any], side: Side, word: str) -> None:
    concluded, reasons, _ = who_ended(signals(**changes))
    assert concluded is side
    assert any(word in reason for reason in reasons), reasons


def audio(**changes: Any) -> AudioSignals:
    """Return a live call whose audio ended by itself, in order, on a good line."""
    standard: dict[str, Any] = {"ended_by_itself": True, "end": AudioEnd.IN_ORDER, "quiet_s": 0.0, "at_limit": False}
    return AudioSignals(**{**standard, **changes})


@pytest.mark.parametrize(
    ("heard", "changes", "side", "doubt", "word"),
    [
        ({"ended_by_itself": False}, {"hang_up_asked_at_utc": before(0.1)}, Side.OURS, Doubt.NONE, "still coming"),
        (
            {"ended_by_itself": False},
            {"hang_up_asked_at_utc": before(0.1), "bye_from": Side.VENDOR},
            Side.VENDOR,
            Doubt.NONE,
            "when the vendor was hanging up",
        ),
        (
            {"ended_by_itself": False},
            {"hang_up_asked_at_utc": before(3), "bye_from": Side.VENDOR},
            Side.OURS,
            Doubt.NONE,
            "still coming",
        ),
        ({}, {"hang_up_asked_at_utc": before(-0.1)}, Side.NOT_KNOWN, Doubt.SOME, "before we asked"),
        ({}, {"bye_from": Side.VENDOR}, Side.VENDOR, Doubt.NONE, "called side"),
        ({"quiet_s": 9.0}, {"bye_from": Side.VENDOR}, Side.VENDOR, Doubt.SOME, "accident of the line"),
        ({"loss_ratio": 0.4}, {"bye_from": Side.VENDOR}, Side.VENDOR, Doubt.SOME, "40% of the vendor's audio"),
        ({"loss_ratio": 0.4}, {}, Side.NETWORK, Doubt.SOME, "nobody's goodbye"),
        ({"line_faults": ("silence",)}, {}, Side.NETWORK, Doubt.SOME, "wanting: silence"),
        ({"line_faults": ("rtp lost",)}, {"bye_from": Side.NETWORK}, Side.NETWORK, Doubt.NONE, "rtp lost"),
        ({"end": AudioEnd.BROKEN}, {"hang_up_asked_at_utc": before(2)}, Side.OURS, Doubt.SOME, "on its way to us"),
        ({"end": AudioEnd.BROKEN}, {"bye_from": Side.VENDOR}, Side.VENDOR, Doubt.NONE, "called side"),
        ({"at_limit": True}, {}, Side.OURS, Doubt.NONE, "our time limit"),
        ({}, {"duration_s": 1020.0}, Side.NOT_KNOWN, Doubt.SOME, "does not say who"),  # no script ran by the clock
    ],
)
def test_what_a_live_calls_audio_adds(
    heard: dict[str, Any], changes: dict[str, Any], side: Side, doubt: Doubt, word: str
) -> None:
    concluded = who_ended(signals(audio=audio(**heard), **changes))
    assert (concluded.by, concluded.doubt) == (side, doubt)
    assert any(word in reason for reason in concluded.reasons), concluded.reasons

"""Who ended a call: every order of evidence, and what stays not known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from probes.errors import FailureKind, Side
from probes.telephony.ending import EndSignals, who_ended
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
    concluded, reasons = who_ended(signals(**changes))
    assert concluded is side
    assert any(word in reason for reason in reasons), reasons

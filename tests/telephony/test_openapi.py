"""The judge itself: it must condemn what the provider would not take."""

from __future__ import annotations

import pytest

from tests.telephony import provider as p
from tests.telephony.openapi import Exchange, faults

GOOD = "To=%2B442079460100&From=%2B442079460200&Twiml=x&Timeout=30&Record=true&RecordingTrack=both"


def asked(form: str = "", *, method: str = "POST", path: str = p.CALLS, query: str = "") -> list[Exchange]:
    return [Exchange(method, path, query, form, "Basic eDp5", 201, b"{}")]


def test_a_good_request_passes() -> None:
    assert faults(asked(GOOD)) == []


@pytest.mark.parametrize(
    ("exchanges", "word"),
    [
        (asked(GOOD.replace("To=", "Too=")), "'To' is a required property"),
        (asked(GOOD.replace("Timeout=30", "Timeout=soon")), "integer"),
        (asked(GOOD + "&RingTimeout=3"), "unknown form field RingTimeout"),
        (asked(GOOD + "&Trim="), "empty form field Trim"),
        (asked(GOOD + "&StatusCallbackMethod=BREW"), "BREW"),
        (asked(method="GET", query="Number=1"), "unknown query parameter Number"),
        (asked(method="GET", path=p.ONE_CALL.replace("CA0", "XX0")), "XX0"),
        (asked(method="DELETE", path=p.CALLS), "no such operation"),
        ([Exchange("GET", p.CALLS, "", "", None, 200, b"{}")], "Security"),
    ],
)
def test_what_the_provider_would_not_take_is_named(exchanges: list[Exchange], word: str) -> None:
    assert any(word in fault for fault in faults(exchanges)), faults(exchanges)

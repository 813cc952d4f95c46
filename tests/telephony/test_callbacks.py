"""Status callbacks: signed ones are read, all others refused, and the order is the provider's."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from probes.telephony.callbacks import CallbackReader, NotTheProviders, in_order
from probes.telephony.carrier import CallState

PUBLIC, ACCOUNT, TOKEN = "https://audit.example.com/hooks", "AC" + "1" * 32, "made-up-token"
PATH = "/call/7?attempt=1"


def form(**changes: str) -> dict[str, str]:
    return {
        "AccountSid": ACCOUNT, "CallSid": "CA" + "2" * 32, "CallStatus": "ringing", "SequenceNumber": "1",
        "Timestamp": "Sun, 22 Nov 2026 10:00:03 +0000", "From": "+442079460200", "To": "+442079460100",
    } | changes  # fmt: skip


def signed(fields: dict[str, str], url: str = PUBLIC + PATH, token: str = TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, fields))


def reader() -> CallbackReader:
    return CallbackReader(PUBLIC + "/", ACCOUNT, TOKEN)


def test_a_signed_callback_is_read() -> None:
    seen = reader().status(PATH, form(), signed(form()))
    assert (seen.order, seen.state, seen.status) == (1, CallState.RINGING, "ringing")
    assert seen.at_utc == datetime(2026, 11, 22, 10, 0, 3, tzinfo=UTC)
    assert (seen.duration_s, seen.sip_code) == (None, None)
    over = form(CallStatus="completed", SequenceNumber="3", CallDuration="17", SipResponseCode="200")
    seen = reader().status(PATH, over, signed(over))
    assert (seen.state, seen.duration_s, seen.sip_code) == (CallState.ENDED, 17.0, "200")


@pytest.mark.parametrize(
    ("path", "fields", "signature"),
    [
        (PATH, form(), None),
        (PATH, form(), ""),
        (PATH, form(), "bm90IGEgc2lnbmF0dXJl"),
        (PATH, form(), signed(form(), token="another-token")),
        (PATH, form(), signed(form(), url=PUBLIC.replace("https", "http") + PATH)),
        (PATH, form(), signed(form(), url=PUBLIC + "/call/8?attempt=1")),
        (PATH, form(CallStatus="completed"), signed(form())),
        (PATH, form(AccountSid="AC" + "9" * 32), signed(form(AccountSid="AC" + "9" * 32))),
    ],
    ids=["none", "empty", "nonsense", "other key", "other scheme", "other path", "changed", "other account"],
)
def test_what_the_provider_did_not_sign_for_us_is_refused(path: str, fields: Any, signature: str | None) -> None:
    with pytest.raises(NotTheProviders):
        reader().status(path, fields, signature)


@pytest.mark.parametrize("changes", [{"CallStatus": "levitating"}, {"CallSid": ""}, {"SequenceNumber": "one"}])
def test_a_signed_callback_in_another_form_is_a_fault(changes: dict[str, str]) -> None:
    fields = form(**changes)
    with pytest.raises(ValueError, match=r".+"):
        reader().status(PATH, fields, signed(fields))


def test_late_doubled_and_swapped_callbacks_tell_the_same_story() -> None:
    steps = []
    for order, status in enumerate(("initiated", "ringing", "in-progress", "completed")):
        fields = form(CallStatus=status, SequenceNumber=str(order))
        steps.append(reader().status(PATH, fields, signed(fields)))
    for shuffled in permutations(steps):
        assert in_order((*shuffled, shuffled[0])) == tuple(steps)
    assert in_order((steps[3], steps[1])) == (steps[1], steps[3])

"""`holdproof run` with a public address: what the carrier calls back with is acted on at once, not at the next look."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from twilio.request_validator import RequestValidator

from tests.telephony.live_kit import free_port
from tests.telephony.provider import (
    ACCOUNT,
    CALL,
    CALLS,
    ITS_NOTIFICATIONS,
    ITS_RECORDINGS,
    ONE_CALL,
    TOKEN,
    Answer,
    Provider,
    call,
    error,
    page,
    running,
)

pytestmark = pytest.mark.slow

PLAN = """
holdproof: 1
name: A call that is called back
authorisation: { basis: own_system, by: "The person who runs this machine", until: 2027-12-31 }
vendors:
  - id: kestrel
    name: Kestrel Cloud
    place: GB
    time_zone: Europe/London
    channels:
      phone:
        kind: phone_call
        number: "+442079460100"
        caller_id: "+442079460200"
        record: never
        price_per_minute: 0.02
        currency: USD
        call_at_most: 3 min
        scripts: { main: [ { listen: 1 min } ] }
personas:
  - { id: jo, name: Jo Lindgren, email: jo.lindgren@customer.example }
scenarios:
  - id: backups
    problem: { subject: Backups stopped, body: "The backups stopped. {reference}" }
    steps: [ { call: { channel: phone, script: main } } ]
samples: [ { scenario: backups } ]
limits: { audit_at_most: 2 h, calls: 1, call_minutes: 30, money: { amount: 10, currency: USD } }
"""


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as server:
        yield server


def until(happens: Callable[[], Any], patience_s: float) -> bool:
    end_s = time.monotonic() + patience_s
    while time.monotonic() < end_s:
        if happens():
            return True
        time.sleep(0.05)
    return False


def test_a_callback_wakes_the_case_that_would_have_slept_on(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    port = free_port()
    environment = {
        **os.environ,
        "HOLDPROOF_TWILIO_ACCOUNT_SID": ACCOUNT,
        "HOLDPROOF_TWILIO_AUTH_TOKEN": TOKEN,
        "HOLDPROOF_TWILIO_BASE_URL": provider.url,
    }
    # The first look fails, after which the call is left alone for half a minute.
    provider.answers |= {f"POST {CALLS}": Answer(201, call("queued")), f"GET {ONE_CALL}": error(404, 20404)}
    command = [sys.executable, "-m", "audit.cli", "run", str(tmp_path / "plan.yaml"), "--home", str(tmp_path / "home")]
    command += ["--public-url", f"http://127.0.0.1:{port}/hooks", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert until(lambda: provider.count("GET", ONE_CALL), 60), "the call is looked at"
        time.sleep(1.0)  # so that the look is stored
        provider.answers |= {
            f"GET {ONE_CALL}": Answer(200, call("completed", price="-0.02")),
            f"GET {ITS_RECORDINGS}": Answer(200, page("recordings")),
            f"GET {ITS_NOTIFICATIONS}": Answer(200, page("notifications")),
        }
        url = provider.form()["StatusCallback"][0]
        assert url.startswith(f"http://127.0.0.1:{port}/hooks/")
        form = {"AccountSid": ACCOUNT, "CallSid": CALL, "CallStatus": "completed", "SequenceNumber": "3"}
        assert httpx.post(url, data=form).status_code == 403
        signed = {"X-Twilio-Signature": RequestValidator(TOKEN).compute_signature(url, form)}
        assert httpx.post(url, data=form, headers=signed).status_code == 204
        assert until(lambda: provider.count("GET", ONE_CALL) > 1, 15), "it is looked at again"
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
    assert provider.count("POST", CALLS) == 1

"""A plan with a live call, run as a user runs it and killed in the middle: the call is found, ended, accounted for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit.ledger.store import Ledger
from audit.model import EffectState
from probes.clock import Clock
from probes.errors import Side
from probes.events import (
    CallDialled,
    CallEnded,
    CallRecorded,
    CarrierCharged,
    ContactEnded,
    ContactOutcome,
    DigitsSent,
    ScriptStepEnded,
)
from probes.practice.vendor import PracticeVendor, in_background
from tests.telephony.live_kit import free_port

pytestmark = pytest.mark.slow

FACTOR, CUSTOMER = 4.0, "90210456"
PLAN = """
holdproof: 1
name: A live call
authorisation: {{ basis: practice, by: "The person who runs this machine", until: 2099-12-31 }}
clock: {{ factor: {factor}, origin_utc: "{origin}" }}
vendors:
  - id: kestrel
    name: Kestrel Cloud
    place: GB
    time_zone: Europe/London
    channels:
      phone:
        kind: phone_call
        number: "{number}"
        caller_id: "{caller}"
        record: always
        price_per_minute: 0.05
        currency: USD
        call_at_most: 40 min
        scripts:
          main:
            - wait_for: prompt
            - press: "2"
            - wait_for: prompt
            - enter: "${{env:CUSTOMER}}#"
            - {{ wait_for: hold, as: queue }}
            - {{ wait_for: human, as: agent }}
personas:
  - {{ id: jo, name: Jo Lindgren, email: jo.lindgren@customer.example }}
scenarios:
  - id: backups
    problem: {{ subject: Backups stopped, body: "The backups stopped. {{reference}}" }}
    steps:
      - call: {{ channel: phone, script: main }}
samples:
  - {{ scenario: backups }}
limits: {{ audit_at_most: 2 days, calls: 2, calls_per_day: 2, call_minutes: 80 }}
"""


def started(vendor: PracticeVendor, folder: Path) -> subprocess.Popen[str]:
    """Run the plan in a process of its own, which has a public address of its own on this machine."""
    port = free_port()
    environment = {
        **os.environ,
        "HOLDPROOF_TWILIO_ACCOUNT_SID": vendor.exchange.account.sid,
        "HOLDPROOF_TWILIO_AUTH_TOKEN": vendor.exchange.account.token,
        "HOLDPROOF_TWILIO_BASE_URL": vendor.addresses.exchange,
        "HOLDPROOF_TWILIO_INSIGHTS_BASE_URL": vendor.addresses.insights,
        "CUSTOMER": CUSTOMER,
    }
    command = [
        sys.executable, "-m", "audit.cli", "run", str(folder / "plan.yaml"), "--home", str(folder / "home"),
        "--public-url", f"http://127.0.0.1:{port}", "--listen", f"127.0.0.1:{port}",
    ]  # fmt: skip
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def seen(folder: Path, kind: type[Any]) -> list[Any]:
    if not (folder / "home" / "ledger.sqlite").exists():
        return []
    ledger = Ledger.in_folder(folder / "home")
    try:
        return [e.what for row in ledger.audits() for e in ledger.events(row.audit) if isinstance(e.what, kind)]
    finally:
        ledger.close()


def test_a_call_that_is_cut_short_by_a_kill_is_ended_and_never_dialled_again(tmp_path: Path) -> None:
    clock = Clock(FACTOR, datetime.now(UTC))
    with in_background(tmp_path / "practice", clock) as vendor:
        values = {"factor": FACTOR, "origin": clock.origin_utc.isoformat(), "caller": vendor.addresses.caller_id}
        text = PLAN.format(number=vendor.number_of("everyday"), **values)
        (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
        with started(vendor, tmp_path) as first:
            until_s = time.monotonic() + 120
            while not any(step.name == "queue" for step in seen(tmp_path, ScriptStepEnded)):
                assert first.poll() is None, seen(tmp_path, ScriptStepEnded)
                assert time.monotonic() < until_s
                time.sleep(0.2)
            first.send_signal(signal.SIGKILL)
        assert list(vendor.truth.read("call_ended")) == []
        with started(vendor, tmp_path) as second:
            _, errors = second.communicate(timeout=400)
        assert second.returncode == 0, errors
        assert len(list(vendor.truth.read("call_placed"))) == 1
        (over,) = vendor.truth.read("call_ended")
        assert over["by"] == "caller"
    assert len(seen(tmp_path, CallDialled)) == 1
    (ended,) = seen(tmp_path, CallEnded)
    assert ended.by is Side.OURS
    (contact,) = seen(tmp_path, ContactEnded)
    assert contact.outcome is ContactOutcome.DONE
    assert contact.failure.side is Side.OURS
    assert "nobody acted on the call any more" in contact.failure.text
    # What was done before is known, from the recording of the carrier, and the number stays unknown.
    assert [one.count for one in seen(tmp_path, DigitsSent)] == [1, 9]
    assert len(seen(tmp_path, CallRecorded)) == 1
    ledger = Ledger.in_folder(tmp_path / "home")
    (row,) = ledger.audits()
    (effect,) = ledger.effects(row.audit)
    ledger.close()
    assert effect.state is EffectState.DONE
    assert len(seen(tmp_path, CarrierCharged)) == 1
    kept = b"".join(path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file())
    assert CUSTOMER.encode() not in kept

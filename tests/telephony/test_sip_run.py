"""A plan with a call over SIP, run as a user runs it, against a call centre: what was measured and what happened."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.telephony.sip_kit import far_end

pytestmark = pytest.mark.slow

NUMBER, CUSTOMER = "+442079460100", "90514"
CENTRE = """
  start:
    - menu: {prompt: "For sales, press 1. For help with a ticket, press 2.", options: {"2": support}, otherwise: bye}
  bye:
    - hang_up: no choice
  support:
    - identify: {prompt: "Please enter your customer number.", digits: 5, otherwise: bye}
    - queue: {wait: 9 s, hears: {music: harbour}}
    - agent: {id: A-01, voice: arthur, greeting: "Hello, this is Paul speaking. How can I help you?"}
    - hang_up: the line was ended
"""
PLAN = """
holdproof: 1
name: A call over SIP
authorisation: { basis: own_system, by: "The person who runs this machine", until: 2027-12-31 }
vendors:
  - id: kestrel
    name: Kestrel Cloud
    place: GB
    time_zone: Europe/London
    channels:
      phone:
        kind: phone_call
        carrier: sip
        number: "+442079460100"
        caller_id: "+442079460200"
        record: always
        price_per_minute: 0.02
        currency: GBP
        call_at_most: 3 min
        scripts:
          main:
            - { wait_for: prompt, as: menu }
            - press: "2"
            - { wait_for: prompt, as: identification }
            - enter: "${env:CUSTOMER}"
            - { wait_for: hold, as: queue }
            - listen: 1 min
personas:
  - { id: jo, name: Jo Lindgren, email: jo.lindgren@customer.example }
scenarios:
  - id: backups
    problem: { subject: Backups stopped, body: "The backups stopped. {reference}" }
    steps:
      - call: { channel: phone, script: main }
samples:
  - { scenario: backups }
limits: { audit_at_most: 2 h, calls: 1, call_minutes: 30, money: { amount: 10, currency: GBP } }
"""


def test_a_plan_with_a_call_over_sip_runs_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    home = tmp_path / "home"
    with far_end(tmp_path / "far", {NUMBER: [{"centre": CENTRE}]}) as far:
        environment = {**os.environ, "HOLDPROOF_SIP_SERVER": far.server, "CUSTOMER": CUSTOMER}
        command = [sys.executable, "-m", "audit.cli", "run", str(tmp_path / "plan.yaml"), "--home", str(home)]
        told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250)
        assert told.returncode == 0, told.stderr
        did = {line["what"]: line for line in far.did(NUMBER)}
        keys = [line["key"] for line in far.did(NUMBER, "key")]
    assert keys == ["2", *CUSTOMER]
    seen = events(home)
    assert [(one["digits"], one["count"]) for one in seen["digits_sent"]] == [("2", 1), (None, 5)]
    steps = {one["name"]: one["outcome"] for one in seen["script_step_ended"] if one["name"]}
    assert steps["queue"] == "hold"
    (heard,) = seen["call_heard"]
    (hold,) = heard["timeline"]["holds"]
    assert hold["start_s"] == pytest.approx(did["hold_started"]["t_s"], abs=1.5)
    assert hold["end_s"] == pytest.approx(did["hold_ended"]["t_s"], abs=2.5)
    (ended,) = seen["call_ended"]
    assert ended["by"] == "vendor"
    assert ended["duration_s"] == pytest.approx(did["closed"]["at"] - did["answered"]["at"], abs=0.5)
    (record,) = seen["carrier_record"]
    assert record["resource"] == "sip"
    everything = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert CUSTOMER.encode() not in everything


def events(home: Path) -> dict[str, list[dict[str, Any]]]:
    with sqlite3.connect(home / "ledger.sqlite") as database:
        rows = database.execute("SELECT kind, record FROM events ORDER BY seq").fetchall()
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, record in rows:
        found.setdefault(kind, []).append(json.loads(record)["what"])
    return found

"""The practice vendor as a whole: what it tells the product, and the real telephone probe on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from audit.plan.reader import read_plan
from probes.errors import UserError
from probes.practice.vendor import PracticeVendor
from tests.practice.conftest import client_of
from tests.practice.test_call import ended, place

pytestmark = pytest.mark.slow
Start = Callable[..., PracticeVendor]


def test_the_plan_that_it_writes_is_one_that_the_product_takes(start: Start, tmp_path: Path) -> None:
    vendor = start(factor=2000.0)
    vendor.write_plan(tmp_path / "plan.yaml")
    plan = read_plan(tmp_path / "plan.yaml").plan
    assert plan.clock.factor == 2000.0
    assert plan.clock.origin_utc == vendor.clock.origin_utc
    channels = plan.vendors[0].channels
    assert (channels["portal"].url, channels["phone"].number) == (vendor.addresses.portal, vendor.addresses.phone)


def test_the_plan_of_its_chat_stands_beside_the_other(start: Start, tmp_path: Path) -> None:
    vendor = start(factor=600.0)
    vendor.write_plans(tmp_path / "plan.yaml")
    plan = read_plan(tmp_path / "chat-plan.yaml").plan
    assert plan.vendors[0].channels["chat"].url == vendor.addresses.chat


def test_the_portal_and_the_telephone_keep_one_truth_by_one_clock(start: Start) -> None:
    vendor = start(factor=1000.0)
    assert vendor.addresses.portal is not None
    form = {"name": "Ada", "email": "ada@customer.example", "subject": "Backups", "description": "They stopped."}
    answer = httpx.post(f"{vendor.addresses.portal}/new", data=form, follow_redirects=True)
    assert "KC-20417" in answer.text
    client = client_of(vendor)
    ended(client, place(client, vendor, "busy", "<Response/>").sid)
    opened, called = (next(vendor.truth.read(kind)).at_utc for kind in ("portal_ticket_opened", "call_placed"))
    assert vendor.clock.origin_utc < opened < called < vendor.clock.now_utc()


def test_a_character_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    from probes.clock import Clock

    with pytest.raises(UserError) as caught:
        PracticeVendor(tmp_path, Clock(), character="nobody")
    assert "everyday" in caught.value.fix


def test_the_runaround_is_three_calls_that_lead_nowhere(start: Start, tmp_path: Path) -> None:
    vendor = start(factor=3000.0, character="runaround")
    vendor.write_plan(tmp_path / "plan.yaml")
    read_plan(tmp_path / "plan.yaml")
    client = client_of(vendor)
    for wait_s, text, listen_s in ((38, "It does not work.", 1440), (37, "No hold please.", 300), (38, "Again!", 300)):
        twiml = (
            f'<Response><Pause length="8"/><Play digits="40718263"/><Pause length="{wait_s}"/><Say>{text}</Say>'
            f'<Pause length="{listen_s}"/></Response>'
        )
        ended(client, place(client, vendor, "runaround", twiml).sid)
    why = [(fact["by"], fact["why"]) for fact in vendor.truth.read("hung_up")]
    assert why == [
        ("caller", "end of document"),
        ("vendor", "the line went dead"),
        ("vendor", "the agent said goodbye"),
    ]
    assert len(list(vendor.truth.read("identified"))) == 3
    [hold] = [fact for fact in vendor.truth.read("hold_started") if fact["hold"] == "hold"]
    over = next(vendor.truth.read("hung_up"))
    assert hold["asked"] is False
    assert over["t_s"] - hold["t_s"] > 20 * 60


def test_a_character_without_a_telephone_or_a_portal_has_what_it_has(start: Start, tmp_path: Path) -> None:
    assert start(character="busy").addresses.portal is None
    mute = start(character="unanswered")
    assert (mute.addresses.phone, mute.addresses.portal is None) == (None, False)
    with pytest.raises(UserError, match="has no plan"):
        mute.write_plan(tmp_path / "plan.yaml")


def test_settings_lead_the_product_here(start: Start) -> None:
    vendor = start()
    settings = vendor.settings()
    assert settings["HOLDPROOF_TWILIO_BASE_URL"].startswith("http://127.0.0.1:")
    assert settings["HOLDPROOF_TWILIO_BASE_URL"] != settings["HOLDPROOF_TWILIO_INSIGHTS_BASE_URL"]
    assert len(settings["HOLDPROOF_TWILIO_ACCOUNT_SID"]) == 34


def test_it_serves_until_it_is_interrupted(tmp_path: Path, voice_home: Path) -> None:
    code = (
        "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from probes.clock import Clock; from probes.practice.vendor import serve\n"
        "def ready(vendor):\n"
        "    print(vendor.addresses.exchange, flush=True); raise KeyboardInterrupt\n"
        "serve(Path(sys.argv[1]), Clock(60.0, datetime.now(UTC)), ready, character='busy')\n"
        "print('stopped')\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", code, str(voice_home)], capture_output=True, text=True, timeout=120, check=False
    )
    assert made.stdout.startswith("http://127.0.0.1:"), made.stderr
    assert made.stdout.endswith("stopped\n"), made.stderr

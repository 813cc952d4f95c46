"""A live call on the practice exchange, over its own webhooks and media stream: every phase against what happened."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.analysis.settling import settled
from probes.clock import Clock
from probes.errors import Side
from probes.events import (
    CallAnswered,
    CallEnded,
    CallHeard,
    CallRecorded,
    ContactOutcome,
    DigitsSent,
    Doubt,
    LineSaid,
    ScriptStepEnded,
    StepOutcome,
)
from probes.practice.character import CHARACTERS
from probes.practice.truth import Fact
from probes.practice.vendor import PracticeVendor, in_background
from probes.telephony.twilio import TwilioCarrier
from probes.telephony.twilio_config import TwilioConfig
from tests.telephony.kit import Bench, Vault, channel, spec
from tests.telephony.live_kit import here
from tests.telephony.test_live_call import NUMBER, QUESTION, SCRIPT

pytestmark = pytest.mark.slow

# Fast, and slow enough for keys to come before a menu gives up on a busy machine. `bench.live_bench` waits for longer.
FACTOR, WAITED = 5.0, "45 s"
LATE_S = 0.5 * FACTOR  # what half a real second of a busy machine is in the call's time
EVERYDAY = (CHARACTERS / "everyday" / "phone.yaml").read_text(encoding="utf-8")
LONG = EVERYDAY.replace("wait: 3 min 30 s to 4 min 30 s", f"wait: {WAITED}").replace(
    "wait: 2 min to 6 min", "wait: 40 s"
)


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[PracticeVendor]:
    """Return the ordinary vendor, at whose number one waits on a loop."""
    folder = tmp_path / "characters" / "everyday"
    folder.mkdir(parents=True)
    (folder / "phone.yaml").write_text(LONG, encoding="utf-8")
    clock = Clock(FACTOR, datetime.now(UTC))
    with in_background(tmp_path / "home", clock, folders=(folder.parent,)) as running:
        yield running


async def test_every_phase_of_a_long_live_call_is_measured_as_it_happened(vendor: PracticeVendor) -> None:
    address = here()
    config = TwilioConfig(
        account_sid=vendor.exchange.account.sid,
        auth_token=vendor.exchange.account.token,
        api_base_url=vendor.addresses.exchange,
        insights_base_url=vendor.addresses.insights,
    )
    carrier = TwilioCarrier(config, address)
    bench = Bench(carrier, clock=vendor.clock, vault=Vault({"${env:CUSTOMER}": NUMBER}))
    numbers = {"number": vendor.number_of("everyday"), "caller_id": vendor.addresses.caller_id}
    try:
        seen = await bench.follow(spec(channel(SCRIPT, call_at_most="60 min", **numbers)))
    finally:
        await bench.tools.running.close()
        await carrier.close()
        await address.close()
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
    for phase, measured_s, true_s, within_s in phases(vendor, bench):
        assert measured_s == pytest.approx(true_s, abs=within_s), phase
    steps = {one.name: one for one, _ in bench.all(ScriptStepEnded) if one.name}
    assert steps["agent"].outcome in (StepOutcome.HUMAN, StepOutcome.UNSURE)  # by how late our question came
    ended, _ = bench.one(CallEnded)
    assert (ended.by, ended.doubt) == (Side.VENDOR, Doubt.NONE)
    assert [fact["count"] for fact in truth(vendor, bench, "identified")] == [len(NUMBER)]
    assert NUMBER not in bench.everything_kept()


def truth(vendor: PracticeVendor, bench: Bench, kind: str) -> list[Fact]:
    assert bench.handle is not None
    return list(vendor.truth.read(kind, call=bench.handle.call_id))


def phases(vendor: PracticeVendor, bench: Bench) -> Iterator[tuple[str, float, float, float]]:
    """Yield each phase of the call: what was measured, what was true, and how near that must be, in seconds."""
    (placed,), (answered,) = truth(vendor, bench, "call_placed"), truth(vendor, bench, "call_answered")
    call_answered, sighting = bench.one(CallAnswered)
    ring_s = (sighting.at_utc - placed.at_utc) / timedelta(seconds=1)
    yield "answer", ring_s, (answered.at_utc - placed.at_utc) / timedelta(seconds=1), call_answered.error_s + LATE_S
    # The recording begins within a second of the answer, and its zero is what everything heard is counted from.
    keys = [fact for fact in truth(vendor, bench, "caller_sounds") if fact["label"] == "key"]
    menu, number = (one for one, _ in bench.all(DigitsSent))
    yield "menu key", menu.t_s or -1.0, keys[0]["t_s"], 0.1
    yield "identification", number.t_s or -1.0, keys[1]["t_s"], 0.1
    timeline = bench.one(CallHeard)[0].timeline
    starts, ends = truth(vendor, bench, "hold_started"), truth(vendor, bench, "hold_ended")
    for name, hold, start, end in zip(("queue", "second hold"), timeline.holds, starts, ends, strict=True):
        yield f"{name} from", hold.start_s, start["t_s"], 1.0
        yield f"{name} to", hold.end_s, end["t_s"], 1.0
    (agent,) = truth(vendor, bench, "agent_joined")
    live = {one.name: one for one, _ in bench.all(ScriptStepEnded) if one.name}
    humans = [one.t_s for one in live.values() if one.outcome is StepOutcome.HUMAN and one.t_s is not None]
    told = settled(timeline, [one.t_s or 0.0 for one, _ in bench.all(DigitsSent)], humans)
    if live["agent"].outcome is StepOutcome.HUMAN:
        yield "human", -1.0 if told.first_person_s is None else told.first_person_s, agent["t_s"], 1.0
    yield "hold, live", live["queue"].t_s or -1.0, starts[0]["t_s"], 1.0
    yield "human, live", live["agent"].t_s or -1.0, agent["t_s"], 1.5
    if live["talk"].outcome is StepOutcome.HOLD:
        yield "second hold, live", live["talk"].t_s or -1.0, starts[1]["t_s"], 1.5
    question = [one for one, _ in bench.all(LineSaid) if one.text == QUESTION]
    asked = [fact for fact in truth(vendor, bench, "caller_sounds") if fact["text"] == QUESTION]
    yield "our question", question[0].t_s or -1.0, asked[0]["t_s"], 0.5
    (over,) = truth(vendor, bench, "call_ended")
    yield "end", bench.one(CallEnded)[0].duration_s or -1.0, over["duration_s"], 1.0
    yield "recording", bench.one(CallRecorded)[0].duration_s, over["duration_s"], 0.2

"""Live calls on the practice call centre without a network: what was measured and done against what happened."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
import soundfile as sf

from audit.ledger.codec import from_json, to_json
from probes import phone_call
from probes.clock import Clock
from probes.errors import FailureKind, Side, UserError
from probes.events import (
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
from probes.model import Seen
from probes.practice.line import Happening
from probes.practice.sounds import Sounds
from probes.running import RunningContacts
from probes.telephony.carrier import Capability
from probes.telephony.channel import Handle
from probes.telephony.keys import find_keys
from tests.telephony.far_end import FarEnd, phone
from tests.telephony.kit import Bench, Vault, channel, spec

NUMBER = "90210456"
QUESTION = "Hello, am I speaking to a person?"
SUPPORT = """
  start:
    - say: {text: "Thank you for calling Kestrel Cloud. This call may be recorded for training and quality."}
    - menu:
        prompt: "For sales, press 1. For help with an existing ticket, press 2. For billing, press 3."
        options: {"2": support}
        otherwise: bye
  bye:
    - hang_up: no choice
  support:
    - identify: {prompt: "Please enter your eight digit customer number, then the hash key.", digits: 8, otherwise: bye}
    - say: {text: "All of our agents are busy at the moment. Please hold."}
    - queue:
        wait: 100 s
        hears:
          music: harbour
          announcements:
            - "Your call is important to us. Please stay on the line."
            - "Did you know that many answers are on our website?"
          first_after: 20 s
          every: 20 s
    - agent: {id: A-01, voice: arthur, greeting: "Hello, this is Paul speaking. How can I help you?"}
    - ask: {text: "Can you tell me your name and your ticket number, please?", wait: 12 s}
    - ask: {text: "Thank you. What is the problem, please?", wait: 12 s}
    - say: {text: "I see. Just one moment.", voice: arthur}
    - hold: {wait: 40 s, hears: {music: harbour, level_db: 4}, back: "Hello? Yes, thank you for holding."}
    - ask: {text: "Could you explain to me again what the problem is?", wait: 10 s}
    - say: {text: "Right. So what I can do for you now is enter another ticket.", voice: arthur}
    - hang_up: the line was ended
"""
SCRIPT = [
    {"wait_for": "prompt", "as": "greeting"},
    {"press": "2"},
    {"wait_for": "prompt"},
    {"enter": "{persona.identifiers.customer_number}#"},
    {"wait_for": "hold", "as": "queue"},
    {"wait_for": {"sound": "human", "at_most": "40 min", "ask": QUESTION}, "as": "agent"},
    {"if": {"agent": ["human", "unsure"]}, "then": [
        {"say": "My name is {persona.name}, and my backups have stopped."},
        {"repeat": {"times": 4, "steps": [
            {"wait_for": {"sound": ["hold", "answer"], "quiet": "3 s"}, "as": "talk"},
            {"if": {"talk": "hold"},
             "then": [{"wait_for": {"sound": "human", "ask": "Yes, I am here."}, "as": "back"}],
             "else": [{"say": "As I said, my backups have stopped."}]},
        ]}},
    ]},
    "hang_up",
]  # fmt: skip


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Sounds:
    return Sounds(tmp_path_factory.mktemp("sounds"))


def line(tmp_path: Path, sounds: Sounds, parts: str, **changes: Any) -> tuple[FarEnd, Bench]:
    clock = Clock()
    far = FarEnd(phone(tmp_path, parts), sounds, clock, **changes)
    return far, Bench(far, clock=clock, vault=Vault({"${env:CUSTOMER}": NUMBER}))


async def followed(bench: Bench, script: list[Any], **changes: Any) -> Seen:
    """Dial, and look in real time until the contact has finished."""
    await bench.submit(spec(channel(script, **changes)))
    return await looked_at(bench)


async def looked_at(bench: Bench) -> Seen:
    """Look until the contact has finished."""
    seen = await bench.look()
    for _ in range(2000):
        if seen.finished:
            return seen
        await asyncio.sleep(0.1)
        seen = await bench.look()
    raise AssertionError("the contact does not finish")


def true(far: FarEnd, *kinds: str) -> list[Happening]:
    return [one for one in far.call.line.happenings if one.kind in kinds]


def steps(bench: Bench) -> dict[str, ScriptStepEnded]:
    return {one.name or one.path: one for one, _ in bench.all(ScriptStepEnded)}


async def test_a_whole_live_call_against_what_happened(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, SUPPORT)
    seen = await followed(bench, SCRIPT, call_at_most="60 min")
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
    done = steps(bench)
    assert done["greeting"].outcome is StepOutcome.PROMPT
    (menu,) = true(far, "menu")
    (chosen,) = true(far, "chosen")
    assert chosen.facts["key"] == "2"
    assert (
        0.5 < chosen.t_s - menu.t_s - 5.4 < 5.0
    )  # the prompt is 5.3 s long: pressed after its end, before its time-out
    assert [one.facts["count"] for one in true(far, "identified")] == [len(NUMBER)]

    started, agents_hold = true(far, "hold_started")
    ended, back = true(far, "hold_ended")
    assert done["queue"].t_s == pytest.approx(started.t_s, abs=0.6)
    (agent,) = true(far, "agent_joined")
    assert done["agent"].outcome is StepOutcome.HUMAN
    assert done["agent"].t_s == pytest.approx(agent.t_s, abs=1.0)
    assert done["talk"].outcome is StepOutcome.HOLD
    assert done["talk"].t_s == pytest.approx(agents_hold.t_s, abs=1.0)

    timeline = bench.one(CallHeard)[0].timeline
    measured = [(hold.start_s, hold.end_s) for hold in timeline.holds]
    assert measured == [
        (pytest.approx(started.t_s, abs=0.6), pytest.approx(ended.t_s, abs=0.6)),
        (pytest.approx(agents_hold.t_s, abs=0.6), pytest.approx(back.t_s, abs=0.6)),
    ]
    call_ended, _ = bench.one(CallEnded)
    assert (call_ended.by, call_ended.doubt) == (Side.VENDOR, Doubt.NONE)
    assert call_ended.duration_s == pytest.approx(far.call.line.now_s, abs=0.1)
    assert [one.count for one, _ in bench.all(DigitsSent)] == [1, 9]
    assert QUESTION in [one.text for one, _ in bench.all(LineSaid)]
    _nothing_secret(bench)


def _nothing_secret(bench: Bench) -> None:
    assert NUMBER not in bench.everything_kept()
    recorded, sighting = bench.one(CallRecorded)
    samples, rate_hz = sf.read(io.BytesIO(bench.store.get(sighting.artifacts[0])), dtype="float32")
    assert recorded.vendor_channel == 0
    heard = ["".join(key.key for key in find_keys(samples[:, side], rate_hz)) for side in range(2)]
    assert heard == ["", "2"]


AGENT = """
  start:
    - agent: {id: A-01, voice: arthur, greeting: "Kestrel Cloud, this is Paul speaking. How can I help you?"}
    - ask: {text: "Hello?", wait: 12 s}
    - say: {text: "Yes, you are. What can I do for you today?", voice: arthur}
    - ask: {text: "Are you still there?", wait: 20 s}
    - hang_up: done
"""
TAPE = """
  start:
    - say: {text: "Welcome to Kestrel Cloud. All lines are busy. We are open from nine to five on every working day."}
    - say: {text: "You can also write to us on our website, where most of the questions that people ask are answered."}
    - say: {text: "Welcome to Kestrel Cloud. All lines are busy. We are open from nine to five on every working day."}
    - say: {text: "You can also write to us on our website, where most of the questions that people ask are answered."}
    - hang_up: end of the tape
"""
ASK = [{"wait_for": {"sound": "human", "at_most": "30 s", "ask": QUESTION}, "as": "agent"}, "hang_up"]


async def test_a_human_who_answers_directly_is_found_by_asking(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT)
    await followed(bench, ASK)
    assert steps(bench)["agent"].outcome is StepOutcome.HUMAN
    ended, _ = bench.one(CallEnded)
    assert (ended.by, ended.doubt) == (Side.OURS, Doubt.NONE)
    assert far.hang_ups == ["FAR1"]


async def test_a_tape_that_goes_on_regardless_is_no_human(tmp_path: Path, sounds: Sounds) -> None:
    _, bench = line(tmp_path, sounds, TAPE)
    await followed(bench, ASK)
    assert steps(bench)["agent"].outcome in (StepOutcome.TIMED_OUT, StepOutcome.CALL_OVER)


async def test_nothing_is_kept_but_everything_timed_where_recording_is_forbidden(
    tmp_path: Path, sounds: Sounds
) -> None:
    far, bench = line(tmp_path, sounds, AGENT)
    await followed(bench, ASK, record="never")
    assert bench.all(CallRecorded) == []
    assert not any(data[:4] == b"RIFF" for data in bench.store.kept.values())
    timeline = bench.one(CallHeard)[0].timeline
    assert timeline.duration_s == pytest.approx(far.call.line.now_s, abs=1.5)


async def test_the_kill_switch_ends_a_live_call_at_once(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT.replace("wait: 20 s", "wait: 20 min"), bye_is_told=False)
    await bench.submit(spec(channel([{"listen": "25 min"}, {"wait_for": "tone"}])))
    await asyncio.sleep(0.5)
    await bench.look()
    assert bench.handle is not None
    bench.handle = await phone_call.abandon(bench.handle, bench.tools)
    assert far.call.over
    await looked_at(bench)
    assert bench.one(CallEnded)[0].by is Side.OURS
    assert len(set(far.hang_ups)) == 1


async def test_a_call_whose_process_died_is_ended_and_never_dialled_again(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT)
    await bench.submit(spec(channel([{"wait_for": "tone"}])))
    await bench.tools.running.close(0.0)
    call = far.calls["FAR1"] = type(far.call)(
        "FAR1", far.call.request, far.phone, sounds, bench.clock
    )  # the far end knows nothing of our process: the call goes on
    far.hang_ups.clear()
    far.forgets = True
    seen = await looked_at(bench)
    assert call.over
    assert far.hang_ups == ["FAR1"]
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.INTERRUPTED, Side.OURS)
    assert seen.outcome is ContactOutcome.DONE  # it was placed: it counts, and nobody tries again
    assert bench.one(CallEnded)[0].by is Side.OURS
    assert list(far.calls) == ["FAR1"]


async def test_another_workers_live_call_is_left_alone(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT)
    await bench.submit(spec(channel([{"wait_for": "tone"}])))
    assert bench.handle is not None
    elsewhere = Bench(far, clock=bench.clock)
    elsewhere.tools = type(bench.tools)(
        **{name: getattr(bench.tools, name) for name in bench.tools.__slots__}
        | {"running": RunningContacts(alone=False)}
    )
    seen = await phone_call.collect(from_json(Handle, to_json(bench.handle)), elsewhere.tools)
    assert not seen.finished
    assert far.hang_ups == []
    await bench.tools.running.close()
    assert far.hang_ups


async def test_audio_that_breaks_off_is_ours(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT, changes={"breaks_at_s": 6.0}, bye_is_told=False)
    seen = await followed(bench, [{"wait_for": "tone"}])
    assert far.call.over  # what was left of the call was ended
    ended, _ = bench.one(CallEnded)
    assert (ended.by, ended.doubt) == (Side.OURS, Doubt.SOME)
    assert seen.failure is not None
    assert seen.failure.side is Side.OURS


async def test_an_end_that_nobody_saw_is_not_charged_to_anybody(tmp_path: Path, sounds: Sounds) -> None:
    _, bench = line(tmp_path, sounds, AGENT.replace("wait: 20 s", "wait: 1 s"), bye_is_told=False)
    await followed(bench, [{"wait_for": "tone"}])
    ended, _ = bench.one(CallEnded)
    assert (ended.by, ended.doubt) == (Side.NOT_KNOWN, Doubt.SOME)
    assert any("does not say who" in reason for reason in ended.reasons)


async def test_the_auditors_telephone_is_joined(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT)
    script = [{"wait_for": "prompt"}, {"join": None, "as": "colleague"}, "disclose", {"listen": "3 s"}]
    await followed(
        bench, script, auditor="+442079460300", disclosure="I am a machine that calls on behalf of a customer."
    )
    assert far.call.joined == ["+442079460300"]
    assert steps(bench)["colleague"].outcome is StepOutcome.JOINED
    assert bench.one(LineSaid)[0].text.startswith("I am a machine")


async def test_a_line_that_sends_nothing_in_silence_keeps_its_time(tmp_path: Path, sounds: Sounds) -> None:
    parts = """
  start:
    - say: {text: "Please hold the line."}
    - pause: 12 s
    - say: {text: "Thank you for waiting. Goodbye."}
    - hang_up: done
"""
    far, bench = line(tmp_path, sounds, parts, changes={"skips_silence": True})
    await followed(bench, [{"wait_for": {"sound": "silence", "quiet": "5 s"}, "as": "quiet"}, {"wait_for": "tone"}])
    assert steps(bench)["quiet"].outcome is StepOutcome.SILENCE
    first, second = (one for one in far.call.line.played if one.label == "prompt")
    speech = [one for one in bench.one(CallHeard)[0].timeline.segments if one.kind.value == "speech"]
    assert speech[-1].start_s == pytest.approx(second.start_s, abs=0.3)
    assert first.end_s + 5.0 < steps(bench)["quiet"].known_s < second.start_s + 0.5


async def test_a_live_script_needs_a_carrier_that_can_be_heard(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, AGENT, capabilities=frozenset({Capability.RECORDED}))
    with pytest.raises(UserError, match="gives no audio while a call lasts"):
        await bench.submit(spec(channel(ASK)))
    assert far.calls == {}


async def test_a_blind_script_is_acted_on_live_where_the_carrier_cannot(tmp_path: Path, sounds: Sounds) -> None:
    far, bench = line(tmp_path, sounds, SUPPORT)
    seen = await followed(bench, [{"wait": "11 s"}, {"press": "2"}, {"listen": "3 s"}])
    assert seen.outcome is ContactOutcome.DONE
    assert [one.facts["key"] for one in true(far, "chosen")] == ["2"]

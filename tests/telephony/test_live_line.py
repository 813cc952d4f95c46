"""Our end of a live call: hostile audio, stalls and floods, and the recording that we make ourselves."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probes.clock import Clock
from probes.errors import Side
from probes.telephony.carrier import CallOver, Frame, Press, Say
from probes.telephony.hearing import hear_own
from probes.telephony.keys import find_keys
from probes.telephony.live_line import LineLost, LiveLine
from probes.telephony.own_recording import OwnRecording
from probes.telephony.script import Planned
from tests.telephony.kit import RATE_HZ, keys, silence, voice


def frames(samples: NDArray[np.float32], side: Side = Side.VENDOR, from_s: float = 0.0) -> list[Frame]:
    return [
        Frame(
            t_s=from_s + at / RATE_HZ,
            side=side,
            rate_hz=RATE_HZ,
            samples=samples[at : at + 160].astype("<f4").tobytes(),
        )
        for at in range(0, len(samples) - 159, 160)
    ]


@dataclass
class Source:
    """A call whose frames are given; `then_s`: how long it stays up afterwards without a frame."""

    given: Iterable[Frame]
    then_s: float = 0.0
    call_id: str = "one"
    taken: int = 0
    held_up: list[int] = field(default_factory=list)

    async def frames(self) -> AsyncIterator[Frame]:
        for frame in self.given:
            self.taken += 1
            yield frame
        await asyncio.sleep(self.then_s)

    async def send_digits(self, press: Press) -> None:
        await asyncio.sleep(3600 if press.digits == "9" else 0)

    async def play(self, line: Say) -> None:
        assert line.text

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        return bool(number) and ring_at_most_s > 0


async def test_frames_that_lie_are_left_out_and_the_call_goes_on() -> None:
    good = frames(np.concatenate([voice(3), silence(5)]))
    nan = replace(good[0], t_s=1.0, samples=np.full(160, np.nan, "<f4").tobytes())
    lies = [
        replace(good[0], t_s=1e9), replace(good[0], t_s=-50.0), replace(good[0], rate_hz=48000), nan,
        replace(good[0], samples=b"\x01\x02\x03"), replace(good[0], t_s=float("nan")),
    ]  # fmt: skip
    line = LiveLine(Source([*good[:100], *lies, *good[100:]]), Clock(), None)
    running = asyncio.ensure_future(line.run())
    ended_s = await line.until(lambda ear: ear.music_ended(0.0), 30.0)  # the buzz of these tests is no speech
    assert ended_s == pytest.approx(3.0, abs=0.2)
    await running
    assert line.ear.heard_s == pytest.approx(8.0, abs=0.2)
    assert line.starts_at_utc is not None
    assert abs((line.starts_at_utc - datetime.now(UTC)).total_seconds()) < 60


async def test_a_flood_waits_until_there_is_room() -> None:
    source = Source(frames(np.tile(voice(2), 20)))
    line = LiveLine(source, Clock(), None)
    most = 0

    def look(ear: object) -> None:
        nonlocal most
        most = max(most, source.taken - round(line.ear.heard_s / 0.02))

    waiting = asyncio.ensure_future(line.until(look, 1000.0))
    await line.run()
    with pytest.raises(CallOver):
        await waiting
    assert most <= 200


async def test_a_line_that_falls_silent_for_good_is_lost_on_our_side() -> None:
    line = LiveLine(Source(frames(voice(1)), then_s=60.0), Clock(), None, lost_real_s=2.0)
    with pytest.raises(LineLost):
        await line.run()
    assert line.lost
    assert line.ear.heard_s < 3.0  # silence passed at the pace of real time, no faster


async def test_an_act_does_not_outlive_the_call() -> None:
    line = LiveLine(Source(frames(voice(1)), then_s=0.3), Clock(), None)
    running = asyncio.ensure_future(line.run())
    with pytest.raises(CallOver):
        await line.press(Press("9"))
    await running
    with pytest.raises(CallOver):
        await line.until(lambda _: True, 1.0)


def written(recording: OwnRecording) -> NDArray[np.float32]:
    data = recording.wav()
    assert data is not None
    samples, _ = sf.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return np.asarray(samples, np.float32)


def test_what_we_record_lies_where_it_sounded_and_hides_what_was_keyed_in() -> None:
    recording = OwnRecording(60.0)
    recording.take(frames(voice(2)))
    recording.take(frames(keys("12"), Side.OURS, from_s=2.0))
    recording.hide_from(5.0)  # what has come already, what comes now and what comes late
    recording.take(frames(np.concatenate([voice(4), voice(4)]), from_s=4.0))
    recording.take(frames(keys("90210"), Side.OURS, from_s=5.0))
    recording.hide_until(6.5)
    recording.take(frames(keys("77"), Side.OURS, from_s=6.6))
    recording.take(frames(keys("3"), Side.OURS, from_s=9.0))
    samples = written(recording)
    recording.close()
    assert "".join(key.key for key in find_keys(samples[:, 1], RATE_HZ)) == "123"
    assert not samples[int(4.9 * RATE_HZ) : int(7.2 * RATE_HZ)].any()
    assert abs(samples[: 2 * RATE_HZ, 0]).max() > 0.05
    assert not samples[2 * RATE_HZ : 4 * RATE_HZ, 0].any()  # nothing came: silence, in its place


def test_keys_that_slipped_through_are_silenced_afterwards() -> None:
    recording = OwnRecording(60.0)
    recording.take(frames(np.concatenate([keys("2"), silence(3), keys("90210")]), Side.OURS, from_s=1.0))
    recording.take(frames(keys("0"), Side.VENDOR, from_s=4.5))
    data = recording.wav()
    recording.close()
    assert data is not None
    done = (Planned(keys="2", key_count=1, purpose="menu"), Planned(key_count=5, purpose="identification"))
    heard, samples = hear_own(data, done, (1.0, 4.2))
    assert heard.masked
    assert heard.kept is not None
    kept, rate_hz = sf.read(io.BytesIO(heard.kept), dtype="float32")
    for audio in (kept, samples / 32768.0):
        assert ["".join(key.key for key in find_keys(audio[:, side], rate_hz)) for side in (0, 1)] == ["", "2"]


@given(
    st.lists(
        st.tuples(st.floats(-5, 40, allow_nan=False), st.integers(0, 700), st.sampled_from([Side.VENDOR, Side.OURS])),
        max_size=12,
    )
)
def test_whatever_comes_the_recording_is_as_long_as_its_last_frame(given: list[tuple[float, int, Side]]) -> None:
    recording = OwnRecording(30.0)
    end = 0
    for t_s, count, side in given:
        data = np.full(count, 0.5, "<f4").tobytes()
        recording.take([Frame(t_s=t_s, side=side, rate_hz=RATE_HZ, samples=data)])
        if round(t_s * RATE_HZ) >= 0 and t_s + count / RATE_HZ <= 30.0:
            end = max(end, round(t_s * RATE_HZ) + count)
    data = recording.wav()
    recording.close()
    assert (0 if data is None else sf.info(io.BytesIO(data)).frames) in (0, end)

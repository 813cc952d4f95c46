"""Our media endpoint judged by a simulator of the provider's streams that somebody else wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from streamdouble.chaos import Impairments
from streamdouble.protocol import StreamIdentity
from streamdouble.session import Session, SessionConfig, SessionResult

from probes.errors import Side
from probes.practice.mixing import mu_law
from probes.telephony.carrier import Frame
from probes.telephony.media_stream import without_gaps
from tests.telephony.live_kit import VALIDATOR, placed
from tests.telephony.provider import ACCOUNT, CALL, Provider, running
from tests.telephony.proxy import proxy


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as server:
        yield server


def tone(hz: float, length_s: float) -> tuple[np.ndarray, list[bytes]]:
    samples = (0.3 * np.sin(2 * np.pi * hz * np.arange(round(length_s * 8000)) / 8000)).astype(np.float32)
    coded = mu_law(samples)
    return samples, [coded[at : at + 160] for at in range(0, len(coded), 160)]


async def judged(provider: Provider, **changes: object) -> tuple[SessionResult, list[Frame], float]:
    """Let the simulator call our endpoint with a fork of both sides; return its verdict and what we heard."""
    _, theirs = tone(440.0, 1.5)
    _, ours = tone(880.0, 1.5)
    async with placed(provider) as hand:
        signed = f"X-Twilio-Signature: {VALIDATOR.compute_signature(hand.stream.url, {})}"
        there, _, path = hand.stream.url.removeprefix("ws://").partition("/")
        async with proxy(there, "", cut=False, adding=signed) as front:
            config = SessionConfig(
                fork=True,
                tracks=["inbound", "outbound"],
                agent_frames=ours,
                strict_fork=True,
                custom_parameters=dict(hand.stream.parameters),
                response_timeout_s=2.0,
                quiet_period_s=0.2,
                max_drain_s=2.0,
                **changes,  # type: ignore[arg-type]
            )
            identity = StreamIdentity(account_sid=ACCOUNT, call_sid=CALL)
            session = Session(f"ws{front[4:]}/{path}", theirs, config=config, identity=identity)
            running = asyncio.create_task(session.run())
            live = await hand.live()
            frames = [frame async for frame in live.frames()]
            result = await asyncio.wait_for(running, 30)
        quality = live.quality  # type: ignore[attr-defined]
    return result, frames, quality.lost_s


async def test_it_finds_nothing_wrong_and_both_sides_come_through(provider: Provider) -> None:
    result, frames, lost_s = await judged(provider)
    assert (result.violations, result.warnings, result.closed_early, result.unknown_events) == ([], [], False, [])
    assert lost_s == pytest.approx(0.0, abs=1e-6)
    for side, hz in ((Side.VENDOR, 440.0), (Side.OURS, 880.0)):
        heard = np.frombuffer(without_gaps(tuple(one for one in frames if one.side is side)), "<f4")
        sent, _ = tone(hz, 1.5)
        assert len(heard) == len(sent)
        assert np.corrcoef(heard, sent)[0, 1] > 0.99


async def test_lost_and_late_packets_leave_gaps_and_nothing_out_of_place(provider: Provider) -> None:
    bad = Impairments(loss=0.1, jitter_ms=60.0)
    result, frames, lost_s = await judged(provider, impairments=bad, chaos_seed=7)
    assert (result.violations, result.warnings, result.closed_early) == ([], [], False)
    assert result.frames_dropped > 0
    assert lost_s == pytest.approx(result.frames_dropped * 0.02, abs=0.041)
    heard = np.frombuffer(without_gaps(tuple(one for one in frames if one.side is Side.VENDOR), 1.5), "<f4")
    sent, _ = tone(440.0, 1.5)
    there = heard != 0
    assert np.corrcoef(heard[there], sent[there])[0, 1] > 0.99

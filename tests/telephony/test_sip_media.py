"""Audio that comes in pieces is put where it belongs in time."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import Side
from probes.telephony.sip_media import FramePipe, Placer, frame

PIECE = 160
RATE_HZ = 8000


def test_pieces_that_follow_each_other_stay_together_however_late_they_are_looked_at() -> None:
    placer = Placer()
    late_s = [0.02, 0.075, 0.041, 0.02, 0.06]
    times = [placer.place(PIECE, index * 0.02 + late) for index, late in enumerate(late_s)]
    assert times == pytest.approx([index * 0.02 for index in range(5)])


def test_silence_that_was_not_sent_stays_in_the_time() -> None:
    placer = Placer()
    placer.place(PIECE, 0.02)
    assert placer.place(PIECE, 5.0) == pytest.approx(4.98)
    assert placer.place(PIECE, 5.02) == pytest.approx(5.0)
    assert placer.lost_s == pytest.approx(4.96)


def test_a_burst_after_a_stall_is_put_where_it_was_due() -> None:
    placer = Placer()
    placer.place(PIECE, 0.02)
    assert placer.place(RATE_HZ, 1.03) == pytest.approx(0.02)
    assert placer.lost_s == 0.0


def test_more_audio_than_there_was_time_is_left_out() -> None:
    placer = Placer()
    taken = [placer.place(RATE_HZ, 1.0) for _ in range(10)]
    assert [one for one in taken if one is not None] == [0.0, 1.0, 2.0]


@given(st.lists(st.tuples(st.integers(1, 4000), st.floats(0, 3)), max_size=60))
def test_no_piece_lies_over_another_and_none_in_the_future(pieces: list[tuple[int, float]]) -> None:
    placer, now_s, end_s = Placer(), 0.0, 0.0
    for count, wait_s in pieces:
        now_s += wait_s
        at_s = placer.place(count, now_s)
        if at_s is not None:
            assert at_s >= end_s - 1e-9
            end_s = at_s + count / RATE_HZ
            assert end_s <= now_s + 2.0 + 1e-9


async def test_frames_reach_a_reader_in_another_thread_in_order_and_end() -> None:
    pipe = FramePipe()

    def put() -> None:
        for index in range(500):
            pipe.put(frame(Side.VENDOR, index * 0.02, b"\0\0" * PIECE))
        pipe.close()

    thread = threading.Thread(target=put)
    reading = asyncio.create_task(_all(pipe))
    await asyncio.sleep(0)
    thread.start()
    times = await asyncio.wait_for(reading, 30)
    thread.join()
    assert times == [index * 0.02 for index in range(500)]


async def test_frames_that_nobody_reads_do_not_pile_up() -> None:
    pipe = FramePipe(at_most=50)
    for index in range(500):
        pipe.put(frame(Side.VENDOR, float(index), b"\0\0"))
    pipe.close()
    assert await _all(pipe) == [float(index) for index in range(450, 500)]


async def _all(pipe: FramePipe) -> list[float]:
    return [one.t_s async for one in pipe.frames()]

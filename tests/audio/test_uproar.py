"""Loud sounds that are neither music nor words, in the middle of a talk: somebody's room, and no hold."""

import numpy as np

from bench.listener.uproar import cries
from probes.audio.listen import listen
from tests.audio.sounds import ASK, HELLO, PROMISE, RATE, quiet, rhythm, speech

RING = rhythm((440, 480), (2, 4), 2)[: 8 * RATE]


def test_cries_in_the_middle_of_a_talk_are_mostly_no_hold() -> None:
    before = [quiet(1), RING, quiet(0.6), speech(HELLO, "en+m3"), quiet(2.5), speech(ASK, "en+m3"), quiet(1)]
    holds = 0
    for seed in range(16):
        uproar = cries(np.random.default_rng(seed), 12.0) * np.float32(0.3)
        call = np.concatenate([*before, uproar, quiet(1), speech(PROMISE, "en+m3"), quiet(2)])
        holds += len(listen(call, RATE).holds)
    assert holds <= 5  # 9 before such sounds were trained on

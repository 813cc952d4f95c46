"""What is told live stands by the rules of a recording: messages in silence, stretches without holes, stray music."""

import numpy as np
import pytest

from probes.audio.listen import listen
from probes.audio.live import LiveEvent, LiveKind, LiveListener
from tests.audio.sounds import ASK, HELLO, MENU, PROMISE, RATE, WAIT, Sound, music, quiet, rhythm, speech

START = np.concatenate([quiet(1), rhythm((440, 480), (2, 4), 2)[: 8 * RATE], quiet(0.6), speech(MENU), quiet(3)])
TALK = np.concatenate([np.concatenate([speech(text, "en+m3"), quiet(2.5)]) for text in (HELLO, ASK, PROMISE)])


def heard_live(sound: Sound) -> tuple[LiveListener, list[LiveEvent]]:
    live, events = LiveListener(), []
    for at in range(0, len(sound) - 639, 640):
        events += live.push(sound[at : at + 640], at / RATE)
    return live, events


def times(events: list[LiveEvent], what: LiveKind) -> list[float]:
    return [e.at_s for e in events if e.what is what]


@pytest.mark.slow
def test_messages_with_silence_between_them_are_no_persons() -> None:
    waiting = np.concatenate([np.concatenate([speech(WAIT), quiet(18)]) for _ in range(4)])
    person_s = (len(START) + len(waiting)) / RATE
    sound = np.concatenate([START, waiting, TALK])
    live, events = heard_live(sound)
    assert live.first_person_s == pytest.approx(person_s, abs=1)
    assert live.first_person_s == pytest.approx(listen(sound, RATE).first_person_s, abs=1)
    second_s = len(START) / RATE + len(speech(WAIT)) / RATE + 18
    assert [at_s for at_s in times(events, LiveKind.PERSON) if second_s - 1 < at_s < person_s - 1] == []


@pytest.mark.slow
def test_stretches_told_live_follow_each_other_without_a_hole() -> None:
    words = speech(WAIT)
    hold = music(60, loop_s=90)
    for at_s in (15, 40):  # words begin before the music under them is heard, and end after it
        first = at_s * RATE
        hold[first : first + len(words)] = hold[first : first + len(words)] * np.linspace(0, 0.5, len(words)) + words
    _, events = heard_live(np.concatenate([START, hold.astype(np.float32), quiet(0.6), TALK]))
    told = [e for e in events if e.what is LiveKind.SEGMENT]
    assert [e.at_s for e in told[1:]] == [e.end_s for e in told[:-1]]


@pytest.mark.slow
@pytest.mark.parametrize(("length_s", "resumed"), [(1.0, 0), (12.0, 1)])
def test_a_hold_goes_on_where_music_comes_back_to_stay(length_s: float, resumed: int) -> None:
    after = np.concatenate([speech(PROMISE, "en+m3"), music(length_s), speech(ASK, "en+m3"), quiet(3)])
    live, events = heard_live(np.concatenate([START, music(25), quiet(0.6), after]))
    assert len(times(events, LiveKind.HOLD_STARTED)) == 1
    assert len(times(events, LiveKind.HOLD_RESUMED)) == resumed
    first_s = (len(START) / RATE) + 25.6
    if not resumed:
        assert live.first_person_s == pytest.approx(first_s, abs=1)

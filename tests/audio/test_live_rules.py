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


@pytest.mark.slow
def test_what_was_told_of_a_call_by_its_end_is_what_the_recording_says() -> None:
    words, hold = speech(WAIT), music(70, loop_s=23)
    waiting = np.concatenate([hold[: 20 * RATE], words, hold[20 * RATE : 45 * RATE], words, hold[45 * RATE :]])
    sound = np.concatenate([START, waiting, quiet(0.7), TALK])
    live, events = heard_live(sound)
    offline = listen(sound, RATE)
    assert times(events, LiveKind.PERSON) == pytest.approx([offline.first_person_s], abs=1)
    assert [(h.start_s, h.end_s) for h in live.holds] == [
        pytest.approx((h.start_s, h.end_s), abs=1) for h in offline.holds
    ]
    known_s = live.stretches[-1].end_s
    wrong_s = 0.0
    for told in live.stretches:
        for s in offline.segments:
            if s.kind is not told.kind:
                wrong_s += max(0.0, min(told.end_s, s.end_s) - max(told.start_s, s.start_s))
    assert wrong_s < 0.01 * known_s
    corrected = list(live.stretches)
    assert [one.start_s for one in corrected[1:]] == [one.end_s for one in corrected[:-1]]


@pytest.mark.slow
def test_a_wait_in_silence_is_told_with_its_true_start_once_its_message_came_again() -> None:
    waiting = np.concatenate([np.concatenate([speech(WAIT), quiet(18)]) for _ in range(4)])
    live, events = heard_live(np.concatenate([START, waiting, TALK]))
    started = next(e for e in events if e.what is LiveKind.HOLD_STARTED)
    assert started.known_s < (len(START) + len(waiting)) / RATE
    offline = listen(np.concatenate([START, waiting, TALK]), RATE)
    assert [h.start_s for h in live.holds] == pytest.approx([h.start_s for h in offline.holds], abs=1)


@pytest.mark.slow
def test_a_jingle_that_was_told_to_be_a_hold_is_taken_back() -> None:
    jingle = np.concatenate([speech(HELLO), music(12), speech(MENU), quiet(3), speech(ASK), quiet(3)])
    live, events = heard_live(np.concatenate([START, jingle]))
    assert times(events, LiveKind.HOLD_TAKEN_BACK) == times(events, LiveKind.HOLD_STARTED)
    assert len(times(events, LiveKind.HOLD_STARTED)) == 1
    assert live.holds == ()


@pytest.mark.slow
def test_the_first_message_in_a_pause_of_the_music_is_no_person() -> None:
    words, hold = speech(WAIT), music(80, loop_s=23)
    pieces = [START, hold[: 25 * RATE], words, quiet(0.1), hold[25 * RATE : 50 * RATE], words, hold[50 * RATE :]]
    person_s = sum(map(len, pieces)) / RATE + 0.7
    _, events = heard_live(np.concatenate([*pieces, quiet(0.7), TALK]))
    assert times(events, LiveKind.PERSON) == pytest.approx([person_s], abs=1)
    assert times(events, LiveKind.HOLD_RESUMED) == []


@pytest.mark.slow
def test_words_that_come_again_with_the_loop_of_the_music_are_sung_and_told_so() -> None:
    tune = music(20, loop_s=20, level=0.06)
    sung = speech(PROMISE, "en+f3", level=0.06)
    tune[4 * RATE : 4 * RATE + len(sung)] += sung
    sound = np.concatenate([START, np.tile(tune, 9), quiet(0.6), TALK])
    live, _ = heard_live(sound)
    offline = listen(sound, RATE)
    differs_s = sum(
        max(0.0, min(told.end_s, s.end_s) - max(told.start_s, s.start_s))
        for told in live.stretches
        for s in offline.segments
        if s.kind is not told.kind and told.end_s > 0.6 * len(sound) / RATE
    )
    assert differs_s < 2

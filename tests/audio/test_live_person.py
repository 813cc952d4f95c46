"""A person who comes without any hold before: told live as in the recording, sooner when our own lines are answered."""

import numpy as np
import pytest

from probes.audio.listen import listen
from probes.audio.live import LiveEvent, LiveKind, LiveListener
from probes.audio.timeline import Label
from tests.audio.sounds import ASK, HELLO, MENU, PROMISE, RATE, Sound, quiet, rhythm, speech, tone

TEXTS = (HELLO, ASK, PROMISE, "Let me look that up for you.", "Would Monday suit you?", "Then I wish you a good day.")
START = np.concatenate([quiet(1), rhythm((440, 480), (2, 4), 2)[: 8 * RATE], quiet(0.6)])


def answered(texts: tuple[str, ...] = TEXTS, pause_s: float = 3.0) -> tuple[Sound, list[tuple[float, float]]]:
    """A call that a person answers, and when we speak: in the person's pauses."""
    parts, ours = [START], []
    for text in texts:
        parts += [speech(text, "en+m3"), quiet(pause_s)]
        end_s = sum(map(len, parts)) / RATE
        ours.append((end_s - pause_s + 0.5, end_s - 0.5))
    return np.concatenate(parts), ours


def heard_live(sound: Sound, ours: list[tuple[float, float]]) -> tuple[LiveListener, list[LiveEvent]]:
    live, events, due = LiveListener(), [], list(ours)
    for at in range(0, len(sound) - 800, 800):
        while due and due[0][1] <= at / RATE:
            live.spoke(*due.pop(0))
        events += live.push(sound[at : at + 800], at / RATE)
    return live, events


@pytest.mark.slow
def test_a_person_without_a_hold_is_told_live_from_the_first_word_on() -> None:
    sound, _ = answered()
    live, events = heard_live(sound, [])
    first = next(e for e in events if e.what is LiveKind.PERSON)
    assert first.at_s == pytest.approx(len(START) / RATE, abs=0.5)
    assert first.confidence is not None
    assert 0.5 < first.confidence < 1
    assert first.why
    assert live.first_person_s == pytest.approx(listen(sound, RATE).first_person_s, abs=1)


@pytest.mark.slow
def test_a_person_who_answers_our_lines_is_told_sooner() -> None:
    sound, ours = answered()
    known_s = [
        next(e.known_s for e in heard_live(sound, lines)[1] if e.what is LiveKind.PERSON) for lines in ([], ours)
    ]
    assert known_s[1] < known_s[0] - 5


@pytest.mark.slow
def test_what_was_told_to_be_a_person_is_taken_back_when_keys_follow() -> None:
    sound, ours = answered(TEXTS[:3])
    keys = np.concatenate([tone((697.0, 1209.0), 0.15, 0.2), quiet(2)])
    live, events = heard_live(np.concatenate([sound, keys, speech(MENU, "en+m3"), quiet(3)]), ours)
    told = [e.what for e in events if e.what in (LiveKind.PERSON, LiveKind.RECORDING)]
    assert told[:2] == [LiveKind.PERSON, LiveKind.RECORDING]
    assert live.first_person_s is None


def test_our_own_channel_tells_a_person_of_few_words() -> None:
    sound, ours = answered((HELLO, ASK))
    caller = quiet(len(sound) / RATE)
    for start_s, end_s in ours:
        words = speech(PROMISE)[: int((end_s - start_s) * RATE)]
        caller[int(start_s * RATE) : int(start_s * RATE) + len(words)] = words
    alone, both = listen(sound, RATE), listen(sound, RATE, caller=caller)
    assert alone.first_person_s is None
    assert both.first_person_s == pytest.approx(len(START) / RATE, abs=0.3)
    person = next(s for s in both.segments if s.label is Label.AGENT)
    assert "answers_us" in person.why

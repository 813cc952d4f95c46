"""Messages that loud hold music drowns: the music's other rounds say what is the music and what is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.audio.calls import Piece
from probes.audio.drowned import told_over_music, unlike_the_music
from probes.audio.frames import from_half_db
from probes.audio.heard import Heard
from probes.audio.holds import HoldSpan
from probes.audio.listen import Listener, listen
from probes.audio.repeats import STEP_S, Prints, likeness
from probes.audio.timeline import HoldMode
from tests.audio.sounds import ASK, HELLO, MENU, RATE, WAIT, Sound, music, quiet, rhythm, speech

LOOP_S, LENGTH_S, DUCK = 13.7, 110.0, 0.25
SAID_S = (18.0, 46.3, 77.9)


def _bed(level: float = 0.1) -> Sound:
    return music(LENGTH_S, loop_s=LOOP_S, level=level)


def _said(bed: Sound, words: Sound, starts_s: tuple[float, ...], duck: float = DUCK) -> Sound:
    out = bed.copy()
    for start_s in starts_s:
        first = round(start_s * RATE)
        out[first : first + len(words)] = duck * out[first : first + len(words)] + words
    return out


def _codes(sound: Sound) -> NDArray[np.uint8]:
    listener = Listener()
    listener.push(np.concatenate([sound, quiet(1)]))
    return np.concatenate([k.mel for k in listener.kept_since(0)])[: round(len(sound) / RATE / STEP_S)]


def _differs_s(sound: Sound, lag_s: float = LOOP_S) -> list[tuple[float, float]]:
    mel = _codes(sound)
    unlike = unlike_the_music(mel, np.ones(len(mel), np.bool_), lag_s / STEP_S, Prints(mel).floor_db)
    return [(w.start * STEP_S, w.end * STEP_S) for w in unlike]


@pytest.mark.parametrize("gain_db", [0, -9, 4])
def test_words_under_ducked_music_are_where_it_does_not_sound_as_in_its_other_rounds(gain_db: float) -> None:
    words = speech(WAIT, level=0.12)
    sound = _said(_bed(), words, SAID_S) * np.float32(10 ** (gain_db / 20))
    expected = [(s, s + len(words) / RATE) for s in SAID_S]
    assert np.asarray(_differs_s(sound)) == pytest.approx(np.asarray(expected), abs=0.25)


def test_what_is_left_without_the_music_is_more_like_the_words_than_what_was_heard() -> None:
    words = speech(WAIT, level=0.12)
    mel, alone = _codes(_said(_bed(), words, SAID_S)), _codes(_said(quiet(LENGTH_S), words, SAID_S))
    unlike = unlike_the_music(mel, np.ones(len(mel), np.bool_), LOOP_S / STEP_S, Prints(mel).floor_db)

    def moves(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        levels = np.maximum(from_half_db(codes), -60)
        return levels - levels.mean(axis=0)

    for w in unlike:
        said = moves(alone[w.start : w.end])
        assert likeness(moves(w.left), said) > likeness(moves(mel[w.start : w.end]), said) + 0.1
    assert len(unlike) == len(SAID_S)


def test_when_a_message_comes_is_told_alike_wherever_it_falls_in_the_music() -> None:
    words = speech(ASK, level=0.12)
    for later_s in (0.0, 3.33, 9.1):
        starts_s = tuple(s + later_s for s in SAID_S)
        told_s = [a for a, _ in _differs_s(_said(_bed(), words, starts_s))]
        assert told_s == pytest.approx(starts_s, abs=0.25)


def _softer(bed: Sound) -> Sound:
    return _said(bed, quiet(4.0), SAID_S, 0.3)


def _lost(bed: Sound) -> Sound:
    frames = bed.copy()[: len(bed) // 160 * 160].reshape(-1, 160)
    rng = np.random.default_rng(3)
    for first in rng.integers(0, len(frames) - 4, len(frames) // 60):
        frames[first : first + 3] = 0
    return frames.reshape(-1)


def _noisy(bed: Sound) -> Sound:
    return bed + np.random.default_rng(5).normal(0, 0.01, len(bed)).astype(np.float32)


def _sung(bed: Sound) -> Sound:
    return np.resize(_said(bed[: round(LOOP_S * RATE)], speech(WAIT, level=0.2), (3.0,)), len(bed))


@pytest.mark.parametrize("changed", [np.copy, _softer, _lost, _noisy, _sung])
def test_music_alone_says_nothing(changed: object) -> None:
    assert callable(changed)
    assert _differs_s(changed(_bed())) == []


@pytest.mark.parametrize("length_s", [0.4, 10.0, 25.0])
def test_music_that_was_heard_too_seldom_is_not_known(length_s: float) -> None:
    sound = _said(_bed(), speech(WAIT, level=0.12), (4.0,))[: round(length_s * RATE)]
    assert _differs_s(sound) == []


@pytest.mark.parametrize(
    ("heard_as_words", "rounds", "found"), [(True, 3, 1), (False, 3, 1), (True, 2, 0), (False, 2, 0)]
)
def test_words_that_were_heard_are_no_music_and_two_other_rounds_are_enough(
    heard_as_words: bool, rounds: int, found: int
) -> None:
    words = speech(WAIT, level=0.12)
    mel = _codes(_said(_bed(), words, (4.0,))[: round((rounds * LOOP_S + 0.2) * RATE)])
    is_music = np.ones(len(mel), np.bool_)
    if heard_as_words:
        is_music[round(4.0 / STEP_S) : round((4.0 + len(words) / RATE) / STEP_S)] = False
    assert len(unlike_the_music(mel, is_music, LOOP_S / STEP_S, Prints(mel).floor_db)) == found


def test_at_a_wrong_lag_nothing_is_told() -> None:
    assert _differs_s(_said(_bed(), speech(WAIT, level=0.12), SAID_S), LOOP_S * 1.37) == []


def _frames(sound: Sound) -> Heard:
    listener = Listener()
    listener.push(np.concatenate([sound, quiet(1)]))
    return Heard(len(sound) // 160, listener.kept_since(0))


def _hold(parts: list[Piece]) -> HoldSpan:
    return HoldSpan(0.0, LENGTH_S, HoldMode.MUSIC, 0, len(parts) - 1, 0.9)


def _told_s(sound: Sound, parts: list[Piece]) -> list[tuple[float, float]]:
    span = _hold(parts)
    return [
        (p.start_s, p.end_s)
        for p in told_over_music(parts, [span], [(LOOP_S, 0.9)], _frames(sound))
        if p.kind == "speech"
    ]


def test_what_is_said_once_or_in_step_with_the_music_is_not_told() -> None:
    words, other = speech(WAIT, level=0.12), speech(ASK, level=0.12)
    alone = [Piece(0.0, LENGTH_S, "music", 0.9)]
    assert len(_told_s(_said(_bed(), words, SAID_S), list(alone))) == 3
    once = _said(_said(_bed(), words, (18.0,)), other, (47.0,))
    assert _told_s(once, list(alone)) == []
    in_step = _said(_bed(), words, (18.0, 18.0 + 2 * LOOP_S, 18.0 + 5 * LOOP_S))
    assert _told_s(in_step, list(alone)) == []


def test_words_that_were_heard_in_part_become_one_piece_and_the_pieces_stay_contiguous() -> None:
    words = speech(WAIT, level=0.12)
    parts = [
        Piece(0.0, 19.0, "music", 0.9),
        Piece(19.0, 21.0, "speech", 0.7, over_music=True),
        Piece(21.0, LENGTH_S, "music", 0.9),
    ]
    frames = _frames(_said(_bed(), words, SAID_S))
    told = told_over_music(parts, [_hold(parts)], [(LOOP_S, 0.9)], frames)
    assert [p.kind for p in told] == ["music", "speech"] * 3 + ["music"]
    assert [p.start_s for p in told[1:]] == [p.end_s for p in told[:-1]]
    assert (told[0].start_s, told[-1].end_s) == (0.0, LENGTH_S)


def test_a_call_tells_messages_that_are_softer_than_the_music() -> None:
    words = speech(WAIT, level=0.12)
    hold, said_s = music(300, loop_s=31.3, level=0.15), (18.0, 97.9, 180.0)
    hold = _said(hold, words, said_s, 0.3)
    before = np.concatenate([quiet(1), rhythm((440, 480), (2, 4), 2)[: 8 * RATE], quiet(0.6), speech(MENU), quiet(3)])
    sound = np.concatenate([before, hold, quiet(0.6), speech(HELLO, "en+m3"), quiet(2.5)])
    timeline = listen(sound, RATE)
    begin_s = len(before) / RATE
    told_s = [said.start_s - begin_s for message in timeline.messages for said in message.occurrences]
    assert told_s == pytest.approx(said_s, abs=0.3)
    assert [h.music_loop_s for h in timeline.holds] == [pytest.approx(31.3, abs=0.05)]

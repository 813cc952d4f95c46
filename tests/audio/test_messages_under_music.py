"""Messages under music so loud that it hides that somebody speaks: known words are sought in what seems music alone."""

import numpy as np
import pytest

from probes.audio.calls import Piece
from probes.audio.listen import Listener, listen
from probes.audio.messages import made_whole
from probes.audio.repeats import STEP_S, Prints, comes_as_a_message, find_again
from tests.audio.sounds import ASK, HELLO, MENU, RATE, WAIT, Sound, music, quiet, rhythm, speech


def _steps(at_s: float) -> int:
    return round(at_s / STEP_S)


def _with_words(bed: Sound, words: Sound, starts_s: tuple[float, ...]) -> Sound:
    out = bed.copy()
    for start_s in starts_s:
        first = round(start_s * RATE)
        out[first : first + len(words)] += words
    return out


def test_known_words_are_found_where_a_loud_tune_hides_them() -> None:
    words = speech(WAIT, level=0.3)
    said_s = (10.0, 41.3, 77.9)
    sound = _with_words(music(100, loop_s=120, level=0.05), words, said_s)
    listener = Listener()
    listener.push(sound)
    prints = Prints(np.concatenate([k.mel for k in listener.kept_since(0)]))
    length_s = len(words) / RATE
    pattern = (_steps(said_s[0]), _steps(said_s[0] + length_s))
    places = find_again(prints, [pattern], [(_steps(said_s[0] + length_s), len(prints))])
    assert [p.start * STEP_S for p in places] == pytest.approx(said_s[1:], abs=0.1)


def test_other_words_and_the_tune_itself_are_not_the_message() -> None:
    words, others = speech(WAIT, level=0.3), speech(ASK, level=0.3)
    sound = _with_words(music(100, loop_s=120, level=0.05), others, (40.0, 80.0))
    sound = _with_words(sound, words, (10.0,))
    listener = Listener()
    listener.push(sound)
    prints = Prints(np.concatenate([k.mel for k in listener.kept_since(0)]))
    end_s = 10.0 + len(words) / RATE
    assert find_again(prints, [(_steps(10.0), _steps(end_s))], [(_steps(end_s), len(prints))]) == []


@pytest.mark.parametrize("drowned_s", [(81.0, 118.0), ()])
def test_a_call_tells_the_messages_that_its_music_drowned(drowned_s: tuple[float, ...]) -> None:
    words, clear_s = speech(WAIT), (12.0, 47.0)
    hold = music(140, loop_s=31.3, level=0.1)
    for start_s in clear_s:  # the queue turns its music down for these, and not for the others
        first = round(start_s * RATE)
        hold[first : first + len(words)] *= 0.3
    hold = _with_words(hold, words, (*clear_s, *drowned_s))
    before = np.concatenate([quiet(1), rhythm((440, 480), (2, 4), 2)[: 8 * RATE], quiet(0.6), speech(MENU), quiet(3)])
    timeline = listen(np.concatenate([before, hold, quiet(0.6), speech(HELLO, "en+m3"), quiet(2.5)]), RATE)
    begin_s = len(before) / RATE
    told_s = [[said.start_s for said in message.occurrences] for message in timeline.messages]
    assert len(told_s) == 1
    assert told_s[0] == pytest.approx([begin_s + at_s for at_s in (*clear_s, *drowned_s)], abs=1)
    assert [h.announcements for h in timeline.holds] == [2 + len(drowned_s)]
    assert timeline.holds[0].start_s == pytest.approx(begin_s, abs=0.5)
    assert timeline.holds[0].end_s == pytest.approx(begin_s + 140, abs=0.7)


@pytest.mark.parametrize(
    ("starts_s", "periods_s", "expected"),
    [
        ([20.0, 60.4, 100.9, 221.8], [94.7], True),  # every 40 s, some of them missed
        ([20.0, 60.4, 100.9, 221.8], [], True),
        ([20.0, 28.0, 36.0, 52.0], [], False),  # a bar
        ([20.0, 97.8, 175.7], [77.85], False),  # a chorus, once a round
        ([20.0, 97.8, 130.0, 285.7], [77.85], False),
        ([20.0], [77.85], False),
        ([], [], False),
    ],
)
def test_messages_come_at_times_of_their_own(starts_s: list[float], periods_s: list[float], expected: bool) -> None:
    assert comes_as_a_message(starts_s, periods_s) is expected


def test_the_moment_at_which_one_begins_to_listen_does_not_matter() -> None:
    starts_s = [20.0, 60.4, 100.9, 221.8]
    for later_s in np.linspace(0, 500, 7):
        assert comes_as_a_message([s + float(later_s) for s in starts_s], [94.7])


@pytest.mark.parametrize(
    ("drowned", "same_song", "end_s"), [(True, False, 66.0), (False, False, 62.0), (True, True, 62.0)]
)
def test_a_message_of_which_only_the_beginning_was_heard_is_as_long_as_it_was_before(
    drowned: bool, same_song: bool, end_s: float
) -> None:
    rng = np.random.default_rng(3)
    prints, words = (rng.standard_normal((n, 20)).astype(np.float32) for n in (2500, 150))
    if same_song:  # half of what is heard is a tune that comes again after 40 s
        prints[1000:2500] += prints[:1500]
    prints[_steps(20) : _steps(26)] = words
    prints[_steps(60) : _steps(66)] += words if drowned else words[::-1]
    first = Piece(20.0, 26.0, "speech", 0.9, over_music=True, repeated=True)
    again = Piece(60.0, 62.0, "speech", 0.9, over_music=True, repeated=True, repeat_of=first, again_after_s=40.0)
    parts = [
        Piece(0.0, 20.0, "music", 0.9),
        first,
        Piece(26.0, 60.0, "music", 0.9),
        again,
        Piece(62.0, 100.0, "music", 0.9),
    ]
    assert made_whole(parts, prints) is (end_s > 62.0)
    assert (again.start_s, again.end_s, parts[-1].start_s) == (60.0, end_s, end_s)

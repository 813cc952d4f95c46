"""Who speaks and what is a hold, where the sound alone misleads: greetings, presenters, music in the room, notes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from probes.audio.calls import Piece, no_music_under, noise_is_no_music, pieces, settle
from probes.audio.holds import HoldSpan, find_holds
from probes.audio.listen import listen
from probes.audio.repeats import find_repeats
from probes.audio.songs import take_back_songs
from probes.audio.states import MUSIC, SILENCE, TONE, Stretch
from probes.audio.timeline import EndReason, HoldMode, Kind, Label, Tone
from probes.audio.who import say_who
from tests.audio.sounds import ASK, HELLO, MENU, PROMISE, RATE, WAIT, Sound, music, quiet, rhythm, speech, tone

MORE = ("Let me look that up for you.", "I can see your order here, it has left our store.", "Would Monday suit you?")
RING = rhythm((440, 480), (2, 4), 2)[: 8 * RATE]


def talk(voice: str = "en+m3", pause_s: float = 2.5, texts: tuple[str, ...] = (HELLO, ASK, PROMISE)) -> Sound:
    return np.concatenate([np.concatenate([speech(text, voice), quiet(pause_s)]) for text in texts])


def laid(*stretches: tuple[str, float, float]) -> tuple[list[Piece], NDArray[np.float32]]:
    """Return pieces, one after the other, and the level of each 20 ms; from kind, seconds, dBFS."""
    ends_s = np.cumsum([0.0, *[length_s for _, length_s, _ in stretches]])
    parts = [Piece(ends_s[i], ends_s[i + 1], kind, 0.9) for i, (kind, _, _) in enumerate(stretches)]
    return parts, np.concatenate([np.full(round(s * 50), dbfs, np.float32) for _, s, dbfs in stretches])


def test_what_is_said_before_it_rings_again_is_a_recording() -> None:
    before = np.concatenate([quiet(1), RING, quiet(0.6), speech(MENU), quiet(0.8), RING, quiet(0.5)])
    timeline = listen(np.concatenate([before, talk()]), RATE)
    assert timeline.first_person_s == pytest.approx(len(before) / RATE, abs=0.3)
    greeting = next(s for s in timeline.segments if s.kind is Kind.SPEECH)
    assert greeting.label is Label.IVR
    assert greeting.why == ("ringing_follows",)


def test_another_voice_right_after_the_first_words_makes_them_doubtful() -> None:
    greeting = np.concatenate([quiet(1), RING, quiet(0.6), speech(MENU, "en-gb+f3"), quiet(1.0)])
    timeline = listen(np.concatenate([greeting, talk("en+m7")]), RATE)
    assert timeline.first_person_s == pytest.approx(len(greeting) / RATE, abs=0.3)


@pytest.mark.parametrize(("voice", "label"), [("en+m7", Label.UNSURE), ("en-gb+f3", Label.IVR)])
def test_a_few_turns_after_a_key_are_a_menu_only_in_the_voice_of_the_menu(voice: str, label: Label) -> None:
    key = np.concatenate([speech(MENU, "en-gb+f3"), quiet(1.5), tone((770, 1336), 0.3), quiet(0.6)])
    timeline = listen(np.concatenate([quiet(1), RING, quiet(0.6), key, talk(voice), quiet(20)]), RATE)
    said = [s.label for s in timeline.segments if s.kind is Kind.SPEECH]
    assert said[0] is Label.IVR
    assert set(said[1:]) == {label}


def test_one_person_from_the_first_word_on_is_not_doubted() -> None:
    start = np.concatenate([quiet(1), RING, quiet(0.6)])
    timeline = listen(np.concatenate([start, talk(), talk(texts=MORE)]), RATE)
    assert timeline.first_person_s == pytest.approx(len(start) / RATE, abs=0.3)


def test_a_presenter_without_a_pause_for_an_answer_is_part_of_the_hold() -> None:
    words = np.concatenate([speech(text, "en+m3") for text in (HELLO, ASK, PROMISE, MENU)])
    assert len(words) > 18 * RATE
    timeline = listen(np.concatenate([quiet(1), music(25), words, music(25), quiet(1)]), RATE)
    assert len(timeline.holds) == 1
    assert timeline.first_person_s is None


def test_soft_music_in_the_room_of_a_person_is_no_hold() -> None:
    said = np.concatenate([talk(pause_s=3.0), talk(pause_s=4.0, texts=MORE)])
    bed = music(len(said) / RATE + 1, loop_s=60)[: len(said)]
    timeline = listen(np.concatenate([quiet(1), RING, quiet(0.6), said + bed * 0.12]), RATE)
    assert timeline.holds == ()


def test_what_is_said_before_a_queue_with_its_messages_is_a_greeting() -> None:
    thanks = speech("Thank you. Your call is being put through to our service team.", "en-gb+f3")
    greeting = np.concatenate([speech(MENU, "en-gb+f3"), quiet(4.0), thanks, quiet(0.3)])
    queue = np.concatenate([np.concatenate([music(20), speech(WAIT, "en-gb+f3")]) for _ in range(3)])
    before = np.concatenate([greeting, queue, music(10), quiet(1.0)])
    timeline = listen(np.concatenate([before, talk("en+m7"), talk("en+m7", texts=MORE)]), RATE)
    assert timeline.first_person_s == pytest.approx(len(before) / RATE, abs=0.5)


@pytest.mark.parametrize("pause_s", [0.0, 0.2])
def test_a_note_held_within_a_tune_is_no_tone(pause_s: float) -> None:
    note = np.concatenate([quiet(pause_s), tone((440,), 1.0, 0.2), quiet(pause_s)])
    timeline = listen(np.concatenate([quiet(1), music(20), note, music(20), quiet(1)]), RATE)
    assert [s.label for s in timeline.segments if s.kind is Kind.TONE] == []


@pytest.mark.parametrize("pause_s", [2.5, 5.0, 9.0])
def test_a_single_note_far_from_the_next_within_a_tune_is_no_ringing(pause_s: float) -> None:
    note = np.concatenate([quiet(pause_s), tone((440,), 2.3, 0.2), quiet(pause_s)])
    timeline = listen(np.concatenate([quiet(1), music(20), note, music(20), quiet(1)]), RATE)
    assert [s.label for s in timeline.segments if s.kind is Kind.TONE] == []
    assert len(timeline.holds) == 1


def test_ringing_between_two_tunes_is_ringing() -> None:
    ring = np.concatenate([quiet(2), *[tone((440, 480), 2.0, 0.2), quiet(4)] * 3])
    timeline = listen(np.concatenate([quiet(1), music(20), ring, music(20), quiet(1)]), RATE)
    assert [s.label for s in timeline.segments if s.kind is Kind.TONE] == [Label.RINGBACK]


def test_a_wait_goes_on_with_its_messages_while_its_music_is_not_heard() -> None:
    words = speech(WAIT)
    over = words + music(len(words) / RATE + 1, seed=4)[: len(words)] * 0.15
    lull = np.concatenate([quiet(9), words, quiet(9), words, quiet(9)])
    hold = np.concatenate([music(14), over, music(14), over, music(10), lull, music(14), over, music(10)])
    timeline = listen(np.concatenate([quiet(1), hold, quiet(1)]), RATE)
    assert [(h.start_s, h.end_s) for h in timeline.holds] == [pytest.approx((1.0, 1 + len(hold) / RATE), abs=0.5)]


def test_a_message_that_ends_the_hold_ends_it_even_when_it_was_heard_in_two_parts() -> None:
    words = speech(WAIT)
    hold = np.concatenate([music(15), words, quiet(0.8), speech(HELLO), music(15), words, quiet(0.8), speech(HELLO)])
    timeline = listen(np.concatenate([quiet(1), hold, quiet(2)]), RATE)
    assert [h.end_s for h in timeline.holds] == pytest.approx([1 + len(hold) / RATE], abs=0.3)


@pytest.mark.parametrize("pause_s", [0.16, 0.4])
def test_a_person_right_after_the_music_is_not_part_of_the_hold(pause_s: float) -> None:
    hold = np.concatenate([quiet(1), music(40), quiet(pause_s)])
    timeline = listen(np.concatenate([hold, talk(), talk(texts=MORE)]), RATE)
    assert [h.end_s for h in timeline.holds] == pytest.approx([41], abs=0.5)
    assert timeline.first_person_s == pytest.approx(len(hold) / RATE, abs=0.5)


def test_a_talk_with_faint_music_in_the_room_ends_the_hold() -> None:
    said = np.concatenate([talk(pause_s=2.0), talk(pause_s=3.0, texts=MORE)])
    bed = music(len(said) / RATE + 1, loop_s=60, seed=8)[: len(said)]
    timeline = listen(np.concatenate([quiet(1), music(30), quiet(0.8), said + bed * 0.12]), RATE)
    assert [h.end_s for h in timeline.holds] == pytest.approx([31], abs=1.0)
    assert timeline.first_person_s == pytest.approx(31.8, abs=1.0)


def test_a_presenter_whose_words_begin_with_the_end_of_the_music_is_part_of_the_hold() -> None:
    words = np.concatenate([speech(HELLO, "en+m3"), quiet(0.7), speech(ASK, "en+m3"), quiet(0.4)])
    timeline = listen(np.concatenate([quiet(1), music(30), words, music(30, seed=9), quiet(1)]), RATE)
    assert len(timeline.holds) == 1
    assert timeline.first_person_s is None


def test_a_jingle_before_the_greeting_is_no_hold() -> None:
    call = np.concatenate([quiet(1), RING, quiet(0.6), music(6), speech(MENU), quiet(3), speech(WAIT), quiet(3)])
    assert listen(call, RATE).holds == ()


def test_music_that_a_first_message_interrupts_is_a_hold_even_when_the_call_ends_then() -> None:
    call = np.concatenate([quiet(1), RING, quiet(0.6), speech(MENU), quiet(4), music(12), speech(WAIT), music(2)])
    timeline = listen(call, RATE)
    assert len(timeline.holds) == 1
    assert timeline.end is EndReason.ON_HOLD or timeline.holds[0].end_s > len(call) / RATE - 12


@pytest.mark.parametrize(("odds", "end_s"), [(0.6, 41.0), (0.95, 43.4)])
def test_a_doubtful_sound_before_the_first_words_after_a_pause_is_one_of_them(odds: float, end_s: float) -> None:
    kinds = [("silence", 1.0), ("music", 40.0), ("silence", 0.9), ("music", 1.5), ("silence", 0.4), ("speech", 3.0)]
    parts, at_s = [], 0.0
    for kind, length_s in kinds:
        parts.append(Piece(at_s, at_s + length_s, kind, odds if (kind, length_s) == ("music", 1.5) else 0.95))
        at_s += length_s
    level_dbfs = np.concatenate(
        [np.full(round(p.length_s * 50), -70.0 if p.kind == "silence" else -25.0) for p in parts]
    )
    (hold,) = find_holds(parts, level_dbfs.astype(np.float32))
    assert hold.end_s == pytest.approx(end_s, abs=0.05)
    assert (parts[3].kind == "speech") is (end_s < 42)


def test_a_person_right_after_the_part_of_a_message_that_came_again_is_not_part_of_it() -> None:
    tip = "You can also write to us. You will find the form on our pages, and we answer within a day."
    whole = np.concatenate([speech(WAIT), quiet(0.3), speech(tip)])
    queue = np.concatenate([music(20), whole, music(22), whole, music(18), speech(WAIT)])
    before = np.concatenate([quiet(1), RING, quiet(0.6), queue])
    timeline = listen(np.concatenate([before, quiet(0.25), talk("en+m7")]), RATE)
    assert timeline.holds[0].end_s == pytest.approx(len(before) / RATE, abs=0.3)
    assert timeline.first_person_s == pytest.approx(len(before) / RATE + 0.25, abs=0.3)


def test_many_lines_and_a_beep_after_which_nobody_speaks_are_an_answering_machine() -> None:
    lines = np.concatenate([np.concatenate([speech(text), quiet(3.5)]) for text in (MENU, WAIT, PROMISE, ASK)])
    machine = np.concatenate([lines[: -int(3.2 * RATE)], tone((1000,), 0.5), quiet(20)])
    timeline = listen(np.concatenate([quiet(1), RING, quiet(0.6), machine]), RATE)
    assert timeline.first_person_s is None


def test_a_talk_in_another_voice_after_a_menu_that_came_twice_is_a_person() -> None:
    before = np.concatenate([quiet(1), RING, quiet(0.6), speech(MENU), quiet(4), speech(MENU), quiet(4)])
    person = talk("en+m7", texts=(HELLO, ASK, PROMISE, MORE[1]))
    timeline = listen(np.concatenate([before, person, quiet(20)]), RATE)
    assert timeline.first_person_s == pytest.approx(len(before) / RATE, abs=0.3)


@pytest.mark.parametrize(
    ("after", "stop_s", "over"), [("silence", 0.2, False), ("silence", 0, True), ("music", 0.2, True)]
)
def test_music_that_stopped_before_the_words_is_not_under_them(after: str, stop_s: float, over: bool) -> None:
    ends_s, length_s = 20.0, 5.0
    level_dbfs = np.full(1600, -30.0, np.float32)
    words = level_dbfs[1000:1250]
    words[::10] = words[1::10] = words[2::10] = -52.0  # what is heard between them
    level_dbfs[round((ends_s - stop_s) * 50) : 1000] = -56.0
    level_dbfs[1250:] = -80.0 if after == "silence" else -30.0
    parts = [
        Piece(0.0, ends_s, "music", 0.9),
        Piece(ends_s, ends_s + length_s, "speech", 0.9, over_music=True),
        Piece(ends_s + length_s, 32.0, after, 0.9),
    ]
    assert no_music_under(parts, level_dbfs)[1].over_music is over


@pytest.mark.parametrize(("stop_dbfs", "over"), [(-70.0, False), (-55.0, True)])
def test_words_after_the_line_fell_silent_are_over_no_music_though_a_room_is_heard_between_them(
    stop_dbfs: float, over: bool
) -> None:
    parts, level_dbfs = laid(
        ("silence", 3.0, -71.0), ("music", 20.0, -45.0), ("speech", 4.0, -30.0), ("silence", 4.0, -68.0)
    )
    level_dbfs[22 * 50 + 38 : 23 * 50] = stop_dbfs
    words = level_dbfs[23 * 50 : 27 * 50]
    words[::10] = words[1::10] = words[2::10] = -50.0  # the room
    parts[2].over_music = True
    assert no_music_under(parts, level_dbfs)[2].over_music is over


@pytest.mark.parametrize(("odds", "kind"), [(0.7, "music"), (0.9, "speech")])
def test_doubtful_words_that_go_over_into_music_are_its_first_notes(odds: float, kind: str) -> None:
    parts = [
        Piece(0.0, 5.0, "silence", 0.9),
        Piece(5.0, 6.8, "speech", odds),
        Piece(6.8, 30.0, "music", 0.9),
    ]
    assert settle(parts)[1].kind == kind


def test_the_next_round_of_a_loop_tells_how_the_music_began() -> None:
    prints = np.random.default_rng(4).standard_normal((2500, 20)).astype(np.float32)
    prints[500:2500] = np.tile(prints[500:1000], (4, 1))  # music from 20 s on, its loop is 20 s
    for before, starts_s in ((Piece(20.0, 22.0, "speech", 0.9), 20.0), (Piece(18.0, 22.0, "speech", 0.9), 22.0)):
        parts = [Piece(0.0, before.start_s, "silence", 0.9), before, Piece(22.0, 100.0, "music", 0.9)]
        hold = HoldSpan(22.0, 100.0, HoldMode.MUSIC, 2, 2, 0.9)
        assert take_back_songs(parts, hold, 500.0, prints).start_s == starts_s


@pytest.mark.parametrize(("alike", "known"), [(0.97, True), (0.75, False)])
def test_a_like_phrase_in_the_middle_of_other_words_is_no_message(alike: float, known: bool) -> None:
    rng = np.random.default_rng(6)
    prints = rng.standard_normal((600, 20)).astype(np.float32)
    phrase = slice(430, 490)  # of the second stretch, 100 steps long
    prints[phrase] = alike * prints[130:190] + np.sqrt(1 - alike**2) * prints[phrase]
    assert bool(find_repeats(prints, [(100, 200, False), (400, 500, False)])) is known


@pytest.mark.parametrize(("odds", "rounds", "kind"), [(0.91, 4, "music"), (0.91, 2, "speech"), (0.96, 4, "speech")])
def test_words_in_every_round_of_the_music_are_sung(odds: float, rounds: int, kind: str) -> None:
    prints = np.random.default_rng(4).standard_normal((3000, 20)).astype(np.float32)
    prints[500 : 500 + 500 * rounds] = np.tile(prints[500:1000], (rounds, 1))
    end_s = 20.0 + 20.0 * rounds
    parts = [
        Piece(0.0, 20.0, "silence", 0.9),
        Piece(20.0, 25.0, "music", 0.9),
        Piece(25.0, 30.0, "speech", odds, over_music=True),
        Piece(30.0, end_s, "music", 0.9),
    ]
    take_back_songs(parts, HoldSpan(20.0, end_s, HoldMode.MUSIC_AND_MESSAGES, 1, 3, 0.9), 500.0, prints)
    assert parts[2].kind == kind


@pytest.mark.parametrize(("longest_s", "holds"), [(7.0, 0), (25.0, 1)])
def test_music_in_the_pauses_of_a_talk_is_of_its_room_from_the_first_words_on(longest_s: float, holds: int) -> None:
    turns = [("speech", 3.0, -20.0), ("music", 4.0, -36.0)] * 6
    parts, level_dbfs = laid(
        ("silence", 2.0, -70.0), ("speech", 2.5, -20.0), ("music", longest_s, -36.0), *turns, ("silence", 1.0, -70.0)
    )
    for p in parts[1:-1]:
        p.over_music = p.kind == "speech" and p.start_s > 5
    assert len(find_holds(parts, level_dbfs)) == holds


@pytest.mark.parametrize(("last_dbfs", "end_s"), [(-42.0, 133.0), (-60.0, 120.0)])
def test_a_soft_track_at_the_end_stays_in_a_hold_that_has_others_as_soft(last_dbfs: float, end_s: float) -> None:
    parts, level_dbfs = laid(
        ("silence", 2.0, -75.0),
        *[("music", 38.0, -25.0), ("silence", 2.0, -75.0)] * 2,
        ("music", 38.0, -41.0),
        ("silence", 4.0, -75.0),
        ("music", 9.0, last_dbfs),
        ("silence", 3.0, -75.0),
    )
    (hold,) = find_holds(parts, level_dbfs)
    assert hold.end_s == pytest.approx(end_s, abs=0.1)


def test_a_wait_whose_music_is_heard_now_and_then_is_one() -> None:
    heard, hidden, words = ("music", 18.0, -30.0), ("silence", 18.0, -45.0), ("speech", 6.0, -20.0)
    parts, level_dbfs = laid(
        ("silence", 2.0, -45.0),
        ("speech", 5.0, -20.0),
        hidden,
        words,
        hidden,
        words,
        heard,
        words,
        hidden,
        words,
        heard,
    )
    said = [p for p in parts[2:] if p.kind == "speech"]
    for p in said:
        p.repeated, p.repeat_of = True, None if p is said[0] else said[0]
    assert [(h.start_s, h.end_s) for h in find_holds(parts, level_dbfs)] == [(parts[2].start_s, parts[-1].end_s)]


@pytest.mark.parametrize(("bands_db", "kind"), [((0.0, 0.0), "silence"), ((9.0, -9.0), "music")])
def test_noise_that_goes_on_for_long_is_no_music(bands_db: tuple[float, float], kind: str) -> None:
    parts, level_dbfs = laid(("speech", 5.0, -20.0), ("silence", 5.0, -45.0), ("music", 60.0, -44.0))
    rng = np.random.default_rng(2)

    def mel_db(from_s: float, to_s: float) -> NDArray[np.float32]:
        noise = rng.normal(-45, 3, (round((to_s - from_s) / 0.04), 20))
        if from_s > 10:
            noise += np.repeat(bands_db, 10)
        return noise.astype(np.float32)

    assert noise_is_no_music(parts, level_dbfs, mel_db)[-1].kind == kind


def test_noise_of_a_day_is_compared_with_no_more_of_the_call_than_that_of_a_minute() -> None:
    kinds = [("speech", 5.0, -20.0), ("silence", 600.0, -45.0)] * 20
    parts, level_dbfs = laid(*kinds, ("music", 12 * 3600.0, -44.0))
    asked_s: list[float] = []

    def mel_db(from_s: float, to_s: float) -> NDArray[np.float32]:
        asked_s.append(to_s - from_s)
        return np.random.default_rng(3).normal(-45, 3, (round((to_s - from_s) / 0.04), 20)).astype(np.float32)

    assert noise_is_no_music(parts, level_dbfs, mel_db)[-1].kind == "silence"
    assert sum(asked_s) < 1000


@pytest.mark.parametrize(("pause_s", "kind"), [(1.0, "music"), (3.0, "tone")])
def test_what_sounds_like_a_tone_soon_after_music_is_its_next_note(pause_s: float, kind: str) -> None:
    ends = np.cumsum([0, 20, pause_s, 1.8, 4]) * 50
    states = (MUSIC, SILENCE, TONE, SILENCE)
    stretches = [Stretch(round(a), round(b), s, 0.9) for a, b, s in zip(ends, ends[1:], states, strict=False)]
    parts = pieces(stretches, [], ends[-1] / 50)
    assert parts[2].kind == kind


def test_two_bursts_of_a_busy_tone_within_a_tune_are_its_notes() -> None:
    notes = Tone(20.0, 20.9, Label.REORDER, (480.0, 620.0), -20.0, 2, 0.3, 0.2, "us", None, 0.98)
    parts = pieces([Stretch(0, 3000, MUSIC, 0.9)], [notes], 60.0)
    assert [p.kind for p in parts] == ["music"]


@pytest.mark.parametrize(("pause_s", "starts_s"), [(0.0, 2.0), (0.8, 13.6)])
def test_music_is_short_before_words_that_fill_the_gap_to_more_of_it(pause_s: float, starts_s: float) -> None:
    parts, level_dbfs = laid(
        ("silence", 2.0, -70.0),
        ("music", 3.0, -25.0),
        *([("silence", pause_s, -70.0)] if pause_s else []),
        ("speech", 7.0, -22.0),
        *([("silence", pause_s, -70.0)] if pause_s else []),
        ("music", 60.0, -25.0),
        ("silence", 2.0, -70.0),
    )
    assert [h.start_s for h in find_holds(parts, level_dbfs)] == pytest.approx([starts_s])


@pytest.mark.parametrize(("next_kind", "end_s"), [("tone", 43.5), ("speech", 42.0)])
def test_brief_words_after_the_music_before_it_rings_are_still_of_the_hold(next_kind: str, end_s: float) -> None:
    parts, level_dbfs = laid(
        ("silence", 2.0, -70.0),
        ("music", 40.0, -25.0),
        ("speech", 1.5, -22.0),
        ("silence", 1.0, -70.0),
        (next_kind, 2.0, -22.0),
        ("silence", 2.0, -70.0),
    )
    parts[4].label = Label.RINGBACK if next_kind == "tone" else Label.UNSURE
    assert [h.end_s for h in find_holds(parts, level_dbfs)] == pytest.approx([end_s])


@pytest.mark.parametrize(("pause_s", "starts_s"), [(0.9, 30.9), (0.0, 10.0)])
def test_a_sound_within_a_talk_is_no_beginning_of_the_hold_after_it(pause_s: float, starts_s: float) -> None:
    parts, level_dbfs = laid(
        ("silence", 2.0, -70.0),
        ("speech", 6.0, -22.0),
        ("silence", 2.0, -70.0),
        ("music", 13.0, -25.0),
        ("speech", 7.0, -22.0),
        *([("silence", pause_s, -70.0)] if pause_s else []),
        ("music", 60.0, -25.0),
        ("silence", 2.0, -70.0),
    )
    assert [h.start_s for h in find_holds(parts, level_dbfs)] == pytest.approx([starts_s])


@pytest.mark.parametrize(("times", "holds"), [(6, 1), (3, 2)])
def test_a_message_that_comes_all_the_time_keeps_a_wait_together_where_the_music_is_not_heard(
    times: int, holds: int
) -> None:
    music, words, hidden = ("music", 16.0, -25.0), ("speech", 5.0, -22.0), ("silence", 10.5, -60.0)
    some = [music, words] * (times // 2)
    parts, level_dbfs = laid(
        ("silence", 2.0, -70.0), *some, hidden, words, hidden, *some[: 2 * (times - 2) // 2], music
    )
    said = [p for p in parts if p.kind == "speech"]
    for p in said:
        p.repeated, p.repeat_of = True, None if p is said[0] else said[0]
    assert len(find_holds(parts, level_dbfs)) == holds


@pytest.mark.parametrize(("before_s", "starts_s"), [(20.0, 2.0), (2.0, 4.2)])
def test_a_key_does_not_end_a_hold_that_has_begun(before_s: float, starts_s: float) -> None:
    parts, level_dbfs = laid(
        ("silence", 2.0, -70.0), ("music", before_s, -25.0), ("tone", 0.2, -20.0), ("music", 40.0, -25.0)
    )
    parts[2].label = Label.DTMF
    *_, last = find_holds(parts, level_dbfs)
    assert last.start_s == pytest.approx(starts_s)


def test_a_talk_after_a_menu_that_was_said_twice_and_a_key_is_no_menu() -> None:
    turn = [("speech", 4.0, -20.0), ("silence", 2.5, -70.0)]
    parts, _ = laid(
        ("silence", 1.0, -70.0),
        *[("speech", 9.0, -20.0), ("silence", 3.0, -70.0)] * 2,
        ("tone", 0.3, -20.0),
        ("silence", 1.0, -70.0),
        *turn * 6,
    )
    parts[1].repeated = parts[3].repeated = True
    parts[3].repeat_of = parts[1]
    parts[5].label = Label.DTMF
    say_who(parts, [])
    assert [p.label for p in parts if p.kind == "speech"] == [Label.IVR] * 2 + [Label.AGENT] * 6

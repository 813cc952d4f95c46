"""Speech before our last menu key is the menu's, however lively it sounded."""

from __future__ import annotations

from dataclasses import replace

from audit.analysis.settling import settled
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, LineQuality, Segment, Timeline


def speech(start_s: float, end_s: float, label: Label) -> Segment:
    return Segment(start_s, end_s, Kind.SPEECH, label, 0.9)


HOLD = Hold(40.0, 60.0, HoldMode.MUSIC, None, None, 0.0, None, None, (), 0, 0.9)
HEARD = Timeline(
    duration_s=80.0,
    answered_s=0.0,
    first_person_s=2.0,
    segments=(speech(2.0, 9.0, Label.AGENT), speech(12.0, 18.0, Label.UNSURE), speech(61.0, 70.0, Label.AGENT)),
    holds=(HOLD,),
    music_loop_s=None,
    tones=(),
    messages=(),
    dead_air=(),
    talk_over=None,
    quality=LineQuality(None, None, False, 0.0, 0.0, False),
    end=EndReason.IN_SPEECH,
    listener_version="test",
)


def test_a_lively_prompt_before_our_keys_is_no_person() -> None:
    result = settled(HEARD, [10.0, 19.0])
    assert [segment.label for segment in result.segments] == [Label.IVR, Label.IVR, Label.AGENT]
    assert result.first_person_s == 61.0
    assert "keys" in result.segments[0].why[-1]


def test_keys_after_a_hold_may_answer_a_person() -> None:
    assert settled(HEARD, [75.0]) is HEARD
    assert settled(HEARD, []) is HEARD


def test_nobody_is_left_where_only_the_menu_spoke() -> None:
    menu = replace(HEARD, segments=HEARD.segments[:2], holds=())
    assert settled(menu, [30.0]).first_person_s is None


def test_a_voice_that_answered_our_question_is_a_person() -> None:
    direct = replace(
        HEARD, segments=(speech(2.0, 9.0, Label.IVR), speech(12.0, 18.0, Label.UNSURE)), first_person_s=None, holds=()
    )
    assert settled(direct, [], [2.6]).first_person_s == 2.0
    assert settled(direct, [10.0], [2.6]).first_person_s is None  # a menu heard our key
    assert settled(direct, [], [40.0]) is direct


def test_a_doubtful_person_before_the_one_who_answered_is_none() -> None:
    doubtful = replace(speech(12.0, 18.0, Label.AGENT), confidence=0.66)
    heard = replace(HEARD, segments=(doubtful, HEARD.segments[2]), first_person_s=12.0)
    assert settled(heard, [], [61.0]).first_person_s == 61.0
    assert settled(heard, []).first_person_s == 12.0
    sure = replace(heard, segments=(speech(12.0, 18.0, Label.AGENT), HEARD.segments[2]))
    assert settled(sure, [], [61.0]).first_person_s == 12.0


def test_a_few_words_between_our_keys_and_the_hold_are_doubtful_where_another_voice_comes_later() -> None:
    few = replace(speech(22.0, 26.0, Label.AGENT), confidence=0.63, why=("voice_unlike_later_person", "few_turns"))
    heard = replace(HEARD, segments=(*HEARD.segments[:2], few, HEARD.segments[2]))
    assert settled(heard, [19.0]).first_person_s == 61.0
    assert settled(heard, [19.0]).segments[2].label is Label.UNSURE
    assert settled(heard, []) is heard  # without a menu a person may have answered at once
    sure = replace(heard, segments=(*HEARD.segments[:2], replace(few, confidence=0.85), HEARD.segments[2]))
    assert settled(sure, [19.0]).first_person_s == 22.0

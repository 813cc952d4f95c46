"""Menus learnt from calls: where keys lead, what is said again, dead ends, and what changed from audit to audit."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from audit.analysis.facts import Case, read_facts
from audit.analysis.menus import IDENTIFICATION, changes, menu_maps, path_words, visits
from audit.analysis.model.calls import LeadsTo, MenuMap
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, LineQuality, Segment, Timeline
from probes.errors import Side
from probes.events import (
    Action,
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    ClockName,
    DigitsSent,
)
from tests.analysis.book import START, Book
from tests.analysis.plans import plan

QUALITY = LineQuality(None, None, False, 0.0, 0.0, False)


def prompt(start_s: float, end_s: float, message: int | None = None, label: Label = Label.IVR) -> Segment:
    return Segment(start_s, end_s, Kind.SPEECH, label, 0.9, message=message)


def heard(*segments: Segment, hold_s: float | None = None, person_s: float | None = None) -> Timeline:
    holds = (
        () if hold_s is None else (Hold(hold_s, hold_s + 30, HoldMode.MUSIC, None, None, 0.0, None, None, (), 0, 0.9),)
    )
    return Timeline(120.0, 0.0, person_s, segments, holds, None, (), (), (), None, QUALITY, EndReason.OTHER, "test")


def case_of(*calls: tuple[list[tuple[float, str | None]], Timeline, Side]) -> Case:
    book = Book()
    book.begin()
    book.open_case(0)
    for number, (keys, timeline, by) in enumerate(calls):
        at_h = 1.0 + number
        book.start(at_h, Action.CALL, channel="phone")
        book.add(CallDialled("+442079460101", "+442079460200", "twilio", f"CA{number}"), at_h)
        book.add(CallAnswered(0.1), at_h, s=5)
        for t_s, digits in keys:
            purpose = "menu" if digits is not None else "identification"
            book.add(DigitsSent(digits, 8, purpose, t_s), at_h, s=5 + t_s, clock=ClockName.MEDIA)
        book.add(CallRecorded(120.0, 8000, 2, 0, START, 1.0), at_h, s=5)
        book.add(CallHeard("test", timeline), at_h, s=5)
        book.add(CallEnded(by, ("told",), None, 120.0, 1.0), at_h, s=125)
        book.stop(at_h, s=130)
    (case,) = read_facts(book.events, plan()).cases.values()
    return case


THROUGH = (
    [(9.0, "2"), (17.0, None)],
    heard(prompt(0, 7), prompt(10, 15), hold_s=22.0, person_s=60.0),
    Side.OURS,
)
NOWHERE = ([(9.0, "3")], heard(prompt(0, 7), prompt(10, 14)), Side.VENDOR)
ROUND = ([(9.0, "1")], heard(prompt(0, 7, 0), prompt(10, 13), prompt(13.5, 20.5, 0)), Side.OURS)


def menu(*calls: tuple[list[tuple[float, str | None]], Timeline, Side]) -> MenuMap:
    (one,) = menu_maps([case_of(*calls)])
    return one


def test_a_menu_is_learnt_from_what_was_pressed_and_what_followed() -> None:
    learnt = menu(THROUGH, NOWHERE, ROUND)
    assert (learnt.vendor, learnt.channel, learnt.calls, learnt.depth) == ("acme", "phone", 3, 2)
    places = {place.path: place for place in learnt.places}
    assert {path: place.leads for path, place in places.items()} == {
        (): (LeadsTo.MENU,),
        ("1",): (LeadsTo.NOT_KNOWN,),
        ("2",): (LeadsTo.MENU,),
        ("2", IDENTIFICATION): (LeadsTo.QUEUE,),
        ("3",): (LeadsTo.DEAD_END,),
    }
    assert (places[()].calls, places[()].prompt_s) == (3, 7.0)
    assert places[("2",)].prompt_s == 5.0
    assert places[("1",)].back_to == ()


def test_the_same_prompt_twice_is_counted_where_no_key_was_pressed() -> None:
    (place,) = menu(([], heard(prompt(0, 7, 0), prompt(9, 16, 0)), Side.VENDOR)).places
    assert (place.times_said, place.leads) == (2, (LeadsTo.DEAD_END,))


def test_the_story_tells_of_dead_ends_and_rounds() -> None:
    from audit.analysis.calls import tell_call

    case = case_of(NOWHERE, ROUND)
    told = [line.sentence for number, call in enumerate(case.calls, 1) for line in tell_call(case, call, number)]
    assert "First call: after key 3 the menu led nowhere: the vendor ended the call." in told
    assert "Second call: after key 1 the menu went back to what it had said at the beginning." in told


def test_what_changed_from_audit_to_audit_is_told() -> None:
    keys, timeline, by = THROUGH
    slower = (keys, replace(timeline, segments=(prompt(0, 7), prompt(9.5, 16.9))), by)
    now_a_person = ([(9.0, "3")], heard(prompt(0, 7), prompt(10, 14), person_s=20.0), Side.OURS)
    told = changes(menu(THROUGH, NOWHERE), menu(slower, now_a_person))
    assert told == ("after key 3 leads to person, before to dead end",)
    longer = (keys, replace(timeline, segments=(prompt(0, 8.5), prompt(9.5, 16.9), prompt(17.5, 21.9))), by)
    told = changes(menu(THROUGH), menu(longer))
    assert told == ("after key 2, the identification one listens for 4 s, before for 0 s",)
    assert changes(menu(THROUGH), menu(THROUGH)) == ()
    assert "after key 3 no call came any more" in changes(menu(THROUGH, NOWHERE), menu(THROUGH))


@given(
    st.lists(st.tuples(st.floats(0, 119), st.sampled_from(["1", "2", "#", None])), max_size=6),
    st.lists(st.tuples(st.floats(0, 110), st.floats(0.1, 9), st.sampled_from([None, 0, 1])), max_size=6),
    st.sampled_from(list(Side)),
    st.sampled_from([None, 30.0]),
)
def test_whatever_was_pressed_and_heard_makes_a_map(
    keys: list[tuple[float, str | None]],
    spoken: list[tuple[float, float, int | None]],
    by: Side,
    hold_s: float | None,
) -> None:
    segments = tuple(prompt(at, at + length, message) for at, length, message in sorted(spoken, key=lambda one: one[0]))
    case = case_of((keys, heard(*segments, hold_s=hold_s), by))
    (call,) = case.calls
    found = visits(call)
    for maps in (menu_maps([case]), menu_maps([case, case])):
        for one in maps:
            assert changes(one, one) == ()
            assert all(path_words(place.path) for place in one.places)
    assert sum(visit.prompt_s for visit in found) <= sum(s.end_s - s.start_s for s in segments) + 1e-6
    assert [len(visit.path) for visit in found] == list(range(len(found)))

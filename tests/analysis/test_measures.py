"""Measures that other tests do not come to: transfers, repetitions, gaps, business time, what a machine only read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Origin, Verdict
from audit.analysis.model.measures import Measure
from audit.plan.model import Plan, PromiseClock, PromisedWhat
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, Segment, Timeline, Tone
from probes.errors import Side
from probes.events import (
    Action,
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    ContactOutcome,
    HandOffSeen,
    Judged,
    NoticeKind,
    TicketState,
)
from tests.analysis.book import START, Book, said, status
from tests.analysis.plans import plan, promise, vendor
from tests.analysis.test_chats import ChatBook
from tests.analysis.test_menus import QUALITY, prompt


def analysed(book: Book, the_plan: Plan | None = None) -> Analysis:
    return analyse(the_plan or plan(vendor()), book.events, holdproof_version="0.1.0")


def measure(book: Book, id: str, the_plan: Plan | None = None) -> Measure:
    return next(m for m in analysed(book, the_plan).measures if m.id == id)


def values(book: Book, id: str, the_plan: Plan | None = None) -> list[float]:
    return [o.value for o in measure(book, id, the_plan).observed]


def speech(start_s: float, end_s: float) -> Segment:
    return Segment(start_s, end_s, Kind.SPEECH, Label.AGENT, 0.9)


def hold(start_s: float, end_s: float) -> Hold:
    return Hold(start_s, end_s, HoldMode.MUSIC, None, None, 0.0, None, None, (), 0, 0.9)


def ringing(start_s: float) -> Tone:
    return Tone(start_s, start_s + 3, Label.RINGBACK, (400.0, 450.0), -20.0, 1, 0.4, 0.2, "uk", None, 0.9)


def called(timeline: Timeline | None, outcome: ContactOutcome = ContactOutcome.DONE) -> Book:
    book = Book()
    book.begin()
    book.open_case(0)
    book.start(0, Action.CALL, channel="phone")
    book.add(CallDialled("+442079460101", "+442079460200", "twilio", "CA1"), 0)
    if timeline is not None:
        book.add(CallAnswered(0.1), 0, s=5)
        book.add(CallRecorded(120.0, 8000, 2, 0, START, 1.0), 0, s=5)
        book.add(CallHeard("test", timeline), 0, s=5)
    book.add(CallEnded(Side.OURS, ("told",), None, 120.0 if timeline else 0.0, 1.0), 0, s=125)
    book.stop(0, outcome, s=130)
    return book


def timeline(*segments: Segment, holds: tuple[Hold, ...] = (), tones: tuple[Tone, ...] = ()) -> Timeline:
    return Timeline(
        120.0, 0.0, segments[0].start_s if segments else None, segments, holds, None, tones, (), (), None, QUALITY,
        EndReason.OTHER, "test",
    )  # fmt: skip


def test_ringing_after_a_person_is_a_transfer_and_ringing_before_none() -> None:
    heard = timeline(speech(20, 30), speech(60, 80), tones=(ringing(2), ringing(40)))
    assert values(called(heard), "transfers") == [1.0]
    assert values(called(timeline(speech(20, 30), tones=(ringing(2),))), "transfers") == [0.0]
    assert values(called(timeline(tones=(ringing(2),))), "transfers") == []  # nobody was reached: nothing is claimed


def test_a_hold_alone_is_no_transfer_until_a_person_says_so() -> None:
    book = called(timeline(speech(20, 30), speech(70, 80), holds=(hold(32, 65), hold(85, 120))))
    assert values(book, "transfers") == [0.0]
    assert values(book, "back_from_hold") == [1.0]
    contact = next(e.contact for e in book.events if e.contact)
    book.contact = contact
    for t_s in (70.0, 72.0):
        book.add(Judged("transferred", "yes", "R-1", "I put you through", t_s, None), 1)
    (o,) = measure(book, "transfers").observed
    assert (o.value, o.origin) == (2.0, Origin.PERSON)
    book.add(Judged("transferred", "yes", "R-2", "I put you through", 71.0, None), 1)
    assert values(book, "transfers") == [1.0]  # two heard it, and agree on one


def test_two_reviewers_who_hear_one_thing_heard_one_thing() -> None:
    book = called(timeline(speech(20, 30)))
    book.contact = next(e.contact for e in book.events if e.contact)
    for reviewer, t_s in (("R-1", 25.0), ("R-2", 26.0)):
        book.add(Judged("new_ticket", "yes", reviewer, "I can only open another ticket", t_s, None), 1)
    assert values(book, "new_ticket_per_case") == [1.0]


def test_calls_have_lengths_talk_and_an_answer_or_none() -> None:
    book = called(timeline(speech(20, 30), speech(60, 85)))
    assert (values(book, "call_s"), values(book, "talk_s"), values(book, "line_answered")) == ([120.0], [35.0], [1.0])
    unanswered = called(None, ContactOutcome.NO_ANSWER)
    assert (values(unanswered, "talk_s"), values(unanswered, "line_answered")) == ([], [0.0])


def test_a_menu_that_goes_round_or_ends_is_counted() -> None:
    assert values(called(timeline()), "menu_rounds") == []
    spoken = replace(timeline(), segments=(prompt(1, 8),))
    assert values(called(spoken), "menu_dead_end") == [0.0]


def test_hand_offs_are_those_shown_or_those_who_wrote() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    assert values(book, "hand_offs_per_case") == []  # nobody is named and nothing shown: nothing is claimed
    book.look(2, said("I am looking into it.", "m1", author="Dana Miller"))
    book.look(9, said("I take over from here.", "m2", author="Bo Ek"), said("Solved it.", "m3", author="Dana"))
    assert values(book, "hand_offs_per_case") == [1.0]
    for at_h in (10, 11):
        book.look(at_h, HandOffSeen("First line", "Second line", None))
    assert values(book, "hand_offs_per_case") == [2.0]
    assert values(book, "channels_per_case") == [1.0]


@pytest.mark.parametrize(("at_s", "times"), [(30.0, 0.0), (650.0, 1.0)])
def test_a_chat_is_transferred_by_a_person_not_by_a_machine(at_s: float, times: float) -> None:
    book = ChatBook()
    book.open_chat()
    book.we(10, "Invoice 4711 lists the same licence two times.")
    steps = [
        (at_s, lambda: book.notice(at_s, NoticeKind.TRANSFERRED)),
        (600.0, lambda: book.notice(600, NoticeKind.JOINED, "Dana")),
        (640.0, lambda: book.they(640, "I am looking into it.", "Dana")),
    ]
    for _, write in sorted(steps, key=lambda step: step[0]):
        write()
    book.close_chat(720)
    assert values(book, "chat_transfers") == [times]


ASKED = "Could you please tell me your customer number and what the problem is?"


def asked(n: int = 1) -> Book:
    book = Book()
    book.begin()
    for number in range(n):
        book.open_case(number, f"c{number}")
        book.submit(number, "Our customer number is 1234567. The import stops with error 42 on every file.")
        book.look(number + 5, said(f"Hi Ada, thanks for your patience. {ASKED}", f"m{number}", author="Dana"))
    return book


def test_what_a_machine_reads_is_told_as_that_and_gets_no_points() -> None:
    analysis = analysed(asked(8))
    found = next(m for m in analysis.measures if m.id == "asked_again")
    assert (found.n, found.n_by_machine, found.estimate) == (8, 8, 1.0)
    assert "(8 read by machine, unconfirmed)" in found.sentence
    told = [f for f in analysis.findings if f.measure == "asked_again"]
    assert {f.verdict for f in told} == {Verdict.ANOMALY}
    (card,) = analysis.scorecards
    listens = next(d for d in card.dimensions if d.id == "listens")
    assert listens.score is None
    assert "read by machine alone (8), and nobody has confirmed it yet" in (listens.why_not or "")


def test_a_persons_word_stands_before_the_machines() -> None:
    book = asked()
    book.contact = next(e.contact for e in reversed(book.events) if e.contact)
    book.add(Judged("asked_again", "no", "R-1", ASKED, None, "m0"), 9)
    (o,) = measure(book, "asked_again").observed
    assert (o.value, o.origin) == (0.0, Origin.PERSON)
    assert values(book, "repetitions_per_case") == [0.0]


def test_repetitions_of_a_case_are_counted() -> None:
    (o,) = measure(asked(), "repetitions_per_case").observed
    assert (o.value, o.origin) == (1.0, Origin.MACHINE)


def test_every_silence_counts_and_the_last_may_go_on() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(5, said("I am looking into it, Ada.", "m1", author="Dana"))
    book.look(29, said("Still at it, Ada, I will be back.", "m2", author="Dana"))
    book.look(40)
    gaps = [(round(o.value / 3600), o.censored) for o in measure(book, "gap_s").observed]
    assert gaps == [(5, False), (24, False), (11, True)]


@pytest.mark.parametrize(
    ("what", "id", "hours"),
    [
        (PromisedWhat.FIRST_HUMAN_RESPONSE, "first_human_response_business_s", 9.0),
        (PromisedWhat.RESOLUTION, "resolution_business_s", 9.0),
        (PromisedWhat.RECEIPT, "receipt_business_s", 9.0),
        (PromisedWhat.UPDATE, "update_business_s", 9.0),
    ],
)
def test_a_promise_on_business_time_brings_its_measure_on_that_clock(what: PromisedWhat, id: str, hours: float) -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)  # Monday 9:00
    book.look(
        25,
        said("I have corrected it, Ada.", "m1", absent_at_h=25, author="Dana"),
        status(TicketState.RESOLVED, "Done", 25),
    )
    book.close_case(26)
    office = vendor(promise(what, "8 h", clock=PromiseClock.BUSINESS), hours="Mon-Fri 09:00-17:00")
    found = [o.value / 3600 for o in measure(book, id, plan(office)).observed]
    assert found == [pytest.approx(hours, abs=0.02)]
    assert id not in {m.id for m in analysed(book).measures}  # on the wall clock alone where nobody asks for more


def test_promises_that_applied_are_counted() -> None:
    book = asked()
    assert values(book, "promises_per_case") == [0.0]
    assert values(book, "promises_per_case", plan(vendor(promise(PromisedWhat.RESOLUTION, "8 h")))) == [1.0]


def test_a_call_cut_off_by_a_persons_word_carries_that_word() -> None:
    book = called(timeline(speech(20, 110)))
    end = next(e for e in book.events if isinstance(e.what, CallEnded))
    book.events[end.seq - 1] = replace(end, what=replace(end.what, by=Side.VENDOR))
    book.contact = end.contact
    assert values(book, "vendor_hung_up") == [0.0]
    word = book.add(Judged("ended_naturally", "no", "R-1", "she was still speaking", 118.0, None), 1)
    (o,) = measure(book, "vendor_hung_up").observed
    assert (o.value, o.origin) == (1.0, Origin.PERSON)
    assert f"E{word.seq:04d}" in o.evidence

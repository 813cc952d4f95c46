"""What the engine is told about a case."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.analysis.reading import CueKind, MessageKind, plain, read_message
from audit.analysis.state import CaseState, case_state
from audit.plan.model import Condition, Promise, PromisedWhat
from probes.duration import Duration
from probes.errors import Side
from probes.events import (
    Action,
    CallAnswered,
    CallDialled,
    CallEnded,
    ContactOutcome,
    MessageSent,
    TicketState,
)
from tests.analysis.book import START, Book, said, status

OURS = "The import stops with error 42 on every file since Friday."


def test_nothing_has_happened_yet() -> None:
    state = case_state([])
    assert not state.answered
    assert state.call_lost is None
    assert state.meets(Condition.UNANSWERED)
    assert not state.meets(Condition.CALL_LOST)


def test_a_receipt_and_our_own_text_are_no_answer() -> None:
    book = Book(case="c1")
    book.submit(0)
    book.look(1, said("We have received your request. Ticket #17 has been created."), said(OURS, "m2"))
    assert not case_state(book.events).answered
    book.look(2, said("Hello, I looked at the file and the header is missing.", "m3"))
    state = case_state(book.events)
    assert state.answered
    assert state.first_answer_at_utc == book.events[-2].at_utc


def test_an_answer_before_our_reply_leaves_the_reply_unanswered() -> None:
    book = Book(case="c1")
    book.submit(0)
    book.look(1, said("Hello, I looked at the file, please try again.", "m1"))
    book.start(2, Action.REPLY)
    book.add(MessageSent("r1", "Re", "It still does not work, same error as before."), 2)
    book.stop(2)
    state = case_state(book.events)
    assert state.meets(Condition.UNANSWERED)
    assert state.ever_answered
    book.look(3, said("I see, we are mending it now.", "m2"))
    assert case_state(book.events).meets(Condition.ANSWERED)


def disputed(book: Book, at_h: float) -> None:
    book.start(at_h, Action.REPLY, step=2)
    book.add(MessageSent("r1", "Re", "It still does not work, the same error as before."), at_h)
    book.stop(at_h)


def state_of(book: Book) -> CaseState:
    return case_state(book.events, disputes=frozenset({2}))


def test_what_we_dispute_is_not_resolved_until_the_vendor_says_so_anew() -> None:
    book = Book(case="c1")
    book.submit(0)
    book.look(1, said("I have reset your import queue.", "m1"), status(TicketState.RESOLVED))
    assert state_of(book).resolved
    disputed(book, 2)
    assert not state_of(book).resolved
    assert not state_of(book).answered
    book.look(3, said("We are looking into it.", "m2"))
    assert state_of(book).answered
    assert not state_of(book).resolved
    book.look(4, status(TicketState.OPEN))
    book.look(5, status(TicketState.RESOLVED))
    assert state_of(book).resolved


def test_a_solution_under_the_old_status_settles_a_dispute() -> None:
    book = Book(case="c1")
    book.submit(0)
    book.look(1, status(TicketState.RESOLVED))
    disputed(book, 2)
    book.look(3, said("I have found the cause and fixed the import, please try again.", "m2"))
    assert state_of(book).resolved


def test_a_reply_that_is_no_dispute_leaves_a_case_resolved() -> None:
    book = Book(case="c1")
    book.submit(0)
    book.look(1, status(TicketState.RESOLVED))
    disputed(book, 2)
    assert case_state(book.events).resolved


def test_due_moments_of_promises_until_they_are_kept() -> None:
    book = Book(case="c1")
    book.submit(0)
    day = Promise(
        id="day", what=PromisedWhat.FIRST_HUMAN_RESPONSE, within=Duration(86400), text="a day", source="their page"
    )
    assert case_state(book.events, promises=[day]).dues_utc == (START + timedelta(hours=24, seconds=20),)
    book.look(1, said("I looked at it and will write again within 5 hours.", "m1"))
    assert case_state(book.events, promises=[day]).dues_utc == (START + timedelta(hours=6, seconds=3),)
    book.look(2, said("The cause is a wrong header, we have corrected it.", "m2"))
    assert case_state(book.events, promises=[day]).dues_utc == ()


@pytest.mark.parametrize(
    ("by", "outcome", "answered", "lost"),
    [
        (Side.VENDOR, ContactOutcome.DONE, True, True),
        (Side.NOT_KNOWN, ContactOutcome.DONE, True, True),
        (Side.OURS, ContactOutcome.DONE, True, False),
        (Side.OURS, ContactOutcome.CAP_REACHED, True, True),
        (Side.OURS, ContactOutcome.NO_ANSWER, False, True),
        (Side.NETWORK, ContactOutcome.BUSY, False, True),
    ],
)
def test_when_a_call_is_lost(by: Side, outcome: ContactOutcome, answered: bool, lost: bool) -> None:
    book = Book(case="c1")
    book.submit(0)
    book.start(72, Action.CALL, "phone")
    book.add(CallDialled("+4915100000", "+4915200000", "practice", "CA1"), 72)
    if answered:
        book.add(CallAnswered(1.0), 72, s=5)
    book.add(CallEnded(by, ("test",), None, 60.0, 1.0), 72, s=65)
    book.stop(72, outcome, s=70)
    assert case_state(book.events).call_lost is lost


def test_resolved_needs_the_vendors_word_or_an_answer_before_closing() -> None:
    book = Book(case="c1")
    book.submit(0)
    book.look(1, status(TicketState.CLOSED))
    state = case_state(book.events)
    assert (state.closed, state.resolved) == (True, False)
    book.look(2, said("I reset the import, it works now.", "m1"))
    assert case_state(book.events).resolved
    book.look(3, status(TicketState.OPEN))
    state = case_state(book.events)
    assert (state.closed, state.resolved) == (False, False)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Thank you for contacting Acme. An agent will get back to you.", MessageKind.RECEIPT),
        ("Your request #4711 has been received and is being reviewed.", MessageKind.RECEIPT),
        ("Vielen Dank für Ihre Anfrage. Wir melden uns.", MessageKind.RECEIPT),
        ("Nous avons bien reçu votre demande.", MessageKind.RECEIPT),
        ("Hemos recibido su consulta.", MessageKind.RECEIPT),
        ("Ada, the header row of your file is missing. Add it and import again.", MessageKind.ANSWER),
        ("Thank you for contacting us. I have looked into it and reset the import.", MessageKind.ANSWER),
        ("We have received your request. I am on it.", MessageKind.UNSURE),
        ("I am out of the office until Monday. For urgent matters write to support.", MessageKind.MACHINE),
        ("> " + OURS, MessageKind.OURS),
        ("We have received your request:\n" + OURS, MessageKind.RECEIPT),
        ("", MessageKind.NOTICE),
    ],
)
def test_what_a_message_is(text: str, kind: MessageKind) -> None:
    assert read_message(said(text), [plain(OURS)]).kind is kind


def test_an_answer_that_quotes_us_is_an_answer() -> None:
    text = "I found it: line 3.\n\nOn Mon, 2 Mar 2026 at 09:00, Ada wrote:\n> " + OURS
    assert read_message(said(text), [plain(OURS)]).kind is MessageKind.ANSWER


def test_asking_for_a_restart_is_found_with_its_words() -> None:
    reading = read_message(said("Dear customer, the process has to be started again from the beginning. Regards, Kim"))
    assert reading.kind is MessageKind.ANSWER
    assert [(cue.kind, cue.quote) for cue in reading.cues] == [
        (CueKind.RESTART, "Dear customer, the process has to be started again from the beginning")
    ]

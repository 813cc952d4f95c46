"""Nobody of a vendor's staff is named in what is said; and what a story quotes is the agent's words, not the desk's."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.model.audits import Analysis
from audit.analysis.reading_text import frame_lines, signed_by, spoken
from audit.analysis.staff import Staff
from probes.events import HandOffSeen, TicketState
from reports.tables import json_text, tables
from tests.analysis.book import Book, said, status
from tests.analysis.homes import write_audit
from tests.analysis.plans import plan, vendor
from tests.cli.test_cli import holdproof

FIRST = "Hello Ada,\nI am looking into it. Dana\n\nKind regards,\nDana Miller\nAcme support"
SECOND = "Dana Miller has handed your ticket to me. Will you send the file to Miller, please?\nThank you\nWill Osei"


def desk() -> Book:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(5, said(FIRST, "m1", absent_at_h=4.99, author="dana"))
    book.look(
        30,
        said(SECOND, "m2", absent_at_h=29.99, author="Will Osei"),
        HandOffSeen("dana", "Second level", None),
        status(TicketState.RESOLVED, "Solved", 29.99, "New"),
    )
    book.close_case(31)
    return book


def told() -> Analysis:
    return analyse(plan(vendor()), desk().events, holdproof_version="0.1.0")


def test_persons_are_numbered_and_nobody_is_named_anywhere() -> None:
    analysis = told()
    story = " ".join(line.sentence for line in analysis.stories[0].lines)
    assert "The first answer by a person (A-01) came" in story
    assert "The vendor wrote again (A-02)" in story
    assert "“A-01 has handed your ticket to me. Will you send the file to A-01, please?”" in story
    assert "handed the case on from A-01 to Second level" in story
    everything = json_text(analysis) + "".join(tables(analysis, {}).values())
    for name in ("Dana", "dana", "Miller", "Osei"):
        assert name not in everything
    assert "Ada" in everything  # our own persona is nobody's staff


@pytest.mark.slow
def test_show_names_nobody(tmp_path: Path) -> None:
    write_audit(tmp_path / "home", desk())
    for more in ((), ("--json",)):
        shown = holdproof("show", "c1", "--home", tmp_path / "home", *more)
        assert shown.returncode == 0, shown.stderr
        assert "A-01" in shown.stdout
        assert not any(name in shown.stdout for name in ("Dana", "dana", "Miller", "Osei"))


def test_numbers_do_not_change_when_more_comes() -> None:
    events = desk().events
    early = analyse(plan(vendor()), events[:9], holdproof_version="0.1.0")
    lines = [line.sentence for line in early.stories[0].lines]
    assert lines[-1] in [line.sentence for line in told().stories[0].lines]


NOBODY = (
    "Acme support", "Billing", "Second level", "Kundenservice", "Équipe technique", "ChatBot", "Agent",
    "noreply@x.example", "Customer Care Team", "Ada", "",
    "A very long line that somebody took for the name of an author, and is none",
)  # fmt: skip


@pytest.mark.parametrize("name", NOBODY)
def test_teams_machines_and_we_are_no_persons(name: str) -> None:
    assert Staff(frozenset({"acme", "ada", "noreply"})).meet(name) is None


def test_one_person_under_several_names_has_one_number() -> None:
    staff = Staff()
    assert staff.meet("dana") == "A-01"
    assert staff.meet("Dana Miller") == "A-01"
    assert staff.meet("Dr. Miller") == "A-01"
    assert staff.meet("José Núñez", signed="Pepe") == "A-02"
    assert staff.meet("Pepe") == "A-02"
    assert staff.meet("bob.ray@acme.example") == "A-03"
    assert staff.masked("Danae met DANA, Miller's and Pepe; Bob said so by Ray.") == (
        "Danae met A-01, A-01's and A-02; A-03 said so by A-03."
    )


def test_a_name_that_is_a_word_is_one_only_where_names_stand() -> None:
    staff = Staff()
    staff.meet("Will May")
    assert staff.masked("Will it work in May? Message seen by Will. From Will May, by May.") == (
        "Will it work in May? Message seen by A-01. From A-01, by A-01."
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("It works now.\n\nBest regards,\nMaria Lopez\nSupport", "Maria Lopez"),
        ("Das geht jetzt.\nMit freundlichen Grüßen\nJürgen Böhm", "Jürgen Böhm"),
        ("My name is Ola from support. It is done.", "Ola"),
        ("It works now.\nRegards,\n+44 20 7946 0000", None),
        ("This is the invoice, and this is from us.", None),
        ("", None),
    ],
)
def test_who_signed_is_read_off_the_closing(text: str, name: str | None) -> None:
    assert signed_by(text) == name


FRAMED = (
    "Posted by dana on 22 Nov 2026 03:39\nReply | Quote | Permalink\n\nWe are looking into it.\n"
    "It takes a day.\n\n#12 Options",
    "Posted by bob on 23 Nov 2026 13:39\nReply | Quote | Permalink\n\nThe invoice is corrected.\n\n#13 Options",
)


def test_a_quotation_is_without_the_desks_lines() -> None:
    frames = frame_lines(FRAMED)
    assert spoken(FRAMED[0], author="dana", frames=frames) == "We are looking into it.\nIt takes a day."
    assert spoken(FRAMED[1], author="bob", frames=frames) == "The invoice is corrected."


@pytest.mark.parametrize(
    ("text", "author", "subject", "words"),
    [
        ("Dana Miller\n03:39 PM\nDone", "Dana Miller", None, "Done"),
        ("Re: Invoice 4711\nHello Ada,\nplease restart it", None, "Invoice 4711", "Hello Ada,\nplease restart it"),
        ("22 Nov 2026", None, None, "22 Nov 2026"),
        ("Dana says no. It cannot be done.", "Dana", None, "Dana says no. It cannot be done."),
        ("> our words\n\nIt works now.", None, None, "It works now."),
    ],
)
def test_what_is_said_is_kept(text: str, author: str | None, subject: str | None, words: str) -> None:
    assert spoken(text, author=author, subject=subject) == words


def test_a_sentence_said_twice_is_no_frame() -> None:
    texts = ["We are looking into it.", "We are looking into it."]
    assert spoken(texts[1], frames=frame_lines(texts)) == texts[1]

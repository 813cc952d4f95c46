"""What a machine read without being sure is shown to whoever asks for the case."""

from __future__ import annotations

from audit.analysis.analyse import analyse
from audit.analysis.messages import waiting_messages
from audit.commands.terminal import story_document, story_text
from tests.analysis.book import Book, said
from tests.analysis.plans import plan


def test_messages_are_shown_with_their_reading_and_the_doubtful_ones_named() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    plain, doubtful = "Hello, I looked at your file and mended the header.", "The parcel lies in Hamburg."
    book.look(1, said(plain, "m1"), said(doubtful, "m2"))
    document = story_document(analyse(plan(), book.events, holdproof_version="0"), "c1")
    first, second = document["messages"]
    assert (first["kind"], first["waits_for_a_person"]) == ("answer", False)
    assert any(cue["kind"] == "solution" and cue["quote"] in plain for cue in first["cues"])
    assert second["waits_for_a_person"]
    text = story_text(document).partition("read by machine, not sure")[2]
    assert doubtful in text
    assert plain not in text
    assert waiting_messages(book.events) == 1


def test_without_doubt_there_is_no_such_part() -> None:
    book = Book()
    book.begin()
    book.open_case(0)
    book.submit(0)
    book.look(1, said("Hello, I looked at your file and mended the header.", "m1"))
    document = story_document(analyse(plan(), book.events, holdproof_version="0"), "c1")
    assert "not sure" not in story_text(document)

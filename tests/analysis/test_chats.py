"""Chats in the analysis: machines and persons told apart, waits measured from both ends, dead ends, disclosure."""

from __future__ import annotations

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Origin
from audit.analysis.model.measures import Measure
from probes.errors import Failure, FailureKind, Side
from probes.events import (
    Action,
    CaseOutcome,
    ChatEnded,
    ChatOpened,
    ContactOutcome,
    MessageSeen,
    MessageSent,
    NoticeKind,
    NoticeSeen,
)
from tests.analysis.book import Book
from tests.analysis.plans import plan, vendor


class ChatBook(Book):
    """A book in which one chat is written down; moments are seconds from its beginning."""

    def open_chat(self) -> None:
        self.begin()
        self.open_case(0)
        self.start(0, Action.CHAT, channel="chat")
        self.add(ChatOpened("https://vendor.example/"), 0)

    def we(self, s: float, text: str, purpose: str = "line") -> None:
        self.add(MessageSent(f"sent-{len(self.events)}", "", text, purpose), 0, s=s)

    def they(self, s: float, text: str, author: str | None = None, role: str | None = None) -> None:
        key = f"chat-{len(self.events)}"
        self.add(MessageSeen(key, Side.VENDOR, author, None, text, None, None, None, author_role=role), 0, s=s)

    def notice(
        self,
        s: float,
        means: NoticeKind,
        name: str | None = None,
        position: int | None = None,
        wait_s: float | None = None,
    ) -> None:
        self.add(NoticeSeen(f"{means} {name}", means, name, position, wait_s), 0, s=s)

    def close_chat(self, s: float, by: Side = Side.VENDOR, failure: Failure | None = None) -> None:
        self.add(ChatEnded(by, ("notice",)), 0, s=s)
        self.stop(0, ContactOutcome.DONE, failure, s=s + 1)
        self.close_case(1, CaseOutcome.GIVEN_UP)


def measures(book: Book) -> dict[str, Measure]:
    return {measure.id: measure for measure in _analysis(book).measures}


def _analysis(book: Book) -> Analysis:
    return analyse(plan(vendor()), book.events, holdproof_version="0.1.0")


@pytest.fixture
def good() -> ChatBook:
    """A bot that says it is one, a queue of ten minutes announced as five, a person who helps."""
    book = ChatBook()
    book.open_chat()
    book.they(2, "Hello! I am Mia, the virtual assistant.", "Mia")
    book.we(10, "Invoice 4711 lists the same licence two times.")
    book.they(13, "Your invoice is important. Have a look at our help pages.", "Mia")
    book.we(20, "I would like to speak to a person, please.", "human")
    book.notice(22, NoticeKind.QUEUE, position=3, wait_s=300)
    book.notice(622, NoticeKind.JOINED, "Dana")
    book.they(640, "Thank you for waiting.", "Dana")
    book.we(660, "It is about invoice 4711.")
    book.they(700, "I have corrected it.", "Dana")
    book.close_chat(720)
    return book


def test_the_waits_of_a_chat(good: ChatBook) -> None:
    found = measures(good)
    assert [o.value for o in found["chat_first_reply_s"].observed] == [3.0]
    assert [(o.value, o.censored) for o in found["chat_first_human_s"].observed] == [(640.0, False)]
    assert [(o.value, o.censored) for o in found["chat_turns_to_human"].observed] == [(2.0, False)]
    assert [o.value for o in found["chat_queue_s"].observed] == [600.0]
    assert [(o.value, o.censored) for o in found["chat_actual_to_announced_wait"].observed] == [(2.0, False)]
    assert [o.value for o in found["chat_no_person"].observed] == [0.0]
    assert [o.value for o in found["chat_bot_disclosed"].observed] == [1.0]
    assert [o.value for o in found["chat_ended_by_vendor"].observed] == [1.0]


def test_what_a_chat_is_found_to_be(good: ChatBook) -> None:
    findings = [finding.sentence for finding in _analysis(good).findings if finding.measure.startswith("chat_")]
    assert findings == ["The wait for a person in the chat was 2 times as long as announced: 10 min instead of 5 min."]


def test_the_story_of_a_chat(good: ChatBook) -> None:
    (story,) = _analysis(good).stories
    told = [line.sentence for line in story.lines]
    assert "We opened a chat (chat)." in told
    assert "The chat announced place 3 in the queue and a wait of 5 min." in told
    assert "A person came into the chat 10 min 22 s after its beginning." in told
    assert "The vendor ended the chat after 12 min (notice)." in told
    assert "A machine wrote: “Hello! I am Mia, the virtual assistant.”" in told
    assert "The first answer by a person (A-01) came: “Thank you for waiting.”" in told
    assert told == [line.sentence for line in sorted(story.lines, key=lambda line: line.at_utc)]


def test_a_machine_is_one_in_all_that_it_writes(good: ChatBook) -> None:
    """Words that a person could have written are a machine's if their author is one."""
    book = ChatBook()
    book.open_chat()
    book.they(1, "Hello! I am Mia, the virtual assistant.", "Mia")
    book.we(5, "Where is my invoice?")
    book.they(8, "I have looked into your invoice and corrected it for you.", "Mia")
    book.close_chat(60, Side.OURS)
    found = measures(book)
    assert [(o.value, o.censored) for o in found["chat_first_human_s"].observed] == [(60.0, True)]


def test_a_bot_that_never_says_so_and_leads_nowhere() -> None:
    book = ChatBook()
    book.open_chat()
    book.they(1, "Welcome!", "Lindwurm", "markup:bot")
    book.we(5, "A person, please.", "human")
    book.they(8, "Please choose a topic.", "Lindwurm", "markup:bot")
    book.close_chat(90, Side.OURS)
    result = _analysis(book)
    found = {measure.id: measure for measure in result.measures}
    assert [(o.value, o.origin) for o in found["chat_no_person"].observed] == [(1.0, Origin.MACHINE)]
    assert [o.value for o in found["chat_bot_disclosed"].observed] == [0.0]
    assert [o.censored for o in found["chat_turns_to_human"].observed] == [True]
    sentences = [finding.sentence for finding in result.findings]
    assert "A person was asked for in the chat and none came." in sentences
    assert "A machine answered in the chat and did not say that it is one." in sentences
    (story,) = result.stories
    assert any("We ended the chat after 90 s, without a person having come" in line.sentence for line in story.lines)


def test_a_role_that_is_shown_is_a_disclosure_and_one_of_the_source_is_none() -> None:
    for role, disclosed in (("Virtual assistant", 1.0), ("markup:bot", 0.0)):
        book = ChatBook()
        book.open_chat()
        book.we(1, "Hello?")
        book.they(2, "Please choose a topic.", "Robin", role)
        book.close_chat(30, Side.OURS)
        assert [o.value for o in measures(book)["chat_bot_disclosed"].observed] == [disclosed]


def test_a_queue_without_end_is_cut_off_and_no_wait() -> None:
    book = ChatBook()
    book.open_chat()
    book.notice(1, NoticeKind.QUEUE, position=9, wait_s=120)
    book.close_chat(1200, Side.OURS)
    found = measures(book)
    assert [(o.value, o.censored) for o in found["chat_queue_s"].observed] == [(1199.0, True)]
    (ratio,) = found["chat_actual_to_announced_wait"].observed
    assert ratio.censored
    assert ratio.value == pytest.approx(1200 / 120, rel=0.01)


def test_a_chat_that_failed_on_our_side_is_charged_to_nobody(good: ChatBook) -> None:
    book = ChatBook()
    book.open_chat()
    book.we(1, "Hello?", "human")
    book.close_chat(5, Side.OURS, Failure(FailureKind.INTERRUPTED, Side.OURS, "chat", "our process ended"))
    found = measures(book)
    for name in ("chat_first_human_s", "chat_no_person"):
        assert found[name].observed == ()
        assert found[name].n_ours == 1
    (story,) = _analysis(book).stories
    assert any("failed on our side" in line.sentence for line in story.lines)

"""Chats on pages of very different markup, each measured against what the page says it did and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from probes.browser import ChromiumSource
from probes.errors import Side
from probes.events import (
    ChatEnded,
    ChatOpened,
    ContactOutcome,
    MessageChanged,
    MessageSeen,
    MessageSent,
    NoticeKind,
    NoticeSeen,
    PageCaptured,
    TypingSeen,
)
from probes.model import Tools
from tests.chat.kit import Held, Truth, channel, hold, pages, spec
from tests.web.kit import Store, tools

pytestmark = pytest.mark.slow

NAMES = ("soup", "framed", "shadow", "editor", "rebuilt", "nested")
# A page notes its moments around drawing, we ours around looking.
NOTED_WITHIN = timedelta(seconds=0.5)
SAID = ["Invoice 4711 lists the same licence two times.", "I would like to speak to a person, please.",
        "It is invoice 4711 of 3 November."]  # fmt: skip

Chats = dict[str, tuple[Held, Truth, Tools]]


@pytest.fixture(scope="module")
def chats() -> Iterator[Chats]:
    """Hold a chat on every page, some at the same time, all in one browser."""
    truths = {name: Truth() for name in NAMES}
    few = asyncio.Semaphore(4)  # a page that gets no processor for ten seconds shows nothing, and is charged with it

    async def one(name: str, browser: ChromiumSource, url: str, widget: str) -> tuple[Held, Truth, Tools]:
        there = widget.replace("127.0.0.1", "localhost")
        of = channel(url=f"{url}{name}.html?pace=0.5&widget={there}", hosts=[there.split("/")[2]])
        own = tools(browser)
        async with few:
            held = await hold(spec(of, reference=f"HP-{name.upper()}"), own)
            await own.running.close()
        return held, truths[name], own

    async def every() -> Chats:
        browser = ChromiumSource()
        try:
            chats = await asyncio.gather(*(one(name, browser, *urls[name]) for name in NAMES))
        finally:
            await browser.close()
        return dict(zip(NAMES, chats, strict=True))

    from contextlib import ExitStack

    with ExitStack() as stack:
        urls = {
            name: (stack.enter_context(pages(truths[name])).url, stack.enter_context(pages(truths[name])).url)
            for name in NAMES
        }
        yield asyncio.run(every())


def _vendors(truth: Truth) -> list[dict[str, Any]]:
    return truth.of("message")


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_seen_once_between_two_looks(chats: Chats, name: str) -> None:
    held, truth, _ = chats[name]
    seen, written = held.of(MessageSeen), _vendors(truth)
    assert [each.text for each in seen] == [each["text"] for each in written], held.last
    for message, fact in zip(seen, written, strict=True):
        came = truth.at(fact)
        assert came <= held.at(message) + NOTED_WITHIN, message
        if message.absent_at_utc is not None:
            assert message.absent_at_utc <= came + NOTED_WITHIN, message
    assert not held.of(MessageChanged)


@pytest.mark.parametrize("name", NAMES)
def test_authors_and_what_they_are_called_are_read(chats: Chats, name: str) -> None:
    held, truth, _ = chats[name]
    authors = [(each.author or "").split(" ")[0] for each in held.of(MessageSeen)]
    assert authors == ["Mia" if each["by"] == "bot" else "Dana" for each in _vendors(truth)]
    assert {each.side for each in held.of(MessageSeen)} == {Side.VENDOR}


@pytest.mark.parametrize("name", NAMES)
def test_our_words_are_sent_once_and_are_no_answer(chats: Chats, name: str) -> None:
    held, truth, _ = chats[name]
    assert [each["text"] for each in truth.of("heard")] == SAID
    assert [each.text for each in held.of(MessageSent)] == SAID
    assert [each.purpose for each in held.of(MessageSent)] == ["line", "human", "line"]
    for sent, fact in zip(held.of(MessageSent), truth.of("heard"), strict=True):
        assert held.at(sent) <= truth.at(fact) + NOTED_WITHIN


@pytest.mark.parametrize("name", NAMES)
def test_queue_person_and_end_are_read_from_the_notices(chats: Chats, name: str) -> None:
    held, truth, _ = chats[name]
    notices = [(each.means, each.name, each.position, each.announced_wait_s) for each in held.of(NoticeSeen)]
    assert notices == [
        (NoticeKind.QUEUE, None, 2, 120.0),
        (NoticeKind.QUEUE, None, 1, None),
        (NoticeKind.JOINED, "Dana", None, None),
        (NoticeKind.ENDED, "Dana", None, None),
    ]
    for notice, fact in zip(held.of(NoticeSeen), truth.of("notice"), strict=True):
        assert truth.at(fact) <= held.at(notice) + NOTED_WITHIN
    (ended,) = held.of(ChatEnded)
    assert ended.by is Side.VENDOR
    assert held.last.outcome is ContactOutcome.DONE
    assert held.last.failure is None


@pytest.mark.parametrize("name", NAMES)
def test_one_chat_is_opened_and_typing_is_no_message(chats: Chats, name: str) -> None:
    held, truth, _ = chats[name]
    assert len(truth.of("opened")) == 1
    assert len(held.of(ChatOpened)) == 1
    assert held.of(TypingSeen)
    assert not [each for each in held.of(MessageSeen) if "typing" in each.text or "schreibt" in each.text]


@pytest.mark.parametrize("name", NAMES)
def test_sightings_come_in_the_order_of_their_moments(chats: Chats, name: str) -> None:
    moments = [each.at_utc for each in chats[name][0].sightings]
    assert moments == sorted(moments)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_kept_at_each_turn_with_what_was_said(chats: Chats, name: str) -> None:
    held, _, own = chats[name]
    assert isinstance(own.artifacts, Store)
    assert len(held.of(PageCaptured)) >= 5
    with_page = [each for each in held.sightings if isinstance(each.what, MessageSeen) and each.artifacts]
    assert len(with_page) >= 3
    last = with_page[-1]
    sources = [own.artifacts.get(each).decode() for each in last.artifacts if each.media_type == "text/html"]
    assert isinstance(last.what, MessageSeen)
    assert sources
    assert last.what.text.split(".")[0] in sources[0]


def test_a_text_that_grows_is_one_message_which_is_whole_later(chats: Chats) -> None:
    held, truth, _ = chats["rebuilt"]
    grown = [each for each in held.of(MessageSeen) if each.author == "Dana"]
    for message, whole in zip(grown, truth.of("whole"), strict=True):
        assert message.settled_at_utc is not None
        assert message.settled_at_utc >= held.at(message)
        assert truth.at(whole) <= message.settled_at_utc + NOTED_WITHIN


def test_the_form_before_a_chat_is_filled_with_what_the_persona_has(chats: Chats) -> None:
    (form,) = chats["framed"][1].of("form")
    assert form["given"]["name"] == "Jo Lindgren"
    assert form["given"]["mail"] == "jo@customer.example"
    assert form["given"]["topic"] == "Invoice"
    assert form["given"]["question"] == "Invoice 4711"

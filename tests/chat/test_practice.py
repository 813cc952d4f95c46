"""The characters of the practice chat, each held by the probe and compared with what it says it did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.errors import Side
from probes.events import ChatEnded, ContactOutcome, MessageSeen, MessageSent, NoticeKind, NoticeSeen
from tests.chat.kit import Held, channel, hold, spec
from tests.chat.practice import PracticeChat, practice_chat
from tests.web.kit import tools

pytestmark = pytest.mark.slow

FACTOR = 200.0
# What a busy machine may take between what the vendor does and what its page shows, in audit time.
WITHIN = timedelta(seconds=8 * FACTOR)

ASK: list[Any] = [
    {"wait_for": {"seen": ["reply", "choices"], "at_most": "5 h"}},
    {"say": "Our backups have not run for three nights. {reference}"},
    {"wait_for": {"seen": "reply", "at_most": "5 h"}},
    "ask_human",
    {"wait_for": {"seen": "human", "at_most": "5 h"}, "as": "agent"},
    {
        "if": {"agent": "human"},
        "then": [
            {"wait_for": {"seen": "reply", "at_most": "5 h"}},
            {"say": "Our customer number is 40718263."},
            {"wait_for": {"seen": ["quiet", "ended"], "at_most": "5 h", "quiet": "12 min"}},
            {"say": "Thank you, that was all."},
            {"wait_for": {"seen": "ended", "at_most": "5 h"}},
        ],
    },
]
MAZE: list[Any] = [
    {"wait_for": {"seen": "choices", "at_most": "5 h"}},
    {"choose": "Invoices"},
    {
        "repeat": {
            "times": 3,
            "steps": ["ask_human", {"wait_for": {"seen": "human", "at_most": "90 s"}, "as": "agent"}],
            "until": {"agent": "human"},
        }
    },
    {"choose": "A button that is not there", "as": "pressed"},
    {"if": {"pressed": "not_there"}, "then": ["end"]},
]
SLOW: list[Any] = [
    {"wait_for": {"seen": "queued", "at_most": "5 h"}, "as": "queue"},
    {"wait_for": {"seen": "queue_left", "at_most": "5 h"}, "as": "left"},
    {"if": {"left": "queue_left"}, "then": [{"wait_for": {"seen": "reply", "at_most": "5 h"}}, "end"]},
]
CASES: dict[str, tuple[str, list[Any], str]] = {
    "everyday": ("", ASK, "20 h"),
    "maze": ("chat", MAZE, "20 h"),
    "slow-chat": ("", SLOW, "20 h"),
    "hangup": ("chat", SLOW, "20 h"),
    "charmer": ("", [{"say": "Hello?"}, {"wait_for": {"seen": "ended", "at_most": "60 min"}}], "7 min"),
}
Chats = dict[str, tuple[Held, PracticeChat]]


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chats]:
    """Hold a chat with every character, all at the same time in one browser."""
    clock = Clock(FACTOR, datetime.now(UTC))
    folder: Path = tmp_path_factory.mktemp("vendors")
    with ExitStack() as stack:
        vendors = {name: stack.enter_context(practice_chat(name, clock, folder / name)) for name in CASES}

        async def one(name: str, browser: ChromiumSource) -> tuple[Held, PracticeChat]:
            page, script, at_most = CASES[name]
            of = channel(url=vendors[name].url + page, scripts={"ask": script}, chat_at_most=at_most)
            own = tools(browser, clock=clock)
            held = await hold(spec(of, reference=f"HP-{name.upper()}"), own)
            await own.running.close()
            return held, vendors[name]

        async def every() -> Chats:
            browser = ChromiumSource()
            try:
                held = await asyncio.gather(*(one(name, browser) for name in CASES))
            finally:
                await browser.close()
            return dict(zip(CASES, held, strict=True))

        yield asyncio.run(every())


@pytest.mark.parametrize("name", CASES)
def test_every_message_is_seen_once_and_in_time(chats: Chats, name: str) -> None:
    held, vendor = chats[name]
    true = vendor.facts("chat_message")
    seen = held.of(MessageSeen)
    shown = true[: len(seen)]  # what comes when we have gone already is not seen
    assert [(each.author, each.text) for each in seen] == [(fact["author"], fact["text"]) for fact in shown]
    for message, fact in zip(seen, shown, strict=True):
        assert fact.at_utc <= held.at(message)
        if message.absent_at_utc is not None:
            assert message.absent_at_utc <= fact.at_utc + WITHIN
    assert len(vendor.facts("chat_opened")) == 1
    assert [each.text for each in held.of(MessageSent)] == [fact["text"] for fact in vendor.facts("chat_heard")]


def test_a_bot_a_queue_and_a_person(chats: Chats) -> None:
    held, vendor = chats["everyday"]
    assert {(each.author, each.author_role) for each in held.of(MessageSeen)} == {
        ("Robin", "Virtual assistant"),
        ("Priya", "Kestrel Cloud"),
    }
    queue = [each for each in held.of(NoticeSeen) if each.means is NoticeKind.QUEUE]
    assert [(each.position, each.announced_wait_s) for each in queue] == [
        (fact["position"], fact["announced_s"]) for fact in vendor.facts("chat_queue")
    ]
    assert [each.name for each in held.of(NoticeSeen) if each.means is NoticeKind.JOINED] == ["Priya"]
    (ended,) = held.of(ChatEnded)
    assert ended.by is Side.VENDOR


def test_a_dead_end_is_left_by_us(chats: Chats) -> None:
    held, _ = chats["maze"]
    assert [each.purpose for each in held.of(MessageSent)] == ["choice", "human", "human", "human"]
    assert held.of(MessageSent)[0].text == "Invoices"
    (ended,) = held.of(ChatEnded)
    assert ended.by is Side.OURS
    assert ended.reasons == ("the script was at its end",)


def test_a_queue_that_takes_longer_than_it_says(chats: Chats) -> None:
    held, vendor = chats["slow-chat"]
    assert held.of(NoticeSeen)[0].announced_wait_s == 120.0
    joined = next(each for each in held.of(NoticeSeen) if each.means is NoticeKind.JOINED)
    waited = held.at(joined) - held.at(held.of(NoticeSeen)[0])
    (true,) = vendor.facts("chat_joined")
    assert abs(waited - (true.at_utc - vendor.facts("chat_queue")[0].at_utc)) <= WITHIN


def test_a_chat_that_they_close_on_us(chats: Chats) -> None:
    held, _ = chats["hangup"]
    (ended,) = held.of(ChatEnded)
    assert ended.by in (Side.VENDOR, Side.OURS)
    assert [each.text for each in held.of(MessageSeen)] == ["What do you want?"]


def test_the_longest_time_of_a_chat_is_kept(chats: Chats) -> None:
    held, _ = chats["charmer"]
    assert held.last.outcome is ContactOutcome.CAP_REACHED
    (ended,) = held.of(ChatEnded)
    assert ended.by is Side.OURS
    assert "longest time" in ended.reasons[0]

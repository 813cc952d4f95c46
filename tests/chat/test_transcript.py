"""Lists of messages as widgets treat them: rebuilt, shortened, growing, changed, emptied. Each message counts once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.chatting.transcript import Change, Item, Transcript, says

START = datetime(2026, 11, 26, 9, tzinfo=UTC)


class Chat:
    """A transcript fed look by look, a fifth of a second apart."""

    def __init__(self) -> None:
        self.transcript = Transcript(settle_s=1.0, gone_s=3.0)
        self.at = START
        self.changes: list[Change] = []

    def shows(self, *texts: str, looks: int = 1, nodes: bool = True, again: int = 0) -> None:
        for _ in range(looks):
            items = [
                Item(node=f"{again}-{index}" if nodes else f"{self.at.timestamp()}-{index}", text=text)
                for index, text in enumerate(texts)
            ]
            self.changes += self.transcript.look(items, self.at)
            self.at += timedelta(seconds=0.2)

    def told(self, what: str = "settled") -> list[str]:
        return [each.line.told_text or "" for each in self.changes if each.what == what]


@pytest.mark.parametrize("nodes", [True, False], ids=["the same elements", "rebuilt at every look"])
def test_messages_count_once(nodes: bool) -> None:
    chat = Chat()
    chat.shows("Hello", looks=8, nodes=nodes)
    chat.shows("Hello", "How are you?", looks=8, nodes=nodes)
    chat.shows("Hello", "How are you?", "Hello", looks=8, nodes=nodes)
    assert chat.told() == ["Hello", "How are you?", "Hello"]
    assert not chat.told("changed")
    assert not chat.told("gone")


def test_a_message_came_between_two_looks() -> None:
    chat = Chat()
    chat.shows("Hello", looks=10)
    chat.shows("Hello", "Yes?", looks=10)
    line = chat.transcript.lines[1]
    assert line.first_at == START + timedelta(seconds=2.0)
    assert line.absent_at == START + timedelta(seconds=1.8)


@pytest.mark.parametrize("nodes", [True, False])
def test_a_growing_text_is_one_message(nodes: bool) -> None:
    chat = Chat()
    words = ["Thank", "you,", "I", "have", "looked", "at", "your", "invoice", "and", "corrected", "it"]
    for count in range(1, len(words) + 1):
        chat.shows("Hello", " ".join(words[:count]), nodes=nodes)
    chat.shows("Hello", " ".join(words), looks=8, nodes=nodes)
    assert chat.told() == ["Hello", " ".join(words)]
    line = chat.transcript.lines[1]
    assert line.settled_at is not None
    assert line.settled_at - line.first_at == timedelta(seconds=0.2 * (len(words) - 1))


def test_lists_that_drop_old_messages_lose_none() -> None:
    chat = Chat()
    texts = [f"Message number {index} of many" for index in range(30)]
    for index in range(1, 31):
        chat.shows(*texts[max(0, index - 4) : index], looks=7, nodes=False)
    assert chat.told() == texts
    assert not chat.told("gone")


def test_a_changed_and_a_removed_message_are_told() -> None:
    chat = Chat()
    chat.shows("One", "It costs 10 euro a month", "Three", looks=8)
    chat.shows("One", "It costs 20 euro a month", "Three", looks=8)
    assert chat.told("changed") == ["It costs 20 euro a month"]
    for _ in range(30):
        chat.changes += chat.transcript.look([Item(node="0-0", text="One"), Item(node="0-2", text="Three")], chat.at)
        chat.at += timedelta(seconds=0.2)
    assert chat.told("gone") == ["It costs 20 euro a month"]


def test_a_reload_that_empties_the_list_tells_nothing_twice() -> None:
    chat = Chat()
    chat.shows("Hello", "How are you?", looks=8)
    chat.shows(looks=20)
    chat.shows("Hello", "How are you?", "Still there?", looks=8, again=7)
    assert chat.told() == ["Hello", "How are you?", "Still there?"]
    assert not chat.told("gone")


def test_our_own_words_are_ours_once() -> None:
    chat = Chat()
    chat.transcript.we_said("Hello?", chat.at)
    chat.shows("Hello? 10:31 ✓✓", "Hello?", looks=8)
    assert [line.is_ours for line in chat.transcript.lines] == [True, False]


def test_words_of_ours_are_known_however_they_are_drawn() -> None:
    assert says("It’s invoice 4711 – thanks! ✓", "It's invoice 4711 - thanks!")
    assert not says("Invoice 4711 is paid", "Invoice 4711")
    assert not says("ok", "no")


@given(
    st.lists(
        st.text(st.characters(categories=("L", "N"), include_characters=" ?!"), min_size=1, max_size=20), max_size=12
    ),
    st.integers(2, 6),
    st.booleans(),
)
def test_any_conversation_is_told_in_its_order(texts: list[str], window: int, nodes: bool) -> None:
    texts = [f"{index}: {text}" for index, text in enumerate(texts)]  # equal ones are another test's
    chat = Chat()
    for index in range(1, len(texts) + 1):
        low = 0 if nodes else max(0, index - window)
        chat.shows(*texts[low:index], looks=7, nodes=nodes)
    assert chat.told() == texts

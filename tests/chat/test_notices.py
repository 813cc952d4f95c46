"""What the notices of chats say, in four languages; and that what people write is no notice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.chatting.notices import is_telling, read_notice
from probes.events import NoticeKind

QUEUE, JOINED, LEFT = NoticeKind.QUEUE, NoticeKind.JOINED, NoticeKind.LEFT
TRANSFERRED, ENDED, OTHER = NoticeKind.TRANSFERRED, NoticeKind.ENDED, NoticeKind.OTHER


@pytest.mark.parametrize(
    ("text", "position", "wait_s"),
    [
        ("You are number 3 in the queue", 3, None),
        ("Your position in the queue is 2. Estimated wait: about 5 minutes", 2, 300),
        ("You're #2 in line", 2, None),
        ("There are 4 people ahead of you", 5, None),
        ("You are next in line", 1, None),
        ("Wait about 5 minutes", None, 300),
        ("Estimated wait time: 2-4 min", None, 240),
        ("Estimated waiting time 00:45", None, 45),
        ("Position: 2 · Estimated wait 1 min 30 s", 2, 90),
        ("Less than a minute wait", None, 60),
        ("All our agents are currently busy", None, None),
        ("Sie sind Nummer 4 in der Warteschlange", 4, None),
        ("Die Wartezeit beträgt ca. 3 Minuten", None, 180),
        ("Vous êtes numéro 3 dans la file d'attente", 3, None),
        ("Temps d'attente estimé : 5 minutes", None, 300),
        ("Su posición en la cola es la 3", 3, None),
        ("Tiempo de espera estimado: 2 minutos", None, 120),
    ],
)
def test_a_place_in_the_queue_and_an_announced_wait(text: str, position: int | None, wait_s: float | None) -> None:
    found = read_notice(text)
    assert (found.means, found.position, found.announced_wait_s) == (QUEUE, position, wait_s)


@pytest.mark.parametrize(
    ("text", "means", "name"),
    [
        ("Dana joined the chat", JOINED, "Dana"),
        ("10:31 Dana K. has joined", JOINED, "Dana K"),
        ("You are now chatting with Dana", JOINED, "Dana"),
        ("An agent has joined the conversation", JOINED, None),
        ("Dana ist dem Chat beigetreten.", JOINED, "Dana"),
        ("Dana a rejoint la conversation", JOINED, "Dana"),
        ("Dana se ha unido al chat", JOINED, "Dana"),
        ("Marco left the chat", LEFT, "Marco"),
        ("Transferring you to Billing", TRANSFERRED, "Billing"),
        ("Connecting you to an agent", TRANSFERRED, None),
        ("Sie werden an Herrn Weiß weitergeleitet", TRANSFERRED, "Herrn Weiß"),
        ("The chat has been closed due to inactivity.", ENDED, None),
        ("Dana has ended the chat.", ENDED, "Dana"),
        ("Der Chat wurde beendet", ENDED, None),
        ("La conversation est terminée", ENDED, None),
        ("El chat ha finalizado", ENDED, None),
    ],
)
def test_who_came_and_went(text: str, means: NoticeKind, name: str | None) -> None:
    assert (read_notice(text).means, read_notice(text).name) == (means, name)


@pytest.mark.parametrize(
    "text",
    [
        "Hi, I am Dana, what can I do for you?",
        "I have just joined a meeting, one moment please.",
        "Your order is number 33 of 2025",
        "I joined the company and entered the chat",
        "We are open from 9:00",
        "",
        "Which invoice is it about?",
    ],
)
def test_what_people_write_is_no_notice(text: str) -> None:
    assert read_notice(text).means is OTHER
    assert not is_telling(read_notice(text))


def test_what_we_did_is_told_apart() -> None:
    assert read_notice("You have ended the chat").of_us
    assert read_notice("You joined the chat").means is OTHER


@given(st.text(max_size=400))
def test_any_text_can_be_read(text: str) -> None:
    found = read_notice(text)
    assert found.position is None or 1 <= found.position <= 10_000
    assert found.announced_wait_s is None or found.announced_wait_s >= 0


@given(st.integers(1, 999), st.integers(1, 99))
def test_numbers_are_read_back(position: int, minutes: int) -> None:
    found = read_notice(f"You are number {position} in the queue, the wait is about {minutes} minutes.")
    assert (found.position, found.announced_wait_s) == (position, minutes * 60)

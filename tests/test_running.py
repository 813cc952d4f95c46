"""Contacts that go on between ticks: what was seen is given again until it is stored, and an end is always told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from probes.errors import FailureKind
from probes.events import CallRinging, ContactOutcome
from probes.model import Seen, Sighting
from probes.running import RunningContact, RunningContacts

RINGING = Sighting(what=CallRinging(), at_utc=datetime(2026, 11, 26, 9, tzinfo=UTC))


async def test_what_was_seen_is_told_until_it_counts_as_told() -> None:
    running = RunningContacts()

    async def work(contact: RunningContact) -> Seen:
        contact.saw(RINGING)
        await contact.stopping.wait()
        contact.saw(RINGING)
        return Seen(outcome=ContactOutcome.DONE)

    contact = running.start("chat 1", None, work)
    assert await contact.news(0, 5.0) == (RINGING,)
    assert await contact.news(0, 5.0) == (RINGING,)
    assert await contact.news(1, 0.01) == ()
    assert contact.ended is None
    await contact.end(5.0)
    assert await contact.news(1, 5.0) == (RINGING,)
    assert contact.ended == Seen(outcome=ContactOutcome.DONE)
    assert running.find("chat 1") is contact
    assert running.find("chat 2") is None


async def test_a_key_is_free_again_once_its_contact_is_over() -> None:
    running = RunningContacts()

    async def work(contact: RunningContact) -> Seen:
        await contact.stopping.wait()
        return Seen()

    first = running.start("chat 1", None, work)
    with pytest.raises(RuntimeError, match="under way"):
        running.start("chat 1", None, work)
    await first.end(5.0)
    assert running.start("chat 1", None, work) is not first
    await running.close()


async def test_what_does_not_end_is_cut_off_and_says_so() -> None:
    running = RunningContacts()

    async def work(contact: RunningContact) -> Seen:
        await asyncio.sleep(3600)
        return Seen()

    contact = running.start("chat 1", None, work)
    await contact.end(0.05)
    assert contact.ended is not None
    assert contact.ended.outcome is ContactOutcome.UNKNOWN
    assert contact.ended.failure is not None
    assert contact.ended.failure.kind is FailureKind.INTERRUPTED


async def test_a_fault_of_the_work_reaches_who_asks() -> None:
    running = RunningContacts()

    async def work(contact: RunningContact) -> Seen:
        raise KeyError("lost")

    contact = running.start("chat 1", None, work)
    await contact.news(0, 5.0)
    with pytest.raises(KeyError, match="lost"):
        _ = contact.ended
    await running.close()

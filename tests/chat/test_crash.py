"""A chat over the end of our process: never opened twice, and what became of it is told truthfully."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.engine.sessions import SessionFolder
from audit.ledger.store import Ledger
from audit.model import Event
from probes import chat
from probes.browser import ChromiumSource
from probes.chatting.keeping import keep_begun, name_of
from probes.clock import Clock
from probes.errors import FailureKind, Side
from probes.events import ChatOpened, ContactEnded, ContactOutcome, ContactStarted, MessageSeen, MessageSent
from probes.model import Tools, Trace
from probes.running import RunningContacts
from tests.chat.kit import Truth, channel, pages, spec, stored
from tests.chat.practice import PracticeChat, practice_chat
from tests.web.kit import tools
from tests.whole.test_demo import ROOT
from tests.whole.test_helpdesk import wait_for

START = datetime(2026, 11, 26, 9, tzinfo=UTC)


@pytest.fixture
def own(tmp_path: Path) -> Tools:
    """Tools as a worker has them, with sessions kept in a folder."""
    return replace(tools(ChromiumSource()), sessions=SessionFolder(tmp_path / "sessions", "vendor"))


async def test_what_was_not_begun_is_absent_and_what_was_is_not(own: Tools) -> None:
    of = channel(url="http://127.0.0.1:9/")
    wanted = spec(of)
    assert (await chat.reconcile(wanted, START, own)).trace is Trace.ABSENT
    keep_begun(name_of(of, wanted.reference, "ask"), START + timedelta(seconds=5), own)
    assert (await chat.reconcile(wanted, START, own)).trace is Trace.UNKNOWN
    # One that was begun before this attempt is another one.
    assert (await chat.reconcile(wanted, START + timedelta(hours=1), own)).trace is Trace.ABSENT
    assert (await chat.reconcile(wanted, START, replace(own, sessions=None))).trace is Trace.UNKNOWN


@pytest.mark.slow
async def test_the_process_ends_before_anything_was_pressed(own: Tools) -> None:
    truth = Truth()
    with pages(truth) as site:
        seen = await chat.submit(spec(channel(url=site.url + "soup.html")), own)
        await own.running.close(0.0)
        again = await chat.collect(stored(seen.handle), replace(own, running=RunningContacts()))
    await own.browser.close()  # type: ignore[attr-defined]
    assert (again.finished, again.outcome) == (True, ContactOutcome.FAILED)  # so that it is tried again
    assert again.failure is not None
    assert (again.failure.kind, again.failure.side) == (FailureKind.INTERRUPTED, Side.OURS)
    assert truth.of("opened") == []


async def test_a_chat_of_another_live_process_is_left_to_it(own: Tools) -> None:
    elsewhere = replace(own, running=RunningContacts(alone=False))
    seen = await chat.submit(spec(channel(url="http://127.0.0.1:9/")), replace(own, running=RunningContacts()))
    again = await chat.collect(stored(seen.handle), elsewhere)
    assert not again.finished
    assert again.again_s is not None


PLAN = """\
holdproof: 1
name: A chat that is cut off
authorisation: {{ basis: practice, by: the tests, until: 2099-12-31 }}
clock: {{ factor: {factor}, origin_utc: {origin} }}
vendors:
  - id: kestrel
    name: Kestrel Cloud
    place: GB
    time_zone: Europe/London
    channels:
      chat:
        kind: chat
        url: "{url}"
        chat_at_most: 20 h
        scripts:
          ask:
            - say: "Backups have stopped. {{reference}}"
            - wait_for: {{ seen: reply, at_most: 5 h }}
            - ask_human
            - wait_for: {{ seen: human, at_most: 5 h }}
            - say: "Our customer number is 40718263."
            - wait_for: {{ seen: ended, at_most: 5 h }}
personas: [{{ id: ada, name: Ada Marsh, email: ada.marsh@customer.example }}]
scenarios:
  - id: backups
    problem: {{ subject: Backups have stopped, body: They do not run. }}
    steps: [{{ chat: {{ channel: chat, script: ask }} }}]
samples: [{{ scenario: backups }}]
limits: {{ audit_at_most: 2 days, chats: 2 }}
"""


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[tuple[PracticeChat, Clock]]:
    clock = Clock(20.0, datetime.now(UTC))
    with practice_chat("everyday", clock, tmp_path / "vendor") as served:
        yield served, clock


@pytest.mark.slow
def test_a_run_that_is_killed_in_the_middle_of_a_chat_opens_no_second_one(
    vendor: tuple[PracticeChat, Clock], tmp_path: Path
) -> None:
    served, clock = vendor
    plan, home = tmp_path / "plan.yaml", tmp_path / "home"
    plan.write_text(PLAN.format(factor=f"{clock.factor:g}", origin=clock.origin_utc.isoformat(), url=served.url))
    command = [sys.executable, "-m", "audit.cli", "run", str(plan), "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as run:
        wait_for(home, run, MessageSent, 2)
        os.kill(run.pid, signal.SIGKILL)
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert again.returncode == 0, again.stderr
    events = _events(home)
    assert len(served.facts("chat_opened")) == 1
    assert [fact["text"] for fact in served.facts("chat_heard")][1:] == ["I would like to speak to a person, please."]
    assert [len([each for each in events if isinstance(each.what, kind)]) for kind in (ContactStarted, ChatOpened)] == [
        1,
        1,
    ]
    (ended,) = [each.what for each in events if isinstance(each.what, ContactEnded)]
    assert ended.outcome is ContactOutcome.DONE
    assert ended.failure is not None
    assert (ended.failure.kind, ended.failure.side) == (FailureKind.INTERRUPTED, Side.OURS)
    assert "its conversation is still there" in ended.failure.text
    keys = [each.what.text for each in events if isinstance(each.what, MessageSeen)]
    assert len(keys) == len(set(keys))


def _events(home: Path) -> list[Event]:
    ledger = Ledger.in_folder(home)
    (audit,) = ledger.audits()
    events = list(ledger.events(audit.audit))
    ledger.close()
    return events

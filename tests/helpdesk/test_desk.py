"""One ticket on django-helpdesk from its public form to its resolution, in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from probes import web_ticket
from probes.browser import ChromiumSource
from probes.errors import Side
from probes.events import (
    ContactOutcome,
    MessageSeen,
    StatusSeen,
    TicketState,
    TicketSubmitted,
    ValueRead,
)
from probes.model import Tools
from tests.web import kit

pytestmark = pytest.mark.slow
PLAN = Path(__file__).with_name("plan.yaml")


class Desk:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process = subprocess.Popen(self._command(), stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:")

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tests.helpdesk.desk", "--dir", str(self.directory), *words]

    def staff(self, *words: str) -> str:
        return subprocess.run(self._command(*words), check=True, capture_output=True, text=True).stdout

    def tickets(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.staff("list"))
        return listed

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    yield desk
    desk.stop()


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    browser = ChromiumSource()
    yield kit.tools(browser)
    await browser.close()


def portal(desk: Desk) -> web_ticket.Channel:
    plan = YAML(typ="safe").load(PLAN.read_text(encoding="utf-8"))
    config = plan["vendors"][0]["channels"]["portal"]
    return TypeAdapter(web_ticket.Channel).validate_python(config | {"url": desk.url, "timeout": "20 s"})


def test_the_channel_is_short() -> None:
    lines = PLAN.read_text(encoding="utf-8").splitlines()
    begin, end = lines.index("      portal:"), lines.index("    promises:")
    assert end - begin - 1 <= 30


async def test_a_ticket_from_the_form_to_its_resolution(desk: Desk, tools: Tools) -> None:
    channel = portal(desk)
    spec = kit.spec(channel)
    before = kit.now()
    opened = await web_ticket.submit(spec, tools)
    assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
    assert [each.reference for each in kit.payloads(opened, TicketSubmitted)] == [spec.reference]

    (ticket,) = desk.tickets()
    assert ticket["submitter"] == spec.values["persona.email"]
    assert spec.reference in ticket["title"]
    assert ticket["description"] == spec.values["problem.body"]
    assert {each.name: each.value for each in kit.payloads(opened, ValueRead)}["ticket"] == ticket["ticket"]
    (submitted,) = [each for each in opened.sightings if isinstance(each.what, TicketSubmitted)]
    created = datetime.fromisoformat(ticket["created_utc"])
    assert before < submitted.at_utc < created < submitted.at_utc + timedelta(seconds=20)

    first = await web_ticket.collect(opened.handle, tools)
    assert first.failure is None
    assert [each.state for each in kit.payloads(first, StatusSeen)] == [TicketState.OPEN]
    assert {each.side for each in kit.payloads(first, MessageSeen)} <= {Side.OURS}

    desk.staff("answer", ticket["ticket"], "We look into it.\nWhich licence do you mean?")
    second = await web_ticket.collect(first.handle, tools)
    (answer,) = kit.payloads(second, MessageSeen)
    assert (answer.side, answer.author) == (Side.VENDOR, "dana")
    assert answer.text == "We look into it.\nWhich licence do you mean?"
    assert not kit.payloads(second, StatusSeen)
    (true,) = [each for each in desk.tickets()[0]["history"] if each["text"].startswith("We look")]
    true_at = datetime.fromisoformat(true["at_utc"])
    assert answer.claimed_at_utc is not None
    assert answer.claimed_at_utc <= true_at < answer.claimed_at_utc + timedelta(minutes=1)
    assert answer.absent_at_utc is not None
    assert answer.absent_at_utc < true_at < second.sightings[-1].at_utc

    desk.staff("resolve", ticket["ticket"], "The corrected invoice is on its way.")
    third = await web_ticket.collect(second.handle, tools)
    assert [each.text for each in kit.payloads(third, MessageSeen)] == ["The corrected invoice is on its way."]
    (status,) = kit.payloads(third, StatusSeen)
    assert (status.previous_text, status.text, status.state) == ("Open", "Resolved", TicketState.RESOLVED)

    fourth = await web_ticket.collect(third.handle, tools)
    assert not kit.payloads(fourth, MessageSeen)
    assert not kit.payloads(fourth, StatusSeen)

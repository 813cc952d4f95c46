"""The practice help desk: it lives by its clock, and tells the truth file what it did."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
import uvicorn
from pydantic import TypeAdapter

from probes import web_ticket
from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.errors import FailureKind, Side, UserError
from probes.events import Action, ContactOutcome, HandOffSeen, MessageSeen, StatusSeen, TicketState, ValueRead
from probes.model import Trace
from probes.practice.character import CHARACTERS
from probes.practice.portal import portal_app
from probes.practice.portal_life import read_portal
from tests.web import kit


@dataclass
class Truth:
    facts: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, kind: str, at_utc: datetime, **facts: Any) -> None:
        assert at_utc.tzinfo is not None
        self.facts.append((kind, at_utc, facts))
        self.changed.set()

    def of(self, kind: str, **wanted: Any) -> list[tuple[datetime, dict[str, Any]]]:
        return [
            (at, facts)
            for name, at, facts in self.facts
            if name == kind and all(facts.get(key) == value for key, value in wanted.items())
        ]

    async def until(self, kind: str, **wanted: Any) -> tuple[datetime, dict[str, Any]]:
        async with asyncio.timeout(60):
            while not (found := self.of(kind, **wanted)):
                self.changed.clear()
                await self.changed.wait()
        return found[-1]


class HandClock(Clock):
    """A clock that the test moves."""

    moved: ClassVar[timedelta] = timedelta()

    def now_utc(self) -> datetime:
        return datetime(2026, 11, 22, 9, 0, tzinfo=UTC) + self.moved

    def real_delay_s(self, audit_s: float) -> float:
        return 3600.0


@pytest.fixture
def clock() -> HandClock:
    HandClock.moved = timedelta()
    return HandClock()


def go_on(**length: float) -> None:
    HandClock.moved += timedelta(**length)


@asynccontextmanager
async def desk(clock: Clock, truth: Truth, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = portal_app(clock, folder, truth, secret="for a test")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", follow_redirects=True) as client:
        yield client


FORM = {
    "name": "Jo Lindgren",
    "email": "jo@customer.example",
    "subject": "Invoice 4711 [HP-7K2M9QXA]",
    "description": "It lists one licence <b>twice</b>.",
    "topic": "Billing",
    "account": "88-1",
}


async def test_everyday_life_of_a_ticket(clock: HandClock) -> None:
    truth = Truth()
    async with desk(clock, truth, CHARACTERS / "everyday") as client:
        answer = await client.post("/new", data=FORM)
        assert answer.status_code == 200
        assert "KC-20417" in answer.text
        address, opened_at = str(answer.url), clock.now_utc()
        go_on(hours=5, minutes=17)
        assert "could you please" not in (await client.get(address)).text
        go_on(minutes=6)
        assert "could you please" in (await client.get(address)).text
        go_on(hours=21)
        page = (await client.get(address)).text
    receipt_at, receipt = truth.of("portal_message", by="machine")[0]
    asked_at, asked = truth.of("portal_message", by="agent")[0]
    resolved_at, resolved = truth.of("portal_status", status="Resolved")[0]
    assert (receipt["means"], asked["means"]) == (["receipt"], ["human", "asks_again"])
    assert receipt_at - opened_at <= timedelta(seconds=20)
    assert timedelta(hours=5, minutes=18) <= asked_at - opened_at <= timedelta(hours=5, minutes=22)
    assert timedelta(hours=25, minutes=50) <= resolved_at - opened_at <= timedelta(hours=26, minutes=10)
    assert resolved["state"] == "resolved"
    assert page.index("has been received") < page.index("could you please") < page.index("corrected version")
    assert "It lists one licence &lt;b&gt;twice&lt;/b&gt;." in page
    assert "22 Nov 2026, 14:2" in page or "22 Nov 2026, 14:1" in page
    assert [facts["to"] for _, facts in truth.of("portal_handed_over")] == ["Second line"]


async def test_a_reply_stops_the_question_and_reopens_what_was_resolved(clock: HandClock) -> None:
    truth = Truth()
    async with desk(clock, truth, CHARACTERS / "everyday") as client:
        answer = await client.post("/new", data=FORM)
        address, key = str(answer.url), answer.url.params["key"]
        await client.post("/tickets/KC-20417/reply", data={"key": key, "text": "My customer number is 88-1."})
        go_on(hours=27)
        await client.get(address)
        assert truth.of("portal_status", status="Resolved")
        assert not [facts for _, facts in truth.of("portal_message") if "asks_again" in facts["means"]]
        await client.post("/tickets/KC-20417/reply", data={"key": key, "text": "It still does not work."})
        assert truth.of("portal_reopened")
        go_on(hours=5)
        await client.get(address)
        assert truth.of("portal_status", status="Resolved", was="Reopened")
        await client.post("/tickets/KC-20417/close", data={"key": key})
        assert truth.of("portal_status", status="Closed", was="Resolved")


async def test_an_unanswered_ticket_is_closed_by_a_machine(clock: HandClock) -> None:
    truth = Truth()
    async with desk(clock, truth, CHARACTERS / "unanswered") as client:
        answer = await client.post("/new", data=FORM)
        go_on(hours=94)
        assert not truth.of("portal_status", status="Closed")
        go_on(hours=4)
        assert "no activity" in (await client.get(str(answer.url))).text
    assert truth.of("portal_status", status="Closed")
    assert not truth.of("portal_message", by="agent")


@pytest.mark.slow
async def test_what_happens_is_told_though_nobody_looks() -> None:
    truth = Truth()
    fast = Clock(factor=40_000.0, origin_utc=kit.now())
    async with desk(fast, truth, CHARACTERS / "everyday") as client:
        await client.post("/new", data=FORM)
        resolved_at, _ = await truth.until("portal_status", status="Resolved")
    opened_at = truth.of("portal_ticket_opened")[0][0]
    assert timedelta(hours=25, minutes=50) <= resolved_at - opened_at <= timedelta(hours=26, minutes=10)


async def test_search_finds_a_ticket_by_our_reference_and_nothing_else(clock: HandClock) -> None:
    async with desk(clock, Truth(), CHARACTERS / "everyday") as client:
        await client.post("/new", data=FORM)
        found = await client.get("/tickets", params={"email": FORM["email"], "q": "HP-7K2M9QXA"})
        assert "KC-20417" in found.text
        for params in ({"email": FORM["email"], "q": "HP-OTHER"}, {"email": "x@y.example", "q": "HP-7K2M9QXA"}):
            assert "0 tickets found" in (await client.get("/tickets", params=params)).text


async def test_a_ticket_is_shown_only_to_who_has_its_key(clock: HandClock) -> None:
    async with desk(clock, Truth(), CHARACTERS / "everyday") as client:
        await client.post("/new", data=FORM)
        assert (await client.get("/tickets/KC-20417")).status_code == 404
        assert (await client.post("/tickets/KC-20417/close", data={"key": "no"})).status_code == 404


async def test_a_form_with_faults_opens_nothing(clock: HandClock) -> None:
    truth = Truth()
    async with desk(clock, truth, CHARACTERS / "everyday") as client:
        answer = await client.post("/new", data=FORM | {"subject": " ", "email": "nowhere"})
    assert "Subject is missing." in answer.text
    assert "no e-mail address" in answer.text
    assert not truth.facts


def test_a_faulty_character_names_all_its_faults(tmp_path: Path) -> None:
    path = tmp_path / "portal.yaml"
    path.write_text("company: X\ndesk: Y\ntime_zone: UTC\nseed: 1\nstatuses: {New: fresh}\nopned: []\n")
    with pytest.raises(UserError) as caught:
        read_portal(path)
    assert "statuses.New" in caught.value.message
    assert "opned" in caught.value.message


PORTAL = {
    "open": [
        {"goto": "/new"},
        {
            "fill": {
                "Your name": "{persona.name}",
                "E-mail address": "{persona.email}",
                "Subject": "{problem.subject} [{reference}]",
                "Description": "{problem.body}",
            }
        },
        {"select": {"Topic": "Billing"}},
        {"upload": {"Attachment": {"name": "log.txt", "text": "nothing in it"}}},
        {"click": "Send ticket"},
        {"expect": {"text": "Thank you"}},
        {"read": {"name": "ticket", "regex": "ticket number is ([A-Z]+-[0-9]+)"}},
        {"read": {"name": "key", "at": "url", "regex": "key=([0-9a-f]+)"}},
    ],
    "look": {
        "url": "/tickets/{ticket}?key={key}",
        "status": {"at": "css=.status"},
        "assigned": {"at": "css=.team"},
        "messages": {
            "items": ".message",
            "author": ".author",
            "time": ".when",
            "text": ".text",
            "ours": ".customer",
            "time_zone": "Europe/London",
        },
    },
    "reply": [{"fill": {"Your message": "{text}"}}, {"click": "Send message"}],
    "close": [{"click": "Close this ticket"}],
    "find": {
        "url": "/tickets?email={persona.email}&q={reference}",
        "items": "tr.found",
        "read": [
            {"name": "ticket", "regex": "[A-Z]+-[0-9]+"},
            {"name": "key", "at": "url", "regex": "key=([0-9a-f]+)"},
        ],
    },
}


@asynccontextmanager
async def served(clock: Clock, truth: Truth, folder: Path) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = portal_app(clock, folder, truth, secret="for a test")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        await task
        listener.close()


@pytest.mark.slow
async def test_what_the_probe_saw_is_what_happened(clock: HandClock) -> None:
    truth, browser = Truth(), ChromiumSource()
    tools = kit.tools(browser, clock=clock)
    async with served(clock, truth, CHARACTERS / "everyday") as url:
        channel = kit.channel(url=url, **PORTAL)
        opened = await web_ticket.submit(kit.spec(channel), tools)
        assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
        assert kit.payloads(opened, ValueRead)[0].value == "KC-20417"
        assert len(truth.of("portal_ticket_opened")) == 1

        go_on(minutes=1)
        first = await web_ticket.collect(opened.handle, tools)
        assert [each.side for each in kit.payloads(first, MessageSeen)] == [Side.OURS, Side.VENDOR]
        go_on(hours=6)
        second = await web_ticket.collect(first.handle, tools)
        (question,) = kit.payloads(second, MessageSeen)
        assert (question.author, question.absent_at_utc) == ("Priya N.", first.handle.looked_at_utc)
        asked_at, _ = truth.of("portal_message", author="Priya N.")[0]
        assert question.claimed_at_utc == asked_at.replace(second=0, microsecond=0)
        (status,) = kit.payloads(second, StatusSeen)
        assert (status.text, status.state) == ("Waiting for your reply", TicketState.WAITING_FOR_US)

        reply = kit.spec(channel, Action.REPLY, handle=second.handle, text="My number is 88-1, as I wrote.")
        assert (await web_ticket.reconcile(reply, kit.now(), tools)).trace is Trace.ABSENT
        replied = await web_ticket.submit(reply, tools)
        assert (replied.outcome, replied.failure) == (ContactOutcome.DONE, None)
        assert len(truth.of("portal_message", text="My number is 88-1, as I wrote.")) == 1
        assert (await web_ticket.reconcile(reply, kit.now(), tools)).trace is Trace.FOUND

        go_on(hours=21)
        third = await web_ticket.collect(replied.handle, tools)
        sides = [each.side for each in kit.payloads(third, MessageSeen)]
        assert sides == [Side.OURS, Side.VENDOR, Side.VENDOR]
        assert [each.state for each in kit.payloads(third, StatusSeen)] == [TicketState.RESOLVED]
        (handed,) = kit.payloads(third, HandOffSeen)
        assert (handed.from_name, handed.to_name) == ("First line", "Second line")

        close = kit.spec(channel, Action.CLOSE, handle=third.handle)
        assert (await web_ticket.submit(close, tools)).outcome is ContactOutcome.DONE
        assert len(truth.of("portal_closed_by_customer")) == 1
        assert (await web_ticket.reconcile(close, kit.now(), tools)).trace is Trace.FOUND
    await browser.close()


@pytest.mark.slow
async def test_after_a_crash_the_ticket_is_found_by_our_reference(clock: HandClock) -> None:
    truth, browser = Truth(), ChromiumSource()
    tools = kit.tools(browser, clock=clock)
    async with served(clock, truth, CHARACTERS / "everyday") as url:
        channel = kit.channel(url=url, **PORTAL)
        before = await web_ticket.reconcile(kit.spec(channel), kit.now(), tools)
        assert before.trace is Trace.ABSENT
        opened = await web_ticket.submit(kit.spec(channel), tools)
        after = await web_ticket.reconcile(kit.spec(channel), kit.now(), tools)
        assert after.trace is Trace.FOUND
        assert after.seen.handle == opened.handle
        stored = TypeAdapter(web_ticket.Handle)
        assert stored.validate_json(stored.dump_json(after.seen.handle)) == opened.handle
        without = kit.channel(url=url, **{**PORTAL, "find": None})
        assert (await web_ticket.reconcile(kit.spec(without), kit.now(), tools)).trace is Trace.UNKNOWN
    await browser.close()


@pytest.mark.slow
async def test_a_portal_behind_a_login(clock: HandClock, tmp_path: Path) -> None:
    text = (CHARACTERS / "everyday" / "portal.yaml").read_text(encoding="utf-8")
    (tmp_path / "portal.yaml").write_text(text + "login: {user: jo, password: 'p&ss <word>'}\n", encoding="utf-8")
    login = [
        {"goto": "/login"},
        {"fill": {"User name": "jo", "Password": "${env:DESK_PASSWORD}"}},
        {"click": "Log in"},
        {"expect": {"text": "How can we help?"}},
    ]
    truth, browser = Truth(), ChromiumSource()
    async with served(clock, truth, tmp_path) as url:
        channel = kit.channel(url=url, **PORTAL, login=login)
        for password, kind in (("p&ss <word>", None), ("wrong", FailureKind.LOGIN_FAILED)):
            tools = kit.tools(browser, clock=clock, vault=kit.Vault({"${env:DESK_PASSWORD}": password}))
            seen = await web_ticket.submit(kit.spec(channel), tools)
            assert (seen.failure.kind if seen.failure else None) == kind
            assert seen.failure is None or seen.failure.side is Side.OURS
        assert len(truth.of("portal_ticket_opened")) == 1
    await browser.close()

"""Desks behind a login: one login for many contacts, a new one when the session has ended, nothing kept in clear."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from audit.engine.sessions import SessionFolder
from probes import web_ticket
from probes.browser import ChromiumSource
from probes.errors import FailureKind, Side
from probes.events import ContactOutcome, MessageSeen, StatusSeen, ValueRead
from probes.model import Tools
from tests.web import kit
from tests.web.kit import Answer, Asked, site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

LOGIN_PAGE = """<!doctype html><title>Sign in</title><h1>Sign in</h1><form method=post action=/login>
<label>User <input name=user></label><label>Password <input type=password name=password></label>
<button>Sign in</button></form>"""
FORM = """<!doctype html><title>New request</title><p>Signed in as Jo<form method=post action=/new>
<label>Subject <input name=subject></label><label>Text <textarea name=body></textarea></label>
<button>Send</button></form>"""
LOGIN = [
    {"goto": "/login"},
    {"fill": {"User": "jo", "Password": "${env:DESK_PASSWORD}"}},
    {"click": "Sign in"},
    {"expect": {"text": "Signed in as Jo"}},
]
OPEN = [
    {"goto": "/new"},
    {"fill": {"Subject": "{problem.subject}", "Text": "{problem.body}"}},
    {"click": "Send"},
    {"read": {"name": "ticket", "regex": "Request ([0-9]+)"}},
]
LOOK = {"url": "/requests/{ticket}", "status": {"at": "css=#state"}, "messages": {"items": ".note", "author": "b"}}
PASSWORD = "correct horse battery"


class Desk:
    """A desk with sessions that it can end, and by HTTP's own login if `basic` is set."""

    def __init__(self, *, basic: bool = False) -> None:
        self.basic, self.open_sessions, self.logins, self.tickets = basic, set[str](), 0, 0
        self.notes = ["We are looking into it."]

    def __call__(self, asked: Asked) -> Answer | str:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        wanted = "Basic " + base64.b64encode(f"jo:{PASSWORD}".encode()).decode()
        if self.basic and headers.get("authorization") != wanted:
            return Answer(b"<p>Who are you?", 401, {"www-authenticate": 'Basic realm="Desk"'})
        if asked.path == "/login":
            return self.log_in(asked)
        cookie = headers.get("cookie", "").partition("session=")[2].partition(";")[0]
        if cookie not in self.open_sessions:
            return Answer(b"", 302, {"location": "/login"})
        if asked.path == "/new" and asked.method == "POST":
            self.tickets += 1
            return f"<p>Request {self.tickets} was opened. <a href='/out?s={cookie}'>Sign out</a>"
        if asked.path.startswith("/requests/"):
            notes = "".join(f"<div class=note><b>Ann</b> {note}</div>" for note in self.notes)
            return f"<p>Signed in as Jo<p id=state>In progress</p>{notes}<a href='/out?s={cookie}'>Sign out</a>"
        return FORM

    def log_in(self, asked: Asked) -> Answer | str:
        if asked.method != "POST":
            return LOGIN_PAGE
        self.logins += 1
        if parse_qs(asked.body.decode()).get("password") != [PASSWORD]:
            return LOGIN_PAGE.replace("<form", "<p class=error>Wrong password.</p><form")
        token = secrets.token_hex(16)
        self.open_sessions.add(token)
        return Answer(b"", 303, {"location": "/new", "set-cookie": f"session={token}; HttpOnly; Path=/"})


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.fixture
def tools(browser: ChromiumSource, tmp_path: Path) -> Tools:
    vault = kit.Vault({"${env:DESK_PASSWORD}": PASSWORD})
    return replace(kit.tools(browser, vault=vault), sessions=SessionFolder(tmp_path / "sessions", "desk"))


def desk_channel(url: str, **parts: Any) -> Any:
    return kit.channel(**({"url": url, "login": LOGIN, "open": OPEN, "look": LOOK, "timeout": "20 s"} | parts))


async def test_one_login_serves_many_contacts_and_is_kept_for_its_owner_only(tools: Tools, tmp_path: Path) -> None:
    desk = Desk()
    with site(desk) as here:
        channel = desk_channel(here.url)
        opened = await web_ticket.submit(kit.spec(channel), tools)
        assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
        first = await web_ticket.collect(opened.handle, tools)
        second = await web_ticket.collect(first.handle, tools)
        assert (first.failure, second.failure, desk.logins) == (None, None, 1)
        jane = kit.VALUES | {"persona.name": "Jane", "persona.email": "jane@customer.example"}
        other = await web_ticket.submit(kit.spec(channel, values=jane), tools)
        assert (other.failure, desk.logins) == (None, 2)
    files = sorted((tmp_path / "sessions").iterdir())
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    assert (tmp_path / "sessions").stat().st_mode & 0o777 == 0o700
    store = tools.artifacts
    assert isinstance(store, kit.Store)
    kept = b"\n".join(store.kept.values()) + repr((opened, first, second, other)).encode()
    assert b"Sign out" in kept
    for token in desk.open_sessions:
        assert token.encode() not in kept


async def test_a_session_that_ended_is_renewed_once_and_nothing_is_lost(tools: Tools) -> None:
    desk = Desk()
    with site(desk) as here:
        channel = desk_channel(here.url)
        opened = await web_ticket.submit(kit.spec(channel), tools)
        first = await web_ticket.collect(opened.handle, tools)
        desk.open_sessions.clear()
        desk.notes.append("It is mended.")
        second = await web_ticket.collect(first.handle, tools)
        assert (second.failure, desk.logins) == (None, 2)
        assert [each.text for each in kit.payloads(second, MessageSeen)] == ["It is mended."]
        assert kit.payloads(first, StatusSeen)[0].text == "In progress"
        desk.open_sessions.clear()
        again = await web_ticket.submit(kit.spec(channel), tools)
        assert (again.failure, desk.logins, desk.tickets) == (None, 3, 2)
        assert [each.value for each in kit.payloads(again, ValueRead)] == ["2"]


async def test_a_wrong_password_is_tried_once(tools: Tools) -> None:
    desk = Desk()
    wrong = replace(tools, secrets=kit.Vault({"${env:DESK_PASSWORD}": "another one"}))
    with site(desk) as here:
        seen = await web_ticket.submit(kit.spec(desk_channel(here.url, timeout="6 s")), wrong)
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side, desk.logins) == (FailureKind.LOGIN_FAILED, Side.OURS, 1)
    assert "Wrong password." in seen.failure.text


async def test_a_desk_behind_http_basic_and_a_login(tools: Tools) -> None:
    desk = Desk(basic=True)
    basic = {"user": "jo", "password": "${env:DESK_PASSWORD}"}
    with site(desk) as here:
        without = await web_ticket.submit(kit.spec(desk_channel(here.url)), tools)
        assert without.failure is not None
        assert (without.failure.kind, without.failure.side) == (FailureKind.LOGIN_FAILED, Side.OURS)
        assert "basic_auth" in without.failure.text
        wrong = await web_ticket.submit(kit.spec(desk_channel(here.url, basic_auth=basic | {"user": "joe"})), tools)
        assert wrong.failure is not None
        assert wrong.failure.kind is FailureKind.LOGIN_FAILED
        channel = desk_channel(here.url, basic_auth=basic)
        opened = await web_ticket.submit(kit.spec(channel), tools)
        assert (opened.outcome, opened.failure, desk.logins) == (ContactOutcome.DONE, None, 1)
        desk.open_sessions.clear()
        looked = await web_ticket.collect(opened.handle, tools)
        assert (looked.failure, desk.logins) == (None, 2)


async def test_the_password_of_http_basic_goes_to_no_other_host(tools: Tools) -> None:
    curious = Desk(basic=True)
    with site(curious) as elsewhere:
        with site(lambda asked: f"<form><label>Subject <input></label></form><img src='{elsewhere.url}x.png'>") as here:
            basic = {"user": "jo", "password": "${env:DESK_PASSWORD}"}
            channel = kit.channel(
                url=here.url,
                open=[{"goto": "/"}, {"click": "Subject"}],
                hosts=[elsewhere.url],
                basic_auth=basic,
                timeout="1 s",
            )
            await web_ticket.submit(kit.spec(channel), tools)
        assert elsewhere.asked
        assert not [each for each in elsewhere.asked if "authorization" in {name.lower() for name in each.headers}]

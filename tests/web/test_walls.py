"""What keeps machines out is reported as ours, never fought; a person at the window may pass it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from audit.engine.attending import PersonAtWindow
from audit.engine.sessions import SessionFolder
from probes import web_ticket
from probes.browser import Bounds, ChromiumSource
from probes.errors import FailureKind, Side
from probes.events import ContactOutcome
from probes.model import Tools
from probes.web.walls import CHALLENGE_HOSTS, wall_on
from tests.web import kit
from tests.web.kit import Answer, Asked, site
from tests.web.test_hostile import FORM, STEPS, THANKS

slow = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def in_browser(test: Any) -> Any:
    for mark in slow:
        test = mark(test)
    return test


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.fixture
def tools(browser: ChromiumSource) -> Tools:
    return kit.tools(browser, vault=kit.Vault({"${env:DESK_PASSWORD}": "hunter-2-hunter"}))


WALLS = {
    "empty-widget": "<div class=g-recaptcha data-sitekey=x></div>",
    "friendly": "<div class=frc-captcha data-sitekey=x>I am human</div>",
    "words": "<h1>One last thing</h1><p>Please verify you are a human to go on.</p>",
    "german": "<p>Bitte bestätigen Sie, dass Sie kein Roboter sind.</p>",
    "code": "<label>Security code <input></label><p>We have sent it to your phone.",
    "german-code": "<label>Bestätigungscode <input></label>",
    "approval": "<p>Open your authenticator app and approve the sign-in request.</p>",
}


@in_browser
async def test_pages_that_want_a_person_are_known_as_such(tools: Tools) -> None:
    async with tools.browser.context(frozenset()) as context:
        page = await context.new_page()
        for name, wall in WALLS.items():
            await page.set_content(f"<title>Desk</title>{wall}")
            assert await wall_on(page), name
            frame = f"<iframe width=600 height=300 srcdoc='{wall.replace(chr(39), chr(34))}'></iframe>"
            large = f"<p>{'Our desk. ' * 200}{frame}"
            await page.set_content(large)
            await page.frames[1].wait_for_load_state()
            assert await wall_on(page), f"{name} in a frame"
            await page.set_content(large.replace("<iframe", "<iframe hidden"))
            await page.frames[1].wait_for_load_state()
            assert await wall_on(page) is None, f"{name} in a frame out of sight"
        for harmless in (FORM, THANKS, "<p>Our security code of conduct", "<input type=password name=passwort>"):
            await page.set_content(harmless)
            assert await wall_on(page) is None, harmless


@in_browser
async def test_a_page_that_wants_a_person_is_blocked_and_ours(tools: Tools) -> None:
    with site(lambda asked: f"<title>Desk</title>{WALLS['words']}") as here:
        seen = await web_ticket.submit(kit.spec(kit.channel(url=here.url, open=STEPS)), tools)
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.BLOCKED, Side.OURS), seen.failure.text


@in_browser
async def test_a_form_that_waits_for_an_unseen_judge_is_blocked(tools: Tools) -> None:
    judged = FORM.replace("<form ", "<form onsubmit='return false' ") + "<div class=grecaptcha-badge></div>"
    with site(lambda asked: judged) as here:
        seen = await web_ticket.submit(kit.spec(kit.channel(url=here.url, open=STEPS, timeout="6 s")), tools)
    assert seen.failure is not None
    assert (seen.failure.kind, seen.outcome) == (FailureKind.BLOCKED, ContactOutcome.FAILED)


@in_browser
async def test_a_person_passes_a_captcha_and_the_ticket_is_sent_once(tools: Tools) -> None:
    said: list[str] = []
    solved = (
        "<div class=g-recaptcha><textarea name=g-recaptcha-response style='display:none'></textarea></div>"
        "<script>setTimeout(() => document.querySelector('[name=g-recaptcha-response]').value = 'x'.repeat(40), 4000)"
        "</script>"
    )
    form = FORM.replace("<button>", solved + "<button>")
    attended = replace(tools, attendant=PersonAtWindow(said.append, patience_s=60))
    with site(lambda asked: THANKS if asked.method == "POST" else form) as here:
        seen = await web_ticket.submit(kit.spec(kit.channel(url=here.url, open=STEPS, timeout="20 s")), attended)
        assert here.paths("POST") == ["/new"]
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
    assert said[0].startswith("a CAPTCHA at http://127.0.0.1")

    with site(lambda asked: THANKS if asked.method == "POST" else form.replace("4000", "400000")) as here:
        hasty = replace(tools, attendant=PersonAtWindow(said.append, patience_s=1.5))
        seen = await web_ticket.submit(kit.spec(kit.channel(url=here.url, open=STEPS)), hasty)
        assert not here.paths("POST")
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.BLOCKED


@in_browser
async def test_a_person_gives_a_second_factor_and_the_session_is_kept(tools: Tools, tmp_path: Path) -> None:
    login = [
        {"goto": "/login"},
        {"fill": {"Password": "${env:DESK_PASSWORD}"}},
        {"click": "Sign in"},
        {"expect": {"text": "Welcome"}},
    ]
    said: list[str] = []

    def answer(asked: Asked) -> Answer | str:
        cookie = {name.lower(): value for name, value in asked.headers.items()}.get("cookie", "")
        if asked.path == "/login":
            ask = "<label>Verification code <input></label><script>setTimeout(() => location = '/code', 4000)</script>"
            return (
                ask
                if asked.method == "POST"
                else (
                    "<form method=post><label>Password <input type=password name=p></label>"
                    "<button>Sign in</button></form>"
                )
            )
        if asked.path == "/code":
            return Answer(b"<p>Welcome", 200, {"set-cookie": "session=0123456789abcdef0123; Max-Age=3600"})
        if "0123456789abcdef0123" not in cookie:
            return Answer(b"", 302, {"location": "/login"})
        return THANKS if asked.method == "POST" else FORM

    with site(answer) as here:
        channel = kit.channel(url=here.url, open=STEPS, login=login, timeout="9 s")
        alone = await web_ticket.submit(kit.spec(channel), tools)
        assert alone.failure is not None
        assert (alone.failure.kind, alone.failure.step) == (FailureKind.BLOCKED, "login[3] expect")
        kept = replace(tools, sessions=SessionFolder(tmp_path, "desk"))
        attended = replace(kept, attendant=PersonAtWindow(said.append, patience_s=60))
        first = await web_ticket.submit(kit.spec(channel), attended)
        assert (first.outcome, first.failure) == (ContactOutcome.DONE, None)
        assert said[0].startswith("a second factor at http://127.0.0.1")
        second = await web_ticket.submit(kit.spec(channel), kept)
        assert (second.outcome, second.failure) == (ContactOutcome.DONE, None)
        assert here.paths("POST").count("/login") == 2


def test_frames_of_challenges_are_let_in_only_where_a_person_is() -> None:
    url = "https://www.google.com/recaptcha/api2/anchor"
    hosts = frozenset({"desk.example"})
    assert not Bounds(hosts).allows(url, "GET", document=True)
    attended = Bounds(hosts, CHALLENGE_HOSTS)
    assert attended.allows(url, "GET", document=True)
    assert attended.allows("https://challenges.cloudflare.com/x", "POST", document=False)
    assert not attended.allows("https://notgoogle.com/x", "GET", document=True)
    assert not attended.allows("http://google.com.evil.example/x", "POST", document=False)

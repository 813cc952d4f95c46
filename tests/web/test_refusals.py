"""Pages that answer 200 and mean no, and pages that say yes without meaning it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from probes import web_ticket
from probes.browser import ChromiumSource
from probes.errors import FailureKind
from probes.events import ContactOutcome
from probes.model import Tools
from probes.web.refusals import is_echo
from tests.web import kit
from tests.web.kit import Answer, Asked, site

FORM = """<!doctype html><title>New</title><h1>Support</h1><p class=notice>Fields with * are required.</p>
<form method=post action=/new><p><label>Subject * <input name=subject></label></p>
<p><label>Text <textarea name=body></textarea></label></p><button>Send</button></form>"""
STEPS: list[dict[str, Any]] = [
    {"goto": "/new"},
    {"fill": {"Subject": "{problem.subject}", "Text": "{problem.body}"}},
    {"click": "Send"},
]
THANKS = {"expect": {"text": "Thank you"}}
SCRIPTED = """<script>document.forms[0].onsubmit = event => { event.preventDefault();
fetch('/api', {method: 'POST', body: new FormData(event.target)}).then(answer => answer.text()).then(text =>
document.querySelector('h1').insertAdjacentHTML('afterend', text)) }</script>"""

slow = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.fixture
def tools(browser: ChromiumSource) -> Tools:
    return kit.tools(browser)


def marked(*marks: Any) -> Any:
    def put(test: Any) -> Any:
        for mark in marks:
            test = mark(test)
        return test

    return put


@marked(*slow)
@pytest.mark.parametrize(
    ("answer", "quote"),
    [
        (FORM.replace("<form", "<ul class=errorlist><li>Your plan has no support.</ul><form"), "has no support"),
        (FORM.replace("</label></p>", "<br><font color=red>Too short.</font></label></p>", 1), "Too short."),
        (
            FORM.replace("<form", "<div class='alert alert-danger'>Ihre Anfrage wurde nicht angelegt.</div><form"),
            "nicht",
        ),
        (FORM.replace("<p><label>T", "<p><b>Dieses Feld ist erforderlich</b><label>T"), "erforderlich"),
        (
            FORM.replace("required.</p>", "required.</p><p>Thank you! <span id=error>Daily limit reached.</span>"),
            "limit",
        ),
    ],
    ids=["list", "words", "german", "validation", "thanks-and-no"],
)
async def test_a_page_that_means_no_is_quoted_and_not_done(tools: Tools, answer: str, quote: str) -> None:
    with site(lambda asked: answer if asked.method == "POST" else FORM) as here:
        steps = [*STEPS, THANKS] if "Thank you" in answer else STEPS
        seen = await web_ticket.submit(kit.spec(kit.channel(url=here.url, open=steps, timeout="30 s")), tools)
    assert seen.outcome is ContactOutcome.UNKNOWN
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.EXPECTATION_NOT_MET
    assert quote in seen.failure.text, seen.failure.text
    assert "Fields with *" not in seen.failure.text


@marked(*slow)
async def test_a_script_that_means_no_is_quoted_too(tools: Tools) -> None:
    said = "<p role=alert>We could not save your request."
    with site(lambda asked: said if asked.method == "POST" else FORM + SCRIPTED) as here:
        seen = await web_ticket.submit(kit.spec(kit.channel(url=here.url, open=STEPS, timeout="30 s")), tools)
    assert seen.outcome is ContactOutcome.UNKNOWN
    assert seen.failure is not None
    assert "could not save" in seen.failure.text


@marked(*slow)
@pytest.mark.parametrize(
    "answer",
    [
        "<p role=alert class='alert alert-success'>Thank you. Required reading: our terms.</p>" + FORM,
        "<h1>Thank you</h1><p>Please check your mail; a missing answer is an error of ours.",
        FORM.replace("<h1>", "<h1>Thank you. "),
    ],
    ids=["green", "no-form", "form-again"],
)
async def test_a_page_that_means_yes_is_done(tools: Tools, answer: str) -> None:
    with site(lambda asked: answer if asked.method == "POST" else FORM) as here:
        seen = await web_ticket.submit(
            kit.spec(kit.channel(url=here.url, open=[*STEPS, THANKS], timeout="30 s")), tools
        )
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)


def redirected(to: str) -> Any:
    def answer(asked: Asked) -> Answer | str:
        if asked.method == "POST":
            return Answer(b"", 303, {"location": to})
        if asked.path.startswith("/done"):
            return "<h1>Support</h1><p>Thank you</p><p>Your request is R-1."
        return FORM

    return answer


@marked(*slow)
async def test_a_text_that_only_the_address_says_proves_nothing(tools: Tools) -> None:
    with site(redirected("/done?message=Thank+you")) as here:
        alone = await web_ticket.submit(
            kit.spec(kit.channel(url=here.url, open=[*STEPS, THANKS], timeout="30 s")), tools
        )
        number = {"read": {"name": "ticket", "regex": "R-[0-9]+"}}
        proven = await web_ticket.submit(
            kit.spec(kit.channel(url=here.url, open=[*STEPS, THANKS, number], timeout="30 s")), tools
        )
    assert alone.outcome is ContactOutcome.UNKNOWN
    assert alone.failure is not None
    assert "only because its address says so" in alone.failure.text
    assert (proven.outcome, proven.failure) == (ContactOutcome.DONE, None)
    with site(redirected("/done/thank-you")) as here:
        seen = await web_ticket.submit(
            kit.spec(kit.channel(url=here.url, open=[*STEPS, THANKS], timeout="30 s")), tools
        )
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)


@marked(*slow)
async def test_a_number_of_the_vendors_proves_itself_though_the_address_has_it(tools: Tools) -> None:
    number = {"read": {"name": "ticket", "regex": "request is R-([0-9]+)"}}
    ours = {"read": {"name": "ticket", "regex": "We have (.+) now"}}

    def answer(asked: Asked) -> Answer | str:
        if asked.method == "POST":
            return Answer(b"", 303, {"location": "/done?id=1&subject=Broken"})
        return "<p>Your request is R-1. We have Broken now." if asked.path.startswith("/done") else FORM

    with site(answer) as here:
        open_with = partial(kit.channel, url=here.url)
        values = kit.VALUES | {"problem.subject": "Broken"}
        proven = await web_ticket.submit(kit.spec(open_with(open=[*STEPS, number]), values=values), tools)
        echoed = await web_ticket.submit(kit.spec(open_with(open=[*STEPS, ours]), values=values), tools)
    assert (proven.outcome, proven.failure) == (ContactOutcome.DONE, None)
    assert echoed.outcome is ContactOutcome.UNKNOWN


@given(st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=30))
def test_what_an_address_carries_is_an_echo_however_it_is_written(text: str) -> None:
    from urllib.parse import quote, quote_plus

    plain = " ".join(text.split())
    if not plain:
        return
    for written in (quote(text, safe=""), quote_plus(text)):
        assert is_echo(plain, f"https://desk.example/x?a=1&message={written}")
        assert is_echo(plain, f"https://desk.example/#/done?m={written}")
    assert not is_echo(plain, "https://desk.example/x?")

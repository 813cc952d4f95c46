"""Pages that break, trick or block: each gives its failure with its side, and nothing seen before is lost."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from probes import web_ticket
from probes.browser import ChromiumSource
from probes.errors import FailureKind, Side, Unavailable, UserError
from probes.events import ContactOutcome, MessageSeen, PageCaptured, TicketSubmitted, ValueRead
from probes.model import Artifact, Seen, Tools
from tests.web import kit
from tests.web.kit import Answer, Asked, Site, site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FORM = """<!doctype html><title>New ticket</title>
<form method=post action=/new><label>Subject <input name=subject required></label>
<label>Description <textarea name=body></textarea></label><button>Send</button></form>"""
THANKS = "<!doctype html><title>Thanks</title><p>Thank you. Your ticket is T-77."
STEPS: list[dict[str, Any]] = [
    {"goto": "/new"},
    {"fill": {"Subject": "{problem.subject}", "Description": "{problem.body}"}},
    {"click": "Send"},
    {"expect": {"text": "Thank you"}},
    {"read": {"name": "ticket", "regex": "T-[0-9]+"}},
]
LOOK = {"url": "/t/{ticket}", "status": {"regex": "Status: (.+)"}, "messages": {"items": ".m", "author": "b"}}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.fixture
def tools(browser: ChromiumSource) -> Tools:
    return kit.tools(browser)


async def opened(where: Site, tools: Tools, steps: list[dict[str, Any]] | None = None, **parts: Any) -> Seen:
    channel = kit.channel(**({"url": where.url, "open": steps or STEPS, "look": LOOK} | parts))
    return await web_ticket.submit(kit.spec(channel), tools)


def kind_and_side(seen: Seen) -> tuple[FailureKind, Side] | None:
    return (seen.failure.kind, seen.failure.side) if seen.failure else None


def desk(*, thanks: str | Answer | None = THANKS, form: str = FORM) -> Any:
    return lambda asked: thanks if asked.method == "POST" else form


async def test_a_sound_page_is_no_failure(tools: Tools) -> None:
    with site(desk()) as here:
        seen = await opened(here, tools)
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
    assert [each.value for each in kit.payloads(seen, ValueRead)] == ["T-77"]
    assert here.paths("POST") == ["/new"]
    assert b"Invoice+4711" in here.asked[-1].body or b"Invoice" in here.asked[-1].body


def endless(asked: Asked) -> Answer:
    def drip() -> Iterator[bytes]:
        yield b"<!doctype html><title>Slow</title><p>Wait"
        for _ in range(200):
            time.sleep(0.1)
            yield b" "

    return Answer(drip())


def silent(asked: Asked) -> Answer:
    time.sleep(12)
    return Answer(b"late")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (lambda asked: Answer(b"<p>Sorry", 500), (FailureKind.HTTP_ERROR, Side.VENDOR)),
        (lambda asked: Answer(b"<p>Sorry", 503), (FailureKind.HTTP_ERROR, Side.VENDOR)),
        (lambda asked: Answer(b"<p>Gone", 404), (FailureKind.HTTP_ERROR, Side.NOT_KNOWN)),
        (lambda asked: Answer(b"<p>Slow down", 429), (FailureKind.BLOCKED, Side.OURS)),
        (lambda asked: Answer(b"", 302, {"location": "/new"}), (FailureKind.REDIRECT_LOOP, Side.VENDOR)),
        (lambda asked: None, (FailureKind.CONNECTION_LOST, Side.VENDOR)),
        (endless, (FailureKind.TIMEOUT, Side.VENDOR)),
        (silent, (FailureKind.TIMEOUT, Side.NETWORK)),
        (
            lambda asked: Answer(b"x" * 100, 200, {"content-disposition": "attachment; filename=new.bin"}),
            (FailureKind.UNREADABLE, Side.NOT_KNOWN),
        ),
        (
            lambda asked: Answer("<form><label>Bet\u00e4rff <input></label></form>".encode("latin-1")),
            (FailureKind.UNREADABLE, Side.VENDOR),
        ),
        (
            lambda asked: Answer(b"<p>hi", 200, {"content-encoding": "gzip"}),
            (FailureKind.UNREADABLE, Side.VENDOR),
        ),
    ],
    ids=["500", "503", "404", "429", "loop", "dropped", "never-ends", "silent", "download", "encoding", "no-gzip"],
)
async def test_a_page_that_is_none(tools: Tools, answer: Any, expected: tuple[FailureKind, Side]) -> None:
    # A page that cannot be unpacked is waited for as long as one that does not end.
    timeout = (
        "3 s" if expected[0] is FailureKind.TIMEOUT else "8 s" if expected[0] is FailureKind.UNREADABLE else "30 s"
    )
    with site(answer) as here:
        seen = await opened(here, tools, timeout=timeout)
        assert not here.paths("POST")
    assert kind_and_side(seen) == expected
    assert (seen.outcome, seen.handle) == (ContactOutcome.FAILED, None)
    assert not kit.payloads(seen, TicketSubmitted)
    assert kit.payloads(seen, PageCaptured)


async def test_nobody_listens(tools: Tools) -> None:
    with site(desk()) as here:
        pass
    seen = await opened(here, tools)
    assert kind_and_side(seen) == (FailureKind.CONNECTION_REFUSED, Side.VENDOR)


@pytest.mark.parametrize(
    ("form", "kind", "words"),
    [
        (FORM.replace("Subject", "Betreff"), FailureKind.ELEMENT_NOT_FOUND, ('"Subject"', '"Betreff"')),
        (FORM.replace("Send", "Absenden"), FailureKind.ELEMENT_NOT_FOUND, ('"Send"', '"Absenden"')),
        (FORM + FORM, FailureKind.ELEMENT_AMBIGUOUS, ('"Subject" fits 2', "css=")),
        (FORM.replace("name=subject", "name=subject hidden"), FailureKind.ELEMENT_UNUSABLE, ("hidden",)),
        (FORM.replace("name=subject", "name=subject disabled"), FailureKind.ELEMENT_UNUSABLE, ("cannot be used",)),
        (
            FORM.replace("<button>", "<div style='position:fixed;inset:0;z-index:9'></div><button>"),
            FailureKind.ELEMENT_UNUSABLE,
            ("intercepts",),
        ),
    ],
    ids=["no-field", "no-button", "two", "hidden", "disabled", "covered"],
)
async def test_an_element_that_does_not_serve(
    tools: Tools, form: str, kind: FailureKind, words: tuple[str, ...]
) -> None:
    with site(desk(form=form)) as here:
        seen = await opened(here, tools, timeout="4 s")
        assert not here.paths("POST")
    assert kind_and_side(seen) == (kind, Side.OURS)
    assert seen.failure is not None
    for word in words:
        assert word in seen.failure.text, seen.failure.text
    assert seen.failure.step.startswith("open[")


async def test_a_link_twice_to_the_same_place_is_one(tools: Tools) -> None:
    page = "<a href=/form>New</a><hr><a href=/form>New</a>"
    with site(lambda asked: THANKS if asked.method == "POST" else page if asked.path == "/" else FORM) as here:
        seen = await opened(here, tools, [{"goto": "/"}, {"click": "New"}, *STEPS[1:]])
    assert seen.failure is None


async def test_a_choice_that_is_not_there_names_those_that_are(tools: Tools) -> None:
    form = FORM.replace("<button>", "<label>Topic <select name=t><option>Billing<option>Other</select></label><button>")
    with site(desk(form=form)) as here:
        seen = await opened(here, tools, [STEPS[0], {"select": {"Topic": "Invoices"}}, *STEPS[1:]])
    assert kind_and_side(seen) == (FailureKind.ELEMENT_NOT_FOUND, Side.OURS)
    assert seen.failure is not None
    assert '"Billing", "Other"' in seen.failure.text


async def test_a_form_that_the_browser_holds_back_is_not_sent(tools: Tools) -> None:
    form = FORM.replace("<button>", "<label>Account number <input name=a required></label><button>")
    with site(desk(form=form)) as here:
        seen = await opened(here, tools)
        assert not here.paths("POST")
    assert kind_and_side(seen) == (FailureKind.EXPECTATION_NOT_MET, Side.OURS)
    assert seen.outcome is ContactOutcome.FAILED
    assert seen.failure is not None
    assert "Account number" in seen.failure.text


@pytest.mark.parametrize(
    ("thanks", "kind"),
    [
        (None, FailureKind.CONNECTION_LOST),
        (Answer(b"<p>Oops", 500), FailureKind.HTTP_ERROR),
        ("<p>Please try again.", FailureKind.EXPECTATION_NOT_MET),
        ("<p>Thank you.", FailureKind.VALUE_NOT_READ),
    ],
    ids=["answer-lost", "500", "no-thanks", "no-number"],
)
async def test_after_the_click_nothing_is_certain(tools: Tools, thanks: Any, kind: FailureKind) -> None:
    with site(desk(thanks=thanks)) as here:
        seen = await opened(here, tools, timeout="3 s")
        assert here.paths("POST") == ["/new"]
    assert seen.outcome is ContactOutcome.UNKNOWN
    assert seen.failure is not None
    assert seen.failure.kind is kind
    assert len(kit.payloads(seen, TicketSubmitted)) == 1


async def test_a_lost_answer_is_looked_up_at_once(tools: Tools) -> None:
    kept: list[bytes] = []

    def answer(asked: Asked) -> str | None:
        if asked.method == "POST":
            kept.append(asked.body)
            return None
        if asked.path.startswith("/search"):
            return "".join(f"<li class=hit><a href=/t/{n}>T-{n} Invoice 4711</a>" for n, _ in enumerate(kept, 77))
        return FORM

    find = {"url": "/search?q={reference}", "items": ".hit", "read": [{"name": "ticket", "regex": "T-[0-9]+"}]}
    with site(answer) as here:
        seen = await opened(here, tools, find=find)
        assert len(kept) == 1
    assert seen.outcome is ContactOutcome.DONE
    assert seen.handle.read == {"ticket": "T-77"}

    with site(lambda asked: None if asked.method == "POST" else FORM) as here:
        seen = await opened(here, tools, find=find)
    assert seen.outcome is ContactOutcome.FAILED


# --- bounds ---


async def test_nothing_reaches_another_origin(tools: Tools) -> None:
    with site(lambda asked: THANKS) as elsewhere:
        away = {"location": f"{elsewhere.url}stolen"}
        routes: dict[str, Any] = {
            "/redirect": Answer(b"", 302, away),
            "/redirect-kept": Answer(b"", 307, away),
            "/twice": Answer(b"", 302, {"location": "/redirect"}),
            "/file": Answer(b"", 302, {"location": "file:///etc/passwd"}),
            "/script": f"<script>location='{elsewhere.url}stolen'</script>",
            "/refresh": f"<meta http-equiv=refresh content='0;url={elsewhere.url}stolen'>",
            "/frame": f"<iframe src='{elsewhere.url}stolen'></iframe>" + FORM,
            "/send": FORM.replace("/new", f"{elsewhere.url}stolen"),
            "/send-on": FORM.replace("/new", "/redirect-kept"),
            "/fetch": FORM + f"<script>fetch('{elsewhere.url}stolen',{{method:'POST',body:'x'}})</script>",
            "/picture": FORM + f"<img src='{elsewhere.url}stolen.png'>",
            "/popup": FORM + f"<script>open('{elsewhere.url}stolen');open('/redirect')</script>",
        }
        with site(lambda asked: routes.get(asked.path, THANKS)) as here:
            for path in routes:
                steps = [{"goto": path}, *STEPS[1:]]
                seen = await opened(here, tools, steps, timeout="3 s")
                if path in ("/frame", "/fetch", "/picture", "/popup"):
                    assert seen.failure is None, (path, seen.failure)
                elif path == "/send-on":
                    # The vendor had it before it was sent on: not to be repeated blindly.
                    assert (seen.outcome, kind_and_side(seen)) == (
                        ContactOutcome.UNKNOWN,
                        (FailureKind.OUT_OF_BOUNDS, Side.OURS),
                    )
                else:
                    assert kind_and_side(seen) == (FailureKind.OUT_OF_BOUNDS, Side.OURS), (path, seen.failure)
                    assert seen.outcome is ContactOutcome.FAILED, path
        assert elsewhere.asked == []


async def test_a_host_that_the_plan_names_may_be_reached(tools: Tools) -> None:
    with site(lambda asked: THANKS if asked.method == "POST" else FORM) as login:
        with site(lambda asked: Answer(b"", 302, {"location": f"{login.url}new"})) as here:
            seen = await opened(here, tools, hosts=[login.url])
        assert seen.failure is None
        assert login.paths("POST") == ["/new"]


async def test_a_popup_that_is_the_vendors_is_gone_on_in(tools: Tools) -> None:
    page = "<a href=/hop target=_blank>New ticket</a>"
    routes = {"/": page, "/hop": Answer(b"", 302, {"location": "/new"}), "/new": FORM}

    def answer(asked: Asked) -> Any:
        return THANKS if asked.method == "POST" else routes[asked.path]

    with site(answer) as here:
        seen = await opened(here, tools, [{"goto": "/"}, {"click": "New ticket"}, *STEPS[1:]])
    assert seen.failure is None
    assert kit.payloads(seen, ValueRead)[0].value == "T-77"


# --- pages that want attention ---


async def test_dialogs_do_not_hold_us_up(tools: Tools) -> None:
    form = (
        "<script>alert('Welcome');for(let i=0;i<40;i++)confirm('Again '+i)</script>"
        + FORM.replace("<form ", "<form onsubmit=\"return confirm('Really?')\" ")
        + "<script>onbeforeunload=event=>event.preventDefault()</script>"
    )
    with site(desk(form=form)) as here:
        seen = await opened(here, tools)
    assert here.paths("POST") == []  # after twenty dialogs we answer no more: the page does not get its way
    assert kind_and_side(seen) == (FailureKind.EXPECTATION_NOT_MET, Side.OURS)
    few = form.replace("i<40", "i<3")
    with site(desk(form=few)) as here:
        seen = await opened(here, tools)
    assert seen.failure is None


@pytest.mark.parametrize(
    "wall",
    [
        "<div class=g-recaptcha style='width:300px;height:80px'></div>",
        "<div class=cf-turnstile style='width:300px;height:80px'></div>",
        "<iframe src='https://newassets.hcaptcha.com/captcha' width=300 height=80></iframe>",
        "<img src=/captcha.png width=120 height=50 alt=letters>",
        "<input autocomplete=one-time-code>",
    ],
    ids=["recaptcha", "turnstile", "hcaptcha", "picture", "second-factor"],
)
async def test_a_wall_before_the_button_blocks_us(tools: Tools, wall: str) -> None:
    with site(desk(form=FORM.replace("<button>", wall + "<button>"))) as here:
        seen = await opened(here, tools)
        assert not here.paths("POST")
    assert kind_and_side(seen) == (FailureKind.BLOCKED, Side.OURS)


async def test_a_challenge_page_is_a_wall_and_no_missing_field(tools: Tools) -> None:
    challenge = Answer(b"<!doctype html><title>Just a moment...</title><p>Checking", 403)
    with site(lambda asked: challenge) as here:
        seen = await opened(here, tools)
    assert kind_and_side(seen) == (FailureKind.BLOCKED, Side.OURS)


async def test_an_invisible_captcha_is_no_wall(tools: Tools) -> None:
    wall = "<div class=g-recaptcha data-size=invisible style='width:300px;height:80px'></div>"
    with site(desk(form=FORM.replace("<button>", wall + "<button>"))) as here:
        assert (await opened(here, tools)).failure is None


# --- size ---


async def test_a_page_of_fifty_megabytes_is_stopped(tools: Tools) -> None:
    def flood(asked: Asked) -> Answer:
        pieces = [b"<p>lorem ipsum dolor sit amet</p>" * 30_000] * 55
        return Answer(iter([b"<!doctype html><title>Big</title>", *pieces]))

    with site(flood) as here:
        seen = await opened(here, tools, timeout="20 s")
    assert kind_and_side(seen) == (FailureKind.TOO_LARGE, Side.VENDOR)
    sizes = [artifact.size_bytes for each in seen.sightings for artifact in each.artifacts]
    assert max(sizes, default=0) < 12_000_000


async def test_a_tall_page_gives_a_bounded_picture(tools: Tools) -> None:
    with site(desk(form=FORM + "<div style='height:90000px'></div>")) as here:
        seen = await opened(here, tools)
    assert seen.failure is None
    pictures = [artifact for artifact in seen.sightings[0].artifacts if artifact.media_type == "image/png"]
    data = tools.artifacts.get(pictures[0])
    assert int.from_bytes(data[20:24], "big") == 10_000


async def test_a_bar_that_stays_in_sight_hides_nothing_in_a_picture(tools: Tools) -> None:
    """Filling a field far down scrolls the page; the picture shows the page from its top all the same."""
    bar = "<div style='position:fixed;top:0;left:0;right:0;height:60px;background:#f00'></div>"
    bar += "<div style='height:2000px'></div>"
    with site(desk(form=bar + FORM)) as here:
        seen = await opened(here, tools)
    assert seen.failure is None
    first, filled = (each.artifacts[-1] for each in seen.sightings[:2])
    async with tools.browser.context(frozenset()) as context:
        page = await context.new_page()
        pictures = [base64.b64encode(tools.artifacts.get(each)).decode() for each in (first, filled)]
        rows = [await page.evaluate(RED_ROWS, picture) for picture in pictures]
    assert rows == [[0, 59], [0, 59]]


RED_ROWS = """async png => { const image = new Image(); image.src = 'data:image/png;base64,' + png;
  await image.decode();
  const canvas = document.createElement('canvas'); canvas.width = 1; canvas.height = image.height;
  const brush = canvas.getContext('2d'); brush.drawImage(image, -5, 0);
  const rows = brush.getImageData(0, 0, 1, image.height).data.reduce((red, value, at, all) =>
    at % 4 === 0 && value === 255 && all[at + 1] === 0 ? [...red, at / 4] : red, []);
  return [rows[0], rows[rows.length - 1]]; }"""


# --- looking ---


def ticket_page(*messages: str, status: str = "Open") -> str:
    return f"<title>T-77</title><p>Ticket T-77</p><p>Status: {status}</p>" + "".join(messages)


def message(author: str, text: str) -> str:
    return f"<div class=m><b>{author}</b> <i>2 hours ago</i> {text}</div>"


async def test_a_look_that_fails_leaves_the_handle_as_it_was(tools: Tools) -> None:
    pages: dict[str, Any] = {"/t/T-77": ticket_page(message("Ann", "We look into it."))}
    with site(lambda asked: THANKS if asked.method == "POST" else pages.get(asked.path, FORM)) as here:
        start = (await opened(here, tools)).handle
        first = await web_ticket.collect(start, tools)
        assert [each.text for each in kit.payloads(first, MessageSeen)] == ["2 hours ago We look into it."]
        pages["/t/T-77"] = Answer(b"<p>Down", 502)
        second = await web_ticket.collect(first.handle, tools)
        assert kind_and_side(second) == (FailureKind.HTTP_ERROR, Side.VENDOR)
        assert second.handle == first.handle
        pages["/t/T-77"] = "<title>Welcome</title><p>Please log in."
        third = await web_ticket.collect(second.handle, tools)
        assert kind_and_side(third) == (FailureKind.VALUE_NOT_READ, Side.OURS)
        assert third.handle == first.handle
        # Sorted the other way, with times that moved on: only the new message is new.
        old = message("Ann", "We look into it.").replace("2 hours", "3 days")
        pages["/t/T-77"] = ticket_page(message("Ann", "Done."), old, status="Solved")
        fourth = await web_ticket.collect(third.handle, tools)
        assert [each.text for each in kit.payloads(fourth, MessageSeen)] == ["2 hours ago Done."]
        assert kit.payloads(fourth, MessageSeen)[0].absent_at_utc == first.handle.looked_at_utc


async def test_a_vendor_cannot_make_us_reveal_a_secret(browser: ChromiumSource) -> None:
    tools = kit.tools(browser, vault=kit.Vault({"${env:TOKEN}": "s3cr3t-token"}))
    steps = [*STEPS[:4], {"read": {"name": "ticket", "regex": "ticket is (.+)[.]"}}]
    hostile = THANKS.replace("T-77", "${env:TOKEN}")

    def answer(asked: Asked) -> str:
        return hostile if asked.method == "POST" else FORM if asked.path == "/new" else ticket_page()

    with site(answer) as here:
        seen = await opened(here, tools, steps)
        await web_ticket.collect(seen.handle, tools)
        assert all("s3cr3t" not in path for path in here.paths())
    assert here.paths()[-1].startswith("/t/")


# --- secrets ---


async def test_secrets_are_in_no_artifact_and_no_event(browser: ChromiumSource) -> None:
    secret, password = 'p&ss "w<rd> 7', "hunter-2-hunter"
    tools = kit.tools(browser, vault=kit.Vault({"${env:ACCOUNT}": secret, "${env:PASSWORD}": password}))
    form = FORM.replace(
        "<button>",
        "<label>Account <input name=a oninput='this.setAttribute(\"value\",this.value)'></label>"
        "<label>Password <input type=password oninput='this.setAttribute(\"value\",this.value)' name=p></label>"
        "<button>",
    )

    def answer(asked: Asked) -> str:
        import html
        import json
        import urllib.parse

        if asked.method != "POST":
            return form
        back = urllib.parse.quote(secret)
        echo = f"<p>Account {html.escape(secret)}<a href='/a?x={back}'>x</a><script>var a={json.dumps(secret)}</script>"
        return THANKS + echo + f"<p>{password}"

    fill = {"Subject": "x", "Account": "${env:ACCOUNT}", "Password": "${env:PASSWORD}"}
    with site(answer) as here:
        seen = await opened(here, tools, [STEPS[0], {"fill": fill}, *STEPS[2:]])
        sent = here.asked[[each.method for each in here.asked].index("POST")].body
    assert seen.failure is None
    assert password.encode() in sent
    store = tools.artifacts
    assert isinstance(store, kit.Store)
    everything = b"\n".join(store.kept.values()) + repr(seen).encode()
    for form_of_it in (secret, secret.replace('"', "&quot;").replace("<", "&lt;"), "w%3Crd", "w&lt;rd", password):
        assert form_of_it.encode() not in everything, form_of_it


async def test_fields_filled_from_secrets_are_painted_over(browser: ChromiumSource) -> None:
    """The picture of a page is the same whatever the secret is."""
    pictures = []
    for secret in ("AAAA-1111", "MMMM-8888-LONG"):
        tools = kit.tools(browser, vault=kit.Vault({"${env:ACCOUNT}": secret}))
        with site(desk(form=FORM, thanks=None)) as here:
            seen = await opened(here, tools, [STEPS[0], {"fill": {"Subject": "${env:ACCOUNT}"}}, STEPS[2]], look=None)
        filled = [each for each in seen.sightings if getattr(each.what, "step", "") == "open[1] fill"]
        pictures.append(tools.artifacts.get(filled[0].artifacts[-1]))
    assert pictures[0] == pictures[1]


async def test_a_missing_secret_is_said_before_anything_is_contacted(tools: Tools) -> None:
    with site(desk()) as here:
        with pytest.raises(UserError, match="NOT_SET"):
            await opened(here, tools, [STEPS[0], {"fill": {"Subject": "${env:NOT_SET}"}}, STEPS[2]], look=None)
        assert not here.asked


# --- our own store ---


class FullStore(kit.Store):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        if len(self.names) >= self.after:
            raise Unavailable("the disk is full")
        return super().put(data, media_type, name)


async def test_a_full_disk_before_the_click_stops_us_and_after_it_is_told(browser: ChromiumSource) -> None:
    from dataclasses import replace

    with site(desk()) as here:
        with pytest.raises(Unavailable):
            await opened(here, replace(kit.tools(browser), artifacts=FullStore(2)))
        assert not here.paths("POST")
        seen = await opened(here, replace(kit.tools(browser), artifacts=FullStore(4)))
        assert here.paths("POST") == ["/new"]
    assert (seen.outcome, kind_and_side(seen)) == (ContactOutcome.UNKNOWN, (FailureKind.STORE_FAILED, Side.OURS))


async def test_a_browser_that_ends_after_the_click_leaves_it_unknown() -> None:
    """The worker is stopped while the vendor still thinks: what was sent stays known, and is looked for later."""
    arrived, source = threading.Event(), ChromiumSource()

    def answer(asked: Asked) -> str:
        if asked.method == "POST":
            arrived.set()
            time.sleep(5)
        return FORM

    with site(answer) as here:
        work = asyncio.create_task(opened(here, kit.tools(source)))
        assert await asyncio.to_thread(arrived.wait, 60)
        await source.close()
        seen = await work
        assert here.paths("POST") == ["/new"]
    assert (seen.outcome, kind_and_side(seen)) == (ContactOutcome.UNKNOWN, (FailureKind.INTERRUPTED, Side.OURS))
    assert len(kit.payloads(seen, TicketSubmitted)) == 1


async def test_a_browser_ended_while_a_wait_runs_out_is_no_timeout_of_the_vendor() -> None:
    """On a busy machine a browser takes its time to end; what runs out meanwhile says nothing of the page."""
    arrived, over, source = threading.Event(), threading.Event(), ChromiumSource()

    def answer(asked: Asked) -> str:
        if asked.method == "POST":
            arrived.set()
            over.wait(60)
        return FORM

    with site(answer) as here:
        work = asyncio.create_task(opened(here, kit.tools(source), timeout="2 s"))
        assert await asyncio.to_thread(arrived.wait, 60)
        number = await process_of(source)
        os.kill(number, signal.SIGSTOP)
        ending = asyncio.create_task(source.close())
        try:
            await asyncio.sleep(3)  # longer than anything is waited for
        finally:
            os.kill(number, signal.SIGCONT)
        await ending
        seen = await work
        over.set()
        assert here.paths("POST") == ["/new"]
    assert (seen.outcome, kind_and_side(seen)) == (ContactOutcome.UNKNOWN, (FailureKind.INTERRUPTED, Side.OURS))


async def process_of(source: ChromiumSource) -> int:
    """The number of the browser's process."""
    async with source.context(frozenset()) as context:
        assert context.browser is not None
        session = await context.browser.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
    return next(int(each["id"]) for each in processes if each["type"] == "browser")

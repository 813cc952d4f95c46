"""Portals of very different kinds, each by a plan of at most thirty lines: opened, followed, read in order."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from audit.engine.sessions import SessionFolder
from audit.plan.cases import planned_cases, reference, spec_for
from audit.plan.reader import parse_plan
from probes import web_ticket
from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.errors import Side
from probes.events import ContactOutcome, MessageSeen, StatusSeen, TicketState
from probes.model import Seen, Spec, Tools
from tests.web import kit
from tests.web.kit import Answer, Asked, site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PLAN = """holdproof: 1
name: A portal
authorisation: {{ basis: own_system, by: The owner, until: 2030-12-31 }}
vendors:
  - id: desk
    name: Desk
    place: DE
    time_zone: Europe/Berlin
    channels:
      portal:
        kind: web_ticket
        url: {url}
{channel}
personas: [{{ id: jo, name: Jo Lindgren, email: jo@customer.example }}]
scenarios:
  - problem: {{ subject: Invoice 4711, body: "Invoice 4711 lists it two times.\\nPlease correct it." }}
    id: invoice
    steps: [{{ open: portal }}, {{ wait: {{ at_most: 1 day }} }}]
samples: [{{ scenario: invoice }}]
"""
BODY = "Invoice 4711 lists it two times. Please correct it."


class November(Clock):
    """The 26th of November 2026, half past three in Berlin."""

    def now_utc(self) -> datetime:
        return datetime(2026, 11, 26, 14, 30, tzinfo=UTC)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.fixture
def tools(browser: ChromiumSource, tmp_path: Path) -> Tools:
    vault = kit.Vault({"${env:DESK_PASSWORD}": "hunter-2-hunter"})
    return replace(kit.tools(browser, vault=vault, clock=November()), sessions=SessionFolder(tmp_path, "desk"))


def spec_of(channel: str, url: str) -> Spec:
    text = PLAN.format(url=url, channel=channel.strip("\n"))
    assert len(text.splitlines()) <= 40
    assert len(channel.strip().splitlines()) + 3 <= 30  # with its name, kind and address
    plan = parse_plan(text).plan
    (case,) = planned_cases(plan)
    return spec_for(plan, case, plan.scenarios[0].steps[0], reference("audit-1", case.case_id))


def told(seen: Seen) -> list[tuple[str | None, Side, str, str | None]]:
    return [
        (
            each.author,
            each.side,
            " ".join(each.text.split()),
            f"{each.claimed_at_utc:%d %H:%M}" if each.claimed_at_utc else None,
        )
        for each in kit.payloads(seen, MessageSeen)
    ]


def states(seen: Seen) -> list[tuple[str, TicketState]]:
    return [(each.text, each.state) for each in kit.payloads(seen, StatusSeen)]


# --- rows and cells of a server of long ago; the form opens a window of its own ---

TABLES = """
        open:
          - goto: index.php?page=new
          - fill: { Name: "{persona.name}", Mail: "{persona.email}", Topic: "{problem.subject} [{reference}]" }
          - select: { Department: Billing }
          - fill: { Request: "{problem.body}" }
          - click: Submit
          - expect: { text: has been stored }
          - read: { name: ticket, regex: "No. ([0-9]+)" }
        look:
          url: index.php?page=view&id={ticket}
          status: { at: "css=table:first-child tr:nth-child(2) td" }
          messages: { items: tr.post, author: td b, time: td i, drop: "td:first-child", time_zone: Europe/Berlin }
        find: { url: "index.php?page=list&q={reference}", items: tr.hit, read: [{ name: ticket, regex: "[0-9]+" }] }
"""


class Tables:
    def __init__(self) -> None:
        self.stored: list[dict[str, list[str]]] = []
        self.answered = False

    def __call__(self, asked: Asked) -> Answer | str:
        page = parse_qs(urlsplit(asked.path).query).get("page", [""])[0]
        if asked.method == "POST":
            self.stored.append(parse_qs(asked.body.decode()))
            return Answer(b"", 302, {"location": "/index.php?page=done&msg=Your+request+has+been+stored"})
        if page == "done":
            return f"<table><tr><td>Your request has been stored<tr><td>No. {410 + len(self.stored)}</table>"
        if page == "list":
            return "<table><tr class=hit><td>411<td>Invoice</table>" if self.stored else "<table></table>"
        if page == "view":
            return self.view()
        rows = "".join(
            f"<tr><td>{name}:</td><td><input name={name[0].lower()}></td></tr>" for name in ("Name", "Mail", "Topic")
        )
        rows += "<tr><td>Department<td><select name=d><option>Sales<option>Billing</select>"
        rows += "<tr><td valign=top>Request<br><td><textarea name=r></textarea>"
        return (
            "<form action=/search><input name=q><input type=submit value=Search></form>"
            f"<form method=post target=_blank action=/index.php><table>{rows}</table>"
            "<input type=submit value=Submit></form>"
        )

    def view(self) -> str:
        posts = [("Jo Lindgren", "24.11.2026 09:12", BODY), ("", "", "")]
        if self.answered:
            posts += [("M. Weber", "25.11.2026 16:40", "We have corrected it.")]
        rows = "".join(
            f"<tr class=post><td>#{number}<td><b>{name}</b> <i>{when}</i><p>{text}"
            for number, (name, when, text) in enumerate(posts, 1)
            if name
        )
        state = "Closed - no reply within 14 days" if self.answered else "Neu"
        return f"<table><tr><td>Request 411<tr><td>{state}</table><table>{rows}</table>"


async def test_tables_and_a_form_that_opens_a_window(tools: Tools) -> None:
    desk = Tables()
    with site(desk) as here:
        spec = spec_of(TABLES, here.url)
        assert (await web_ticket.reconcile(spec, kit.now(), tools)).trace.value == "absent"
        opened = await web_ticket.submit(spec, tools)
        assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
        assert opened.handle.read == {"ticket": "411"}
        first = await web_ticket.collect(opened.handle, tools)
        desk.answered = True
        second = await web_ticket.collect(first.handle, tools)
    (stored,) = desk.stored
    assert (stored["n"], stored["d"]) == (["Jo Lindgren"], ["Billing"])
    assert stored["r"] == ["Invoice 4711 lists it two times.\r\nPlease correct it."]
    assert (states(first), states(second)) == (
        [("Neu", TicketState.OPEN)],
        [("Closed - no reply within 14 days", TicketState.CLOSED)],
    )
    assert told(first) == [("Jo Lindgren", Side.OURS, BODY, "24 08:12")]
    assert told(second) == [("M. Weber", Side.VENDOR, "We have corrected it.", "25 15:40")]


# --- one page that never reloads and is never quiet; times only in attributes ---

ONE_PAGE = """
        timeout: 9 s
        login:
          - goto: /
          - fill: { E-mail: "{persona.email}", Password: "${env:DESK_PASSWORD}" }
          - click: Log in
          - expect: { text: My tickets }
        open:
          - goto: /#/tickets
          - click: New ticket
          - fill: { Title: "{problem.subject} [{reference}]", Describe it: "{problem.body}" }
          - click: Create
          - read: { name: ticket, at: url, regex: "ticket/([0-9]+)" }
        look:
          url: /#/ticket/{ticket}
          status: { at: css=.badge }
          messages: { items: .bubble, author: .by, time: .when }
"""
SCRIPT = """<!doctype html><title>Desk</title><div id=app></div><script>
const app = document.getElementById('app'), ask = (path, body) => fetch(path, {method: body ? 'POST' : 'GET',
  headers: {authorization: localStorage.token ?? ''}, body: body && JSON.stringify(body)});
const show = {
  login: () => { app.innerHTML = '<label>E-mail <input id=mail></label><label>Password <input id=word type=password>'
    + '</label><button>Log in</button>'; app.querySelector('button').onclick = async () => {
      const answer = await ask('/api/login', {mail: mail.value, word: word.value});
      if (answer.ok) { localStorage.token = await answer.text(); location.hash = '/tickets'; } } },
  tickets: () => { app.innerHTML = '<h1>My tickets</h1><button>New ticket</button>';
    app.querySelector('button').onclick = () => { location.hash = '/new' } },
  new: () => { app.innerHTML = '<input aria-label=Title><div class=editor><p>Describe it</p>'
    + '<div contenteditable style="min-height:40px" id=text></div></div><button>Create</button>';
    app.querySelector('button').onclick = async () => { const answer = await ask('/api/new',
      {title: app.querySelector('input').value, text: text.innerText});
      location.hash = '/ticket/' + await answer.text() } },
  ticket: async number => { const answer = await ask('/api/ticket/' + number);
    if (!answer.ok) { delete localStorage.token; location.hash = '/login'; return }
    const ticket = await answer.json(); app.innerHTML = `<span class=badge>${ticket.state}</span>`
      + ticket.messages.map(
      each => `<div class=bubble><span class=by>${each.by}</span><span class=when data-timestamp=${each.at}>just now`
      + `</span><p>${each.text}</p></div>`).join('') },
};
const route = () => { const [, page, number] = location.hash.split('/');
  localStorage.token ? show[page || 'tickets'](number) : show.login() };
window.onhashchange = route; route();
const poll = () => fetch('/api/wait').then(poll, () => setTimeout(poll, 500)); poll();
</script>"""


class OnePage:
    def __init__(self) -> None:
        self.token, self.logins, self.sent, self.state = "t0ken-t0ken-t0ken-1", 0, list[dict[str, str]](), "In progress"
        self.over = threading.Event()

    def __call__(self, asked: Asked) -> Answer | str:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        if asked.path == "/api/wait":
            self.over.wait(20)
            return ""
        if asked.path == "/api/login":
            good = json.loads(asked.body) == {"mail": "jo@customer.example", "word": "hunter-2-hunter"}
            self.logins += 1
            return self.token if good else Answer(b"", 403)
        if not asked.path.startswith("/api/"):
            return SCRIPT
        if headers.get("authorization") != self.token:
            return Answer(b"", 401)
        if asked.method == "POST":
            self.sent.append(json.loads(asked.body))
            return "88"
        at = int(datetime(2026, 11, 26, 9, 0, tzinfo=UTC).timestamp())
        messages = [{"by": "You", "at": at, "text": html.escape(self.sent[0]["text"])}]
        messages += [{"by": "Kim (Agent)", "at": (at + 5400) * 1000, "text": "I am on it."}]
        return Answer(
            json.dumps({"state": self.state, "messages": messages}).encode(), 200, {"content-type": "application/json"}
        )


async def test_one_page_that_never_reloads_and_is_never_quiet(tools: Tools) -> None:
    desk = OnePage()
    with site(desk) as here:
        opened = await web_ticket.submit(spec_of(ONE_PAGE, here.url), tools)
        assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
        assert opened.handle.read == {"ticket": "88"}
        first = await web_ticket.collect(opened.handle, tools)
        desk.token, desk.state = "t0ken-t0ken-t0ken-2", "Solved"
        second = await web_ticket.collect(first.handle, tools)
        desk.over.set()
    assert (len(desk.sent), desk.logins) == (1, 2)
    assert " ".join(desk.sent[0]["text"].split()) == BODY
    assert desk.sent[0]["title"].startswith("Invoice 4711 [HP-")
    assert told(first) == [
        ("You", Side.OURS, BODY, "26 09:00"),
        ("Kim (Agent)", Side.VENDOR, "I am on it.", "26 10:30"),
    ]
    assert (second.failure, told(second), states(second)) == (None, [], [("Solved", TicketState.RESOLVED)])


# --- three pages with an editor in a frame, and two buttons at the end ---

WIZARD = """
        open:
          - goto: start
          - check: A problem with an invoice
          - click: Next
          - fill: { Subject: "{problem.subject}", Your message: "{problem.body} {reference}" }
          - click: Next
          - fill: { E-mail: "{persona.email}" }
          - click: Send request
          - expect: { text: We have your request }
          - read: { name: ticket, regex: "reference is ([A-Z]+/[0-9]+)" }
"""
EDITOR = """<label for=m>Your message</label><textarea id=m name=m style="display:none"></textarea>
<div class=toolbar><button type=button>B</button></div><iframe id=f width=500 height=120></iframe>
<script>(() => { const page = document.getElementById('f').contentDocument; page.open(); page.write('<body><p><br>');
page.close(); page.designMode = 'on'; document.querySelector('form').addEventListener('submit', () => {
document.getElementById('m').value = page.body.innerHTML }) })()</script>"""


def wizard(kept: list[str]) -> Any:
    def answer(asked: Asked) -> str:
        fields = {name: values[-1] for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()}
        carried = "".join(f"<input type=hidden name={n} value='{html.escape(v, True)}'>" for n, v in fields.items())
        next_page = f"<form method=post action=/{{}}>{carried}{{}}<button>Back</button><button>Next</button></form>"
        if asked.path == "/start":
            kinds = "".join(
                f"<label><input type=radio name=k value={n}> {name}</label>"
                for n, name in enumerate(("A question", "A problem with an invoice"))
            )
            return next_page.format("two", kinds)
        if asked.path == "/two":
            return next_page.format("three", f"<label>Subject <input name=s></label>{EDITOR}")
        if asked.path == "/three":
            last = "<label>E-mail <input type=email name=e required></label>"
            return next_page.format("send", last).replace("Next", "Send request")
        kept.append(json.dumps(fields))
        return "<p>We have your request. Your reference is INV/20991.</p><p><a href=/start>Another one</a>"

    return answer


async def test_a_wizard_over_three_pages_with_an_editor_in_a_frame(tools: Tools) -> None:
    kept: list[str] = []
    with site(wizard(kept)) as here:
        opened = await web_ticket.submit(spec_of(WIZARD, here.url), tools)
    assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
    assert opened.handle.read == {"ticket": "INV/20991"}
    (fields,) = map(json.loads, kept)
    assert (fields["k"], fields["s"], fields["e"]) == ("1", "Invoice 4711", "jo@customer.example")
    assert " ".join(re.sub("<[^>]*>", " ", fields["m"]).split()).startswith(BODY)


# --- in German, newest first, with times told from now ---

GERMAN = """
        open:
          - goto: anfrage
          - fill: { Betreff: "{problem.subject} [{reference}]", Ihr Anliegen: "{problem.body}" }
          - click: Absenden
          - read: { name: ticket, regex: "Vorgangsnummer: ([0-9-]+)" }
        look:
          url: vorgang/{ticket}
          status: { regex: "Status: (.+)" }
          messages: { items: li.eintrag, author: .von, time: .zeit, time_zone: Europe/Berlin }
"""
ENTRIES = [
    ("Jo Lindgren", "vor 3 Tagen", BODY),
    ("Automatische Antwort", "vor 3 Tagen", "Ihre Anfrage ist eingegangen."),
    ("Frau Albers", "gestern, 14:05 Uhr", "Wir prüfen das."),
    ("Frau Albers", "vor 2 Stunden", "Die Rechnung ist berichtigt."),
]


def german(shown: list[int]) -> Any:
    def answer(asked: Asked) -> str:
        if asked.method == "POST":
            return "<p class=meldung>Vielen Dank! Vorgangsnummer: 26-0815</p>"
        if asked.path == "/anfrage":
            return (
                "<form method=post><p>Betreff *<br><input name=b required></p><p>Ihr Anliegen *<br>"
                "<textarea name=a required></textarea></p><button>Absenden</button>"
                "<button formaction=/weg>Verwerfen</button>"
            )
        entries = "".join(
            f"<li class=eintrag><span class=von>{by}</span> <span class=zeit>{when}</span><p>{text}</p>"
            for by, when, text in reversed(ENTRIES[: shown[0]])
        )
        state = "Erledigt" if shown[0] == 4 else "In Bearbeitung"
        return f"<h1>Vorgang 26-0815</h1><p>Status: {state}</p><ul>{entries}</ul>"

    return answer


async def test_a_german_desk_newest_first_with_times_told_from_now(tools: Tools) -> None:
    shown = [2]
    with site(german(shown)) as here:
        opened = await web_ticket.submit(spec_of(GERMAN, here.url), tools)
        assert (opened.outcome, opened.failure) == (ContactOutcome.DONE, None)
        first = await web_ticket.collect(opened.handle, tools)
        shown[0] = 4
        second = await web_ticket.collect(first.handle, tools)
    assert [each[:2] for each in told(first)] == [("Jo Lindgren", Side.OURS), ("Automatische Antwort", Side.VENDOR)]
    assert told(second) == [
        ("Frau Albers", Side.VENDOR, "Wir prüfen das.", "25 13:05"),
        ("Frau Albers", Side.VENDOR, "Die Rechnung ist berichtigt.", "26 12:30"),
    ]
    errors = [each.claimed_error_s for each in kit.payloads(second, MessageSeen)]
    assert errors == [None, timedelta(hours=1).total_seconds()]
    assert (states(first), states(second)) == (
        [("In Bearbeitung", TicketState.OPEN)],
        [("Erledigt", TicketState.RESOLVED)],
    )

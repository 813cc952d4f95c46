"""A person uses a portal once, and the plan that is written does it again."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from playwright.async_api import Page

from audit.plan.cases import planned_cases, reference, spec_for
from audit.plan.reader import parse_plan
from probes import web_ticket
from probes.browser import ChromiumSource, open_browser
from probes.events import ContactOutcome, MessageSeen, StatusSeen, ValueRead
from probes.web.recorded import Act, Mark, Recording, plan_of
from probes.web.recorder import recording
from tests.web import kit
from tests.web.kit import Answer, Asked, site
from tests.web.test_fields import FRAMED

LOGIN = """<form method=post action=/login><label>User name <input name=u></label>
<label>Password <input type=password name=p></label><button>Sign in</button></form>"""
HOME = "<h1>Welcome</h1><nav><a href=/new>New request</a> <a href=/mine>My requests</a></nav>"
FORM = f"""<title>New request</title><form method=post enctype=multipart/form-data action=/send>
<table><tr><td>Betreff</td><td><input name=s></td></tr></table><label>E-mail <input type=email name=m></label>
<label>Area <select name=a><option>Sales<option>Invoices</select></label>{FRAMED}
<label>File <input type=file name=f></label><label><input type=checkbox name=ok required> I agree</label>
<button name=go value=draft>Save draft</button><button name=go value=send>Send request</button></form>"""
TICKET = """<h1>Request REQ-2026-0{n}</h1><p>Status: <span class=state>{state}</span></p><div class=log>
<div class=entry><span class=who>Jo</span> <time datetime="2026-11-25T10:00Z">yesterday</time>
<p>It lists it twice.</p></div>
<div class=entry><span class=who>Ann (support)</span> <time datetime="2026-11-25T12:00Z">today</time>
<p>We look.</p></div>
</div>"""


class Portal:
    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def __call__(self, asked: Asked) -> Answer | str:
        if asked.method == "POST" and asked.path == "/login":
            good = parse_qs(asked.body.decode()) == {"u": ["jo"], "p": ["hunter-2-hunter"]}
            headers = {"location": "/home", "set-cookie": "in=1"}
            return Answer(b"", 303, headers) if good else LOGIN
        if "in=1" not in {name.lower(): value for name, value in asked.headers.items()}.get("cookie", ""):
            return LOGIN
        if asked.method == "POST":
            self.sent.append(asked.body)
            return f"<p>Thank you. Your request number is <b>REQ-2026-0{len(self.sent)}</b>. {HOME}"
        if asked.path == "/mine":
            rows = [f"<a href=/r/REQ-2026-0{n}?k=1>REQ-2026-0{n}</a>" for n, _ in enumerate(self.sent, 1)]
            return "<h1>My requests</h1>" + "".join(rows)
        if asked.path.startswith("/r/"):
            return TICKET.format(n=asked.path.partition("-0")[2].partition("?")[0], state="In Bearbeitung")
        return FORM if asked.path == "/new" else HOME


async def select_text(page: Page, css: str) -> None:
    await page.locator(css).first.evaluate(
        "element => { const range = document.createRange(); range.selectNodeContents(element);"
        "const chosen = window.getSelection(); chosen.removeAllRanges(); chosen.addRange(range) }"
    )


async def use(page: Page, folder: Path) -> None:
    """What a person does, once."""
    await page.get_by_label("User name").fill("jo")
    await page.get_by_label("Password").fill("hunter-2-hunter")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="New request").click()
    await page.locator("[name=s]").type("Invoice 47")
    await page.locator("[name=s]").fill("Invoice 4711 is wrong")
    await page.get_by_label("E-mail").fill("jo@customer.example")
    await page.get_by_label("Area").select_option("Invoices")
    editor = page.frame_locator("iframe").locator("body")
    await editor.click()
    await page.keyboard.insert_text("It lists the same licence two times.")
    await page.get_by_label("File").set_input_files(folder / "app.log")
    await page.get_by_label("I agree").check()
    await page.get_by_role("button", name="Send request").click()
    await page.get_by_text("Thank you").wait_for()
    await page.get_by_role("button", name="Ticket number").click()  # nothing is selected: nothing is noted
    await select_text(page, "p b")
    await page.get_by_role("button", name="Ticket number").click()
    await page.get_by_role("link", name="My requests").click()
    await page.get_by_role("link", name="REQ").click()
    await select_text(page, ".state")
    await page.get_by_role("button", name="Status").click()
    await select_text(page, ".entry p")
    await page.get_by_role("button", name="A message").click()
    await page.get_by_role("button", name="Done").click()


@pytest.mark.slow
async def test_what_a_person_did_once_is_a_plan_that_does_it_again(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("started\nstopped\n")
    portal = Portal()
    with site(portal) as here:
        async with open_browser() as (browser, _), recording(browser, f"{here.url}home") as (recorder, page):
            await use(page, tmp_path)
            await recorder.done.wait()
            recorded = recorder.recorded(f"{here.url}home")
        text = plan_of(recorded, date(2026, 11, 26))
        assert "hunter-2" not in text + repr(recorded)
        assert "${env:PORTAL_PASSWORD}" in text
        assert len(text[: text.index("personas:")].splitlines()) <= 30, text
        assert recorder.files == {"app.log": b"started\nstopped\n"}
        plan = parse_plan(text, str(tmp_path / "recorded.yaml")).plan
        assert plan.personas[0].email == "jo@customer.example"
        (case,) = planned_cases(plan)
        spec = spec_for(plan, case, plan.scenarios[0].steps[0], reference("again-1", case.case_id))
        source = ChromiumSource()
        tools = kit.tools(source, vault=kit.Vault({"${env:PORTAL_PASSWORD}": "hunter-2-hunter"}))
        seen = await web_ticket.submit(spec, tools)
        assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
        assert [(each.name, each.value) for each in kit.payloads(seen, ValueRead)] == [("ticket", "REQ-2026-02")]
        looked = await web_ticket.collect(seen.handle, tools)
        await source.close()
    first, second = portal.sent
    for part in (b"Invoice 4711 is wrong", b"Invoices", b"same licence two times", b"stopped", b"send", b'name="ok"'):
        assert part in first, part
        assert part in second, part
    assert spec.reference.encode() in second
    assert [each.text for each in kit.payloads(looked, StatusSeen)] == ["In Bearbeitung"]
    assert [(each.author, each.text) for each in kit.payloads(looked, MessageSeen)] == [
        ("Jo", "It lists it twice."),
        ("Ann (support)", "We look."),
    ]
    assert all(each.claimed_at_utc is not None for each in kit.payloads(looked, MessageSeen))


def act(verb: str, target: str, value: str = "", **parts: Any) -> Act:
    return Act(verb, (target, f"css=#{target}"), value, url="https://desk.example/new", **parts)


def test_a_short_recording_is_a_short_plan() -> None:
    acts = (
        act("fill", "Subject", "Invoice"),
        act("fill", "Subject", "Invoice 4711"),
        act("fill", "Message", "Two times.", kind="long"),
        act("click", "Send", sends=True),
        act("click", "Show my tickets"),
    )
    mark = Mark("ticket", "#812", "Ticket #812 was opened", page="https://desk.example/t/812")
    text = plan_of(Recording("https://desk.example/new", acts, (mark,), ("https://login.example/x",)), date(2026, 1, 2))
    assert len(text.splitlines()) <= 30, text
    plan = parse_plan(text).plan
    channel = plan.vendors[0].channels["portal"]
    assert channel.hosts == ("login.example",)
    assert [step.verb for step in channel.open] == ["goto", "fill", "click", "read"]
    assert channel.open[1].fill == {"Subject": "{problem.subject} [{reference}]", "Message": "{problem.body}"}
    assert plan.scenarios[0].problem.subject == "Invoice 4711"
    assert channel.open[3].read.regex == r"Ticket\s*(#[0-9]+)"

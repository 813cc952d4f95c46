"""Fields of portals: editors before hidden textareas, labels that are only near, files asked for by script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio

from probes import web_ticket
from probes.browser import ChromiumSource
from probes.errors import FailureKind, Side, UserError
from probes.events import ContactOutcome, TicketSubmitted
from probes.model import Seen, Tools
from tests.web import kit
from tests.web.kit import Asked, Site, site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# An editor in a frame that writes the hidden textarea when the form is sent, and one in the page that keeps a text of
# its own, as the big editors do.
FRAMED = """<label for=what>What happened</label><textarea id=what name=what hidden></textarea>
<div class=bar><button type=button>B</button></div><iframe id=what_frame width=500 height=120></iframe>
<script>(() => { const page = document.getElementById('what_frame').contentDocument;
page.open(); page.write('<body style="min-height:80px"><p><br></p>'); page.close(); page.body.contentEditable = true;
document.forms[0].addEventListener('submit', () => document.getElementById('what').value = page.body.innerHTML); })()
</script>"""
IN_PAGE = """<div><span>Steps so far</span><input type=hidden name=steps><div class=bar>Bold Italic</div>
<div id=steps contenteditable style="min-height:60px;width:400px"><p><br></p></div></div>
<script>document.getElementById('steps').addEventListener('input', event =>
document.querySelector('[name=steps]').value = event.currentTarget.innerText)</script>"""
TABLE = """<table><tr><th>Subject:</th><td><input name=subject></td></tr>
<tr><td><b>Your reference</b> *</td><td><input name=ref></td></tr>
<tr><td>Topic</td><td><select name=topic style="display:none"><option>Sales<option>Billing</select>
<span class=fancy>Sales</span></td></tr>
<tr><td>Product</td><td><div role=combobox tabindex=0 id=product
onclick="document.getElementById('products').hidden = false">Choose</div>
<ul id=products role=listbox hidden><li role=option>Basic<li role=option>Premium</ul>
<input type=hidden name=product></td></tr></table>
<label for=agree style="border:1px solid">I agree</label><input type=checkbox id=agree name=agree style="display:none">
<script>for (const option of document.querySelectorAll('#products li')) option.onclick = () => {
document.querySelector('[name=product]').value = option.innerText;
document.getElementById('products').hidden = true }</script>"""
FILES = """<input type=hidden name=files value=""><button type=button id=ask>Add screenshot</button>
<div id=zone style="width:300px;height:60px;border:1px dashed">Drop your log here</div>
<label class=button>Attach invoice <input type=file name=invoice style="display:none"></label>
<script>const note = list => { for (const file of list) file.text().then(text =>
document.querySelector('[name=files]').value += file.name + '=' + text.length + ';') };
document.getElementById('ask').onclick = () => { const field = document.createElement('input'); field.type = 'file';
field.onchange = () => note(field.files); field.click() };
document.getElementById('zone').ondragover = event => event.preventDefault();
document.getElementById('zone').ondrop = event => { event.preventDefault(); note(event.dataTransfer.files) };
document.querySelector('[name=invoice]').onchange = event => note(event.target.files)</script>"""
SEND = "<button name=go value=draft>Save draft</button><button name=go value=send>Submit</button>"
PAGE = f"<!doctype html><title>New</title><form method=post>{SEND}{FRAMED}{IN_PAGE}{TABLE}{FILES}{SEND}</form>"
BODY = "Hello,\n\nInvoice 4711 lists <b> & the same licence two times.\n- it should not\n\nRegards, Jo"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.fixture
def tools(browser: ChromiumSource) -> Tools:
    return kit.tools(browser)


async def sent(here: Site, tools: Tools, *steps: dict[str, Any], click: str = "Submit") -> Seen:
    channel = kit.channel(url=here.url, open=[{"goto": "/new"}, *steps, {"click": click}], timeout="20 s")
    return await web_ticket.submit(kit.spec(channel, values=kit.VALUES | {"problem.body": BODY}), tools)


def form_of(asked: Asked) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(asked.body.decode(), keep_blank_values=True).items()}


async def test_what_is_written_chosen_and_attached_is_what_is_sent(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "screen.png").write_bytes(b"\x89PNG" + bytes(96))
    fill = {"Subject": "Invoice", "Your reference": "HP-1", "What happened": "{problem.body}", "Steps so far": BODY}
    with site(lambda asked: "<p>Thank you" if asked.method == "POST" else PAGE) as here:
        seen = await sent(
            here,
            tools,
            {"fill": fill},
            {"select": {"Topic": "Billing", "Product": "Premium"}},
            {"check": "I agree"},
            {"upload": {"Add screenshot": {"file": str(tmp_path / "screen.png")}}},
            {"upload": {"Drop your log here": {"name": "app.log", "text": "started\n"}}},
            {"upload": {"Attach invoice": {"name": "invoice.txt", "text": "two licences"}}},
        )
        assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
        got = form_of(here.asked[-1])
    assert (got["go"], got["subject"], got["ref"], got["topic"]) == ("send", "Invoice", "HP-1", "Billing")
    assert (got["product"], got["agree"]) == ("Premium", "on")
    assert got["files"] == "screen.png=100;app.log=8;invoice.txt=12;"
    assert " ".join(got["steps"].split()) == " ".join(BODY.split())
    assert "Invoice 4711 lists &lt;b&gt; &amp; the same licence two times." in got["what"]
    (submitted,) = [each for each in seen.sightings if isinstance(each.what, TicketSubmitted)]
    assert {"screen.png", "app.log", "invoice.txt"} <= {artifact.name for artifact in submitted.artifacts}


async def test_an_editor_that_sends_something_else_is_found_out(tools: Tools) -> None:
    forgetful = PAGE.replace("document.getElementById('what').value = page.body.innerHTML", "0")
    with site(lambda asked: "<p>Thank you" if asked.method == "POST" else forgetful) as here:
        seen = await sent(here, tools, {"fill": {"What happened": "{problem.body}"}})
    assert seen.outcome is ContactOutcome.UNKNOWN
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.EXPECTATION_NOT_MET, Side.OURS)
    assert '"What happened"' in seen.failure.text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("contenteditable style", "contenteditable oninput='this.innerText=1' style", '"Steps so far" does not keep'),
        (
            "<input name=subject>",
            "<textarea name=subject oninput='this.value=this.value.slice(0,9)'></textarea>",
            "Invoice 4",
        ),
    ],
    ids=["editor", "field"],
)
async def test_a_field_that_does_not_keep_a_text_is_told_before_anything_is_sent(
    tools: Tools, old: str, new: str, words: str
) -> None:
    with site(lambda asked: PAGE.replace(old, new)) as here:
        seen = await sent(here, tools, {"fill": {"Steps so far": BODY, "Subject": "Invoice 4711 lists it two times"}})
        assert not here.paths("POST")
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.ELEMENT_UNUSABLE
    assert words in seen.failure.text


async def test_words_above_a_row_name_the_fields_below_them(tools: Tools) -> None:
    page = "<form method=post><table><tr><td>From<td>Until<td>Note<tr><td><input name=a><td><input name=b></table>"
    with site(lambda asked: page + "<button>Submit</button></form>") as here:
        seen = await sent(here, tools, {"fill": {"Until": "x"}})
        assert (seen.failure, form_of(here.asked[-1])) == (None, {"a": "", "b": "x"})
        seen = await sent(here, tools, {"fill": {"Note": "x"}})
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.ELEMENT_NOT_FOUND


async def test_a_file_that_is_not_there_is_said_before_anything_is_contacted(tools: Tools, tmp_path: Path) -> None:
    with site(lambda asked: PAGE) as here:
        with pytest.raises(UserError, match=r"not there: .*/none\.png"):
            await sent(here, tools, {"upload": {"Add screenshot": {"file": str(tmp_path / "none.png")}}})
        assert not here.asked


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("<label>Account number <input name=a required></label>", ('"Account number"', "fill")),
        ("<table><tr><td>Account<td><input name=a required></table>", ('"Account"', "fill")),
        ("<label>Mail <input name=a type=email value=nowhere></label>", ('"Mail"', "@")),
        (
            "<label>Topic<select name=a required><option value=''>Choose<option>B</select></label>",
            ('"Topic"', "select"),
        ),
    ],
)
async def test_what_the_browser_holds_back_is_told_in_its_own_words(
    tools: Tools, page: str, words: tuple[str, str]
) -> None:
    with site(lambda asked: f"<form method=post>{page}<button>Submit</button></form>") as here:
        seen = await sent(here, tools)
        assert not here.paths("POST")
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.EXPECTATION_NOT_MET, Side.OURS)
    assert all(word in seen.failure.text for word in words), seen.failure.text

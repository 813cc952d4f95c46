"""A value is read as a reader of the page sees it, whatever kind of element holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from probes import web_ticket
from probes.browser import ChromiumSource
from probes.events import StatusSeen, TicketState
from tests.web import kit
from tests.web.kit import Asked, site

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

FORM = "<form method=post action=/new><label>Subject <input name=subject></label><button>Send</button></form>"
HOLDERS = {
    "list": "<label>Status <select name=status><option value=1>New<option value=8 selected>Resolved</select></label>",
    "item": "<ul><li class=status>Resolved</ul>",
    "field": "<label>Status <input name=status value=Resolved readonly></label>",
    "button": "<button class=status>Resolved</button>",
    "drawing": "<svg width=90 height=20><text class=status y=15>Resolved</text></svg>",
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[ChromiumSource]:
    source = ChromiumSource()
    yield source
    await source.close()


@pytest.mark.parametrize("holder", HOLDERS)
async def test_a_status_is_what_the_page_shows(browser: ChromiumSource, holder: str) -> None:
    def answer(asked: Asked) -> str:
        if asked.method == "POST":
            return "<p>Your ticket is T-77."
        return FORM if asked.path == "/new" else f"<title>T-77</title><p>Ticket T-77</p>{HOLDERS[holder]}"

    at = "name=status" if "name=" in HOLDERS[holder] else "css=.status"
    steps = [{"goto": "/new"}, {"fill": {"Subject": "x"}}, {"click": "Send"}, {"read": {"regex": "T-[0-9]+"}}]
    with site(answer) as here:
        channel = kit.channel(url=here.url, open=steps, look={"url": "/t/{ticket}", "status": {"at": at}})
        opened = await web_ticket.submit(kit.spec(channel), tools := kit.tools(browser))
        seen = await web_ticket.collect(opened.handle, tools)
    (status,) = kit.payloads(seen, StatusSeen)
    assert (status.text, status.state) == ("Resolved", TicketState.RESOLVED)

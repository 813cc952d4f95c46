"""`record`: a person uses a portal once in a browser window, and the plan that does it again is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from audit.plan.faults import PlanFaults
from audit.plan.reader import parse_plan
from audit.settings import Settings
from probes.browser import open_browser
from probes.errors import Unavailable, UserError
from probes.web.recorded import Recording, plan_of


def record(url: str, out: Path, settings: Settings, say: Callable[[str], None]) -> str:
    """Watch a person use the portal at `url`, write the plan to `out`, and return its text.

    Raises:
        UserError: `url` is no address, `out` is there already, or nothing was done.
        Unavailable: no browser window can be opened here, or the page is not there.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f'"{url}" is no address of a web page', fix="write https://…")
    if out.exists():
        raise UserError(f"{out} is there already", fix="name another file with --out, or remove it")
    recording, files = asyncio.run(_watch(url, settings, say))
    if not recording.acts:
        raise UserError("nothing was done in the browser, so there is nothing to write")
    text = plan_of(recording, datetime.now(UTC).date())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    for name, data in files.items():
        beside = out.parent / Path(name).name
        if not beside.exists():
            beside.write_bytes(data)
    try:
        parse_plan(text, str(out))
    except PlanFaults as exc:
        say(f"the plan needs your hand before it can run:\n{exc}")
    return text


async def _watch(url: str, settings: Settings, say: Callable[[str], None]) -> tuple[Recording, dict[str, bytes]]:
    from playwright.async_api import Error

    from probes.web.recorder import recording

    browser_path = str(settings.browser) if settings.browser else None
    async with open_browser(browser_path, seen=True) as (browser, _):
        try:
            async with recording(browser, url) as (recorder, _page):
                say('Use the portal once: send one ticket, select its number on the page and press "Ticket number",')
                say('if you like a status and a message too, then "Done" (or close the window).')
                await recorder.done.wait()
                return recorder.recorded(url), recorder.files
        except Error as exc:
            raise Unavailable(f"{url} cannot be recorded: {exc.message.splitlines()[0]}") from exc

"""Looks for a ticket of ours in the vendor's own list, by our reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import Error

from probes.errors import FailureKind, Side
from probes.model import Trace
from probes.web.channel import PAGE, URL, Find
from probes.web.failures import StepFailed, failed
from probes.web.reading import cut

if TYPE_CHECKING:
    from probes.web.session import Session

_ROWS = """([css, most]) => [...document.querySelectorAll(css)].slice(0, most)
  .map(row => [row.innerText ?? '', row.matches('a[href]') ? row.href : row.querySelector('a[href]')?.href ?? ''])"""
_MOST_ROWS = 500


async def find_ticket(session: Session, find: Find, reference: str) -> tuple[Trace, str]:
    """Return whether the vendor's list holds our ticket, and how that is known; its values are then read.

    One row that shows our reference is our ticket, and so is the only row of a search for it. No row is a proof of
    absence only where the vendor was asked for the reference.
    """
    if find.url is not None:
        try:
            await session.goto(session.texts.address(find.url), "find goto")
        except StepFailed:
            await session.capture("find goto failed")
            raise
    await session.run(find.steps, "find")
    await session.capture("find")
    try:
        rows = await session.page.evaluate(_ROWS, [find.items, _MOST_ROWS])
    except Error as exc:
        text = f'"{find.items}" cannot be looked for: {exc.message.splitlines()[0][:200]}'
        raise failed(FailureKind.ELEMENT_NOT_FOUND, Side.OURS, "find", text) from exc
    ours = [row for row in rows if reference.casefold() in row[0].casefold()]
    if not ours and find.by_reference and len(rows) == 1:
        ours = rows
    if len(ours) == 1:
        for read in find.read:
            value = cut(ours[0][1] if read.at == URL else ours[0][0] if read.at == PAGE else None, read.regex)
            if value is None:
                return Trace.UNKNOWN, f'the ticket is there, but its "{read.name}" could not be read'
            session.keep_value(read.name, value)
        return Trace.FOUND, f"the vendor's list shows {reference}"
    if ours:
        return Trace.UNKNOWN, f"{len(ours)} tickets show {reference}"
    if find.by_reference and not rows:
        return Trace.ABSENT, f"the vendor's search for {reference} finds nothing"
    return Trace.UNKNOWN, f"none of {len(rows)} tickets listed shows {reference}"

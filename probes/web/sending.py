"""The click that sends: pressed once, and what became of it, as far as traffic and page tell."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from probes.browser import fresh_connections
from probes.errors import FailureKind, Side
from probes.web.failures import StepFailed, classify, failed
from probes.web.fields import not_sent
from probes.web.refusals import fields_of_form, held_back, is_still_there, quoted, refusals
from probes.web.walls import hidden_wall_on, wall_on

if TYPE_CHECKING:
    from probes.web.session import Session

_ASK_AGAIN_S = 0.05
_NOTHING = "the click set nothing off"


async def press_what_sends(session: Session, target: str, name: str) -> None:
    """Press what sends. After this the vendor may have noticed, whatever else happens."""
    element = await session.find(target, "click", name)
    wall = await wall_on(session.page)
    if wall is not None and not await session.passed_by_person():
        raise failed(FailureKind.BLOCKED, Side.OURS, name, f"{wall} stands before {target!r}; nothing was sent")
    if not session.page_kept:
        await session.capture(f"{name} (before)")
    session.page_kept = False
    known, form = await refusals(session.page), await fields_of_form(element)
    await fresh_connections(session.page.context)
    mark, frames_mark = len(session.traffic.requests), session.traffic.frames_sent
    popups = len(session.traffic.popups)
    session.acted_at_utc = session.tools.clock.now_utc()
    try:
        await session.press_once(element, target, name)
        session.sent = True  # until the traffic says otherwise
        await session.settle(name, mark)
        await _until_sent(session, mark, frames_mark)
    except BaseException:
        session.sent = session.traffic.sent_since(mark, frames_mark)
        session.acted_at_utc = session.traffic.left_at_utc(mark) or session.acted_at_utc
        raise
    session.sent = session.traffic.sent_since(mark, frames_mark)
    session.acted_at_utc = session.traffic.left_at_utc(mark) or session.acted_at_utc
    if not session.sent:
        raise await _nothing_sent(session, known, name)
    lost = session.traffic.lost_since(mark)
    if lost is not None:
        text = session.traffic.errors.get(lost, "no answer")
        cause = classify(text, name, lost.url)
        kind, side = (cause.kind, cause.side) if cause else (FailureKind.CONNECTION_LOST, Side.NETWORK)
        raise failed(kind, side, name, f"the form left for {lost.url}, and its answer was lost: {text}")
    lost_text = not_sent(session.written, session.traffic.sending_since(mark))
    if lost_text is not None:
        text = f'what was sent does not hold what was written in "{lost_text.target}"'
        raise failed(FailureKind.EXPECTATION_NOT_MET, Side.OURS, name, text)
    await session.follow_popup(popups, name)
    await _accepted(session, form, known, name)


async def _until_sent(session: Session, mark: int, frames_mark: int) -> None:
    begun_s = time.monotonic()
    while not session.traffic.sent_since(mark, frames_mark) and time.monotonic() - begun_s < session.wait_s:
        if await held_back(session.page):
            return
        await asyncio.sleep(_ASK_AGAIN_S)
    await session.settle("", mark)


async def _nothing_sent(session: Session, known: tuple[str, ...], name: str) -> StepFailed:
    said = f"nothing was sent: {await _refused_by_page(session, known)}"
    if said.endswith(_NOTHING) and await hidden_wall_on(session.page):
        said += "; the page has a CAPTCHA that judges its visitors unseen"
        return failed(FailureKind.BLOCKED, Side.OURS, name, said)
    return failed(FailureKind.EXPECTATION_NOT_MET, Side.OURS, name, said)


async def _refused_by_page(session: Session, known: tuple[str, ...]) -> str:
    if fields_wanted := await held_back(session.page):
        return f"the page wants {', '.join(fields_wanted)}"
    if said := [text for text in await refusals(session.page) if text not in known]:
        return f"the page says {quoted(said)}"
    if session.traffic.dialogs:
        return f'the page said "{session.traffic.dialogs[-1][:200]}"'
    return _NOTHING


async def _accepted(session: Session, form: list[str], known: tuple[str, ...], name: str) -> None:
    """Take a page that answers well and says no for what it is: the form is back, with errors that are new."""
    said = [text for text in await refusals(session.page) if text not in known]
    if said and (not session.proof_follows or await is_still_there(session.page, form)):
        text = session.texts.scrub(f"the page says no: {quoted(said)}")
        raise failed(FailureKind.EXPECTATION_NOT_MET, Side.NOT_KNOWN, name, text)

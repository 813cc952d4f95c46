"""Comes in as the persona: by HTTP's own login, by a session kept from an earlier contact, or by the login's steps.

A kept session is used until it ends. That is seen where a page asks for a password again, answers that it may not be
seen, or does not show what the plan names; then the login is carried out anew, once, and the work begun again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.async_api import Error

from probes.errors import Failure, FailureKind, Side, Unavailable
from probes.model import HttpLogin, Tools
from probes.web.channel import BasicAuth, Step
from probes.web.failures import StepFailed
from probes.web.texts import Texts, templates_of

if TYPE_CHECKING:
    from probes.web.session import Session

# Shorter values of cookies are settings, no secrets.
_SHORTEST_TOKEN = 16
_LONGEST_TOKEN = 4096
# By these an ended session shows itself where no page says so.
_PERHAPS_ENDED = (
    FailureKind.ELEMENT_NOT_FOUND, FailureKind.ELEMENT_UNUSABLE, FailureKind.ELEMENT_AMBIGUOUS,
    FailureKind.EXPECTATION_NOT_MET, FailureKind.VALUE_NOT_READ, FailureKind.LOGIN_FAILED, FailureKind.HTTP_ERROR,
)  # fmt: skip
_BY_PAGE = (FailureKind.ELEMENT_NOT_FOUND, FailureKind.ELEMENT_UNUSABLE, FailureKind.EXPECTATION_NOT_MET)


@dataclass(frozen=True, slots=True)
class Kept:
    """A session under its name: `state` is what was kept of it, None where nothing is."""

    name: str
    state: str | None


def kept_session(url: str, login: tuple[Step, ...], texts: Texts, tools: Tools) -> Kept | None:
    """Return the session of a persona at an address; None where there is no login, or nothing is kept."""
    if not login or tools.sessions is None:
        return None
    whose = sorted((name, value) for name, value in texts.values.items() if name.startswith("persona."))
    how = [texts.shown(text) for step in login for text in templates_of(step)]
    name = hashlib.sha256(json.dumps([url, whose, how]).encode()).hexdigest()[:24]
    state = tools.sessions.load(name)
    if state is not None:
        hide_tokens(state, texts)
    return Kept(name, state)


def hide_tokens(state: str, texts: Texts) -> None:
    """Have the values that keep us logged in taken out of all that is kept of pages."""
    document: dict[str, Any] = json.loads(state)
    pairs = [(each.get("name"), each.get("value")) for each in document.get("cookies", [])]
    for origin in document.get("origins", []):
        pairs += [(each.get("name"), each.get("value")) for each in origin.get("localStorage", [])]
    for name, value in pairs:
        if isinstance(value, str) and _SHORTEST_TOKEN <= len(value) <= _LONGEST_TOKEN:
            texts.hide(value, f"[session: {name}]")


def http_login(url: str, auth: BasicAuth | None, texts: Texts) -> HttpLogin | None:
    """Return the login that HTTP itself asks for, for the origin of an address alone."""
    if auth is None:
        return None
    parts = urlsplit(url)
    return HttpLogin(f"{parts.scheme}://{parts.netloc}", texts.typed(auth.user), texts.typed(auth.password))


async def logged_in(session: Session, login: tuple[Step, ...], work: Callable[[], Awaitable[None]]) -> None:
    """Do some work as whom the login says; `work` is begun once more where a kept session turns out to have ended.

    Raises:
        StepFailed: the login or the work did not come off.
    """
    if not login:
        await work()
        return
    if session.kept is not None and session.kept.state is not None:
        try:
            await work()
        except StepFailed as exc:
            if session.sent or not _perhaps_ended(exc.failure):
                raise
            await session.begin_anew()
        else:
            await keep(session)  # desks that change it at every page give it to the next contact
            return
    await log_in(session, login)
    await keep(session)
    await work()
    await keep(session)


def _perhaps_ended(failure: Failure) -> bool:
    return failure.kind in _PERHAPS_ENDED and failure.side is not Side.VENDOR


async def keep(session: Session) -> None:
    """Keep the session as it now stands, for the contacts after this one."""
    if session.kept is None or session.tools.sessions is None:
        return
    with contextlib.suppress(Error, Unavailable):  # without it the next contact logs in, and that is all
        state = json.dumps(await session.page.context.storage_state(indexed_db=True))
        hide_tokens(state, session.texts)
        session.tools.sessions.save(session.kept.name, state)


async def log_in(session: Session, login: tuple[Step, ...]) -> None:
    """Carry out the login; what fails in it is ours to mend, unless the page itself was not there."""
    session.logging_in = True
    try:
        await session.run(login, "login")
    except StepFailed as exc:
        if exc.failure.kind not in _BY_PAGE:
            raise
        raise StepFailed(replace(exc.failure, kind=FailureKind.LOGIN_FAILED, side=Side.OURS)) from exc
    finally:
        session.logging_in = False

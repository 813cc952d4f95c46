"""What a help desk on the web does with a ticket: open it by the public form, look again, write again, close it.

The click that sends is the one act that the vendor notices; all before it can be repeated. Once something has left the
browser the outcome is `done` or, if its fate is not clear and our reference finds no ticket either, `unknown`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from probes.browser import origin_name
from probes.errors import Side, UserError
from probes.events import Action, ContactOutcome, MessageSent, Payload, TicketSubmitted
from probes.model import Act, ActKind, Reconciled, Seen, Sighting, Spec, Tools, Trace
from probes.web.channel import Channel, Handle, Step, check_file, sending_step
from probes.web.texts import Texts, check_names, check_text, login_templates, templates_of

if TYPE_CHECKING:
    from probes.web.session import Session
    from probes.web.trial import Trial

NAME, VERSION = "web_ticket", 1
ACTIONS = frozenset({Action.OPEN, Action.LOOK, Action.REPLY, Action.CLOSE})

__all__ = ["ACTIONS", "NAME", "VERSION", "Channel", "Handle", "acts", "collect", "reconcile", "rehearse", "submit"]


def acts(spec: Spec) -> tuple[Act, ...]:
    """Return the hosts that a contact reaches.

    Raises:
        UserError: the channel does not say how to do what is asked, or a name in its texts stands for nothing.
    """
    channel: Channel = spec.channel
    _check(channel, spec)
    hosts = dict.fromkeys(name.rpartition(":")[0] or name for name in sorted(_hosts(channel)))
    writes = spec.action is not Action.LOOK
    return tuple(Act(kind=ActKind.BROWSE, target=host, writes=writes, longest=spec.longest) for host in hosts)


async def submit(spec: Spec, tools: Tools) -> Seen:
    """Open a ticket, write in it or close it: once."""
    if spec.action is Action.LOOK:
        return await collect(spec.handle, tools)
    channel: Channel = spec.channel
    _check(channel, spec)
    steps = _steps_of(channel, spec.action)
    earlier = _handle_of(spec)
    texts = Texts(_values(spec), earlier.read, tools.secrets)
    seen = await _do(spec, steps, texts, earlier, tools)
    if seen.outcome is not ContactOutcome.UNKNOWN:
        return seen
    # What left the browser may have arrived: look for it at once, while everything is fresh.
    found = await reconcile(spec, tools.clock.now_utc(), tools)
    sightings = (*seen.sightings, *found.seen.sightings)
    if found.trace is Trace.FOUND:
        return replace(seen, sightings=sightings, handle=found.seen.handle, outcome=ContactOutcome.DONE)
    outcome = ContactOutcome.FAILED if found.trace is Trace.ABSENT else ContactOutcome.UNKNOWN
    # A number of the vendor's is enough to go and look, whatever else is not clear.
    can_look = spec.handle is not None or (seen.handle is not None and bool(seen.handle.read))
    return replace(seen, sightings=sightings, outcome=outcome, handle=seen.handle if can_look else None)


async def _do(spec: Spec, steps: tuple[Step, ...], texts: Texts, earlier: Handle, tools: Tools) -> Seen:
    """Carry out the steps; `unknown` where something left and success was not seen."""
    from probes.web.entry import logged_in
    from probes.web.session import open_session
    from probes.web.ticket import come_to_ticket

    channel: Channel = spec.channel
    texts.prepare((*login_templates(channel), *(text for step in steps for text in templates_of(step))))

    async def work() -> None:
        if spec.action is not Action.OPEN and channel.look is not None:
            await come_to_ticket(session, channel.look)
        await session.run(steps, spec.action.value, act=sending_step(steps))

    async with open_session(channel, texts, tools, _hosts(channel)) as session:
        failure = await session.attempt(logged_in(session, channel.login, work), spec.action.value)
    if not session.sent:
        outcome = ContactOutcome.FAILED if failure else ContactOutcome.DONE
        return Seen(sightings=tuple(session.sightings), handle=spec.handle, outcome=outcome, failure=failure)
    handle = replace(earlier, read=dict(texts.read), written=(*earlier.written, *_written(spec)))
    outcome = ContactOutcome.UNKNOWN if failure else ContactOutcome.DONE
    return Seen(sightings=_with_act(session, _act_payload(spec)), handle=handle, outcome=outcome, failure=failure)


async def collect(handle: Handle, tools: Tools) -> Seen:
    """Look at a ticket once; only what is new since the last look becomes a sighting."""
    from probes.web.entry import logged_in
    from probes.web.session import open_session
    from probes.web.ticket import TicketRead, come_to_ticket, read_ticket

    channel, look = handle.channel, handle.channel.look
    if look is None:
        raise UserError("the channel does not say how to look at a ticket", fix="give it a look")
    texts = Texts(dict(handle.values) | {"reference": handle.reference}, handle.read, tools.secrets)
    ticket = TicketRead((), handle, None)

    async def work() -> None:
        nonlocal ticket
        asked_at_utc = tools.clock.now_utc()
        await come_to_ticket(session, look)
        ticket = await read_ticket(session, look, handle, asked_at_utc)

    async with open_session(channel, texts, tools, _hosts(channel)) as session:
        failure = await session.attempt(logged_in(session, channel.login, work), "look") or ticket.failure
    return Seen(
        sightings=(*session.sightings, *ticket.sightings),
        handle=ticket.handle,
        outcome=ContactOutcome.FAILED if failure else ContactOutcome.DONE,
        failure=failure,
    )


async def rehearse(spec: Spec, tools: Tools) -> tuple[Trial, tuple[Sighting, ...]]:
    """Walk to the point just before a ticket would be opened; nothing but the login is sent.

    Returns:
        What was found, and the pages that were captured on the way.
    """
    from probes.web.entry import logged_in
    from probes.web.session import open_session
    from probes.web.trial import Trial

    channel: Channel = spec.channel
    _check(channel, spec)
    texts, trial = Texts(_values(spec), {}, tools.secrets), Trial()
    texts.prepare((*login_templates(channel), *(text for step in channel.open for text in templates_of(step))))

    async def work() -> None:
        await session.run(channel.open, "open", act=sending_step(channel.open))

    async with open_session(channel, texts, tools, _hosts(channel), trial) as session:
        trial.failure = await session.attempt(logged_in(session, channel.login, work), "open")
    return trial, tuple(session.sightings)


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:  # noqa: ARG001  (the reference is of this attempt alone)
    """Find out by our reference or our own words whether an attempt reached the vendor."""
    if spec.action is Action.OPEN:
        return await _find_ticket(spec, tools)
    return await _find_in_ticket(spec, tools)


async def _find_ticket(spec: Spec, tools: Tools) -> Reconciled:
    from probes.web.entry import logged_in
    from probes.web.finding import find_ticket
    from probes.web.session import open_session

    channel, find = spec.channel, spec.channel.find
    if find is None:
        return Reconciled(trace=Trace.UNKNOWN, how="the channel does not say how to find a ticket", seen=Seen())
    texts = Texts(_values(spec), {}, tools.secrets)
    trace, how = Trace.UNKNOWN, ""

    async def work() -> None:
        nonlocal trace, how
        trace, how = await find_ticket(session, find, spec.reference)

    async with open_session(channel, texts, tools, _hosts(channel)) as session:
        failure = await session.attempt(logged_in(session, channel.login, work), "find")
    if failure is not None:
        seen = Seen(sightings=tuple(session.sightings), outcome=ContactOutcome.FAILED, failure=failure)
        return Reconciled(trace=Trace.UNKNOWN, how=f"looking failed: {failure.text}", seen=seen)
    handle = None
    if trace is Trace.FOUND:
        handle = replace(_handle_of(spec), read=dict(texts.read), written=_written(spec))
    return Reconciled(trace=trace, how=how, seen=Seen(sightings=tuple(session.sightings), handle=handle))


async def _find_in_ticket(spec: Spec, tools: Tools) -> Reconciled:
    """A reply is found by its words, a closing by the status, both on the ticket's own page."""
    from probes.events import MessageSeen, StatusSeen, TicketState

    earlier = _handle_of(spec)
    text = spec.text or ""
    # Everything on the page counts here, new or not; the handle that goes on stays the earlier one.
    whole = replace(earlier, seen=(), status=None, written=(*earlier.written, text) if text else earlier.written)
    seen = await collect(whole, tools)
    if seen.failure is not None:
        return Reconciled(trace=Trace.UNKNOWN, how=f"looking failed: {seen.failure.text}", seen=seen)
    payloads = [sighting.what for sighting in seen.sightings]
    pages = tuple(each for each in seen.sightings if not isinstance(each.what, MessageSeen | StatusSeen))
    kept = Seen(sightings=pages, handle=replace(earlier, written=whole.written))
    if spec.action is Action.CLOSE:
        states = [payload.state for payload in payloads if isinstance(payload, StatusSeen)]
        if not states or states[-1] is TicketState.UNKNOWN:
            return Reconciled(trace=Trace.UNKNOWN, how="the status says nothing of it", seen=kept)
        closed = states[-1] is TicketState.CLOSED
        return Reconciled(trace=Trace.FOUND if closed else Trace.ABSENT, how="by the ticket's status", seen=kept)
    if earlier.channel.look is None or earlier.channel.look.messages is None:
        return Reconciled(trace=Trace.UNKNOWN, how="the channel does not read messages", seen=kept)
    plain = " ".join(text.split())
    there = any(isinstance(each, MessageSeen) and plain in " ".join(each.text.split()) for each in payloads)
    return Reconciled(trace=Trace.FOUND if there else Trace.ABSENT, how="by our words in the ticket", seen=kept)


def _check(channel: Channel, spec: Spec) -> None:
    """Refuse, before anything is contacted, what the channel cannot carry out."""
    known = {*_values(spec)}
    known = check_names(channel.login, known)
    for text in login_templates(channel):
        check_text(text, known)
    if spec.action is Action.LOOK and channel.look is None:
        raise UserError("the channel does not say how to look at a ticket", fix="give it a look")
    opened = check_names(channel.open, known)
    if channel.look is not None:
        if channel.look.url is not None:
            check_text(channel.look.url, opened)
        check_names(channel.look.steps, opened)
    if channel.find is not None:
        if channel.find.url is not None:
            check_text(channel.find.url, known)
        check_names(channel.find.steps, known)
    if spec.action in (Action.REPLY, Action.CLOSE):
        steps = _steps_of(channel, spec.action)
        if not steps or channel.look is None:
            raise UserError(
                f"the channel does not say how to {spec.action.value}",
                fix=f"give it the steps under {spec.action.value}, and a look that leads to the ticket",
            )
        check_names(steps, opened)
    for step in _steps_of(channel, spec.action):
        for upload in (step.upload or {}).values():
            if upload.file is not None and "{" not in upload.file:
                check_file(Path(upload.file))
    if spec.action not in ACTIONS:
        raise UserError(f"a {NAME} cannot {spec.action.value}")


def _steps_of(channel: Channel, action: Action) -> tuple[Step, ...]:
    return {Action.OPEN: channel.open, Action.REPLY: channel.reply, Action.CLOSE: channel.close}.get(action, ())


def _values(spec: Spec) -> dict[str, str]:
    return {**spec.values, "reference": spec.reference} | ({"text": spec.text} if spec.text is not None else {})


def _handle_of(spec: Spec) -> Handle:
    if spec.handle is not None:
        handle: Handle = spec.handle
        return handle
    return Handle(channel=spec.channel, reference=spec.reference, values=dict(spec.values))


def _hosts(channel: Channel) -> frozenset[str]:
    return frozenset({origin_name(channel.url), *(_host_name(host) for host in channel.hosts)})


def _host_name(host: str) -> str:
    return origin_name(host) if urlsplit(host).scheme in ("http", "https") else host.lower()


def _act_payload(spec: Spec) -> Payload | None:
    if spec.action is Action.OPEN:
        subject, body = spec.values.get("problem.subject", ""), spec.values.get("problem.body", "")
        return TicketSubmitted(subject, body, spec.reference)
    if spec.action is Action.REPLY and spec.text is not None:
        from probes.web.reading import RawMessage, keys_of

        raw = RawMessage(author=None, subject=None, text=spec.text, times=(), shown_time=None, marked=Side.OURS)
        return MessageSent(f"sent-{keys_of((raw,))[0]}", "", spec.text)
    return None


def _with_act(session: Session, payload: Payload | None) -> tuple[Sighting, ...]:
    """Put what we sent among the sightings, at the moment of the click."""
    acted_at_utc = session.acted_at_utc
    if payload is None or acted_at_utc is None:
        return tuple(session.sightings)
    earlier = [sighting for sighting in session.sightings if sighting.at_utc <= acted_at_utc]
    artifacts = (*(earlier[-1].artifacts if earlier else ()), *session.files)
    return (
        *earlier,
        Sighting(what=payload, at_utc=acted_at_utc, artifacts=artifacts),
        *session.sightings[len(earlier) :],
    )


def _written(spec: Spec) -> tuple[str, ...]:
    """Return what we wrote, as the vendor's page will show it (secrets as references)."""
    if spec.action is Action.REPLY:
        return (spec.text,) if spec.text else ()
    values: Mapping[str, Any] = spec.values
    return tuple(text for name in ("problem.body",) if (text := values.get(name)))

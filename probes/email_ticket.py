"""What support by mail does with a ticket: open it by a mail, look into our mailbox, write again, ask to close it.

Handing the mail over to our own mail server is the one act; once its text has been sent and the server's answer is
lost, nobody knows whether it left. Then nothing is sent again: the next sign of the mail (a copy in the folder of sent
mail, an answer, a returned mail) says that it did, and until then the ticket is followed without being counted.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from probes.errors import Failure, FailureKind, Side, UserError
from probes.events import Action, ContactOutcome
from probes.mail.channel import Channel, Handle, Written
from probes.mail.composing import Outgoing, compose, draft
from probes.model import Act, ActKind, Reconciled, Seen, Sighting, Spec, Tools, Trace

if TYPE_CHECKING:
    from probes.mail.imap import MailboxFailed
    from probes.mail.mailbox import Mailbox

NAME, VERSION = "email_ticket", 1
ACTIONS = frozenset({Action.OPEN, Action.LOOK, Action.REPLY, Action.CLOSE})

__all__ = ["ACTIONS", "NAME", "VERSION", "Channel", "Handle", "acts", "collect", "reconcile", "submit"]

# How far our mail server's clock may be behind ours.
_BEFORE = timedelta(minutes=2)
_KEPT_AFTER_REAL_S = 60.0
_MEND = "correct HOLDPROOF_MAIL_USER and …_PASSWORD; holdproof doctor tries them"


def acts(spec: Spec) -> tuple[Act, ...]:
    """Return the one mail that a contact sends; a look reads our own mailbox and contacts nobody.

    Raises:
        UserError: the channel does not say what to write, or a name in its texts stands for nothing.
    """
    if spec.action is Action.LOOK:
        return ()
    if spec.action not in ACTIONS:
        raise UserError(f"a {NAME} cannot {spec.action.value}")
    written = draft(spec)
    return (
        Act(
            kind=ActKind.MAIL,
            target=written.recipient,
            writes=True,
            longest=spec.longest,
            shows=_shown(spec, written.recipient, written.subject, written.text),
        ),
    )


def _shown(spec: Spec, recipient: str, subject: str, text: str) -> str:
    name, address = (spec.values.get(f"persona.{each}", "") for each in ("name", "email"))
    sender = f"{name} <{address or 'the mailbox of the settings'}>".strip()
    return f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n\n{text.strip()}"


async def submit(spec: Spec, tools: Tools) -> Seen:
    """Write a mail, once."""
    from probes.mail.imap import MailboxFailed
    from probes.mail.sending import Left
    from probes.mail.ticket import act_payload

    if spec.action is Action.LOOK:
        return await collect(spec.handle, tools)
    box = _mailbox(spec.channel, tools)
    outgoing = compose(spec, box.account, tools.secrets, tools.clock.real_utc(tools.clock.now_utc()))
    earlier = _handle_of(spec, tools.clock.real_utc(tools.clock.now_utc()))
    try:  # a mail whose answer nobody could read is not sent
        await box.refresh(earlier.since_utc)
    except MailboxFailed as exc:
        return Seen(outcome=ContactOutcome.FAILED, failure=_not_begun(exc.failure), handle=spec.handle)
    (act,) = acts(spec)
    tools.gate.check(act)
    artifact = tools.artifacts.put(outgoing.kept, "message/rfc822", f"sent-{outgoing.key}.eml")
    delivery = await box.send(outgoing)
    failure = _scrubbed(_to_mend(delivery.failure), tools)
    if delivery.left is Left.NO:
        return Seen(outcome=ContactOutcome.FAILED, failure=failure, handle=spec.handle)
    written = _written(spec, outgoing, tools.clock.now_utc(), sure=delivery.left is Left.YES)
    if delivery.left is Left.UNSURE:
        found = await _look_for(replace(earlier, written=(*earlier.written, written)), box, tools)
        outcome = ContactOutcome.DONE if found.trace is Trace.FOUND else ContactOutcome.UNKNOWN
        return replace(found.seen, outcome=outcome, failure=failure)
    try:
        await box.keep_sent(outgoing)
    except MailboxFailed as exc:  # the mail has left; that its copy could not be kept changes nothing
        failure = exc.failure
    sent = Sighting(what=act_payload(written, spec.reference), at_utc=written.at_utc, artifacts=(artifact,))
    return Seen(sightings=(sent,), handle=replace(earlier, written=(*earlier.written, written)), failure=failure)


async def collect(handle: Handle, tools: Tools) -> Seen:
    """Look into our mailbox once; only what is new for the case becomes a sighting."""
    from probes.mail.imap import MailboxFailed
    from probes.mail.ticket import read_ticket

    box = _mailbox(handle.channel, tools)
    try:
        read = await read_ticket(box, handle, tools)
    except MailboxFailed as exc:
        _raise_for_good(exc, tools)
        failure: Failure | None = _scrubbed(exc.failure, tools)
        return Seen(handle=handle, outcome=ContactOutcome.FAILED, failure=failure)
    failure = _scrubbed(read.failure, tools)
    if failure is None and handle.returned is not None and handle.returned.side is not Side.VENDOR:
        # The vendor never got what opened the ticket, and had no part in that: waiting on would be held against it.
        text = f"the ticket's mail came back: {handle.returned.text}"
        failure = Failure(FailureKind.MAIL_RETURNED, Side.OURS, "look", text)
    return Seen(
        sightings=tuple(read.sightings),
        handle=read.handle,
        outcome=ContactOutcome.DONE if failure is None or read.sightings else ContactOutcome.FAILED,
        failure=failure,
    )


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
    """Find out by our Message-ID whether an attempt begun at `since_utc` left us."""
    from probes.mail.imap import MailboxFailed

    box = _mailbox(spec.channel, tools)
    since_real_utc = tools.clock.real_utc(since_utc)
    outgoing = compose(spec, box.account, tools.secrets, since_real_utc)
    earlier = _handle_of(spec, since_real_utc)
    written = _written(spec, outgoing, since_utc, sure=False)
    try:
        return await _look_for(replace(earlier, written=(*earlier.written, written)), box, tools)
    except MailboxFailed as exc:
        from probes.errors import Unavailable

        _raise_for_good(exc, tools)
        raise Unavailable(f"the mailbox cannot be read: {tools.secrets.scrub(exc.failure.text)}") from exc


async def _look_for(handle: Handle, box: Mailbox, tools: Tools) -> Reconciled:
    """Look for signs of the last mail of a handle, in the folder of sent mail and among what came."""
    from probes.mail.ticket import read_ticket

    in_sent = await box.sent_at_utc(handle.written[-1].message_id) is not None
    read = await read_ticket(box, handle, tools)
    if not read.handle.written[-1].sure:
        return Reconciled(trace=Trace.UNKNOWN, how="no sign of it yet", seen=Seen(handle=handle))
    how = "a copy lies in the folder of sent mail" if in_sent else "mail came that answers to it"
    seen = Seen(sightings=tuple(read.sightings), handle=read.handle)
    return Reconciled(trace=Trace.FOUND, how=how, seen=seen)


def _raise_for_good(exc: MailboxFailed, tools: Tools) -> None:
    """Raise what only the settings can mend as that: nobody asks again.

    Raises:
        UserError: the mailbox refused our password.
    """
    if exc.for_good:
        text = f"the mailbox refuses us: {tools.secrets.scrub(exc.failure.text)}"
        raise UserError(text, fix=_MEND) from exc


def _mailbox(channel: Channel, tools: Tools) -> Mailbox:
    if tools.mail is None:
        raise UserError("there is no mail here")
    return tools.mail.mailbox(channel.account)


def _handle_of(spec: Spec, now_real_utc: datetime) -> Handle:
    if spec.handle is not None:
        handle: Handle = spec.handle
        return handle
    return Handle(
        channel=spec.channel, reference=spec.reference, values=dict(spec.values), since_utc=now_real_utc - _BEFORE
    )


def _written(spec: Spec, outgoing: Outgoing, at_utc: datetime, *, sure: bool) -> Written:
    return Written(
        message_id=outgoing.message_id,
        key=outgoing.key,
        subject=outgoing.subject,
        text=outgoing.text,
        at_utc=at_utc,
        opens=spec.action is Action.OPEN,
        sure=sure,
    )


def _not_begun(failure: Failure) -> Failure:
    """Nothing was sent: it is tried again, unless the settings have to be mended first."""
    if failure.side is Side.OURS:
        return _to_mend(failure) or failure
    return replace(failure, kind=FailureKind.INTERRUPTED, side=Side.OURS)


def _to_mend(failure: Failure | None) -> Failure | None:
    if failure is None or failure.kind is not FailureKind.LOGIN_FAILED:
        return failure
    return replace(failure, text=f"{failure.text}; {_MEND}")


def _scrubbed(failure: Failure | None, tools: Tools) -> Failure | None:
    return replace(failure, text=tools.secrets.scrub(failure.text)) if failure is not None else None

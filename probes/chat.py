"""How a vendor's chat treats its visitors: opened once, held by a script, watched from the first to the last moment.

A chat is live for minutes, so `submit` starts it among the running contacts and `collect` takes what it has seen. After
a crash the conversation is looked for with what the browser kept; it is never opened a second time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from probes.browser import origin_name
from probes.chatting.channel import Channel, Handle
from probes.errors import Failure, FailureKind, Side, UserError
from probes.events import Action, ContactOutcome
from probes.model import Act, ActKind, Reconciled, Seen, Spec, Tools, Trace
from probes.web.texts import check_names, check_text

if TYPE_CHECKING:
    from probes.running import RunningContact

NAME, VERSION = "chat", 1
ACTIONS = frozenset({Action.CHAT})

__all__ = ["ACTIONS", "NAME", "VERSION", "Channel", "Handle", "abandon", "acts", "collect", "in_words",
           "reconcile", "submit"]  # fmt: skip

# Real seconds.
_AGAIN_S, _AGAIN_PRACTICE_S, _ELSEWHERE_S = 2.0, 0.2, 5.0
_NEWS_WITHIN_S = 0.5
_ENDS_WITHIN_S = 10.0
_SPARE_S = 300.0


def acts(spec: Spec) -> tuple[Act, ...]:
    """Return the chat and the hosts that it reaches.

    Raises:
        UserError: there is no such script, or a name in its texts stands for nothing.
    """
    channel = _channel(spec)
    known = {*spec.values, "reference"}
    for text in (channel.url, *channel.texts(spec.script or "")):
        check_text(text, known)
    check_names(channel.open, known)
    first = origin_name(channel.url)
    others = sorted({host.lower() for host in channel.hosts} - {first})
    longest = min(channel.chat_at_most, spec.longest)
    return (
        Act(kind=ActKind.CHAT, target=_bare(first), writes=True, longest=longest),
        *(
            Act(kind=ActKind.BROWSE, target=host, writes=True)
            for host in dict.fromkeys(_bare(host) for host in others)
            if host != _bare(first)
        ),
    )


async def submit(spec: Spec, tools: Tools) -> Seen:
    """Begin the chat, once; it goes on among the running contacts."""
    from probes.chatting.contact import ChatContact, texts_for

    channel = _channel(spec)
    now = tools.clock.now_utc()
    longest_s = min(channel.chat_at_most.s, spec.longest.s)
    handle = Handle(
        channel=channel,
        reference=spec.reference,
        values=dict(spec.values),
        script=spec.script or "",
        key=_key(spec),
        started_at_utc=now,
        ends_by_utc=now + timedelta(seconds=longest_s),
    )
    texts_for(handle, tools)  # what is missing is said before anything begins

    async def work(contact: RunningContact) -> Seen:
        return await ChatContact(contact, tools).run()

    tools.running.start(handle.key, handle, work)
    return Seen(handle=handle, finished=False, again_s=_again_s(tools))


async def collect(handle: Handle, tools: Tools) -> Seen:
    """Take what the chat has seen since; after a crash find out what became of it."""
    contact = tools.running.find(handle.key)
    if contact is None:
        return await _not_here(handle, tools)
    news = await contact.news(handle.told, _NEWS_WITHIN_S)
    kept: Handle = replace(contact.handle, told=handle.told + len(news), looked_at_utc=tools.clock.now_utc())
    ended = contact.ended
    if ended is None or len(contact.sightings) > kept.told:
        return Seen(sightings=news, handle=kept, finished=False, again_s=_again_s(tools))
    return replace(ended, sightings=news, handle=kept)


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
    """Find out whether a chat was begun: it goes on here, or what was written down before its beginning tells."""
    from probes.chatting.keeping import begun_since, name_of

    channel = _channel(spec)
    contact = tools.running.find(_key(spec))
    if contact is not None and contact.handle.started_at_utc >= since_utc:
        seen = Seen(handle=contact.handle, finished=False, again_s=_again_s(tools))
        return Reconciled(trace=Trace.FOUND, how="the chat goes on in this process", seen=seen)
    if tools.sessions is None:
        return Reconciled(trace=Trace.UNKNOWN, how="nothing was kept that could tell", seen=Seen())
    begun = begun_since(name_of(channel, spec.reference, spec.script or ""), since_utc, tools)
    if begun is None:
        return Reconciled(trace=Trace.ABSENT, how="it was not yet written down that the chat begins", seen=Seen())
    handle = Handle(
        channel=channel,
        reference=spec.reference,
        values=dict(spec.values),
        script=spec.script or "",
        key=_key(spec),
        started_at_utc=since_utc,
        ends_by_utc=begun.at_utc,
    )
    seen = await _not_here(handle, tools)
    trace = Trace.FOUND if seen.outcome is ContactOutcome.DONE else Trace.UNKNOWN
    return Reconciled(trace=trace, how=seen.failure.text if seen.failure else "", seen=seen)


async def abandon(handle: Handle, tools: Tools) -> Handle:
    """End the chat at once, because everything is stopped."""
    contact = tools.running.find(handle.key)
    if contact is not None:
        await contact.end(_ENDS_WITHIN_S)
    return handle


def in_words(spec: Spec) -> tuple[str, ...]:
    """Return the script that a spec names in words, its texts filled in; secrets stay out."""
    from probes.chatting.script_words import told

    channel = _channel(spec)
    return told(channel.scripts[spec.script or ""], {**spec.values, "reference": spec.reference})


async def _not_here(handle: Handle, tools: Tools) -> Seen:
    """No process that we know of holds the chat: look whether its conversation is still there."""
    from probes.chatting.keeping import begun_since, name_of
    from probes.chatting.remains import look_for_conversation

    now = tools.clock.now_utc()
    if not tools.running.alone and now < handle.ends_by_utc + timedelta(seconds=_SPARE_S):
        return Seen(handle=handle, finished=False, again_s=_ELSEWHERE_S * tools.clock.factor)
    begun = begun_since(name_of(handle.channel, handle.reference, handle.script), handle.started_at_utc, tools)
    if begun is None and handle.opened_at_utc is None and tools.sessions is not None:
        text = "our process ended before the chat was begun"
        failure = Failure(FailureKind.INTERRUPTED, Side.OURS, "chat", text)
        return Seen(handle=handle, outcome=ContactOutcome.FAILED, failure=failure)
    found = await look_for_conversation(handle, begun, tools)
    known = handle.opened_at_utc is not None or found.is_there
    seen_before = Counter(key.rpartition("-")[2] for key in handle.seen)
    sightings = found.sightings_without(seen_before)
    text = f"our process ended while the chat was under way; {found.how}"
    failure = Failure(FailureKind.INTERRUPTED, Side.OURS, "chat", text)
    outcome = ContactOutcome.DONE if known else ContactOutcome.UNKNOWN
    return Seen(sightings=sightings, handle=handle, outcome=outcome, failure=failure)


def _channel(spec: Spec) -> Channel:
    if spec.action is not Action.CHAT or not isinstance(spec.channel, Channel):
        raise UserError(f"a chat cannot {spec.action}", fix="use the step chat with a channel of kind chat")
    if spec.script not in spec.channel.scripts:
        known = ", ".join(sorted(spec.channel.scripts))
        raise UserError(f'there is no script "{spec.script}"', fix=f"use one of: {known}")
    return spec.channel


def _key(spec: Spec) -> str:
    return f"chat {spec.reference}"


def _again_s(tools: Tools) -> float:
    clock = tools.clock
    return (_AGAIN_PRACTICE_S if clock.is_practice else _AGAIN_S) * clock.factor


def _bare(host: str) -> str:
    return host.rpartition(":")[0] or host

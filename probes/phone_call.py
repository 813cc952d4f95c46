"""What happens when a customer telephones: dialled once, acted on, recorded, and heard afterwards.

The recorded way needs no public address: the whole script is given to the carrier beforehand and runs by the clock, so
nothing reacts to what the vendor says; what was heard is worked out from the recording. What this way cannot know
(when exactly it rang, often who hung up) is said among the reasons of `call_ended`. A script that reacts is carried out
live, by the process that placed the call and no other; `live_contact` does it, and the looks take what it has seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from probes.errors import Failure, FailureKind, Side, Unavailable, UserError
from probes.events import Action, CallDialled, ClockName, ContactOutcome
from probes.model import Act, ActKind, Reconciled, Seen, Sighting, Spec, Tools, Trace
from probes.running import RunningContact
from probes.telephony.carrier import CallRequest, Capability, Carrier, Dialled, DialUncertain, NotPlaced
from probes.telephony.channel import Channel, Handle, LiveState
from probes.telephony.following import Following
from probes.telephony.lasting import lasts
from probes.telephony.live_contact import LiveContact
from probes.telephony.script import SECRET, LiveScript, Script, ScriptStep, ready, ready_live
from probes.telephony.script_words import in_words as told

NAME, VERSION = "phone_call", 1
ACTIONS = frozenset({Action.CALL})

__all__ = [
    "ACTIONS",
    "NAME",
    "VERSION",
    "Channel",
    "Handle",
    "abandon",
    "acts",
    "collect",
    "hang_up",
    "reconcile",
    "submit",
]

_FIRST_LOOK_S, _AWAY_S = 2.0, 30.0
_GIVE_UP_S = 3600.0  # how long after every limit a carrier that gives no answer is asked
_SETTLE_REAL_S = 12.0  # how long after a lost request a call may still appear in the carrier's list


def acts(spec: Spec) -> tuple[Act, ...]:
    """Return the call that carrying out `spec` places, with its length and price at most; and the one that joins us."""
    channel = _channel(spec)
    _steps(spec, channel)
    _prepared(spec, channel, lambda text: SECRET.sub("0", text), is_live=channel.is_live(spec.script or ""))
    longest_s = _longest_s(spec, channel)
    costs = {channel.number: channel.dearest_minor(longest_s, live=channel.is_live(spec.script or ""))}
    if channel.auditor is not None and channel.joins(spec.script or ""):
        costs[channel.auditor] = channel.dearest_joined_minor(longest_s)
    return tuple(
        Act(
            kind=ActKind.CALL,
            target=number,
            writes=True,
            longest=replace(channel.call_at_most, s=longest_s),
            dearest_minor=dearest_minor,
            currency=channel.currency,
            records=channel.record != "never",
        )
        for number, dearest_minor in costs.items()
    )


async def submit(spec: Spec, tools: Tools) -> Seen:
    """Dial, once."""
    channel = _channel(spec)
    carrier = tools.carriers.carrier(channel.carrier)
    is_live = _is_live(spec, channel, carrier.capabilities)
    script = _prepared(spec, channel, tools.secrets.reveal, is_live=is_live)
    records = channel.record != "never" and Capability.RECORDED in carrier.capabilities
    request = CallRequest(
        to=channel.number,
        caller_id=channel.caller_id,
        ring_at_most_s=channel.ring_at_most.s,
        longest_s=_longest_s(spec, channel),
        record=records,
        script=script.lines if isinstance(script, Script) else (),
        hold_line_s=script.hold_line_s if isinstance(script, Script) else 0.0,
        live=is_live,
        pace=tools.clock.factor,
    )
    before = tools.clock.now_utc()
    try:
        placed = await carrier.dial(request)
    except NotPlaced as exc:
        return Seen(outcome=ContactOutcome.FAILED, failure=exc.failure)
    except DialUncertain:
        raise  # whoever asked for the call has to look for it
    except Unavailable as exc:
        # Surely no call: there is nothing to look for, and trying again later may help.
        failure = Failure(FailureKind.INTERRUPTED, Side.OURS, "dial", tools.secrets.scrub(str(exc)))
        return Seen(outcome=ContactOutcome.FAILED, failure=failure)
    dialled_at, clock = _placed_at(placed, before, tools.clock.now_utc())
    seen = _dialled(spec, channel, script, placed.call_id, before, dialled_at, clock, records=records)
    if isinstance(script, LiveScript):
        join = next((act for act in acts(spec) if act.target == channel.auditor), None)
        _act_on(seen.handle, carrier, script, join, tools)
    return seen


async def collect(handle: Handle, tools: Tools) -> Seen:
    """Look at the call under way, or at what is left of it; finished when nothing more is to come."""
    try:
        return await Following(handle, tools).look()
    except (Unavailable, UserError) as exc:
        # The call goes on without us; its time limit was set when it was placed.
        limit_s = handle.ring_at_most_s + handle.longest_s + _GIVE_UP_S
        if tools.clock.now_utc() < handle.dialled_at_utc + timedelta(seconds=limit_s):
            return Seen(handle=replace(handle, troubles=handle.troubles + 1), finished=False, again_s=_AWAY_S)
        failure = Failure(FailureKind.CARRIER_ERROR, Side.OURS, "collect", tools.secrets.scrub(str(exc)))
        return Seen(handle=handle, outcome=ContactOutcome.UNKNOWN, failure=failure)


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
    """Find the call of an attempt whose answer was lost; a call may appear in the list some seconds late."""
    channel = _channel(spec)
    carrier = tools.carriers.carrier(channel.carrier)
    while True:
        found = await carrier.find(channel.number, channel.caller_id, since_utc)
        now = tools.clock.now_utc()
        left_real_s = _SETTLE_REAL_S - tools.clock.real_delay_s((now - since_utc).total_seconds())
        if found or left_real_s <= 0:
            break
        await asyncio.sleep(min(3.0, max(0.2, left_real_s)))
    between = f"calls from {channel.caller_id} to {channel.number} since {since_utc:%Y-%m-%d %H:%M:%S} UTC"
    if not found:
        return Reconciled(trace=Trace.ABSENT, how=f"the carrier lists no {between}", seen=Seen())
    if len(found) > 1:
        how = f"the carrier lists {len(found)} {between} ({', '.join(found)}): which is ours cannot be told"
        return Reconciled(trace=Trace.UNKNOWN, how=how, seen=Seen())
    placed_at = (await carrier.status(found[0])).placed_at_utc or since_utc
    is_live = _is_live(spec, channel, carrier.capabilities)
    script = _prepared(spec, channel, tools.secrets.reveal, is_live=is_live)
    records = channel.record != "never" and Capability.RECORDED in carrier.capabilities
    seen = _dialled(spec, channel, script, found[0], since_utc, placed_at, ClockName.PROVIDER, records=records)
    return Reconciled(trace=Trace.FOUND, how=f"the carrier lists {found[0]} among the {between}", seen=seen)


async def abandon(handle: Handle, tools: Tools) -> Handle:
    """End the call at once, because everything is stopped."""
    return await hang_up(handle, tools)


async def hang_up(handle: Handle, tools: Tools) -> Handle:
    """End the call at once (the kill switch); return the handle that knows of it."""
    asked_at = tools.clock.now_utc()
    contact = tools.running.find(handle.call_id)
    if contact is not None:
        contact.stopping.set()
    await tools.carriers.carrier(handle.carrier).hang_up(handle.call_id)
    return handle if handle.hang_up_asked_at_utc else replace(handle, hang_up_asked_at_utc=asked_at)


def in_words(spec: Spec) -> tuple[str, ...]:
    """Return the script that a spec names in words, its texts filled in; secrets stay out."""
    channel = _channel(spec)
    script = _prepared(spec, channel, lambda text: SECRET.sub("0", text), is_live=True)
    assert isinstance(script, LiveScript)
    first = (
        (f'say "{script.announcement}", before anything else, and once more to the first human',)
        if script.announcement is not None
        else ()
    )
    return (*first, *told(script.steps))


def unfit(spec: Spec, can: Callable[[str], frozenset[Capability]]) -> UserError | None:
    """Return why the carrier of a spec's channel, with what it `can`, cannot carry the script out; None if it can."""
    channel = _channel(spec)
    return (
        cannot_carry_out(channel, spec.script or "", can(channel.carrier))
        if channel.is_live(spec.script or "")
        else None
    )


def cannot_carry_out(channel: Channel, script: str, capabilities: frozenset[Capability]) -> UserError | None:
    """Return why a carrier with these capabilities cannot carry out a script, None if it can."""
    live = Capability.LIVE_AUDIO in capabilities
    if channel.is_live(script) and not live:
        return UserError(
            f'script "{script}" reacts to what is heard, and the carrier "{channel.carrier}" gives no audio while a '
            "call lasts",
            fix="let it reach us (serve --public-url), use a SIP trunk, or write the script with wait, press, enter, "
            "say and listen alone",
        )
    if not live and Capability.RECORDED not in capabilities:
        return UserError(f'the carrier "{channel.carrier}" cannot carry out a script by itself', fix="use twilio")
    if channel.joins(script) and Capability.JOIN not in capabilities:
        return UserError(
            f'script "{script}" joins a telephone of ours, which the carrier "{channel.carrier}" cannot',
            fix="leave join out, or use another carrier",
        )
    return None


def _is_live(spec: Spec, channel: Channel, capabilities: frozenset[Capability]) -> bool:
    _steps(spec, channel)
    refusal = cannot_carry_out(channel, spec.script or "", capabilities)
    if refusal is not None:
        raise refusal
    return Capability.RECORDED not in capabilities or channel.is_live(spec.script or "")


def _act_on(handle: Handle, carrier: Carrier, script: LiveScript, join: Act | None, tools: Tools) -> None:
    """Let the script act on the call from now on, for as long as it lasts."""

    async def work(contact: RunningContact) -> Seen:
        return await LiveContact(contact, tools, carrier, script, handle, join).run()

    tools.running.start(handle.call_id, handle, work)


def _channel(spec: Spec) -> Channel:
    if spec.action is not Action.CALL or not isinstance(spec.channel, Channel):
        raise UserError(f"a telephone cannot {spec.action}", fix="use call with a channel of kind phone_call")
    return spec.channel


def _steps(spec: Spec, channel: Channel) -> tuple[ScriptStep, ...]:
    steps: tuple[ScriptStep, ...] | None = channel.scripts.get(spec.script or "")
    if steps is None:
        raise UserError(f'there is no script "{spec.script}"', fix=f"use one of: {', '.join(sorted(channel.scripts))}")
    return steps


def _prepared(spec: Spec, channel: Channel, reveal: Callable[[str], str], *, is_live: bool) -> Script | LiveScript:
    steps = _steps(spec, channel)
    if is_live:
        return ready_live(steps, (channel.announcement, channel.disclosure), spec.values, reveal)
    return ready(steps, channel.announcement, spec.values, reveal)


def _longest_s(spec: Spec, channel: Channel) -> float:
    return min(channel.call_at_most.s, spec.longest.s)


def _placed_at(placed: Dialled, before: datetime, after: datetime) -> tuple[datetime, ClockName]:
    """Return when the call was placed: by our clock where its answer came at once, else by the carrier's."""
    if placed.at_utc is None or (after - before).total_seconds() <= placed.error_s:
        return before + (after - before) / 2, ClockName.OURS
    return min(max(placed.at_utc, before), after), ClockName.PROVIDER


def _dialled(
    spec: Spec,
    channel: Channel,
    script: Script | LiveScript,
    call_id: str,
    before: datetime,
    dialled_at: datetime,
    clock: ClockName,
    *,
    records: bool,
) -> Seen:
    planned = script.planned if isinstance(script, Script) else ()
    lasting = lasts(planned)
    is_live = isinstance(script, LiveScript)
    handle = Handle(
        carrier=channel.carrier,
        call_id=call_id,
        reference=spec.reference,
        to=channel.number,
        dialled_at_utc=dialled_at,
        ring_at_most_s=channel.ring_at_most.s,
        longest_s=_longest_s(spec, channel),
        recorded=records,
        planned=planned,
        shortest_script_s=lasting.shortest_s,
        longest_script_s=lasting.longest_s,
        ends_by_listening=isinstance(script, Script) and script.ends_by_listening,
        live=LiveState(keeps_audio=channel.record != "never" and not records) if is_live else None,
        secrets=script.secrets,
        not_answered_at_utc=before,
    )
    dialled = CallDialled(channel.number, channel.caller_id, channel.carrier, call_id)
    return Seen(
        sightings=(Sighting(what=dialled, at_utc=dialled_at, clock=clock),),
        handle=handle,
        finished=False,
        again_s=_FIRST_LOOK_S,
    )

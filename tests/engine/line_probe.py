"""A probe for `desk_server`'s telephone, written to the probe contract: a call is live until looked at three times."""

from __future__ import annotations

import asyncio
import urllib.error
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar, Literal

from probes.duration import Duration
from probes.errors import Side, Unavailable
from probes.events import Action, CallAnswered, CallDialled, CallEnded
from probes.model import STRICT, Act, ActKind, Reconciled, Seen, Sighting, Spec, Tools, Trace
from tests.engine import desk_probe

NAME, VERSION = "phone_call", 1
ACTIONS = frozenset({Action.CALL})
_LOOK_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    __pydantic_config__: ClassVar = STRICT
    kind: Literal["phone_call"]
    url: str
    number: str
    scripts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Handle:
    url: str
    call: int
    abandoned: bool = False


def acts(spec: Spec) -> tuple[Act, ...]:
    longest = Duration(600.0)
    return (
        Act(
            kind=ActKind.CALL,
            target=spec.channel.number,
            writes=True,
            longest=longest,
            dearest_minor=50.0,
            currency="GBP",
        ),
    )


async def submit(spec: Spec, tools: Tools) -> Seen:
    desk_probe.crossing("before the act")
    try:
        answer = await asyncio.to_thread(desk_probe.ask, f"{spec.channel.url}/calls", {"reference": spec.reference})
    except OSError as exc:
        raise Unavailable("the line did not answer") from exc
    desk_probe.crossing("after the act")
    return _dialled(spec, tools, answer["call"])


async def collect(handle: Handle, tools: Tools) -> Seen:
    try:
        call = await asyncio.to_thread(desk_probe.ask, f"{handle.url}/calls/{handle.call}")
    except urllib.error.URLError as exc:
        raise Unavailable("the line did not answer") from exc
    if call["live"]:
        return Seen(handle=handle, finished=False, again_s=_LOOK_S)
    by = Side.OURS if handle.abandoned else Side.VENDOR
    now = tools.clock.now_utc()
    ended = CallEnded(by, ("the line says so",), None, 60.0, 1.0)
    return Seen(
        sightings=(Sighting(what=CallAnswered(1.0), at_utc=now), Sighting(what=ended, at_utc=now)), handle=handle
    )


async def abandon(handle: Handle, tools: Tools) -> Handle:
    await asyncio.to_thread(desk_probe.ask, f"{handle.url}/calls/{handle.call}/end", {})
    return replace(handle, abandoned=True)


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
    answer = await asyncio.to_thread(desk_probe.ask, f"{spec.channel.url}/calls/find?reference={spec.reference}")
    if not answer["numbers"]:
        return Reconciled(trace=Trace.ABSENT, how="no call carries our reference", seen=Seen())
    seen = _dialled(spec, tools, answer["numbers"][0])
    return Reconciled(trace=Trace.FOUND, how="a call carries our reference", seen=seen)


def _dialled(spec: Spec, tools: Tools, call: int) -> Seen:
    dialled = CallDialled(spec.channel.number, "+442079460999", "desk", str(call))
    sighting = Sighting(what=dialled, at_utc=tools.clock.now_utc())
    return Seen(sightings=(sighting,), handle=Handle(spec.channel.url, call), finished=False, again_s=_LOOK_S)

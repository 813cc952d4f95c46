"""A probe for `desk_server`, written to the probe contract: what the engine's tests drive."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Literal

from probes.errors import Failure, FailureKind, Side, Unavailable, UserError
from probes.events import Action, ContactOutcome, MessageSeen, Payload, StatusSeen, TicketState, TicketSubmitted
from probes.model import STRICT, Act, ActKind, Reconciled, Seen, Sighting, Spec, Tools, Trace

NAME, VERSION = "web_ticket", 1
ACTIONS = frozenset({Action.OPEN, Action.LOOK})

# Set by those who want to know (or to die) when an act is about to be done, or has just been done.
WATCHERS: list[Callable[[str], None]] = []


def crossing(point: str) -> None:
    for watcher in WATCHERS:
        watcher(point)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    __pydantic_config__: ClassVar = STRICT
    kind: Literal["web_ticket"]
    url: str


@dataclass(frozen=True, slots=True)
class Handle:
    url: str
    number: int
    answered: bool
    status: str | None


def acts(spec: Spec) -> tuple[Act, ...]:
    return (Act(kind=ActKind.BROWSE, target=spec.channel.url.split("//")[1], writes=spec.action is Action.OPEN),)


async def submit(spec: Spec, tools: Tools) -> Seen:
    body = {"reference": spec.reference, "text": spec.values["problem.body"]}
    crossing("before the act")
    try:
        answer = await asyncio.to_thread(ask, f"{spec.channel.url}/tickets", body)
    except urllib.error.HTTPError as exc:
        failure = Failure(FailureKind.HTTP_ERROR, Side.VENDOR, "open", str(exc))
        return Seen(outcome=ContactOutcome.FAILED, failure=failure)
    except OSError as exc:
        raise Unavailable("the desk did not answer") from exc
    crossing("after the act")
    sent = TicketSubmitted(spec.values["problem.subject"], spec.values["problem.body"], spec.reference)
    return Seen(sightings=(_now(tools, sent),), handle=Handle(spec.channel.url, answer["number"], False, None))


async def collect(handle: Handle, tools: Tools) -> Seen:
    try:
        ticket = await asyncio.to_thread(ask, f"{handle.url}/tickets/{handle.number}")
    except urllib.error.HTTPError as exc:
        raise UserError(f"the desk does not let us in: {exc}", fix="correct its key") from exc
    whats: list[Payload] = []
    if ticket["answered"] and not handle.answered:
        whats.append(
            MessageSeen(
                "a", Side.VENDOR, "Ann", None, "Please set the server to 10.0.0.1; that cures it.", None, None, None
            )
        )
    if ticket["status"] != handle.status:
        state = TicketState.RESOLVED if ticket["status"] == "Resolved" else TicketState.OPEN
        whats.append(StatusSeen(ticket["status"], state, handle.status, None))
    seen = tuple(_now(tools, what) for what in whats)
    return Seen(sightings=seen, handle=replace(handle, answered=ticket["answered"], status=ticket["status"]))


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
    answer = await asyncio.to_thread(ask, f"{spec.channel.url}/tickets/find?reference={spec.reference}")
    if not answer["numbers"]:
        return Reconciled(trace=Trace.ABSENT, how="no ticket carries our reference", seen=Seen())
    sent = TicketSubmitted(spec.values["problem.subject"], spec.values["problem.body"], spec.reference)
    handle = Handle(spec.channel.url, answer["numbers"][0], False, None)
    seen = Seen(sightings=(_now(tools, sent),), handle=handle)
    return Reconciled(trace=Trace.FOUND, how="a ticket carries our reference", seen=seen)


def ask(url: str, body: dict[str, str] | None = None) -> dict[str, Any]:
    data = json.dumps(body).encode() if body is not None else None
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
        return answer


def _now(tools: Tools, what: Payload) -> Sighting:
    return Sighting(what=what, at_utc=tools.clock.now_utc())

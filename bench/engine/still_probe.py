"""A probe whose vendor never answers: looks cost what the engine costs, and nothing else."""

# ruff: noqa: ARG001  (the contract's parameters, which a vendor that never answers does not need)

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from probes.events import Action
from probes.model import STRICT, Act, ActKind, Reconciled, Seen, Spec, Tools, Trace

NAME, VERSION = "web_ticket", 1
ACTIONS = frozenset({Action.OPEN, Action.LOOK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    __pydantic_config__: ClassVar = STRICT
    kind: Literal["web_ticket"]
    url: str


@dataclass(frozen=True, slots=True)
class Handle:
    takes_s: float


def acts(spec: Spec) -> tuple[Act, ...]:
    return (Act(kind=ActKind.BROWSE, target=spec.channel.url.split("//")[1], writes=True),)


async def submit(spec: Spec, tools: Tools) -> Seen:
    return Seen(handle=Handle(0.0))


async def collect(handle: Handle, tools: Tools) -> Seen:
    await asyncio.sleep(handle.takes_s)
    return Seen(handle=handle)


async def reconcile(spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
    return Reconciled(trace=Trace.ABSENT, how="nothing is ever there", seen=Seen())

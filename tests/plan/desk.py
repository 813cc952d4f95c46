"""Two small probes, for tests of the plan: a help desk and a telephone line with scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar, Literal, cast

from probes import registry
from probes.duration import Duration
from probes.errors import UserError
from probes.events import Action
from probes.model import STRICT, Act, ActKind, Probe, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    __pydantic_config__: ClassVar = STRICT
    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    __pydantic_config__: ClassVar = STRICT
    button: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A help desk."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["desk"]
    url: str
    hosts: tuple[str, ...]
    steps: tuple[Fill | Click, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A telephone line."""

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["line"]
    number: str
    longest: Duration = Duration(1800.0)
    cost_per_minute_minor: float = 10.0
    record: bool = True
    scripts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _module(name: str, channel: type, actions: frozenset[Action], acts: Any) -> Probe:
    module = ModuleType(f"tests.plan.{name}")
    module.NAME, module.VERSION, module.ACTIONS = name, 1, actions  # type: ignore[attr-defined]
    module.Channel, module.acts = channel, acts  # type: ignore[attr-defined]
    return cast(Probe, module)


def _desk_acts(spec: Spec) -> tuple[Act, ...]:
    writes = spec.action in (Action.OPEN, Action.REPLY)
    return tuple(Act(kind=ActKind.BROWSE, target=host, writes=writes) for host in spec.channel.hosts)


def _line_acts(spec: Spec) -> tuple[Act, ...]:
    if not spec.channel.scripts[spec.script]:
        raise UserError(f'the script "{spec.script}" says nothing', fix="write at least one line")
    longest = min(spec.channel.longest, spec.longest)
    cost = longest.s / 60 * spec.channel.cost_per_minute_minor
    return (
        Act(
            kind=ActKind.CALL,
            target=spec.channel.number,
            writes=True,
            longest=longest,
            dearest_minor=cost,
            currency="EUR",
            records=spec.channel.record,
        ),
    )


PROBES = {
    "desk": _module("desk", Desk, frozenset({Action.OPEN, Action.LOOK, Action.REPLY}), _desk_acts),
    "line": _module("line", Line, frozenset({Action.CALL}), _line_acts),
}


def load(name: str) -> Probe:
    if name == "email_ticket":
        return registry.load(name)
    if name not in PROBES:
        raise UserError(f'unknown probe "{name}"', fix="use one of: desk, line")
    return PROBES[name]

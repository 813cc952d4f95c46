"""Reads plan files: every fault of a file at once, with its line, its place and how to mend it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter, ValidationError

from audit.plan.draft import Draft
from audit.plan.faults import Fault, PlanFaults, choices, dotted
from audit.plan.model import Plan, Vendor
from audit.plan.rules import find_faults
from audit.plan.source import Key, Keys, Node, decode, read_bytes, read_nodes
from audit.plan.wording import word_errors
from probes import registry
from probes.errors import UserError
from probes.model import Probe

VERSION = "1"
Load = Callable[[str], Probe]


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan with the text it was read from; `sha256` is that of the file's bytes."""

    plan: Plan
    text: str
    sha256: str
    path: str


def read_plan(path: str | Path, load: Load = registry.load) -> PlanFile:
    """Read a plan file.

    Args:
        path: where it is.
        load: gives the probe of a channel's kind.

    Raises:
        PlanFaults: it has faults; the error holds all of them.
        UserError: it cannot be read at all.
    """
    raw = read_bytes(Path(path))
    read = parse_plan(decode(raw, str(path)), str(path), load)
    return dataclasses.replace(read, sha256=hashlib.sha256(raw).hexdigest())


def parse_plan(text: str, path: str = "plan.yaml", load: Load = registry.load) -> PlanFile:
    """Read a plan from a text; `path` is named in errors.

    Raises:
        PlanFaults: it has faults; the error holds all of them.
    """
    root, faults = read_nodes(text, path)
    _check_version(root, path, faults)
    reading = _Reading(root, faults, load, Path(path).absolute().parent)
    plan = reading.plan()
    if reading.faults or plan is None:
        raise PlanFaults(path, reading.faults)
    return PlanFile(plan, text, hashlib.sha256(text.encode()).hexdigest(), path)


def _check_version(root: Node, path: str, faults: list[Fault]) -> None:
    node = root.at("holdproof")
    if node is None:
        fault = Fault(
            '"holdproof", the version of the plan format, is missing', 1, fix='begin the file with "holdproof: 1"'
        )
    elif node.text != VERSION:
        shown = f'version "{node.text}"' if node.items is None else "this version"
        fix = f"this release reads version {VERSION}; a newer plan needs a newer holdproof"
        fault = Fault(f"plans of {shown} are not understood", node.line, "holdproof", fix)
    else:
        return
    raise PlanFaults(path, [*faults, fault])


class _Reading:
    """Reads the parts of a plan one by one, so that a fault in one hides none in another."""

    def __init__(self, root: Node, faults: list[Fault], load: Load, folder: Path) -> None:
        self.faults = faults
        self._folder = folder
        self._root = root
        self._load = load

    def plan(self) -> Plan | None:
        parts: dict[str, Any] = {"holdproof": 1}
        fields = {field.name: field for field in dataclasses.fields(Plan)}
        hints = get_type_hints(Plan, include_extras=True)
        assert self._root.items is not None
        for key in self._root.items:
            if key not in fields:
                self._add((key,), f'unknown key "{key}"', choices(fields, str(key)))
        for name, field in fields.items():
            node = self._root.at(name)
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if name == "holdproof" or (node is None and not required):
                continue
            if node is None:
                self.faults.append(Fault(f'"{name}" is missing', 1, fix=f"write {name}: …"))
            elif get_origin(hints[name]) is tuple:
                parts[name] = self._list(name, node, get_args(hints[name])[0])
            else:
                parts[name] = self._piece(hints[name], node, (name,))
        parts["vendors"] = self._with_channels(parts.get("vendors", {}))
        draft = Draft(parts, self._root, self._load)
        for keys, message, fix in find_faults(draft):
            self._add(keys, message, fix)
        if self.faults:
            return None
        complete: dict[str, Any] = {
            name: tuple(part.values()) if isinstance(part, dict) else part for name, part in parts.items()
        }
        return Plan(**complete)

    def _list(self, name: str, node: Node, type_: Any) -> dict[int, Any]:
        """Return the good members of a list of the plan by their index."""
        if node.items is None or not node.is_list or not node.items:
            self._add(
                (name,),
                f"{name} is no list with something in it",
                f"write at least one, as lines under {name}: that begin with -",
            )
            return {}
        pieces = {index: self._piece(type_, item, (name, index)) for index, item in node.items.items()}
        return {cast(int, index): piece for index, piece in pieces.items() if piece is not None}

    def _piece(self, type_: Any, node: Node, place: Keys) -> Any:
        """Return a part of the plan, or None after noting its faults."""
        try:
            return _adapter(type_).validate_python(node.plain())
        except ValidationError as exc:
            for keys, message, fix in word_errors(exc.errors(include_url=False), type_, node, place[-1]):
                self._add((*place, *keys), message, fix)
        except UserError as exc:
            self._add(place, exc.message, exc.fix)
        return None

    def _with_channels(self, vendors: dict[int, Vendor]) -> dict[int, Vendor]:
        """Return the vendors with their channels read by the probes; channels of a faulty vendor are checked too."""
        listed = self._root.at("vendors")
        complete = dict(vendors)
        for index in (listed.items or {}) if listed is not None else {}:
            node = self._root.at("vendors", index, "channels")
            if node is None or node.items is None or node.is_list:
                continue
            channels = {
                str(name): channel
                for name, item in node.items.items()
                if (channel := self._channel(item, ("vendors", index, "channels", name))) is not None
            }
            if isinstance(index, int) and index in vendors:
                complete[index] = dataclasses.replace(vendors[index], channels=channels)
        return complete

    def _channel(self, node: Node, place: tuple[Key, ...]) -> Any:
        kind = node.at("kind")
        if kind is None or not kind.text:
            self._add(place, 'the channel has no "kind"', choices(registry.PROBES))
            return None
        try:
            probe = self._load(kind.text)
        except UserError as exc:
            self._add((*place, "kind"), exc.message, choices(registry.PROBES, kind.text))
            return None
        channel = self._piece(probe.Channel, node, place)
        return channel.beside(self._folder) if hasattr(channel, "beside") else channel

    def _add(self, keys: Keys, message: str, fix: str) -> None:
        found, line = self._root.locate(keys, keep_missing=True)
        fault = Fault(message, line, dotted(found), fix)
        if fault not in self.faults:
            self.faults.append(fault)


@cache
def _adapter(type_: Any) -> TypeAdapter[Any]:
    return TypeAdapter(type_)

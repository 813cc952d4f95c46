"""From the bytes of a plan file to values with their lines, safe against files made to hurt.

Scalars stay text: what a field is (number, date, yes or no) is decided by the field, so that an account `007123` or a
number `+442079460123` keeps its digits without quotes. Only an unquoted `null`, `~` or nothing is None.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from audit.plan.faults import Fault, PlanFaults
from probes.errors import UserError

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 30
_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_EMPTY = frozenset({"", "~", "null", "Null", "NULL"})

Key = str | int
Keys = tuple[Key, ...]


@dataclass(slots=True)
class Node:
    """A value of the file with its line (from 1); `items` by key or index, None for a scalar."""

    line: int
    text: str | None = None
    items: dict[Key, Node] | None = None
    key_lines: dict[Key, int] = field(default_factory=dict)
    is_list: bool = False
    values: int = 1
    done: bool = False

    def plain(self) -> object:
        """Return the value as text, None, lists and dicts."""
        if self.items is None:
            return self.text
        if self.is_list:
            return [node.plain() for node in self.items.values()]
        return {key: node.plain() for key, node in self.items.items()}

    def texts(self, *keys: Key) -> Iterator[tuple[Keys, str]]:
        """Yield every text of the file with the keys that lead to it."""
        if self.text is not None:
            yield keys, self.text
        for key, node in (self.items or {}).items():
            yield from node.texts(*keys, key)

    def at(self, *keys: Key) -> Node | None:
        """Return the value at these keys, or None."""
        node: Node | None = self
        for key in keys:
            node = node.items.get(key) if node is not None and node.items is not None else None
        return node

    def locate(self, keys: Keys, *, keep_missing: bool = False) -> tuple[Keys, int]:
        """Return as much of `keys` as leads somewhere, and the line of it; a missing last key may be kept.

        Parts that are no keys of the file (names of a union's members) are left out.
        """
        node, line, found = self, self.line, list[Key]()
        for number, key in enumerate(keys):
            if node.items is not None and key in node.items:
                line = node.key_lines.get(key, node.items[key].line)
                node = node.items[key]
                found.append(key)
            elif keep_missing and number == len(keys) - 1 and node.items is not None and not node.is_list:
                found.append(key)
        return tuple(found), line


def read_bytes(path: Path) -> bytes:
    """Return the file's bytes, or say why it cannot be a plan, without reading a large file.

    Raises:
        UserError: there is no such file, or it cannot be read.
        PlanFaults: it is too large.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UserError(
            f'there is no file "{path}"', fix="name a plan file, or make one with: holdproof init DIR"
        ) from None
    except OSError as exc:
        raise UserError(f'"{path}" cannot be read: {exc.strerror or exc}', fix="name a plan file") from exc
    if len(raw) > MAX_BYTES:
        size = path.stat().st_size
        raise PlanFaults(
            str(path),
            [
                Fault(
                    f"the file is too large for a plan ({size / 1e6:.1f} MB)",
                    fix="a plan has 1 MB at most; is this the right file?",
                )
            ],
        )
    return raw


def decode(raw: bytes, path: str) -> str:
    """Return the text of a plan file.

    Raises:
        PlanFaults: it is empty, binary or not UTF-8.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise PlanFaults(path, [Fault("the file is UTF-16, not UTF-8", 1, fix="save it as UTF-8")])
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        if b"\0" in raw[:1024]:
            raise PlanFaults(path, [Fault("the file is binary, not text", fix="name a plan file (YAML)")]) from exc
        fault = Fault(f"byte 0x{raw[exc.start]:02x} is not UTF-8", line, fix="save the file as UTF-8")
        raise PlanFaults(path, [fault]) from exc
    bad = next((char for char in text if ord(char) < 32 and char not in "\t\n\r"), None)
    if bad is not None:
        line = text.count("\n", 0, text.index(bad)) + 1
        fault = Fault(
            f"the file holds the control character 0x{ord(bad):02x}", line, fix="name a plan file (YAML text)"
        )
        raise PlanFaults(path, [fault])
    if not text.strip():
        raise PlanFaults(path, [Fault("the file is empty", fix="make a plan to start from with: holdproof init DIR")])
    return text


def read_nodes(text: str, path: str) -> tuple[Node, list[Fault]]:
    """Return the file's values with their lines, and faults that did not keep us from reading on.

    Raises:
        PlanFaults: it is no YAML, or YAML of a kind that plans are not written in.
    """
    builder = _Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            builder.take(event)
    except _Stop as stop:
        raise PlanFaults(path, [*builder.faults, stop.fault]) from None
    except MarkedYAMLError as exc:
        problem = " ".join(part for part in (exc.context, exc.problem) if part)
        mark = exc.context_mark if "end of stream" in problem and exc.context_mark else exc.problem_mark
        fix = "indent with spaces" if "\\t" in problem else "mind indentation, colons and quotes"
        fault = Fault(f"this is no YAML: {problem}", mark.line + 1 if mark else None, fix=fix)
        raise PlanFaults(path, [*builder.faults, fault]) from exc
    except (YAMLError, YAMLStreamError, ValueError, RecursionError) as exc:
        fault = Fault(f"this is no YAML: {str(exc).splitlines()[0]}", fix="name a plan file")
        raise PlanFaults(path, [*builder.faults, fault]) from exc
    if builder.root is None:
        raise PlanFaults(path, [Fault("the file is empty", fix="make a plan to start from with: holdproof init DIR")])
    if builder.root.items is None or builder.root.is_list:
        fault = Fault("the file holds no plan", 1, fix='begin with "holdproof: 1", and one key a line')
        raise PlanFaults(path, [*builder.faults, fault])
    return builder.root, builder.faults


class _Stop(Exception):
    def __init__(self, message: str, line: int, fix: str) -> None:
        super().__init__(message)
        self.fault = Fault(message, line, fix=fix)


class _Builder:
    """Builds nodes from parser events, without recursion, and stops at once where the file is made to hurt."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self.faults: list[Fault] = []
        self._open: list[Node] = []
        self._keys: list[tuple[str, int] | None] = []
        self._anchors: dict[str, Node] = {}
        self._values = 0
        self._documents = 0

    def take(self, event: Event) -> None:
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _Stop("the file holds more than one document", line, "keep one plan a file; remove the line ---")
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            self._end()
        elif isinstance(event, AliasEvent):
            self._place(self._alias(str(event.anchor), line), line, is_key=self._awaits_key())
        elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            self._start(event, line)

    def _start(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, line: int) -> None:
        if event.tag is not None and str(event.tag) not in _TAGS:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            raise _Stop(f'the tag "{tag}" is not read', line, "write the value without a tag")
        node = Node(line)
        if isinstance(event, ScalarEvent):
            node.done = True
            node.text = None if event.style in (None, "") and event.value in _EMPTY else event.value
        else:
            node.items, node.is_list = {}, isinstance(event, SequenceStartEvent)
        is_key = self._awaits_key()
        if is_key and not isinstance(event, ScalarEvent):
            raise _Stop("a key is a list or a mapping", line, "write keys as plain words")
        self._place(node, line, is_key=is_key)
        if event.anchor is not None:
            self._anchors[str(event.anchor)] = node
        if not node.done:
            if len(self._open) >= MAX_DEPTH:
                raise _Stop(f"the file is nested deeper than {MAX_DEPTH} levels", line, "is this the right file?")
            self._open.append(node)
            self._keys.append(None)

    def _awaits_key(self) -> bool:
        return bool(self._open) and not self._open[-1].is_list and self._keys[-1] is None

    def _alias(self, name: str, line: int) -> Node:
        node = self._anchors.get(name)
        if node is None:
            raise _Stop(f'"*{name}" refers to nothing', line, f'put "&{name}" before the value that it stands for')
        if not node.done:
            raise _Stop(f'"*{name}" contains itself', line, "write the value out")
        return node

    def _place(self, node: Node, line: int, *, is_key: bool) -> None:
        self._values += node.values
        if self._values > MAX_VALUES:
            raise _Stop(
                f"the file holds more than {MAX_VALUES:,} values (aliases count as what they stand for)",
                line,
                "write a smaller plan",
            )
        if not self._open:
            self.root = node
            return
        parent = self._open[-1]
        assert parent.items is not None
        if is_key:
            if node.items is not None or node.text is None:
                raise _Stop("a key is empty or not a word", line, "write keys as plain words")
            self._keys[-1] = node.text, line
            return
        parent.values += node.values
        if parent.is_list:
            parent.items[len(parent.items)] = node
            return
        pair = self._keys[-1]
        assert pair is not None
        key, key_line = pair
        self._keys[-1] = None
        if key in parent.items:
            first = parent.key_lines[key]
            self.faults.append(
                Fault(f'the key "{key}" stands twice, first in line {first}', key_line, fix="keep one of them")
            )
            return
        parent.items[key] = node
        parent.key_lines[key] = key_line

    def _end(self) -> None:
        node = self._open.pop()
        self._keys.pop()
        node.done = True
        if not node.is_list and node.items is not None and "<<" in node.items:
            self._merge(node)

    def _merge(self, node: Node) -> None:
        """Carry out `<<: *other`: keys of the other mapping which this one does not have."""
        assert node.items is not None
        other = node.items.pop("<<")
        line = node.key_lines.pop("<<")
        sources = list(other.items.values()) if other.is_list and other.items is not None else [other]
        for source in sources:
            if source.items is None or source.is_list:
                raise _Stop('"<<" needs a mapping', line, "write <<: *name, where &name stands before a mapping")
            for key, value in source.items.items():
                if key not in node.items:
                    node.items[key] = value
                    node.key_lines[key] = line

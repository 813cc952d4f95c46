"""What pydantic found wrong, in the words of our errors, at the places of the file."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from audit.plan.faults import choices
from audit.plan.source import Keys, Node
from probes.errors import PlacedFaults

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WANTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_type": "a date, as 2026-12-31",
    "date_parsing": "a date, as 2026-12-31",
    "date_from_datetime_parsing": "a date, as 2026-12-31",
    "date_from_datetime_inexact": "a date without a time, as 2026-12-31",
    "datetime_type": "a moment, as 2026-11-23T09:00:00Z",
    "datetime_parsing": "a moment, as 2026-11-23T09:00:00Z",
    "datetime_from_date_parsing": "a moment, as 2026-11-23T09:00:00Z",
    "tuple_type": "a list (lines that begin with -)",
    "list_type": "a list (lines that begin with -)",
    "set_type": "a list (lines that begin with -)",
    "frozen_set_type": "a list (lines that begin with -)",
    "dict_type": "keys with values (key: value)",
    "mapping_type": "keys with values (key: value)",
    "dataclass_type": "keys with values (key: value)",
    "union_tag_invalid": "another kind",
}
_UNKNOWN = ("unexpected_keyword_argument", "extra_forbidden", "no_such_attribute")
_OTHER_THING = ("string_type", "dataclass_type", "dict_type", "mapping_type", "tuple_type", "list_type")
_BOUNDS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} or less"),
    "less_than": ("lt", "less than {}"),
}


def word_errors(
    errors: Iterable[ErrorDetails], type_: Any, node: Node, called: object = "value"
) -> Iterator[tuple[Keys, str, str]]:
    """Yield place (within `node`), message and fix of each error found in reading `node` as `type_`."""
    for error in _likeliest(list(errors), node):
        cause = error.get("ctx", {}).get("error")
        if isinstance(cause, PlacedFaults):
            for keys, text in cause.found:
                message, _, fix = text.partition("; ")
                yield (*error["loc"], *keys), message, fix
            continue
        keys = error["loc"][:-1] if error["type"] == "missing" else error["loc"]
        place, _ = node.locate(keys)
        message, fix = _word(error, type_, next((key for key in reversed(place) if isinstance(key, str)), called))
        if error["type"] == "value_error":
            place = (*place, *_quoted(node.at(*place), message))
        yield place, message, fix


def _quoted(node: Node | None, message: str) -> Keys:
    """Return the key of the one value that a message about a whole group quotes, if there is one."""
    items = (node.items or {}) if node is not None else {}
    keys = [key for key, item in items.items() if item.text and f'"{item.text}"' in message]
    return (keys[0],) if len(keys) == 1 else ()


def _word(error: ErrorDetails, type_: Any, name: object) -> tuple[str, str]:
    kind, value = error["type"], error["input"]
    context = error.get("ctx", {})
    if kind in ("missing", *_UNKNOWN):
        name = error["loc"][-1]
    if kind == "missing":
        return f'"{name}" is missing', f"write {name}: …"
    if kind in _UNKNOWN:
        return f'unknown key "{name}"', choices(keys_at(type_, error["loc"][:-1]), str(name))
    if kind in ("enum", "literal_error"):
        expected = [part.strip().strip("'") for part in str(context["expected"]).replace(" or ", ", ").split(",")]
        return f"unknown {name} {_show(value)}", choices(expected, value if isinstance(value, str) else None)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        expected = [part.strip().strip("'") for part in str(context.get("expected_tags", "")).split(",")]
        tag = str(context.get("tag", ""))
        return (f'unknown kind "{tag}"' if tag else "the kind is missing"), choices(expected, tag)
    if kind in ("value_error", "assertion_error"):
        message, _, fix = str(context["error"]).partition("; ")
        return message, fix
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"{name} is {_show(value)}", f"write {words.format(f'{context[bound]:,.15g}')}"
    if kind in _WANTED:
        return f"{name} is {_show(value)}", f"write {_WANTED[kind]}"
    return f"{name} is {_show(value)}: {error['msg']}", ""


def _show(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a group of keys"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    text = str(value)
    return f'"{text if len(text) <= 60 else text[:57] + "…"}"'


def _likeliest(errors: list[ErrorDetails], node: Node) -> list[ErrorDetails]:
    """Where a value could have been one of several things, keep the errors of the thing it comes nearest to."""
    groups: dict[Keys, dict[object, list[ErrorDetails]]] = {}
    kept: list[ErrorDetails] = []
    for error in errors:
        tag = _tag(error, node)
        if tag is None:
            kept.append(error)
        else:
            place, member = tag
            groups.setdefault(place, {}).setdefault(member, []).append(error)
    for members in groups.values():
        kept += min(members.values(), key=_distance)
    return kept


def _distance(found: Iterable[ErrorDetails]) -> tuple[bool, int, int]:
    """How far a value is from one of the things that it could be: another thing altogether, then number of errors."""
    errors = list(found)
    deepest = max(len(error["loc"]) for error in errors)
    other = all(error["type"] in _OTHER_THING for error in errors)
    return other, len(errors), -deepest


def _tag(error: ErrorDetails, node: Node) -> tuple[Keys, object] | None:
    """Return the place of the first union on the way to the error, and the member that the error speaks of."""
    at: Node | None = node
    for number, key in enumerate(error["loc"]):
        below = at.items.get(key) if at is not None and at.items is not None else None
        is_last = number == len(error["loc"]) - 1
        names_a_key = at is not None and at.items is not None and not at.is_list and is_last
        if below is None and not (names_a_key and error["type"] in ("missing", *_UNKNOWN)):
            return error["loc"][:number], key
        at = below
    return None


def keys_at(type_: Any, keys: Iterable[str | int]) -> set[str]:
    """Return the names of the fields that may stand at a place of a value of `type_`."""
    candidates = _members(type_)
    for key in keys:
        below = [inner for candidate in candidates for inner in _below(candidate, key)]
        if below:
            candidates = [member for inner in below for member in _members(inner)]
        else:  # the name of a union's member
            candidates = [each for each in candidates if getattr(each, "__name__", "") == key] or candidates
    names = {field.name for each in candidates if dataclasses.is_dataclass(each) for field in dataclasses.fields(each)}
    return {name.removesuffix("_") for name in names}  # a word of Python's own has a line behind it


@cache
def _hints(class_: type) -> dict[str, Any]:
    return get_type_hints(class_, include_extras=True)


def _below(type_: Any, key: str | int) -> list[Any]:
    if dataclasses.is_dataclass(type_) and isinstance(type_, type):
        return [_hints(type_)[key]] if isinstance(key, str) and key in _hints(type_) else []
    origin, arguments = get_origin(type_), get_args(type_)
    if origin in (tuple, list, frozenset, set) and isinstance(key, int):
        return [arguments[0]]
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(key, str):
        return [arguments[1]]
    return []


def _members(type_: Any) -> list[Any]:
    if get_origin(type_) is Annotated:
        return _members(get_args(type_)[0])
    if get_origin(type_) in (Union, types.UnionType):
        return [inner for member in get_args(type_) for inner in _members(member)]
    return [type_]

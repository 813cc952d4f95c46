"""The JSON Schema of plans, for editors that complete and check while a plan is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import TypeAdapter

from audit.plan.model import Plan
from probes import registry
from probes.model import Probe

SCHEMA_FILE = "plan.schema.json"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
Load = Callable[[str], Probe]
_REFERENCE = "#/$defs/{model}"


def plan_schema(kinds: Iterable[str] = tuple(registry.PROBES), load: Load = registry.load) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of plans, with the channels of every probe."""
    types = [Plan, *(load(kind).Channel for kind in sorted(kinds))]
    adapters: Any = [(index, "validation", TypeAdapter(type_)) for index, type_ in enumerate(types)]
    found, shared = TypeAdapter.json_schemas(adapters, ref_template=_REFERENCE)
    plan, *channels = (found[index, "validation"] for index in range(len(types)))
    definitions: dict[str, Any] = shared["$defs"]
    vendor = definitions["Vendor"]
    by_name = vendor["properties"]["channels"]
    (pattern,) = by_name.pop("patternProperties")
    by_name |= {"propertyNames": {"pattern": pattern}, "additionalProperties": {"oneOf": channels}}
    top = definitions.pop(str(plan["$ref"]).rpartition("/")[2]) if "$ref" in plan else plan
    document = {
        "$schema": _DIALECT,
        "$id": "https://holdproof.invalid/plan-1.schema.json",
        **top,
        "title": "Holdproof plan",
        "$defs": definitions,
    }
    _tidy(document)
    return document


def _tidy(node: Any) -> None:
    """Take out what editors cannot use: defaults that are objects of ours, and titles that repeat the key."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    default = node.get("default")
    if isinstance(default, dict) and node.get("type") != "object":
        node.pop("default")
    for name, field in (node.get("properties") or {}).items():
        if isinstance(field, dict) and str(field.get("title", "")).lower() == name.replace("_", " "):
            field.pop("title")
    for item in node.values():
        _tidy(item)

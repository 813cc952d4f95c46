"""Ways of writing a plan's values more shortly: one value where a list may stand, a verb without a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


class OneOrMore:
    """Lets one value stand where a list may."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]} if "items" in listed else listed

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> object:
            return [value] if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(read, handler(source))


@dataclass(frozen=True, slots=True, eq=False)
class PlainVerb:
    """Lets `- end` stand in a script without a value; `verbs` has what each stands for then."""

    verbs: Mapping[str, Any]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"enum": list(self.verbs)}]}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> object:
            if isinstance(value, str) and value in self.verbs:
                return {value: self.verbs[value]}
            if isinstance(value, dict) and not {key for key, inner in value.items() if inner is not None} - {"as"}:
                return {key: self.verbs.get(key) if inner is None else inner for key, inner in value.items()}
            return value

        return core_schema.no_info_before_validator_function(read, handler(source))

"""`{name}` in the texts of a plan, and what stands for it: one rule for tickets, calls and plans alike."""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.errors import UserError

# Not `${env:NAME}`: that is a secret, and stays a reference until it is typed.
PLACEHOLDER = re.compile(r"(?<!\$)\{([A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with each `{name}` replaced by its value, once (a value's own braces stay).

    Raises:
        UserError: a name has no value.
    """

    def value_of(match: re.Match[str]) -> str:
        if match.group(1) not in values:
            raise stands_for_nothing(match.group(1), values)
        return values[match.group(1)]

    return PLACEHOLDER.sub(value_of, text)


def stands_for_nothing(name: str, known: Mapping[str, str] | set[str]) -> UserError:
    """Return the error for a name that has no value."""
    return UserError(f'"{{{name}}}" stands for nothing here', fix=f"use one of: {', '.join(sorted(known))}")

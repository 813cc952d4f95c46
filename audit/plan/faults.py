"""Faults of a plan file: what is wrong, where, and how to mend it; all of a file at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from probes.errors import UserError


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `line` counts from 1; `path` is the place inside the file, as vendors[2].channels.portal.kind."""

    message: str
    line: int | None = None
    path: str = ""
    fix: str = ""

    def where(self, file: str) -> str:
        """Return "plan.yaml:12: vendors[2].name", as far as it is known."""
        place = f"{file}:{self.line}" if self.line else file
        return f"{place}: {self.path}" if self.path else place


class PlanFaults(UserError):
    """A plan file has faults; `faults` holds all of them in the order of their lines."""

    def __init__(self, file: str, faults: Iterable[Fault]) -> None:
        self.file = file
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line or 0))
        first = self.faults[0]
        super().__init__(first.message, at=first.where(file), fix=first.fix)

    def __str__(self) -> str:
        return "\nerror: ".join(
            str(UserError(fault.message, at=fault.where(self.file), fix=fault.fix)) for fault in self.faults
        )


def dotted(keys: Iterable[str | int]) -> str:
    """Return a place inside the file as people write it: vendors[2].channels.portal."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def choices(known: Iterable[str], wrong: str | None = None) -> str:
    """Return a hint that names what could stand there, the likeliest first."""
    names = sorted(known)
    near = get_close_matches(wrong, names, n=1, cutoff=0.6) if wrong else []
    if near and len(names) > 8:
        return f'did you mean "{near[0]}"?'
    listed = f"use one of: {', '.join(names)}" if len(names) > 1 else f"use {names[0]}" if names else ""
    return f'did you mean "{near[0]}"? {listed}' if near and len(names) > 1 else listed

"""Which probes there are. A new one is a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from probes.errors import UserError
from probes.model import Probe

PROBES = {
    "web_ticket": "probes.web_ticket",
    "email_ticket": "probes.email_ticket",
    "phone_call": "probes.phone_call",
    "chat": "probes.chat",
}

# Named in plans already, carried out later: refused by name instead of as a typing mistake.
PLANNED: tuple[str, ...] = ()


@cache
def load(name: str) -> Probe:
    """Return the probe of this name.

    Raises:
        UserError: there is none.
    """
    if name in PLANNED:
        raise UserError(f'probe "{name}" is not carried out yet', fix=f"use one of: {', '.join(sorted(PROBES))}")
    if name not in PROBES:
        raise UserError(f'unknown probe "{name}"', fix=f"use one of: {', '.join(sorted(PROBES))}")
    return cast(Probe, import_module(PROBES[name]))

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


@cache
def load(name: str) -> Probe:
    """Return the probe of this name.

    Raises:
        UserError: there is none.
    """
    if name not in PROBES:
        raise UserError(f'unknown probe "{name}"', fix=f"use one of: {', '.join(sorted(PROBES))}")
    return cast(Probe, import_module(PROBES[name]))

"""Who writes in a chat, as far as names, roles and notices say: a machine, a person, or not known (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MACHINE = re.compile(
    r"\b(?:chat-?)?bots?\b|\w+bot\b|\brobots?\b|\bvirtual|virtuel|virtuell|\bassistants?\b|\bassistente?[nr]?\b|"
    r"\basistente\b|\bautomat|\bA\.?I\.?\b|\bKI\b|\bIA\b|\bsystem\b|\bcopilot\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\bhumans?\b|\bstaff\b|\brepresentative\b|"
    r"\b(?:support|service|customer care|live) (?:agent|specialist|advisor|engineer)\b|"
    r"\bteam member\b|\bmitarbeiter|\bberater|\bconseill|\basesor",
    re.IGNORECASE,
)


def is_machine(name: str | None, role: str | None, bots: Iterable[str] = (), humans: Iterable[str] = ()) -> bool | None:
    """Return whether an author is a machine by what the chat calls it; None where that says nothing."""
    for known, answer in ((bots, True), (humans, False)):
        if name is not None and any(_same(name, each) for each in known):
            return answer
    for text in (role, name):
        if text and _MACHINE.search(text):
            return True
    return False if role and _PERSON.search(role) else None


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())

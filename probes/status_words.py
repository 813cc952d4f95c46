"""What the words of a ticket's status mean, on pages and in mails. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from probes.events import TicketState

_STATES: dict[TicketState, tuple[str, ...]] = {
    TicketState.OPEN: (
        "open", "new", "opened", "reopened", "re-opened", "in progress", "assigned", "unassigned", "submitted",
        "received", "active", "acknowledged", "under review", "in review", "being worked on", "work in progress",
        "investigating", "escalated", "awaiting agent", "waiting for support", "awaiting support", "on hold",
        "in bearbeitung", "offen", "neu", "wieder geöffnet", "eingegangen",
        "ouvert", "nouveau", "en cours", "rouvert", "abierto", "nuevo", "en curso", "en progreso", "reabierto",
    ),
    TicketState.WAITING_FOR_US: (
        "waiting for customer", "waiting on customer", "awaiting customer", "pending customer", "waiting for you",
        "waiting on you", "awaiting your reply", "awaiting your response", "waiting for your reply",
        "waiting for requester", "awaiting requester", "customer action required", "needs your reply", "needs info",
        "more information needed", "information requested", "feedback required",
        "wartet auf kunden", "warten auf kunden", "wartet auf sie", "rückfrage", "warten auf rückmeldung",
        "en attente du client", "en attente de votre réponse", "esperando al cliente", "en espera del cliente",
    ),
    TicketState.RESOLVED: (
        "resolved", "solved", "fixed", "completed", "complete", "done",
        "gelöst", "erledigt", "behoben", "résolu", "terminé", "resuelto", "solucionado",
    ),
    TicketState.CLOSED: (
        "closed", "cancelled", "canceled", "archived", "duplicate", "rejected", "withdrawn", "deleted",
        "geschlossen", "abgeschlossen", "storniert", "fermé", "clos", "clôturé", "annulé", "cerrado", "cancelado",
    ),
}  # fmt: skip
_NEGATED = r"(?:(?<!\w)(?:not|never|no|nicht|nie|non|pas|un)[\s-]+(?:\w+\s+)?)"


def state_of(text: str, states: Mapping[str, TicketState] | None = None) -> TicketState:
    """Return what a status text means: by the plan's words first, then by the built-in ones.

    A text that is no known word but contains words of one meaning only ("Status: Resolved") has that meaning,
    unless it says no. What is left is UNKNOWN.
    """
    word = _word(text)
    for own, state in (states or {}).items():
        if _word(own) == word:
            return state
    found = {state for state, words in _STATES.items() if word in words}
    if not found:
        found = {state for state, words in _STATES.items() for known in words if _says(word, known)}
        if TicketState.WAITING_FOR_US in found:
            found = {TicketState.WAITING_FOR_US}
    return found.pop() if len(found) == 1 else TicketState.UNKNOWN


def _word(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .:;!-–—[]()«»\"'")


def _says(text: str, known: str) -> bool:
    """Return whether a text says a word, and does not deny it ("not yet resolved")."""
    return contains_word(re.sub(rf"{_NEGATED}{re.escape(known)}(?![\w-])", " ", text), known)


def contains_word(text: str, known: str) -> bool:
    """Whether a text holds a word or words as such, not as a part of longer ones."""
    return re.search(rf"(?<![\w-]){re.escape(known)}(?![\w-])", text) is not None

"""Every measure that there is: a new one is a function in its file and a line here."""

from __future__ import annotations

from audit.analysis.measures import calls, cases, chats, persons, promises, tickets
from audit.analysis.measures.spec import MeasureSpec

MEASURES: tuple[MeasureSpec, ...] = (
    *tickets.MEASURES,
    *calls.MEASURES,
    *chats.MEASURES,
    *cases.MEASURES,
    *persons.MEASURES,
    *promises.MEASURES,
)

BY_ID: dict[str, MeasureSpec] = {spec.id: spec for spec in MEASURES}

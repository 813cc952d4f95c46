"""A reviewer's judgements, read from the rows of a table into events; what points nowhere is refused.

Columns: case, contact, question, value, reviewer; and what the answer rests on: quote, t_s (second of the recording) or
message_key. The question `promise` says that the vendor committed itself: `value` is what it promised, `quote` its
words, `due_at` the moment (ISO 8601 with a time zone), empty where the words give none.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from audit.analysis.questions import BY_ID, Question
from audit.analysis.reading import plain
from audit.model import Event
from audit.plan.model import PromisedWhat
from probes.events import CallRecorded, CaseOpened, ContactStarted, Judged, MessageSeen, PromiseSaid

COLUMNS = ("case", "contact", "question", "value", "reviewer", "quote", "t_s", "message_key", "due_at")
_PROMISE = "promise"


@dataclass(frozen=True, slots=True)
class Statement:
    """One accepted row: where it belongs, and the event to append."""

    case: str
    contact: str | None
    what: Judged | PromiseSaid


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why a row is refused, and how to mend it. `row` counts from 1, the head of the table left out."""

    row: int
    message: str
    fix: str


@dataclass(slots=True)
class _Known:
    """What rows can point at."""

    cases: set[str]
    contacts: dict[str, str]
    lengths_s: dict[str, float]
    messages: dict[tuple[str, str], str]


class _Refused(Exception):
    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


def read_statements(
    rows: Iterable[Mapping[str, str | None]], events: Sequence[Event]
) -> tuple[tuple[Statement, ...], tuple[RowFault, ...]]:
    """Read judgements from rows.

    Args:
        rows: as `csv.DictReader` gives them; empty cells are empty strings or None.
        events: of the audit that is judged; rows must point at its cases, contacts, recordings and messages.

    Returns:
        The statements of all sound rows, and every fault of the others. Two reviewers' answers to one question are two
        statements; the same reviewer's same row twice is refused the second time.
    """
    known = _known(events)
    statements: list[Statement] = []
    faults: list[RowFault] = []
    for number, row in enumerate(rows, start=1):
        try:
            statement = _statement(row, known)
            if statement in statements:
                raise _Refused("the row is there twice", "keep one of them")
            statements.append(statement)
        except _Refused as refusal:
            faults.append(RowFault(number, refusal.message, refusal.fix))
    return tuple(statements), tuple(faults)


def _known(events: Sequence[Event]) -> _Known:
    known = _Known(set(), {}, {}, {})
    for event in events:
        what = event.what
        if isinstance(what, CaseOpened) and event.case is not None:
            known.cases.add(event.case)
        elif isinstance(what, ContactStarted) and event.case is not None and event.contact is not None:
            known.contacts[event.contact] = event.case
        elif isinstance(what, CallRecorded) and event.contact is not None:
            known.lengths_s[event.contact] = what.duration_s
        elif isinstance(what, MessageSeen) and event.case is not None:
            known.messages[event.case, what.message_key] = what.text
    return known


def _statement(row: Mapping[str, str | None], known: _Known) -> Statement:
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    extra = sorted(str(name) for name, value in row.items() if name not in COLUMNS and value)
    if extra:
        raise _Refused(f"unknown column {extra[0]!r}", f"use {', '.join(COLUMNS)}")
    if not cells["reviewer"]:
        raise _Refused("nobody is named as reviewer", "put a name or a sign of the reviewer into the row")
    case, contact = _place(cells, known)
    key = cells["message_key"] or None
    quote = cells["quote"] or None
    t_s = _second(cells["t_s"], contact, known)
    if key is not None:
        text = known.messages.get((case, key))
        if text is None:
            raise _Refused(f'case {case} has no message "{key}"', f"`holdproof show {case}` lists its messages")
        if quote is not None and plain(quote) not in plain(text):
            raise _Refused(f'the quote is not in message "{key}": "{quote}"', "copy the words from the message")
    if cells["question"] == _PROMISE:
        return Statement(case, contact, _promise(cells, quote, key, t_s))
    question = BY_ID.get(cells["question"])
    if question is None:
        raise _Refused(f'unknown question "{cells["question"]}"', f"use one of: {_PROMISE}, {', '.join(BY_ID)}")
    _check_value(question, cells["value"])
    if quote is None and t_s is None and key is None:
        raise _Refused("the answer rests on nothing", "give a quote, the second of the recording, or the message's key")
    return Statement(case, contact, Judged(question.id, cells["value"], cells["reviewer"], quote, t_s, key))


def _place(cells: Mapping[str, str], known: _Known) -> tuple[str, str | None]:
    case, contact = cells["case"], cells["contact"] or None
    if contact is not None:
        if contact not in known.contacts:
            raise _Refused(f'there is no contact "{contact}" in this audit', "`holdproof cases` and `show` list them")
        if case and case != known.contacts[contact]:
            belongs = known.contacts[contact]
            raise _Refused(f"contact {contact} belongs to case {belongs}, not {case}", "mend one of them")
        return known.contacts[contact], contact
    if case not in known.cases:
        raise _Refused(f'there is no case "{case}" in this audit', "`holdproof cases` lists them")
    return case, None


def _second(text: str, contact: str | None, known: _Known) -> float | None:
    if not text:
        return None
    try:
        t_s = float(text)
    except ValueError:
        t_s = math.nan
    if not math.isfinite(t_s) or t_s < 0:
        raise _Refused(f'"{text}" is no second of a recording', "write seconds from its start, as 83.5")
    if contact is None or contact not in known.lengths_s:
        raise _Refused(f"second {t_s:g} of which recording?", "name the contact of a recorded call")
    if t_s > known.lengths_s[contact]:
        length = known.lengths_s[contact]
        raise _Refused(f"second {t_s:g} lies beyond the recording's end at {length:g}", "mend the second")
    return t_s


def _check_value(question: Question, value: str) -> None:
    if not value:
        raise _Refused(f'no answer to "{question.id}"', f"answer: {question.text}")
    if question.values and value not in question.values:
        raise _Refused(f'"{value}" is no answer to "{question.id}"', f"use one of: {', '.join(question.values)}")
    if not question.values and not question.free:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0:
            raise _Refused(f'"{value}" is no number, as "{question.id}" wants', f"answer: {question.text}")


def _promise(cells: Mapping[str, str], quote: str | None, key: str | None, t_s: float | None) -> PromiseSaid:
    if quote is None:
        raise _Refused("a promise needs its words", "put them into the column quote")
    if cells["value"] not in set(PromisedWhat):
        raise _Refused(f'"{cells["value"]}" is nothing that can be promised', f"use one of: {', '.join(PromisedWhat)}")
    due: datetime | None = None
    if cells["due_at"]:
        try:
            due = datetime.fromisoformat(cells["due_at"])
        except ValueError:
            due = None
        if due is None or due.tzinfo is None:
            raise _Refused(f'"{cells["due_at"]}" is no moment with a time zone', "write it as 2026-03-05T15:00+01:00")
        due = due.astimezone(UTC)
    if key is None and t_s is None:
        raise _Refused("the promise rests on nothing", "give the second of the recording, or the message's key")
    return PromiseSaid(quote, cells["value"], due, key, t_s, "person", 1.0)

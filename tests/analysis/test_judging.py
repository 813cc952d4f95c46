"""Reviewers' tables: what points nowhere is refused, row by row."""

from __future__ import annotations

import pytest

from audit.analysis.analyse import analyse
from audit.analysis.judging import read_statements
from audit.analysis.model.findings import Origin
from probes.errors import Side
from probes.events import Action, CallAnswered, CallDialled, CallEnded, CallRecorded, Judged, PromiseSaid
from tests.analysis.book import START, Book, said
from tests.analysis.plans import plan


def book() -> Book:
    made = Book()
    made.begin()
    made.open_case(0)
    made.submit(0)
    made.look(1, said("I am sorry for the trouble. You will hear from me by noon tomorrow.", "m1"))
    made.start(2, Action.CALL, "phone")
    made.contact = "call-1"
    made.events[-1] = made.events[-1].__class__(
        **{f: getattr(made.events[-1], f) for f in made.events[-1].__dataclass_fields__} | {"contact": "call-1"}
    )
    made.add(CallDialled("+442079460123", "+442079460777", "practice", "CA1"), 2)
    made.add(CallAnswered(1.0), 2, s=5)
    made.add(CallEnded(Side.OURS, (), "200", 120.0, 1.0), 2, s=125)
    made.add(CallRecorded(120.0, 8000, 2, 1, START, 1.0), 2, s=130)
    made.stop(2, s=131)
    return made


GOOD = {"case": "c1", "question": "trouble_acknowledged", "value": "yes", "reviewer": "R-1", "message_key": "m1",
        "quote": "sorry for the  trouble"}  # fmt: skip


def test_sound_rows_become_events() -> None:
    rows = [
        GOOD,
        GOOD | {"reviewer": "R-2", "value": "no"},
        {"contact": "call-1", "question": "hold_permission_asked", "value": "no", "reviewer": "R-1", "t_s": "83.5"},
        {"case": "c1", "question": "promise", "value": "first_human_response", "reviewer": "R-1", "message_key": "m1",
         "quote": "by noon tomorrow", "due_at": "2026-03-03T12:00+00:00"},
    ]  # fmt: skip
    statements, faults = read_statements(rows, book().events)
    assert faults == ()
    assert [type(s.what) for s in statements] == [Judged, Judged, Judged, PromiseSaid]
    assert (statements[2].case, statements[2].contact) == ("c1", "call-1")
    assert statements[3].what.by == "person"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"case": "c9"}, 'there is no case "c9" in this audit'),
        ({"contact": "call-9"}, 'there is no contact "call-9" in this audit'),
        ({"contact": "call-1", "case": "c2"}, "contact call-1 belongs to case c1, not c2"),
        ({"question": "nice"}, 'unknown question "nice"'),
        ({"value": "perhaps"}, '"perhaps" is no answer to "trouble_acknowledged"'),
        ({"value": ""}, 'no answer to "trouble_acknowledged"'),
        ({"reviewer": " "}, "nobody is named as reviewer"),
        ({"message_key": "m7"}, 'case c1 has no message "m7"'),
        ({"quote": "delighted"}, 'the quote is not in message "m1": "delighted"'),
        ({"quote": "", "message_key": ""}, "the answer rests on nothing"),
        ({"t_s": "12"}, "second 12 of which recording?"),
        ({"t_s": "nan"}, '"nan" is no second of a recording'),
        ({"contact": "call-1", "t_s": "121"}, "second 121 lies beyond the recording's end at 120"),
        ({"question": "announced_wait_min", "value": "-3"}, '"-3" is no number, as "announced_wait_min" wants'),
        ({"question": "promise", "value": "luck"}, '"luck" is nothing that can be promised'),
        ({"question": "promise", "value": "update", "due_at": "2026-03-03T12:00"},
         '"2026-03-03T12:00" is no moment with a time zone'),
        ({"mood": "good"}, "unknown column 'mood'"),
    ],
)  # fmt: skip
def test_rows_that_point_nowhere(change: dict[str, str], message: str) -> None:
    statements, faults = read_statements([GOOD | change, GOOD], book().events)
    assert [s.what for s in statements] == [read_statements([GOOD], book().events)[0][0].what]
    assert [(fault.row, fault.message) for fault in faults] == [(1, message)]
    assert faults[0].fix


def test_the_same_row_twice_is_refused_once() -> None:
    statements, faults = read_statements([GOOD, GOOD], book().events)
    assert len(statements) == 1
    assert [fault.row for fault in faults] == [2]


def test_two_reviewers_who_differ_establish_nothing_and_show_in_the_agreement() -> None:
    made = book()
    made.case = "c1"
    rows = [GOOD, GOOD | {"reviewer": "R-2", "value": "no"}]
    for statement in read_statements(rows, made.events)[0]:
        made.contact = statement.contact
        made.add(statement.what, 5)
    result = analyse(plan(), made.events, holdproof_version="0.1.0")
    acknowledged = next(m for m in result.measures if m.id == "trouble_acknowledged")
    assert acknowledged.n == 0
    (agreement,) = [a for a in result.agreements if a.between == "reviewers"]
    assert (agreement.question, agreement.n_units, agreement.alpha) == ("trouble_acknowledged", 1, None)
    assert "they differ in 1 of 1" in agreement.sentence


def test_a_later_answer_of_the_same_reviewer_replaces_the_earlier_one() -> None:
    made = book()
    made.case = "c1"
    for value in ("no", "yes"):
        (statement,), _ = read_statements([GOOD | {"value": value}], made.events)
        made.add(statement.what, 5)
    result = analyse(plan(), made.events, holdproof_version="0.1.0")
    (seen,) = next(m for m in result.measures if m.id == "trouble_acknowledged").observed
    assert (seen.value, seen.origin) == (1.0, Origin.PERSON)

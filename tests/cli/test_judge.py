"""A reviewer's table becomes events; a row that points nowhere refuses the whole table and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.commands.judging import judge
from audit.ledger.store import Ledger
from probes.errors import UserError
from probes.events import Action, CaseOpened, ContactStarted, Judged
from probes.model import Sighting
from tests.ledger.test_store import AUDIT, CASE, NOW

CONTACT = f"{CASE.case}/001"
HEAD = "case,contact,question,value,reviewer,quote,t_s\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger.in_folder(tmp_path / "home")
    ledger.begin_audit(AUDIT, [CASE], [(CASE.case, CaseOpened("acme", "ann", "login", 1, "HP-1"))])
    started = ContactStarted("portal", "web_ticket", 1, Action.OPEN, 0, 1, "HP-1")
    with ledger.writing(AUDIT.audit) as writing:
        writing.append([Sighting(what=started, at_utc=NOW)], case=CASE.case, contact=CONTACT)
    return ledger


def test_sound_rows_become_events(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "judged.csv"
    file.write_text(f"{HEAD}{CASE.case},{CONTACT},solved,no,R-1,it still says no,\n", encoding="utf-8")
    assert judge(ledger, AUDIT.audit, file) == 1
    event = ledger.events(AUDIT.audit)[-1]
    assert isinstance(event.what, Judged)
    assert (event.what.question, event.what.value, event.what.reviewer) == ("solved", "no", "R-1")
    assert event.contact == CONTACT
    ledger.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}{CASE.case},{CONTACT},solved,no,R-1,yes it does,\nx,,solved,no,R-1,,\n", "row 2: there is no case"),
        (f"{HEAD}{CASE.case},{CONTACT},charm,no,R-1,,\n", 'unknown question "charm"'),
        ('case,contact\n"open', "cannot be read"),
    ],
)
def test_a_bad_table_is_refused_whole(ledger: Ledger, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "judged.csv"
    file.write_text(text, encoding="utf-8")
    before = ledger.audit(AUDIT.audit).head_seq
    with pytest.raises(UserError, match=words):
        judge(ledger, AUDIT.audit, file)
    assert ledger.audit(AUDIT.audit).head_seq == before
    ledger.close()


def test_a_file_that_is_not_there_is_said(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        judge(ledger, AUDIT.audit, tmp_path / "nowhere.csv")
    ledger.close()

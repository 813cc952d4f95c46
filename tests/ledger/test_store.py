"""The ledger as its callers see it: the same tests on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import journal
from audit.ledger.store import Ledger, NewCase, Overtaken
from audit.model import AuditRow, Effect, EffectState
from probes.errors import Side, Unavailable, UserError
from probes.events import CaseClosed, CaseOutcome, MessageSeen, ValueRead
from probes.model import Artifact, Sighting

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
AUDIT = AuditRow(
    audit="acme-1",
    name="Acme",
    plan_yaml="holdproof: 1",
    plan_path="plan.yaml",
    plan_sha256="0" * 64,
    clock_factor=1.0,
    clock_origin_utc=NOW,
    started_at_utc=NOW,
    ended_at_utc=None,
    head_seq=0,
    head_sha256="",
)
CASE = NewCase(case="acme.ann.login.1", vendor="acme", persona="ann", scenario="login", sample=1, reference="HP-1")


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url)
    assert ledger.begin_audit(AUDIT, [CASE])
    yield ledger
    ledger.close()


def message(text: str, minute: int = 0) -> Sighting:
    seen = MessageSeen(f"key-{text}", Side.VENDOR, "A-01", None, text, "yesterday", None, NOW)
    return Sighting(what=seen, at_utc=NOW + timedelta(minutes=minute))


def effect(key: str, **changes: object) -> Effect:
    first = Effect(
        key=key,
        audit="acme-1",
        case=CASE.case,
        contact=f"{CASE.case}/001",
        vendor="acme",
        kind="call",
        target="+441632960001",
        reserved_at_utc=NOW,
        dearest_minor=50.0,
        currency="EUR",
        longest_s=600.0,
        state=EffectState.RESERVED,
    )
    return replace(first, **changes)  # type: ignore[arg-type]


def test_events_come_back_as_they_were_written(ledger: Ledger) -> None:
    picture = Artifact("ab" * 32, "image/png", 12, "page.png")
    sighting = replace(message("Grüße, „ok“ \x00 \ud800 <b>"), artifacts=(picture,))
    with ledger.writing("acme-1") as writing:
        writing.append([sighting], case=CASE.case, contact="c/001")
    (event,) = ledger.events("acme-1")
    assert event.what == replace(sighting.what, text="Grüße, „ok“ \x00 ? <b>", message_key=event.what.message_key)  # type: ignore[union-attr,type-var]
    assert (event.seq, event.case, event.contact, event.at_utc) == (1, CASE.case, "c/001", NOW)
    assert event.artifacts == (picture,)


def test_the_chain_shows_every_change(ledger: Ledger) -> None:
    with ledger.writing("acme-1") as writing:
        writing.append([message(f"m{number}", number) for number in range(5)], case=CASE.case)
    with ledger.writing("acme-1") as writing:
        writing.append([message("last", 9)])
    lines = list(ledger.journal("acme-1"))
    assert journal.faults(lines) == []
    assert ledger.audit("acme-1").head_sha256 == journal.record_sha256(lines[-1])
    changed = json.loads(lines[2])
    changed["what"]["text"] = "nicer"
    assert journal.faults([*lines[:2], journal.record_text(changed), *lines[3:]]) != []
    assert journal.faults([*lines[:2], *lines[3:]]) != []
    assert journal.faults([*lines[:2], lines[3], lines[2], *lines[4:]]) != []
    assert journal.faults([*lines[:2], "not json", *lines[3:]]) != []


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="power"), ledger.writing("acme-1") as writing:
        writing.append([message("lost")])
        writing.reserve(effect("k"))
        raise RuntimeError("power")
    assert ledger.events("acme-1") == []
    assert ledger.effects("acme-1") == []
    with ledger.writing("acme-1") as writing:
        writing.append([message("kept")])
    assert journal.faults(ledger.journal("acme-1")) == []


def test_an_audit_begins_once_with_its_first_events(ledger: Ledger) -> None:
    assert not ledger.begin_audit(AUDIT, [CASE])
    second = replace(AUDIT, audit="acme-2")
    closed = CaseClosed(CaseOutcome.RESOLVED, "x")
    assert ledger.begin_audit(second, [CASE], [(None, closed), (CASE.case, closed)])
    assert [event.case for event in ledger.events("acme-2")] == [None, CASE.case]
    assert ledger.audit("acme-2").head_seq == 2
    assert [row.audit for row in ledger.audits()] == ["acme-1", "acme-2"]


def test_an_effect_is_reserved_once(ledger: Ledger) -> None:
    with ledger.writing("acme-1") as writing:
        assert writing.reserve(effect("k")) is None
    with ledger.writing("acme-1") as writing:
        assert writing.reserve(effect("k")) is EffectState.RESERVED
        writing.settle("k", EffectState.DONE, live=False, cost_minor=12.0)
    with ledger.writing("acme-1") as writing:
        assert writing.reserve(effect("k")) is EffectState.DONE
        writing.withdraw("k")  # what was done cannot be taken back
    assert [found.state for found in ledger.effects("acme-1")] == [EffectState.DONE]


def test_usage_counts_the_dearest_until_the_true_price_is_known(ledger: Ledger) -> None:
    day = NOW.replace(hour=0, minute=0)
    with ledger.writing("acme-1") as writing:
        writing.reserve(effect("a"))
        writing.reserve(effect("b", reserved_at_utc=NOW - timedelta(days=1)))
        writing.reserve(effect("t", kind="open", dearest_minor=0.0, longest_s=0.0))
        writing.settle("b", EffectState.DONE, live=False, cost_minor=5.0)
        usage = writing.usage("acme", day)
    assert (usage.calls, usage.calls_today, usage.tickets, usage.calls_live_for_vendor) == (2, 1, 1, 1)
    assert usage.spent_minor == pytest.approx(55.0)
    assert usage.call_minutes == pytest.approx(20.0)


def test_a_tick_is_done_once(ledger: Ledger) -> None:
    row = ledger.case("acme-1", CASE.case)
    with ledger.writing("acme-1") as writing:
        writing.save_case(replace(row, step=1, ticks_done=1), was=row)
    with pytest.raises(Overtaken), ledger.writing("acme-1") as writing:
        writing.append([message("twice")])
        writing.save_case(replace(row, step=1, ticks_done=1), was=row)
    assert ledger.case("acme-1", CASE.case).ticks_done == 1
    assert ledger.events("acme-1") == []


def test_many_writers_keep_one_chain(ledger: Ledger, database_url: str) -> None:
    others = [Ledger(database_url) for _ in range(4)]

    def write(own: Ledger) -> None:
        for number in range(10):
            with own.writing("acme-1") as writing:
                writing.append([message(f"m{number}"), ValueReadSighting])

    threads = [threading.Thread(target=write, args=(own,)) for own in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.events("acme-1")) == 80
    assert journal.faults(ledger.journal("acme-1")) == []
    for own in others:
        own.close()


ValueReadSighting = Sighting(what=ValueRead("ticket", "7", "http://localhost/7"), at_utc=NOW)


def test_the_kill_switch_is_seen_by_all(ledger: Ledger, database_url: str) -> None:
    other = Ledger(database_url)
    other.set_stopped("wrong number")
    assert ledger.stopped() == "wrong number"
    with ledger.writing("acme-1") as writing:
        assert writing.usage("acme", NOW).stopped == "wrong number"
    ledger.set_stopped(None)
    assert other.stopped() is None
    other.close()


def test_what_is_not_there_is_said(ledger: Ledger) -> None:
    with pytest.raises(UserError, match='unknown audit "acme-9"') as caught:
        ledger.audit("acme-9")
    assert "acme-1" in caught.value.fix
    with pytest.raises(UserError, match='unknown case "x"'):
        ledger.case("acme-1", "x")


def test_a_file_that_is_no_ledger_is_said(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is no database at all, only words" * 100)
    with pytest.raises(Unavailable, match="damaged"):
        Ledger.in_folder(tmp_path)


def test_a_newer_ledger_is_refused(database_url: str) -> None:
    from sqlalchemy import create_engine, text

    Ledger(database_url).close()
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE holdproof_schema SET version = 99"))
    engine.dispose()
    with pytest.raises(Unavailable, match="newer holdproof"):
        Ledger(database_url)


def test_a_ledger_of_version_1_is_brought_forward(database_url: str) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(database_url)
    statements = (Path(__file__).parents[1] / "data/ledger/version_1.sql").read_text().split(";\n")
    with engine.begin() as connection:
        for statement in statements:
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    ledger = Ledger(database_url)
    row = ledger.case("acme-1", CASE.case)
    assert (row.ticks_done, row.woken) == (3, False)
    assert [due.case for due in ledger.due("acme-1", NOW, most=9)] == [CASE.case]  # it was cut short: it is due now
    assert ledger.wake("acme-1", CASE.case)
    assert ledger.live_effects() == []
    ledger.close()
    Ledger(database_url).close()


def test_what_is_due_comes_the_longest_overdue_first(ledger: Ledger) -> None:
    names = [replace(CASE, case=f"c{number}", begins_at_utc=NOW + timedelta(hours=number)) for number in (3, 1, 2)]
    ledger.begin_audit(replace(AUDIT, audit="acme-2"), names)
    assert [due.case for due in ledger.due("acme-2", NOW + timedelta(hours=2), most=9)] == ["c1", "c2"]
    assert [due.case for due in ledger.due("acme-2", NOW + timedelta(hours=9), most=1)] == ["c1"]
    assert ledger.standing("acme-2") == (3, 0)


def test_a_case_is_woken_until_its_tick_begins(ledger: Ledger) -> None:
    assert not ledger.wake("acme-1", CASE.case)  # it has not begun
    row = ledger.case("acme-1", CASE.case)
    with ledger.writing("acme-1") as writing:
        writing.save_case(replace(row, ticks_done=1), was=row)
    assert ledger.wake("acme-1", CASE.case)
    assert [(due.case, due.tick) for due in ledger.woken()] == [(CASE.case, 1)]
    ledger.take_wake("acme-1", CASE.case)
    assert ledger.woken() == []
    ledger.wake("acme-1", CASE.case)  # while the tick runs
    with ledger.writing("acme-1") as writing:
        assert writing.woken(CASE.case)


def test_naive_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Sighting(what=CaseClosed(CaseOutcome.RESOLVED, "x"), at_utc=datetime(2026, 1, 1))  # noqa: DTZ001

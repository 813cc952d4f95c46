"""Homes with audits that were never run: a plan and a book of events written into a ledger, for the command line."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from datetime import datetime, timedelta
from pathlib import Path

from audit.ledger.store import Ledger, NewCase
from audit.model import AuditRow
from probes.events import AuditStarted, CaseOpened
from probes.model import Sighting
from tests.analysis.book import START, Book

PLAN = """\
holdproof: 1
name: A made audit
authorisation: { basis: own_system, by: the tests, until: 2030-12-31 }
vendors:
  - id: acme
    name: Acme
    place: GB
    time_zone: Europe/London
    channels:
      portal:
        kind: web_ticket
        url: http://127.0.0.1:9/
        open:
          - fill: { Subject: "{problem.subject} {reference}" }
          - click: Send
        look: { url: "t", status: { at: css=.s }, messages: { items: .m } }
    promises:
      - id: first-answer
        what: first_human_response
        within: 4 h
        text: "We answer every ticket within four hours."
        source: "Support page"
personas:
  - { id: ada, name: Ada Marsh, email: ada@customer.example }
scenarios:
  - id: broken
    problem: { subject: Import stops, body: "The import stops with error 42. {reference}" }
    steps:
      - open: portal
      - wait: { until: resolved, at_most: 3 days, look_every: 1 h }
samples:
  - { scenario: broken, n: 6 }
limits: { tickets: 40 }
"""


def write_audit(home: Path, book: Book, *, audit: str = "made-1", plan: str = PLAN, days_later: float = 0) -> str:
    """Write an audit into the ledger of a home, with its moments moved by so many days; return its id."""
    moved = timedelta(days=days_later)
    ledger = Ledger.in_folder(home)
    events = [event for event in book.events if not isinstance(event.what, AuditStarted)]
    opened = [event for event in events if isinstance(event.what, CaseOpened)]
    row = AuditRow(
        audit=audit,
        name="A made audit",
        plan_yaml=plan,
        plan_path="plan.yaml",
        plan_sha256=hashlib.sha256(plan.encode()).hexdigest(),
        clock_factor=book.clock_factor,
        clock_origin_utc=START + moved,
        started_at_utc=START + moved,
        ended_at_utc=None,
        head_seq=0,
        head_sha256="",
    )
    started = AuditStarted(row.plan_sha256, row.name, "0.1.0", book.clock_factor, len(opened))
    cases = [_case(event.case or "", event.what) for event in opened if isinstance(event.what, CaseOpened)]
    ledger.begin_audit(row, cases, [(None, started)])
    with ledger.writing(audit) as writing:
        for event in events:
            own = {f.name: getattr(event.what, f.name) for f in fields(event.what)}
            moments = {name: at + moved for name, at in own.items() if isinstance(at, datetime)}
            what = replace(event.what, **moments)
            sighting = Sighting(what=what, at_utc=event.at_utc + moved, clock=event.clock, artifacts=event.artifacts)
            writing.append([sighting], case=event.case, contact=event.contact)
    ledger.close()
    return audit


def _case(case: str, what: CaseOpened) -> NewCase:
    return NewCase(
        case=case,
        vendor=what.vendor,
        persona=what.persona,
        scenario=what.scenario,
        sample=what.sample,
        reference=what.reference,
    )

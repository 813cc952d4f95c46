"""What the command line prints of a home: progress, audits, cases, the story of a case, the timeline of a recording.

Each answer is one document (a dict, for --json) and the text made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Story, Verdict
from audit.ledger.store import Ledger
from audit.model import AuditRow, EffectState
from probes.errors import UserError
from reports import words
from reports.tables import plain

if TYPE_CHECKING:  # engine and statistics take two seconds to load, and what is shown most often needs neither
    from audit.analysis.over_time import OverTime
    from audit.engine.run import Progress as Standing

_MOST_READ = 100_000
"""In longer audits the messages that wait for a person are not counted for `status`."""


class ProgressLine:
    """A bar on a terminal, a line per closed case elsewhere; always on stderr."""

    def __init__(self, ledger: Ledger, audit: str) -> None:
        self._ledger, self._audit = ledger, audit
        self._console = Console(stderr=True)
        self._closed = -1
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} cases closed"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(audit, total=None, last="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, standing: Standing) -> None:
        """Show where the audit stands."""
        last = f"{standing.last_seq} events"
        self._bar.update(self._task, total=standing.cases, completed=standing.closed, last=last)
        if not self._console.is_terminal and standing.closed != self._closed:
            self._console.print(f"{standing.closed} of {standing.cases} cases closed, {last}", highlight=False)
        self._closed = standing.closed


# --- audits and cases ---


def latest_audit(ledger: Ledger) -> str:
    """Return the audit that began last.

    Raises:
        UserError: there is none in this home.
    """
    rows = ledger.audits()
    if not rows:
        raise UserError("there is no audit in this home yet", at=ledger.url, fix="start one: holdproof run PLAN")
    return rows[-1].audit


def audit_of_case(ledger: Ledger, case: str, audit: str | None) -> str:
    """Return the audit that holds a case: the named one, else the latest with a case of this id.

    Raises:
        UserError: there is none.
    """
    if audit is not None:
        return ledger.case(audit, case).audit
    known: list[str] = []
    for row in reversed(ledger.audits()):
        ids = [found.case for found in ledger.cases(row.audit)]
        if case in ids:
            return row.audit
        known += ids
    some = ", ".join(list(dict.fromkeys(known))[:8]) or "none yet: start an audit with `holdproof run PLAN`"
    raise UserError(f'unknown case "{case}"', at=ledger.url, fix=f"cases in this home: {some}")


def status_document(ledger: Ledger, rows: Sequence[AuditRow]) -> dict[str, Any]:
    """Return what is going on in these audits."""
    audits = []
    for row in rows:
        cases = ledger.cases(row.audit)
        waiting = [case.next_at_utc for case in cases if case.state != "closed" and case.next_at_utc]
        audits.append(
            {
                "audit": row.audit,
                "name": row.name,
                "started_at_utc": row.started_at_utc.isoformat(),
                "ended_at_utc": row.ended_at_utc.isoformat() if row.ended_at_utc else None,
                "clock_factor": row.clock_factor,
                "cases": len(cases),
                "closed": sum(case.state == "closed" for case in cases),
                "events": row.head_seq,
                "next_at_utc": min(waiting).isoformat() if waiting else None,
                "unknown_effects": len(ledger.effects(row.audit, state=EffectState.UNKNOWN)),
                "messages_waiting": _messages_waiting(ledger, row),
            }
        )
    return {"format": "holdproof-status", "version": 1, "stopped": ledger.stopped(), "audits": audits}


def _messages_waiting(ledger: Ledger, row: AuditRow) -> int | None:
    """Return how many messages wait for a person's look; None where reading all of them would take too long here."""
    if row.head_seq > _MOST_READ:
        return None
    from audit.analysis.messages import waiting_messages

    return waiting_messages(ledger.iter_events(row.audit))


def status_text(document: dict[str, Any]) -> str:
    """Return `status_document` in words."""
    lines = []
    if document["stopped"]:
        lines.append(f"STOPPED: {document['stopped']} (release with `holdproof resume`)")
    for audit in document["audits"]:
        state = f"ended {audit['ended_at_utc'][:16]}Z" if audit["ended_at_utc"] else "going on"
        practice = f", practice time ×{audit['clock_factor']:g}" if audit["clock_factor"] != 1 else ""
        lines.append(f"{audit['audit']}  {audit['name']}: {state}{practice}")
        lines.append(f"  {audit['closed']} of {audit['cases']} cases closed, {audit['events']} events")
        if audit["next_at_utc"] and not audit["ended_at_utc"]:
            lines.append(f"  next act or look at {audit['next_at_utc'][:19]}Z")
        if audit["messages_waiting"]:
            count = audit["messages_waiting"]
            lines.append(f"  {count} message(s) read by machine, not surely: holdproof show CASE lists them")
        if audit["unknown_effects"]:
            count = audit["unknown_effects"]
            lines.append(f"  {count} act(s) of unknown outcome: holdproof cases {audit['audit']} --unknown")
    return "\n".join(lines) if lines else "no audits in this home yet; start one: holdproof run PLAN"


def cases_document(ledger: Ledger, audit: str, *, unknown: bool) -> dict[str, Any]:
    """Return the cases of an audit; with `unknown` those with an act of which nobody knows whether it was done."""
    doubtful: dict[str, list[str]] = {}
    for act in ledger.effects(audit, state=EffectState.UNKNOWN):
        doubtful.setdefault(act.case, []).append(f"{act.kind} {act.target} ({act.contact})")
    cases = [
        {
            "case": case.case,
            "vendor": case.vendor,
            "persona": case.persona,
            "scenario": case.scenario,
            "reference": case.reference,
            "state": case.state,
            "step": case.step,
            "next_at_utc": case.next_at_utc.isoformat() if case.next_at_utc and case.state != "closed" else None,
            "unknown_act": "; ".join(doubtful[case.case]) if case.case in doubtful else None,
        }
        for case in ledger.cases(audit)
        if not unknown or case.case in doubtful
    ]
    return {"format": "holdproof-cases", "version": 1, "audit": audit, "cases": cases}


def cases_text(document: dict[str, Any]) -> str:
    """Return `cases_document` in words."""
    lines = [f"audit {document['audit']}"]
    for case in document["cases"]:
        when = f", next {case['next_at_utc'][:19]}Z" if case["next_at_utc"] else ""
        lines.append(f"  {case['case']}  {case['reference']}  {case['state']}, step {case['step']}{when}")
        if case["unknown_act"]:
            lines.append(f"    not known whether it was done: {case['unknown_act']}")
            lines.append(f"    find out, then say so: holdproof settle {case['case']} --done|--not-done --by YOU")
    return "\n".join(lines) if document["cases"] else f"{lines[0]}: no such cases"


# --- what changed ---


def changes_document(over: OverTime) -> dict[str, Any]:
    """Return what changed since earlier audits."""
    return {"format": "holdproof-changes", "version": 1, **plain(over)}


def changes_text(over: OverTime) -> str:
    """Return in words what changed since earlier audits: what is established first, then what is not and why."""
    tested = [one for one in over.comparisons if one.p_holm is not None]
    stands = [one for one in tested if one.verdict is not Verdict.NOT_ESTABLISHED]
    lines = [f"compared with {over.against[0]}: {len(tested)} measures tested, {len(stands)} moved"]
    lines += [_told(one.vendor, one.verdict, one.sentence) for one in stands]
    lines += [_told(one.vendor, one.verdict, one.sentence) for one in tested if one not in stands]
    few = [one for one in over.comparisons if one.p_holm is None]
    if few:
        lines += ["", f"not tested: {len(few)} measures"]
        lines += [f"  {one.vendor}: {one.sentence}" for one in few]
    if over.drifts:
        lines += ["", f"drift since {over.against[0]}, {len(over.against)} looks"]
        alarms = [drift for drift in over.drifts if drift.verdict is not Verdict.NOT_ESTABLISHED]
        lines += [_told(drift.vendor, drift.verdict, drift.sentence) for drift in alarms]
        lines += [f"  no alarm in {len(over.drifts) - len(alarms)} measures watched"]
    for menu in over.menus:
        lines += ["", f"menu of {menu.vendor} by {menu.channel}", *(f"  {sentence}" for sentence in menu.sentences)]
    moved = [one for one in over.trends if one.verdict is not Verdict.NOT_ESTABLISHED]
    if moved:
        lines += ["", "trends within this audit", *(_told(one.vendor, one.verdict, one.sentence) for one in moved)]
    return "\n".join([*lines, *(["", *over.notes] if over.notes else [])])


def _told(vendor: str, verdict: Verdict, sentence: str) -> str:
    return f"  {verdict.value}: {vendor}: {sentence}"


# --- one case ---


def story_document(analysis: Analysis, case: str) -> dict[str, Any]:
    """Return a case's story with its promises, findings and evidence."""
    story = next(story for story in analysis.stories if story.case == case)
    zone = words.zone(next(vendor.time_zone for vendor in analysis.vendors if vendor.id == story.vendor))
    used = [number for line in story.lines for number in line.evidence]
    return {
        "format": "holdproof-story",
        "version": 1,
        "audit": analysis.audit,
        "clock_factor": analysis.clock_factor,
        "case": story.case,
        "problem": story.problem,
        "outcome": story.outcome,
        "lines": [
            {
                "at": words.moment_short(line.at_utc, zone),
                "at_utc": line.at_utc.isoformat(),
                "sentence": line.sentence,
                "evidence": list(line.evidence),
                "t_s": line.t_s,
            }
            for line in story.lines
        ],
        "time_zone": str(zone),
        "promises": [promise.sentence for promise in analysis.promises if promise.case == case],
        "findings": [_finding(finding.verdict.value, finding.sentence) for finding in _findings(analysis, story)],
        "messages": [
            {
                "message_key": read.message_key,
                "at_utc": read.at_utc.isoformat(),
                "kind": read.kind,
                "quote": read.quote,
                "confidence": read.confidence,
                "waits_for_a_person": read.waits,
                "cues": [{"kind": kind, "quote": quote, "confidence": sure} for kind, quote, sure in read.cues],
                "text": read.text,
                "evidence": list(read.evidence),
            }
            for read in analysis.messages
            if read.case == case
        ],
        "evidence": [
            {
                "number": item.number,
                "what": item.what,
                "files": [
                    {"name": artifact.name, "sha256": artifact.sha256, "size_bytes": artifact.size_bytes}
                    for artifact in item.artifacts
                ],
            }
            for item in analysis.evidence
            if item.case == case and item.artifacts and item.number in used
        ],
    }


def story_text(document: dict[str, Any]) -> str:
    """Return `story_document` in words."""
    practice = f" (practice time ×{document['clock_factor']:g})" if document["clock_factor"] != 1 else ""
    lines = [
        f"case {document['case']} of audit {document['audit']}{practice}",
        f'"{document["problem"]}": {document["outcome"]}',
        f"times of {document['time_zone']}",
        "",
    ]
    for line in document["lines"]:
        evidence = f"  [{', '.join(line['evidence'])}]" if line["evidence"] else ""
        lines.append(f"{line['at']:<20}  {line['sentence']}{evidence}")
    for title in ("promises", "findings"):
        if document[title]:
            lines += ["", title, *(f"  {sentence}" for sentence in document[title])]
    doubtful = [read for read in document["messages"] if read["waits_for_a_person"]]
    if doubtful:
        lines += ["", "read by machine, not sure: a person should look"]
        for read in doubtful:
            guess = "a person's or a machine's" if read["kind"] == "unsure" else f"taken for: {read['kind']}"
            lines.append(f"  “{words.plain(read['text'], 100)}” ({guess})  [{', '.join(read['evidence'])}]")
    if document["evidence"]:
        lines += ["", "evidence"]
        for item in document["evidence"]:
            files = ", ".join(f"{file['name']} ({file['sha256'][:12]}…)" for file in item["files"])
            lines.append(f"  {item['number']}  {item['what']}: {files}")
    return "\n".join(lines)


def _findings(analysis: Analysis, story: Story) -> list[Any]:
    return [finding for finding in analysis.findings if finding.case == story.case]


def _finding(verdict: str, sentence: str) -> str:
    return f"{verdict}: {sentence}"

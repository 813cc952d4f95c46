"""The case of DESIGN.md, part 1, written down by hand: one event a line in tests/data/golden/the_case.jsonl.

python -m tests.analysis.golden      rewrites the expected text beside it, to be read in review
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

from audit.analysis.analyse import analyse
from audit.analysis.model.audits import Analysis
from audit.ledger.codec import from_json, moment, open_record, seal
from audit.model import Event
from audit.plan.model import (
    Authorisation,
    Basis,
    CostInputs,
    Money,
    Persona,
    Plan,
    Problem,
    Promise,
    PromisedWhat,
    Purpose,
    Sample,
    Scenario,
    Step,
    Vendor,
)
from probes.duration import Duration
from probes.events import PAYLOADS, ClockName
from probes.model import Artifact, Sighting

FOLDER = Path(__file__).parents[1] / "data" / "golden"
EXPECTED = FOLDER / "the_case.expected.txt"


def golden_events() -> list[Event]:
    """Read the hand-written lines and chain them as the ledger does."""
    events: list[Event] = []
    previous = "0" * 64
    for seq, line in enumerate((FOLDER / "the_case.jsonl").read_text(encoding="utf-8").splitlines(), start=1):
        raw = json.loads(line)
        sighting = Sighting(
            what=from_json(PAYLOADS[raw["kind"]], json.dumps(raw["what"])),
            at_utc=moment(raw["at"]),
            clock=ClockName(raw.get("clock", "ours")),
            artifacts=tuple(Artifact(**artifact) for artifact in raw.get("artifacts", ())),
        )
        text, sha256 = seal(
            sighting,
            audit="golden",
            seq=seq,
            case=raw["case"],
            contact=raw["contact"],
            clock_factor=1.0,
            recorded_at_utc=sighting.at_utc,
            previous_sha256=previous,
        )
        events.append(open_record(text, sha256))
        previous = sha256
    return events


def golden_plan() -> Plan:
    """Return the plan under which the case would have been audited. The vendor and all persons are made up."""
    source, seen_on = "https://support.borea.example/promise", date(2026, 2, 27)
    return Plan(
        holdproof=1,
        name="The case of DESIGN.md, part 1",
        purpose=Purpose.COMPLAINT,
        authorisation=Authorisation(basis=Basis.OWN_ACCOUNT, by="the customer", until=date(2026, 12, 31)),
        vendors=(
            Vendor(
                id="borea",
                name="Borea Networks",
                place="GB",
                time_zone="Europe/London",
                promises=(
                    Promise(
                        id="answer",
                        what=PromisedWhat.FIRST_HUMAN_RESPONSE,
                        within=Duration.parse("24 h"),
                        text="Every request is answered by a person within 24 hours.",
                        source=source,
                        seen_on=seen_on,
                    ),
                    Promise(
                        id="hotline",
                        what=PromisedWhat.HUMAN_ON_CALL,
                        within=Duration.parse("2 min"),
                        text="You reach a person within two minutes.",
                        source=source,
                        seen_on=seen_on,
                    ),
                ),
            ),
        ),
        personas=(Persona(id="mara", name="Mara Sample"),),
        scenarios=(
            Scenario(
                id="no-service",
                problem=Problem(subject="No service at the branch office", body="The line has been without service."),
                steps=(Step(open="portal"),),
            ),
        ),
        samples=(Sample(scenario="no-service"),),
        cost=CostInputs(
            hour=Money(amount=60, currency="GBP"),
            people_waiting=2,
            blocked_hour=Money(amount=90, currency="GBP"),
            contacts_per_year=40,
        ),
    )


def golden_analysis() -> Analysis:
    """Analyse the case."""
    return analyse(golden_plan(), golden_events(), holdproof_version="0.1.0", seed=1)


def as_text(analysis: Analysis) -> str:
    """Return all that the analysis says, as text with evidence numbers."""
    lines = [f"# {analysis.plan_name}", "", "## Headline"]
    lines += [f"{head.sentence}" for head in analysis.headlines]
    lines += ["", "## Story"]
    for story in analysis.stories:
        for told in story.lines:
            at = told.at_utc.strftime("%a %d %b %H:%M:%S")
            lines.append(f"{at}  {told.sentence} [{', '.join(told.evidence)}]")
    lines += ["", "## Findings"]
    for found in analysis.findings:
        lines.append(f"{found.verdict} ({found.origin}): {found.sentence} [{', '.join(found.evidence)}]")
    lines += ["", "## Promises"]
    lines += [f"{p.sentence} [{', '.join(p.evidence)}]" for p in analysis.promises]
    lines += ["", "## Measures"]
    lines += [m.sentence for m in analysis.measures if m.n]
    lines += ["", "## Limits", *(limit.sentence for limit in analysis.limits)]
    lines += ["", "## Scorecard"]
    for card in analysis.scorecards:
        for d in card.dimensions:
            score = f"{d.score:.0f}" if d.score is not None else f"not rated: {d.why_not}"
            lines.append(f"{d.number}. {d.name}: {score}")
    lines += ["", "## Courtesy and outcome", *(point.label for point in analysis.follow_through)]
    lines += ["", "## Cost", *(cost.sentence for cost in analysis.costs)]
    lines += ["", "## Verdict"]
    for judgement in analysis.judgements:
        lines += [judgement.decision, judgement.rule, *judgement.reasons, *judgement.conditions, *judgement.missing]
    lines += ["", "## Evidence"]
    lines += [" ".join([e.number, e.what, *(f"({a.name})" for a in e.artifacts)]) for e in analysis.evidence]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    EXPECTED.write_text(as_text(golden_analysis()), encoding="utf-8")
    sys.stdout.write(f"rewrote {EXPECTED.name}\n")

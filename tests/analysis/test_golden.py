"""The case of DESIGN.md, part 1: every fact of its paragraph is stated, each with its evidence."""

from __future__ import annotations

import pytest

from audit.analysis.model.findings import Verdict
from tests.analysis.golden import EXPECTED, as_text, golden_analysis, golden_events

# what the paragraph says, the sentence that must say it, and the kind of the event that must prove it
FACTS = [
    ("three days passed without an answer", "3 days passed without an answer by a person.", "wait_ended"),
    ("an identification number had to be keyed in before anybody could be reached",
     "An identification number had to be keyed in before anybody could be reached in the first call.", "digits_sent"),
    ("without asking, put the call on hold", "The call was put on hold without asking in the first call: “One moment.”",
     "judged"),
    ("more than twenty minutes", "21 min 30 s on hold in the first call", "call_heard"),
    ("very loud music", "The hold audio was 7.4 LU louder than the agent's speech in the first call.", "call_heard"),
    ("on a short loop", "The same audio was played 41 times over during one hold in the first call", "call_heard"),
    ("until the caller gave up", "The customer gave up in the first call after 23 min 51 s while on hold.",
     "call_ended"),
    ("explained everything again", "Everything had to be explained again in the second call, for the second time.",
     "judged"),
    ("the line went dead, perhaps an accident", "The line went dead in the second call", "call_ended"),
    ("everything explained once more", "Everything had to be explained again in the third call, for the third time.",
     "judged"),
    ("could only enter another ticket", "Instead of an answer there was another ticket", "judged"),
    ("within five hours, sixteen hours later",
     "“You will have an answer within five hours.” Late by at least 11 h 34 min: a person's answer came "
     "after at most 16 h 59 min",
     "promise_said"),
    ("the process had to be started again", "The process had to be started again: “The process has", "judged"),
    ("what all of it cost the customer", "44 min 27 s of the customer's time in 4 contacts", "call_ended"),
]  # fmt: skip


@pytest.mark.parametrize(("fact", "sentence", "kind"), FACTS, ids=[fact for fact, _, _ in FACTS])
def test_the_finding_states_the_fact_and_proves_it(fact: str, sentence: str, kind: str) -> None:
    analysis = golden_analysis()
    kinds = {evidence.number: evidence.kind for evidence in analysis.evidence}
    found = [f for f in analysis.findings if sentence in f.sentence]
    assert len(found) == 1
    assert kind in {kinds[number] for number in found[0].evidence}


def test_the_story_states_what_the_findings_leave_out() -> None:
    (story,) = golden_analysis().stories
    told = "\n".join(line.sentence for line in story.lines)
    assert "The agent had to confirm the caller's identity: “I have to confirm your identity first.”" in told
    assert "we said: “Please do not put me on hold.”" in told
    assert "Third call: we hung up after 3 min 29 s." in told
    assert story.lines == tuple(sorted(story.lines, key=lambda line: line.at_utc))


def test_the_benefit_of_the_doubt_is_a_value() -> None:
    dead = [f for f in golden_analysis().findings if f.measure == "dead_line"]
    assert [f.verdict for f in dead] == [Verdict.NOT_ESTABLISHED]
    hung_up = next(m for m in golden_analysis().measures if m.id == "vendor_hung_up")
    assert [o.value for o in hung_up.observed] == [0.0, 0.0, 0.0]


def test_one_call_record_by_hand() -> None:
    """First call: dialled 09:10:01, answered :06, recording from :06, a person at second 96, hold 141 to 1431."""
    first = golden_analysis().calls[0]
    assert (first.answered_s, first.to_human_s, first.hold_s) == (5.0, 5 + 96.0, 1290.0)
    assert first.queue_to_human_s == 96 - 14  # the last key was pressed at second 14
    assert (first.duration_s, first.phase_at_end, first.ended_by.value) == (1431.0, "hold", "ours")


def test_every_sentence_rests_on_evidence_of_the_ledger() -> None:
    analysis = golden_analysis()
    numbers = {f"E{event.seq:04d}" for event in golden_events()}
    cited = {n for f in analysis.findings for n in f.evidence} | {n for p in analysis.promises for n in p.evidence}
    cited |= {n for story in analysis.stories for line in story.lines for n in line.evidence}
    assert cited <= numbers
    assert cited <= {evidence.number for evidence in analysis.evidence}
    assert all(f.evidence for f in analysis.findings)


def test_the_whole_text_is_as_reviewed() -> None:
    assert as_text(golden_analysis()) == EXPECTED.read_text(encoding="utf-8"), (
        "read the difference; if it is right: python -m tests.analysis.golden"
    )

"""Samples become cases, and steps become what a probe is asked to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.plan.cases import planned_cases, reference, spec_for
from audit.plan.model import Plan
from audit.plan.reader import read_plan
from probes.errors import UserError
from probes.events import Action
from probes.placeholders import fill
from tests.plan.desk import Desk, load

GOOD = Path(__file__).parent / "good.yaml"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(GOOD, load).plan


def test_every_vendor_persona_and_sample_is_a_case(plan: Plan) -> None:
    ids = [case.case_id for case in planned_cases(plan)]
    assert len(ids) == len(set(ids)) == 8
    assert ids[0] == "acme.small.wrong-invoice.1"
    assert "bolt.large.wrong-invoice.2" in ids


def test_a_spec_carries_reference_values_and_text(plan: Plan) -> None:
    case, steps = planned_cases(plan)[0], plan.scenario("wrong-invoice").steps
    opening, reply = spec_for(plan, case, steps[0], "a1"), spec_for(plan, case, steps[3], "a1", handle="H")
    assert (opening.action, reply.action) == (Action.OPEN, Action.REPLY)
    assert isinstance(opening.channel, Desk)
    assert opening.reference in opening.values["problem.body"]
    assert opening.values["persona.account"] == "0012345"
    assert opening.values["persona.identifiers.pin"] == "${env:ANNA_PIN}"
    assert reply.text == f"Anna Berg asks again, {opening.reference}."
    assert reply.handle == "H"


def test_a_wait_asks_nothing_of_a_probe(plan: Plan) -> None:
    with pytest.raises(ValueError, match="waits"):
        spec_for(plan, planned_cases(plan)[0], plan.scenario("wrong-invoice").steps[1], "a1")


@given(st.text(), st.text())
def test_a_reference_is_stable_and_unmistakable(audit: str, case: str) -> None:
    code = reference(audit, case)
    assert code == reference(audit, case)
    assert code.startswith("HP-")
    assert len(code) == 11
    assert not set(code[3:]) & set("01IO")


def test_ten_thousand_cases_have_ten_thousand_references() -> None:
    assert len({reference("2026-11-22-a", f"acme.small.s.{number}") for number in range(10_000)}) == 10_000


def test_filling_replaces_names_once_and_leaves_other_braces() -> None:
    values = {"a": "{b}", "b": "x"}
    assert fill(r"{a} {b} \d{6} {}", values) == r"{b} x \d{6} {}"
    with pytest.raises(UserError, match=r"\{c\}"):
        fill("{c}", values)

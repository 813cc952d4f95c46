"""Plan files: what is read, and the whole message that a person sees for each fault."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.plan.faults import PlanFaults
from audit.plan.reader import parse_plan, read_plan
from probes import registry
from probes.duration import Duration
from probes.errors import UserError
from tests.plan.desk import Desk, Line, load

HERE = Path(__file__).parent
GOOD = HERE / "good.yaml"
BAD = sorted(path.stem for path in (HERE / "bad").glob("*.yaml"))


def message_of(path: str) -> str:
    loads = registry.load if path.startswith("call_script_") else load  # scripts are the telephone's own
    with pytest.raises(UserError) as caught:
        read_plan(path, loads)
    return f"error: {caught.value}\n"


def faults_of(text: str) -> int:
    """Return how many faults a text has; anything but a plan or faults is an error."""
    try:
        parse_plan(text, load=load)
    except PlanFaults as exc:
        return len(exc.faults)
    return 0


@pytest.mark.parametrize("name", BAD)
def test_each_fault_has_its_message(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Expected messages are rewritten with HOLDPROOF_REWRITE=1 and read in review."""
    monkeypatch.chdir(HERE / "bad")
    message = message_of(f"{name}.yaml")
    expected = Path(f"{name}.txt")
    if os.environ.get("HOLDPROOF_REWRITE"):
        expected.write_text(message, encoding="utf-8")
    assert message == expected.read_text(encoding="utf-8")
    assert message.startswith("error: ")


def test_a_good_plan_is_read_whole() -> None:
    read = read_plan(GOOD, load)
    assert read.sha256 == hashlib.sha256(GOOD.read_bytes()).hexdigest()
    assert read.text == GOOD.read_text(encoding="utf-8")
    acme = read.plan.vendor("acme")
    assert isinstance(acme.channels["portal"], Desk)
    assert isinstance(acme.channels["phone"], Line)
    assert acme.promises[0].within == Duration(4 * 3600.0)
    assert parse_plan(read.text, load=load).plan == read.plan


def test_digits_keep_their_shape_without_quotes() -> None:
    plan = read_plan(GOOD, load).plan
    assert plan.persona("small").account == "0012345"
    assert plan.vendor("acme").channels["phone"].number == "+442079460123"


def test_faults_carry_line_and_place() -> None:
    with pytest.raises(PlanFaults) as caught:
        read_plan(HERE / "bad" / "unknown_references.yaml", load)
    places = [(fault.line, fault.path) for fault in caught.value.faults]
    assert places == sorted(places, key=lambda place: place[0] or 0)
    assert (33, "scenarios[0].steps[2].call.channel") in places
    assert all(fault.fix for fault in caught.value.faults)


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    text = GOOD.read_text(encoding="utf-8")
    text = text.replace("  - id: small\n", "  - &small\n    id: small\n")
    text = text.replace(
        "  - id: large\n    name: Anna Berg\n    email: anna@customer.example\n", "  - <<: *small\n    id: large\n"
    )
    plan = parse_plan(text, load=load).plan
    assert (plan.persona("large").email, plan.persona("large").account) == ("anna@customer.example", "0098765")


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        read_plan(tmp_path / "plan.yaml", load)
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_plan(tmp_path, load)


def test_a_large_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_000)
    with pytest.raises(PlanFaults, match=r"too large for a plan \(10\.0 MB\)"):
        read_plan(path, load)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 400_000,
        "{a: " * 100_000,
        "- " * 200_000,
        "? " * 200_000,
        "&a " * 200_000,
        "a: " * 200_000,
        "%X\n" * 100_000,
    ],
    ids=["lists", "mappings", "dashes", "questions", "anchors", "colons", "directives"],
)
def test_files_made_to_hurt_are_refused(text: str) -> None:
    with pytest.raises(PlanFaults):
        parse_plan(text, load=load)


LINES = GOOD.read_text(encoding="utf-8").splitlines(keepends=True)


@given(st.text(max_size=200))
@example("holdproof: 1\nvendors: {0: {}}\n")
@example("holdproof: 1\nvendors:\n  - [a]\n  - null\n  - {channels: [x]}\nsamples: 3\n")
def test_no_text_ends_in_another_error(text: str) -> None:
    assert faults_of(text) >= 0


@given(
    st.integers(0, len(LINES) - 1),
    st.sampled_from(["", "x\n", "  a: b\n", "- c\n", "null\n", "{\n", "    id: [1]\n", "  : \n"]),
)
def test_a_good_plan_with_a_line_changed_is_read_or_refused(index: int, line: str) -> None:
    text = "".join([*LINES[:index], line, *LINES[index + 1 :]])
    assert faults_of(text) >= 0


@given(st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, len(LINES) - 1)), max_size=4))
def test_a_good_plan_with_lines_swapped_is_read_or_refused(swaps: list[tuple[int, int]]) -> None:
    lines = list(LINES)
    for one, other in swaps:
        lines[one], lines[other] = lines[other], lines[one]
    assert faults_of("".join(lines)) >= 0

"""`report --against`: what changed since an earlier audit, told only where it may be told, as a user meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.analysis.homes import PLAN, write_audit
from tests.analysis.test_scorecard import ledger
from tests.cli.test_cli import holdproof


def hours(low: float, high: float, n: int = 14, seed: int = 3) -> list[float]:
    return list(np.random.default_rng(seed).uniform(low, high, n))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_audit(tmp_path / "home", ledger({"acme": hours(30, 60)}), audit="slow")
    write_audit(tmp_path / "home", ledger({"acme": hours(25, 55, seed=4)}), audit="slow-2", days_later=30)
    write_audit(tmp_path / "home", ledger({"acme": hours(2, 9)}), audit="fast", days_later=60)
    return tmp_path / "home"


def test_a_change_is_printed_and_written(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    told = holdproof("report", "fast", "--against", "slow", "--data", "--out", out, "--home", home)
    assert told.returncode == 0, told.stderr
    assert "confirmed: acme: Time to the first answer by a person: from 42 h 57 min (n = 14)" in told.stdout
    assert "the change is established" in told.stdout
    with (out / "changes.csv").open(encoding="utf-8") as file:
        rows = {row["measure"]: row for row in csv.DictReader(file)}
    assert rows["first_human_response_s"]["verdict"] == "confirmed"
    assert float(rows["first_human_response_s"]["high"]) < 0
    assert json.loads((out / "data.json").read_text())["over_time"]["against"] == ["slow"]


def test_several_looks_give_drift_alarms(home: Path, tmp_path: Path) -> None:
    told = holdproof(
        "report", "fast", "--against", "slow-2", "--against", "slow", "--data", "--out", tmp_path / "d", "--home", home,
        "--json",
    )  # fmt: skip
    over = json.loads(told.stdout)["over_time"]
    assert over["against"] == ["slow", "slow-2"]
    drift = next(d for d in over["drifts"] if d["measure"] == "first_human_response_s")
    assert [alarm["raised"] for alarm in drift["alarms"]] == [False, True]


def test_an_audit_of_another_home_is_found(home: Path, tmp_path: Path) -> None:
    write_audit(tmp_path / "other", ledger({"acme": hours(2, 9)}), audit="again", days_later=90)
    told = holdproof("report", "--against", home, "--data", "--out", tmp_path / "d", "--home", tmp_path / "other")
    assert told.returncode == 0, told.stderr
    assert "compared with fast" in told.stdout
    assert "0 moved" in told.stdout


def test_small_audits_are_not_compared(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_audit(home, ledger({"acme": hours(30, 60, 5)}), audit="few")
    write_audit(home, ledger({"acme": hours(2, 9)}), audit="many", days_later=30)
    told = holdproof("report", "many", "--against", "few", "--data", "--out", tmp_path / "d", "--home", home)
    assert told.returncode == 0
    assert "6 tickets on both sides are needed, and there are 5 and 14" in told.stdout
    assert "established" not in told.stdout


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("at_most: 3 days", "at_most: 5 days", "scenario broken: steps"),
        ("look_every: 1 h", "look_every: 2 h", "scenario broken: steps"),
        ("time_zone: Europe/London", "time_zone: Europe/Paris", "time zone of acme: Europe/Paris and Europe/London"),
        ("error 42.", "error 43.", "scenario broken: problem"),
        ("n: 6 }", "n: 6, spread_over: 5 days }", "when its cases begin"),
        ("id: acme", "id: acme2", "no vendor in common"),
    ],
)
def test_another_protocol_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    home = tmp_path / "home"
    write_audit(home, ledger({"acme": [4.0]}), audit="before", plan=PLAN.replace(old, new))
    write_audit(home, ledger({"acme": [4.0]}), audit="after", days_later=30)
    told = holdproof("report", "after", "--against", "before", "--data", "--out", tmp_path / "d", "--home", home)
    assert told.returncode == 2
    assert told.stderr.startswith('error: audit "before" was made by another protocol')
    assert words in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("against", "words"),
    [
        ("fast", "is the audit itself"),
        ("nowhere", "neither an audit of this home nor the folder of another"),
    ],
)
def test_what_cannot_be_compared_with_is_said(home: Path, tmp_path: Path, against: str, words: str) -> None:
    told = holdproof("report", "fast", "--against", against, "--data", "--out", tmp_path / "d", "--home", home)
    assert (told.returncode, words in told.stderr) == (2, True), told.stderr
    later = holdproof("report", "slow", "--against", "fast", "--data", "--out", tmp_path / "d", "--home", home)
    assert "is not the earlier one" in later.stderr


def test_promises_that_are_others_are_left_out_and_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    reworded = PLAN.replace("within: 4 h", "within: 8 h")
    write_audit(home, ledger({"acme": hours(30, 60)}), audit="before", plan=reworded)
    write_audit(home, ledger({"acme": hours(2, 9)}), audit="after", days_later=30)
    told = holdproof("report", "after", "--against", "before", "--data", "--out", tmp_path / "d", "--home", home)
    assert "The promises of Acme are others than before" in told.stdout
    assert "Expectations met" not in told.stdout

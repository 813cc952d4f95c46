"""The built wheel works where there is no checkout: pages, fonts, scales, weights and characters travel inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.whole.test_demo import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


def test_every_data_file_travels(installed: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "audit", "probes", "reports", "templates"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    missing = [name for name in tracked if name and not (installed / name).exists()]
    assert missing == []


def test_the_entry_point_is_named(installed: Path) -> None:
    (points,) = installed.glob("holdproof-*.dist-info/entry_points.txt")
    assert "holdproof = audit.cli:main" in points.read_text()


def test_the_demo_ran_from_the_wheel_alone(installed: Path, demo: Path) -> None:
    code = "import audit.cli, probes.registry, reports.report as r; print(audit.__path__, probes.__path__, r.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=demo.parent, env=environment, capture_output=True, text=True
    )
    assert told.stdout.count(str(installed)) == 3, told.stderr
    assert (demo / "report" / "report.pdf").read_bytes().startswith(b"%PDF-")

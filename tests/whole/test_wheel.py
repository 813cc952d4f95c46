"""The built wheel works where there is no checkout: pages, fonts, scales, weights and characters travel inside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.whole.test_demo import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents alone, as an installer would lay them down."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("holdproof-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from audit.cli import main; main()", *words]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=installed.parent, env=environment, capture_output=True, text=True, timeout=250)


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


def test_the_demo_runs_from_the_wheel_alone(installed: Path) -> None:
    result = run(installed, "demo", "--dir", "demo", "--factor", "5000", "--json")
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["sound"] is True
    assert Path(answer["pdf"]).read_bytes().startswith(b"%PDF-")

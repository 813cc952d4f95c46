"""The built wheel, and one demo that runs from it alone: what every test here looks at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.whole.test_demo import ROOT


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents alone, as an installer would lay them down."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=250)
    (wheel,) = folder.glob("holdproof-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def demo(installed: Path) -> Path:
    """Return the folder of a demo that ran where there is no checkout."""
    folder = installed.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDPROOF_")}
    command = [sys.executable, "-c", "from audit.cli import main; main()", "demo", "--dir", "demo", "--json"]
    result = subprocess.run(
        [*command, "--factor", "1800"],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder,
        env=environment | {"PYTHONPATH": str(installed)},
    )
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["sound"] is True
    assert all(Path(answer[name]).stat().st_size > 10_000 for name in ("pdf", "html", "pack"))
    return folder / "demo"

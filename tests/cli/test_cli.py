"""The command line as a user meets it: answers on stdout, trouble on stderr, exit codes, and a quick start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("dbos", "jinja2", "numpy", "pandas", "phonenumbers", "playwright", "pydantic", "scipy", "sqlalchemy", "twilio")


def holdproof(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "audit.cli", *map(str, arguments)]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(cwd or root)}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd or root, env=environment)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['holdproof', '--help']\n"
        "from audit.cli import main\n"
        "try: main()\n"
        f"except SystemExit: pass\nprint('LOADED', [name for name in {HEAVY} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "LOADED []" in result.stdout
    for command in ("check", "run", "status", "cases", "show", "listen", "report", "pack", "verify", "demo", "doctor"):
        assert f"  {command} " in result.stdout


def test_what_is_asked_most_often_loads_neither_engine_nor_statistics(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.argv = ['holdproof', 'status', '--home', {str(tmp_path / 'home')!r}]\n"
        "from audit.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', [name for name in ('dbos', 'pandas', 'playwright', 'scipy', 'twilio') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=root)
    assert "LOADED []" in result.stdout, result.stderr
    assert "no audits in this home yet" in result.stdout


def test_listening_takes_one_thread_of_the_machine() -> None:
    code = (
        "import os, sys; sys.argv = ['holdproof', '--help']\n"
        "from audit.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "import numpy; numpy.ones((600, 600)) @ numpy.ones((600, 600))\n"
        "print('THREADS', len(os.listdir('/proc/self/task')))"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=root, env={})
    assert "THREADS 1\n" in result.stdout


def test_a_new_home_says_what_to_do_next(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert "holdproof run PLAN" in holdproof("status", "--home", home).stdout
    missing = holdproof("cases", "--home", home)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("error: there is no audit in this home yet\n")
    unknown = holdproof("show", "acme.ann.login.1", "--home", home)
    assert unknown.returncode == 2
    assert 'error: unknown case "acme.ann.login.1"' in unknown.stderr


def test_the_kill_switch_is_shown(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert holdproof("stop", "--home", home, "--reason", "wrong vendor").returncode == 0
    assert "STOPPED: wrong vendor" in holdproof("status", "--home", home).stdout
    assert json.loads(holdproof("status", "--home", home, "--json").stdout)["stopped"] == "wrong vendor"
    holdproof("resume", "--home", home)
    assert "STOPPED" not in holdproof("status", "--home", home).stdout


def test_the_starter_plan_passes_its_own_check(tmp_path: Path) -> None:
    assert holdproof("init", tmp_path / "audit").returncode == 0
    (plan,) = (tmp_path / "audit").glob("*.yaml")
    checked = holdproof("check", plan)
    assert checked.returncode == 0, checked.stderr
    assert "the most it can cost" in checked.stdout
    assert json.loads(holdproof("check", plan, "--json").stdout)["format"].startswith("holdproof")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check", "nowhere.yaml"], "nowhere.yaml"),
        (["run", "nowhere.yaml"], "nowhere.yaml"),
        (["listen", "nowhere.wav"], "nowhere.wav"),
        (["listen", "tests/cli/test_cli.py"], "test_cli.py"),
        (["verify", "nowhere.zip"], "nowhere.zip"),
        (["report", "acme-9", "--home", "HOME"], 'unknown audit "acme-9"'),
        pytest.param(["demo", "--dir", "tests"], "not empty", marks=pytest.mark.slow),
        pytest.param(["practice", "--factor", "0"], "clock factor", marks=pytest.mark.slow),
    ],
)
def test_bad_input_is_said_without_a_traceback(arguments: list[str], words: str, tmp_path: Path) -> None:
    result = holdproof(*[str(tmp_path / "home") if word == "HOME" else word for word in arguments])
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith("error: ")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_begins_while_a_secret_is_missing(tmp_path: Path) -> None:
    holdproof("init", tmp_path)
    (plan,) = tmp_path.glob("*.yaml")
    text = plan.read_text().replace('account: "Our company"', 'account: "${env:OUR_ACCOUNT}" # not ${env:COMMENT}')
    plan.write_text(text)
    checked, begun = holdproof("check", plan), holdproof("run", plan, "--home", tmp_path / "home")
    assert checked.returncode == 0
    assert "${env:OUR_ACCOUNT} is not set here" in checked.stdout
    assert (begun.returncode, (tmp_path / "home").exists()) == (2, False)
    assert begun.stderr.startswith("error: the secret ${env:OUR_ACCOUNT} is not set\n")
    assert "personas[0].account" in begun.stderr
    assert "COMMENT" not in checked.stdout + begun.stderr


def test_schema_is_json() -> None:
    assert json.loads(holdproof("schema").stdout)["type"] == "object"

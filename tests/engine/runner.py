"""Runs one audit as `holdproof run` does, with the tests' own desk probe: `python -m tests.engine.runner PLAN HOME`."""

from __future__ import annotations

import sys
from pathlib import Path

from audit.engine.run import begin, carry_on
from audit.ledger.store import Ledger
from audit.plan.reader import read_plan
from audit.settings import load_settings
from probes.errors import AuditError
from probes.registry import PROBES


def main() -> int:
    PROBES["web_ticket"], PROBES["phone_call"] = "tests.engine.desk_probe", "tests.engine.line_probe"
    plan, home = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        ledger = Ledger.in_folder(home)
        plan_file = read_plan(plan)
        row, _ = begin(plan_file, ledger, version="test")
        progress = carry_on(
            row,
            ledger,
            load_settings(home, {}),
            on_progress=lambda _: None,
            on_trouble=lambda what: print(f"trouble: {what}", file=sys.stderr),  # noqa: T201
            polling_s=0.1,
        )
    except AuditError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return exc.exit_code
    return 0 if progress.closed == progress.cases else 4


if __name__ == "__main__":
    sys.exit(main())

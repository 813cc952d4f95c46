"""The notebook's example runs as it stands, on a home with two audits of one plan."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.analysis.homes import write_audit
from tests.analysis.test_scorecard import ledger

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_audit(tmp_path / "holdproof", ledger({"acme": [30.0 + n for n in range(8)]}), audit="before")
    write_audit(tmp_path / "holdproof", ledger({"acme": [2.0 + n / 9 for n in range(8)]}), audit="after", days_later=40)
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    over = names["over"]
    assert "the change is established" in over.comparisons[0].sentence  # type: ignore[attr-defined]
    names["ledger"].close()  # type: ignore[attr-defined]

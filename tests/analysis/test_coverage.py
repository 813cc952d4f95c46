"""A small, seeded run of bench/coverage.py: intervals cover what they say, tests cry wolf no more than they may."""

from __future__ import annotations

import pytest

from bench.coverage import ROWS, Row, simulate


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}, {row.setting}")
def test_coverage(row: Row) -> None:
    result = simulate(row, runs=400, seed=11)
    assert result.ok, f"{result.share:.1%} of {result.runs}, wanted {row.wanted}"

"""Agreement beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from audit.analysis.agreement import Metric, alpha_interval, krippendorff_alpha

# Krippendorff (2011), section C: four observers, twelve units, missing values
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
UNITS = [[row[u] for row in OBSERVERS if row[u] is not None] for u in range(12)]


@pytest.mark.parametrize(
    ("metric", "alpha"), [(Metric.NOMINAL, 0.743), (Metric.ORDINAL, 0.815), (Metric.INTERVAL, 0.849)]
)
def test_alpha_against_krippendorff_2011(metric: Metric, alpha: float) -> None:
    assert krippendorff_alpha(UNITS, metric) == pytest.approx(alpha, abs=5e-4)


@pytest.mark.parametrize("metric", list(Metric))
def test_the_interval_encloses_the_estimate(metric: Metric) -> None:
    assert alpha_interval(UNITS, np.random.default_rng(1), metric) is None  # eleven judged twice are too few
    interval = alpha_interval(UNITS + UNITS, np.random.default_rng(1), metric, samples=200)
    assert interval is not None
    assert interval.low < interval.estimate < interval.high < 1


def test_alpha_is_refused_where_chance_cannot_be_told() -> None:
    assert krippendorff_alpha([]) is None
    assert krippendorff_alpha([["a", "b"]]) is None  # one question: disagreement and chance are the same thing
    assert krippendorff_alpha([["a", "a"], ["a", "a"]]) is None  # one value throughout
    assert krippendorff_alpha([["a"], ["b"], ["a"]]) is None  # nobody judged the same thing twice
    assert alpha_interval([["a", "a"], ["b", "b"]], np.random.default_rng(1)) is None  # two units: no interval


def test_full_agreement_and_none() -> None:
    agreed = [["a", "a"], ["b", "b"], ["a", "a"]] * 10
    assert krippendorff_alpha(agreed) == 1.0
    assert alpha_interval(agreed, np.random.default_rng(1)) is None  # a bootstrap of full agreement knows no doubt
    low = krippendorff_alpha([["a", "b"], ["b", "a"], ["a", "b"], ["b", "a"]])
    assert low is not None
    assert low < 0

"""Frames for notebooks; before and after; trend; alarms that know about several looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from audit.analysis.analyse import analyse
from audit.analysis.frames import FRAMES, events_frame, frames
from audit.analysis.model.audits import Analysis
from audit.analysis.model.findings import Verdict
from audit.analysis.model.measures import Measure
from audit.analysis.trends import Trend, alarms, compare, look_level, trend, trends
from audit.plan.model import PromisedWhat
from tests.analysis.golden import golden_analysis, golden_events
from tests.analysis.plans import plan, promise, vendor
from tests.analysis.test_scorecard import ledger

RESPONSE = promise(PromisedWhat.FIRST_HUMAN_RESPONSE, "24 h")


def audited(hours: list[float]) -> Analysis:
    return analyse(plan(vendor(RESPONSE)), ledger({"acme": hours}).events, holdproof_version="0.1.0")


def response(analysis: Analysis) -> Measure:
    return next(m for m in analysis.measures if m.id == "first_human_response_s")


def test_every_frame_has_its_rows_and_the_numbers_of_the_analysis() -> None:
    analysis = golden_analysis()
    made = frames(analysis)
    assert tuple(made) == FRAMES
    assert len(made["story"]) == sum(len(story.lines) for story in analysis.stories)
    assert len(made["scores"]) == 15
    observed = made["observed"]
    hold = observed[observed.measure == "hold_s"]
    assert hold.value.tolist() == [1290.0]
    assert hold.censored.tolist() == [True]
    assert isinstance(made["promises"].due_at_utc.dtype, pd.DatetimeTZDtype)
    assert made["findings"].verdict.isin([v.value for v in Verdict]).all()


def test_the_events_frame_has_one_row_per_event() -> None:
    events = golden_events()
    frame = events_frame(events)
    assert len(frame) == len(events)
    assert frame.loc[frame.kind == "wait_ended", "what.waited_s"].tolist() == [259200.0, 61200.0]


def test_an_empty_audit_has_empty_frames() -> None:
    made = frames(analyse(plan(), [], holdproof_version="0.1.0"))
    assert made["observed"].empty
    assert len(made["measures"]) > 0


def test_a_change_between_two_audits_is_established_or_not() -> None:
    rng = np.random.default_rng(2)
    slow, fast = audited(list(rng.uniform(30, 60, 14))), audited(list(rng.uniform(2, 9, 14)))
    change = next(c for c in compare(slow, fast) if c.measure == "first_human_response_s")
    assert change.verdict is Verdict.CONFIRMED
    assert change.method == "Mann–Whitney test"
    assert change.p_holm is not None
    assert change.p_value is not None
    assert change.p_holm >= change.p_value
    same = next(c for c in compare(fast, fast) if c.measure == "first_human_response_s")
    assert same.verdict is Verdict.NOT_ESTABLISHED


def test_censored_waits_are_compared_as_such_and_small_audits_not_at_all() -> None:
    unanswered = audited([99.0] * 10)
    change = next(c for c in compare(unanswered, audited([4.0] * 10)) if c.measure == "first_human_response_s")
    assert (change.method, change.verdict) == ("log-rank test", Verdict.CONFIRMED)
    few = next(c for c in compare(audited([4.0] * 5), audited([4.0] * 9)) if c.measure == "first_human_response_s")
    assert few.p_value is None
    assert few.why_not == "6 tickets on both sides are needed, and there are 5 and 9"


def test_audits_of_two_methods_are_not_compared() -> None:
    one = audited([4.0] * 6)
    with pytest.raises(ValueError, match="one method and one profile"):
        compare(one, replace(one, method_version="0.9"))


def moved(analysis: Analysis) -> Trend:
    return next(t for t in trends(analysis) if t.measure == "first_human_response_s")


def test_a_rising_wait_is_a_trend_and_a_flat_one_none() -> None:
    rising = moved(audited([4.0 + 2 * n for n in range(12)]))
    assert rising.per_day == pytest.approx(2 * 3600 / (1 / 24), rel=0.01)  # two hours longer from hour to hour
    assert rising.p_holm is not None
    assert rising.p_holm < 0.001
    assert rising.verdict is Verdict.CONFIRMED
    assert "the trend is established" in rising.sentence
    assert moved(audited([4.0] * 12)).verdict is Verdict.NOT_ESTABLISHED
    assert moved(audited([4.0] * 9)).why_not == "a trend needs 10 observations, and there are 9"


def test_waits_that_did_not_end_are_part_of_a_trend() -> None:
    worse = moved(audited([4.0 + n / 10 for n in range(10)] + [99.0] * 10))
    assert (worse.n, worse.n_censored, worse.verdict) == (20, 10, Verdict.CONFIRMED)
    assert "it tends to rise, n = 20, 10 not ended" in worse.sentence
    assert worse.per_day is None  # by how much, nobody knows


def test_long_waits_that_end_late_are_no_trend() -> None:
    analysis = audited(list(np.random.default_rng(3).uniform(2, 40, 14)))
    measure = response(analysis)
    together = dict.fromkeys((o.case for o in measure.observed), measure.observed[0].at_utc)
    assert trend(measure, together).why_not == "all cases were opened at one moment"


def test_looks_spend_five_per_cent_in_all() -> None:
    assert sum(look_level(k) for k in range(1, 100_000)) == pytest.approx(0.05, abs=1e-6)
    with pytest.raises(ValueError, match="count from 1"):
        look_level(0)


def test_an_alarm_is_raised_for_a_real_change_and_small_looks_spend_nothing() -> None:
    rng = np.random.default_rng(4)
    base = response(audited(list(rng.uniform(4, 20, 20))))
    looks = [list(rng.uniform(4, 20, 20)), [5.0] * 3, list(rng.uniform(50, 80, 20))]
    found = alarms(base, [response(audited(hours)) for hours in looks])
    assert [(alarm.look, alarm.raised) for alarm in found] == [(1, False), (2, True)]
    assert [alarm.level for alarm in found] == [0.025, pytest.approx(0.05 / 6)]

"""Limits held against measures: those of the profile, and every promise that names a share or applies to each contact.

A breach is shown by the exact binomial test, adjusted for all limits tested (Holm). Keeping is shown only where the
one-sided exact lower limit of the share reaches the limit: for "95 %" that takes 59 contacts without a miss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from audit.analysis import phrases
from audit.analysis.model.comparisons import LimitTest
from audit.analysis.model.findings import Origin, Verdict
from audit.analysis.model.measures import Measure, Observed
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.analysis.profiles import Limit, Profile
from audit.analysis.statistics import holm, limit_p_value, n_without_miss, share_at_least
from audit.analysis.values import changed
from audit.plan.model import Plan


@dataclass(frozen=True, slots=True)
class _Tally:
    """How many observations were surely within a limit, surely not, or too short to tell."""

    within: int
    beyond: int
    unknown: int
    evidence: tuple[str, ...]

    @property
    def n(self) -> int:
        return self.within + self.beyond + self.unknown


def hold_limits(
    plan: Plan, profile: Profile, measures: Iterable[Measure], records: Sequence[PromiseRecord]
) -> tuple[LimitTest, ...]:
    """Hold every limit of the profile, and every promise with a share, against what was observed."""
    tests = []
    limits: dict[str, list[Limit]] = {}
    for limit in profile.limits:
        limits.setdefault(limit.measure, []).append(limit)
    for measure in measures:
        for limit in limits.get(measure.id, ()):
            tally = _tally_values(measure.observed, limit)
            bound = limit.at_most if limit.at_most is not None else limit.at_least
            assert bound is not None
            tests.append(
                _test(measure.vendor, limit.id, measure.id, limit.text, limit.source, limit.checked_on, bound,
                      limit.share, tally)
            )  # fmt: skip
    for vendor in plan.vendors:
        for promise in vendor.promises:
            if promise.share_pct is None:
                continue
            own = [
                r for r in records
                if r.vendor == vendor.id and r.id.split("@")[0] == promise.id and r.kind == promise.kind
            ]  # fmt: skip
            tests.append(
                _test(vendor.id, f"promise-{promise.id}", promise.what, promise.text, promise.source, promise.seen_on,
                      promise.within.s, promise.share_pct / 100, _tally_records(own))
            )  # fmt: skip
    return _adjusted(tests)


def _tally_values(observed: Sequence[Observed], limit: Limit) -> _Tally:
    within = beyond = unknown = 0
    misses: list[str] = []
    for o in observed:
        if o.origin is Origin.MACHINE:
            continue
        least = o.value if o.earliest is None else o.earliest
        if limit.at_most is not None:
            sure_within, sure_beyond = not o.censored and o.value <= limit.at_most, least > limit.at_most
        else:
            assert limit.at_least is not None
            sure_within, sure_beyond = least >= limit.at_least, not o.censored and o.value < limit.at_least
        within += sure_within
        beyond += sure_beyond
        unknown += not (sure_within or sure_beyond)
        if sure_beyond:
            misses += o.evidence
    return _Tally(within, beyond, unknown, tuple(dict.fromkeys(misses)))


def _tally_records(records: Sequence[PromiseRecord]) -> _Tally:
    kept = sum(r.outcome is PromiseOutcome.KEPT for r in records)
    missed = [r for r in records if r.outcome in (PromiseOutcome.LATE, PromiseOutcome.BROKEN)]
    evidence = tuple(dict.fromkeys(e for r in missed for e in r.evidence))
    return _Tally(kept, len(missed), len(records) - kept - len(missed), evidence)


def _test(
    vendor: str,
    id: str,
    measure: str,
    text: str,
    source: str,
    checked_on: date | None,
    bound: float,
    share: float,
    tally: _Tally,
) -> LimitTest:
    p = limit_p_value(tally.n - tally.beyond, tally.n, share) if tally.n else None
    kept = None
    if tally.n and tally.beyond == 0 and tally.unknown == 0 and share >= 1:
        kept = True  # every one, of those that there were
    elif tally.n and share < 1 and share_at_least(tally.within, tally.n) >= share:
        kept = True
    return LimitTest(
        id=id,
        vendor=vendor,
        measure=measure,
        text=text,
        source=source,
        checked_on=checked_on,
        limit=bound,
        share_needed=share,
        n=tally.n,
        within=tally.within,
        unknown=tally.unknown,
        p_value=p,
        p_holm=None,
        kept=kept,
        verdict=Verdict.NOT_ESTABLISHED,
        sentence="",
        evidence=tally.evidence,
    )


def _adjusted(tests: Sequence[LimitTest]) -> tuple[LimitTest, ...]:
    places = [place for place, test in enumerate(tests) if test.p_value is not None]
    adjusted = dict(zip(places, holm([tests[place].p_value or 0.0 for place in places]), strict=True))
    found = []
    for place, test in enumerate(tests):
        p_holm = adjusted.get(place)
        broken = p_holm is not None and p_holm < 0.05
        unadjusted = test.p_value is not None and test.p_value < 0.05
        test = changed(
            test,
            p_holm=p_holm,
            kept=False if broken else test.kept,
            verdict=Verdict.CONFIRMED if broken else Verdict.ANOMALY if unadjusted else Verdict.NOT_ESTABLISHED,
        )
        found.append(changed(test, sentence=_sentence(test)))
    return tuple(found)


def _sentence(test: LimitTest) -> str:
    text = test.text[0].upper() + test.text[1:]
    if not test.n:
        return f"{text}: not observed."
    beyond = test.n - test.within - test.unknown
    seen = f"{test.within} of {test.n} within"
    if test.unknown:
        seen += f", {test.unknown} cut off before it could be told"
    if test.kept is False:
        p = f"p = {test.p_holm:.3f}" if test.p_holm is not None and test.p_holm >= 0.001 else "p < 0.001"
        chance = f" ({p}, adjusted for all limits tested)" if test.share_needed < 1 else ""
        return f"{text}: broken; {seen}{chance}."
    if test.kept:
        return f"{text}: kept; {seen}."
    if test.share_needed >= 1:
        return f"{text}: not established; {seen}."
    needed = n_without_miss(test.share_needed)
    misses = f"{phrases.count(beyond, 'miss', 'misses')} could be chance"
    if beyond == 0:
        misses = f"{needed} without a miss are needed before it counts as kept"
    return f"{text}: neither broken nor kept is established; {seen}; {misses}."

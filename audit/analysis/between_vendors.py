"""Whether vendors differ at all in a wait: the log-rank test over all of them, censored waits included."""

from __future__ import annotations

from collections.abc import Iterable

from audit.analysis.model.comparisons import VendorTest
from audit.analysis.model.findings import Verdict
from audit.analysis.model.measures import Measure, MeasureKind
from audit.analysis.statistics import SMALLEST_N, holm
from audit.analysis.survival import log_rank


def compare_vendors(measures: Iterable[Measure], wanted: frozenset[str]) -> tuple[VendorTest, ...]:
    """Compare the vendors with six waits or more in every wanted duration; p-values are adjusted for all (Holm)."""
    groups: dict[str, list[Measure]] = {}
    for measure in measures:
        if measure.kind is MeasureKind.DURATION and measure.id in wanted and measure.n >= SMALLEST_N:
            groups.setdefault(measure.id, []).append(measure)
    tested = []
    for group in groups.values():
        if len(group) >= 2:
            waits = [(m.observed.middle, m.observed.ended) for m in group]
            tested.append((group, *log_rank(waits)))
    adjusted = holm([p for _, _, p in tested])
    return tuple(_test(group, chi2, p, p_holm) for (group, chi2, p), p_holm in zip(tested, adjusted, strict=True))


def _test(group: list[Measure], chi2: float, p: float, p_holm: float) -> VendorTest:
    verdict = Verdict.CONFIRMED if p_holm < 0.05 else Verdict.ANOMALY if p < 0.05 else Verdict.NOT_ESTABLISHED
    end = {
        Verdict.CONFIRMED: "the vendors differ",
        Verdict.ANOMALY: "a difference that does not stand when all comparisons are counted",
    }.get(verdict, "no difference between the vendors is established")
    name = group[0].name[0].upper() + group[0].name[1:]
    shown = f"p = {p_holm:.3f}" if p_holm >= 0.001 else "p < 0.001"
    return VendorTest(
        measure=group[0].id,
        vendors=tuple(m.vendor for m in group),
        n=tuple(m.n for m in group),
        chi_square=chi2,
        p_value=p,
        p_holm=p_holm,
        verdict=verdict,
        sentence=(
            f"{name}: log-rank test over {len(group)} vendors, chi-square {chi2:.1f} with {len(group) - 1} degrees of "
            f"freedom, {shown} adjusted for all comparisons: {end}."
        ),
    )

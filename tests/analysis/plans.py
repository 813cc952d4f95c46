"""Plans for tests, made as values."""

from __future__ import annotations

from datetime import date

from audit.plan.model import (
    Authorisation,
    Basis,
    Persona,
    Plan,
    Problem,
    Promise,
    PromiseClock,
    PromisedWhat,
    PromiseKind,
    Sample,
    Scenario,
    Step,
    Vendor,
)
from probes.duration import Duration


def promise(
    what: PromisedWhat,
    within: str,
    *,
    id: str | None = None,
    clock: PromiseClock = PromiseClock.WALL,
    kind: PromiseKind = PromiseKind.PUBLISHED,
    share_pct: float | None = None,
) -> Promise:
    return Promise(
        id=id or what.value.replace("_", "-"),
        what=what,
        within=Duration.parse(within),
        text=f"{what.value.replace('_', ' ')} within {within}",
        source="https://acme.example/support",
        kind=kind,
        clock=clock,
        share_pct=share_pct,
        seen_on=date(2026, 3, 1),
    )


def vendor(*promises: Promise, id: str = "acme", name: str = "Acme", hours: str = "always") -> Vendor:
    return Vendor(id=id, name=name, place="GB", time_zone="Europe/London", hours=hours, promises=promises)


def plan(
    *vendors: Vendor,
    personas: tuple[Persona, ...] = (Persona(id="ada", name="Ada Example"),),
    n: int = 1,
    solvable: bool = True,
    steps: tuple[Step, ...] = (Step(open="portal"),),
    **more: object,
) -> Plan:
    return Plan(
        holdproof=1,
        name="test plan",
        authorisation=Authorisation(basis=Basis.PRACTICE, by="the tests", until=date(2027, 1, 1)),
        vendors=vendors or (vendor(),),
        personas=personas,
        scenarios=(
            Scenario(
                id="broken",
                problem=Problem(subject="Import stops", body="The import stops with error 42 on every file."),
                steps=steps,
                solvable=solvable,
            ),
        ),
        samples=(Sample(scenario="broken", n=n),),
        **more,  # type: ignore[arg-type]
    )

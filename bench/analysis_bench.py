"""How long the whole analysis takes, and how much memory, against the number of events: 100 vendors, one core.

    python -m bench.analysis_bench [--sizes 10000 100000 1000000] [--varied]

The events are made (seeded): tickets that are looked at until answered or given up, one case in five with a call and
its timeline, promises, judgements, matched personas. Every size runs in a process of its own; memory is the whole
process's peak, the events themselves included, and beside it what there was before the analysis began. Vendors' answers
repeat whole sentences, as a desk's do; with `--varied` (and in the table's last row) no sentence comes twice.

"To the scorecard" is all that `analyse` does at once: facts with every message read, promise ledger, measures with
intervals, dimensions, scorecards with sensitivity and rank ranges, limits, personas, costs, findings, verdicts. What it
puts together only when asked comes beside it: "with all told" has every case's story, every piece of evidence that is
cited anywhere and every message's reading on top, which is what a report with data takes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is loaded, as the command line does: one core

import numpy as np

from audit.analysis.analyse import analyse
from audit.model import Event
from audit.plan.model import (
    Authorisation,
    Basis,
    CostInputs,
    Money,
    Pair,
    Persona,
    Plan,
    Problem,
    Promise,
    PromisedWhat,
    Sample,
    Scenario,
    Step,
    Vendor,
)
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, LineQuality, Segment, Timeline
from probes.duration import Duration
from probes.errors import Side
from probes.events import (
    Action,
    AuditStarted,
    CallAnswered,
    CallDialled,
    CallEnded,
    CallHeard,
    CallRecorded,
    CallRinging,
    CarrierCharged,
    CaseClosed,
    CaseOpened,
    CaseOutcome,
    ClockName,
    ContactEnded,
    ContactOutcome,
    ContactStarted,
    Judged,
    MessageSeen,
    PageCaptured,
    Payload,
    StatusSeen,
    TicketState,
    TicketSubmitted,
    ValueRead,
    WaitEnded,
)
from probes.model import Artifact

VENDORS = 100
LOOKS = 28  # every 4 hours, after the solution too: with the rest some 100 events a case, as DESIGN.md part 9 has it
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROBLEM = "The import stops with error 42 on every file since Friday, a restart changed nothing, please help."
ANSWERS = (
    "Hello, I looked into your file and found that the header row is missing; please add it and try again.",
    "I have asked my colleague in the second line and will write again as soon as there is news about it.",
    "The cause is known to us. We have repaired the import, so that the next run goes through without the error.",
)


def made_plan() -> Plan:
    """Return a plan of 100 vendors, each with two promises, and two matched personas."""

    def promise(what: PromisedWhat, within_h: float) -> Promise:
        return Promise(
            id=what.value.replace("_", "-"),
            what=what,
            within=Duration(within_h * 3600),
            text=f"{what.value} within {within_h:g} hours",
            source="https://vendor.example/terms",
        )

    return Plan(
        holdproof=1,
        name="benchmark",
        authorisation=Authorisation(basis=Basis.PRACTICE, by="bench", until=date(2027, 1, 1)),
        vendors=tuple(
            Vendor(
                id=f"v{number}",
                name=f"Vendor {number}",
                place="GB",
                time_zone="Europe/London",
                hours="Mon-Fri 09:00-17:00" if number % 2 else "always",
                promises=(promise(PromisedWhat.FIRST_HUMAN_RESPONSE, 24), promise(PromisedWhat.RESOLUTION, 72)),
            )
            for number in range(VENDORS)
        ),
        personas=(
            Persona(id="small", name="Ada Small", pair=Pair(of="large", differs_in="size")),
            Persona(id="large", name="Ada Large"),
        ),
        scenarios=(
            Scenario(id="broken", problem=Problem(subject="Import stops", body=PROBLEM), steps=(Step(open="portal"),)),
        ),
        samples=(Sample(scenario="broken", n=1),),
        cost=CostInputs(
            hour=Money(amount=60, currency="EUR"), blocked_hour=Money(amount=90, currency="EUR"), contacts_per_year=100
        ),
    )


class Maker:
    """Writes the events of case after case until there are enough."""

    def __init__(self, events: int, seed: int, *, varied: bool = False) -> None:
        self.wanted, self.rng, self.varied = events, np.random.default_rng(seed), varied
        self.noted: list[tuple[datetime, int, str | None, str | None, Payload, tuple[Artifact, ...]]] = []
        self.case: str | None = None
        self.contact: str | None = None

    def add(self, what: Payload, at: datetime, artifacts: tuple[Artifact, ...] = ()) -> None:
        """Note one event; all are put in the order of time, as a ledger has them, at the end."""
        self.noted.append((at, len(self.noted), self.case, self.contact, what, artifacts))

    def _chained(self) -> list[Event]:
        self.noted.sort(key=lambda note: note[:2])
        return [
            Event(
                audit="bench",
                seq=seq,
                case=case,
                contact=contact,
                kind=what.KIND,
                at_utc=at,
                clock=ClockName.OURS,
                clock_factor=1.0,
                recorded_at_utc=at,
                what=what,
                artifacts=artifacts,
                previous_sha256=f"{seq - 1:064x}",
                sha256=f"{seq:064x}",
            )
            for seq, (at, _, case, contact, what, artifacts) in enumerate(self.noted, start=1)
        ]

    def make(self) -> list[Event]:
        """Return the events."""
        self.add(AuditStarted("0" * 64, "benchmark", "0", 1.0, 0), START)
        number = 0
        while len(self.noted) < self.wanted:
            self._case(number)
            number += 1
        return self._chained()

    def _case(self, number: int) -> None:
        rng, vendor = self.rng, number % VENDORS
        self.case, self.contact = f"c{number}", None
        begin = START + timedelta(minutes=float(rng.uniform(0, 60 * 24 * 30)))
        persona = ("small", "large")[number // VENDORS % 2]
        self.add(CaseOpened(f"v{vendor}", persona, "broken", number // VENDORS // 2, f"HP-{number}"), begin)
        self._start(begin, Action.OPEN, "portal", 0)
        self.add(TicketSubmitted("Import stops", f"{PROBLEM} HP-{number}", f"HP-{number}"), begin)
        self.add(ValueRead("ticket", str(number), "https://vendor.example/t"), begin)
        self.add(
            MessageSeen("m0", Side.VENDOR, "Desk", None, "We have received your request.", None, None, None), begin
        )
        self.add(StatusSeen("New", TicketState.OPEN, None, None), begin)
        self.add(ContactEnded(ContactOutcome.DONE, None), begin)
        answer_h = float(rng.lognormal(2.2 + vendor / 150, 1.0))
        solved_h = answer_h + float(rng.lognormal(2.5, 1.0))
        at, key, last = begin, 1, begin
        for look in range(LOOKS):
            at = begin + timedelta(hours=(look + 1) * 4)
            self._start(at, Action.LOOK, "portal", 1)
            page = Artifact(f"{number * 100 + look:064x}", "image/png", 90_000, "page.png")
            self.add(PageCaptured("status", "https://vendor.example/t", "Ticket", 200), at, (page,))
            for moment_h in (answer_h, solved_h):
                came = begin + timedelta(hours=moment_h)
                if last < came <= at:
                    text = f"{ANSWERS[number % 3]} ({number}/{key})"
                    if self.varied:
                        text = text.replace(",", f" in part {number}-{key},").replace(". ", f" for {number}-{key}. ")
                    self.add(MessageSeen(f"m{key}", Side.VENDOR, "Agent", None, text, None, None, last), at)
                    key += 1
            if last < begin + timedelta(hours=solved_h) <= at:
                self.add(StatusSeen("Solved", TicketState.RESOLVED, "New", last), at)
            self.add(ContactEnded(ContactOutcome.DONE, None), at)
            last = at
        if solved_h > LOOKS * 4:
            self.contact = None
            self.add(WaitEnded("resolved", False, LOOKS * 4 * 3600.0), at)
        if number % 5 == 0:
            self._call(at)
        self.contact = None
        outcome = CaseOutcome.RESOLVED if solved_h < LOOKS * 4 else CaseOutcome.GIVEN_UP
        self.add(CaseClosed(outcome, ""), at + timedelta(hours=1))

    def _start(self, at: datetime, action: Action, channel: str, step: int) -> None:
        self.contact = f"{self.case}-{len(self.noted)}"
        probe = "phone_call" if action is Action.CALL else "web_ticket"
        self.add(ContactStarted(channel, probe, 1, action, step, 1, "HP"), at)

    def _call(self, at: datetime) -> None:
        wait, hold = float(self.rng.exponential(120)), float(self.rng.exponential(60))
        duration = wait + 90 + hold
        self._start(at, Action.CALL, "hotline", 2)
        self.add(CallDialled("+442079460123", "+442079460777", "practice", f"CA{len(self.noted)}"), at)
        self.add(CallRinging(), at + timedelta(seconds=2))
        self.add(CallAnswered(1.0), at + timedelta(seconds=5))
        answered = at + timedelta(seconds=5)
        recording = Artifact(f"{len(self.noted):064x}", "audio/wav", 1_000_000, "call.wav")
        self.add(CallEnded(Side.OURS, ("asked",), "200", duration, 1.0), answered + timedelta(seconds=duration))
        self.add(CallRecorded(duration, 8000, 2, 1, answered, 1.0), answered, (recording,))
        self.add(CallHeard("1", self._timeline(wait, hold, duration)), answered)
        self.add(CarrierCharged(12.0, "EUR"), answered)
        self.add(ContactEnded(ContactOutcome.DONE, None), answered + timedelta(seconds=duration))
        for question in ("hold_permission_asked", "history_used", "solved"):
            value = "yes" if self.rng.random() < 0.7 else "no"
            self.add(Judged(question, value, "R-1", None, wait, None), answered + timedelta(days=1))
        self.add(Judged("courtesy", "4", "R-1", None, wait, None), answered + timedelta(days=1))

    def _timeline(self, wait: float, hold: float, duration: float) -> Timeline:
        def segment(start: float, end: float, kind: Kind, label: Label) -> Segment:
            return Segment(start, end, kind, label, 0.9)

        def made_hold(start: float, end: float) -> Hold:
            return Hold(start, end, HoldMode.MUSIC, -18.0, 1.0, 0.0, 30.0, (end - start) / 30, (), 0, 0.9)

        return Timeline(
            duration_s=duration,
            answered_s=None,
            first_person_s=wait,
            segments=(
                segment(0, 5, Kind.SPEECH, Label.IVR),
                segment(5, wait, Kind.MUSIC, Label.HOLD_MUSIC),
                segment(wait, wait + 60, Kind.SPEECH, Label.AGENT),
                segment(wait + 60, wait + 60 + hold, Kind.MUSIC, Label.HOLD_MUSIC),
                segment(wait + 60 + hold, duration, Kind.SPEECH, Label.AGENT),
            ),
            holds=(made_hold(min(5.0, wait), wait), made_hold(wait + 60, wait + 60 + hold)),
            music_loop_s=30.0,
            tones=(),
            messages=(),
            dead_air=(),
            talk_over=None,
            quality=LineQuality(-24.0, -60.0, False, 0.0, 0.0, False),
            end=EndReason.IN_SPEECH,
            listener_version="1",
        )


def _one(events: int, *, varied: bool) -> None:
    made = Maker(events, seed=3, varied=varied).make()
    plan = made_plan()
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started, used = time.perf_counter(), time.process_time()
    result = analyse(plan, made, holdproof_version="bench", seed=1)
    took_s, cpu_s = time.perf_counter() - started, time.process_time() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = len(result.stories) + len(result.evidence) + len(result.messages)
    figures = {
        "events": len(made),
        "cases": sum(one.cases for one in result.accounting),
        "took_s": round(took_s, 2),
        "cpu_s": round(cpu_s, 2),
        "told_cpu_s": round(time.process_time() - used, 2),
        "before_mb": round(before_mb),
        "peak_mb": round(peak_mb),
        "told_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "measures": len(result.measures),
        "findings": len(result.findings),
        "told": told,
        "ranked": sum(card.rank is not None for card in result.scorecards),
    }
    print(json.dumps(figures))


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if a million events take more than 10 s of one core to the scorecard, or 2 GB in all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--varied", action="store_true")
    parser.add_argument("--one", type=int)
    given = parser.parse_args(arguments)
    if given.one:
        _one(given.one, varied=given.varied)
        return 0
    print(
        "| events | sentences | cases | to the scorecard, s of one core | µs per event | with all told, s "
        "| memory before, MB | peak, MB | peak with all told, MB |"
    )
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    missed = False
    runs = [(size, given.varied) for size in given.sizes]
    if not given.varied:
        runs.append((max(given.sizes), True))
    for size, varied in runs:
        command = [sys.executable, "-m", "bench.analysis_bench", "--one", str(size), *(["--varied"] if varied else [])]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(
            f"| {figures['events']:,} | {'all new' if varied else 'repeated'} | {figures['cases']:,} "
            f"| {figures['cpu_s']} "
            f"| {figures['cpu_s'] / figures['events'] * 1e6:.1f} | {figures['told_cpu_s']} | {figures['before_mb']} "
            f"| {figures['peak_mb']} | {figures['told_peak_mb']} |",
            flush=True,
        )
        missed |= size >= 1_000_000 and (figures["cpu_s"] > 10 or figures["told_peak_mb"] > 2048)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Analyses written by hand, for the tests of reports: the case of a customer who left, and many vendors at once."""

# ruff: noqa: E501 - tables of values, one record a paragraph

from __future__ import annotations

import hashlib
import io
import math
import struct
import wave
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from audit.analysis.model.audits import Accounting, Analysis, VendorName
from audit.analysis.model.calls import CallRecord
from audit.analysis.model.comparisons import LimitTest
from audit.analysis.model.findings import Evidence, Finding, Origin, Story, StoryLine, Verdict
from audit.analysis.model.measures import CurvePoint, Measure, MeasureKind, Observations, Observed, Survival
from audit.analysis.model.promises import PromiseOutcome, PromiseRecord
from audit.analysis.model.scores import Decision, DimensionScore, Headline, Judgement, ProfileNote, Scorecard
from probes.audio.timeline import EndReason, Hold, HoldMode, Kind, Label, LineQuality, Segment, Timeline
from probes.errors import Side
from probes.model import Artifact

START = datetime(2026, 11, 2, 9, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DIMENSIONS = (
    "Listens", "Clarifies", "Acknowledges", "Truthful expectations", "Keeps informed", "Honest refusal",
    "Resolves, does not pass on", "Follows up", "Remembers", "Proactive", "Respects time", "Equal respect",
    "Consistent", "Defined", "No upsell as a cure",
)  # fmt: skip
QUALITY = LineQuality(-22.0, -60.0, False, 0.0, 0.0, False)


@dataclass
class Store:
    """Artifacts in memory."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        artifact = Artifact(hashlib.sha256(data).hexdigest(), media_type, len(data), name)
        self.kept[artifact.sha256] = data
        return artifact

    def get(self, artifact: Artifact) -> bytes:
        return self.kept[artifact.sha256]


def tone_wav(seconds: float, hz: float = 440.0) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        samples = (int(9000 * math.sin(2 * math.pi * hz * i / 8000)) for i in range(int(seconds * 8000)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()


def at(days: float = 0, hours: float = 0, minutes: float = 0) -> datetime:
    return START + timedelta(days=days, hours=hours, minutes=minutes)


def measure(id: str, name: str, vendor: str, observed: tuple[Observed, ...], **more: Any) -> Measure:
    why = f"n = {len(observed)}; 6 are needed for an interval"
    values: dict[str, Any] = {
        "unit": "s", "kind": MeasureKind.DURATION, "per": "call", "dimension": 11, "n": len(observed),
        "n_censored": sum(o.censored for o in observed), "n_ours": 0, "n_not_run": 0, "estimate": None, "low": None,
        "high": None, "method": "Median with order-statistic interval.", "why_not": why, "sentence": name, "survival": None,
    }  # fmt: skip
    return Measure(id=id, name=name, vendor=vendor, observed=Observations(observed), **{**values, **more})


def seen(value: float, case: str, evidence: tuple[str, ...], censored: bool = False) -> Observed:
    return Observed(value=value, censored=censored, case=case, contact=None, at_utc=START, evidence=evidence)


def finding(
    id: str, sentence: str, verdict: Verdict, measure: str | None, evidence: tuple[str, ...], case: str | None,
    origin: Origin = Origin.MEASURED, vendor: str = "harbour",
) -> Finding:  # fmt: skip
    return Finding(
        id=id, vendor=vendor, sentence=sentence, verdict=verdict, measure=measure, dimension=11,
        evidence=evidence, case=case, origin=origin,
    )  # fmt: skip


def headline(vendor: str, met: int, due: int, share: float | None, low: float | None, high: float | None) -> Headline:
    sentence = f"{met} of {due} expectations that came due were met."
    return Headline(vendor=vendor, met=met, due=due, share=share, low=low, high=high, sentence=sentence)


def account(vendor: str, **more: Any) -> Accounting:
    values: dict[str, Any] = {
        "cases_planned": more.get("cases", 1), "cases": 1, "cases_closed": 1, "cases_censored": 0, "cases_ours": 0,
        "contacts": 1, "contacts_ours": 0, "contacts_not_run": 0, "refused": 0, "retries": 0, "calls": 0,
        "call_minutes": 0.0, "cost_minor": None, "currency": "EUR",
    }  # fmt: skip
    return Accounting(vendor=vendor, **{**values, **more})


def scorecard(vendor: str, scores: tuple[float | None, ...], **more: Any) -> Scorecard:
    dimensions = tuple(
        DimensionScore(
            number=i, id=name.lower().split(",")[0].replace(" ", "_"), name=name, score=score,
            low=None if score is None else max(0, score - 12), high=None if score is None else min(100, score + 14),
            n=0 if score is None else 8, weight=1.0, parts=(), measures=("hold_s",), evidence=(),
            why_not="no observation of it was planned" if score is None else None,
        )
        for i, (name, score) in enumerate(zip(DIMENSIONS, scores, strict=True), start=1)
    )  # fmt: skip
    values: dict[str, Any] = {
        "total": None, "low": None, "high": None, "n_cases": 8, "rank": None, "rank_range": None,
        "weight_rank_range": None, "first_share": None, "weightings": 10000, "why_not": None,
    }  # fmt: skip
    return Scorecard(vendor=vendor, profile="default", dimensions=dimensions, **{**values, **more})


def _segments(*parts: tuple[float, float, Kind, Label]) -> tuple[Segment, ...]:
    return tuple(Segment(start, end, kind, label, 0.9) for start, end, kind, label in parts)


def first_call() -> Timeline:
    hold = Hold(118.0, 1402.0, HoldMode.MUSIC_AND_MESSAGES, -11.2, 9.6, 0.01, 32.0, 40.1, (), 1, 0.9)
    segments = _segments(
        (0, 12, Kind.TONE, Label.RINGBACK), (12, 41, Kind.SPEECH, Label.IVR), (41, 43, Kind.TONE, Label.DTMF),
        (43, 64, Kind.MUSIC, Label.HOLD_MUSIC), (64, 118, Kind.SPEECH, Label.AGENT), (118, 700, Kind.MUSIC, Label.HOLD_MUSIC),
        (700, 706, Kind.SPEECH, Label.ANNOUNCEMENT), (706, 1402, Kind.MUSIC, Label.HOLD_MUSIC),
        (1402, 1404, Kind.SILENCE, Label.SILENCE),
    )  # fmt: skip
    return Timeline(
        duration_s=1404.0, answered_s=12.0, first_person_s=64.0, segments=segments, holds=(hold,), music_loop_s=32.0,
        tones=(), messages=(), dead_air=(), talk_over=None, quality=QUALITY, end=EndReason.ON_HOLD, listener_version="1",
    )  # fmt: skip


def short_call(duration: float, talk_from: float) -> Timeline:
    segments = _segments(
        (0, 9, Kind.TONE, Label.RINGBACK), (9, 38, Kind.SPEECH, Label.IVR), (38, talk_from, Kind.MUSIC, Label.HOLD_MUSIC),
        (talk_from, duration - 1, Kind.SPEECH, Label.AGENT), (duration - 1, duration, Kind.SILENCE, Label.SILENCE),
    )  # fmt: skip
    return Timeline(
        duration_s=duration, answered_s=9.0, first_person_s=talk_from, segments=segments, holds=(), music_loop_s=None,
        tones=(), messages=(), dead_air=(), talk_over=None, quality=QUALITY, end=EndReason.SILENCE, listener_version="1",
    )  # fmt: skip


class Chain:
    """Gives evidence its numbers."""

    def __init__(self, vendor: str, case: str, first: int = 1) -> None:
        self.vendor, self.case, self.next = vendor, case, first
        self.items: list[Evidence] = []

    def add(
        self,
        kind: str,
        when: datetime,
        what: str,
        *artifacts: Artifact,
        contact: str | None = None,
        t_s: float | None = None,
    ) -> str:
        number = f"E{self.next:04}"
        self.items.append(
            Evidence(
                number=number, vendor=self.vendor, case=self.case, contact=contact, seq=self.next, kind=kind,
                at_utc=when, what=what, artifacts=artifacts, t_s=t_s,
            )
        )  # fmt: skip
        self.next += 1
        return number


_CALLS = (
    (1, at(days=3, minutes=8), first_call(), Side.OURS, "hold", 1284.0, 54.0),
    (2, at(days=3, minutes=41), short_call(211.0, 74.0), Side.VENDOR, "talk", 0.0, 137.0),
    (3, at(days=3, hours=1, minutes=5), short_call(402.0, 96.0), Side.OURS, "talk", 0.0, 306.0),
)
_TOLD: dict[int, tuple[tuple[float, str], ...]] = {
    1: (
        (12.0, "An identification number had to be keyed in before anybody could be reached."),
        (64.0, "The first agent, A-01, said that she had to confirm the caller's identity."),
        (118.0, "The call was put on hold without asking."),
        (1402.0, "After 21 min 24 s of music on a loop of 32 s, 9.6 LU louder than the agent, we gave up."),
    ),
    2: (
        (80.0, "We asked not to be put on hold and explained everything again."),
        (211.0, "The line went dead; perhaps an accident."),
    ),
    3: (
        (100.0, "Everything was explained for the third time."),
        (330.0, 'The agent could only "enter another ticket", with an answer within five hours.'),
    ),
}


def _calls(chain: Chain, audio: list[Artifact]) -> tuple[list[CallRecord], list[StoryLine]]:
    calls, lines = [], []
    for index, (number, when, timeline, ended_by, phase, hold, talk) in enumerate(_CALLS):
        contact = f"{chain.case}-call-{number}"
        heard = chain.add("call_recorded", when, f"Recording of call {number}", audio[index], contact=contact)
        for t_s, sentence in _TOLD[number]:
            moment = when + timedelta(seconds=t_s)
            ref = chain.add("call_heard", moment, sentence, contact=contact, t_s=t_s)
            lines.append(
                StoryLine(at_utc=moment, sentence=sentence, evidence=(heard, ref), channel="phone_call", t_s=t_s)
            )
        calls.append(
            CallRecord(
                vendor=chain.vendor, case=chain.case, contact=contact, channel="phone", persona="small",
                number_in_case=number, dialled_at_utc=when, ring_s=12.0, answered_s=timeline.answered_s,
                to_human_s=timeline.first_person_s, queue_to_human_s=21.0, waited_s=None, hold_s=hold, talk_s=talk,
                duration_s=timeline.duration_s, outcome="human", phase_at_end=phase, ended_by=ended_by,
                ended_reasons=("carrier says who sent BYE",), recording=audio[index], timeline=timeline, evidence=(heard,),
            )
        )  # fmt: skip
    return calls, lines


def _promises(
    case: str, opened: str, number: str, said: str, message: str, closed: str, came: datetime
) -> tuple[PromiseRecord, ...]:
    promised = at(days=3, hours=1, minutes=11)
    return (
        PromiseRecord(
            id="answer-24h", vendor="harbour", case=case, what="first_human_response", kind="published",
            text="We answer every request within 24 hours.", source="support page, seen on 1 November 2026",
            made_at_utc=at(), due_at_utc=at(days=1), came_at_utc=came, outcome=PromiseOutcome.LATE,
            late_by_s=(came - at(days=1)).total_seconds(), actual_to_promised_ratio=3.7,
            sentence="The first answer by a person came 2 days 17 h after it was due.", evidence=(opened, message),
        ),
        PromiseRecord(
            id="said-five-hours", vendor="harbour", case=case, what="update", text="It should be five hours.",
            kind="said", source="agent A-03, call 3, at 5:30", made_at_utc=promised,
            due_at_utc=promised + timedelta(hours=5), came_at_utc=came, outcome=PromiseOutcome.LATE, late_by_s=39600.0,
            actual_to_promised_ratio=3.2, sentence="Promised within 5 h, came after 16 h.", evidence=(said, message),
        ),
        PromiseRecord(
            id="receipt", vendor="harbour", case=case, what="receipt", text="You get a ticket number at once.",
            kind="published", source="support page", made_at_utc=at(), due_at_utc=at(minutes=15),
            came_at_utc=at(minutes=1), outcome=PromiseOutcome.KEPT, late_by_s=None, actual_to_promised_ratio=0.07,
            sentence="The ticket number was shown after 1 min.", evidence=(number,),
        ),
        PromiseRecord(
            id="resolution", vendor="harbour", case=case, what="resolution", text="Solved within five working days.",
            kind="contract", source="contract, clause 4.2", made_at_utc=at(), due_at_utc=at(days=7), came_at_utc=None,
            outcome=PromiseOutcome.PENDING, late_by_s=None, actual_to_promised_ratio=None,
            sentence="It was not yet due when the customer left.", evidence=(closed,),
        ),
    )  # fmt: skip


def departure(
    store: Store, vendor_text: str = "Please start the process again.", clock_factor: float = 1.0
) -> Analysis:
    """The case of a customer who left. `vendor_text` is what the vendor wrote, hostile or not."""
    case = "harbour-blocked-1"
    chain = Chain("harbour", case)
    page = store.put(b"<!doctype html><script>alert(1)</script><p>Ticket 55120</p>", "text/html", "ticket page.html")
    shot = store.put(b"\x89PNG\r\n\x1a\n" + bytes(400), "image/png", "ticket page.png")
    audio = [store.put(tone_wav(s, 400 + 60 * s), "audio/wav", f"call {i}.wav") for i, s in enumerate((4, 2, 3), 1)]
    opened = chain.add("ticket_submitted", at(), "The form was sent", page, shot)
    number = chain.add("value_read", at(minutes=1), "Ticket number 55120", page)
    quiet = chain.add("wait_ended", at(days=3), "No answer after three days")
    calls, told = _calls(chain, audio)
    came = at(days=3, hours=17, minutes=11)
    message = chain.add("message_seen", came, "The vendor wrote that the process must be started again", page)
    closed = chain.add("case_closed", came + timedelta(hours=2), "Given up: the vendor asked to start again")
    first = "We opened a ticket on the web portal; the vendor gave it the number 55120."
    lines = (
        StoryLine(at_utc=at(), sentence=first, evidence=(opened, number), channel="web_ticket"),
        StoryLine(at_utc=at(days=3), sentence="Three days passed without an answer.", evidence=(quiet,), channel="web_ticket"),
        *told,
        StoryLine(
            at_utc=came, sentence=f"Sixteen hours later the vendor wrote: “{vendor_text}”", evidence=(message,),
            channel="web_ticket",
        ),
        StoryLine(at_utc=came + timedelta(hours=2), sentence="The customer left.", evidence=(closed,), channel=None),
    )  # fmt: skip
    recordings = [call.evidence[0] for call in calls]
    response = seen((came - at()).total_seconds(), case, (opened, message))
    waits = tuple(seen(call.to_human_s or 0.0, case, call.evidence) for call in calls)
    measures = (
        measure("first_human_response_s", "time to the first answer by a person", "harbour", (response,), per="ticket"),
        measure(
            "hold_s",
            "hold after a person was reached",
            "harbour",
            (seen(1284.0, case, (recordings[0],), censored=True),),
            per="hold",
        ),
        measure("time_to_human_s", "time to a person, on the customer's clock", "harbour", waits, per="call", n_ours=1),
    )
    confirmed, unsure = Verdict.CONFIRMED, Verdict.NOT_ESTABLISHED
    findings = (
        finding(
            "hold",
            "Hold without asking: 21 min 24 s of music until we gave up.",
            confirmed,
            "hold",
            (recordings[0], "E0007"),
            case,
        ),
        finding(
            "silence",
            "No answer to the ticket for three days.",
            confirmed,
            "first_human_response",
            (opened, quiet),
            case,
        ),
        finding("late-promise", "An answer promised within 5 h came after 16 h.", confirmed, None, (message,), case),
        finding(
            "restart", "The vendor asked to start the process again.", confirmed, None, (message,), case, Origin.PERSON
        ),
        finding(
            "dead-line",
            "The second call broke off while the agent spoke.",
            Verdict.ANOMALY,
            None,
            (recordings[1],),
            case,
        ),
        finding(
            "wait", "How long callers usually wait: 3 calls are too few to say.", unsure, "time_to_human_s", (), None
        ),
        finding("ours-1", "One call failed on our side before it was dialled.", Verdict.OURS, None, (), None),
    )
    story = Story(
        case=case, vendor="harbour", persona="small", scenario="blocked_account",
        problem="The account is blocked and orders cannot be placed.", opened_at_utc=at(),
        outcome="Not solved. The vendor asked that the process be started again, and the customer left.",
        closed_at_utc=came + timedelta(hours=2), lines=lines,
    )  # fmt: skip
    judgement = Judgement(
        vendor="harbour", decision=Decision.DO_NOT_SIGN_YET, conditions=(),
        rule="Do not sign yet where fewer than half of the expectations were met.",
        reasons=("1 of 3 expectations that came due was met.", "The case was not solved."),
        missing=("12 more calls at random times would say how long callers wait.",),
    )  # fmt: skip
    scores = (None, None, 20.0, 33.0, 0.0, None, 0.0, None, 10.0, 0.0, 12.0, None, None, 60.0, None)
    return Analysis(
        audit="2026-11-02-harbour-3f9a", plan_name="Harbour Line: support before signing", purpose="selection",
        method_version="1", holdproof_version="0.1.0", clock_factor=clock_factor, started_at_utc=at(),
        ended_at_utc=came + timedelta(hours=2),
        authorisation="prospective customer, by J. Doe, Head of Procurement, until 30 November 2026",
        vendors=(VendorName(id="harbour", name="Harbour Line Support", place="GB", time_zone="Europe/London"),),
        headlines=(headline("harbour", 1, 3, 0.33, 0.06, 0.79),), measures=measures,
        promises=_promises(case, opened, number, "E0014", message, closed, came), findings=findings, stories=(story,),
        calls=tuple(calls), limits=(), pairs=(), agreements=(), follow_through=(), costs=(),
        profile=ProfileNote(
            id="default", name="Default", source="METHOD.md, version 1", checked_on=date(2026, 11, 1),
            lines=("First answer by a person: 100 points within 4 h, 0 points from 3 days.",),
        ),
        scorecards=(scorecard("harbour", scores, why_not="too few cases to rank"),), judgements=(judgement,),
        accounting=(account("harbour", contacts=9, contacts_ours=1, calls=3, call_minutes=33.6, cost_minor=134.0),),
        evidence=tuple(chain.items),
        method_notes=("Waits that ended without an answer are lower bounds and are never counted as answered.",),
    )  # fmt: skip


NAMES = (
    "Alder Cloud", "Brightwater Telecom", "Cobalt Ledger", "Dunmore Freight", "Estuary Payments", "Fernhill Software",
    "Granite Hosting", "Highmoor Insurance", "Ironbridge Energy", "Juniper & Lock", "Kestrel Mobile", "Łódź–Żabno Systemy",
)  # fmt: skip


def twelve(store: Store) -> Analysis:
    """Twelve vendors, eight tickets, nine calls and four promises each."""
    base = departure(store)
    parts = [_vendor_part(store, base, i, name) for i, name in enumerate(NAMES)]
    joined: dict[str, Any] = {
        name: tuple(item for part in parts for item in getattr(part, name))
        for name in (
            "vendors", "measures", "findings", "evidence", "headlines", "judgements", "accounting", "scorecards",
            "promises", "stories", "limits",
        )
    }  # fmt: skip
    return replace(
        base, audit="2026-11-selection-12", plan_name="Twelve suppliers: whose support holds", calls=(), **joined
    )


def _vendor_part(store: Store, base: Analysis, i: int, name: str) -> Analysis:
    vendor = VendorName(id=f"v{i + 1:02}", name=name, place="GB", time_zone="Europe/London")
    own, chain = vendor.id, Chain(vendor.id, f"{vendor.id}-case", first=100 * (i + 1))
    refs = tuple(
        chain.add(
            "call_recorded", at(days=d), f"Recording of call {d + 1}",
            store.put(f"{own}-{d}".encode(), "audio/wav", f"call-{d}.wav"),
        )
        for d in range(9)
    )  # fmt: skip
    waits = sorted(30.0 + i * 45 + (k * 37 * (i + 2)) % 400 + (900 if k == 8 and i > 7 else 0) for k in range(9))
    calls = tuple(seen(w, f"{own}-{k}", (refs[k],), censored=i > 7 and k == 8) for k, w in enumerate(waits))
    answers = tuple(seen(3600.0 * (1 + i + k * (1 + i % 3)), f"{own}-{k}", (refs[k],)) for k in range(8))
    solved = tuple(seen(float(k >= i // 2), f"{own}-{k}", (refs[k],)) for k in range(8))
    share = sum(o.value for o in solved) / 8
    curve, left = [], 1.0
    for k, call in enumerate(calls):
        if not call.censored:
            left *= 1 - 1 / (9 - k)
            curve.append(CurvePoint(call.value, left, max(0.0, left - 0.2), min(1.0, left + 0.2), 9 - k))
    survival = Survival(
        curve=tuple(curve), horizon=max(waits), rmst=sum(waits) / 9, rmst_low=None, rmst_high=None, median_at_least=None
    )
    half = f"Half of the callers waited {round(waits[4])} s or more for a person."
    met = 14 - i
    decision = (Decision.SIGN, Decision.SIGN_WITH_CONDITIONS, Decision.DO_NOT_SIGN_YET)[i // 4]
    clause = "First answer within 4 h, with 5 % of the monthly fee back for each miss."
    scores = tuple(None if (i + d) % 5 == 0 else max(0.0, 96.0 - 7 * i - 3 * d) for d in range(15))
    return replace(
        base,
        vendors=(vendor,),
        measures=(
            measure(
                "time_to_human_s", "time to a person, on the customer's clock", own, calls, estimate=waits[4], low=waits[1],
                high=waits[7], why_not=None, survival=survival,
            ),
            measure(
                "first_human_response_s", "time to the first answer by a person", own, answers, per="ticket",
                estimate=answers[4].value, low=answers[0].value, high=answers[7].value, why_not=None,
            ),
            measure(
                "solved_at_first_contact", "solved at first contact", own, solved, unit="ratio", per="case",
                kind=MeasureKind.SHARE, estimate=share, low=max(0.0, share - 0.3), high=min(1.0, share + 0.2),
                why_not=None, method="Wilson interval.",
            ),
        ),
        findings=(
            finding(f"wait-{i}", half, Verdict.CONFIRMED, "time_to_human_s", refs[:4], None, vendor=own),
            finding(
                f"solve-{i}", f"{round(share * 8)} of 8 cases were solved at the first contact.", Verdict.CONFIRMED,
                "solved_at_first_contact", refs[:2], None, vendor=own,
            ),
            finding(
                f"answer-{i}", "Whether answers come faster in the morning is open.", Verdict.NOT_ESTABLISHED,
                "first_human_response_s", (), None, vendor=own,
            ),
        ),
        evidence=tuple(chain.items),
        headlines=(headline(own, met, 16, met / 16, max(0.0, met / 16 - 0.2), min(1.0, met / 16 + 0.15)),),
        judgements=(
            Judgement(
                vendor=own, decision=decision, rule="Half or more of the expectations met.",
                reasons=(f"{met} of 16 expectations were met.",), conditions=(clause,) if i // 4 == 1 else (), missing=(),
            ),
        ),
        accounting=(account(own, cases=8, contacts=31, calls=9, call_minutes=57.3, cost_minor=410.0, contacts_ours=i % 3),),
        scorecards=(
            scorecard(
                own, scores, total=90.0 - 6 * i, rank=None if i % 2 else i + 1, rank_range=(i, i + 2) if i % 2 else None
            ),
        ),
        promises=tuple(_promise(own, i, k, refs[k]) for k in range(4)),
        stories=tuple(
            replace(
                base.stories[0], case=f"{own}-{k}", vendor=own,
                lines=(
                    StoryLine(
                        at_utc=at(days=k), sentence=f"We opened a ticket at {name}.", evidence=(refs[k],), channel="web_ticket"
                    ),
                ),
            )
            for k in range(4)
        ),
        limits=(
            LimitTest(
                id=f"two-minutes-{i}", vendor=own, measure="time_to_human_s", text="80 % within 2 minutes", source="study",
                checked_on=date(2026, 11, 1), limit=120.0, share_needed=0.8, n=9, within=9 - i // 2, unknown=0, p_value=0.04, p_holm=None, kept=None,
                verdict=Verdict.CONFIRMED if i > 8 else Verdict.NOT_ESTABLISHED, evidence=refs[:1],
                sentence=f"{9 - i // 2} of 9 calls reached a person within 2 min; 80 % were asked for.",
            ),
        ),
    )  # fmt: skip


def _promise(vendor: str, i: int, k: int, ref: str) -> PromiseRecord:
    outcome = (PromiseOutcome.KEPT, PromiseOutcome.KEPT, PromiseOutcome.LATE, PromiseOutcome.BROKEN)[(k + i) % 4]
    late = 3600.0 * (k + 1) if outcome in (PromiseOutcome.LATE, PromiseOutcome.BROKEN) else None
    came = None if outcome is PromiseOutcome.BROKEN else at(days=k, hours=4 + (late or -7200.0) / 3600)
    return PromiseRecord(
        id=f"p{i}-{k}", vendor=vendor, case=f"{vendor}-{k}", what="first_human_response", text="We answer within 4 hours.",
        kind="published", source="support page", made_at_utc=at(days=k), due_at_utc=at(days=k, hours=4), came_at_utc=came,
        outcome=outcome, late_by_s=late, actual_to_promised_ratio=None, sentence=f"Promise {k} of vendor {i}.", evidence=(ref,),
    )  # fmt: skip

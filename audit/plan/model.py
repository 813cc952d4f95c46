"""The plan: which vendors, by which channels, as whom, about what, how often, within which limits, judged by what.

These dataclasses are the shape of the YAML file (`audit.plan.reader` reads it; an unknown key is a fault) and what the
rest of the code works with. Names in `{braces}` in texts are filled per case; `${env:NAME}` and
`${keyring:service/name}` are secrets and stay references here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, ClassVar, Literal

from audit.plan.kinds import (
    Amount,
    AwareMoment,
    Count,
    Country,
    Currency,
    Email,
    Factor,
    HoursText,
    Length,
    Name,
    Place,
    Samples,
    Share,
    Slug,
    Text,
    TimeZone,
)
from probes.duration import Duration
from probes.model import STRICT


class Basis(StrEnum):
    """Why we may contact the vendor."""

    OWN_ACCOUNT = "own_account"
    PROSPECTIVE_CUSTOMER = "prospective_customer"
    CONTRACT_AUDIT = "contract_audit"
    REGULATOR = "regulator"
    OWN_SYSTEM = "own_system"
    PRACTICE = "practice"


class Purpose(StrEnum):
    """What the audit is for; decides the report made by default."""

    SELECTION = "selection"
    MONITORING = "monitoring"
    COMPLAINT = "complaint"


class PromiseClock(StrEnum):
    """On which clock a promise runs."""

    WALL = "wall"
    BUSINESS = "business"


class PromiseKind(StrEnum):
    """Where a promise stands."""

    PUBLISHED = "published"
    CONTRACT = "contract"


class PromisedWhat(StrEnum):
    """What a promise is about: the event that keeps it."""

    RECEIPT = "receipt"
    FIRST_HUMAN_RESPONSE = "first_human_response"
    UPDATE = "update"
    RESOLUTION = "resolution"
    CALL_ANSWERED = "call_answered"
    HUMAN_ON_CALL = "human_on_call"
    CALLBACK = "callback"


class Condition(StrEnum):
    """What a wait waits for, or on what a step depends."""

    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    CLOSED = "closed"
    CALL_LOST = "call_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorisation:
    """On what ground, by whose word and until which day (inclusive, vendor's time) the vendor may be contacted."""

    __pydantic_config__: ClassVar = STRICT
    basis: Basis
    by: Text
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSetting:
    """Practice time: `factor` audit seconds pass in one real second, counted from `origin_utc`."""

    __pydantic_config__: ClassVar = STRICT
    factor: Factor = 1.0
    origin_utc: AwareMoment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the vendor has committed itself to in public or by contract."""

    __pydantic_config__: ClassVar = STRICT
    id: Slug
    what: PromisedWhat
    within: Length
    text: Text
    source: Text
    kind: PromiseKind = PromiseKind.PUBLISHED
    clock: PromiseClock = PromiseClock.WALL
    share_pct: Share | None = None
    seen_on: date | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor. `place` is an ISO 3166 country or subdivision (GB, DE-BY); `hours` as "Mon-Fri 09:00-17:30".

    We call within `hours`, or within `call_hours` where they are given. Numbers of other countries than the vendor's
    own are called only if `countries` lists them. `off_limits` names channels that must not be used by a machine, each
    with the reason (robots.txt, terms of use): whatever they alone name is refused.
    """

    __pydantic_config__: ClassVar = STRICT
    id: Slug
    name: Text
    place: Place
    time_zone: TimeZone
    hours: HoursText = "always"
    call_hours: HoursText | None = None
    countries: tuple[Country, ...] = ()
    channels: Mapping[Name, Any] = field(default_factory=dict)
    off_limits: Mapping[Name, Text] = field(default_factory=dict)
    promises: tuple[Promise, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """This persona is matched with another one and differs from it in one attribute only."""

    __pydantic_config__: ClassVar = STRICT
    of: str
    differs_in: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """As whom we turn up. `identifiers` are numbers and names that the vendor asks for; mostly secrets."""

    __pydantic_config__: ClassVar = STRICT
    id: Slug
    name: Text
    email: Email | None = None
    phone: str | None = None
    account: str | None = None
    tier: str | None = None
    language: str = "en"
    identifiers: Mapping[Name, str] = field(default_factory=dict)
    pair: Pair | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the customer writes and says."""

    __pydantic_config__: ClassVar = STRICT
    subject: Text
    body: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Follow the case (looking at its open channels) until a condition holds, or at most so long."""

    __pydantic_config__: ClassVar = STRICT
    at_most: Length
    until: Condition | None = None
    look_every: Length | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Place a call over a phone channel with one of its scripts."""

    __pydantic_config__: ClassVar = STRICT
    channel: str
    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Hold a chat over a chat channel with one of its scripts."""

    __pydantic_config__: ClassVar = STRICT
    channel: str
    script: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Write again in the ticket of a channel."""

    __pydantic_config__: ClassVar = STRICT
    channel: str
    text: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a scenario: exactly one verb, and perhaps a condition `when`.

    `dispute` is a reply to a vendor that calls the problem resolved: it is not, and what then happens is measured.
    """

    __pydantic_config__: ClassVar = STRICT
    open: str | None = None
    look: str | None = None
    wait: Wait | None = None
    call: Call | None = None
    chat: Chat | None = None
    reply: Reply | None = None
    dispute: Reply | None = None
    close: str | None = None
    when: Condition | None = None

    @property
    def condition(self) -> Condition | None:
        """On what the step depends; a dispute without a `when` needs something that was called resolved."""
        return Condition.RESOLVED if self.dispute is not None and self.when is None else self.when


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What the problem is, whether it can be solved, and the steps taken."""

    __pydantic_config__: ClassVar = STRICT
    id: Slug
    problem: Problem
    steps: tuple[Step, ...]
    solvable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How many cases of a scenario: `n` for each of these vendors and personas (empty: all)."""

    __pydantic_config__: ClassVar = STRICT
    scenario: str
    vendors: tuple[str, ...] = ()
    personas: tuple[str, ...] = ()
    n: Samples = 1
    spread_over: Length | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in major units (euros)."""

    __pydantic_config__: ClassVar = STRICT
    amount: Amount
    currency: Currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the audit may use at most; without `calls` no call is placed.

    `calls_per_day` counts per vendor and its own day; `tickets` counts tickets opened, `chats` chats.
    """

    __pydantic_config__: ClassVar = STRICT
    audit_at_most: Length = Duration(14 * 86400.0)
    calls: Count = 0
    calls_per_day: Count = 3
    call_minutes: Amount = 60.0
    money: Money | None = None
    tickets: Count = 100
    chats: Count = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """By which profile the measures are judged, and the reader's weights of the dimensions (default equal)."""

    __pydantic_config__: ClassVar = STRICT
    profile: str = "default"
    weights: Mapping[str, Amount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostInputs:
    """The reader's own figures; without them no cost is worked out."""

    __pydantic_config__: ClassVar = STRICT
    hour: Money
    people_waiting: Amount = 1.0
    blocked_hour: Money | None = None
    contacts_per_year: Amount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A whole plan. `holdproof` is the version of the plan format."""

    __pydantic_config__: ClassVar = STRICT
    holdproof: Literal[1]
    name: Text
    authorisation: Authorisation
    vendors: tuple[Vendor, ...]
    personas: tuple[Persona, ...]
    scenarios: tuple[Scenario, ...]
    samples: tuple[Sample, ...]
    purpose: Purpose = Purpose.SELECTION
    clock: ClockSetting = ClockSetting()
    limits: Limits = Limits()
    thresholds: Thresholds = Thresholds()
    cost: CostInputs | None = None

    def vendor(self, vendor_id: str) -> Vendor:
        """Return the vendor of this id; KeyError if there is none."""
        return {vendor.id: vendor for vendor in self.vendors}[vendor_id]

    def persona(self, persona_id: str) -> Persona:
        """Return the persona of this id; KeyError if there is none."""
        return {persona.id: persona for persona in self.personas}[persona_id]

    def scenario(self, scenario_id: str) -> Scenario:
        """Return the scenario of this id; KeyError if there is none."""
        return {scenario.id: scenario for scenario in self.scenarios}[scenario_id]

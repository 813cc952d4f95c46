"""The contract of a probe: what it is given (`Spec`, `Tools`) and what it gives back (`Seen`).

A probe is a module with

    NAME, VERSION                               VERSION rises when a field changes its meaning
    ACTIONS: frozenset[Action]                  what it can be asked to do
    class Channel                               its part of the plan; `kind` is NAME
    class Handle                                plain stored data: all that a later look needs
    def acts(spec) -> tuple[Act, ...]           everything it would contact and what that can cost
    async def submit(spec, tools) -> Seen       does the one act that the vendor notices (ticket, call, reply)
    async def collect(handle, tools) -> Seen    looks, without any effect on the vendor
    async def reconcile(spec, since_utc, tools) -> Reconciled   after a crash: was it done?
    async def rehearse(spec, tools)             only where it can be tried: as far as the act, and no further
    async def abandon(handle, tools) -> Handle  only where something can be live: ends it at once (the kill switch)
    def in_words(spec) -> tuple[str, ...]       only where a script decides what is done: the script, for `check`
    def unfit(spec, can) -> UserError | None    only where it hangs on what a carrier can: why this one cannot

What the vendor or the network does comes back inside `Seen`. Raising means that we could not try.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from probes.clock import Clock
from probes.duration import Duration
from probes.errors import Failure
from probes.events import Action, ClockName, ContactOutcome, Payload

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

    from probes.mail.mailbox import Mailbox
    from probes.running import RunningContacts
    from probes.telephony.carrier import Carrier

# Given as `__pydantic_config__` by dataclasses that are read from a plan: an unknown key is a fault there.
STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class Artifact:
    """Raw bytes kept in the store, named by their hash."""

    sha256: str
    media_type: str
    size_bytes: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One event as a probe saw it, before the ledger gives it its place."""

    what: Payload
    at_utc: datetime
    clock: ClockName = ClockName.OURS
    artifacts: tuple[Artifact, ...] = ()

    def __post_init__(self) -> None:
        if self.at_utc.tzinfo is None:
            raise ValueError(f"{self.what.KIND}: at_utc must be an aware datetime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """Everything that decides what a contact does; stored with it.

    `values` holds what `{name}` in the channel's texts stands for (persona.name, persona.email, problem.subject,
    problem.body, reference, …). Secrets stay references (`${env:NAME}`) until they are typed.
    `handle` is the stored handle of the ticket that a reply or close belongs to.
    """

    action: Action
    reference: str
    channel: Any
    values: Mapping[str, str]
    script: str | None = None
    text: str | None = None
    handle: Any = None
    longest: Duration = Duration(3600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a contact saw, in the order of sight.

    `finished` false: the contact goes on (a call under way); collect again in `again_s` audit seconds.
    """

    sightings: tuple[Sighting, ...] = ()
    handle: Any = None
    finished: bool = True
    again_s: float | None = None
    outcome: ContactOutcome = ContactOutcome.DONE
    failure: Failure | None = None


class Trace(StrEnum):
    """Whether an attempt that a crash cut short reached the vendor."""

    FOUND = "found"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The answer to "was it done?", how that was found out, and what was seen (with the handle, where found)."""

    trace: Trace
    how: str
    seen: Seen


class ActKind(StrEnum):
    """The ways in which we reach out."""

    BROWSE = "browse"
    CALL = "call"
    MAIL = "mail"
    CHAT = "chat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One outgoing act as the safety gate judges it: `target` is a host, an E.164 number or a mail address.

    `dearest_minor` is the most it can cost, in minor units (cents) of `currency`. `shows` is what would be sent, as far
    as it is known beforehand.
    """

    kind: ActKind
    target: str
    writes: bool
    longest: Duration = Duration(0.0)
    dearest_minor: float = 0.0
    currency: str = ""
    records: bool = False
    shows: str = ""


class ArtifactStore(Protocol):
    """Keeps raw bytes. Known secrets are taken out of text before it is kept."""

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        """Store bytes and return their artifact; the same bytes are stored once.

        Raises:
            Unavailable: the disk is full or the store cannot be written.
        """
        ...

    def get(self, artifact: Artifact) -> bytes:
        """Return the stored bytes, checked against their hash."""
        ...


class Secrets(Protocol):
    """Turns references into secrets, and takes secrets out of what is kept."""

    def reveal(self, text: str) -> str:
        """Return `text` with every `${env:NAME}` and `${keyring:service/name}` replaced by its secret.

        Raises:
            UserError: a secret is not set; the message names it and the places looked at.
        """
        ...

    def scrub(self, text: str) -> str:
        """Return `text` with every secret revealed so far replaced by its reference."""
        ...


class Gate(Protocol):
    """The one door to the outside. A probe asks before every act that its `acts` did not already name."""

    def check(self, act: Act) -> None:
        """Return if the act is allowed now.

        Raises:
            Refused: the rule that forbids it and how to change the plan.
        """
        ...


@dataclass(frozen=True, slots=True)
class HttpLogin:
    """A user name and a password for one origin ("https://host:port") that asks for them by HTTP itself."""

    origin: str
    user: str
    password: str = field(repr=False)


class BrowserSource(Protocol):
    """Opens browser contexts that can reach the given hosts and no others."""

    def context(
        self,
        hosts: frozenset[str],
        *,
        storage_state: str | None = None,
        http_login: HttpLogin | None = None,
        may_send: Callable[[], bool] = ...,
        guests: tuple[str, ...] = (),
    ) -> AbstractAsyncContextManager[BrowserContext]:
        """Open a fresh context; documents and form posts to other hosts are blocked.

        While `may_send` says no, nothing but reading requests leaves it, for any host. `guests` may show frames.

        Raises:
            Unavailable: no browser was found; the message names the places looked at and the cures.
        """
        ...


class SessionKeeper(Protocol):
    """Keeps what a browser needs to stay logged in between contacts. It is a secret, and kept like one."""

    def load(self, name: str) -> str | None:
        """Return the kept session of this name (cookies and local storage as JSON text); None if there is none."""
        ...

    def save(self, name: str, state: str) -> None:
        """Keep a session under a name, in place of an earlier one."""
        ...

    def forget(self, name: str) -> None:
        """Throw a session away that has ended."""
        ...


class Attendant(Protocol):
    """A person at the browser's window, who takes over where a page wants one."""

    async def take_over(self, what: str, url: str, done: Callable[[], Awaitable[bool]]) -> bool:
        """Ask the person to pass what keeps us out; return whether `done` came true before patience ended."""
        ...


class CarrierSource(Protocol):
    """Gives the carrier of a name with its address and credentials from the settings."""

    def carrier(self, name: str) -> Carrier:
        """Return a carrier whose `dial` passes the gate.

        Raises:
            UserError: it is unknown or has no credentials.
        """
        ...


class MailSource(Protocol):
    """Gives the mailbox of a name, with its servers and credentials from the settings."""

    def mailbox(self, name: str) -> Mailbox:
        """Return a mailbox; the empty name is the one without a name.

        Raises:
            UserError: it is not configured, or its password would travel in clear.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a probe may touch the world with. Nothing else does input or output in a probe.

    `sessions` None: nothing is kept, and every contact logs in. `attendant` None: nobody is there to take over.
    `mail` None: there is no mail.
    """

    clock: Clock
    artifacts: ArtifactStore
    secrets: Secrets
    gate: Gate
    browser: BrowserSource
    carriers: CarrierSource
    sessions: SessionKeeper | None = None
    attendant: Attendant | None = None
    mail: MailSource | None = None
    running: RunningContacts


class Probe(Protocol):
    """A probe module, as the engine sees it (see the head of this module)."""

    NAME: ClassVar[str]
    VERSION: ClassVar[int]
    ACTIONS: ClassVar[frozenset[Action]]
    Channel: ClassVar[type]
    Handle: ClassVar[type]

    def acts(self, spec: Spec) -> tuple[Act, ...]:
        """Return every act that carrying out `spec` can lead to."""
        ...

    async def submit(self, spec: Spec, tools: Tools) -> Seen:
        """Do the act that the vendor notices, once."""
        ...

    async def collect(self, handle: Any, tools: Tools) -> Seen:
        """Look, without any effect on the vendor."""
        ...

    async def reconcile(self, spec: Spec, since_utc: datetime, tools: Tools) -> Reconciled:
        """Find out whether an attempt begun at `since_utc` reached the vendor."""
        ...

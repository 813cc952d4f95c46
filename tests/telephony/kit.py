"""What a probe is given in these tests: a clock that the test sets, a store in memory, secrets by name."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from audit.ledger.codec import from_json, to_json
from probes import phone_call
from probes.clock import Clock
from probes.errors import UserError
from probes.events import Action
from probes.model import Act, Artifact, Seen, Sighting, Spec, Tools
from probes.running import RunningContacts
from probes.telephony.carrier import Carrier
from probes.telephony.channel import Channel, Handle

START = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
T = TypeVar("T")
RATE_HZ = 8000
DIGITS = "90210"


@dataclass(frozen=True)
class SetClock(Clock):
    """Shows the moment that the test set."""

    shown: list[datetime] = field(default_factory=lambda: [START])

    def now_utc(self) -> datetime:
        return self.shown[0]

    def set(self, after_s: float) -> None:
        self.shown[0] = START + timedelta(seconds=after_s)


@dataclass
class Store:
    """Keeps artifacts in memory."""

    secrets: Vault
    kept: dict[str, bytes] = field(default_factory=dict)

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        digest = hashlib.sha256(data).hexdigest()
        self.kept[digest] = data
        return Artifact(digest, media_type, len(data), name)

    def get(self, artifact: Artifact) -> bytes:
        return self.kept[artifact.sha256]


@dataclass
class Vault:
    """Secrets by reference; only what was revealed can be scrubbed."""

    known: Mapping[str, str]
    revealed: dict[str, str] = field(default_factory=dict)

    def reveal(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match.group() not in self.known:
                raise UserError(f"{match.group()} is not set")
            self.revealed[match.group()] = self.known[match.group()]
            return self.revealed[match.group()]

        return re.sub(r"\$\{[^}]+\}", value, text)

    def scrub(self, text: str) -> str:
        for reference, secret in self.revealed.items():
            text = text.replace(secret, reference)
        return text


class OpenGate:
    """Lets everything pass; the gate has its own tests."""

    def check(self, act: Act) -> None: ...


@dataclass
class Bench:
    """One call of the probe, stepped through by the test; handles go through their stored form each time."""

    carrier_itself: Carrier
    clock: Clock = field(default_factory=SetClock)
    vault: Vault = field(default_factory=lambda: Vault({"${env:CUSTOMER}": DIGITS}))
    sightings: list[Sighting] = field(default_factory=list)
    handle: Handle | None = None

    def __post_init__(self) -> None:
        self.store = Store(self.vault)
        self.tools = Tools(
            clock=self.clock,
            artifacts=self.store,
            secrets=self.vault,
            gate=OpenGate(),
            browser=None,  # type: ignore[arg-type]
            carriers=self,
            running=RunningContacts(),
        )

    def carrier(self, name: str) -> Carrier:
        assert name == "twilio"
        return self.carrier_itself

    async def submit(self, spec: Spec) -> Seen:
        return self._keep(await phone_call.submit(spec, self.tools))

    async def collect(self, after_s: float) -> Seen:
        """Look at the call `after_s` seconds after START."""
        assert isinstance(self.clock, SetClock)
        self.clock.set(after_s)
        return await self.look()

    async def look(self) -> Seen:
        """Look at the call now, as a fresh process would."""
        assert self.handle is not None
        self.vault.revealed.clear()
        return self._keep(await phone_call.collect(from_json(Handle, to_json(self.handle)), self.tools))

    async def follow(self, spec: Spec) -> Seen:
        """Dial, and look as often as the probe asks for until it has finished."""
        seen = await self.submit(spec)
        while not seen.finished:
            await self.clock.sleep(seen.again_s or 0.0)
            seen = await self.look()
        return seen

    def all(self, kind: type[T]) -> list[tuple[T, Sighting]]:
        """Return what was seen of one kind."""
        return [(one.what, one) for one in self.sightings if isinstance(one.what, kind)]

    def one(self, kind: type[T]) -> tuple[T, Sighting]:
        """Return what was seen exactly once."""
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} {kind.__name__}"
        return found[0]

    def everything_kept(self) -> str:
        """Return all text that would be stored: events, the handle, artifacts that are text."""
        texts = [to_json(one.what) for one in self.sightings] + [to_json(self.handle)]
        texts += [data.decode("utf-8", "replace") for data in self.store.kept.values() if data[:4] != b"RIFF"]
        return "\n".join(texts)

    def _keep(self, seen: Seen) -> Seen:
        self.sightings += seen.sightings
        self.handle = seen.handle or self.handle
        return seen


def channel(script: list[Any], **changes: Any) -> Channel:
    """Return a channel as the plan reader makes it, with one script "main"."""
    from pydantic import TypeAdapter

    standard = {
        "kind": "phone_call",
        "number": "+442079460100",
        "caller_id": "+442079460200",
        "record": "always",
        "price_per_minute": 0.05,
        "currency": "EUR",
        "scripts": {"main": script},
    }
    return TypeAdapter(Channel).validate_python({**standard, **changes})


def spec(one: Channel, **changes: Any) -> Spec:
    """Return what the engine asks for."""
    values = {
        "persona.language": "en",
        "persona.name": "Ada",
        "persona.identifiers.customer_number": "${env:CUSTOMER}",
        "reference": "HP-TEST2345",
    }
    made = Spec(action=Action.CALL, reference="HP-TEST2345", channel=one, values=values, script="main")
    return replace(made, **changes)


def silence(length_s: float) -> NDArray[np.float32]:
    return np.zeros(round(length_s * RATE_HZ), np.float32)


def keys(digits: str, on_s: float = 0.1, off_s: float = 0.1) -> NDArray[np.float32]:
    """Return keys as a telephone presses them, silence after each."""
    parts: list[NDArray[np.float32]] = []
    for digit in digits:
        row, column = divmod("123A456B789C*0#D".index(digit), 4)
        t = np.arange(round(on_s * RATE_HZ)) / RATE_HZ
        low, high = (697, 770, 852, 941)[row], (1209, 1336, 1477, 1633)[column]
        parts += [(0.2 * (np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t))).astype(np.float32)]
        parts += [silence(off_s)]
    return np.concatenate(parts)


def voice(length_s: float, seed: int = 7) -> NDArray[np.float32]:
    """Return something with the pace of speech: noise in syllables, nobody's voice."""
    random = np.random.default_rng(seed)
    count = round(length_s * RATE_HZ)
    t = np.arange(count) / RATE_HZ
    buzz = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
    return (0.1 * (0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)) * (buzz + random.normal(0, 0.3, count))).astype(np.float32)


def wav(*channels: NDArray[np.float32]) -> bytes:
    """Return a recording of channels, the shorter ones filled up with silence."""
    longest = max(len(one) for one in channels)
    out = io.BytesIO()
    samples = np.stack([np.pad(one, (0, longest - len(one))) for one in channels], axis=1)
    sf.write(out, samples, RATE_HZ, format="WAV", subtype="PCM_16")
    return out.getvalue()

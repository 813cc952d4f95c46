"""Hand-made chat pages with their truth, and what holds a chat there as the engine would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from audit.ledger.codec import from_json, to_json
from probes import chat
from probes.chatting.channel import Channel, Handle
from probes.duration import Duration
from probes.events import Action
from probes.model import Seen, Sighting, Spec, Tools
from tests.web.kit import VALUES, Answer, Asked, Site, site

PAGES = Path(__file__).parent / "pages"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript"}

# The same for every page: a problem, a person asked for, the end awaited.
SCRIPT: list[Any] = [
    {"wait_for": {"seen": "reply", "at_most": "4 min"}},
    {"say": "Invoice 4711 lists the same licence two times."},
    {"wait_for": {"seen": "reply", "at_most": "4 min"}, "as": "first"},
    "ask_human",
    {"wait_for": {"seen": "human", "at_most": "4 min"}, "as": "agent"},
    {
        "if": {"agent": "human"},
        "then": [
            {"wait_for": {"seen": "reply", "at_most": "4 min"}},
            {"say": "It is invoice 4711 of 3 November."},
            {"wait_for": {"seen": "ended", "at_most": "4 min"}},
        ],
        "else": [{"say": "Then I give up."}],
    },
]


@dataclass
class Truth:
    """What the pages say of themselves, in order."""

    facts: list[dict[str, Any]] = field(default_factory=list)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [fact for fact in self.facts if fact["kind"] == kind]

    def at(self, fact: dict[str, Any]) -> datetime:
        return datetime.fromtimestamp(fact["at_ms"] / 1000, UTC)


@contextmanager
def pages(truth: Truth) -> Iterator[Site]:
    """Serve the pages; what they tell of themselves goes into `truth`."""

    def answer(asked: Asked) -> Answer:
        path = asked.path.split("?")[0].lstrip("/")
        if path == "truth":
            truth.facts.append(json.loads(asked.body))
            truth.facts.sort(key=lambda fact: fact["at_ms"])
            return Answer(headers={"access-control-allow-origin": "*"})
        file = PAGES / path
        if file.suffix in TYPES and file.is_file():
            return Answer(file.read_bytes(), headers={"content-type": TYPES[file.suffix]})
        return Answer(b"", status=204 if path == "poll" else 404)

    with site(answer) as served:
        yield served


def channel(**parts: Any) -> Channel:
    """Read a chat channel as a plan would give it."""
    given = {"kind": "chat", "scripts": {"ask": SCRIPT}, "timeout": "90 s", "chat_at_most": "10 min"} | parts
    return TypeAdapter(Channel).validate_python(given)


def spec(of: Channel, script: str = "ask", **parts: Any) -> Spec:
    given: dict[str, Any] = {"values": VALUES, "reference": "HP-7K2M9QXA", "longest": Duration(86400.0)} | parts
    return Spec(action=Action.CHAT, channel=of, script=script, **given)


@dataclass
class Held:
    """A chat as the engine would have it: every sighting in order, and its end."""

    sightings: list[Sighting]
    last: Seen
    handle: Handle

    def of(self, kind: type[Any]) -> list[Any]:
        return [each.what for each in self.sightings if isinstance(each.what, kind)]

    def at(self, what: Any) -> datetime:
        return next(each.at_utc for each in self.sightings if each.what is what)


async def hold(wanted: Spec, tools: Tools, at_most_s: float = 280.0) -> Held:
    """Hold a chat from submit to its end; handles go through their stored form each time."""
    seen = await chat.submit(wanted, tools)
    sightings = list(seen.sightings)
    async with asyncio.timeout(at_most_s):
        while not seen.finished:
            seen = await chat.collect(stored(seen.handle), tools)
            sightings += seen.sightings
    return Held(sightings, seen, stored(seen.handle))


def stored(handle: Handle) -> Handle:
    return from_json(Handle, to_json(handle))

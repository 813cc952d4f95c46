"""What the practice vendor really did, one JSON line per fact, so that what was measured can be compared with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its kind, its moment in audit time, and what else is known of it."""

    kind: str
    at_utc: datetime
    facts: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]


class Truth:
    """The truth file. Lines are appended as things happen; several threads may write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, kind: str, at_utc: datetime, **facts: Any) -> None:
        """Append one fact with its moment in audit time."""
        if at_utc.tzinfo is None:
            raise ValueError(f"{kind}: at_utc must be an aware datetime")
        line = json.dumps({"kind": kind, "at_utc": at_utc.isoformat(), **facts}, ensure_ascii=False)
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def read(self, *kinds: str, **facts: Any) -> Iterator[Fact]:
        """Yield the facts of these kinds (all, if none is named) that have these values, in the order of writing."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            kind, at_utc = row.pop("kind"), datetime.fromisoformat(row.pop("at_utc"))
            if (not kinds or kind in kinds) and all(row.get(name) == value for name, value in facts.items()):
                yield Fact(kind, at_utc, row)

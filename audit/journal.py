"""The chain of events as text: one JSON record a line, each naming the SHA-256 of the line before.

Anybody can check it: the value of `previous_sha256` in a line is the SHA-256 of the bytes of the line before (without
its line feed); in the first line it is 64 zeros. Pure, and free of the store, so that a pack can be verified alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

FORMAT = "holdproof-journal"
VERSION = 1
FIRST = "0" * 64


def record_text(record: dict[str, Any]) -> str:
    """Return a record as its one canonical line: sorted keys, no spaces, UTF-8, no line feed."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode()  # a vendor's broken text may hold half characters


def record_sha256(text: str) -> str:
    """Return the hash that the next record names."""
    return hashlib.sha256(text.encode()).hexdigest()


def faults(lines: Iterable[str]) -> list[str]:
    """Return what is wrong with a journal, in words; an empty list when every link holds."""
    found, previous, expected_seq = [], FIRST, 1
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\n")
        try:
            record = json.loads(text)
            seq, named = record["seq"], record["previous_sha256"]
        except (ValueError, KeyError, TypeError):
            found.append(f"line {number} is no journal record")
            previous = record_sha256(text)
            continue
        if seq != expected_seq:
            found.append(f"line {number} is event {seq}, expected {expected_seq}: events are missing or out of order")
        if named != previous:
            found.append(f"line {number} (event {seq}) does not follow from the line before: one of them was changed")
        previous, expected_seq = record_sha256(text), (seq if isinstance(seq, int) else expected_seq) + 1
    return found

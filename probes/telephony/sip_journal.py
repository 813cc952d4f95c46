"""What became of each call over SIP, line by line on the disk: SIP keeps no list of calls, so we keep our own.

A call's file is there, durably, before the call is: a call without one was never placed. While the process that placed
it lives it holds a lock on the file; so every other process, also one that starts after a crash, can tell whether the
call can still be up, and can ask for its end.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from probes.errors import Unavailable

FORMAT, VERSION = "holdproof/sip-call", 1
NOT_PLACED, LOST, GOODBYE = "not_placed", "lost", "goodbye"
_CALL_ID = re.compile(r"\d{8}T\d{12}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: `what` it was, with what is to be said of it."""

    at_utc: datetime
    what: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """A call as its file has it. `held`: the process that placed it lives and has not closed the file."""

    call_id: str
    lines: tuple[Line, ...]
    held: bool
    text: bytes


class Held:
    """The file of a call that this process places: lines are added to it, and it stays locked until it is closed."""

    def __init__(self, call_id: str, begun_at_utc: datetime, handle: int, asked: Path) -> None:
        self.call_id = call_id
        self.begun_at_utc = begun_at_utc
        self._handle: int | None = handle
        self._asked = asked

    def add(self, what: str, at_utc: datetime | None = None, **data: Any) -> None:
        """Add a line."""
        if self._handle is not None:
            os.write(self._handle, _line(what, at_utc or datetime.now(UTC), data))

    def not_placed(self, text: str) -> None:
        """Say that no request for this call was sent, and let go."""
        self.add(NOT_PLACED, text=text)
        self.close()

    def end_asked(self) -> bool:
        """Whether another process has asked for the end of the call."""
        return self._asked.exists()

    def close(self) -> None:
        """Let go: nothing more will be said of this call."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
            self._asked.unlink(missing_ok=True)


class Journal:
    """The files of all calls of a home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, to: str, caller_id: str, **data: Any) -> Held:
        """Write down that a call is about to be placed; it is on the disk when this returns.

        Raises:
            Unavailable: it cannot be written, so the call must not be placed.
        """
        now = datetime.now(UTC)
        call_id = f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(6)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path(call_id), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
            head = {"format": FORMAT, "version": VERSION, "to": to, "caller_id": caller_id, **data}
            os.write(handle, _line("placing", now, head))
            os.fsync(handle)
            self._sync_folder()
        except OSError as exc:
            fix = "free space, or make the folder writable"
            raise Unavailable(f"the call was not placed: {self._folder} cannot be written: {exc}", fix=fix) from exc
        return Held(call_id, now, handle, self._asked(call_id))

    def read(self, call_id: str) -> Entry:
        """Return a call.

        Raises:
            Unavailable: there is no such call here, or its file cannot be read.
        """
        if not _CALL_ID.fullmatch(call_id):
            raise Unavailable(f'"{call_id[:60]}" is no call over SIP')
        path = self._path(call_id)
        try:
            held = _locked(path)  # before reading: what a process wrote before it let go is then there
            text = path.read_bytes()
        except OSError as exc:
            raise Unavailable(f"the record of call {call_id} cannot be read: {exc}", fix=f"look at {path}") from exc
        return Entry(call_id, _lines(text), held, text)

    def take_over(self, call_id: str) -> Held | None:
        """Hold the record of a call whose process is gone; None: it is not, or another process was quicker."""
        try:
            handle = os.open(self._path(call_id), os.O_WRONLY | os.O_APPEND)
        except OSError as exc:
            raise Unavailable(f"the record of call {call_id} cannot be written: {exc}") from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return Held(call_id, datetime.now(UTC), handle, self._asked(call_id))

    def find(self, to: str, caller_id: str, since_utc: datetime) -> tuple[str, ...]:
        """Return the calls between these numbers written down at or after a moment, oldest first."""
        try:
            names = sorted(path.stem for path in self._folder.glob("*.jsonl") if _CALL_ID.fullmatch(path.stem))
        except OSError as exc:
            raise Unavailable(f"{self._folder} cannot be read: {exc}") from exc
        found = []
        for call_id in names:
            if call_id[:21] < f"{since_utc.astimezone(UTC):%Y%m%dT%H%M%S%f}":
                continue
            lines = self.read(call_id).lines
            # Without a whole first line the call was not placed: that line is on the disk before anything is sent.
            same = lines and (lines[0].data.get("to"), lines[0].data.get("caller_id")) == (to, caller_id)
            if same and not any(line.what == NOT_PLACED for line in lines):
                found.append(call_id)
        return tuple(found)

    def ask_for_end(self, call_id: str) -> None:
        """Ask the process that holds a call to end it."""
        try:
            self._asked(call_id).touch()
        except OSError as exc:
            raise Unavailable(f"call {call_id} could not be ended: {exc}") from exc

    def _path(self, call_id: str) -> Path:
        return self._folder / f"{call_id}.jsonl"

    def _asked(self, call_id: str) -> Path:
        return self._folder / f"{call_id}.end"

    def _sync_folder(self) -> None:
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _locked(path: Path) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _line(what: str, at_utc: datetime, data: Mapping[str, Any]) -> bytes:
    return json.dumps({"at": at_utc.isoformat(), "what": what, **data}, ensure_ascii=True).encode() + b"\n"


def _lines(text: bytes) -> tuple[Line, ...]:
    """Return the whole lines; the last one may have been cut short by a crash."""
    lines = []
    for one in text.split(b"\n"):
        try:
            read = json.loads(one)
            at = datetime.fromisoformat(read.pop("at"))
            lines.append(Line(at, str(read.pop("what")), read))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return tuple(line for line in lines if line.at_utc.tzinfo is not None)

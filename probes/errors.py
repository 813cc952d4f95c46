"""What can go wrong: errors that we raise, and failures that are seen and reported as observations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class AuditError(Exception):
    """Root of the errors that a person reads: what was wrong, where, and how to mend it."""

    exit_code = 70

    def __init__(self, message: str, *, at: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message, self.at, self.fix = message, at, fix

    def __str__(self) -> str:
        lines = [self.message]
        if self.at:
            lines.append(f"  at  {self.at}")
        if self.fix:
            lines.append(f"  fix {self.fix}")
        return "\n".join(lines)


class PlacedFaults(ValueError):
    """Faults of a value that was read, each at its place within it, worded "what is wrong; how to mend it"."""

    def __init__(self, found: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.found = tuple(found)
        super().__init__(" / ".join(text for _, text in self.found))


class UserError(AuditError):
    """The input must be mended."""

    exit_code = 2


class Unavailable(AuditError):
    """Something outside, or on this machine, is not there now; trying later may help."""

    exit_code = 3


class BudgetReached(AuditError):
    """A limit of the plan is used up; more needs a changed plan."""

    exit_code = 4


class Refused(AuditError):
    """The safety gate forbids it; never retried by itself."""

    exit_code = 2


class FailureKind(StrEnum):
    """The closed list of what keeps a contact from going as planned. `UNKNOWN` comes with the raw text."""

    TIMEOUT = "timeout"
    NAME_NOT_FOUND = "name_not_found"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_LOST = "connection_lost"
    TLS = "tls"
    HTTP_ERROR = "http_error"
    REDIRECT_LOOP = "redirect_loop"
    ELEMENT_NOT_FOUND = "element_not_found"
    ELEMENT_AMBIGUOUS = "element_ambiguous"
    ELEMENT_UNUSABLE = "element_unusable"
    EXPECTATION_NOT_MET = "expectation_not_met"
    VALUE_NOT_READ = "value_not_read"
    LOGIN_FAILED = "login_failed"
    BLOCKED = "blocked"
    OUT_OF_BOUNDS = "out_of_bounds"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    NUMBER_UNREACHABLE = "number_unreachable"
    CARRIER_ERROR = "carrier_error"
    RECORDING_MISSING = "recording_missing"
    MAIL_REFUSED = "mail_refused"
    MAIL_RETURNED = "mail_returned"
    REFUSED_BY_GATE = "refused_by_gate"
    STOPPED = "stopped"
    STORE_FAILED = "store_failed"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"


class Side(StrEnum):
    """On whose side something happened."""

    OURS = "ours"
    VENDOR = "vendor"
    NETWORK = "network"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a contact did not go as planned.

    `side` says to whom it may be charged: a failure of ours is never charged to the vendor.
    """

    kind: FailureKind
    side: Side
    step: str
    text: str

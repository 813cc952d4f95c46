"""The provider's error numbers: what each means, whose matter it is, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probes.errors import AuditError, Failure, FailureKind, Refused, Side, Unavailable, UserError
from probes.telephony.carrier import NotPlaced


@dataclass(frozen=True, slots=True)
class ProviderError(Exception):
    """An answer of the provider that is not a success. `code` is its own number, null where it gave none."""

    status: int
    code: int | None
    message: str

    def __str__(self) -> str:
        number = f" {self.code}" if self.code else ""
        return f"error{number} (HTTP {self.status}): {self.message}"


@dataclass(frozen=True, slots=True)
class _Meaning:
    make: Callable[..., AuditError]
    meaning: str
    fix: str


def _unreachable(message: str, *, fix: str = "") -> NotPlaced:
    return NotPlaced(Failure(FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN, "dial", message), fix=fix)


# Source: the provider's error dictionary (2026-04), condensed.
_MEANINGS: dict[int, _Meaning] = {
    20003: _Meaning(UserError, "the credentials are not accepted", "check account SID and auth token (or API key)"),
    20008: _Meaning(UserError, "these are test credentials, which cannot do this", "use the live credentials"),
    20404: _Meaning(
        UserError, "there is no such call or recording in this account", "check the account SID and the id"
    ),
    20429: _Meaning(Unavailable, "too many requests at once", "try again later, or ask for a higher limit"),
    21201: _Meaning(UserError, "no number to call was given", "set the channel's number"),
    21205: _Meaning(UserError, "an address in the request is invalid", "check the public address"),
    21210: _Meaning(
        UserError,
        "the caller id is not verified for this account",
        "verify the number in the provider's console, or use one bought there",
    ),
    21211: _Meaning(UserError, "the number to call is invalid", "write it as +, country code and number"),
    21212: _Meaning(UserError, "the caller id is invalid", "write it as +, country code and number"),
    21213: _Meaning(UserError, "no caller id was given", "set the channel's caller_id"),
    21214: _Meaning(_unreachable, "the number cannot be reached", "check the number by calling it from a telephone"),
    21215: _Meaning(
        Refused,
        "the account may not call this country or range",
        "allow it under Voice > Geographic Permissions in the provider's console",
    ),
    21216: _Meaning(Refused, "the provider has blocked calls to this number", "ask the provider's support"),
    21217: _Meaning(UserError, "the number does not look like a telephone number", "check the channel's number"),
    21218: _Meaning(UserError, "the application of the request is invalid", "check the provider's settings"),
    21219: _Meaning(
        UserError,
        "a trial account may call verified numbers only",
        "verify the number in the provider's console, or upgrade the account",
    ),
    21220: _Meaning(UserError, "the call is not in a state that allows this", "nothing is to be done if it is over"),
}

# Found in the notifications of a call that became `failed`.
_NOTED: dict[int, tuple[FailureKind, Side, str]] = {
    13224: (FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN, "the number is invalid, or the provider cannot call it"),
    13225: (FailureKind.NUMBER_UNREACHABLE, Side.OURS, "the provider does not let this number be called"),
    13227: (FailureKind.NUMBER_UNREACHABLE, Side.OURS, "the account may not call this country or range"),
    32005: (FailureKind.NUMBER_UNREACHABLE, Side.NETWORK, "the call could not be routed"),
    12100: (FailureKind.CARRIER_ERROR, Side.OURS, "the script's document is not valid"),
    11200: (FailureKind.CARRIER_ERROR, Side.OURS, "our public address gave the provider no answer"),
    11205: (FailureKind.CARRIER_ERROR, Side.OURS, "our public address could not be reached by the provider"),
    11210: (FailureKind.CARRIER_ERROR, Side.OURS, "our public address has no name that the provider can look up"),
    31920: (FailureKind.CARRIER_ERROR, Side.OURS, "the provider could not open a WebSocket at our public address"),
    31921: (FailureKind.CARRIER_ERROR, Side.OURS, "the WebSocket at our public address broke off"),
}

OVER_ALREADY = frozenset({20404, 21220})


def explained(error: ProviderError, doing: str) -> AuditError:
    """Return the error of ours that says what the provider's error means and what a person can do."""
    known = _MEANINGS.get(error.code or 0)
    text = f"{doing}: {known.meaning} ({error})" if known else f"{doing}: {error}"
    if known is not None:
        return known.make(text, fix=known.fix)
    if error.status in (401, 403):
        return UserError(text, fix=_MEANINGS[20003].fix)
    if error.status == 429 or error.status >= 500:
        return Unavailable(text, fix="try again later; the provider's status page says if it is a known fault")
    if 300 <= error.status < 400:
        return UserError(text, fix="the address redirects; set the address that it leads to")
    return UserError(text, fix="look the number up in the provider's error dictionary")


def noted(code: int, message: str) -> Failure:
    """Return what a notification (error number and text) about a failed call means."""
    kind, side, meaning = _NOTED.get(
        code, (FailureKind.CARRIER_ERROR, Side.NOT_KNOWN, "the carrier could not put the call through")
    )
    return Failure(kind, side, "dial", f"{meaning} (error {code}: {message})")

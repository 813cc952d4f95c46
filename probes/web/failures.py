"""What went wrong on a page, in the words of the closed list, and on whose side (pure)."""

from __future__ import annotations

import re

from probes.errors import Failure, FailureKind, Side

# The browser's words for what the network did, and on whose side that is.
_NETWORK_ERRORS: tuple[tuple[str, FailureKind, Side], ...] = (
    ("ERR_BLOCKED_BY_CLIENT", FailureKind.OUT_OF_BOUNDS, Side.OURS),
    ("ERR_UNSAFE_REDIRECT", FailureKind.OUT_OF_BOUNDS, Side.OURS),
    ("ERR_UNKNOWN_URL_SCHEME", FailureKind.OUT_OF_BOUNDS, Side.OURS),
    ("ERR_TOO_MANY_REDIRECTS", FailureKind.REDIRECT_LOOP, Side.VENDOR),
    ("ERR_NAME_NOT_RESOLVED", FailureKind.NAME_NOT_FOUND, Side.NETWORK),
    ("ERR_NAME_RESOLUTION_FAILED", FailureKind.NAME_NOT_FOUND, Side.NETWORK),
    ("ERR_INTERNET_DISCONNECTED", FailureKind.CONNECTION_LOST, Side.OURS),
    ("ERR_NETWORK_CHANGED", FailureKind.CONNECTION_LOST, Side.OURS),
    ("ERR_PROXY_CONNECTION_FAILED", FailureKind.CONNECTION_REFUSED, Side.OURS),
    ("ERR_CONNECTION_REFUSED", FailureKind.CONNECTION_REFUSED, Side.VENDOR),
    ("ERR_ADDRESS_UNREACHABLE", FailureKind.CONNECTION_REFUSED, Side.NETWORK),
    ("ERR_CONNECTION_TIMED_OUT", FailureKind.TIMEOUT, Side.NETWORK),
    ("ERR_TIMED_OUT", FailureKind.TIMEOUT, Side.NETWORK),
    ("ERR_CERT_", FailureKind.TLS, Side.VENDOR),
    ("ERR_SSL_", FailureKind.TLS, Side.VENDOR),
    ("ERR_EMPTY_RESPONSE", FailureKind.CONNECTION_LOST, Side.VENDOR),
    ("ERR_INVALID_RESPONSE", FailureKind.UNREADABLE, Side.VENDOR),
    ("ERR_INVALID_HTTP_RESPONSE", FailureKind.UNREADABLE, Side.VENDOR),
    ("ERR_CONTENT_DECODING_FAILED", FailureKind.UNREADABLE, Side.VENDOR),
    ("ERR_INCOMPLETE_CHUNKED_ENCODING", FailureKind.CONNECTION_LOST, Side.NETWORK),
    ("ERR_CONTENT_LENGTH_MISMATCH", FailureKind.CONNECTION_LOST, Side.NETWORK),
    ("ERR_CONNECTION_", FailureKind.CONNECTION_LOST, Side.NETWORK),
    ("ERR_HTTP2_", FailureKind.CONNECTION_LOST, Side.NETWORK),
    ("ERR_QUIC_", FailureKind.CONNECTION_LOST, Side.NETWORK),
    ("ERR_INVALID_AUTH_CREDENTIALS", FailureKind.LOGIN_FAILED, Side.OURS),
    ("ERR_OUT_OF_MEMORY", FailureKind.TOO_LARGE, Side.VENDOR),
)
# Requests that ended so never reached the vendor: nothing was sent.
NEVER_LEFT = frozenset(
    {
        FailureKind.OUT_OF_BOUNDS,
        FailureKind.NAME_NOT_FOUND,
        FailureKind.CONNECTION_REFUSED,
        FailureKind.TLS,
    }
)
_WANTS_LOGIN = "it wants a login; one that the server asks for itself stands in basic_auth"
_LOST_BY_VENDOR = re.compile(r"net::(ERR_[A-Z0-9_]+)")


class StepFailed(Exception):
    """A step on a page did not come off; what the vendor or the network did is in `failure`."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def failed(kind: FailureKind, side: Side, step: str, text: str) -> StepFailed:
    """Make the exception for a failure."""
    return StepFailed(Failure(kind, side, step, text))


def classify(error_text: str, step: str, url: str) -> Failure | None:
    """Return the failure that the browser's own words for a network error mean, or None if they name none."""
    found = _LOST_BY_VENDOR.search(error_text)
    if found is None:
        return None
    name = found[1]
    for beginning, kind, side in _NETWORK_ERRORS:
        if name.startswith(beginning):
            if kind is FailureKind.LOGIN_FAILED:
                text = f"{url}: {_WANTS_LOGIN} ({name})"
            elif kind is FailureKind.OUT_OF_BOUNDS:
                text = f"{url} leads to a place that the plan does not name ({name}); add its host to hosts if it may"
            else:
                text = f"{url}: {name}"
            return Failure(kind, side, step, text)
    return Failure(FailureKind.UNKNOWN, Side.NOT_KNOWN, step, f"{url}: {name}")


def http_failure(status: int, step: str, url: str) -> Failure:
    """Return the failure that an HTTP status of 400 or more means."""
    if status >= 500:
        return Failure(FailureKind.HTTP_ERROR, Side.VENDOR, step, f"{url} answered {status}")
    if status == 429:
        return Failure(FailureKind.BLOCKED, Side.OURS, step, f"{url} answered 429: we came too often")
    if status in (401, 407):
        return Failure(FailureKind.LOGIN_FAILED, Side.OURS, step, f"{url} answered {status}: {_WANTS_LOGIN}")
    return Failure(FailureKind.HTTP_ERROR, Side.NOT_KNOWN, step, f"{url} answered {status}")

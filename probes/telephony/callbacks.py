"""The provider's status callbacks: are they the provider's, what do they say, and in which order did it happen.

Pure but for the provider's own signature check. Callbacks can be forged, late, doubled, out of order or lost; none of
that is an error of the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from twilio.request_validator import RequestValidator

from probes.telephony.carrier import CallState
from probes.telephony.twilio_answers import moment

_STATES = {
    "queued": CallState.DIALLING,
    "initiated": CallState.DIALLING,
    "ringing": CallState.RINGING,
    "in-progress": CallState.UP,
    "answered": CallState.UP,
    "completed": CallState.ENDED,
    "busy": CallState.ENDED,
    "no-answer": CallState.ENDED,
    "failed": CallState.ENDED,
    "canceled": CallState.ENDED,
}
SIGNATURE_HEADER = "X-Twilio-Signature"


class NotTheProviders(Exception):
    """The request is not signed by the provider, or not for us. Answer 403 and believe nothing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCallback:
    """One step of a call as the provider told it. `order` counts the steps of the call from 0."""

    call_id: str
    order: int
    state: CallState
    status: str
    at_utc: datetime | None
    duration_s: float | None
    sip_code: str | None


class CallbackReader:
    """Checks and reads callbacks of one account.

    `public_url` is the address under which the provider reaches us, as it was given to it: behind a proxy or tunnel the
    request's own address differs, and the signature covers the public one.
    """

    def __init__(self, public_url: str, account_id: str, auth_token: str) -> None:
        self._public_url, self._account_id = public_url.rstrip("/"), account_id
        self._validator = RequestValidator(auth_token)

    def url(self, path_and_query: str) -> str:
        """Return the public address of a path of ours."""
        return f"{self._public_url}/{path_and_query.lstrip('/')}"

    def check(self, path_and_query: str, form: Mapping[str, str | list[str]], signature: str | None) -> None:
        """Return if the provider signed this request.

        Raises:
            NotTheProviders: there is no signature, or it belongs to another address, content or key.
        """
        if not signature or not self._validator.validate(self.url(path_and_query), dict(form), signature):
            raise NotTheProviders("the signature does not fit the request")
        if form and form.get("AccountSid") != self._account_id:
            raise NotTheProviders("the request is about another account")

    def check_socket(self, path: str, signature: str | None) -> None:
        """Return if the provider signed this handshake of a WebSocket.

        Its documentation names the wss address as what is signed, and some of its systems have signed the https one,
        with or without a slash at the end; each of them needs the account's token.

        Raises:
            NotTheProviders: there is no signature, or it belongs to another address or key.
        """
        url = self.url(path)
        for each in (url.replace("http", "ws", 1), url):
            for end in ("", "/"):
                if signature and self._validator.validate(each + end, {}, signature):
                    return
        raise NotTheProviders("the signature does not fit the handshake")

    def status(self, path_and_query: str, form: Mapping[str, str], signature: str | None) -> StatusCallback:
        """Return what a status callback says.

        Raises:
            NotTheProviders: it is not the provider's.
            ValueError: it is, but not in the documented form.
        """
        self.check(path_and_query, form, signature)
        call_id, status = form.get("CallSid"), form.get("CallStatus", "")
        if not call_id or status not in _STATES:
            raise ValueError(f'a callback about call {call_id!r} with the status "{status}"')
        return StatusCallback(
            call_id=call_id,
            order=int(form.get("SequenceNumber") or 0),
            state=_STATES[status],
            status=status,
            at_utc=moment(form.get("Timestamp")),
            duration_s=float(form["CallDuration"]) if form.get("CallDuration") else None,
            sip_code=form.get("SipResponseCode") or None,
        )


def in_order(callbacks: tuple[StatusCallback, ...]) -> tuple[StatusCallback, ...]:
    """Return a call's callbacks as they happened: by the provider's own count, each step once.

    Where a step came twice with different content the first one to arrive stands; a replayed one changes nothing.
    """
    first: dict[int, StatusCallback] = {}
    for callback in callbacks:
        first.setdefault(callback.order, callback)
    return tuple(first[order] for order in sorted(first))

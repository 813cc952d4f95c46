"""Requests that the exchange makes of a customer's web server: documents fetched, and news of calls, all signed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode, urlsplit, urlunsplit

import httpx
from twilio.request_validator import RequestValidator

from probes.practice.call import PracticeCall, Progress
from probes.practice.problems import Notice
from probes.practice.resources import Exchanged, rfc2822, seconds_between

_TOO_LARGE_BYTES = 64 * 1024
_SHOWN = 2000


class WebClient:
    """Makes signed requests."""

    def __init__(self, auth_token: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._http = httpx.AsyncClient(timeout=15.0, follow_redirects=True, trust_env=False)

    async def close(self) -> None:
        """Free connections."""
        await self._http.aclose()

    async def send(
        self, method: str, url: str, parameters: Mapping[str, str], at_utc: datetime
    ) -> tuple[httpx.Response | None, Exchanged, Notice | None]:
        """Make a request; return its answer (None: there was none), the log entry and what went wrong."""
        started_s = time.monotonic()
        if method == "GET":
            parts = urlsplit(url)
            query = "&".join(part for part in (parts.query, urlencode(parameters)) if part)
            target = urlunsplit(parts._replace(query=query))
            signed, data = self._validator.compute_signature(target, {}), None
        else:
            target, signed, data = url, self._validator.compute_signature(url, dict(parameters)), dict(parameters)
        headers = {"X-Twilio-Signature": signed, "User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
        notice: Notice | None = None
        answer: httpx.Response | None = None
        try:
            answer = await self._http.request(method, target, data=data, headers=headers)
        except httpx.TooManyRedirects as exc:
            notice = Notice(11215, f"HTTP too many redirects: {exc}", url=url, method=method)
        except (httpx.HTTPError, httpx.InvalidURL) as exc:
            notice = Notice(11200, f"HTTP retrieval failure: {exc}", url=url, method=method)
        if answer is not None and answer.status_code >= 400:
            notice = Notice(11200, f"Got HTTP {answer.status_code} response to {url}", url=url, method=method)
        elif answer is not None and len(answer.content) > _TOO_LARGE_BYTES and "audio" not in _type_of(answer):
            notice = Notice(11750, "TwiML response body too large", url=url, method=method)
        took_ms = round((time.monotonic() - started_s) * 1000)
        status, kind = (0, "") if answer is None else (answer.status_code, _type_of(answer))
        body = "" if answer is None or "audio" in kind else answer.text[:_SHOWN]
        return answer, Exchanged(method, url, parameters, status, body, kind, took_ms, at_utc), notice


def _type_of(answer: httpx.Response) -> str:
    return str(answer.headers.get("content-type", ""))


def document_parameters(call: PracticeCall, account_sid: str) -> dict[str, str]:
    """Return what every request for a document tells of its call."""
    found = {"AnsweredBy": call.answered_by} if call.answered_by is not None else {}
    return found | {
        "AccountSid": account_sid,
        "ApiVersion": "2010-04-01",
        "CallSid": call.sid,
        "CallStatus": call.status.value,
        "Called": call.order.to,
        "Caller": call.order.caller,
        "Direction": "outbound-api",
        "From": call.order.caller,
        "To": call.order.to,
    }


def status_parameters(call: PracticeCall, account_sid: str, progress: Progress, number: int) -> dict[str, str]:
    """Return what a status callback tells; `number` counts them from 0."""
    told = document_parameters(call, account_sid) | {
        "CallStatus": progress.status,
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(number),
        "Timestamp": rfc2822(progress.at_utc) or "",
    }
    if progress.event == "completed":
        length_s = 0
        if call.answered_at_utc is not None and call.ended_at_utc is not None:
            length_s = seconds_between(call.answered_at_utc, call.ended_at_utc)
        told |= {
            "CallDuration": str(length_s),
            "Duration": str(-(-length_s // 60)),
            "SipResponseCode": str(call.sip_code),
        }
    return told

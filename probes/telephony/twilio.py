"""The telephone through Twilio, or through any service that speaks its API: the recorded way, by polling alone."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
from twilio.rest import Client

from probes.errors import AuditError, Failure, FailureKind, Side, Unavailable
from probes.telephony import twilio_answers as answers
from probes.telephony.carrier import (
    CallRequest,
    CallState,
    CallStatus,
    Capability,
    Dialled,
    DialUncertain,
    LiveCall,
    Press,
    RawRecord,
    RecordingInfo,
)
from probes.telephony.prices import minor
from probes.telephony.twilio_config import TwilioConfig
from probes.telephony.twilio_errors import OVER_ALREADY, ProviderError, explained, noted
from probes.telephony.twilio_http import Transport, last_body
from probes.telephony.twiml import document

ResultT = TypeVar("ResultT")

_STATES = {
    "queued": CallState.DIALLING,
    "initiated": CallState.DIALLING,
    "ringing": CallState.RINGING,
    "in-progress": CallState.UP,
    "completed": CallState.ENDED,
    "busy": CallState.ENDED,
    "no-answer": CallState.ENDED,
    "failed": CallState.ENDED,
    "canceled": CallState.ENDED,
}
_FAILURES = {
    "busy": Failure(FailureKind.BUSY, Side.VENDOR, "dial", "the number was busy"),
    "no-answer": Failure(FailureKind.NO_ANSWER, Side.VENDOR, "dial", "nobody answered"),
    "canceled": Failure(FailureKind.STOPPED, Side.OURS, "dial", "we cancelled the call before it was answered"),
    "failed": Failure(
        FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN, "dial", "the call could not be put through; no reason was given"
    ),
}
# Outbound calls: the calling side of the provider's gateway is us (facts of the provider's insights documentation).
_BYE_FROM = {"caller": Side.OURS, "callee": Side.VENDOR}

_ERROR_S = 1.0  # the provider tells its times in whole seconds
_CLOCKS_DIFFER_S = 5.0  # how far its clock may be from ours when calls are looked for
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class TwilioCarrier:
    """Places calls whose whole script is given beforehand, and reads what the provider knows of them."""

    name = "twilio"

    def __init__(self, config: TwilioConfig) -> None:
        """Keep the configuration; nothing is contacted before the first call."""
        self._config = config
        self._transport = Transport(config)
        # The package reads credentials, edge and region from the environment unless it is given one.
        self._client = Client(
            config.username, config.password, config.account_sid, http_client=self._transport, environment={"": ""}
        )
        self.capabilities = frozenset({Capability.RECORDED}) | (
            frozenset({Capability.WHO_ENDED, Capability.SIP_CODE}) if config.insights_base_url else frozenset()
        )

    async def dial(self, request: CallRequest) -> Dialled:
        """Place one call. The request is sent once, whatever happens to it."""
        arguments: dict[str, Any] = {
            "to": request.to,
            "from_": request.caller_id,
            "twiml": document(request.script, request.hold_line_s),
            "timeout": max(1, min(600, math.ceil(request.ring_at_most_s))),
            "time_limit": max(1, min(14400, math.ceil(request.longest_s))),
        }
        if request.record:
            # The defaults are one channel and silence cut off at both ends: offsets would mean nothing.
            arguments |= {
                "record": True,
                "recording_channels": "dual",
                "recording_track": "both",
                "trim": "do-not-trim",
            }
        doing = f"calling {request.to}"
        try:
            body = await self._ask(self._client.calls.create_async(**arguments))
        except ProviderError as exc:
            said = ProviderError(exc.status, exc.code, _hidden(exc.message, request))
            if exc.status >= 500 or exc.status == 408:
                raise _uncertain(doing, str(said)) from None
            raise explained(said, doing) from None
        except _NEVER_SENT as exc:
            raise self._unreachable(doing, exc) from exc
        except (httpx.HTTPError, TimeoutError) as exc:
            raise _uncertain(doing, _said(exc)) from exc
        try:
            call = answers.read(answers.CallAnswer, body)
        except Unavailable as exc:
            raise _uncertain(doing, exc.message) from exc
        return Dialled(call.sid, call.date_created, _ERROR_S)

    async def live(self, call_id: str) -> LiveCall | None:  # noqa: ARG002  (no call is placed live yet)
        """Return None: this carrier places no live calls yet."""
        return None

    async def status(self, call_id: str) -> CallStatus:
        """Return the call's state; once it is over, also recordings, notifications and (if bought) the summary."""
        body = await self._read(lambda: self._client.calls(call_id).fetch_async(), f"asking for call {call_id}")
        call = answers.read(answers.CallAnswer, body)
        state = _STATES.get(call.status)
        if state is None:
            raise Unavailable(f'the carrier gives call {call_id} the status "{call.status}", which is not known')
        raw = [_raw("call", body)]
        failure = _FAILURES.get(call.status)
        recordings: tuple[RecordingInfo, ...] = ()
        being_made = False
        end = answers.EndProperties()
        records_complete = True
        if state is CallState.ENDED:
            recordings, being_made = await self._recordings(call_id, raw)
            failure = await self._explained_failure(call_id, failure, raw)
            end, records_complete = await self._end(call_id, raw)
        answered_at, ended_at = _moments(call, state)
        return CallStatus(
            call_id=call_id,
            state=state,
            placed_at_utc=call.date_created,
            answered=call.status in ("in-progress", "completed") if state in (CallState.UP, CallState.ENDED) else None,
            answered_at_utc=answered_at,
            ended_at_utc=ended_at,
            error_s=_ERROR_S,
            duration_s=call.duration if call.status == "completed" else None,
            bye_from=_BYE_FROM.get((end.disconnected_by or "").lower()),
            bye_source="the carrier's call summary" if end.disconnected_by else None,
            code=end.last_sip_response_num,
            failure=failure,
            recordings=recordings,
            recordings_complete=not being_made,
            records_complete=records_complete,
            cost_minor=None if call.price is None or not call.price_unit else minor(abs(call.price), call.price_unit),
            currency=call.price_unit.upper() if call.price_unit else None,
            raw=tuple(raw),
        )

    async def hang_up(self, call_id: str) -> None:
        """End the call, ringing or answered; one that is over already stays over."""
        try:
            await self._retried(lambda: self._client.calls(call_id).update_async(status="completed"))
        except ProviderError as exc:
            if exc.code not in OVER_ALREADY:
                raise explained(exc, f"ending call {call_id}") from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self._unreachable(f"ending call {call_id}", exc) from exc

    async def recording(self, recording_id: str) -> tuple[bytes, str]:
        """Return the recording as WAV with both sides apart."""
        doing = f"fetching recording {recording_id}"
        body = await self._read(lambda: self._client.recordings(recording_id).fetch_async(), doing)
        media_url = answers.read(answers.RecordingAnswer, body).media_url or (
            f"{self._config.api_base_url.rstrip('/')}/2010-04-01/Accounts/{self._config.account_sid}"
            f"/Recordings/{recording_id}"
        )
        url = media_url.removesuffix(".json").removesuffix(".wav") + ".wav"
        try:
            return await self._backed_off(
                lambda: self._transport.download(url, {"RequestedChannels": "2"}, self._config.recording_at_most_bytes)
            )
        except ProviderError as exc:
            if exc.status == 404:
                raise Unavailable(
                    f"{doing}: the carrier has no audio for it yet", fix="try again in a minute"
                ) from None
            raise explained(exc, doing) from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self._unreachable(doing, exc) from exc

    async def find(self, to: str, caller_id: str, since_utc: datetime) -> tuple[str, ...]:
        """Return calls between these numbers since a moment, oldest first; the newest hundred are looked at."""
        # The provider's own time filters look at the start, which a waiting call does not have yet.
        body = await self._read(
            lambda: self._client.calls.page_async(to=to, from_=caller_id, page_size=100), f"looking for calls to {to}"
        )
        since = since_utc - timedelta(seconds=_ERROR_S + _CLOCKS_DIFFER_S)
        calls = answers.read(answers.CallsAnswer, body).calls
        found = [
            call
            for call in calls
            if (call.to or to) == to
            and (call.from_ or caller_id) == caller_id
            and (call.date_created is None or call.date_created >= since)
        ]
        return tuple(call.sid for call in reversed(found))

    async def close(self) -> None:
        """Free connections."""
        await self._transport.close()

    async def _recordings(self, call_id: str, raw: list[RawRecord]) -> tuple[tuple[RecordingInfo, ...], bool]:
        body = await self._read(
            lambda: self._client.calls(call_id).recordings.page_async(page_size=20),
            f"asking for the recordings of call {call_id}",
        )
        found = answers.read(answers.RecordingsAnswer, body).recordings
        if found:
            raw.append(_raw("recordings", body))
        return (
            tuple(_recording(one) for one in found if one.status in ("completed", "absent")),
            any(one.status not in ("completed", "absent") for one in found),
        )

    async def _explained_failure(self, call_id: str, failure: Failure | None, raw: list[RawRecord]) -> Failure | None:
        body = await self._read(
            lambda: self._client.calls(call_id).notifications.page_async(page_size=20),
            f"asking for the notifications of call {call_id}",
        )
        found = answers.read(answers.NotificationsAnswer, body).notifications
        if found:
            raw.append(_raw("notifications", body))
        codes = [one for one in found if one.error_code]
        if not codes:
            return failure
        told = noted(codes[0].error_code or 0, codes[0].message_text or "no text")
        if failure is None:
            # An answered call with a fault in our own script: it went on, but not as planned.
            return told if told.side is Side.OURS else None
        return told if failure.kind is FailureKind.NUMBER_UNREACHABLE else failure

    async def _end(self, call_id: str, raw: list[RawRecord]) -> tuple[answers.EndProperties, bool]:
        """Ask the insights for the end of the call; whoever has not bought them gets nothing, and that is no error."""
        if not self._config.insights_base_url:
            return answers.EndProperties(), True
        try:
            try:
                body = await self._summary(call_id, "partial")
            except ProviderError as exc:
                if exc.status != 404:
                    raise
                body = await self._summary(call_id, "complete")
            summary = answers.read(answers.SummaryAnswer, body)
        except ProviderError as exc:
            return answers.EndProperties(), exc.status in (401, 403)
        except (httpx.HTTPError, TimeoutError, Unavailable):
            return answers.EndProperties(), False
        raw.append(_raw("summary", body))
        end = summary.properties or answers.EndProperties()
        return end, bool(end.disconnected_by) or summary.processing_state == "complete"

    async def _summary(self, call_id: str, state: str) -> bytes:
        """Ask for one state of the summary; if none is named only the complete one is given, half an hour late."""
        summary = self._client.insights.v1.calls(call_id).summary()
        return await self._retried(lambda: summary.fetch_async(processing_state=state))

    async def _read(self, call: Callable[[], Awaitable[object]], doing: str) -> bytes:
        try:
            return await self._retried(call)
        except ProviderError as exc:
            raise explained(exc, doing) from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self._unreachable(doing, exc) from exc

    async def _retried(self, call: Callable[[], Awaitable[object]]) -> bytes:
        return await self._backed_off(lambda: self._ask(call()))

    async def _backed_off(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Repeat what has no effect (or the same effect) while the carrier says that it is too busy."""
        for wait_s in self._config.backoff_s:
            try:
                return await call()
            except ProviderError as exc:
                if exc.status not in (429, 503):
                    raise
            await asyncio.sleep(wait_s)
        return await call()

    @staticmethod
    async def _ask(call: Awaitable[object]) -> bytes:
        await call
        return last_body.get()

    def _unreachable(self, doing: str, exc: Exception) -> AuditError:
        return Unavailable(
            f"{doing}: {self._config.api_base_url} gives no answer ({_said(exc)})",
            fix="check the network and the carrier's address",
        )


def _uncertain(doing: str, why: str) -> DialUncertain:
    return DialUncertain(
        f"{doing}: the answer was lost, so the call may or may not have been placed ({why})",
        fix="look in the carrier's list of calls before calling again",
    )


def _hidden(text: str, request: CallRequest) -> str:
    """Take identification digits out of a text: the provider may quote the document that it refuses."""
    for line in request.script:
        if isinstance(line, Press) and line.secret:
            text = text.replace(line.digits, "(identification)")
    return text


def _said(exc: Exception) -> str:
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


def _raw(resource: str, body: bytes) -> RawRecord:
    return RawRecord(resource=resource, body=answers.without_document(body), media_type="application/json")


def _recording(one: answers.RecordingAnswer) -> RecordingInfo:
    lost = one.status == "absent"
    return RecordingInfo(
        recording_id=one.sid,
        failure=Failure(
            FailureKind.RECORDING_MISSING,
            Side.OURS,
            "record",
            f"the carrier lost the recording (error {one.error_code})" if one.error_code else "the recording is absent",
        )
        if lost
        else None,
        duration_s=one.duration,
        channels=one.channels or 1,
        starts_at_utc=one.start_time,
        starts_error_s=_ERROR_S,
    )


def _moments(call: answers.CallAnswer, state: CallState) -> tuple[datetime | None, datetime | None]:
    """Return when the call was answered and when it ended, in the carrier's whole seconds.

    An ended call was answered its duration before its end: that holds whether its start means dialling or answer.
    """
    if state is CallState.UP:
        return call.start_time, None
    if state is not CallState.ENDED:
        return None, None
    if call.status == "completed" and call.end_time and call.duration is not None:
        return call.end_time - timedelta(seconds=call.duration), call.end_time
    return None, call.end_time

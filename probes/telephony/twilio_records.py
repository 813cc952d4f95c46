"""What the provider keeps of a call that is over: recordings, notifications, its log of requests, the paid summary."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from probes.errors import AuditError, Failure, FailureKind, Side, Unavailable
from probes.telephony import twilio_answers as answers
from probes.telephony.carrier import RawRecord, RecordingInfo
from probes.telephony.twilio_api import Api
from probes.telephony.twilio_errors import ProviderError, noted

ERROR_S = 1.0  # the provider tells its times in whole seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What there is after the end; `complete` where the provider will not say more about the end itself."""

    recordings: tuple[RecordingInfo, ...] = ()
    being_made: bool = False
    failure: Failure | None = None
    end: answers.EndProperties = field(default_factory=answers.EndProperties)
    recording_prices: tuple[float | None, ...] = ()
    loss_ratio: float | None = None
    tags: tuple[str, ...] = ()
    complete: bool = True
    raw: tuple[RawRecord, ...] = ()


async def records_of(api: Api, call_id: str, failure: Failure | None) -> Records:
    """Read what the provider keeps of an ended call, `failure` being what its status alone says."""
    raw: list[RawRecord] = []
    found = await _recordings(api, call_id, raw)
    over = ("completed", "absent")
    failure = await _explained_failure(api, call_id, failure, raw)
    summary, complete = await _summary(api, call_id, raw)
    being_made = any(one.status not in over for one in found)
    if complete and not being_made:
        await _log(api, call_id, raw)
    edge = summary.carrier_edge.metrics.inbound if summary.carrier_edge and summary.carrier_edge.metrics else None
    lost_pct = edge.packets_loss_percentage if edge is not None else None
    return Records(
        recordings=tuple(_recording(one) for one in found if one.status in over),
        being_made=being_made,
        recording_prices=tuple(one.price for one in found if one.status != "absent"),
        failure=failure,
        end=summary.properties or answers.EndProperties(),
        loss_ratio=None if lost_pct is None else lost_pct / 100.0,
        tags=summary.tags,
        complete=complete,
        raw=tuple(raw),
    )


def raw_record(resource: str, body: bytes) -> RawRecord:
    """Return an answer as a record, without what may repeat our document."""
    return RawRecord(resource=resource, body=answers.without_document(body), media_type="application/json")


async def _recordings(api: Api, call_id: str, raw: list[RawRecord]) -> tuple[answers.RecordingAnswer, ...]:
    body = await api.read(
        lambda: api.client.calls(call_id).recordings.page_async(page_size=20),
        f"asking for the recordings of call {call_id}",
    )
    found = answers.read(answers.RecordingsAnswer, body).recordings
    if found:
        raw.append(raw_record("recordings", body))
    return found


async def _explained_failure(api: Api, call_id: str, failure: Failure | None, raw: list[RawRecord]) -> Failure | None:
    body = await api.read(
        lambda: api.client.calls(call_id).notifications.page_async(page_size=20),
        f"asking for the notifications of call {call_id}",
    )
    found = answers.read(answers.NotificationsAnswer, body).notifications
    if found:
        raw.append(raw_record("notifications", body))
    codes = [one for one in found if one.error_code]
    if not codes:
        return failure
    told = noted(codes[0].error_code or 0, codes[0].message_text or "no text")
    if failure is None:
        # An answered call with a fault in our own script: it went on, but not as planned.
        return told if told.side is Side.OURS else None
    return told if failure.kind is FailureKind.NUMBER_UNREACHABLE else failure


async def _log(api: Api, call_id: str, raw: list[RawRecord]) -> None:
    """Keep the provider's log of requests about the call, which it keeps for some weeks only."""
    with suppress(AuditError):
        body = await api.read(
            lambda: api.client.calls(call_id).events.page_async(page_size=1000), f"asking for the log of call {call_id}"
        )
        if answers.read(answers.EventsAnswer, body).events:
            raw.append(raw_record("events", body))


async def _summary(api: Api, call_id: str, raw: list[RawRecord]) -> tuple[answers.SummaryAnswer, bool]:
    """Ask the insights for the end of the call; whoever has not bought them gets nothing, and that is no error."""
    nothing = answers.SummaryAnswer()
    if not api.config.insights_base_url:
        return nothing, True
    insights = api.client.insights.v1.calls(call_id).summary()
    try:
        try:
            # If no state is named only the complete one is given, half an hour late.
            body = await api.retried(lambda: insights.fetch_async(processing_state="partial"))
        except ProviderError as exc:
            if exc.status != 404:
                raise
            body = await api.retried(lambda: insights.fetch_async(processing_state="complete"))
        summary = answers.read(answers.SummaryAnswer, body)
    except ProviderError as exc:
        return nothing, exc.status in (401, 403)
    except (httpx.HTTPError, TimeoutError, Unavailable):
        return nothing, False
    raw.append(raw_record("summary", body))
    told = summary.properties is not None and bool(summary.properties.disconnected_by)
    return summary, told or summary.processing_state == "complete"


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
        starts_error_s=ERROR_S,
    )

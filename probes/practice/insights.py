"""The provider's Insights API (v1): the summary of a call, some time after its end, where the paid option is active."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from probes.practice.call import PracticeCall, Status
from probes.practice.exchange import Exchange
from probes.practice.line import End
from probes.practice.problems import ProviderError, bad, not_found
from probes.practice.resources import seconds_between
from probes.practice.rest import answer, authenticate, refuse

# This API spells the states of a call differently from the other.
_STATES = {
    Status.QUEUED: "undialed",
    Status.RINGING: "ringing",
    Status.IN_PROGRESS: "answered",
    Status.COMPLETED: "completed",
    Status.BUSY: "busy",
    Status.FAILED: "fail",
    Status.NO_ANSWER: "noanswer",
    Status.CANCELED: "canceled",
}


def insights_app(exchange: Exchange) -> Starlette:
    """Return the API as an application."""

    async def summary(request: Request) -> Response:
        authenticate(request, exchange.account)
        if not exchange.switches.insights_on:
            raise ProviderError(403, 20403, "Voice Insights Advanced Features are not active for this account")
        asked = request.query_params.get("ProcessingState", "complete")
        if asked not in ("complete", "partial", "all"):
            raise bad(20001, f"Invalid ProcessingState value: {asked}")
        entry, now = exchange.look(request.path_params["call"]), exchange.clock.now_utc()
        ended = entry.call.ended_at_utc if entry is not None else None
        if entry is None:
            raise not_found(request.url.path)
        if ended is None:
            raise ProviderError(404, 17001, "Completed summary for this call wasn't found")
        complete = now >= ended + timedelta(seconds=exchange.switches.insights_complete_s)
        there = complete or now >= ended + timedelta(seconds=exchange.switches.insights_partial_s)
        if not there or (asked == "complete" and not complete):
            raise ProviderError(404, 17001, "Completed summary for this call wasn't found")
        url = str(request.url.replace(query=""))
        return answer(_summary(entry.call, exchange.account.sid, url, complete=complete))

    async def nothing(request: Request) -> Response:
        authenticate(request, exchange.account)
        raise not_found(request.url.path)

    routes = [
        Route("/v1/Voice/{call}/Summary", summary, methods=["GET"]),
        Route("/{rest:path}", nothing, methods=["GET", "POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={ProviderError: refuse})


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _summary(call: PracticeCall, account_sid: str, url: str, *, complete: bool) -> dict[str, Any]:
    assert call.ended_at_utc is not None
    answered = call.answered_at_utc
    pdd_ms = None
    if call.ringing_at_utc is not None:
        pdd_ms = round((call.ringing_at_utc - call.dialled_at_utc).total_seconds() * 1000)
    by = {End.CALLER: "caller", End.VENDOR: "callee", None: None}[call.disconnected_by]
    loss_pct = 100.0 * call.phone.channel.loss_ratio if call.phone is not None else 0.0
    metrics = {
        "codec_name": "pcmu",
        "packets_loss_percentage": round(loss_pct, 2),
        "jitter": {"avg": 1.2, "max": 6.0},
    }
    return {
        "account_sid": account_sid,
        "annotation": None,
        "answered_by": call.answered_by or "unknown",
        "attributes": {"conference_participant": False},
        "call_sid": call.sid,
        "call_state": _STATES[call.status],
        "call_type": "carrier",
        "carrier_edge": {"metrics": {"inbound": metrics, "outbound": metrics | {"packets_loss_percentage": 0.0}}},
        "client_edge": None,
        "connect_duration": seconds_between(answered, call.ended_at_utc) if answered is not None else 0,
        "created_time": _iso(call.created_at_utc),
        "duration": seconds_between(call.dialled_at_utc, call.ended_at_utc),
        "end_time": _iso(call.ended_at_utc),
        "from": {"caller": call.order.caller, "callee": call.order.to},
        "processing_state": "complete" if complete else "partial",
        "properties": {
            "direction": "outbound-api",
            "disconnected_by": by,
            "last_sip_response_num": str(call.sip_code),
            "pdd_ms": pdd_ms,
            "queue_time": call.queue_time_ms,
        },
        "sdk_edge": None,
        "sip_edge": None,
        "start_time": _iso(call.dialled_at_utc),
        "tags": [*(["high_packet_loss"] if loss_pct > 5.0 else []), *(["silence"] if call.line.lost else [])],
        "to": {"callee": call.order.to},
        "trust": None,
        "url": url,
    }

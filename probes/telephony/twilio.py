"""The telephone through Twilio, or through any service that speaks its API.

The recorded way works by polling alone. With a public address of ours calls can be live, and news of all calls comes
without being asked for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from probes.errors import AuditError, Failure, FailureKind, Side, Unavailable, UserError
from probes.telephony import twilio_answers as answers
from probes.telephony import twiml
from probes.telephony.carrier import (
    AudioEnd,
    CallRequest,
    CallState,
    CallStatus,
    Capability,
    Dialled,
    DialUncertain,
    LiveCall,
    Press,
    RawRecord,
)
from probes.telephony.prices import minor
from probes.telephony.public_address import PublicAddress
from probes.telephony.twilio_acts import LiveActs
from probes.telephony.twilio_api import Api
from probes.telephony.twilio_calls import STEPS, Calls
from probes.telephony.twilio_config import TwilioConfig
from probes.telephony.twilio_errors import ProviderError, explained
from probes.telephony.twilio_hooks import Hooks
from probes.telephony.twilio_live import TwilioLive
from probes.telephony.twilio_records import ERROR_S, Records, raw_record, records_of

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

_CLOCKS_DIFFER_S = 5.0  # how far its clock may be from ours when calls are looked for
_CHECKED_FOR_S = 300.0
_PRICED_AFTER_S = 180.0
_CLOSE_S = 5.0
_LIVES_KEPT = 200


class TwilioCarrier:
    """Places calls, reads what the provider knows of them, and (with a public address) takes part in live ones.

    `on_change` is told the id of a call of which something new is known; it must return at once.
    """

    name = "twilio"

    def __init__(
        self,
        config: TwilioConfig,
        address: PublicAddress | None = None,
        on_change: Callable[[str], None] | None = None,
    ) -> None:
        """Keep the configuration; nothing is contacted, and nothing listens, before the first call."""
        self._config, self._api = config, Api(config)
        self._calls, self._client = Calls(self._api), self._api.client
        self._address = address if config.auth_token else None  # callbacks are signed with the token
        self._hooks: Hooks | None = None
        if self._address is not None:
            self._hooks = Hooks(self._address, config.account_sid, config.auth_token, on_change)
        self._checked_s = -math.inf
        live = {Capability.LIVE_AUDIO, Capability.JOIN} if self._hooks is not None else set()
        paid = {Capability.WHO_ENDED, Capability.SIP_CODE} if config.insights_base_url else set()
        self.capabilities = frozenset({Capability.RECORDED}) | live | paid

    # --- placing ---

    async def dial(self, request: CallRequest) -> Dialled:
        """Place one call. The request is sent once, whatever happens to it."""
        if request.live and self._hooks is None:
            fix = (
                "set --public-url (HOLDPROOF_PUBLIC_URL) and the account's auth token, which callbacks are signed with"
            )
            raise UserError("a live call needs a public address for its audio", fix=fix)
        called_back = await self._opened(request)
        live = await self._expected(request) if request.live else None
        arguments: dict[str, Any] = {
            "to": request.to,
            "from_": request.caller_id,
            "twiml": live.first_document() if live else twiml.document(request.script, request.hold_line_s),
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
        if called_back:
            arguments |= self._callbacks(live.key if live else "call", request.record)
        try:
            call = await self._calls.place(f"calling {request.to}", arguments, _secrets(request))
        except DialUncertain:
            raise  # the call may be up: a live one is known by its key as soon as the provider calls back
        except BaseException:
            if live is not None and self._hooks is not None:
                del self._hooks.lives[live.key]
            raise
        if live is not None:
            live.is_placed(call.sid)
        return Dialled(call.sid, call.date_created, ERROR_S)

    async def _opened(self, request: CallRequest) -> bool:
        """Return whether we can be called back; a call that is not live can do without, while others have the port."""
        if self._address is None:
            return False
        try:
            await self._address.open()
        except UserError:
            if request.live:
                raise
            return False
        return True

    async def _expected(self, request: CallRequest) -> TwilioLive:
        """Make ready for a live call that is about to be dialled.

        Raises:
            Unavailable: the provider could not reach us, as far as can be told.
        """
        assert self._address is not None and self._hooks is not None  # noqa: PT018
        loop = asyncio.get_running_loop()
        if loop.time() - self._checked_s > _CHECKED_FOR_S:
            await self._address.check()
            self._checked_s = loop.time()
        live = TwilioLive(
            provider=LiveActs(self._calls, self._hooks, self._address),
            address=self._address,
            account_id=self._config.account_sid,
            caller_id=request.caller_id,
            longest_s=request.longest_s,
            pace=request.pace,
            start_s=self._config.start_s,
            stall_s=self._config.stall_s,
        )
        self._hooks.lives[live.key] = live
        over = [key for key, one in self._hooks.lives.items() if one.over.is_set()]
        for key in over[: max(0, len(self._hooks.lives) - _LIVES_KEPT)]:
            del self._hooks.lives[key]
        return live

    def _callbacks(self, key: str, record: bool) -> dict[str, Any]:
        assert self._address is not None
        asked: dict[str, Any] = {
            "status_callback": self._address.url(f"twilio/status/{key}"),
            "status_callback_event": STEPS,
        }
        if record:
            asked |= {
                "recording_status_callback": self._address.url(f"twilio/recording/{key}"),
                "recording_status_callback_event": ["completed", "absent"],
            }
        return asked

    # --- live calls ---

    async def live(self, call_id: str) -> LiveCall | None:
        """Return the live side of a call once its audio is here; None if this process cannot have it.

        Callbacks tell at once what becomes of the call; in case they get lost it is looked at every few seconds.
        """
        live = self._hooks.live(call_id) if self._hooks is not None else None
        loop = asyncio.get_running_loop()
        up_since_s: float | None = None
        while live is not None and not live.audible.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.look_s):
                    await live.changed()
            if live.audible.is_set():
                break
            if live.over.is_set() or live.deaf.is_set():
                return None
            state = (await self._calls.fetch(call_id))[0]
            if state is CallState.ENDED:
                live.end()
            elif state is CallState.UP:
                up_since_s = loop.time() if up_since_s is None else up_since_s
                if loop.time() - up_since_s > self._config.deaf_s:
                    live.stream_failed("it did not come")
                    up_since_s = loop.time()
        return live

    # --- looking ---

    async def status(self, call_id: str) -> CallStatus:
        """Return the call's state; once it is over, also recordings, notifications and (if bought) the summary."""
        state, call, body = await self._calls.fetch(call_id)
        failure = _FAILURES.get(call.status)
        kept = await records_of(self._api, call_id, failure) if state is CallState.ENDED else Records(failure=failure)
        news = self._hooks.news(call_id) if self._hooks is not None else None
        live = self._hooks.live(call_id) if self._hooks is not None else None
        if live is not None and state is CallState.ENDED:
            live.end()
        answered_at, ended_at = _moments(call, state)
        cost_minor, leg_raw = await self._cost(call, kept, live)
        last = news.last if news is not None else None
        return CallStatus(
            call_id=call_id,
            state=state,
            placed_at_utc=call.date_created,
            answered=call.status in ("in-progress", "completed") if state in (CallState.UP, CallState.ENDED) else None,
            answered_at_utc=answered_at,
            ended_at_utc=ended_at,
            error_s=ERROR_S,
            duration_s=call.duration if call.status == "completed" else None,
            bye_from=_BYE_FROM.get((kept.end.disconnected_by or "").lower()),
            bye_source="the carrier's call summary" if kept.end.disconnected_by else None,
            code=kept.end.last_sip_response_num or (last.sip_code if last is not None else None),
            failure=kept.failure,
            recordings=kept.recordings,
            recordings_complete=not kept.being_made,
            records_complete=kept.complete,
            cost_minor=cost_minor,
            currency=call.price_unit.upper() if call.price_unit else None,
            raw=(
                raw_record("call", body),
                *kept.raw,
                *leg_raw,
                *(news.raw if news is not None else ()),
                *(live.records() if live is not None and state is CallState.ENDED else ()),
            ),
            audio_end=live.audio_end if live is not None else None,
            loss_ratio=kept.loss_ratio,
            line_faults=_line_faults(kept, live),
        )

    async def _cost(
        self, call: answers.CallAnswer, kept: Records, live: TwilioLive | None
    ) -> tuple[float | None, tuple[RawRecord, ...]]:
        """Return what the call cost, its recording and our auditor's own leg included, once all of it is known.

        The provider does not say what a stream cost. It may never price a recording: that is waited for a while only.
        """
        if call.price is None or not call.price_unit:
            return None, ()
        unpriced = None in kept.recording_prices and call.end_time is not None
        if unpriced and datetime.now(UTC) - (call.end_time or datetime.now(UTC)) < timedelta(seconds=_PRICED_AFTER_S):
            return None, ()
        price = abs(call.price) + sum(abs(one or 0.0) for one in kept.recording_prices)
        raw: tuple[RawRecord, ...] = ()
        if live is not None and live.leg_id is not None:
            state, leg, body = await self._calls.fetch(live.leg_id)
            if state is not CallState.ENDED or (leg.price is None and leg.duration):
                return None, ()
            price, raw = price + abs(leg.price or 0.0), (raw_record("joined_call", body),)
        return minor(price, call.price_unit), raw

    # --- ending, and what is left ---

    async def hang_up(self, call_id: str) -> None:
        """End the call, ringing or answered; one that is over already stays over."""
        live = self._hooks.live(call_id) if self._hooks is not None else None
        await self._calls.end(call_id)
        if live is not None and live.leg_id is not None:
            with suppress(AuditError):  # it ends with the room that it is in
                await self._calls.end(live.leg_id)

    async def recording(self, recording_id: str) -> tuple[bytes, str]:
        """Return the recording as WAV with both sides apart."""
        doing = f"fetching recording {recording_id}"
        body = await self._api.read(lambda: self._client.recordings(recording_id).fetch_async(), doing)
        media_url = answers.read(answers.RecordingAnswer, body).media_url or (
            f"{self._config.api_base_url.rstrip('/')}/2010-04-01/Accounts/{self._config.account_sid}"
            f"/Recordings/{recording_id}"
        )
        url = media_url.removesuffix(".json").removesuffix(".wav") + ".wav"
        try:
            return await self._api.backed_off(
                lambda: self._api.transport.download(
                    url, {"RequestedChannels": "2"}, self._config.recording_at_most_bytes
                )
            )
        except ProviderError as exc:
            if exc.status == 404:
                raise Unavailable(
                    f"{doing}: the carrier has no audio for it yet", fix="try again in a minute"
                ) from None
            raise explained(exc, doing) from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self._api.unreachable(doing, exc) from exc

    async def find(self, to: str, caller_id: str, since_utc: datetime) -> tuple[str, ...]:
        """Return calls between these numbers since a moment, oldest first; the newest hundred are looked at."""
        # The provider's own time filters look at the start, which a waiting call does not have yet.
        body = await self._api.read(
            lambda: self._client.calls.page_async(to=to, from_=caller_id, page_size=100), f"looking for calls to {to}"
        )
        since = since_utc - timedelta(seconds=ERROR_S + _CLOCKS_DIFFER_S)
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
        """End the live calls that only this process can lead, and free connections."""
        lives = [one for one in self._hooks.lives.values() if one.call_id] if self._hooks is not None else []
        up = [one for one in lives if not one.over.is_set()]
        for one in up:
            with suppress(AuditError, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self.hang_up(one.call_id)
            one.end()
        await self._api.close()


def _secrets(request: CallRequest) -> tuple[str, ...]:
    return tuple(line.digits for line in request.script if isinstance(line, Press) and line.secret)


def _line_faults(kept: Records, live: TwilioLive | None) -> tuple[str, ...]:
    """Return what speaks for a line that failed; that a call took long to be set up does not."""
    faults = tuple(tag for tag in kept.tags if tag != "high_pdd")
    broken = live is not None and live.audio_end is AudioEnd.BROKEN
    return (*faults, "the audio broke off without a word") if broken else faults


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

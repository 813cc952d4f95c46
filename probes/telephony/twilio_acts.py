"""What is done to a live call at the provider: documents, streams, and a telephone of ours that is joined."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress

from probes.errors import AuditError, Unavailable
from probes.telephony import twiml
from probes.telephony.callbacks import StatusCallback
from probes.telephony.carrier import CallOver, CallState
from probes.telephony.media_stream import TOKEN_PARAMETER
from probes.telephony.public_address import PublicAddress
from probes.telephony.twilio_calls import STEPS, Calls
from probes.telephony.twilio_hooks import Hooks
from probes.telephony.twilio_live import TwilioLive


class LiveActs:
    """Acts on live calls (see `twilio_live.Provider`)."""

    def __init__(self, calls: Calls, hooks: Hooks, address: PublicAddress) -> None:
        self._calls, self._hooks, self._address = calls, hooks, address
        self._client, self._look_s = calls.api.client, calls.api.config.look_s

    async def send_document(self, call_id: str, document: str, hidden: str = "") -> None:
        """Let a call play a document from now on; CallOver where it has ended."""
        await self._calls.act(call_id, lambda: self._client.calls(call_id).update_async(twiml=document), hidden)

    async def start_stream(self, call_id: str, live: TwilioLive) -> None:
        """Ask for a further stream of a call; CallOver where it has ended."""
        try:
            await self._calls.act(
                call_id,
                lambda: self._client.calls(call_id).streams.create_async(
                    url=live.stream_url,
                    track="both_tracks",
                    status_callback=live.path("stream-status"),
                    parameter1_name=TOKEN_PARAMETER,
                    parameter1_value=live.token,
                ),
            )
        except CallOver:
            # Services that speak the provider's API without this part of it answer in the same way.
            if (await self._calls.fetch(call_id))[0] is CallState.ENDED:
                raise
            raise Unavailable(f"the carrier starts no further stream of call {call_id}") from None

    async def join_call(self, live: TwilioLive, number: str, ring_at_most_s: float) -> bool:
        """Let a telephone ring; once it is answered, bring both calls together in a room of their own.

        The vendor's call is not touched before that: nobody there hears it ring, and it goes on if nobody answers.
        """
        room, changed = f"holdproof-{live.key}", asyncio.Event()
        seen: list[tuple[str, CallState]] = []  # an earlier try's last callbacks may still come

        def told(step: StatusCallback) -> None:
            seen.append((step.call_id, step.state))
            changed.set()

        arguments = {
            "to": number,
            "from_": live.caller_id,
            "twiml": twiml.response(twiml.conference(room)),
            "timeout": max(1, min(600, math.ceil(ring_at_most_s))),
            "time_limit": max(1, min(14400, math.ceil(live.longest_s))),
            "status_callback": self._address.url(f"twilio/leg/{live.key}"),
            "status_callback_event": STEPS,
        }
        self._hooks.watch_leg(live.key, told)
        joined = False
        try:
            leg = await self._calls.place(f"calling our own telephone {number}", arguments, ())
            live.leg_id = leg.sid
            while not live.over.is_set() and not {(leg.sid, CallState.UP), (leg.sid, CallState.ENDED)} & set(seen):
                changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_s):
                        await changed.wait()
                if not changed.is_set():
                    seen.append((leg.sid, (await self._calls.fetch(leg.sid))[0]))
            if live.over.is_set():
                raise CallOver("the call ended before our own telephone was answered")
            if (leg.sid, CallState.ENDED) not in seen:
                await live.send(twiml.response(twiml.conference(room, live.path("hold"))))
                joined = True
            return joined
        finally:
            self._hooks.watch_leg(live.key, None)
            if live.leg_id is not None and not joined:
                with suppress(AuditError):
                    await self._calls.end(live.leg_id)

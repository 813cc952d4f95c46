"""The telephone through a SIP trunk, by the stack in this process: calls that we act on while they last."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from probes.errors import AuditError, Unavailable, UserError
from probes.telephony.carrier import (
    CallOver,
    CallRequest,
    CallState,
    CallStatus,
    Capability,
    Dialled,
    DialUncertain,
    Frame,
    LiveCall,
    Press,
    Say,
)
from probes.telephony.sip_config import CURE, MISSING, SipConfig, installed
from probes.telephony.sip_farewell import Goodbye, goodbye_of, send
from probes.telephony.sip_journal import GOODBYE, Entry, Held, Journal
from probes.telephony.sip_line import SipLine
from probes.telephony.sip_records import ERROR_S, status_of
from probes.telephony.sip_stack import SipStack

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_END_AT_MOST_S = 6.0
_OWED_FOR = timedelta(hours=5)  # no call is allowed to last longer
_KEPT_S = 120.0  # how long what came of an ended call can still be read by who was late


class SipCarrier:
    """Places calls over a trunk. What is known of them stands in a journal in the home."""

    name = "sip"
    capabilities = frozenset({Capability.LIVE_AUDIO, Capability.WHO_ENDED, Capability.SIP_CODE, Capability.JOIN})

    def __init__(self, config: SipConfig, folder: Path) -> None:
        """Keep the configuration; nothing is started before the first call."""
        if not installed():
            raise UserError(MISSING, fix=CURE)
        self._config = config
        self._journal = Journal(folder)
        self._stack: SipStack | None = None
        self._starting = asyncio.Lock()
        self._lines: dict[str, SipLine] = {}

    async def dial(self, request: CallRequest) -> Dialled:
        """Write the call down, then send the request for it, once."""
        if request.script or not request.live:
            raise UserError("a SIP trunk carries out no script by itself", fix="use a script that runs live")
        line = await self._dial(request.to, request.caller_id, request.ring_at_most_s, request.longest_s)
        return Dialled(line.call_id, line.placing_at_utc, ERROR_S)

    async def live(self, call_id: str) -> LiveCall | None:
        """Return the live side of a call that this carrier placed, once it is answered."""
        line = self._lines.get(call_id)
        if line is None or not await asyncio.wrap_future(line.up):
            return None
        return SipCall(self, line)

    async def status(self, call_id: str) -> CallStatus:
        """Return what the call's record says; the same in whatever process.

        A call whose process has died is ended first, by whoever looks at it: nobody else would.
        """
        entry = await asyncio.to_thread(self._journal.read, call_id)
        line = self._lines.get(call_id)
        if (line is None or line.is_over) and (goodbye := _unsaid_goodbye(entry)) is not None:
            await self._take_leave(call_id, goodbye)
            entry = await asyncio.to_thread(self._journal.read, call_id)
        return status_of(entry)

    async def hang_up(self, call_id: str) -> None:
        """End the call; where another process holds it, ask that one."""
        line = self._lines.get(call_id)
        if line is not None and self._stack is not None:
            await self._stack.do(line.hang_up("asked"))
        elif (await self.status(call_id)).state is not CallState.ENDED:
            await asyncio.to_thread(self._journal.ask_for_end, call_id)
        until_s = time.monotonic() + _END_AT_MOST_S
        while (await self.status(call_id)).state is not CallState.ENDED:
            if time.monotonic() > until_s:
                raise Unavailable(f"call {call_id} has not ended yet", fix="ask again")
            await asyncio.sleep(0.05)

    async def recording(self, recording_id: str) -> tuple[bytes, str]:
        """Refuse: a trunk keeps no recordings."""
        raise Unavailable(f"there is no recording {recording_id}: a SIP trunk keeps none")

    async def find(self, to: str, caller_id: str, since_utc: datetime) -> tuple[str, ...]:
        """Return the calls of the journal; every call stands there before it is placed."""
        return await asyncio.to_thread(self._journal.find, to, caller_id, since_utc)

    async def close(self) -> None:
        """End what is still up and stop the stack, unless others use it."""
        stack, self._stack = self._stack, None
        if stack is not None:
            await asyncio.to_thread(stack.release)

    async def _take_leave(self, call_id: str, goodbye: Goodbye) -> None:
        held = await asyncio.to_thread(self._journal.take_over, call_id)
        if held is None:
            return
        try:
            answer = await send(goodbye, self._config.user, self._config.password)
            held.add(GOODBYE, uri=goodbye.uri, answer=answer)
        finally:
            held.close()

    async def join(self, line: SipLine, number: str, ring_at_most_s: float) -> bool:
        """Call our auditor and put the two calls together; when the auditor hangs up, the first call is ended too."""
        if line.is_over:
            raise CallOver
        other = await self._dial(number, line.caller_id, ring_at_most_s, line.longest_s)
        assert self._stack is not None
        await self._stack.do(line.stand_by(other))
        answered = await asyncio.wrap_future(other.up)
        if answered:
            await self._stack.do(line.bridge(other))
        elif line.is_over:
            raise CallOver
        return answered

    async def _dial(self, to: str, caller_id: str, ring_at_most_s: float, longest_s: float) -> SipLine:
        for number in (to, caller_id):
            if not _E164.fullmatch(number):
                raise UserError(f'"{number}" is no international number', fix='write it as "+442079460123"')
        stack = await self._started()
        if stack.live_calls >= self._config.calls_at_most:
            raise Unavailable(f"{stack.live_calls} calls over SIP are up already", fix="wait until one has ended")
        way = {"server": self._config.server, "transport": self._config.transport}
        held = await asyncio.to_thread(lambda: self._journal.begin(to, caller_id, **way))
        return await stack.do(self._place(stack, held, to, caller_id, ring_at_most_s, longest_s))

    async def _place(
        self, stack: SipStack, held: Held, to: str, caller_id: str, ring_at_most_s: float, longest_s: float
    ) -> SipLine:
        """Send the request; in the stack's thread."""
        import baresip

        line = SipLine(held, caller_id, ring_at_most_s, longest_s, stack.forget)
        doing = f"calling {to}"
        try:
            await stack.dial(self._config, caller_id, f"sip:{to}@{self._config.server}", line)
        except (baresip.CommandTimeout, baresip.RuntimeDead) as exc:
            line.lost(str(exc))
            raise DialUncertain(f"{doing}: the SIP stack gives no answer, so the call may have been placed") from exc
        except (baresip.BaresipError, ValueError) as exc:
            held.not_placed(str(exc))
            raise Unavailable(f"{doing}: {exc}", fix="look at HOLDPROOF_SIP_SERVER and …_INTERFACE") from exc
        except AuditError as exc:
            held.not_placed(exc.message)
            raise
        now_s = time.monotonic()
        for call_id, one in tuple(self._lines.items()):
            if one.ended_s is not None and now_s - one.ended_s > _KEPT_S:
                del self._lines[call_id]
        self._lines[line.call_id] = line
        return line

    async def _started(self) -> SipStack:
        async with self._starting:
            if self._stack is None:
                self._stack = await asyncio.to_thread(SipStack.shared, self._config)
            return self._stack

    @property
    def stack(self) -> SipStack:
        """The running stack.

        Raises:
            CallOver: it was stopped, and every call with it.
        """
        if self._stack is None:
            raise CallOver
        return self._stack


class SipCall:
    """The live side of a call."""

    def __init__(self, carrier: SipCarrier, line: SipLine) -> None:
        self._carrier, self._line = carrier, line
        self.call_id = line.call_id

    def frames(self) -> AsyncIterator[Frame]:
        """Yield both sides' audio by media time, which counts from the answer."""
        return self._line.pipe.frames()

    async def send_digits(self, press: Press) -> None:
        """Press keys as RFC 4733 has them: they go beside the audio and are heard in none of it."""
        await self._carrier.stack.do(self._line.press(press.digits))

    async def play(self, line: Say) -> None:
        """Speak a line; it has been sent when this returns."""
        pcm = await asyncio.to_thread(_spoken, line.text, line.language)
        await self._carrier.stack.do(self._line.say(pcm))

    async def join(self, number: str, ring_at_most_s: float) -> bool:
        """Call our auditor and join the calls."""
        return await self._carrier.join(self._line, number, ring_at_most_s)


def _unsaid_goodbye(entry: Entry) -> Goodbye | None:
    """Return the goodbye that a call is owed: it was answered, its process has died, and it may still be up."""
    happened = {line.what for line in entry.lines}
    if entry.held or "answered" not in happened or happened & {"ended", GOODBYE}:
        return None
    if datetime.now(UTC) - entry.lines[0].at_utc > _OWED_FOR:
        return None
    return goodbye_of(entry.lines)


@lru_cache(maxsize=64)
def _spoken(text: str, language: str) -> bytes:
    from probes.speech import speech, voice_for
    from probes.telephony.sip_media import to_pcm

    return to_pcm(speech(text, voice_for(language)))

"""A live call from dialling to its end, in the process that placed it: the script is carried out, what is heard kept.

Runs as a contact's work (`probes.running`); the looks of `following` take what it has seen from there. The carrier's
records, and its recording where it makes one, are theirs to fetch.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from probes.errors import AuditError, Unavailable
from probes.events import CallHeard, CallRecorded, ClockName, DigitsSent, LineSaid, Payload, ScriptStepEnded
from probes.model import Act, Artifact, Seen, Sighting, Tools
from probes.telephony.carrier import CallOver, Carrier, LiveCall
from probes.telephony.channel import Handle, LiveState
from probes.telephony.script import LiveScript, Planned

if TYPE_CHECKING:
    from probes.audio.timeline import Timeline
    from probes.running import RunningContact
    from probes.telephony.live_line import LiveLine
    from probes.telephony.own_recording import OwnRecording

_SETTING_UP_REAL_S = 60.0
_GOODBYE_REAL_S = 10.0
_SLACK_S = 30.0


class LiveContact:
    """One live call. Its state is kept in the running contact's handle, for whoever looks."""

    def __init__(
        self,
        contact: RunningContact,
        tools: Tools,
        carrier: Carrier,
        script: LiveScript,
        handle: Handle,
        join: Act | None,
    ) -> None:
        """Take the call as it was placed; `join` is the act that lets our auditor's telephone ring."""
        self._contact, self._tools, self._carrier, self._script = contact, tools, carrier, script
        self._join = join
        contact.handle = handle

    async def run(self) -> Seen:
        """Wait for the answer, carry the script out, end the call, keep what was heard."""
        try:
            call = await self._answered()
            if call is not None:
                await self._talk(call)
        except AuditError as exc:
            self._set(failure=exc.message)
        finally:
            await self._hang_up()
            self._set(over=True)
        return Seen(handle=self._handle)

    @property
    def _handle(self) -> Handle:
        handle: Handle = self._contact.handle
        return handle

    @property
    def _state(self) -> LiveState:
        assert self._handle.live is not None
        return self._handle.live

    def _set(self, **changes: object) -> None:
        self._contact.handle = replace(self._handle, live=replace(self._state, **changes))  # type: ignore[arg-type]

    async def _answered(self) -> LiveCall | None:
        """Return the call once it is answered; None where it was not, or everything was stopped first."""
        waiting = asyncio.ensure_future(self._carrier.live(self._handle.call_id))
        stopping = asyncio.ensure_future(self._contact.stopping.wait())
        longest_real_s = _SETTING_UP_REAL_S + self._tools.clock.real_delay_s(self._handle.ring_at_most_s)
        try:
            await asyncio.wait({waiting, stopping}, timeout=longest_real_s, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            if not stopping.done():
                self._set(failure="the call's audio did not reach us")
            return None
        finally:
            for task in (waiting, stopping):
                task.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)

    async def _talk(self, call: LiveCall) -> None:
        from probes.telephony.live_line import LineLost, LiveLine  # brings the listener, which takes a moment to load
        from probes.telephony.own_recording import OwnRecording

        recording = OwnRecording(self._handle.longest_s + _SLACK_S) if self._state.keeps_audio else None
        line = LiveLine(call, self._tools.clock, recording)
        listening = asyncio.ensure_future(line.run())
        try:
            await self._act(line)
            if not line.over:
                await self._hang_up()
        finally:
            await asyncio.wait({listening}, timeout=_GOODBYE_REAL_S)
            listening.cancel()
            (failed,) = await asyncio.gather(listening, return_exceptions=True)
            self._note_end(line)
            try:
                await self._keep(line)
            finally:
                if recording is not None:
                    recording.close()
            if isinstance(failed, Exception) and not isinstance(failed, LineLost):
                raise failed  # a bug of ours: it is recorded with its traceback

    async def _act(self, line: LiveLine) -> None:
        """Carry the script out until it or the call ends, the longest time is over, or everything is stopped."""
        from probes.telephony.script_run import Broken, ScriptRun

        async def to_the_limit() -> None:
            with suppress(CallOver):
                await line.until(lambda ear: True if ear.heard_s >= self._handle.longest_s else None, float("inf"))
                self._set(at_limit=True)

        auditor = None if self._join is None else self._join.target
        run = ScriptRun(self._script, line, self._Report(self, line), auditor, self._may_join)
        script = asyncio.ensure_future(run.run())
        limit = asyncio.ensure_future(to_the_limit())
        stopping = asyncio.ensure_future(self._contact.stopping.wait())
        tasks = {script, limit, stopping}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if script.done():
                try:
                    script.result()
                except CallOver:  # before we asked for anything, though some of its audio may not be heard yet
                    if not self._contact.stopping.is_set():
                        self._set(audio_ended_at_utc=line.ended_at_utc or self._tools.clock.now_utc())
                except Broken as exc:
                    self._set(failure=f"the script could not go on: {exc}")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._set(media_starts_at_utc=line.starts_at_utc)

    def _may_join(self) -> None:
        """Ask the gate whether our auditor's telephone may ring; its act was reserved with the call."""
        if self._join is not None:
            self._tools.gate.check(self._join)

    async def _hang_up(self) -> None:
        """End the call, once; also where its audio has ended: what broke may have been the audio alone."""
        if self._handle.hang_up_asked_at_utc is not None:
            return
        asked_at = self._tools.clock.now_utc()
        with suppress(Unavailable):  # the carrier's own time limit ends it
            await self._carrier.hang_up(self._handle.call_id)
        self._contact.handle = replace(self._handle, hang_up_asked_at_utc=asked_at)

    def _note_end(self, line: LiveLine) -> None:
        asked = self._handle.hang_up_asked_at_utc
        ended = line.ended_at_utc
        by_itself = self._state.audio_ended_at_utc is not None
        stopped = self._contact.stopping.is_set()  # whoever stopped it has asked for the hang-up
        if ended is not None and (by_itself or (not stopped and (asked is None or ended <= asked))):
            quiet_s = line.now_s - line.ear.sound_s
            self._set(audio_ended_at_utc=ended, quiet_before_end_s=round(max(0.0, quiet_s), 3))
        if line.lost:
            self._set(failure="no audio came any more though the call had not ended")

    # --- what was done and heard ---

    class _Report:
        """Takes note of the script's steps."""

        def __init__(self, live: LiveContact, line: LiveLine) -> None:
            self._live, self._line = live, line

        def acted(self, what: Planned, t_s: float) -> None:
            """Note that we pressed or said something."""
            state = self._live._state
            self._live._set(
                done=(*state.done, what),
                done_at_s=(*state.done_at_s, round(t_s, 3)),
                media_starts_at_utc=self._line.starts_at_utc,
            )
            if not self._live._handle.recorded:  # else its moment is heard in the carrier's recording
                self._live._say(done_event(what, round(t_s, 3)), t_s, self._line)

        def step_ended(self, what: ScriptStepEnded) -> None:
            """Note that a step is over."""
            self._live._say(what, what.known_s, self._line)

    def _say(self, what: Payload, t_s: float, line: LiveLine, artifacts: tuple[Artifact, ...] = ()) -> None:
        starts_at = line.starts_at_utc or self._handle.dialled_at_utc
        at = starts_at + timedelta(seconds=t_s)
        self._contact.saw(Sighting(what=what, at_utc=at, clock=ClockName.MEDIA, artifacts=artifacts))

    async def _keep(self, line: LiveLine) -> None:
        """Keep the recording of ours, or where none may be kept only what was heard."""
        if self._handle.recorded:
            return
        if line.recording is None:
            timeline = await asyncio.to_thread(line.ear.finish)
            if timeline is not None:
                self._heard(timeline, line)
        else:
            await self._keep_own(line, line.recording)
        self._contact.handle = replace(self._handle, recording_done=True)

    async def _keep_own(self, line: LiveLine, recording: OwnRecording) -> None:
        from probes.audio.listen import listen_blocks
        from probes.audio.samples import UnusableAudio
        from probes.telephony.hearing import hear_own, sides

        data = await asyncio.to_thread(recording.wav)
        if data is None:
            self._set(recording_failure="no audio of the call reached us")
            return
        heard, samples = await asyncio.to_thread(hear_own, data, self._state.done, self._state.done_at_s)
        assert heard.kept is not None
        secret = any(act.is_secret for act in self._state.done)
        name = "recording (identification digits silenced).wav" if secret else "recording.wav"
        artifact = self._tools.artifacts.put(heard.kept, "audio/wav", name)
        error_s = 0.5 + self._tools.clock.factor * 0.1
        recorded = CallRecorded(
            duration_s=heard.duration_s,
            rate_hz=heard.rate_hz,
            channels=heard.channels,
            vendor_channel=heard.vendor_channel,
            starts_at_utc=line.starts_at_utc or self._handle.dialled_at_utc,
            starts_error_s=error_s,
        )
        self._say(recorded, 0.0, line, (artifact,))
        vendor, ours = sides(heard, samples)
        with suppress(UnusableAudio):
            self._heard(await asyncio.to_thread(listen_blocks, vendor, heard.rate_hz, caller=ours), line)

    def _heard(self, timeline: Timeline, line: LiveLine) -> None:
        if self._script.secrets:  # an echo of our keys may be heard on the vendor's side too
            timeline = replace(timeline, tones=tuple(replace(tone, digits=None) for tone in timeline.tones))
        self._say(CallHeard(timeline.listener_version, timeline), 0.0, line)


def done_event(act: Planned, t_s: float | None) -> DigitsSent | LineSaid:
    """Return the event of something that we pressed or said."""
    if act.text is not None:
        return LineSaid(act.text, t_s)
    return DigitsSent(act.keys, act.key_count, act.purpose, t_s)

"""A call under way, look by look: what the carrier says of it, and once it is over what the recording holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256

from probes.errors import Failure, FailureKind, Side, Unavailable
from probes.events import (
    CallAnswered,
    CallEnded,
    CallHeard,
    CallRecorded,
    CallRinging,
    CarrierCharged,
    CarrierRecord,
    ClockName,
    ContactOutcome,
    Payload,
)
from probes.model import Artifact, Seen, Sighting, Tools
from probes.telephony.carrier import AudioEnd, CallState, CallStatus, Carrier, RecordingInfo
from probes.telephony.channel import Handle, LiveState
from probes.telephony.ending import AudioSignals, EndSignals, who_ended
from probes.telephony.lasting import Lasting, planned_span
from probes.telephony.live_contact import done_event

# All in audit seconds.
_LOOK_WHILE_SETTING_UP_S, _LOOK_WHILE_UP_S, _LOOK_SOON_AFTER_S, _LOOK_LATE_AFTER_S = 2.0, 5.0, 5.0, 30.0
_SOON_S = 60.0
_RECORDING_AT_MOST_S = 600.0
_RECORDS_AT_MOST_S = 900.0  # the provider's partial summary comes within about ten minutes
_PRICE_AT_MOST_S = 300.0
_WORK_REAL_S = 20.0  # a carrier takes real time to make a recording, however fast an audit's clock runs
_OVERDUE_S = 60.0  # how long after every limit a call may still be up before we end it ourselves
_TOLD_WITHIN_S = 300.0
_SAME_ACT_S = 8.0  # our clock and the recording's zero differ by little; keys sound soon after they were sent
_ACT_REAL_S = 1.0  # how long it takes a carrier to begin what it is told to do, however fast an audit's clock runs
_SURE_ANSWER_S = 3.0  # a look-to-look gap up to this gives the answer's moment while the call lasts


@dataclass
class Following:
    """One look: what it adds to the handle and the sightings it makes."""

    handle: Handle
    tools: Tools
    sightings: list[Sighting] = field(default_factory=list)

    async def look(self) -> Seen:
        """Ask the carrier, and say what is new."""
        carrier = self.tools.carriers.carrier(self.handle.carrier)
        status = await carrier.status(self.handle.call_id)
        now = self.tools.clock.now_utc()
        acted_on = await self._acted_on(status, carrier, now)
        self._keep_records(status, now)
        if status.state is CallState.RINGING:
            self._ringing(status, now)
        if status.state is CallState.UP:
            await self._up(status, carrier, now)
        elif status.state is not CallState.ENDED:
            self.handle = replace(self.handle, not_answered_at_utc=now)
        if status.state is not CallState.ENDED:
            setting_up = status.state is not CallState.UP
            return self._go_on(_LOOK_WHILE_SETTING_UP_S if setting_up else _LOOK_WHILE_UP_S)
        if self.handle.ended_seen_at_utc is None:
            self.handle = replace(self.handle, ended_seen_at_utc=now)
        if acted_on:
            return self._go_on(_LOOK_SOON_AFTER_S)
        since_s = (now - (self.handle.ended_seen_at_utc or now)).total_seconds()
        self._ringing(status, None)
        if status.answered:
            if status.answered_at_utc is not None:
                self._say_once(CallAnswered(error_s=2 * status.error_s), status.answered_at_utc, clock=status.clock)
            await self._hear_recording(status, carrier, since_s, now)
            priced = status.unpriced or status.cost_minor is not None or since_s > _PRICE_AT_MOST_S
            told = status.records_complete or since_s > _RECORDS_AT_MOST_S
            if not (self.handle.recording_done and priced and told):
                return self._go_on(_LOOK_SOON_AFTER_S if since_s < _SOON_S else _LOOK_LATE_AFTER_S)
        return self._finish(status, now)

    # --- a live call, on which its script acts in the process that placed it ---

    async def _acted_on(self, status: CallStatus, carrier: Carrier, now: datetime) -> bool:
        """Take what the live call has seen since the last look; return whether its script still acts on it.

        A call that nobody holds any more is ended: its process died, or the answer to our request to dial was lost.
        """
        live = self.handle.live
        if live is None or live.over:
            return False
        contact = self.tools.running.find(self.handle.call_id)
        if contact is not None:
            _ = contact.ended  # a bug in its work is raised here
            state: LiveState = contact.handle.live
            news = tuple(contact.sightings[live.told :])
            self.sightings += news
            self.handle = replace(
                self.handle,
                live=replace(state, told=live.told + len(news)),
                planned=state.done,
                hang_up_asked_at_utc=self.handle.hang_up_asked_at_utc or contact.handle.hang_up_asked_at_utc,
                recording_done=self.handle.recording_done or contact.handle.recording_done,
                recording_failure=self.handle.recording_failure or state.recording_failure,
            )
            if status.state is CallState.ENDED and not state.over and self._too_late_to_act(now):
                contact.stopping.set()
            return not state.over
        if not self.tools.running.alone and not self._overdue(now) and not self._given_up(now):
            return True  # another worker may hold it
        if status.state is not CallState.ENDED:
            await carrier.hang_up(self.handle.call_id)
            self.handle = replace(self.handle, hang_up_asked_at_utc=self.handle.hang_up_asked_at_utc or now)
        failure = "nobody acted on the call any more: the process that placed it ended, or its answer was lost"
        self.handle = replace(
            self.handle,
            live=replace(live, over=True, failure=failure),
            recording_done=self.handle.recording_done or not self.handle.recorded,
            recording_failure="the recording of ours was lost with its process" if live.keeps_audio else None,
        )
        return False

    def _too_late_to_act(self, now: datetime) -> bool:
        ended_at = self.handle.ended_seen_at_utc
        if ended_at is None:
            return False
        since_s = (now - ended_at).total_seconds()
        return since_s > _OVERDUE_S and self.tools.clock.real_delay_s(since_s) > _WORK_REAL_S

    def _given_up(self, now: datetime) -> bool:
        """Return whether whoever held a call that has ended had time enough to tell of it."""
        ended_at = self.handle.ended_seen_at_utc
        if ended_at is None:
            return False
        since_s = (now - ended_at).total_seconds()
        return since_s > _TOLD_WITHIN_S and self.tools.clock.real_delay_s(since_s) > _OVERDUE_S

    def _overdue(self, now: datetime) -> bool:
        overdue_s = self.handle.ring_at_most_s + self.handle.longest_s + _OVERDUE_S
        return now > self.handle.dialled_at_utc + timedelta(seconds=overdue_s)

    # --- while it lasts ---

    def _ringing(self, status: CallStatus, seen_at: datetime | None) -> None:
        """Say that it rang: when the carrier has it, else when we saw it."""
        if status.ringing_at_utc is not None:
            self._say_once(CallRinging(), status.ringing_at_utc, clock=status.clock)
        elif seen_at is not None:
            self._say_once(CallRinging(), seen_at)

    async def _up(self, status: CallStatus, carrier: Carrier, now: datetime) -> None:
        self._ringing(status, None)
        before = self.handle.not_answered_at_utc or self.handle.dialled_at_utc
        gap_s = (now - before).total_seconds()
        if gap_s <= _SURE_ANSWER_S:
            told = status.answered_at_utc
            slack = timedelta(seconds=status.error_s)
            if told is not None and before - slack <= told <= now + slack:
                error_s = status.error_s if status.clock is ClockName.OURS else max(status.error_s, gap_s)
                self._say_once(CallAnswered(error_s=error_s), told, clock=status.clock)
            else:
                self._say_once(CallAnswered(error_s=gap_s / 2), before + (now - before) / 2)
        if self._overdue(now) and not self.handle.hang_up_asked_at_utc:
            self.handle = replace(self.handle, hang_up_asked_at_utc=now)
            await carrier.hang_up(self.handle.call_id)

    def _keep_records(self, status: CallStatus, now: datetime) -> None:
        for reference in self.handle.secrets:
            self.tools.secrets.reveal(reference)  # so that the store knows what must not be kept
        for record in status.raw:
            body = self.tools.secrets.scrub(record.body.decode("utf-8", "replace")).encode()
            digest = sha256(body).hexdigest()[:16]
            if digest in self.handle.kept:
                continue
            artifact = self.tools.artifacts.put(body, record.media_type, f"{record.resource}.json")
            self._say(CarrierRecord(record.resource, self.handle.call_id), now, artifacts=(artifact,))
            self.handle = replace(self.handle, kept=(*self.handle.kept, digest))

    # --- when it is over ---

    async def _hear_recording(self, status: CallStatus, carrier: Carrier, since_s: float, now: datetime) -> None:
        if self.handle.recording_done:
            return
        if not self.handle.recorded:
            self._report_acts(status, None, (None,) * len(self.handle.planned))
            self.handle = replace(self.handle, recording_done=True)
            return
        good = [one for one in status.recordings if one.failure is None]
        lost = [one.failure.text for one in status.recordings if one.failure is not None]
        if good and status.recordings_complete:
            try:
                data, media_type = await carrier.recording(good[0].recording_id)
            except Unavailable:
                if not self._too_late(since_s):
                    return
                self._no_recording(status, "the carrier lists the recording but does not give its audio")
                return
            await self._heard(status, good[0], data, media_type, now)
        elif (lost and status.recordings_complete) or self._too_late(since_s):
            waited = f"no recording was there {since_s:.0f} s after the end of the call"
            self._no_recording(status, lost[0] if lost else waited)

    async def _heard(
        self, status: CallStatus, info: RecordingInfo, data: bytes, media_type: str, now: datetime
    ) -> None:
        from soundfile import LibsndfileError

        from probes.audio.listen import listen_blocks
        from probes.audio.samples import UnusableAudio
        from probes.telephony.hearing import hear, sides

        try:
            done_at_s = self.handle.live.done_at_s if self.handle.live is not None else None
            heard, samples = await asyncio.to_thread(hear, data, self.handle.planned, done_at_s)
        except LibsndfileError as exc:
            # Unreadable bytes may still hold identification digits: they are not kept where there were any.
            if not self.handle.secrets:
                artifact = self.tools.artifacts.put(data, media_type, "recording that cannot be read")
                self._say(CarrierRecord("recording", self.handle.call_id), now, artifacts=(artifact,))
            self._no_recording(status, f"the recording cannot be read ({exc.error_string.strip()})")
            return
        if heard.kept is None:
            self._no_recording(status, "not kept: one channel holds both sides, and our digits could not be silenced")
            return
        name = "recording (identification digits silenced).wav" if heard.masked else "recording.wav"
        artifact = self.tools.artifacts.put(heard.kept, "audio/wav" if heard.masked else media_type, name)
        starts_at = info.starts_at_utc or status.answered_at_utc or now
        recorded = CallRecorded(
            duration_s=heard.duration_s,
            rate_hz=heard.rate_hz,
            channels=heard.channels,
            vendor_channel=heard.vendor_channel,
            starts_at_utc=starts_at,
            starts_error_s=info.starts_error_s if info.starts_at_utc else 2 * status.error_s,
        )
        self._say(recorded, starts_at, clock=ClockName.PROVIDER, artifacts=(artifact,))
        self._report_acts(status, starts_at, tuple(one.start_s if one else None for one in heard.placed))
        notes = heard.why
        try:
            vendor, ours = sides(heard, samples)
            timeline = await asyncio.to_thread(listen_blocks, vendor, heard.rate_hz, caller=ours)
            if self.handle.secrets:  # an echo of our keys may be heard on the vendor's side too
                timeline = replace(timeline, tones=tuple(replace(tone, digits=None) for tone in timeline.tones))
            self._say(CallHeard(timeline.listener_version, timeline), starts_at, clock=ClockName.MEDIA)
        except UnusableAudio as exc:
            notes = (*notes, f"nothing could be heard in the recording: {exc}")
        self.handle = replace(
            self.handle,
            recording_done=True,
            script_end_s=heard.script_end_s,
            notes=(*self.handle.notes, *notes),
        )

    def _too_late(self, since_s: float) -> bool:
        return since_s > _RECORDING_AT_MOST_S and self.tools.clock.real_delay_s(since_s) > _WORK_REAL_S

    def _no_recording(self, status: CallStatus, why: str) -> None:
        self._report_acts(status, None, (None,) * len(self.handle.planned))
        self.handle = replace(self.handle, recording_done=True, recording_failure=why)

    def _report_acts(self, status: CallStatus, starts_at: datetime | None, heard_s: tuple[float | None, ...]) -> None:
        """Say what we pressed and spoke: when it was heard, else as the script had it if the call lasted so long."""
        if self.handle.live is not None:
            self._report_done(self.handle.live, starts_at, heard_s)
            return
        answered_at = status.answered_at_utc or self.handle.dialled_at_utc
        earliest_s = latest_s = 0.0
        unsure = 0
        for act, t_s in zip(self.handle.planned, heard_s, strict=True):
            begin_s = (earliest_s + latest_s) / 2
            surely = status.duration_s is not None and status.duration_s >= latest_s
            maybe = status.duration_s is None or status.duration_s >= earliest_s
            low_s, high_s = planned_span(act)
            if t_s is not None and starts_at is not None:
                self._say(done_event(act, t_s), starts_at + timedelta(seconds=t_s), clock=ClockName.MEDIA)
                earliest_s = latest_s = t_s
            elif not act.silence_s and surely:
                self._say(done_event(act, None), answered_at + timedelta(seconds=begin_s))
            elif not act.silence_s and maybe:
                unsure += 1
            earliest_s, latest_s = earliest_s + low_s, latest_s + high_s
        if unsure:
            note = f"whether the last {unsure} of our keys and lines were carried out before the end is not known"
            self.handle = replace(self.handle, notes=(*self.handle.notes, note))

    def _report_done(self, live: LiveState, starts_at: datetime | None, heard_s: tuple[float | None, ...]) -> None:
        """Say what was pressed and said on a live call: when it was heard, else when it was done."""
        if not self.handle.recorded:
            return  # said when it was done
        began_at = live.media_starts_at_utc or self.handle.dialled_at_utc
        same_s = _SAME_ACT_S + _ACT_REAL_S * self.tools.clock.factor
        for act, done_s, t_s in zip(live.done, live.done_at_s, heard_s, strict=True):
            if t_s is not None and starts_at is not None and abs(t_s - done_s) < same_s:
                self._say(done_event(act, t_s), starts_at + timedelta(seconds=t_s), clock=ClockName.MEDIA)
            else:
                self._say(done_event(act, None), began_at + timedelta(seconds=done_s))

    def _finish(self, status: CallStatus, now: datetime) -> Seen:
        handle = self.handle
        script = Lasting(handle.shortest_script_s, handle.longest_script_s)
        if handle.live is None and handle.script_end_s is not None:
            script = Lasting(handle.script_end_s, handle.script_end_s + 1.0)
        dialled_at = handle.dialled_at_utc
        by, reasons, doubt = who_ended(
            EndSignals(
                failure=None if status.answered or status.failure is None else status.failure.kind,
                rang_s=None if status.ended_at_utc is None else (status.ended_at_utc - dialled_at).total_seconds(),
                ring_at_most_s=handle.ring_at_most_s,
                script_fault=status.failure.text if status.answered and status.failure is not None else None,
                hang_up_asked_at_utc=handle.hang_up_asked_at_utc,
                ended_at_utc=status.ended_at_utc,
                duration_s=status.duration_s,
                error_s=max(1.0, status.error_s),
                script=script,
                longest_s=handle.longest_s,
                bye_from=status.bye_from,
                bye_source=status.bye_source,
                code=status.code,
                audio=_audio(handle.live, status),
            )
        )
        unseen = () if CallRinging.KIND in handle.reported else ("ringing was not seen: it fell between two looks",)
        late = () if status.records_complete else ("the carrier's later records were not waited for",)
        ended = CallEnded(
            by=by,
            reasons=(*reasons, *handle.notes, *unseen, *late),
            code=status.code,
            duration_s=status.duration_s,
            error_s=status.error_s,
            doubt=doubt,
        )
        self._say(ended, status.ended_at_utc or now, clock=status.clock if status.ended_at_utc else ClockName.OURS)
        if status.cost_minor is not None and status.currency is not None:
            self._say(CarrierCharged(status.cost_minor, status.currency), now, clock=ClockName.PROVIDER)
        outcome, failure = _outcome(handle, status, by)
        return Seen(sightings=tuple(self.sightings), handle=self.handle, outcome=outcome, failure=failure)

    # --- saying ---

    def _go_on(self, again_s: float) -> Seen:
        return Seen(sightings=tuple(self.sightings), handle=self.handle, finished=False, again_s=again_s)

    def _say_once(self, what: Payload, at_utc: datetime, *, clock: ClockName = ClockName.OURS) -> None:
        if what.KIND not in self.handle.reported:
            self.handle = replace(self.handle, reported=(*self.handle.reported, what.KIND))
            self._say(what, at_utc, clock=clock)

    def _say(
        self,
        what: Payload,
        at_utc: datetime,
        *,
        clock: ClockName = ClockName.OURS,
        artifacts: tuple[Artifact, ...] = (),
    ) -> None:
        self.sightings.append(Sighting(what=what, at_utc=at_utc, clock=clock, artifacts=artifacts))


def _audio(live: LiveState | None, status: CallStatus) -> AudioSignals | None:
    if live is None or live.media_starts_at_utc is None:
        return None
    return AudioSignals(
        ended_by_itself=live.audio_ended_at_utc is not None,
        end=status.audio_end,
        quiet_s=live.quiet_before_end_s or 0.0,
        at_limit=live.at_limit,
        loss_ratio=status.loss_ratio,
        line_faults=status.line_faults,
    )


_OUTCOMES = {FailureKind.BUSY: ContactOutcome.BUSY, FailureKind.NO_ANSWER: ContactOutcome.NO_ANSWER}


def _outcome(handle: Handle, status: CallStatus, by: Side) -> tuple[ContactOutcome, Failure | None]:
    if status.answered is None:
        return ContactOutcome.UNKNOWN, status.failure  # it may have been placed, and is never repeated
    if not status.answered:
        kind = status.failure.kind if status.failure else FailureKind.UNKNOWN
        return _OUTCOMES.get(kind, ContactOutcome.FAILED), status.failure
    failure = status.failure
    if handle.recording_failure is not None:
        failure = Failure(FailureKind.RECORDING_MISSING, Side.OURS, "record", handle.recording_failure)
    at_limit = status.duration_s is not None and status.duration_s >= handle.longest_s - 1.0
    if handle.live is not None:
        at_limit = at_limit or handle.live.at_limit
        if status.audio_end is AudioEnd.BROKEN and by is Side.OURS:
            text = "the call's audio broke off on its way to us"
            failure = Failure(FailureKind.INTERRUPTED, Side.OURS, "live", text)
        if handle.live.failure is not None:
            failure = Failure(FailureKind.INTERRUPTED, Side.OURS, "live", handle.live.failure)
    if by is Side.OURS and (at_limit or handle.ends_by_listening):
        return ContactOutcome.CAP_REACHED, failure
    return ContactOutcome.DONE, failure

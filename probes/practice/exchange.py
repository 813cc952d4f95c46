"""The practice telephone exchange: calls, what drives them, their recordings. `rest.py` gives it the provider's API."""

from __future__ import annotations

import asyncio
import io
import logging
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from probes.clock import Clock
from probes.practice.call import PracticeCall, Progress, Status
from probes.practice.call_centre import lines
from probes.practice.callbacks import WebClient, document_parameters, status_parameters
from probes.practice.caller import StreamOrder, sayings
from probes.practice.character import Phone
from probes.practice.orders import Change, Hook, Order
from probes.practice.problems import Notice, ProviderError, bad, not_found
from probes.practice.recorder import mix
from probes.practice.resources import Exchanged, Recording, rfc2822
from probes.practice.rooms import Room
from probes.practice.sounds import Clip, Sounds
from probes.practice.streams import MediaStream, event_parameters
from probes.practice.switches import Switches
from probes.practice.tones import RATE_HZ
from probes.practice.truth import Truth
from probes.practice.twiml import PlayUrl, StartStream, TwimlError, read

_LOG = logging.getLogger(__name__)
_NOT_UP = "Call is not in-progress. Cannot redirect."
_SWAPPED_REAL_S = 0.2  # by how much a callback comes after the one that should follow it
CALLERS = frozenset({"+441134960101", "+441134960102", "+441134960103"})


@dataclass(frozen=True, slots=True)
class Account:
    """A customer of the exchange. `callers` are the numbers that it may show."""

    sid: str = field(default_factory=lambda: "AC" + secrets.token_hex(16))
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    callers: frozenset[str] = CALLERS


@dataclass(slots=True)
class Entry:
    """A call with everything that is kept about it."""

    call: PracticeCall
    recordings: list[Recording] = field(default_factory=list)
    log: list[Exchanged] = field(default_factory=list)
    notices: list[tuple[str, Notice, datetime]] = field(default_factory=list)
    told: int = 0
    detected: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Exchange:
    """Hosts calls from one account to any number of practice telephones."""

    def __init__(
        self,
        home: Path,
        clock: Clock,
        telephones: dict[str, tuple[str, Phone]],
        truth: Truth,
        *,
        account: Account | None = None,
        switches: Switches | None = None,
    ) -> None:
        self.clock, self.truth = clock, truth
        self.account, self.switches = account or Account(), switches or Switches()
        self.sounds = Sounds(home)
        self.calls: dict[str, Entry] = {}
        self.recordings: dict[str, Recording] = {}
        self.rooms: dict[str, Room] = {}
        self._home, self._telephones = home, telephones
        self._web = WebClient(self.account.token)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clips: dict[str, Clip] = {}
        self._counts: dict[str, int] = {}
        self._free_at_utc: datetime | None = None

    def warm_up(self, character: str) -> None:
        """Make every line that a character's telephone needs, so that no call to it waits for that."""
        for name, phone in self._telephones.values():
            for line in lines(phone) if name == character else ():
                self.sounds.samples(line)

    async def close(self) -> None:
        """Stop driving calls; what is under way stays as it is."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._web.close()

    # --- what the API does ---

    def place(self, order: Order) -> Entry:
        """Take an order for a call; it is dialled when its turn comes."""
        now = self.clock.now_utc()
        dialled = max(now, self._free_at_utc or now)
        self._free_at_utc = dialled + timedelta(seconds=1.0 / self.switches.calls_per_second)
        character, phone = self._telephones.get(order.to, ("", None))
        self._counts[order.to] = number = self._counts.get(order.to, 0) + 1
        call = PracticeCall(
            "CA" + secrets.token_hex(16),
            order,
            created_at_utc=now,
            dialled_at_utc=dialled,
            phone=phone,
            character=character,
            call_number=number,
            sounds=self.sounds,
            truth=self.truth,
            clip_of=self._clips.get,
        )
        self.calls[call.sid] = entry = Entry(call)
        self._spawn(self._drive(entry))
        return entry

    def look(self, sid: str) -> Entry | None:
        """Return a call as it is now."""
        entry = self.calls.get(sid)
        if entry is not None:
            self._advance(entry)
        return entry

    async def make_ready(self, order: Order) -> None:
        """Make all that can be said in a call before it is placed, so that nobody in it waits for that."""
        _, phone = self._telephones.get(order.to, ("", None))
        for line in lines(phone) if phone is not None else ():
            await asyncio.to_thread(self.sounds.samples, line)
        await self.prepare(order.twiml)

    async def prepare(self, document: str | None) -> None:
        """Make what a document speaks, so that no call waits for that."""
        if document is not None:
            with suppress(TwimlError):
                for line in sayings(read(document).verbs):
                    await asyncio.to_thread(self.sounds.samples, line)

    def change(self, entry: Entry, change: Change) -> None:
        """Carry out a change to a call.

        Raises:
            ProviderError: the call is over, or not yet where the change is possible.
        """
        call, now = entry.call, self.clock.now_utc()
        if call.over:
            raise self._over(entry)
        if change.status is not None:
            if call.status is Status.IN_PROGRESS and change.status == "completed":
                call.complete(now)
            elif call.status is not Status.IN_PROGRESS:
                call.cancel(now)
        elif change.url is not None or change.twiml is not None:
            if call.status is not Status.IN_PROGRESS:
                raise bad(21220, _NOT_UP)
            self._redirect(call, change)
        if change.time_limit_s is not None:
            call.limit(change.time_limit_s)
        self._after(entry)

    def _over(self, entry: Entry) -> ProviderError:
        """Return what a change to a call that is over is answered with: both have been seen in the field."""
        if self.switches.ended_call_code == 20404:
            return not_found(f"/2010-04-01/Accounts/{self.account.sid}/Calls/{entry.call.sid}.json")
        return bad(21220, _NOT_UP)

    def _redirect(self, call: PracticeCall, change: Change) -> None:
        call.withdraw_request()
        if change.url is not None:
            call.ask_for(change.url.url, change.url.method)
        elif change.twiml is not None:
            call.play_text(change.twiml, None)

    # --- driving calls ---

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("the practice exchange failed", exc_info=error)

    async def _drive(self, entry: Entry) -> None:
        call = entry.call
        while True:
            self._advance(entry)
            if call.wanted is not None:
                await self._fetch_document(entry)
                continue
            if call.over:
                break
            entry.changed.clear()
            at_utc = call.next_at_utc
            with suppress(TimeoutError):
                ahead_s = None if at_utc is None else (at_utc - self.clock.now_utc()).total_seconds()
                real_s = None if ahead_s is None else max(0.0, self.clock.real_delay_s(ahead_s))
                await asyncio.wait_for(entry.changed.wait(), real_s)
        await self._finish_recordings(entry)

    def _advance(self, entry: Entry) -> None:
        entry.call.advance(self.clock.now_utc())
        self._after(entry)

    def _after(self, entry: Entry) -> None:
        """Take note of what a call has become: callbacks, notifications, recordings."""
        call, now = entry.call, self.clock.now_utc()
        for notice in call.notices[len(entry.notices) :]:
            entry.notices.append(("NO" + secrets.token_hex(16), notice, now))
        if call.order.record and call.answered_at_utc is not None and not entry.recordings:
            self._record(entry, "OutboundAPI", call.order.channels, call.order.track, call.answered_at_utc)
        while entry.told < len(call.progress):
            progress, number = call.progress[entry.told], entry.told
            entry.told += 1
            self._spawn(self._tell_status(entry, progress, number))
            entry.moved.set()
            entry.moved = asyncio.Event()
        for order in call.player.streams:
            if not order.taken:
                order.taken = True
                self._spawn(self._stream(entry, order))
        hook = call.order.async_detection_hook
        if hook is not None and call.answered_by is not None and call.order.detection_is_async and not entry.detected:
            entry.detected = True
            told = {
                "AccountSid": self.account.sid,
                "CallSid": call.sid,
                "AnsweredBy": call.answered_by,
                "MachineDetectionDuration": str(round(call.detection_s * 1000)),
            }
            self._spawn(self._post(entry, hook, told))
        self._rooms_of(call)
        entry.changed.set()

    def _rooms_of(self, call: PracticeCall) -> None:
        """Let a call into the rooms that its document joined, and take note of who has left one."""
        for order in call.player.rooms:
            if not order.taken and not order.over:
                order.taken = True
                name = order.verb.room
                self.rooms.setdefault(name, Room(name, self._stir)).enter(call, order)
        for name, room in list(self.rooms.items()):
            room.look()
            if room.empty:
                del self.rooms[name]

    def _stir(self, call: PracticeCall) -> None:
        """Let whoever drives a call look at it anew."""
        self.calls[call.sid].changed.set()

    def _record(self, entry: Entry, source: str, channels: int, track: str, start_at_utc: datetime) -> Recording:
        recording = Recording("RE" + secrets.token_hex(16), entry.call, source, channels, track, start_at_utc)
        entry.recordings.append(recording)
        self.recordings[recording.sid] = recording
        return recording

    async def _stream(self, entry: Entry, order: StreamOrder) -> None:
        def tell(order: StreamOrder, event: str, error: str) -> None:
            if order.verb.hook is not None:
                hook = Hook(url=order.verb.hook, method=order.verb.hook_method)
                at_utc = self.clock.now_utc()
                told = event_parameters(entry.call.sid, self.account.sid, order, event, error, at_utc)
                self._spawn(self._post(entry, hook, told))

        stream = MediaStream(
            entry.call,
            order,
            account_sid=self.account.sid,
            auth_token=self.account.token,
            clock=self.clock,
            sounds=self.sounds,
            advance=lambda: self._advance(entry),
            tell=tell,
            breaks_after_s=self.switches.stream_breaks_after_s,
        )
        self.switches.stream_breaks_after_s = None
        await stream.run()

    def start_stream(self, entry: Entry, verb: StartStream) -> StreamOrder:
        """Start a stream on a call in progress.

        Raises:
            ProviderError: the call is not in progress.
        """
        if entry.call.status is not Status.IN_PROGRESS:
            raise bad(21220, _NOT_UP)
        order = StreamOrder(verb, entry.call.line.now_s)
        entry.call.player.streams.append(order)
        self._after(entry)
        return order

    # --- talking to the customer's web server ---

    async def _fetch_document(self, entry: Entry) -> None:
        call, fetch = entry.call, entry.call.wanted
        assert fetch is not None
        if not fetch.url:
            call.fail_document(Notice(11100, "Invalid URL format"))
            return
        parameters = document_parameters(call, self.account.sid) | dict(fetch.parameters)
        answer, logged, notice = await self._web.send(fetch.method, fetch.url, parameters, self.clock.now_utc())
        entry.log.append(logged)
        if call.wanted is not fetch:
            return  # ended or sent elsewhere meanwhile
        if answer is None or notice is not None:
            call.fail_document(notice or Notice(11200, "HTTP retrieval failure", url=fetch.url))
        else:
            await self._fetch_clips(entry, answer.content)
            call.play_text(answer.content, str(answer.url))
        self._after(entry)

    async def _fetch_clips(self, entry: Entry, document: bytes) -> None:
        """Fetch the audio that a document plays, and make the lines that it speaks."""
        try:
            verbs = read(document).verbs
        except TwimlError:
            return
        for verb in verbs:
            if isinstance(verb, PlayUrl) and verb.url not in self._clips:
                answer, logged, notice = await self._web.send("GET", verb.url, {}, self.clock.now_utc())
                entry.log.append(logged)
                if answer is None or notice is not None:
                    entry.call.notices.append(notice or Notice(11200, "HTTP retrieval failure", url=verb.url))
                    continue
                try:
                    samples, rate_hz = soundfile.read(io.BytesIO(answer.content), dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as exc:
                    entry.call.notices.append(Notice(12300, f"Invalid Content-Type: {exc}", url=verb.url))
                    continue
                mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ).astype(np.float32)
                self._clips[verb.url] = self.sounds.keep(mono)
        for line in sayings(verbs):
            await asyncio.to_thread(self.sounds.samples, line)

    async def _tell_status(self, entry: Entry, progress: Progress, number: int) -> None:
        call, switches = entry.call, self.switches
        hook = call.order.status_hook
        if hook is None or progress.event not in hook.events or progress.event in switches.callbacks_lost:
            return
        parameters = status_parameters(call, self.account.sid, progress, number)
        if progress.event == "completed" and entry.recordings:
            parameters |= {"RecordingSid": entry.recordings[0].sid}
        if switches.callbacks_swapped and await self._next_told(entry, hook, number):
            await asyncio.sleep(_SWAPPED_REAL_S)
        if switches.callback_delay_s:
            await self.clock.sleep(switches.callback_delay_s)
        for _ in range(2 if progress.event in switches.callbacks_doubled else 1):
            await self._post(entry, hook, parameters)

    async def _next_told(self, entry: Entry, hook: Hook, number: int) -> bool:
        """Wait for the next step that is told as well; false where this was the last."""
        while not any(step.event in hook.events for step in entry.call.progress[number + 1 :]):
            if entry.call.over:
                return False
            await entry.moved.wait()
        return True

    async def _post(self, entry: Entry, hook: Hook, parameters: dict[str, str]) -> None:
        _, logged, notice = await self._web.send(hook.method, hook.url, parameters, self.clock.now_utc())
        entry.log.append(logged)
        if notice is not None:
            entry.call.notices.append(notice)
            self._after(entry)

    # --- recordings ---

    async def _finish_recordings(self, entry: Entry) -> None:
        call = entry.call
        if call.answered_at_utc is None or call.ended_at_utc is None:
            return
        for message in call.player.messages:
            start = call.answered_at_utc + timedelta(seconds=message.start_s)
            recording = self._record(entry, "RecordVerb", 1, "inbound", start)
            await self._make(recording, message.start_s, message.end_s)
        for recording in [one for one in entry.recordings if one.source == "OutboundAPI"]:
            await self._make(recording, 0.0, call.line.now_s)
        if (hook := call.order.recording_hook) is not None:
            for recording in entry.recordings:
                await self._tell_recording(entry, recording, hook)

    async def _make(self, recording: Recording, start_s: float, end_s: float) -> None:
        call = recording.call
        assert call.answered_at_utc is not None
        recording.ends_at_utc = call.answered_at_utc + timedelta(seconds=end_s)
        recording.ready_at_utc = recording.ends_at_utc + timedelta(seconds=self.switches.recording_delay_s)
        if self.switches.recording_absent:
            recording.absent = True
            return
        recording.length_s = await asyncio.to_thread(self._write_recording, recording, start_s, end_s)
        recording.made = True
        await self.clock.sleep((recording.ready_at_utc - self.clock.now_utc()).total_seconds())

    def _write_recording(self, recording: Recording, start_s: float, end_s: float) -> float:
        """Mix a recording into its file; return its length in seconds."""
        channels, track = recording.channels, recording.track
        mixed = mix(recording.call, self.sounds, start_s=start_s, end_s=end_s, channels=channels, track=track)
        path = self.recording_path(recording.sid)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mixed.wav)
        recording.channels = mixed.channels
        return mixed.length_s

    def recording_path(self, sid: str) -> Path:
        """Return where a recording's sound is."""
        return self._home / "recordings" / f"{sid}.wav"

    async def _tell_recording(self, entry: Entry, recording: Recording, hook: Hook) -> None:
        status = recording.status(self.clock.now_utc())
        if status not in hook.events:
            return
        parameters = {
            "AccountSid": self.account.sid,
            "CallSid": entry.call.sid,
            "RecordingSid": recording.sid,
            "RecordingStatus": status,
            "RecordingDuration": str(round(recording.length_s or 0)),
            "RecordingChannels": str(recording.channels),
            "RecordingSource": recording.source,
            "RecordingStartTime": rfc2822(recording.start_at_utc) or "",
            "RecordingTrack": recording.track,
        }
        await self._post(entry, hook, parameters)

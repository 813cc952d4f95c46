"""The near end of a practice call: plays our TwiML onto the line, verb by verb."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

from probes.practice.line import End, Heard, Key, Line, Side, Wait, Words
from probes.practice.sounds import Clip, KeyTone, Signal, Sound, Spoken
from probes.practice.tones import KEY_OFF_S
from probes.practice.twiml import (
    Document,
    Gather,
    Hangup,
    PauseVerb,
    PlayDigits,
    PlayUrl,
    RecordVerb,
    Redirect,
    RoomVerb,
    SayVerb,
    StartStream,
    StopStream,
    Verb,
    keys_in,
)

_CALLER = End.CALLER
_LATENCY_S = 0.2  # what fetching a document takes in media time, however long it really takes


@dataclass(frozen=True, slots=True)
class Fetch:
    """A document that the call needs before it can go on."""

    url: str
    method: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Message:
    """What a Record verb recorded of the far end."""

    start_s: float
    end_s: float


@dataclass(slots=True)
class StreamOrder:
    """A stream that a document, or a request, asked for at a moment of media time."""

    verb: StartStream
    at_s: float
    sid: str = field(default_factory=lambda: "MZ" + secrets.token_hex(16))
    over: bool = False
    taken: bool = False
    holding: bool = False  # a document waits for its end

    def stop(self, line: Line) -> None:
        """Ask for its end, and let the document that waits for it go on."""
        self.over = True
        if self.holding:
            line.wake(_CALLER)


@dataclass(slots=True)
class RoomOrder:
    """A conference room that a document joined; the document waits in it until it is `over`."""

    verb: RoomVerb
    over: bool = False
    taken: bool = False

    def stop(self, line: Line) -> None:
        """Let the document that waits go on."""
        self.over = True
        line.wake(_CALLER)


def spoken(verb: SayVerb) -> Spoken:
    """Return what a Say verb sounds like; voices of the provider are played by two of ours."""
    return Spoken(verb.text, "rufus" if verb.voice in ("man", "Polly.Matthew", "Polly.Brian") else "nora")


def sayings(verbs: Iterable[Verb]) -> list[Spoken]:
    """Return every line that these verbs speak."""
    found: list[Spoken] = []
    for verb in verbs:
        if isinstance(verb, SayVerb):
            found.append(spoken(verb))
        elif isinstance(verb, Gather):
            found += sayings(verb.nested)
    return found


class TwimlPlayer:
    """Plays documents for the caller's end. Where it needs one, it freezes the line and names it in `wanted`."""

    def __init__(self, line: Line, clip_of: Callable[[str], Clip | None]) -> None:
        self._line, self._clip_of = line, clip_of
        self._url: str | None = None
        self.wanted: Fetch | None = None
        self.messages: list[Message] = []
        self.streams: list[StreamOrder] = []
        self.rooms: list[RoomOrder] = []

    def want(self, fetch: Fetch) -> None:
        """Freeze the line until a document is there."""
        self.wanted, self._line.frozen = fetch, True

    def go_on(self, document: Document, url: str | None) -> None:
        """Play a document from now on, in place of whatever was played."""
        if self.wanted is not None:
            self.wanted, self._line.frozen = None, False
            self._line.run(self._line.now_s + _LATENCY_S)
        self._url = url
        self._line.take(_CALLER, self._play(document.verbs))

    def _address(self, url: str | None) -> str:
        """Return an address of a document, seen from the present document's own; none given: that one again."""
        return urljoin(self._url or "", url or self._url or "")

    def _play(self, verbs: tuple[Verb, ...]) -> Side:
        for verb in verbs:
            if (yield from self._do(verb)) or self._line.hung_up_by is not None:
                return
        self._line.hang_up(_CALLER, "end of document")

    def _do(self, verb: Verb) -> Generator[Wait, Heard | None, bool]:
        """Carry out a verb; true where another document takes over or the call is at its end."""
        match verb:
            case Hangup():
                self._line.hang_up(_CALLER, "hang-up verb")
                return True
            case Redirect(url, method):
                self.want(Fetch(self._address(url), method, {}))
                return True
            case Gather():
                return (yield from self._gather(verb))
            case RecordVerb():
                return (yield from self._record(verb))
            case StartStream():
                yield from self._stream(verb)
                return False
            case RoomVerb():
                return (yield from self._room(verb))
            case StopStream(name):
                for order in self.streams:
                    order.over = order.over or order.verb.name == name
                return False
            case _:
                yield from self._sound(verb, listen=False)
                return False

    def _stream(self, verb: StartStream) -> Side:
        """Order a stream; one that goes both ways holds the document up until it is over."""
        order = StreamOrder(verb, self._line.now_s)
        self.streams.append(order)
        order.holding = verb.both_ways
        try:
            while order.holding and not order.over:
                yield Wait()
        finally:
            order.holding, order.over = False, order.over or verb.both_ways

    def _room(self, verb: RoomVerb) -> Generator[Wait, Heard | None, bool]:
        """Wait in a conference room; go on with its document afterwards, or with the next verb where it has none."""
        order = RoomOrder(verb)
        self.rooms.append(order)
        try:
            while not order.over:
                yield Wait()
        finally:
            order.over = True  # left by a redirect, or by the end of the call
        if verb.action is None:
            return False
        parameters = {"DialCallStatus": "answered", "DialBridged": "true"}
        self.want(Fetch(self._address(verb.action), verb.method, parameters))
        return True

    def _sound(self, verb: Verb, *, listen: bool) -> Generator[Wait, Heard | None, Heard | None]:
        """Make the sound of a verb; while listening, stop at the first thing heard and return it."""
        line = self._line
        for pause_s, sound, heard, label in self._parts(verb):
            if pause_s:
                came = yield Wait(line.now_s + pause_s, listen)
                if came is not None:
                    return came
            if sound is None:
                continue
            played = line.play(_CALLER, sound, label, heard=heard)
            line.note(
                "caller_sounds", label=label, until_s=played.end_s, text=heard.text if isinstance(heard, Words) else ""
            )
            came = yield Wait(played.end_s, listen)
            if came is not None:
                line.cut(played)
                return came
        return None

    def _parts(self, verb: Verb) -> Generator[tuple[float, Sound | None, Heard | None, str]]:
        match verb:
            case SayVerb(text, _, loop):
                for _ in range(max(1, loop)):
                    yield 0.0, spoken(verb), Words(text), "line"
            case PlayDigits(digits):
                for pause_s, key in keys_in(digits):
                    if key:
                        yield pause_s, KeyTone(key), Key(key), "key"
                        yield KEY_OFF_S, None, None, ""
                    else:
                        yield pause_s, None, None, ""
            case PlayUrl(url, loop):
                for _ in range(max(1, loop)):
                    if (clip := self._clip_of(url)) is not None:
                        yield 0.0, clip, Words(""), "clip"
            case PauseVerb(length_s):
                yield length_s, None, None, ""
            case _:
                return

    def _gather(self, gather: Gather) -> Generator[Wait, Heard | None, bool]:
        line, digits, words = self._line, "", ""
        first: Heard | None = None
        line.clear_inbox(_CALLER)
        for verb in gather.nested:
            if (first := (yield from self._sound(verb, listen=True))) is not None:
                break
        deadline_s = line.now_s + gather.timeout_s
        while True:
            heard, first = first, None
            if heard is None and (heard := (yield Wait(deadline_s, listen=True))) is None:
                if gather.speech and (until_s := line.speaks_until_s(End.VENDOR)) > line.now_s:
                    deadline_s = until_s + 0.01
                    continue
                break
            if isinstance(heard, Words) and gather.speech:
                words = heard.text
                break
            if isinstance(heard, Key) and gather.dtmf:
                if heard.digit in gather.finish_on:
                    break
                digits += heard.digit
                if len(digits) == gather.num_digits:
                    break
                deadline_s = line.now_s + gather.timeout_s
        if not (digits or words or gather.even_if_empty):
            return False
        said = {"SpeechResult": words, "Confidence": "0.9"} if words else {}
        self.want(
            Fetch(self._address(gather.action), gather.method, {**({"Digits": digits} if digits else {}), **said})
        )
        return True

    def _record(self, verb: RecordVerb) -> Generator[Wait, Heard | None, bool]:
        line = self._line
        if verb.beep:
            beep = line.play(_CALLER, Signal("beep"), "beep")
            yield Wait(beep.end_s)
        start_s, key = line.now_s, ""
        line.clear_inbox(_CALLER)
        while line.now_s < start_s + verb.max_s:
            quiet_s = max((p.end_s for p in line.played if p.end is End.VENDOR), default=start_s)
            until_s = min(max(quiet_s, start_s) + verb.timeout_s, start_s + verb.max_s)
            if until_s <= line.now_s:
                break
            heard = yield Wait(until_s, listen=True)
            if isinstance(heard, Key) and heard.digit in verb.finish_on:
                key = heard.digit
                break
        self.messages.append(Message(start_s, line.now_s))
        duration = str(round(line.now_s - start_s))
        parameters = {"RecordingDuration": duration, **({"Digits": key} if key else {})}
        self.want(Fetch(self._address(verb.action), verb.method, parameters))
        return True

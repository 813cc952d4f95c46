"""TwiML as the exchange understands it: a strict reader of the verbs that an outgoing call can use."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # a document with a DOCTYPE is refused, so nothing in it can expand
from collections.abc import Mapping
from dataclasses import dataclass

from probes.practice.tones import KEYS

_DIGITS = re.compile(r"[0-9A-D*#wW]+")


class TwimlError(ValueError):
    """The document cannot be played. `code` is the provider's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True, slots=True)
class SayVerb:
    """Speak `text`, `loop` times."""

    text: str
    voice: str
    loop: int


@dataclass(frozen=True, slots=True)
class PlayDigits:
    """Press keys; w waits half a second and W a second."""

    digits: str


@dataclass(frozen=True, slots=True)
class PlayUrl:
    """Play an audio file from an address."""

    url: str
    loop: int


@dataclass(frozen=True, slots=True)
class PauseVerb:
    """Be silent."""

    length_s: float


@dataclass(frozen=True, slots=True)
class Gather:
    """Collect keys or speech of the far end, while `nested` is played; then fetch `action`."""

    nested: tuple[Verb, ...]
    dtmf: bool
    speech: bool
    timeout_s: float
    num_digits: int | None
    finish_on: str
    action: str | None
    method: str
    even_if_empty: bool


@dataclass(frozen=True, slots=True)
class RecordVerb:
    """Record the far end until it is silent for `timeout_s`, a key comes, or `max_s` is reached."""

    timeout_s: float
    max_s: float
    finish_on: str
    beep: bool
    action: str | None
    method: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at an address."""

    url: str
    method: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call."""


@dataclass(frozen=True, slots=True)
class StartStream:
    """Send the call's audio to a WebSocket; `both_ways` (in Connect) also plays what comes back, until it closes."""

    url: str
    name: str
    tracks: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]
    hook: str | None
    hook_method: str
    both_ways: bool


@dataclass(frozen=True, slots=True)
class StopStream:
    """Stop the stream of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class RoomVerb:
    """Join the conference room of this name until it ends, then fetch `action`. `ends_it`: leaving it ends it."""

    room: str
    ends_it: bool
    action: str | None
    method: str


Verb = (
    StartStream
    | StopStream
    | SayVerb
    | PlayDigits
    | PlayUrl
    | PauseVerb
    | Gather
    | RecordVerb
    | RoomVerb
    | Redirect
    | Hangup
)

_KNOWN: dict[str, frozenset[str]] = {
    "Say": frozenset({"voice", "language", "loop"}),
    "Play": frozenset({"digits", "loop"}),
    "Pause": frozenset({"length"}),
    "Gather": frozenset(
        {"input", "timeout", "numDigits", "finishOnKey", "action", "method", "speechTimeout", "actionOnEmptyResult"}
        | {"language", "hints", "bargeIn", "speechModel", "enhanced", "profanityFilter", "partialResultCallback"}
    ),
    "Record": frozenset(
        {"timeout", "maxLength", "finishOnKey", "playBeep", "action", "method", "trim", "transcribe"}
        | {"recordingStatusCallback", "recordingStatusCallbackMethod", "recordingStatusCallbackEvent"}
    ),
    "Redirect": frozenset({"method"}),
    "Hangup": frozenset(),
    "Reject": frozenset({"reason"}),
    "Start": frozenset({"action", "method"}),
    "Stop": frozenset(),
    "Connect": frozenset({"action", "method"}),
    "Dial": frozenset(
        {"action", "method", "timeout", "timeLimit", "hangupOnStar", "callerId", "record", "trim", "answerOnBridge"}
    ),
}
_NESTED = {
    "Gather": frozenset({"Say", "Play", "Pause"}),
    "Start": frozenset({"Stream"}),
    "Stop": frozenset({"Stream"}),
    "Connect": frozenset({"Stream"}),
    "Dial": frozenset({"Conference"}),
}
_CONFERENCE = frozenset(
    {"muted", "beep", "startConferenceOnEnter", "endConferenceOnExit", "waitUrl", "waitMethod", "maxParticipants"}
    | {"statusCallback", "statusCallbackEvent", "statusCallbackMethod", "record", "trim", "region", "coach"}
    | {"participantLabel", "jitterBufferSize", "eventCallbackUrl", "recordingStatusCallback"}
)
_STREAM = frozenset({"url", "name", "track", "statusCallback", "statusCallbackMethod"})
TRACKS = {"inbound_track": ("inbound",), "outbound_track": ("outbound",), "both_tracks": ("inbound", "outbound")}


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says to do, and what in it was not understood (the provider's warning 12200)."""

    verbs: tuple[Verb, ...]
    warnings: tuple[str, ...]


def read(text: str | bytes) -> Document:
    """Read a document. What is unknown in it becomes a warning and is passed over, as the provider does.

    Raises:
        TwimlError: it is no XML (12100), is not a response (12100), or a value in it is impossible.
    """
    raw = text if isinstance(text, bytes) else text.encode()
    if b"<!DOCTYPE" in raw.upper():
        raise TwimlError(12100, "Document parse failure: a document type is not allowed")
    try:
        root = ET.fromstring(raw)  # noqa: S314
    except ET.ParseError as exc:
        raise TwimlError(12100, f"Document parse failure: {exc}") from exc
    if root.tag != "Response":
        raise TwimlError(12100, f"Document parse failure: <{root.tag}> is not <Response>")
    warnings: list[str] = []
    return Document(_verbs(root, frozenset(_KNOWN), warnings), tuple(warnings))


def _verbs(parent: ET.Element, allowed: frozenset[str], warnings: list[str]) -> tuple[Verb, ...]:
    verbs: list[Verb] = []
    if (parent.text or "").strip() and parent.tag in ("Response", "Gather"):
        warnings.append(f"<{parent.tag}> holds text")
    for element in parent:
        if element.tag not in allowed:
            warnings.append(f"<{element.tag}> is not allowed in <{parent.tag}>")
            continue
        for name in sorted(set(element.attrib) - _KNOWN[element.tag]):
            warnings.append(f'<{element.tag}> has no attribute "{name}"')
        if len(element) and element.tag not in _NESTED:
            warnings.append(f"<{element.tag}> holds no verbs")
        verbs.append(_verb(element, element.attrib, warnings))
    return tuple(verbs)


def _verb(element: ET.Element, given: Mapping[str, str], warnings: list[str]) -> Verb:
    text = "".join(element.itertext()).strip() if element.tag != "Gather" else ""
    method = given.get("method", "POST")
    match element.tag:
        case "Say":
            if not text:
                raise TwimlError(13520, "Say: Invalid text")
            return SayVerb(text, given.get("voice", "woman"), _whole(given, "loop", 1))
        case "Play" if "digits" in given:
            if not _DIGITS.fullmatch(given["digits"]):
                raise TwimlError(13510, f"Play: Invalid digits {given['digits']!r}")
            return PlayDigits(given["digits"])
        case "Play":
            if not text:
                raise TwimlError(13420, "Play: Invalid URL")
            return PlayUrl(text, _whole(given, "loop", 1))
        case "Pause":
            return PauseVerb(float(_whole(given, "length", 1)))
        case "Gather":
            return _gather(element, given, warnings)
        case "Record":
            finish_on = given.get("finishOnKey", "1234567890*#")
            beep = given.get("playBeep", "true") == "true"
            timeout_s, max_s = float(_whole(given, "timeout", 5)), float(_whole(given, "maxLength", 3600))
            return RecordVerb(timeout_s, max_s, finish_on, beep, given.get("action"), method)
        case "Dial":
            return _dial(element, given, warnings)
        case "Start" | "Stop" | "Connect":
            return _stream(element, warnings)
        case "Redirect":
            return Redirect(text, method)
        case _:
            return Hangup()


def _dial(element: ET.Element, given: Mapping[str, str], warnings: list[str]) -> Verb:
    inside = list(element)
    if len(inside) != 1 or inside[0].tag != "Conference":
        raise TwimlError(12200, "<Dial> holds other than one <Conference>, which is all that this exchange connects to")
    for name in sorted(set(inside[0].attrib) - _CONFERENCE):
        warnings.append(f'<Conference> has no attribute "{name}"')
    room = (inside[0].text or "").strip()
    if not room:
        raise TwimlError(13223, "Dial: Conference name is empty")
    ends_it = inside[0].get("endConferenceOnExit", "false") == "true"
    return RoomVerb(room, ends_it, given.get("action"), given.get("method", "POST"))


def _stream(element: ET.Element, warnings: list[str]) -> Verb:
    inside = [child for child in element if child.tag == "Stream"]
    if len(inside) != 1 or len(element) != 1:
        raise TwimlError(12200, f"<{element.tag}> holds {len(inside)} streams among {len(element)} elements, not one")
    stream = inside[0]
    for name in sorted(set(stream.attrib) - _STREAM):
        warnings.append(f'<Stream> has no attribute "{name}"')
    name = stream.get("name", "")
    if element.tag == "Stop":
        return StopStream(name)
    url, track = stream.get("url", ""), stream.get("track", "inbound_track")
    if not url.startswith(("wss://", "ws://")) or "?" in url:
        raise TwimlError(31920, f"Stream: invalid URL {url!r}: it is wss:// without a query")
    if track not in TRACKS or (element.tag == "Connect" and track != "inbound_track"):
        raise TwimlError(12200, f"Stream: invalid track {track!r}")
    given = tuple((child.get("name", ""), child.get("value", "")) for child in stream if child.tag == "Parameter")
    hook, method = stream.get("statusCallback"), stream.get("statusCallbackMethod", "POST")
    return StartStream(url, name, TRACKS[track], given, hook, method, element.tag == "Connect")


def _gather(element: ET.Element, given: Mapping[str, str], warnings: list[str]) -> Gather:
    inputs = given.get("input", "dtmf").split()
    if not set(inputs) <= {"dtmf", "speech"}:
        raise TwimlError(13334, f"Gather: Invalid input {given['input']!r}")
    return Gather(
        nested=_verbs(element, _NESTED["Gather"], warnings),
        dtmf="dtmf" in inputs,
        speech="speech" in inputs,
        timeout_s=float(_whole(given, "timeout", 5)),
        num_digits=_whole(given, "numDigits", 0) or None,
        finish_on=given.get("finishOnKey", "#"),
        action=given.get("action"),
        method=given.get("method", "POST"),
        even_if_empty=given.get("actionOnEmptyResult", "false") == "true",
    )


def _whole(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal():
        raise TwimlError(12200, f"Attribute {name!r} is not a whole number: {text!r}")
    return int(text)


def keys_in(digits: str) -> list[tuple[float, str]]:
    """Return the key presses of a digit string, each with the pause before it in seconds ("" at the end: no key)."""
    presses: list[tuple[float, str]] = []
    pause_s = 0.0
    for digit in digits:
        if digit in KEYS:
            presses.append((pause_s, digit))
            pause_s = 0.0
        else:
            pause_s += 1.0 if digit == "W" else 0.5
    return [*presses, (pause_s, "")] if pause_s else presses

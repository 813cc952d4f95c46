"""What was heard in one call, as plain values and as the stored JSON document.

All moments are seconds of media time from the first sample of the vendor's channel; levels are relative to full scale.
`None` means *not observed*, and the field's neighbour or `why` says what was missing.
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

FORMAT, VERSION = "holdproof.timeline", 1


class Kind(StrEnum):
    """What one stretch of the line is filled with; speech over music is speech."""

    SILENCE = "silence"
    TONE = "tone"
    MUSIC = "music"
    SPEECH = "speech"


class Label(StrEnum):
    """What a stretch means. The first group belongs to tones, then music, speech, silence."""

    RINGBACK = "ringback"
    BUSY = "busy"
    REORDER = "reorder"
    DIAL_TONE = "dial_tone"
    SIT = "sit"
    DTMF = "dtmf"
    BEEP = "beep"
    FAX = "fax"
    HOLD_MUSIC = "hold_music"
    IVR = "ivr"
    ANNOUNCEMENT = "announcement"
    AGENT = "agent"
    UNSURE = "unsure"
    SILENCE = "silence"


class HoldMode(StrEnum):
    """How a hold is filled."""

    MUSIC = "music"
    MUSIC_AND_MESSAGES = "music_and_messages"
    MESSAGES = "messages"  # silence between them
    SILENT = "silent"  # nothing at all; sound alone cannot tell it from dead air, so only what knows more says it


class EndReason(StrEnum):
    """How the recording ends, as far as the sound shows; who hung up needs the provider's records."""

    ON_HOLD = "on_hold"
    IN_SPEECH = "in_speech"
    BUSY_TONE = "busy_tone"
    SILENCE = "silence"
    RINGING = "ringing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of one kind.

    Attributes:
        confidence: 0..1, our own estimate that kind and label are right.
        why: closed reason words, the strongest first.
        occurrence: for a repeated message 1, 2, ...; None when it was said once.
        message: index into `Timeline.messages`, None when the speech was said once.
    """

    start_s: float
    end_s: float
    kind: Kind
    label: Label
    confidence: float
    why: tuple[str, ...] = ()
    over_music: bool = False
    occurrence: int | None = None
    message: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: from its first audible sound to its last, messages and loop gaps included.

    Attributes:
        loudness_lufs: integrated BS.1770 loudness of its music (of all its sound when there is none); None when silent.
        speech_relative_lu: that loudness minus that of the vendor's own clean speech in this call; None without speech.
        clipped_ratio: share of its 20 ms frames with samples at full scale.
        music_loop_s: wall-clock time after which its audio repeats; None when no repetition was heard.
        loop_times_heard: hold length / loop; None without a loop.
        messages: indices into `Timeline.messages` said within it.
    """

    start_s: float
    end_s: float
    mode: HoldMode
    loudness_lufs: float | None
    speech_relative_lu: float | None
    clipped_ratio: float
    music_loop_s: float | None
    loop_times_heard: float | None
    messages: tuple[int, ...]
    announcements: int
    confidence: float
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a repeated message was said."""

    start_s: float
    end_s: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Message:
    """Speech that was played more than once, therefore recorded.

    Attributes:
        interval_s: median time from one start to the next.
    """

    occurrences: tuple[Occurrence, ...]
    interval_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Tone:
    """A named signal of the network or of a machine.

    Attributes:
        digits: keyed digits, for DTMF.
        bursts: how many times it sounded.
        plan: whose tone plan it fits (`us`, `uk`, `eu`, ...), None when several do or none does.
    """

    start_s: float
    end_s: float
    label: Label
    frequencies_hz: tuple[float, ...]
    level_dbfs: float
    bursts: int
    on_s: float | None
    off_s: float | None
    plan: str | None
    digits: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class LineQuality:
    """How good the line was.

    Attributes:
        speech_level_dbfs: active level of the vendor's speech; None when it did not speak.
        noise_level_dbfs: level between sounds; None when there was no pause or it was digital silence.
        lost_ratio: share of time in short holes of digital silence inside sound: lost packets. What a line conceals
            cannot be heard, so this is a lower bound.
        clipped_ratio: share of 20 ms frames with samples at full scale.
        one_way: nothing at all was heard from the vendor after the call was set up.
    """

    speech_level_dbfs: float | None
    noise_level_dbfs: float | None
    digital_silence: bool
    lost_ratio: float
    clipped_ratio: float
    one_way: bool


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything heard in one call.

    Attributes:
        answered_s: end of the last ringing before the first speech or music; None when it was not answered, or when
            the recording starts after the answer.
        first_person_s: start of the first speech taken to be a live person's; None when none was.
        segments: contiguous, covering 0..duration_s.
        dead_air: silences over 10 s outside holds.
        talk_over: both sides speaking at once; None when the caller's channel was not given.
        music_loop_s: the first hold's loop that was found.
    """

    duration_s: float
    answered_s: float | None
    first_person_s: float | None
    segments: tuple[Segment, ...]
    holds: tuple[Hold, ...]
    music_loop_s: float | None
    tones: tuple[Tone, ...]
    messages: tuple[Message, ...]
    dead_air: tuple[Span, ...]
    talk_over: tuple[Span, ...] | None
    quality: LineQuality
    end: EndReason
    listener_version: str
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the stored document; seconds to the millisecond, levels to a hundredth."""
        return {"format": FORMAT, "version": VERSION, **_plain(self)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Timeline":
        """Read a document that `to_json` wrote.

        Raises:
            ValueError: another format or a later version.
        """
        if document.get("format") != FORMAT:
            raise ValueError(f"not a timeline: format is {document.get('format')!r}, expected {FORMAT!r}")
        if document.get("version") != VERSION:
            raise ValueError(f"timeline version {document.get('version')!r} cannot be read; this is version {VERSION}")
        value: Timeline = _typed(cls, document)
        return value


def _plain(value: Any, name: str = "") -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name), f.name) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(v, name) for v in value]
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, float):
        return round(value, 3 if name.endswith("_s") else 2 if name.endswith(("_dbfs", "_lufs", "_lu", "_hz")) else 4)
    return value


def _typed(annotation: Any, value: Any) -> Any:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        if value is None:
            return None
        return _typed(next(a for a in get_args(annotation) if a is not type(None)), value)
    if origin is tuple:
        return tuple(_typed(get_args(annotation)[0], v) for v in value)
    if dataclasses.is_dataclass(annotation):
        hints = get_type_hints(annotation)
        return annotation(**{f.name: _typed(hints[f.name], value[f.name]) for f in dataclasses.fields(annotation)})  # type: ignore[operator]
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return annotation(value)
    return float(value) if annotation is float else value

"""What the command line prints of one recording: its timeline as a document, as text, and as a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.errors import UserError
from reports import words

if TYPE_CHECKING:
    from probes.audio.timeline import Hold, LineQuality, Message, Timeline, Tone
    from probes.recording_file import Recording

_STRIP_WIDTH = 100
_SHOWN = 8  # moments of one message


@dataclass(frozen=True, slots=True)
class Heard:
    """The timeline of a recording, as document and text."""

    document: dict[str, Any]
    text: str


def listen_to(file: Path, channel: int | None, sent: str | None, plot: Path | None) -> Heard:
    """Listen to a recording.

    Args:
        file: the recording.
        channel: the vendor's channel, from 0; None: the only one, or found by `sent`.
        sent: the keys that we pressed in this call.
        plot: where to write the picture; None: nowhere.

    Raises:
        UserError: the file is no audio, or holds two channels and it cannot be told which is the vendor's.
    """
    from probes.audio.samples import UnusableAudio
    from probes.recording_file import UnreadableRecording

    try:
        return _listen_to(file, channel, sent, plot)
    except (UnreadableRecording, UnusableAudio) as exc:
        raise UserError(str(exc), at=str(file)) from exc


def _listen_to(file: Path, channel: int | None, sent: str | None, plot: Path | None) -> Heard:
    from probes.audio.listen import listen_blocks
    from probes.recording_file import decode

    recording = decode(file)
    number, why = _vendor_channel(recording, file, channel, sent)
    caller = recording.blocks(1 - number) if recording.channels == 2 else None
    timeline = listen_blocks(recording.blocks(number), recording.rate_hz, caller=caller)
    timeline = replace(timeline, notes=(*timeline.notes, *recording.notes, *why))
    lines = _text(timeline)
    if plot is not None:
        _draw(timeline, recording, file, number, plot)
        lines.append(f"wrote {plot}")
    return Heard(timeline.to_json(), "\n".join(lines))


def _vendor_channel(
    recording: Recording, file: Path, channel: int | None, sent: str | None
) -> tuple[int, tuple[str, ...]]:
    """Return the vendor's channel, and how it was found where that had to be."""
    if channel is not None:
        if not 0 <= channel < recording.channels:
            fix = f"channels are 0 to {recording.channels - 1}" if recording.channels > 1 else "it holds only channel 0"
            raise UserError(f"there is no channel {channel}", at=str(file), fix=fix)
        return channel, ()
    if recording.channels == 1:
        return 0, ()
    if recording.channels == 2 and sent:
        from probes.audio.channels import vendor_channel

        found = vendor_channel(recording.channel(0), recording.channel(1), recording.rate_hz, sent)
        if found.vendor is not None:
            return found.vendor, (f"the vendor is in channel {found.vendor}: {found.why}",)
        raise UserError(found.why, at=str(file), fix="name the vendor's channel with --channel")
    raise UserError(
        f"{file.name} holds {recording.channels} channels, and it is not said which one is the vendor's",
        at=str(file),
        fix=f"add --channel 0 to --channel {recording.channels - 1}"
        + (", or --sent with the keys that were pressed" if recording.channels == 2 else ""),
    )


def _draw(timeline: Timeline, recording: Recording, file: Path, channel: int, plot: Path) -> None:
    from probes.audio.loudness import short_term_lufs
    from reports.envelope import envelope
    from reports.figures.call_strip import call_strip_svg

    levels = envelope(file)
    loudness = short_term_lufs(recording.blocks(channel), recording.rate_hz)
    picture = call_strip_svg(timeline, title=f"What was heard in {file.name}", envelope=levels, loudness_lufs=loudness)
    try:
        plot.write_text(picture, encoding="utf-8")
    except OSError as exc:
        raise UserError(
            f"the picture cannot be written ({exc.strerror})", at=str(plot), fix="name a file in a folder that exists"
        ) from exc


def _text(timeline: Timeline) -> list[str]:
    from probes.audio.strip import LEGEND, strip

    lines = [strip(timeline, _STRIP_WIDTH), LEGEND, ""]
    lines += [
        f"{words.clock(s.start_s):>8} – {words.clock(s.end_s):<8} {s.label.value:<13}"
        f" {s.confidence:.2f}  {'; '.join(w.replace('_', ' ') for w in s.why)}".rstrip()
        for s in timeline.segments
    ]
    lines.append("")
    lines.append("answered " + ("at " + words.clock(timeline.answered_s) if timeline.answered_s is not None else "–"))
    person = timeline.first_person_s
    lines.append(f"first person {'at ' + words.clock(person) if person is not None else '–'}")
    lines += [_hold(hold) for hold in timeline.holds]
    lines += [_message(number, message) for number, message in enumerate(timeline.messages, 1)]
    lines += [_tone(tone) for tone in timeline.tones]
    for name, spans in (("dead air", timeline.dead_air), ("both sides speak", timeline.talk_over or ())):
        lines += [f"{name} from {words.clock(s.start_s)}: {words.duration(s.end_s - s.start_s)}" for s in spans]
    lines.append(_line(timeline.quality))
    lines.append(f"ends: {timeline.end.value.replace('_', ' ')}")
    lines += [f"note: {note}" for note in timeline.notes]
    return lines


def _hold(hold: Hold) -> str:
    from reports.figures.call_strip import hold_text

    span = f"hold from {words.clock(hold.start_s)} to {words.clock(hold.end_s)}"
    clipped = f"; clipped {words.share(hold.clipped_ratio)}" if hold.clipped_ratio >= 0.005 else ""
    mode = hold.mode.value.replace("_", " ")
    return f"{span}: {hold_text(hold)}; {mode}{clipped}; confidence {hold.confidence:.2f}"


def _message(number: int, message: Message) -> str:
    at = [words.clock(o.start_s) for o in message.occurrences]
    more = f" and {len(at) - _SHOWN} more" if len(at) > _SHOWN else ""
    return (
        f"message {number} of {words.duration(message.duration_s)}, said {len(at)} times,"
        f" every {words.duration(message.interval_s)}: {', '.join(at[:_SHOWN])}{more}"
    )


def _tone(tone: Tone) -> str:
    hz = " + ".join(words.number(f, 0) for f in tone.frequencies_hz)
    parts = [f"{tone.label.value.replace('_', ' ')} from {words.clock(tone.start_s)} to {words.clock(tone.end_s)}"]
    parts += [f"keys {tone.digits}"] if tone.digits else [f"{hz} Hz"] if hz else []
    if tone.bursts > 1:
        parts.append(f"{tone.bursts} bursts")
    if tone.plan:
        parts.append(f"tone plan {tone.plan}")
    return ", ".join(parts)


def _line(quality: LineQuality) -> str:
    if quality.one_way:
        return "line: nothing at all was heard"
    parts = []
    if quality.speech_level_dbfs is not None:
        parts.append(f"speech {words.number(quality.speech_level_dbfs)} dBFS")
    if quality.noise_level_dbfs is not None:
        parts.append(f"noise {words.number(quality.noise_level_dbfs)} dBFS")
    if quality.digital_silence:
        parts.append("digital silence in pauses")
    parts.append(f"lost {words.number(100 * quality.lost_ratio, 2)} %")
    parts.append(f"clipped {words.number(100 * quality.clipped_ratio, 2)} %")
    return "line: " + ", ".join(parts)

"""A call as a strip: what the line was filled with, in words and colours, on one axis of seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from probes.audio.timeline import Hold, Label, Segment, Timeline
from reports import words
from reports.figures import grammar as g

# What a reader calls a stretch, its colour, and the colour of words on it. Red and green stay with promises.
_LOOKS: dict[Label, tuple[str, str, str]] = {
    Label.AGENT: ("agent", g.ACCENT, g.PAPER),
    Label.IVR: ("menu", g.ACCENT_PALE, g.INK),
    Label.ANNOUNCEMENT: ("message", g.ACCENT_PALE, g.INK),
    Label.HOLD_MUSIC: ("music", "#e3a83c", g.INK),
    Label.RINGBACK: ("ringing", g.LINE, g.INK),
    Label.SILENCE: ("silence", "#f7f8fa", g.GREY),
    Label.DTMF: ("keys", "#5f6a77", g.PAPER),
    Label.UNSURE: ("speech, not sure whose", "#a9b9cc", g.INK),
}
_TONES = ("tone", "#5f6a77", g.PAPER)
_STRIP_TOP, _STRIP_HEIGHT, _GAP = 30.0, 34.0, 9.0
_LOUDNESS_HEIGHT, _POINTS = 46.0, 640


@dataclass(frozen=True, slots=True)
class Phase:
    """Neighbouring segments that a reader sees as one."""

    start_s: float
    end_s: float
    label: Label
    times: int = 1


def look(label: Label) -> tuple[str, str, str]:
    """Return word, fill and text colour of a kind of stretch."""
    if label in _LOOKS:
        return _LOOKS[label]
    return (label.value.replace("_", " "), *_TONES[1:])


def phases(segments: Sequence[Segment]) -> list[Phase]:
    """Join neighbours that read alike; silences under two seconds between two of them do not part them."""
    joined: list[Phase] = []
    for segment in segments:
        last = joined[-1] if joined else None
        before = joined[-2] if len(joined) > 1 else None
        if last and look(last.label)[0] == look(segment.label)[0]:
            joined[-1] = Phase(last.start_s, segment.end_s, last.label, last.times + 1)
        elif (
            last
            and before
            and last.label is Label.SILENCE
            and last.end_s - last.start_s < 2.0
            and look(before.label)[0] == look(segment.label)[0]
        ):
            joined[-2:] = [Phase(before.start_s, segment.end_s, before.label, before.times + 1)]
        else:
            joined.append(Phase(segment.start_s, segment.end_s, segment.label))
    return joined


def call_strip_svg(
    timeline: Timeline,
    *,
    title: str = "What was heard on the call",
    envelope: Sequence[float] | None = None,
    loudness_lufs: Sequence[float | None] | None = None,
    end_note: str = "",
    width: float = g.WIDTH,
) -> str:
    """Draw a call.

    Args:
        timeline: what was heard.
        title: the figure's accessible name.
        envelope: levels 0..1 at even distances over the whole recording, drawn as a waveform above the strip.
        loudness_lufs: short-term loudness at even distances over the whole recording, drawn as a line below the strip;
            None where it is too low to be measured.
        end_note: who ended the call, as the analysis says it.
        width: in CSS pixels.
    """
    wave = 40.0 if envelope else 0.0
    top = _STRIP_TOP + wave
    x = g.Scale(0.0, max(timeline.duration_s, 0.001), 1.0, width - 1)
    said = _hold_lines(timeline.holds, x, width)
    lines = 1 + max((line for _, line, _ in said), default=-1)
    under = top + _STRIP_HEIGHT + 17.0 * bool(said) + 13.0 * lines
    heard = [level for level in loudness_lufs or () if level is not None]
    bottom = under + (_LOUDNESS_HEIGHT + 10.0 if heard else 0.0)
    figure = g.Figure(width, bottom + 24, title, described(timeline, title, end_note))
    if envelope:
        _draw_wave(figure, envelope, x, top - 8 - wave / 2 + 2, wave / 2 - 4)
    for phase in phases(timeline.segments):
        _draw_phase(figure, phase, x, top)
    figure.rect(x.x0, top, x.x1 - x.x0, _STRIP_HEIGHT, "none", stroke=g.GREY, stroke_width=0.8)
    for hold, (middle, line, text) in zip(timeline.holds, said, strict=True):
        _draw_hold(figure, hold, x, top + _STRIP_HEIGHT + 4)
        y = top + _STRIP_HEIGHT + 23 + 13 * line
        figure.text(middle, y, text, size=g.SMALL, fill=g.HOLD, anchor="middle", weight=600)
    _draw_labels(figure, _labels(timeline, end_note, x, width), x, 10.0, top)
    if loudness_lufs and heard:
        _draw_loudness(figure, loudness_lufs, x, g.Scale(*_loudness_range(heard), bottom - 2, under + 8))
    figure.ticks([(x(tick), words.clock(tick)) for tick in g.duration_ticks(x.high, 9)], bottom)
    return figure.svg()


def _phase_text(phase: Phase) -> str:
    return f"{look(phase.label)[0]} {words.duration(phase.end_s - phase.start_s)}"


def _draw_phase(figure: g.Figure, phase: Phase, x: g.Scale, top: float) -> None:
    word, fill, ink = look(phase.label)
    x1, x2 = x(phase.start_s), x(phase.end_s)
    figure.rect(x1, top, max(x2 - x1, 0.6), _STRIP_HEIGHT, fill)
    for text in (_phase_text(phase), word):
        if g.text_width(text, g.SMALL) + 8 <= x2 - x1:
            figure.text(
                (x1 + x2) / 2, top + _STRIP_HEIGHT / 2 + 3.5, text, size=g.SMALL, fill=ink, anchor="middle", weight=600
            )
            break


def _labels(timeline: Timeline, end_note: str, x: g.Scale, width: float) -> list[tuple[float, str, int]]:
    """Return what stands above the strip (place, words, weight): its moments, and phases too narrow for their words.

    Where there is no room for all, the shortest phases go unlabelled; the description and the player still have them.
    """
    moments = [(timeline.duration_s, end_note or f"ends {words.clock(timeline.duration_s)}")]
    if timeline.first_person_s is not None:
        moments.append((timeline.first_person_s, f"a person {words.clock(timeline.first_person_s)}"))
    if timeline.answered_s is not None:
        moments.append((timeline.answered_s, f"answered {words.clock(timeline.answered_s)}"))
    held = [(hold.start_s, hold.end_s) for hold in timeline.holds]
    narrow = [
        phase
        for phase in phases(timeline.segments)
        if g.text_width(look(phase.label)[0], g.SMALL) + 8 > x(phase.end_s) - x(phase.start_s)
        and (phase.label is not Label.SILENCE or phase.end_s - phase.start_s >= 10.0)
        and not any(start <= phase.start_s and phase.end_s <= end for start, end in held)
    ]
    narrow.sort(key=lambda phase: phase.start_s - phase.end_s)
    labels = [(at_s, text, 600) for at_s, text in moments]
    room = width - sum(g.text_width(text, g.SMALL) + _GAP for _, text, _ in labels)
    for phase in narrow:
        text = _phase_text(phase)
        room -= g.text_width(text, g.SMALL) + _GAP
        if room < 0:
            break
        labels.append(((phase.start_s + phase.end_s) / 2, text, 400))
    return sorted(labels)


def _draw_labels(figure: g.Figure, labels: Sequence[tuple[float, str, int]], x: g.Scale, y: float, top: float) -> None:
    widths = [g.text_width(text, g.SMALL) for _, text, _ in labels]
    spots = g.spread_boxes([x(at_s) for at_s, _, _ in labels], widths, _GAP, 0.0, figure.width)
    for (at_s, text, weight), spot in zip(labels, spots, strict=True):
        figure.path(f"M{spot:.2f} {y + 3:.2f}L{x(at_s):.2f} {top - 5:.2f}V{top:.2f}", stroke=g.GREY, width=0.7)
        figure.text(spot, y, text, size=g.SMALL, anchor="middle", weight=weight)


def hold_text(hold: Hold) -> str:
    """Return what is known of a hold in a few words."""
    parts = [f"on hold {words.duration(hold.end_s - hold.start_s)}"]
    if hold.music_loop_s is not None:
        heard = f" heard {words.number(hold.loop_times_heard)} times" if hold.loop_times_heard is not None else ""
        parts.append(f"loop of {words.duration(hold.music_loop_s)}{heard}")
    if hold.announcements:
        parts.append(f"{hold.announcements} message{'s' if hold.announcements > 1 else ''}")
    if hold.loudness_lufs is not None:
        against = ""
        if hold.speech_relative_lu is not None:
            louder = "louder" if hold.speech_relative_lu >= 0 else "quieter"
            against = f", {words.number(abs(hold.speech_relative_lu))} LU {louder} than the agent"
        parts.append(f"{words.number(hold.loudness_lufs)} LUFS{against}")
    return "; ".join(parts)


def _hold_lines(holds: Sequence[Hold], x: g.Scale, width: float) -> list[tuple[float, int, str]]:
    """Return where the words of each hold stand: their middle, their line, and the words; none overlap."""
    ends: list[float] = []
    placed = []
    for hold in holds:
        text = g.shorten(hold_text(hold), width, g.SMALL)
        half = g.text_width(text, g.SMALL) / 2
        middle = min(max((x(hold.start_s) + x(hold.end_s)) / 2, half), width - half)
        line = next((i for i, end in enumerate(ends) if end + _GAP <= middle - half), len(ends))
        ends[line : line + 1] = [middle + half]
        placed.append((middle, line, text))
    return placed


def _draw_hold(figure: g.Figure, hold: Hold, x: g.Scale, y: float) -> None:
    x1, x2 = x(hold.start_s), x(hold.end_s)
    figure.path(f"M{x1:.2f} {y:.2f}v6H{x2:.2f}v-6", stroke=g.HOLD, width=1.6)
    if hold.music_loop_s and (x2 - x1) * hold.music_loop_s / max(hold.end_s - hold.start_s, 0.001) >= 3.0:
        beat = hold.start_s + hold.music_loop_s
        while beat < hold.end_s:
            figure.line(x(beat), y + 1, x(beat), y + 6, g.HOLD, 0.9)
            beat += hold.music_loop_s


def _draw_wave(figure: g.Figure, envelope: Sequence[float], x: g.Scale, middle: float, half: float) -> None:
    bins = min(len(envelope), 640)
    peaks = [max(envelope[i * len(envelope) // bins : (i + 1) * len(envelope) // bins]) for i in range(bins)]
    step = (x.x1 - x.x0) / bins
    upper = [
        f"{x.x0 + step * (i + 0.5):.1f} {middle - half * min(max(peak, 0.0), 1.0):.1f}" for i, peak in enumerate(peaks)
    ]
    lower = [
        f"{x.x0 + step * (i + 0.5):.1f} {middle + half * min(max(peak, 0.0), 1.0):.1f}" for i, peak in enumerate(peaks)
    ]
    figure.path("M" + "L".join([*upper, *reversed(lower)]) + "z", fill=g.GREY)


def _loudness_range(heard: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the axis: tens of LUFS around what was heard, at least twenty of them."""
    high = 10.0 * math.ceil(max(heard) / 10)
    return min(10.0 * math.floor(min(heard) / 10), high - 20.0), high


def _draw_loudness(figure: g.Figure, loudness_lufs: Sequence[float | None], x: g.Scale, y: g.Scale) -> None:
    """Draw short-term loudness as a line that stops where nothing can be measured."""
    for level in (y.low, y.high):
        figure.line(x.x0, y(level), x.x1, y(level), g.LINE, 0.6)
        figure.text(
            x.x1 - 2,
            y(level) + (9.5 if level == y.high else -3),
            f"{words.number(level, 0)} LUFS",
            size=g.SMALL,
            anchor="end",
        )
    bins = min(len(loudness_lufs), _POINTS)
    step = (x.x1 - x.x0) / bins
    parts: list[list[str]] = [[]]
    for i in range(bins):
        levels = loudness_lufs[i * len(loudness_lufs) // bins : (i + 1) * len(loudness_lufs) // bins]
        known = [level for level in levels if level is not None]
        if known:
            parts[-1].append(f"{x.x0 + step * (i + 0.5):.1f} {y(max(known)):.1f}")
        elif parts[-1]:
            parts.append([])
    for part in parts:
        if len(part) > 1:
            figure.path("M" + "L".join(part), stroke=g.HOLD, width=1.1)
    figure.text(x.x0 + 2, y(y.high) + 9.5, "loudness", size=g.SMALL)


def described(timeline: Timeline, title: str, end_note: str = "") -> str:
    """Return the strip in words."""
    parts = [f"Call strip of {words.duration(timeline.duration_s)}. {title}."]
    shown = phases(timeline.segments)
    for phase in shown[:40]:
        parts.append(f"{words.clock(phase.start_s)} {_phase_text(phase)};")
    if len(shown) > 40:
        parts.append(f"and {len(shown) - 40} more stretches.")
    parts += [f"{words.clock(hold.start_s)} {hold_text(hold)}." for hold in timeline.holds]
    return " ".join([*parts, end_note]).strip()

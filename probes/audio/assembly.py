"""From the model's odds and what was kept of each frame to the timeline of a call."""

import numpy as np
from numpy.typing import NDArray

from probes.audio import calls, course, who
from probes.audio.drowned import told_over_music
from probes.audio.frames import FRAME_S, Kept
from probes.audio.heard import Heard, rest_dbfs, step_at, voice_spectrum
from probes.audio.holds import HoldSpan, find_holds
from probes.audio.loops import loop_s
from probes.audio.loudness import loudness_lufs
from probes.audio.messages import made_whole, messages_of
from probes.audio.net import MUSIC, OVER, SILENCE, SPEECH, weights
from probes.audio.repeats import STEP, STEP_S, Prints, comes_as_a_message, find_again, find_repeats, same_song
from probes.audio.songs import take_back_songs
from probes.audio.spectra import Floats
from probes.audio.states import Stretch, kinds, stretches
from probes.audio.timeline import Hold, Kind, Label, Segment, Timeline, Tone
from probes.audio.tones import find_tones

LISTENER = "listener-8"
_SHORTEST_PATTERN_S, _PATTERNS_EACH, _MOST_PATTERNS = 2.0, 3, 12
_LOOP_SOUGHT_STEPS = round(3600 / STEP_S)  # of a hold: no music on hold is longer than half an hour


def assemble(
    odds: NDArray[np.floating], kept: list[Kept], duration_s: float, caller: NDArray[np.bool_] | None
) -> Timeline:
    """Make the timeline from the model's odds and what was kept of each frame; `kept` is emptied, to save memory."""
    count = len(odds)
    frames = Heard(count, kept)
    parts, tones = first_pieces(odds, frames, duration_s)
    del odds  # so that it is not held while what was said is compared
    parts = _repeats_marked(parts, frames)
    spans, loops = _holds_and_loops(parts, frames, count)
    said = told_over_music(parts, spans, loops, frames)
    if said is not parts:
        said = _repeats_marked(said, frames)
    said = _heard_under_music(said, frames, loops)
    if said is not parts:
        parts = said
        spans, loops = _holds_and_loops(parts, frames, count)
    if made_whole(parts, frames.prints):
        spans = find_holds(parts, frames.level_dbfs)
        if len(spans) != len(loops):  # else each hold's music is what it was
            spans, loops = _holds_and_loops(parts, frames, count)
    who.say_who(parts, spans, _voices(parts, frames), course.spans(caller, 0.3))
    messages = messages_of(parts)
    painted = _painted(parts, count)
    speech_lufs = loudness_lufs(frames.k_power, painted == SPEECH) if spans else None
    holds = tuple(_hold(h, parts, frames, painted, loop, speech_lufs) for h, loop in zip(spans, loops, strict=True))
    segments = tuple(_segment(p) for p in parts)
    return Timeline(
        duration_s=duration_s,
        answered_s=course.answered_s(segments, tones),
        first_person_s=next((s.start_s for s in segments if s.label is Label.AGENT), None),
        segments=segments,
        holds=holds,
        music_loop_s=_surest_loop_s(loops, spans, painted),
        tones=tuple(tones),
        messages=messages,
        dead_air=course.dead_air(segments, holds),
        talk_over=None if caller is None else course.talk_over(painted, caller),
        quality=course.line_quality(frames, painted),
        end=course.end_reason(segments, holds, duration_s),
        listener_version=f"{LISTENER}+{weights().version}",
        notes=(),
    )


def first_pieces(odds: NDArray[np.floating], frames: Heard, duration_s: float) -> tuple[list[calls.Piece], list[Tone]]:
    """Cut a call into pieces by the model's odds, tones and levels, before what was said is compared."""
    tones = find_tones(frames.peaks_hz, frames.peak_shares, frames.level_dbfs, odds)
    parts = calls.pieces(stretches(odds, frames.level_dbfs), tones, duration_s)
    parts = calls.noise_is_no_music(parts, frames.level_dbfs, frames.between_db)
    return calls.settle(calls.no_music_under(parts, frames.level_dbfs)), tones


def _repeats_marked(parts: list[calls.Piece], frames: Heard) -> list[calls.Piece]:
    """Compare what was said, and once more what turned out to be two things: a message and what follows it."""
    only: set[int] | None = None
    for _ in range(2):
        speech = [p for p in parts if p.kind == "speech"]
        spans = [(step_at(p.start_s), step_at(p.end_s), p.over_music) for p in speech]
        matches = find_repeats(frames.prints, spans, only=only)
        parts, cut_off = calls.mark_repeats(parts, speech, matches, frames.level_dbfs)
        if not cut_off:
            break
        only = {i for i, p in enumerate(q for q in parts if q.kind == "speech") if any(p is c for c in cut_off)}
    return parts


def _heard_under_music(
    parts: list[calls.Piece], frames: Heard, loops: list[tuple[float, float] | None]
) -> list[calls.Piece]:
    """Cut out messages that music hid; the same list: none was found."""
    said = words_under_music(parts, frames.prints, [loop[0] for loop in loops if loop is not None])
    return calls.said_over_music(parts, said) if said else parts


def words_under_music(
    parts: list[calls.Piece], prints: Prints, periods_s: list[float], from_s: float = 0.0
) -> list[tuple[float, float, calls.Piece, float]]:
    """Seek the messages that are known by now in what was taken for music alone.

    Args:
        parts: all pieces.
        prints: of the whole call.
        periods_s: after how long the music of each hold comes again.
        from_s: from where on it is sought.

    Returns:
        Start, end, the piece that has the same words, and how alike they are, in order.
    """
    families: dict[int, list[calls.Piece]] = {}
    for p in parts:
        if p.kind == "speech" and p.repeated and p.over_music and p.length_s >= _SHORTEST_PATTERN_S:
            families.setdefault(id(p.repeat_of or p), []).append(p)
    known = [p for f in families.values() for p in sorted(f, key=lambda p: -p.length_s)[:_PATTERNS_EACH]]
    known = sorted(known, key=lambda p: -p.length_s)[:_MOST_PATTERNS]
    music = [
        (step_at(max(p.start_s, from_s)), step_at(p.end_s)) for p in parts if p.kind == "music" and p.end_s > from_s
    ]
    if not known or not music:
        return []
    patterns = [(step_at(p.start_s), step_at(p.end_s)) for p in known]
    found = find_again(prints, patterns, music)
    places = [p for p in found if not same_song(prints, patterns[p.which][0], p.start)]
    said: list[tuple[float, float, calls.Piece, float]] = []
    for root, family in families.items():
        again = [p for p in places if id(known[p.which].repeat_of or known[p.which]) == root]
        starts_s = sorted([p.start_s for p in family] + [p.start * STEP_S for p in again])
        if comes_as_a_message(starts_s, periods_s):
            said += [(p.start * STEP_S, p.end * STEP_S, known[p.which], p.similarity) for p in again]
    return sorted(said, key=lambda one: one[0])


def _holds_and_loops(
    parts: list[calls.Piece], frames: Heard, count: int
) -> tuple[list[HoldSpan], list[tuple[float, float] | None]]:
    """Find holds and their loops; what comes again with the loop is music, whatever it sounded like."""
    spans = find_holds(parts, frames.level_dbfs)
    loops: list[tuple[float, float] | None] = []
    painted = _painted(parts, count)
    for i, span in enumerate(spans):
        music = painted[::STEP][: len(frames.prints)] == MUSIC
        begin = step_at(span.start_s)
        steps = slice(begin, min(step_at(span.end_s), begin + _LOOP_SOUGHT_STEPS))
        loop = loop_s(frames.prints[steps], music[steps]) if music[steps].any() else None
        if loop is not None:
            spans[i] = take_back_songs(parts, span, loop[0] / STEP_S, frames.prints)
            painted = _painted(parts, count)
        loops.append(loop)
    return spans, loops


def _painted(parts: list[calls.Piece], n: int) -> NDArray[np.int8]:
    state = {"silence": SILENCE, "music": MUSIC, "speech": SPEECH, "tone": 1}
    laid = [
        Stretch(round(p.start_s / FRAME_S), round(p.end_s / FRAME_S), OVER if p.over_music else state[p.kind])
        for p in parts
    ]
    return kinds(laid, n)


def _voices(parts: list[calls.Piece], frames: Heard) -> who.Voices:
    spectra: list[NDArray[np.float32] | None] = []
    for p in parts:
        a, b = step_at(p.start_s), step_at(p.end_s)
        if p.kind != "speech" or p.over_music:
            spectra.append(None)
            continue
        spectra.append(voice_spectrum(frames.mel_db(a, b)))
    return who.Voices(tuple(spectra), tuple(_rest_dbfs(p, frames.level_dbfs) for p in parts))


def _rest_dbfs(p: calls.Piece, level_dbfs: Floats) -> float | None:
    if p.kind != "silence":
        return None
    return rest_dbfs(p.length_s, level_dbfs[round(p.start_s / FRAME_S) : round(p.end_s / FRAME_S)])


def _segment(p: calls.Piece) -> Segment:
    return Segment(
        p.start_s,
        p.end_s,
        Kind(p.kind),
        p.label,
        float(np.clip(p.confidence, 0, 1)),
        tuple(p.why),
        p.over_music,
        p.occurrence,
        p.message,
    )


def _hold(
    span: HoldSpan,
    parts: list[calls.Piece],
    frames: Heard,
    painted: NDArray[np.int8],
    loop: tuple[float, float] | None,
    speech_lufs: float | None,
) -> Hold:
    a, b = round(span.start_s / FRAME_S), round(span.end_s / FRAME_S)
    music = painted[a:b] == MUSIC
    loudness = loudness_lufs(frames.k_power[a:b], music)
    if loudness is None:
        loudness = loudness_lufs(frames.k_power[a:b])
    inside = [p for p in parts[span.first : span.last + 1] if p.kind == "speech"]
    return Hold(
        start_s=span.start_s,
        end_s=span.end_s,
        mode=span.mode,
        loudness_lufs=loudness,
        speech_relative_lu=None if loudness is None or speech_lufs is None else loudness - speech_lufs,
        clipped_ratio=float(frames.clipped[a:b].mean()) if b > a else 0.0,
        music_loop_s=loop[0] if loop else None,
        loop_times_heard=(span.end_s - span.start_s) / loop[0] if loop else None,
        messages=tuple(sorted({p.message for p in inside if p.message is not None})),
        announcements=len(inside),
        confidence=span.confidence,
        why=("music",) if music.any() else ("messages_far_apart",),
    )


def _surest_loop_s(
    loops: list[tuple[float, float] | None], spans: list[HoldSpan], painted: NDArray[np.int8]
) -> float | None:
    """Return the loop of the hold that speaks most for it: by how well it fits, and how much music was heard."""
    heard = [
        (loop[1] * float((painted[round(h.start_s / FRAME_S) : round(h.end_s / FRAME_S)] == MUSIC).sum()), loop[0])
        for loop, h in zip(loops, spans, strict=True)
        if loop is not None
    ]
    return max(heard)[1] if heard else None

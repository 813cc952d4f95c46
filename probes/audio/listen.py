"""Listening to one recording: samples in, timeline out."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probes.audio import calls, who
from probes.audio.frames import CHUNK, FRAME_S, Coarse, Floats, FrameReader, Frames, Kept, from_half_db, join_kept
from probes.audio.holds import HoldSpan, find_holds, take_back_songs
from probes.audio.loops import loop_s
from probes.audio.loudness import loudness_lufs
from probes.audio.net import CLASSES, MUSIC, OVER, SILENCE, SPEECH, Net, weights
from probes.audio.repeats import STEP, Prints, comes_as_a_message, find_again, find_repeats, fingerprint, same_song
from probes.audio.samples import RATE_HZ, Resampler, UnusableAudio, check
from probes.audio.states import Stretch, kinds, stretches
from probes.audio.timeline import (
    EndReason,
    Hold,
    Kind,
    Label,
    LineQuality,
    Message,
    Occurrence,
    Segment,
    Span,
    Timeline,
    Tone,
)
from probes.audio.tones import find_tones

LISTENER = "listener-4"
_TOGETHER = 256
_NOTHING = np.zeros((0, CLASSES), np.float32)
_DEAD_AIR_S = 10.0
_SHORTEST_PATTERN_S, _PATTERNS_EACH, _MOST_PATTERNS = 2.0, 3, 12
_LOOP_SOUGHT_STEPS = round(3600 / (FRAME_S * STEP))  # of a hold: no music on hold is longer than half an hour


class Listener:
    """Takes a recording in blocks and keeps 35 bytes of each 20 ms, under 7 MB an hour."""

    def __init__(self) -> None:
        self._reader, self._net = FrameReader(), Net()
        self._kept: list[Kept] = []
        self._odds: list[NDArray[np.float16]] = []
        self._samples = 0

    @property
    def heard_s(self) -> float:
        """Media time taken in so far."""
        return self._samples / RATE_HZ

    def push(self, samples: Floats) -> Floats:
        """Take the next samples, 8 kHz; return the model's log-odds of the frames that it can tell by now."""
        self._samples += len(samples)
        return self._take(self._reader.push(samples))

    def prints(self, start_s: float, end_s: float) -> Floats:
        """Return the fingerprint of a stretch that was heard not long ago."""
        mel, first = self._mel_db(start_s)
        if not len(mel):
            return np.zeros((0, 1), np.float32)
        return fingerprint(mel)[max(0, _step(start_s) - first) : max(0, _step(end_s) - first)]

    def recent(self, start_s: float) -> tuple["Heard", float]:
        """Return what was kept of the last frames, from about `start_s` on, and when the first of them was."""
        kept, frames = self._recent(start_s)
        return Heard(frames, kept), (sum(len(k) for k in self._kept) - frames) * FRAME_S

    def level_dbfs(self, start_s: float, end_s: float) -> Floats:
        """Return the levels of the frames of a stretch that was heard not long ago."""
        kept, frames = self._recent(start_s)
        first = sum(len(k) for k in self._kept) - frames
        levels = np.concatenate([k.level_dbfs for k in kept]) if kept else np.zeros(0, np.float16)
        return np.asarray(levels[round(start_s / FRAME_S) - first : round(end_s / FRAME_S) - first], np.float32)

    def spectrum(self, start_s: float, end_s: float) -> Floats | None:
        """Return the mean band levels of a voice that was heard not long ago; None when it was short."""
        mel, first = self._mel_db(start_s)
        return _spectrum(mel[max(0, _step(start_s) - first) : max(0, _step(end_s) - first)])

    def _mel_db(self, start_s: float) -> tuple[Floats, int]:
        """Return band levels from about `start_s` on, and the step of the first of them."""
        kept, frames = self._recent(start_s)
        first = (sum(len(k) for k in self._kept) - frames) // STEP
        return (np.concatenate([k.mel_db for k in kept]) if kept else np.zeros((0, 1), np.float32)), first

    def _recent(self, start_s: float) -> tuple[list[Kept], int]:
        wanted: list[Kept] = []
        at = total = sum(len(k) for k in self._kept)
        for block in reversed(self._kept):
            at -= len(block)
            wanted.append(block)
            if at * FRAME_S <= start_s:
                break
        return wanted[::-1], total - at

    def finish(self, caller: NDArray[np.bool_] | None = None) -> Timeline:
        """Return the timeline; nothing can be pushed after it.

        Args:
            caller: (n,) for each 20 ms whether the caller spoke, when the caller's channel is known.
        """
        self._take(self._reader.finish())
        self._odds.append(self._net.finish().astype(np.float16))
        n = -(-self._samples // 160)
        return assemble(self._all_odds(n), self._kept, self._samples / RATE_HZ, caller)

    def _all_odds(self, frames: int) -> NDArray[np.float16]:
        odds = np.concatenate(self._odds)[:frames]
        self._odds.clear()
        return odds

    def _take(self, blocks: list[Frames]) -> Floats:
        told = [self._net.push(block.features) for block in blocks]
        for block, odds in zip(blocks, told, strict=True):
            self._odds.append(odds.astype(np.float16))
            self._kept.append(Kept.of(block))
        if len(self._kept) >= 2 * _TOGETHER and len(self._kept[-_TOGETHER]) == CHUNK:
            # live frames come in single chunks: join them now and then, so that an hour is not 45,000 small arrays
            self._kept[-_TOGETHER:] = [join_kept(self._kept[-_TOGETHER:])]
            self._odds[-_TOGETHER:] = [np.concatenate(self._odds[-_TOGETHER:])]
        return np.concatenate(told) if told else _NOTHING


def listen(vendor: NDArray[np.float32], rate_hz: int, *, caller: NDArray[np.float32] | None = None) -> Timeline:
    """Return what is heard in one call.

    Args:
        vendor: the vendor's channel, shape (n,), -1..1.
        rate_hz: its sampling rate; brought to 8 kHz here.
        caller: our own channel at the same rate, for talk-over.

    Raises:
        UnusableAudio: empty, shorter than 0.1 s, NaN or infinity, not one channel, or an impossible rate.
    """
    return listen_blocks([vendor], rate_hz, caller=None if caller is None else [caller])


def listen_blocks(
    vendor: Iterable[NDArray[np.float32]], rate_hz: int, *, caller: Iterable[NDArray[np.float32]] | None = None
) -> Timeline:
    """Return what is heard in one call that comes in blocks, so that a day fits into little memory."""
    listener = Listener()
    _feed(listener, vendor, rate_hz, "the vendor's channel")
    if listener.heard_s < 0.1:
        raise UnusableAudio(
            f"the vendor's channel: {listener.heard_s:.3f} s of sound is too short to hear anything in; "
            "check that the right file and channel were given"
        )
    spoke = None
    if caller is not None:
        ours = Listener()
        _feed(ours, caller, rate_hz, "the caller's channel")
        spoke = _speaking(ours)
    return listener.finish(spoke)


def _feed(listener: Listener, blocks: Iterable[NDArray[np.float32]], rate_hz: int, what: str) -> None:
    resampler: Resampler | None = None
    for block in blocks:
        samples = check(block, rate_hz, what=what)
        resampler = resampler or Resampler(rate_hz)
        for start in range(0, len(samples), rate_hz * 20):
            listener.push(resampler.push(samples[start : start + rate_hz * 20]))
    if resampler is not None:
        listener.push(resampler.finish())


def _speaking(listener: Listener) -> NDArray[np.bool_]:
    timeline = listener.finish()
    out = np.zeros(int(timeline.duration_s / FRAME_S) + 1, np.bool_)
    for s in timeline.segments:
        if s.kind is Kind.SPEECH:
            out[int(s.start_s / FRAME_S) : int(s.end_s / FRAME_S)] = True
    return out


def assemble(
    odds: NDArray[np.floating], kept: list[Kept], duration_s: float, caller: NDArray[np.bool_] | None
) -> Timeline:
    """Make the timeline from the model's odds and what was kept of each frame; `kept` is emptied, to save memory."""
    count = len(odds)
    frames = Heard(count, kept)
    cut = stretches(odds, frames.level_dbfs)
    tones = find_tones(frames.peaks_hz, frames.peak_shares, frames.level_dbfs, odds)
    del odds  # so that it is not held while what was said is compared
    parts = calls.noise_is_no_music(calls.pieces(cut, tones, duration_s), frames.level_dbfs)
    parts = calls.settle(calls.no_music_under(parts, frames.level_dbfs))
    parts = _repeats_marked(parts, frames)
    spans, loops = _holds_and_loops(parts, frames, count)
    with_more = _heard_under_music(parts, frames, loops)
    if with_more is not parts:
        parts = with_more
        spans, loops = _holds_and_loops(parts, frames, count)
    who.say_who(parts, spans, _voices(parts, frames), _spans(caller, 0.3))
    messages = _messages(parts)
    painted = _painted(parts, count)
    holds = tuple(_hold(h, parts, frames, painted, loop) for h, loop in zip(spans, loops, strict=True))
    segments = tuple(_segment(p) for p in parts)
    return Timeline(
        duration_s=duration_s,
        answered_s=_answered(segments, tones),
        first_person_s=next((s.start_s for s in segments if s.label is Label.AGENT), None),
        segments=segments,
        holds=holds,
        music_loop_s=_surest_loop_s(loops, spans, painted),
        tones=tuple(tones),
        messages=messages,
        dead_air=_dead_air(segments, holds),
        talk_over=None if caller is None else _talk_over(painted, caller),
        quality=_quality(frames, painted),
        end=_end(segments, holds, duration_s),
        listener_version=f"{LISTENER}+{weights().version}",
        notes=(),
    )


def _repeats_marked(parts: list[calls.Piece], frames: "Heard") -> list[calls.Piece]:
    """Compare what was said, and once more what turned out to be two things: a message and what follows it."""
    only: set[int] | None = None
    for _ in range(2):
        speech = [p for p in parts if p.kind == "speech"]
        spans = [(_step(p.start_s), _step(p.end_s), p.over_music) for p in speech]
        matches = find_repeats(frames.prints, spans, only=only)
        parts, cut_off = calls.mark_repeats(parts, speech, matches, frames.level_dbfs)
        if not cut_off:
            break
        only = {i for i, p in enumerate(q for q in parts if q.kind == "speech") if any(p is c for c in cut_off)}
    return parts


def _heard_under_music(
    parts: list[calls.Piece], frames: "Heard", loops: list[tuple[float, float] | None]
) -> list[calls.Piece]:
    """Seek the messages that are known by now in what was taken for music alone; the same list: none was found."""
    families: dict[int, list[calls.Piece]] = {}
    for p in parts:
        if p.kind == "speech" and p.repeated and p.over_music and p.length_s >= _SHORTEST_PATTERN_S:
            families.setdefault(id(p.repeat_of or p), []).append(p)
    known = [p for f in families.values() for p in sorted(f, key=lambda p: -p.length_s)[:_PATTERNS_EACH]]
    known = sorted(known, key=lambda p: -p.length_s)[:_MOST_PATTERNS]
    music = [(_step(p.start_s), _step(p.end_s)) for p in parts if p.kind == "music"]
    if not known or not music:
        return parts
    patterns = [(_step(p.start_s), _step(p.end_s)) for p in known]
    found = find_again(frames.prints, patterns, music)
    places = [p for p in found if not same_song(frames.prints, patterns[p.which][0], p.start)]
    step_s = FRAME_S * STEP
    periods_s = [loop[0] for loop in loops if loop is not None]
    said: list[tuple[float, float, calls.Piece, float]] = []
    for root, family in families.items():
        again = [p for p in places if id(known[p.which].repeat_of or known[p.which]) == root]
        starts_s = sorted([p.start_s for p in family] + [p.start * step_s for p in again])
        if comes_as_a_message(starts_s, periods_s):
            said += [(p.start * step_s, p.end * step_s, known[p.which], p.similarity) for p in again]
    return calls.said_over_music(parts, sorted(said, key=lambda one: one[0])) if said else parts


def _holds_and_loops(
    parts: list[calls.Piece], frames: "Heard", count: int
) -> tuple[list[HoldSpan], list[tuple[float, float] | None]]:
    """Find holds and their loops; what comes again with the loop is music, whatever it sounded like."""
    spans = find_holds(parts, frames.level_dbfs)
    loops: list[tuple[float, float] | None] = []
    for span in spans:
        music = _painted(parts, count)[::STEP][: len(frames.prints)] == MUSIC
        begin = _step(span.start_s)
        steps = slice(begin, min(_step(span.end_s), begin + _LOOP_SOUGHT_STEPS))
        loop = loop_s(frames.prints[steps], music[steps]) if music[steps].any() else None
        if loop is not None:
            take_back_songs(parts, span, loop[0] / (FRAME_S * STEP), frames.prints)
        loops.append(loop)
    return spans, loops


class Heard:
    """What was kept of all frames, cut to the length of the recording."""

    def __init__(self, frames: int, kept: list[Kept]) -> None:
        columns = {f.name: [getattr(k, f.name) for k in kept] for f in fields(Kept)}
        kept.clear()  # and one column after the other, so that nothing is held twice

        def column(name: str) -> NDArray[Any]:
            return np.concatenate(columns.pop(name))

        self._mel = column("mel")  # of every second frame
        self.level_dbfs: Floats = column("level_dbfs")[:frames].astype(np.float32)
        self.k_power: Floats = column("k_power")[:frames]
        self.clipped: NDArray[np.bool_] = column("clipped")[:frames]
        self.peaks_hz = Coarse(column("peaks")[:frames], 16)
        self.peak_shares = Coarse(column("shares")[:frames], 255)
        self.prints = Prints(self._mel)

    def mel_db(self, first: int, last: int) -> Floats:
        """Return the power per band of the steps `first`..`last`-1, of 40 ms each."""
        return from_half_db(self._mel[first:last])


def _step(at_s: float) -> int:
    return round(at_s / (FRAME_S * STEP))


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
        a, b = _step(p.start_s), _step(p.end_s)
        if p.kind != "speech" or p.over_music:
            spectra.append(None)
            continue
        spectra.append(_spectrum(frames.mel_db(a, b)))
    return who.Voices(tuple(spectra), tuple(_rest_dbfs(p, frames.level_dbfs) for p in parts))


def _spectrum(mel_db: Floats) -> Floats | None:
    """Return the mean band levels of the louder part of a voice; None when there is under 0.8 s of it."""
    if len(mel_db) < 20:
        return None
    loud = mel_db.mean(axis=1)
    return np.asarray(mel_db[loud > np.percentile(loud, 95) - 20].mean(axis=0), np.float32)


def _rest_dbfs(p: calls.Piece, level_dbfs: Floats) -> float | None:
    if p.kind != "silence":
        return None
    return rest_dbfs(p.length_s, level_dbfs[round(p.start_s / FRAME_S) : round(p.end_s / FRAME_S)])


def rest_dbfs(length_s: float, level_dbfs: Floats) -> float | None:
    """Return the level of a silence, its ends aside; None when it is too short."""
    inner = level_dbfs[4:-3]
    return float(np.median(inner)) if length_s > 0.35 and len(inner) >= 8 else None


def _messages(parts: list[calls.Piece]) -> tuple[Message, ...]:
    """Put together what is the same message, and number its occurrences."""
    families: dict[int, list[calls.Piece]] = {}
    roots: dict[int, int] = {}
    for p in parts:
        if p.repeat_of is not None:
            root = roots.get(id(p.repeat_of), id(p.repeat_of))
            roots[id(p)] = root
            families.setdefault(root, [p.repeat_of]).append(p)
    out = []
    for number, said in enumerate(sorted(families.values(), key=lambda f: f[0].start_s)):
        for k, p in enumerate(said, start=1):
            p.message, p.occurrence = number, k
        occurrences = tuple(Occurrence(p.start_s, p.end_s, min(1.0, p.similarity)) for p in said)
        interval_s = float(np.median(np.diff([p.start_s for p in said])))
        out.append(Message(occurrences, interval_s, float(np.median([p.length_s for p in said]))))
    return tuple(out)


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
) -> Hold:
    a, b = round(span.start_s / FRAME_S), round(span.end_s / FRAME_S)
    music = painted[a:b] == MUSIC
    loudness = loudness_lufs(frames.k_power[a:b], music)
    if loudness is None:
        loudness = loudness_lufs(frames.k_power[a:b])
    speech = loudness_lufs(frames.k_power, painted == SPEECH)
    inside = [p for p in parts[span.first : span.last + 1] if p.kind == "speech"]
    return Hold(
        start_s=span.start_s,
        end_s=span.end_s,
        mode=span.mode,
        loudness_lufs=loudness,
        speech_relative_lu=None if loudness is None or speech is None else loudness - speech,
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


def _answered(segments: tuple[Segment, ...], tones: list[Tone]) -> float | None:
    """End of the ringing that comes before anything was said."""
    first = next((s.start_s for s in segments if s.kind in (Kind.SPEECH, Kind.MUSIC)), None)
    if first is None:
        return None
    ringing = [t.end_s for t in tones if t.label is Label.RINGBACK and t.end_s <= first + 0.1]
    return max(ringing) if ringing else None


def _dead_air(segments: tuple[Segment, ...], holds: tuple[Hold, ...]) -> tuple[Span, ...]:
    return tuple(
        Span(s.start_s, s.end_s)
        for s in segments
        if s.kind is Kind.SILENCE
        and s.end_s - s.start_s >= _DEAD_AIR_S
        and not any(h.start_s <= s.start_s and s.end_s <= h.end_s for h in holds)
    )


def _talk_over(painted: NDArray[np.int8], caller: NDArray[np.bool_]) -> tuple[Span, ...]:
    n = min(len(painted), len(caller))
    return _spans(np.isin(painted[:n], (SPEECH, OVER)) & caller[:n], 0.3)


def _spans(where: NDArray[np.bool_] | None, least_s: float) -> tuple[Span, ...]:
    """Return the stretches of frames that are true, and at least so long."""
    if where is None:
        return ()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], where.astype(np.int8), [0]])))
    return tuple(Span(a * FRAME_S, b * FRAME_S) for a, b in edges.reshape(-1, 2) if (b - a) * FRAME_S >= least_s)


def _quality(frames: Heard, painted: NDArray[np.int8]) -> LineQuality:
    speech, silent = np.isin(painted, (SPEECH,)), painted == SILENCE
    level = frames.level_dbfs
    loud = level[speech]
    pauses = level[silent]
    noisy = pauses[pauses > -78]
    sound = ~silent
    return LineQuality(
        speech_level_dbfs=_active_dbfs(loud) if len(loud) > 10 else None,
        noise_level_dbfs=float(np.median(noisy)) if len(noisy) > 10 else None,
        digital_silence=bool(len(pauses) > 10 and len(noisy) < 0.5 * len(pauses)),
        lost_ratio=_lost_ratio(level, sound),
        clipped_ratio=float(frames.clipped.mean()),
        one_way=not bool(sound.any()),
    )


def _lost_ratio(level_dbfs: Floats, sound: NDArray[np.bool_]) -> float:
    """Share of frames that are digital silence for up to 0.2 s inside loud sound: packets lost and not hidden."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (level_dbfs < -78).astype(np.int8), [0]]))).reshape(-1, 2)
    edges = edges[(edges[:, 0] > 0) & (edges[:, 1] < len(level_dbfs)) & (edges[:, 1] - edges[:, 0] <= 10)]
    loud = np.minimum(level_dbfs[edges[:, 0] - 1], level_dbfs[np.minimum(edges[:, 1], len(level_dbfs) - 1)]) > -45
    holes = edges[loud & sound[edges[:, 0]]]
    return float((holes[:, 1] - holes[:, 0]).sum()) / len(level_dbfs)


def _active_dbfs(level_dbfs: Floats) -> float:
    """Mean power of the louder 60 % of the frames, in dBFS."""
    active = level_dbfs[level_dbfs >= np.percentile(level_dbfs, 40)]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


def _end(segments: tuple[Segment, ...], holds: tuple[Hold, ...], duration_s: float) -> EndReason:
    if holds and duration_s - holds[-1].end_s < 3:
        return EndReason.ON_HOLD
    last = next((s for s in reversed(segments) if s.kind is not Kind.SILENCE), None)
    if last is None or duration_s - last.end_s > 5:
        return EndReason.SILENCE
    if last.label in (Label.BUSY, Label.REORDER, Label.DIAL_TONE):
        return EndReason.BUSY_TONE
    if last.label is Label.RINGBACK:
        return EndReason.RINGING
    return EndReason.IN_SPEECH if last.kind is Kind.SPEECH else EndReason.OTHER

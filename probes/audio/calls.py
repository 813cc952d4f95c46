"""From stretches, tones and repeats to the pieces of a call: contiguous, each of one kind."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from probes.audio.frames import FRAME_S
from probes.audio.quantiles import quantile
from probes.audio.repeats import STEP_S, Match
from probes.audio.spectra import Floats
from probes.audio.states import MUSIC, OVER, SILENCE, Stretch
from probes.audio.timeline import Label, Tone

SHORTEST_MUSIC_S = 1.5  # music in all that a hold must hold
_SHORTEST_WORDS_S = 1.6  # said over music
TOUCHES_S, NOTE_PAUSE_S = 0.15, 1.5
_LONGEST_PAUSE_S = 12.0  # between notes of a tune, where a burst would be ringing that fits no plan
LONGEST_STRAY_S = 15.0
_LIKE_NOISE_DB, _SHORTEST_PAUSE_S, _EDGE_S, _VARIES, _MOST_COMPARED = (
    3.0,
    0.4,
    0.1,
    1.4,
    40,
)  # of what is noise, not music
QUIETEST_NOISE_DBFS = -75.0  # what is below is digital silence, with a click here and there
_SHORTEST_JUDGED_S, _NOISE_VARIES_DB, _DEEPEST_DUCK_DB = 1.0, 4.0, 28.0
_BESIDE = 500  # frames
_FALLEN_DB, _NEAR, _SHORTEST_STOP = 10.0, 30, 7  # below the music; frames around its end, and of the pause there
_FIRST_NOTE_S, _FIRST_NOTES_S, _SURELY_SAID = 1.2, 4.0, 0.8
_SHORTEST_CUT_S = 1.0
_SHORTEST_BUSY_S, _FOUND_AS_TONE = 2.0, 0.5  # nobody hangs up on less; confidence in what the search for tones found
_SHORTEST_REST_S = 1.0  # said after a message: a number at its end is shorter


@dataclass(slots=True, eq=False)
class Piece:
    """One stretch on its way to a segment."""

    start_s: float
    end_s: float
    kind: str  # silence, tone, music, speech
    odds: float
    over_music: bool = False
    label: Label = Label.UNSURE
    confidence: float = 0.0
    why: list[str] = field(default_factory=list)
    repeat_of: "Piece | None" = None
    again_after_s: float = 0.0  # how much later the words of `repeat_of` came again
    similarity: float = 1.0
    repeated: bool = False
    message: int | None = None
    occurrence: int | None = None

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def pieces(stretches: list[Stretch], tones: list[Tone], duration_s: float) -> list[Piece]:
    """Lay the tones over the stretches and return contiguous pieces from 0 to `duration_s`."""
    out: list[Piece] = []
    for s in stretches:
        kind = "silence" if s.state == SILENCE else "music" if s.state == MUSIC else "speech" if s.is_speech else "tone"
        out.append(Piece(s.start * FRAME_S, min(s.end * FRAME_S, duration_s), kind, s.odds, over_music=s.state == OVER))
    for tone in tones:
        out = _laid_over(out, tone)
    for p in out:
        if p.kind == "tone" and p.label is Label.UNSURE:  # the model hears a tone, but there is none with a name
            _name_by_neighbours(p, tones)
    out = [p for p in out if p.end_s - p.start_s > 1e-6]
    for _ in range(2):  # what has become music may be what lies beside the next note
        _notes_are_no_tones(out, tones)
        out = _joined(out)
    return out


def _notes_are_no_tones(parts: list[Piece], tones: list[Tone]) -> None:
    """Give steady notes of a tune back to it: a tone of no country's plan that touches music or lies within it.

    One or two bursts that fit a plan are notes only where music goes on right up to them on both sides; what would be
    ringing of no plan is one in a longer pause, too, and what no search for tones found is one soon after music.
    """
    known = {(t.start_s, t.label): (t.bursts, t.plan) for t in tones}
    doubtful = []
    for p in parts:
        bursts, plan = known.get((p.start_s, p.label), (1, None))
        brief = p.label in (Label.BUSY, Label.REORDER) and p.length_s < _SHORTEST_BUSY_S
        usual = p.label in (Label.BEEP, Label.RINGBACK) and (bursts <= 2 or plan is None)
        doubtful.append(p.kind == "tone" and (usual or brief))
    for i, p in enumerate(parts):
        if not doubtful[i]:
            continue
        planned = p.confidence > 0.7
        pause_s = NOTE_PAUSE_S if planned or p.label is Label.BEEP else _LONGEST_PAUSE_S
        sides = [_nearest_sound(parts, doubtful, i, step, pause_s) for step in (-1, 1)]
        near_s = [s[1] for s in sides if s is not None and s[0].kind == "music" and s[0].length_s > 0.15]
        within = len(near_s) == 2 and (not planned or max(near_s) < 2 * TOUCHES_S)
        touches = bool(near_s) and min(near_s) < TOUCHES_S
        goes_on = p.confidence < _FOUND_AS_TONE and sides[0] is not None and _goes_on(*sides[0])
        if within or ((touches or goes_on) and not planned):
            p.kind, p.label = "music", Label.UNSURE


def _goes_on(before: Piece, pause_s: float) -> bool:
    """Say whether a piece is music, and so soon before a sound that this is its next note."""
    return before.kind == "music" and before.length_s > _FIRST_NOTES_S and pause_s < NOTE_PAUSE_S


def _nearest_sound(
    parts: list[Piece], doubtful: list[bool], i: int, step: int, pause_s: float
) -> tuple[Piece, float] | None:
    """Return the next sound that is no doubtful tone, and how much silence lies before it; None: far away."""
    silence_s, i = 0.0, i + step
    while 0 <= i < len(parts) and silence_s < pause_s:
        if parts[i].kind == "silence":
            silence_s += parts[i].length_s
        elif not doubtful[i]:
            return parts[i], silence_s
        i += step
    return None


def settle(parts: list[Piece]) -> list[Piece]:
    """Give sounds too short to be what they seem to what is around them."""
    for _ in range(2):  # what became one piece may be the first notes of the next
        parts = _settled(parts)
    if len(parts) > 1 and parts[0].kind == "music" and parts[1].kind == "silence" and parts[0].length_s < 2.5:
        parts[0].kind = "silence"  # noise, before its level is known
    return _joined(parts)


def _settled(parts: list[Piece]) -> list[Piece]:
    for before, p, after in zip(parts, parts[1:], parts[2:], strict=False):
        beside = {before.kind, after.kind}
        if p.kind == "speech" and beside == {"music"} and p.length_s < _SHORTEST_WORDS_S:
            p.kind, p.over_music = "music", False  # a sung word, a solo
        elif p.kind == "speech" and before.kind in ("silence", "tone") and _is_first_notes(p, after):
            p.kind, p.over_music = "music", False
        elif p.kind == "music" and beside == {"silence"} and p.length_s < SHORTEST_MUSIC_S:
            p.kind = "silence"  # a rustle
        elif (
            p.kind == "music"
            and beside == {"speech"}
            and p.length_s < 1.2
            and not (before.over_music or after.over_music)
        ):
            p.kind = "speech"
    return _joined(parts)


def _is_first_notes(p: Piece, after: Piece) -> bool:
    """Say whether what seems said is how the music begins that it goes over into: very short, or short and doubtful."""
    if after.kind != "music":
        return False
    return p.length_s < _FIRST_NOTE_S < after.length_s or (
        p.length_s < _FIRST_NOTES_S < after.length_s and p.odds < _SURELY_SAID
    )


def noise_is_no_music(parts: list[Piece], level_dbfs: Floats, mel_db: Callable[[float, float], Floats]) -> list[Piece]:
    """Call silence what was heard as music and is no louder than the line's noise in the call's pauses.

    For a moment, that is enough; what goes on for long must sound like that noise, too.

    Args:
        parts: all pieces.
        level_dbfs: of each 20 ms frame.
        mel_db: the power per band of the steps from one second of the call to another, steps x bands.
    """
    floor_dbfs = noise_dbfs(parts, level_dbfs)
    if floor_dbfs is None:
        return parts
    quiet = [p for p in parts if p.kind == "music" and loud_part_dbfs(p, level_dbfs) < floor_dbfs + _LIKE_NOISE_DB]
    pauses = [p for p in parts if p.kind == "silence" and p.length_s >= _SHORTEST_PAUSE_S]
    for p in quiet:
        if p.length_s < LONGEST_STRAY_S or _sounds_like(p, pauses, mel_db):
            p.kind = "silence"
    return _joined(parts)


def _sounds_like(p: Piece, pauses: list[Piece], mel_db: Callable[[float, float], Floats]) -> bool:
    """Say whether a piece differs from the usual spectrum of the pauses no more than they do themselves.

    Of long calls some stretches of each are compared, so that it takes no more memory than a short call.
    """
    some = pauses[:: -(-len(pauses) // _MOST_COMPARED)]
    noise = np.concatenate([mel_db(*_middle(q.start_s, q.end_s)) for q in some])
    cuts_s = np.linspace(p.start_s, p.end_s, _MOST_COMPARED + 1)
    heard = np.concatenate([mel_db(*_middle(a, b)) for a, b in pairwise(cuts_s.tolist())])
    usual = np.median(noise, axis=0)
    away_db, own_db = (np.abs(mel - usual).mean(axis=1) for mel in (heard, noise))
    return quantile(away_db, 0.9) < _VARIES * quantile(own_db, 0.8)


def _middle(from_s: float, to_s: float) -> tuple[float, float]:
    """Return the middle of a stretch without its edges, 10 s at most."""
    half_s = min((to_s - from_s) / 2 - _EDGE_S, 5.0)
    return (from_s + to_s) / 2 - half_s, (from_s + to_s) / 2 + half_s


def no_music_under(parts: list[Piece], level_dbfs: Floats) -> list[Piece]:
    """Call speech over music plain speech where its gaps are as quiet as the line, or far below the music beside it.

    What plays under words is heard between them, and at one end of them at least. Right after music the model goes on
    to expect it.
    """
    floor_dbfs = noise_dbfs(parts, level_dbfs)
    for i, p in enumerate(parts):
        if p.kind != "speech" or not p.over_music or p.length_s < _SHORTEST_JUDGED_S:
            continue
        gaps_dbfs = quantile(smooth_dbfs(level_dbfs[_frames(p)], 3), 0.04)
        beside = [q for q in parts[max(0, i - 1) : i + 2] if q.kind == "music" and q.length_s >= 1.0]
        music_dbfs = [quantile(level_dbfs[_frames(q)][:_BESIDE], 0.4) for q in beside]
        quiet = floor_dbfs is not None and gaps_dbfs < floor_dbfs + _NOISE_VARIES_DB
        deep = bool(music_dbfs) and gaps_dbfs < min(music_dbfs) - _DEEPEST_DUCK_DB
        if quiet or deep or _stands_alone(parts, i, gaps_dbfs, floor_dbfs, level_dbfs):
            p.over_music = False
    return parts


def _stands_alone(parts: list[Piece], i: int, gaps_dbfs: float, floor_dbfs: float | None, level_dbfs: Floats) -> bool:
    """Say whether words have a pause after them, and before them one too, or a short one in which music had ended.

    It had ended if the line fell silent, or fell to what is heard between the words and that is far below the music.
    """
    before, p = parts[i - 1] if i else None, parts[i]
    if i + 1 == len(parts) or parts[i + 1].kind in ("music", "speech"):
        return False
    if before is None or before.kind != "music":
        return before is None or before.kind == "silence"
    at = round(p.start_s / FRAME_S)
    near_dbfs = level_dbfs[max(0, at - _NEAR) : at + _NEAR]
    if floor_dbfs is not None and _longest_below(near_dbfs, floor_dbfs + _NOISE_VARIES_DB) >= _SHORTEST_STOP:
        return True
    if gaps_dbfs > quantile(level_dbfs[_frames(before)][-_BESIDE:], 0.4) - _FALLEN_DB:
        return False
    return _longest_below(near_dbfs, gaps_dbfs + _NOISE_VARIES_DB) >= _SHORTEST_STOP


def _longest_below(level_dbfs: Floats, limit_dbfs: float) -> int:
    """Return for how many frames on end it is softer."""
    below = np.concatenate([[0], (level_dbfs < limit_dbfs).astype(np.int8), [0]])
    runs = np.flatnonzero(np.diff(below)).reshape(-1, 2)
    return int((runs[:, 1] - runs[:, 0]).max(initial=0))


def smooth_dbfs(level_dbfs: Floats, frames: int) -> Floats:
    """Return the mean power of some frames around each."""
    power = np.convolve(10 ** (np.asarray(level_dbfs, np.float64) / 10), np.ones(frames) / frames, "same")
    return np.asarray(10 * np.log10(power[: len(level_dbfs)] + 1e-10), np.float32)


def noise_dbfs(parts: list[Piece], level_dbfs: Floats) -> float | None:
    """Return the level of the line's noise, from the call's pauses; None when they are too few or digital silence."""
    pauses = [level_dbfs[_frames(p)] for p in parts if p.kind == "silence" and p.length_s >= _SHORTEST_PAUSE_S]
    if not pauses or sum(map(len, pauses)) * FRAME_S < 1.5:
        return None
    usual_dbfs = float(np.percentile(np.concatenate(pauses), 25))
    return usual_dbfs if usual_dbfs >= QUIETEST_NOISE_DBFS else None


def _frames(p: Piece) -> slice:
    return slice(int(p.start_s / FRAME_S), int(p.end_s / FRAME_S) + 1)


def _laid_over(parts: list[Piece], tone: Tone) -> list[Piece]:
    out: list[Piece] = []
    new = Piece(tone.start_s, tone.end_s, "tone", tone.confidence, label=tone.label, confidence=tone.confidence)
    for p in parts:
        if p.end_s <= tone.start_s or p.start_s >= tone.end_s:
            out.append(p)
            continue
        if p.start_s < tone.start_s:
            out.append(_cut(p, p.start_s, tone.start_s))
        if new not in out:
            out.append(new)
        if p.end_s > tone.end_s:
            out.append(_cut(p, tone.end_s, p.end_s))
    return _without_stumps(out, new)


def _name_by_neighbours(p: Piece, tones: list[Tone]) -> None:
    """Give a tone that only the model hears the name of the tone beside it, or of none."""
    progress = (Label.RINGBACK, Label.BUSY, Label.REORDER, Label.FAX, Label.DIAL_TONE)
    away = [(max(t.start_s - p.end_s, p.start_s - t.end_s), t.label) for t in tones if t.label in progress]
    away_s, label = min(away, default=(99.0, p.label))
    if -0.3 < away_s < 6.5 and p.length_s < 8:
        p.label, p.confidence = label, 0.5
    elif p.odds > 0.7 and p.length_s > 0.1:
        p.label, p.confidence = (Label.BEEP if p.length_s < 0.8 else Label.RINGBACK), 0.4
    else:
        p.kind = "music" if p.length_s > 1 else "silence"


def _cut(p: Piece, start_s: float, end_s: float) -> Piece:
    return Piece(start_s, end_s, p.kind, p.odds, p.over_music, p.label, p.confidence, list(p.why))


def _without_stumps(parts: list[Piece], tone: Piece) -> list[Piece]:
    """What is left of a stretch beside a tone and shorter than 0.15 s is the tone's edge."""
    for i, p in enumerate(parts):
        beside = (i > 0 and parts[i - 1] is tone) or (i + 1 < len(parts) and parts[i + 1] is tone)
        if beside and p is not tone and p.kind != "silence" and p.length_s < 0.15:
            p.kind, p.over_music, p.label = "silence", False, Label.UNSURE
    return parts


def _joined(parts: list[Piece]) -> list[Piece]:
    out: list[Piece] = []
    for p in parts:
        if out and p.kind != "tone" and out[-1].kind == p.kind:
            last = out[-1]
            over = p.length_s * p.over_music + last.length_s * last.over_music
            last.odds = (p.length_s * p.odds + last.length_s * last.odds) / (p.length_s + last.length_s)
            last.over_music = over > 0.5 * (p.length_s + last.length_s)
            last.end_s = p.end_s
        else:
            out.append(p)
    return out


def mark_repeats(
    parts: list[Piece], speech: list[Piece], matches: list[Match], level_dbfs: Floats
) -> tuple[list[Piece], list[Piece]]:
    """Note on each piece of speech whether it was said again; return the pieces, cut where a message ends, and what
    was cut off: it may be a message too.

    Args:
        parts: all pieces.
        speech: those that were compared.
        matches: what was found; its numbers are places in `speech`.
        level_dbfs: of each 20 ms frame.
    """
    cut_off: list[Piece] = []
    for m in matches:
        first, second = speech[m.first], speech[m.second]
        first.repeated = second.repeated = True
        second.repeat_of, second.again_after_s, second.similarity = first, m.shift * STEP_S, m.similarity
        until_s = m.until * STEP_S
        if second.over_music:  # what the music drowns seems to differ
            together = abs(second.start_s - m.shift * STEP_S - first.start_s) < 0.4
            until_s = second.start_s + first.length_s if together else second.end_s
        if second.end_s - until_s > _SHORTEST_REST_S:
            parts, rest = _cut_after(parts, second, until_s, level_dbfs)
            cut_off += rest
    return parts, cut_off


def _cut_after(parts: list[Piece], piece: Piece, at_s: float, level_dbfs: Floats) -> tuple[list[Piece], list[Piece]]:
    """Somebody speaks right after a message: cut at the quietest moment near its end."""
    a, b = round((at_s - 0.3) / FRAME_S), round((at_s + 0.7) / FRAME_S)
    smooth = np.convolve(level_dbfs[a:b], np.ones(5) / 5, "same")
    if len(smooth) < 10:
        return parts, []
    cut_s = (a + 2 + int(smooth[2:-2].argmin())) * FRAME_S
    rest = Piece(cut_s, piece.end_s, "speech", piece.odds, piece.over_music)
    piece.end_s = cut_s
    where = next(i for i, p in enumerate(parts) if p is piece) + 1
    return [*parts[:where], rest, *parts[where:]], [rest]


def said_over_music(parts: list[Piece], said: list[tuple[float, float, Piece, float]]) -> list[Piece]:
    """Cut known words out of the music that they were heard in.

    Args:
        parts: all pieces.
        said: start, end, the piece that has the same words, and how alike they are; in order, without overlap.
    """
    for start_s, end_s, same, similarity in said:
        out: list[Piece] = []
        for p in parts:
            a_s, b_s = max(p.start_s, start_s), min(p.end_s, end_s)
            if p.kind != "music" or b_s - a_s < _SHORTEST_CUT_S:
                out.append(p)
                continue
            words = Piece(a_s, b_s, "speech", p.odds, over_music=True, repeated=True)
            words.repeat_of, words.similarity = same.repeat_of or same, similarity
            words.again_after_s = start_s - same.start_s + (same.again_after_s if same.repeat_of else 0.0)
            same.repeated = True
            sides = [_cut(p, p.start_s, a_s), words, _cut(p, b_s, p.end_s)]
            out += [q for q in sides if q.length_s > 1e-6]
        parts = out
    return parts


def loud_part_dbfs(p: Piece, level_dbfs: Floats) -> float:
    """Return the level of the louder part of a piece."""
    return quantile(level_dbfs[_frames(p)], 0.8)

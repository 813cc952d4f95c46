"""Calls by number: the same pool, seed and index always give the same samples and labels."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from bench.calls import line as lines
from bench.calls.packages import Split
from bench.calls.pool import Pool
from bench.calls.scenes import SCENES
from bench.calls.sounds import RATE_HZ, Sound, runs, write
from bench.calls.stage import Stage
from bench.calls.tape import HoldTruth, Mark, Tape

FORMAT = "holdproof-calls-1"
# The course side was called test once; its calls are still those of then.
DRAWN_BY: dict[Split, int] = {
    "train": zlib.crc32(b"train"),
    "course": zlib.crc32(b"test"),
    "test": zlib.crc32(b"third"),
}
BAD_LINE_SHARE, CLEAN_LINE_SHARE = 0.3, 0.2


@dataclass(frozen=True, slots=True)
class Call:
    """One made call: both channels, and what is in them."""

    vendor: Sound
    caller: Sound
    label: dict[str, Any]


def make(
    pool: Pool,
    seed: int,
    index: int,
    cache: Path | None = None,
    most_s: float = 1500.0,
    scene: str | None = None,
    quality: str | None = None,
) -> Call:
    """Make one call.

    Args:
        pool: the side of the split to take everything from.
        seed: another seed is another set of calls.
        index: which call of the set; it also chooses the scene, in turn.
        cache: where the codec libraries are; None: lines without them.
        most_s: how long a call may be, roughly.
        scene: a scene by name instead of the one whose turn it is.
        quality: `clean`, `usual` or `bad` instead of a drawn one.
    """
    rng = np.random.default_rng([DRAWN_BY[pool.split], seed, index])
    play = next(s for s in SCENES if s.__name__ == scene) if scene else SCENES[index % len(SCENES)]
    stage = Stage(pool, rng, most_s)
    play(stage)
    drawn = rng.random()
    own = "bad" if drawn < BAD_LINE_SHARE else "clean" if drawn < BAD_LINE_SHARE + CLEAN_LINE_SHARE else "usual"
    line = lines.draw(rng, quality or own)
    tape = stage.tape
    vendor, caller = (_stretched(s, line.clock_ratio) for s in tape.sounds())
    babble = np.concatenate([pool.clip(stage.system, c) for c in stage.system.clips[:30]])
    heard, wanted = lines.send(vendor, caller, line, rng, babble, cache)
    tape = _stretched_tape(tape, line.clock_ratio, len(heard))
    _ignore_what_is_buried(tape, lines.buried(wanted, line))
    if line.crosstalk_db is not None and line.crosstalk_db > -45:
        tape.ignored += _caller_alone(tape)
    label = _label(tape, line, pool.split, seed, index, play.__name__, stage)
    return Call(heard, caller, label)


def _stretched(sound: Sound, ratio: float) -> Sound:
    return sound if ratio == 1 else np.asarray(soxr.resample(sound, RATE_HZ, RATE_HZ * ratio), np.float32)


def _stretched_tape(tape: Tape, ratio: float, length: int) -> Tape:
    def moved(sample: int) -> int:
        return min(round(sample * ratio), length)

    return Tape(
        length=length,
        marks=[replace(m, start=moved(m.start), end=moved(m.end)) for m in tape.timeline()],
        caller_marks=[(moved(a), moved(b)) for a, b in tape.caller_marks],
        holds=[
            replace(h, start=moved(h.start), end=moved(h.end), loop_s=h.loop_s and h.loop_s * ratio) for h in tape.holds
        ],
        maybe_holds=[(moved(a), moved(b)) for a, b in tape.maybe_holds],
        ignored=[(moved(a), moved(b)) for a, b in tape.ignored],
        events=[(moved(a), label) for a, label in tape.events],
    )


def _ignore_what_is_buried(tape: Tape, buried: NDArray[np.bool_]) -> None:
    """Music that the line hides is not scored; a hold with music lasts from its first to its last audible moment."""
    for mark in tape.marks:
        if mark.kind == "music":
            first, last = -(-mark.start // 160), mark.end // 160
            spans = [(first + a, first + b) for a, b in runs(buried[first:last]) if b - a >= 5]
            tape.ignored += [(a * 160, b * 160) for a, b in spans]
    for index, hold in enumerate(tape.holds):
        first, last = hold.start // 160, hold.end // 160
        audible = np.flatnonzero(~buried[first:last])
        if hold.mode != "silent" and len(audible):
            start = hold.start if audible[0] <= 2 else (first + int(audible[0])) * 160
            end = hold.end if first + audible[-1] >= last - 3 else (first + int(audible[-1]) + 1) * 160
            tape.holds[index] = replace(hold, start=start, end=end)


def _caller_alone(tape: Tape) -> list[tuple[int, int]]:
    """Return where only the caller's own voice is to be heard in the vendor's channel: either answer is accepted."""
    out = []
    for mark in tape.marks:
        if mark.kind == "silence":
            out += [
                (max(a, mark.start), min(b, mark.end)) for a, b in tape.caller_marks if a < mark.end and b > mark.start
            ]
    return out


def _label(tape: Tape, line: lines.Line, split: str, seed: int, index: int, scene: str, stage: Stage) -> dict[str, Any]:
    loops = [h.loop_s for h in tape.holds if h.loop_s]
    return {
        "format": FORMAT,
        "id": f"{split}-{seed}-{index:03d}",
        "split": split,
        "scenario": scene,
        "language": stage.system.language,
        "country": stage.country,
        "sample_rate": RATE_HZ,
        "duration_s": _s(tape.length),
        "channel": asdict(line),
        "cast": {"system": stage.system.name, "person": stage.people[0].name, "caller": stage.caller.name},
        "segments": [_segment(m) for m in tape.marks],
        "holds": [_hold(h) for h in tape.holds],
        "maybe_holds": [[_s(a), _s(b)] for a, b in tape.maybe_holds],
        "music_loop_s": round(loops[0], 3) if loops else None,
        "music_repeats": any(h.repeats for h in tape.holds),
        "ignore": [[_s(a), _s(b)] for a, b in sorted(tape.ignored)],
        "caller_speech": [[_s(a), _s(b)] for a, b in tape.caller_marks],
        "events": [{"t_s": _s(a), "label": label} for a, label in tape.events],
    }


def _s(sample: int) -> float:
    return round(sample / RATE_HZ, 3)


def _segment(mark: Mark) -> dict[str, Any]:
    values = {k: v for k, v in asdict(mark).items() if v is not None and k not in ("start", "end")}
    return {"start_s": _s(mark.start), "end_s": _s(mark.end), **values}


def _hold(hold: HoldTruth) -> dict[str, Any]:
    return {
        "start_s": _s(hold.start),
        "end_s": _s(hold.end),
        "mode": hold.mode,
        "music": hold.music,
        "music_loop_s": round(hold.loop_s, 3) if hold.loop_s else None,
        "repeats": hold.repeats,
        "announcements": hold.messages,
        "varying": hold.varying,
    }


def write_calls(pool: Pool, cache: Path | None, out: Path, count: int, seed: int, most_s: float = 1500.0) -> float:
    """Write `call_NNN.wav`, `call_NNN.json` and, if the caller speaks, `call_NNN.caller.wav`; return minutes made."""
    out.mkdir(parents=True, exist_ok=True)
    minutes = 0.0
    for index in range(count):
        call = make(pool, seed, index, cache, most_s)
        write(out / f"call_{index:03d}.wav", call.vendor)
        if call.label["caller_speech"]:
            write(out / f"call_{index:03d}.caller.wav", call.caller)
        (out / f"call_{index:03d}.json").write_text(json.dumps(call.label, indent=1))
        minutes += len(call.vendor) / RATE_HZ / 60
        label = call.label
        print(
            f"call_{index:03d} {label['scenario']:18s} {label['duration_s'] / 60:5.1f} min, "
            f"holds {len(label['holds'])}, loop {label['music_loop_s']}, {label['language']}",
            flush=True,
        )
    return minutes

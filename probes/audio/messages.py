"""Messages that are said again and again: which speech is the same one, and from when to when it is said each time."""

import numpy as np

from probes.audio.calls import Piece
from probes.audio.quantiles import quantile
from probes.audio.repeats import STEP_S, Prints, likeness
from probes.audio.timeline import Message, Occurrence

# what is added to a message at one end: other music drowns most of it, or it is the music that is the same
_SHORTEST_MORE_S, _MORE_ALIKE, _TOO_ALIKE = 0.2, 0.3, 0.85
_AROUND, _BIT = round(20 / STEP_S), round(1.5 / STEP_S)


def messages_of(parts: list[Piece]) -> tuple[Message, ...]:
    """Put together what is the same message, and number its occurrences."""
    out = []
    for number, family in enumerate(_families(parts)):
        said = [p for p, _ in family]
        for k, p in enumerate(said, start=1):
            p.message, p.occurrence = number, k
        occurrences = tuple(Occurrence(p.start_s, p.end_s, min(1.0, p.similarity)) for p in said)
        interval_s = float(np.median(np.diff([p.start_s for p in said])))
        out.append(Message(occurrences, interval_s, float(np.median([p.length_s for p in said]))))
    return tuple(out)


def made_whole(parts: list[Piece], prints: Prints) -> bool:
    """Let each occurrence over music begin and end as the longest one does, where the same is heard in its music.

    Loud music drowns one part of a message now and another then.

    Returns:
        Whether anything changed.
    """
    changed = False
    place = {id(p): i for i, p in enumerate(parts)}
    for family in _families(parts):
        longest, its_shift_s = max(family, key=lambda one: one[0].length_s)
        for p, shift_s in family:
            if p is longest or not p.over_music:
                continue
            later_s, i = shift_s - its_shift_s, place[id(p)]
            before, after = parts[i - 1] if i else None, parts[i + 1] if i + 1 < len(parts) else None
            from_s, to_s = longest.start_s + later_s, longest.end_s + later_s
            if before is not None and before.kind == "music":
                from_s = max(from_s, before.start_s)
                if _same_words(from_s, p.start_s, later_s, prints):
                    before.end_s = p.start_s = from_s
                    changed = True
            if after is not None and after.kind == "music":
                to_s = min(to_s, after.end_s)
                if _same_words(p.end_s, to_s, later_s, prints):
                    after.start_s = p.end_s = to_s
                    changed = True
    if changed:
        parts[:] = [p for p in parts if p.length_s > 1e-6]
    return changed


def _same_words(from_s: float, to_s: float, later_s: float, prints: Prints) -> bool:
    """Say whether the same was heard in a stretch as `later_s` before it."""
    if to_s - from_s < _SHORTEST_MORE_S:
        return False
    a, b, shift = round(from_s / STEP_S), round(to_s / STEP_S), round(later_s / STEP_S)
    if min(a, a - shift) < 0 or _same_song(a, b, shift, prints):
        return False
    now, then = prints[a:b], prints[a - shift : b - shift]
    return len(now) == len(then) and _MORE_ALIKE < likeness(now, then) < _TOO_ALIKE


def _same_song(a: int, b: int, shift: int, prints: Prints) -> bool:
    """Say whether the music around is alike as well: then the stretch is, whatever is said in it."""
    from_, to = max(0, shift, a - _AROUND), min(len(prints), len(prints) + shift, b + _AROUND)
    told = [
        likeness(prints[k : k + _BIT], prints[k - shift : k - shift + _BIT])
        for k in range(from_, to - _BIT, _BIT)
        if k + _BIT <= a or k >= b
    ]
    return len(told) > 4 and quantile(np.asarray(told, np.float32), 0.4) > _MORE_ALIKE


def _families(parts: list[Piece]) -> list[list[tuple[Piece, float]]]:
    """Return the occurrences of each message in order, each with how much later than one of them it came."""
    families: dict[int, list[tuple[Piece, float]]] = {}
    for p in parts:
        if p.repeat_of is None:
            continue
        root, shift_s, seen = p, 0.0, {id(p)}
        while root.repeat_of is not None and id(root.repeat_of) not in seen:
            shift_s += root.again_after_s
            root = root.repeat_of
            seen.add(id(root))
        families.setdefault(id(root), [(root, 0.0)])
        if root is not p:
            families[id(root)].append((p, shift_s))
    alive = {id(p) for p in parts}
    kept = [[one for one in f if id(one[0]) in alive] for f in families.values()]
    in_order = [sorted(f, key=lambda one: one[0].start_s) for f in kept if len(f) > 1]
    return sorted(in_order, key=lambda f: f[0][0].start_s)

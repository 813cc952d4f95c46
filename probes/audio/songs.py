"""What is sung, or played, and sounded like words: it comes again with the music."""

from dataclasses import replace

from probes.audio.calls import Piece
from probes.audio.holds import HoldSpan
from probes.audio.repeats import STEP_S, Prints, likeness

_LONGEST_SONG_S, _SURE_SPEECH, _THE_SAME = 12.0, 0.88, 0.8
_MANY_ROUNDS, _NEARLY_ALL, _SURELY_SPEECH = 3, 0.75, 0.94  # what comes in each round of the music is hardly a message


def take_back_songs(parts: list[Piece], span: HoldSpan, loop_steps: float, prints: Prints) -> HoldSpan:
    """Call speech in a hold music when it comes again with the music's loop: a singer, not a message.

    So is what goes over into the hold's first music: its first notes.

    Returns:
        The hold, which may begin sooner now.
    """
    for p in parts[span.first : span.last + 1]:
        if not p.over_music or p.length_s > _LONGEST_SONG_S:
            continue
        same, rounds = _comes_with_the_loop(p, span, loop_steps, prints)
        in_each = rounds >= _MANY_ROUNDS and same > _NEARLY_ALL * rounds
        if same and p.odds <= (_SURELY_SPEECH if in_each else _SURE_SPEECH):
            p.kind, p.over_music, p.repeat_of, p.repeated = "music", False, None, False
    before = parts[span.first - 1] if span.first else None
    if (
        before is not None
        and before.kind == "speech"
        and not before.repeated
        and parts[span.first].kind == "music"
        and before.length_s <= _LONGEST_SONG_S
        and _comes_with_the_loop(before, span, loop_steps, prints)[0]
    ):
        before.kind, before.over_music = "music", False
        return replace(span, first=span.first - 1, start_s=before.start_s)
    return span


def _comes_with_the_loop(p: Piece, span: HoldSpan, loop_steps: float, prints: Prints) -> tuple[int, int]:
    """Return in how many of the rounds of the music nearest to it the same is heard, and how many of them there are."""
    a, b = round(p.start_s / STEP_S), round(p.end_s / STEP_S)
    here = prints[a:b]
    same = rounds = 0
    for times in (1, -1, 2, -2, 3, -3):
        from_s = p.start_s + times * loop_steps * STEP_S
        if span.start_s <= from_s <= span.end_s - p.length_s:
            later = round(times * loop_steps)
            there = prints[a + later : b + later]
            rounds += 1
            same += len(there) == len(here) and likeness(here, there) > _THE_SAME
    return same, rounds

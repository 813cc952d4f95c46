"""How long a script takes when it runs by the clock, as far as that can be said beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from probes.telephony.script import Planned

# How long one key or one spoken character can take; no carrier states it, so these are wide on purpose.
_KEY_S = (0.08, 1.0)
_CHARACTER_S = (0.03, 0.15)


@dataclass(frozen=True, slots=True)
class Lasting:
    """Between how many seconds after the answer our script ends and hangs up."""

    shortest_s: float
    longest_s: float


def lasts(planned: tuple[Planned, ...]) -> Lasting:
    """Return how long after the answer a script hangs up, as far as that can be said beforehand."""
    spans = [planned_span(act) for act in planned]
    return Lasting(sum(span[0] for span in spans), sum(span[1] for span in spans))


def planned_span(act: Planned) -> tuple[float, float]:
    """Return the least and the most seconds that one planned act takes."""
    if act.text is not None:
        return len(act.text) * _CHARACTER_S[0], 1.0 + len(act.text) * _CHARACTER_S[1]
    if act.key_count:
        waits_s = 0.5 * (act.keys or "").count("w") + 1.0 * (act.keys or "").count("W")
        return waits_s + act.key_count * _KEY_S[0], waits_s + act.key_count * _KEY_S[1]
    # A carrier may know whole seconds only, and round up.
    return act.silence_s, act.silence_s + 1.0

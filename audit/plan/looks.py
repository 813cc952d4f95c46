"""How often a waiting case is looked at. Pure."""

from __future__ import annotations

from audit.plan.model import Wait

_SOONEST_S, _RAREST_S, _SHARE = 300.0, 3600.0, 0.1


def look_interval_s(wait: Wait, elapsed_s: float) -> float:
    """Return how long to wait before the next look: as the plan says, else 5 minutes at first to an hour later."""
    if wait.look_every is not None:
        return wait.look_every.s
    return min(_RAREST_S, max(_SOONEST_S, elapsed_s * _SHARE))


def looks_at_most(wait: Wait) -> int:
    """Return how often a wait looks at each ticket at most: after every interval, and once at its end."""
    if wait.look_every is not None:
        return int(-(-wait.at_most.s // wait.look_every.s))
    looks, elapsed_s = 0, 0.0
    while elapsed_s < wait.at_most.s:
        if elapsed_s * _SHARE >= _RAREST_S:
            return looks + int(-(-(wait.at_most.s - elapsed_s) // _RAREST_S))
        elapsed_s += look_interval_s(wait, elapsed_s)
        looks += 1
    return looks

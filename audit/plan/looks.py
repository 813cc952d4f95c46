"""How often a waiting case is looked at. Pure.

Soon after the wait began, ever more rarely later: every tenth of the time that has passed, from five minutes to an
hour. Where something was promised, there is a look when it falls due and others soon after, so that "kept" and "late"
can be told apart. A plan's own `look_every` stands above all of this.
"""

from __future__ import annotations

from collections.abc import Iterable

from audit.plan.model import Wait

_SOONEST_S, _RAREST_S, _SHARE = 300.0, 3600.0, 0.1
_FOR_PROMISES = 12
"""So many looks of a wait may come earlier than usual because of promises."""
_JUST_AFTER_S = 1.0


def look_interval_s(wait: Wait, elapsed_s: float, *, looks: int = 0, dues_s: Iterable[float] = ()) -> float:
    """Return how long to wait before the next look.

    Args:
        wait: of the plan.
        elapsed_s: since the wait began.
        looks: how many there were of each ticket.
        dues_s: when promises that are not kept yet fall due, in seconds from now; below 0: they were due so long ago.
    """
    if wait.look_every is not None:
        return wait.look_every.s
    usual = _usual_s(elapsed_s)
    if looks >= _usual_looks(elapsed_s) + _FOR_PROMISES - 1:  # one is kept for the end of the wait
        return usual
    return max(_SOONEST_S, min([usual, *(_near_s(due_s) for due_s in dues_s)]))


def _near_s(due_s: float) -> float:
    """Return when a promise asks for a look: at its due moment; later, after a tenth of what has passed since."""
    return due_s + _JUST_AFTER_S if due_s > 0 else -due_s * _SHARE


def looks_at_most(wait: Wait) -> int:
    """Return how often a wait looks at each ticket at most: after every interval, and once at its end."""
    if wait.look_every is not None:
        return int(-(-wait.at_most.s // wait.look_every.s))
    return _usual_looks(wait.at_most.s) + _FOR_PROMISES


def _usual_s(elapsed_s: float) -> float:
    return min(_RAREST_S, max(_SOONEST_S, elapsed_s * _SHARE))


def _usual_looks(until_s: float) -> int:
    looks, elapsed_s = 0, 0.0
    while elapsed_s < until_s:
        if elapsed_s * _SHARE >= _RAREST_S:
            return looks + int(-(-(until_s - elapsed_s) // _RAREST_S))
        elapsed_s += _usual_s(elapsed_s)
        looks += 1
    return looks

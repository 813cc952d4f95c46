"""Who ended a call: one conclusion from every signal there is, with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from probes.errors import FailureKind, Side
from probes.telephony.lasting import Lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSignals:
    """What is known about a call's end.

    `failure` is set where the call was never answered, after at most `rang_s` of `ring_at_most_s`. `script_fault` is
    what the carrier could not carry out of our script. `hang_up_asked_at_utc` is our own request. `script` says when
    our own script hangs up, `longest_s` when our time limit does, both in seconds after the answer. `bye_from` is the
    side whose goodbye the carrier saw, said by `bye_source`. Moments of the carrier are right within `error_s`.
    """

    failure: FailureKind | None
    rang_s: float | None
    ring_at_most_s: float
    script_fault: str | None
    hang_up_asked_at_utc: datetime | None
    ended_at_utc: datetime | None
    duration_s: float | None
    error_s: float
    script: Lasting | None
    longest_s: float | None
    bye_from: Side | None
    bye_source: str | None
    code: str | None


# A script end that is known no better than this does not say who hung up.
_SCRIPT_KNOWN_S = 3.0

# Ringing that ends so much before our own limit was not ended by it.
_RINGING_KNOWN_S = 3.0


def who_ended(signals: EndSignals) -> tuple[Side, tuple[str, ...]]:
    """Return on whose side the call was ended, and the reasons, the deciding one first.

    Order of evidence: our own request before the end; a fault in our own script; the goodbye that the carrier saw; our
    time limit; our script's end. Without any of them it stays not known, with what speaks against each side.
    """
    if signals.failure is not None:
        return _never_answered(signals)
    reasons: list[str] = []
    asked = _our_request(signals, reasons)
    if asked:
        return Side.OURS, tuple(reasons)
    if signals.script_fault is not None:
        return Side.OURS, (f"our script could not be carried out: {signals.script_fault}", *reasons)
    if signals.bye_from is Side.NETWORK:
        return Side.NETWORK, (signals.bye_source or "the line was lost, and neither side hung up", *reasons)
    if signals.bye_from is not None:
        reasons.insert(0, f"{signals.bye_source or 'the carrier'} says that the {_SIDES[signals.bye_from]} hung up")
        if signals.code:
            reasons.append(f"last SIP code {signals.code}")
        return signals.bye_from, tuple(reasons)
    ours = _our_limit(signals, reasons) or _our_script(signals, reasons)
    if ours:
        return Side.OURS, (ours, *reasons)
    reasons.append("only polling ran: the carrier's call record does not say who hung up")
    return Side.NOT_KNOWN, tuple(reasons)


_SIDES = {Side.OURS: "calling side (ours)", Side.VENDOR: "called side", Side.NETWORK: "network", Side.NOT_KNOWN: "?"}


def _never_answered(signals: EndSignals) -> tuple[Side, tuple[str, ...]]:
    code = (f"SIP code {signals.code}",) if signals.code else ()
    if signals.failure is FailureKind.BUSY:
        return Side.VENDOR, ("the called number was busy", *code)
    if signals.failure is FailureKind.STOPPED:
        return Side.OURS, ("we cancelled the call before it was answered", *code)
    if signals.failure is FailureKind.NO_ANSWER:
        early_s = signals.ring_at_most_s - (signals.rang_s or 0.0)
        if signals.rang_s is not None and early_s > _RINGING_KNOWN_S:
            reason = (
                f"the ringing ended {early_s:.0f} s before the time that we allow: the vendor or the network did it"
            )
            return Side.NOT_KNOWN, (reason, *code)
        return Side.OURS, (f"nobody answered within the {signals.ring_at_most_s:.0f} s that we allow", *code)
    return Side.NOT_KNOWN, (f"the call was not put through ({signals.failure})", *code)


def _our_request(signals: EndSignals, reasons: list[str]) -> bool:
    asked, ended = signals.hang_up_asked_at_utc, signals.ended_at_utc
    if asked is None:
        reasons.append("we did not ask for a hang-up")
        return False
    if ended is None:
        reasons.append("we asked for a hang-up; the carrier gives no moment of the end")
        return True
    before_s = (ended - asked).total_seconds()
    if before_s >= signals.error_s:
        reasons.append(f"we asked for the hang-up {before_s:.0f} s before the end")
        return True
    if before_s <= -signals.error_s:
        reasons.append(f"our hang-up request came {-before_s:.0f} s after the end")
    else:
        reasons.append(f"our hang-up request came within {signals.error_s:g} s of the end: too close to tell")
    return False


def _our_limit(signals: EndSignals, reasons: list[str]) -> str | None:
    if signals.longest_s is None or signals.duration_s is None:
        return None
    short_s = signals.longest_s - signals.duration_s
    if short_s <= signals.error_s:
        return f"the call lasted as long as our time limit of {signals.longest_s:.0f} s"
    reasons.append(f"it ended {short_s:.0f} s before our time limit")
    return None


def _our_script(signals: EndSignals, reasons: list[str]) -> str | None:
    if signals.script is None or signals.duration_s is None:
        return None
    low_s, high_s = signals.script.shortest_s, signals.script.longest_s
    if signals.duration_s < low_s - signals.error_s:
        reasons.append(f"it ended {low_s - signals.duration_s:.0f} s before our script's hang-up")
        return None
    if high_s - low_s <= _SCRIPT_KNOWN_S:
        if signals.duration_s <= high_s + signals.error_s:
            return f"the call lasted {signals.duration_s:.0f} s, exactly as long as our script"
        reasons.append(f"it went on {signals.duration_s - high_s:.0f} s after our script's hang-up was due")
        return None
    reasons.append(f"our script hangs up {low_s:.0f} to {high_s:.0f} s after the answer: it may have been its hang-up")
    return None

"""Who ended a call: one conclusion from every signal there is, with its reasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from probes.errors import FailureKind, Side
from probes.events import Doubt
from probes.telephony.carrier import AudioEnd
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
    audio: AudioSignals | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSignals:
    """What a live call's audio says of its end. `ended_by_itself`: before we asked for a hang-up.

    `quiet_s` is how long nothing at all had come from the vendor's side by then. `at_limit`: our longest time was over.
    """

    ended_by_itself: bool
    end: AudioEnd | None
    quiet_s: float
    at_limit: bool
    loss_ratio: float | None = None
    line_faults: tuple[str, ...] = ()


class Conclusion(NamedTuple):
    """On whose side a call was ended, the reasons, the deciding one first, and how much doubt is left."""

    by: Side
    reasons: tuple[str, ...]
    doubt: Doubt


_NOT_THEIRS = (None, Side.OURS)

# More loss than this, or more of nothing at all, and an accident of the line is as likely as a hang-up.
_BAD_LOSS_RATIO, _DEAD_S = 0.1, 5.0

# A script end that is known no better than this does not say who hung up.
_SCRIPT_KNOWN_S = 3.0

# Ringing that ends so much before our own limit was not ended by it.
_RINGING_KNOWN_S = 3.0


def who_ended(signals: EndSignals) -> Conclusion:
    """Return on whose side the call was ended.

    Order of evidence: our own request before the end; a fault in our own script, or our audio lost; the goodbye that
    the carrier saw; our time limit; our script's end; what the line was like. Without any of them it stays not known,
    with what speaks against each side. A sick line leaves some doubt even where a goodbye was seen.
    """
    if signals.failure is not None:
        return _never_answered(signals)
    reasons: list[str] = []
    audio = signals.audio
    if audio is not None and audio.end is AudioEnd.BROKEN and audio.ended_by_itself and signals.bye_from in _NOT_THEIRS:
        lost = "the call's audio broke off on its way to us, and we ended what was left of the call"
        return Conclusion(Side.OURS, (lost,), Doubt.SOME)
    if _our_request(signals, reasons):
        return Conclusion(Side.OURS, tuple(reasons), Doubt.NONE)
    if signals.script_fault is not None:
        return Conclusion(
            Side.OURS, (f"our script could not be carried out: {signals.script_fault}", *reasons), Doubt.NONE
        )
    sick = _sick_line(signals.audio)
    if signals.bye_from is Side.NETWORK:
        told = signals.bye_source or "the line was lost, and neither side hung up"
        return Conclusion(Side.NETWORK, (told, *reasons, *sick), Doubt.NONE if sick else Doubt.SOME)
    if signals.bye_from is not None:
        reasons.insert(0, f"{signals.bye_source or 'the carrier'} says that the {_SIDES[signals.bye_from]} hung up")
        if signals.code:
            reasons.append(f"last SIP code {signals.code}")
        doubted = (*sick, "an accident of the line could look the same") if sick else ()
        return Conclusion(signals.bye_from, (*reasons, *doubted), Doubt.SOME if sick else Doubt.NONE)
    ours = _our_limit(signals, reasons) or (_our_script(signals, reasons) if signals.audio is None else None)
    if ours:
        return Conclusion(Side.OURS, (ours, *reasons), Doubt.SOME if signals.audio is None else Doubt.NONE)
    if signals.audio is None:
        reasons.append("only polling ran: the carrier's call record does not say who hung up")
        return Conclusion(Side.NOT_KNOWN, tuple(reasons), Doubt.ALL)
    if sick:
        return Conclusion(Side.NETWORK, (*sick, *reasons, "nobody's goodbye was seen"), Doubt.SOME)
    reasons.append("its audio ended in order: the vendor hung up, or the network did; the carrier does not say who")
    return Conclusion(Side.NOT_KNOWN, tuple(reasons), Doubt.SOME)


def _sick_line(audio: AudioSignals | None) -> tuple[str, ...]:
    """Return what was wrong with the line before the end."""
    if audio is None:
        return ()
    found = [f"the carrier found the line wanting: {fault}" for fault in audio.line_faults]
    if audio.loss_ratio is not None and audio.loss_ratio >= _BAD_LOSS_RATIO:
        found.append(f"{audio.loss_ratio:.0%} of the vendor's audio was lost")
    if audio.quiet_s >= _DEAD_S:
        found.append(f"nothing at all had come from the vendor's side for {audio.quiet_s:.0f} s")
    return tuple(found)


_SIDES = {Side.OURS: "calling side (ours)", Side.VENDOR: "called side", Side.NETWORK: "network", Side.NOT_KNOWN: "?"}


def _never_answered(signals: EndSignals) -> Conclusion:
    code = (f"SIP code {signals.code}",) if signals.code else ()
    if signals.failure is FailureKind.BUSY:
        return Conclusion(Side.VENDOR, ("the called number was busy", *code), Doubt.NONE)
    if signals.failure is FailureKind.STOPPED:
        return Conclusion(Side.OURS, ("we cancelled the call before it was answered", *code), Doubt.NONE)
    if signals.failure is FailureKind.NO_ANSWER:
        early_s = signals.ring_at_most_s - (signals.rang_s or 0.0)
        if signals.rang_s is not None and early_s > _RINGING_KNOWN_S:
            reason = (
                f"the ringing ended {early_s:.0f} s before the time that we allow: the vendor or the network did it"
            )
            return Conclusion(Side.NOT_KNOWN, (reason, *code), Doubt.SOME)
        reason = f"nobody answered within the {signals.ring_at_most_s:.0f} s that we allow"
        return Conclusion(Side.OURS, (reason, *code), Doubt.NONE)
    return Conclusion(Side.NOT_KNOWN, (f"the call was not put through ({signals.failure})", *code), Doubt.ALL)


def _our_request(signals: EndSignals, reasons: list[str]) -> bool:
    asked, ended = signals.hang_up_asked_at_utc, signals.ended_at_utc
    if signals.audio is not None and asked is not None:
        before_s = 0.0 if ended is None else (ended - asked).total_seconds()
        if signals.bye_from is Side.VENDOR and before_s < signals.error_s:
            reasons.append("our hang-up request came when the vendor was hanging up")
            return False
        if not signals.audio.ended_by_itself:
            reasons.append("we asked for the hang-up while its audio was still coming")
            return True
        reasons.append("its audio ended before we asked for a hang-up")
        return False
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
    if signals.audio is not None and signals.audio.at_limit:
        return "our time limit ended it"
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

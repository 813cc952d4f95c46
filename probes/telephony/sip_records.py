"""What a call over SIP came to, worked out from its record alone: the messages on the wire, and what we did.

Pure: the same record always gives the same answer, in the process that placed the call and years later in another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from probes.errors import Failure, FailureKind, Side
from probes.events import ClockName
from probes.telephony.carrier import AudioEnd, CallState, CallStatus, RawRecord
from probes.telephony.sip_journal import GOODBYE, LOST, Entry, Line
from probes.telephony.sip_messages import Head

ERROR_S = 0.1  # our own clock, read when the message has gone through the stack
_SAME_S = 1.0  # a message this near to what the stack said of it is the message meant
_NO_AUDIO = "rtp stream error"  # the stack's words
_LOSSY_RATIO, _JITTERY_MS = 0.05, 50.0

# RFC 3261 section 21, RFC 8688 (607, 608). Whose the failure is stays open where the code does not tell.
_BUSY = {486, 600}
_NOBODY = {408, 480, 487}
_NO_SUCH = {404, 410, 416, 484, 485, 604}
_DECLINED = {603, 607, 608}
_OUR_ACCOUNT = {401, 402, 403, 407}
_OUR_OFFER = {400, 405, 406, 413, 414, 415, 420, 421, 423, 488, 493, 505, 513, 606}
# ITU-T Q.850: the network, and neither party, ended it.
_NETWORK_CAUSES = {3, 25, 27, 34, 38, 41, 42, 43, 44, 47, 102}
_CHALLENGED = {401, 407}


@dataclass(frozen=True, slots=True)
class _Message:
    """A SIP message of the call: a request has a `method`, an answer a `code`."""

    at_utc: datetime
    ours: bool
    method: str
    code: int | None
    about: str
    reason: str | None
    cause: int | None


def status_of(entry: Entry) -> CallStatus:
    """Return what the record of a call says of it."""
    by_what: dict[str, Line] = {}
    for line in entry.lines:
        by_what.setdefault(line.what, line)
    messages = tuple(_messages(entry.lines))
    over = "ended" in by_what or not entry.held
    answered_line = by_what.get("answered")
    ended = by_what.get("ended")
    answered_at = _moment(answered_line, messages, 200)
    ringing_at = _moment(by_what.get("ringing"), messages, 180, 183)
    if not over:
        state = CallState.UP if answered_line else CallState.RINGING if ringing_at else CallState.DIALLING
        answered: bool | None = True if answered_line else None
        return _status(entry, state, answered, ringing_at, answered_at)
    if ended is None:
        return _lost(entry, answered_line is not None, ringing_at, answered_at)
    final = _final(messages)
    text = str(ended.data.get("text") or "")
    why = ended.data.get("why")
    common: dict[str, Any] = {
        "code": str(final.code) if final is not None and final.code else _code(text),
        "line_faults": _faults(ended, messages, text),
        "loss_ratio": _loss(ended),
    }
    if answered_line is None:
        ended_at = final.at_utc if final is not None else ended.at_utc
        common["ended_at"] = max(ended_at, entry.lines[0].at_utc)
        common["failure"] = _failure(common["code"], text, why, messages, entry.lines[0].data.get("transport"))
        return _status(entry, CallState.ENDED, False, ringing_at, None, **common)
    bye = next((one for one in messages if one.method == "BYE"), None)
    side, source = _ended_by(bye, text, why)
    ended_at = bye.at_utc if bye is not None else ended.at_utc
    common |= {"ended_at": ended_at, "bye_from": side, "bye_source": source}
    common["audio_end"] = AudioEnd.BROKEN if text == _NO_AUDIO else AudioEnd.IN_ORDER
    return _status(entry, CallState.ENDED, True, ringing_at, answered_at, **common)


def _status(
    entry: Entry,
    state: CallState,
    answered: bool | None,
    ringing_at: datetime | None,
    answered_at: datetime | None,
    *,
    ended_at: datetime | None = None,
    failure: Failure | None = None,
    bye_from: Side | None = None,
    bye_source: str | None = None,
    code: str | None = None,
    audio_end: AudioEnd | None = None,
    loss_ratio: float | None = None,
    line_faults: tuple[str, ...] = (),
) -> CallStatus:
    lasted_s = (ended_at - answered_at).total_seconds() if ended_at and answered_at else None
    over = state is CallState.ENDED
    return CallStatus(
        call_id=entry.call_id,
        state=state,
        placed_at_utc=entry.lines[0].at_utc if entry.lines else None,
        answered=answered,
        answered_at_utc=answered_at,
        ended_at_utc=ended_at,
        error_s=ERROR_S,
        duration_s=None if lasted_s is None else max(0.0, lasted_s),
        bye_from=bye_from,
        bye_source=bye_source,
        code=code,
        failure=failure,
        recordings=(),
        recordings_complete=True,
        records_complete=over,
        cost_minor=None,
        currency=None,
        unpriced=True,
        raw=(RawRecord(resource="sip", body=_document(entry), media_type="application/json"),) if over else (),
        audio_end=audio_end,
        loss_ratio=loss_ratio,
        line_faults=line_faults,
        ringing_at_utc=ringing_at,
        clock=ClockName.OURS,
    )


def _lost(entry: Entry, answered: bool, ringing_at: datetime | None, answered_at: datetime | None) -> CallStatus:
    """The process that placed the call is gone, and nobody can say more than what it had written down."""
    goodbye = next((line for line in entry.lines if line.what == GOODBYE), None)
    confirmed = goodbye is not None and str(goodbye.data.get("answer", "")).startswith("SIP/2.0 2")
    lost = next((str(line.data.get("text")) for line in entry.lines if line.what == LOST), "")
    gone = f"we lost the call ({lost})" if lost else "the process of ours that held the call ended"
    text = f"{gone}, and its audio with it"
    if confirmed:
        text += "; another one found it and hung up"
    if not answered:
        text = f"{gone}: whether it was answered is not known"
    failure = Failure(FailureKind.INTERRUPTED, Side.OURS, "call" if answered else "dial", text)
    side = Side.OURS if answered else None
    source = "the call's own record" if answered else None
    return _status(
        entry,
        CallState.ENDED,
        True if answered else None,
        ringing_at,
        answered_at,
        ended_at=goodbye.at_utc if goodbye is not None and confirmed else None,
        failure=failure,
        bye_from=side,
        bye_source=source,
        audio_end=AudioEnd.BROKEN if answered else None,
    )


def _ended_by(bye: _Message | None, text: str, why: Any) -> tuple[Side | None, str | None]:
    if text == _NO_AUDIO:
        return Side.NETWORK, "no audio came any more, and neither side hung up"
    if bye is not None:
        if bye.cause in _NETWORK_CAUSES:
            return Side.NETWORK, f"the goodbye names a fault of the network as its reason ({bye.reason})"
        reason = f" ({bye.reason})" if bye.reason else ""
        return (Side.OURS if bye.ours else Side.VENDOR), f"the direction of the SIP BYE{reason}"
    if text.startswith("Connection reset by peer"):  # the stack's words for a far end's goodbye
        return Side.VENDOR, "the SIP stack"
    return (Side.OURS, "the SIP stack") if why else (Side.NETWORK, f"the connection was lost: {text or 'no reason'}")


def _failure(code: str | None, text: str, why: Any, messages: tuple[_Message, ...], transport: Any) -> Failure:
    number = int(code) if code and code.isdigit() else None
    told = f"{text or 'no reason given'}"
    if transport == "tls" and not messages and not why:
        reason = f"no TLS with the trunk: its certificate is not trusted here, or it does not speak it ({told})"
        return Failure(FailureKind.TLS, Side.OURS, "dial", reason)
    if why == "ring_limit":
        if messages and all(one.ours for one in messages):
            return Failure(FailureKind.CARRIER_ERROR, Side.NETWORK, "dial", "the trunk gave no answer at all")
        rang = any(one.code in (180, 183) for one in messages)
        return Failure(FailureKind.NO_ANSWER, Side.VENDOR if rang else Side.NOT_KNOWN, "dial", "nobody answered")
    if why:
        return Failure(FailureKind.STOPPED, Side.OURS, "dial", "we cancelled the call before it was answered")
    if number in _BUSY:
        return Failure(FailureKind.BUSY, Side.VENDOR, "dial", f"the number was busy ({told})")
    if number in _NOBODY:
        return Failure(FailureKind.NO_ANSWER, Side.VENDOR, "dial", f"nobody could be reached ({told})")
    if number in _NO_SUCH:
        return Failure(FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN, "dial", f"there is no such number ({told})")
    if number in _DECLINED:
        return Failure(FailureKind.NUMBER_UNREACHABLE, Side.VENDOR, "dial", f"the call was declined ({told})")
    if number in _OUR_ACCOUNT:
        return Failure(FailureKind.CARRIER_ERROR, Side.OURS, "dial", f"the trunk does not take our account ({told})")
    if number in _OUR_OFFER:
        return Failure(FailureKind.CARRIER_ERROR, Side.OURS, "dial", f"the trunk does not take our request ({told})")
    if number is not None and 300 <= number < 400:
        return Failure(FailureKind.NUMBER_UNREACHABLE, Side.NOT_KNOWN, "dial", f"the number has moved ({told})")
    return Failure(FailureKind.CARRIER_ERROR, Side.NETWORK, "dial", f"the call was not put through ({told})")


def _code(text: str) -> str | None:
    """Return the code of the stack's own words, as "486 Busy Here"."""
    found = re.match(r"([1-6]\d\d)(?:\s|$)", text)
    return found.group(1) if found else None


def _faults(ended: Line, messages: tuple[_Message, ...], text: str) -> tuple[str, ...]:
    faults = []
    if text == _NO_AUDIO:
        faults.append("no audio came any more")
    loss, jitter_ms = _loss(ended), _number(ended, "rtcp", "rx_jitter_us") / 1000.0
    if loss is not None and loss > _LOSSY_RATIO:
        faults.append(f"{loss:.0%} of the audio was lost on its way")
    if jitter_ms > _JITTERY_MS:
        faults.append(f"jitter of {jitter_ms:.0f} ms")
    faults += [one.reason for one in messages if one.method == "BYE" and one.reason and one.cause in _NETWORK_CAUSES]
    return tuple(faults)


def _loss(ended: Line) -> float | None:
    lost, came = _number(ended, "rtcp", "rx_lost"), _number(ended, "rx", "packets")
    return min(1.0, max(0.0, lost / (lost + came))) if lost + came > 0 else None


def _number(ended: Line, group: str, name: str) -> float:
    stats = ended.data.get("stats")
    part = stats.get(group) if isinstance(stats, dict) else None
    value = part.get(name) if isinstance(part, dict) else None
    return float(value) if isinstance(value, int | float) and abs(value) < 2**31 else 0.0


def _moment(line: Line | None, messages: tuple[_Message, ...], *codes: int) -> datetime | None:
    """Return when a message came that the stack told of, by the message itself where it is there."""
    if line is None:
        return None
    near = timedelta(seconds=_SAME_S)
    for one in messages:
        if not one.ours and one.code in codes and one.about == "INVITE" and abs(one.at_utc - line.at_utc) < near:
            return one.at_utc
    return line.at_utc


def _final(messages: tuple[_Message, ...]) -> _Message | None:
    answers = [one for one in messages if not one.ours and one.about == "INVITE" and (one.code or 0) >= 200]
    told = [one for one in answers if one.code not in _CHALLENGED] or answers
    return told[0] if told else None


def _messages(lines: tuple[Line, ...]) -> Iterator[_Message]:
    for line in lines:
        text = line.data.get("text")
        if line.what != "message" or not isinstance(text, str):
            continue
        head = Head.of(text)
        reason = head.get("reason") or None
        cause = re.search(r"Q\.850\s*;.*?cause\s*=\s*(\d{1,3})", reason or "", re.IGNORECASE)
        yield _Message(
            at_utc=line.at_utc,
            ours=line.data.get("direction") == "sent",
            method=head.request,
            code=head.code,
            about=head.about,
            reason=reason[:200] if reason else None,
            cause=int(cause.group(1)) if cause else None,
        )


def _document(entry: Entry) -> bytes:
    lines = [{"at": line.at_utc.isoformat(), "what": line.what, **line.data} for line in entry.lines]
    return json.dumps({"call_id": entry.call_id, "lines": lines}, indent=1).encode()

"""Mail that came back, and refusals while sending: on whose side that is. Pure.

Sources: RFC 3464 (delivery reports), RFC 3463 (status codes: class.subject.detail).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from probes.errors import Failure, FailureKind, Side
from probes.mail.letter import Letter

_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_REPLY = re.compile(r"(?<!\d)([45]\d\d)[ -]")


class Stage(StrEnum):
    """How far the sending had come."""

    CONNECT = "connect"
    LOGIN = "login"
    SENDER = "sender"
    RECIPIENT = "recipient"
    DATA = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a delivery report says of a mail of ours. `action` is failed, delayed, delivered, relayed or expanded."""

    action: str
    code: str | None
    remote: str | None
    diagnosis: str


def delivery_report(letter: Letter) -> Report | None:
    """Return what a mail reports of the delivery of another one, or None if it reports nothing."""
    if letter.report is None:
        return _told_in_words(letter)
    fields: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", letter.report).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip()[:500])
    action = fields.get("action", "").lower()
    if not action:
        return None
    diagnosis = fields.get("diagnostic-code", "")
    code = _code_of(fields.get("status", "")) or _code_of(diagnosis)
    remote = fields.get("remote-mta", "").rpartition(";")[2].strip() or None
    return Report(action=action, code=code, remote=remote, diagnosis=diagnosis or fields.get("status", ""))


def _told_in_words(letter: Letter) -> Report | None:
    """Some servers only write: X-Failed-Recipients, with the server's answer in the text."""
    if letter.headers.get("x-failed-recipients") is None:
        return None
    code, reply = _code_of(letter.text), _REPLY.search(letter.text)
    line = next((line.strip() for line in letter.text.splitlines() if _CODE.search(line) or _REPLY.search(line)), "")
    if code is None and reply is not None:
        code = f"{reply.group(1)[0]}.0.0"
    return Report(action="failed", code=code, remote=None, diagnosis=line[:500])


def _code_of(text: str) -> str | None:
    found = _CODE.search(text)
    return found.group() if found is not None else None


def returned_failure(report: Report) -> Failure:
    """Return whose failure it is that a mail came back."""
    side = side_of_code(report.code, asked_vendor=report.remote is not None)
    words = " ".join(part for part in (report.code, report.diagnosis) if part) or report.action
    where = f" ({report.remote})" if report.remote else ""
    return Failure(FailureKind.MAIL_RETURNED, side, "delivery", f"the mail came back{where}: {words[:500]}")


def side_of_code(code: str | None, *, asked_vendor: bool) -> Side:
    """Return on whose side an enhanced status code puts a refusal.

    Args:
        code: as 5.1.1, or None.
        asked_vendor: whether it is the vendor's server that said it, and not ours on the way.
    """
    subject, detail = code.split(".")[1:] if code is not None else ("", "")
    if subject == "1" and detail in ("7", "8"):  # the sender's address
        return Side.OURS
    if subject == "4":  # routing and the network
        return Side.NETWORK
    if subject in ("1", "2"):  # the address, the mailbox
        return Side.VENDOR
    if asked_vendor:
        return Side.VENDOR
    if subject in ("3", "5", "6", "7"):  # our own server, its policy, what we sent
        return Side.OURS
    return Side.NOT_KNOWN


def refusal(stage: Stage, reply_code: int, text: str) -> Failure:
    """Return whose failure a server's answer while sending is.

    Temporary refusals (4xx) of our own side are `interrupted`, which is tried again; other refusals of ours are not.
    """
    code = _code_of(text)
    words = f"{stage}: {reply_code} {' '.join(text.split())[:400]}"
    if stage is Stage.LOGIN:
        temporary = reply_code < 500
        kind = FailureKind.INTERRUPTED if temporary else FailureKind.LOGIN_FAILED
        return Failure(kind, Side.OURS, "send", words)
    if stage is Stage.RECIPIENT:
        side = side_of_code(code, asked_vendor=False)
    else:
        side = Side.NETWORK if code is not None and code.split(".")[1] == "4" else Side.OURS
    if side is Side.OURS and reply_code < 500:
        return Failure(FailureKind.INTERRUPTED, side, "send", words)
    return Failure(FailureKind.MAIL_REFUSED, side, "send", words)

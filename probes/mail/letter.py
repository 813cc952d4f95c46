"""A mail as it came, read: its words as plain text, its headers, what is attached, and what its server says of it.

Nothing here decides what a mail means. Attachments are named and not opened. Mail made to hurt (too many parts, too
deep) is not taken apart: its words are then null, and `trouble` says why. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from probes.errors import FailureKind
from probes.mail.heads import Headers, decoded, parse_headers, text_in
from probes.mail.html_text import html_text

LONGEST_TEXT = 100_000
MOST_PARTS = 500
MOST_BOUNDARIES = 60
MOST_HTML = 2_000_000
_MOST_NAMES = 50
_ENOUGH_PLAIN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail. `report` is the machine-readable part of a delivery report, `returned` the headers of what came back.

    `trouble` is why the words could not be read whole: too_large, unreadable, or None.
    """

    headers: Headers
    text: str
    attachments: tuple[str, ...]
    report: str | None = None
    returned: Headers | None = None
    trouble: FailureKind | None = None


def read_letter(raw: bytes, *, cut: bool = False) -> Letter:
    """Read a mail; never fails. `cut`: only its beginning is here."""
    headers = parse_headers(raw)
    if _is_bomb(raw):
        return Letter(headers=headers, text="", attachments=(), trouble=FailureKind.TOO_LARGE)
    try:
        message = BytesParser(policy=compat32).parsebytes(raw)
        parts = list(_leaves(message))
    except Exception:  # the standard library's parser fails in many ways on broken mail
        return Letter(headers=headers, text="", attachments=(), trouble=FailureKind.UNREADABLE)
    found, trouble = _Found(), None
    for part in parts[:MOST_PARTS]:
        try:
            found.take(part)
        except Exception:  # one broken part hides no other
            trouble = FailureKind.UNREADABLE
    too_much = cut or len(parts) > MOST_PARTS or found.too_long
    return Letter(
        headers=headers,
        text=found.words(),
        attachments=tuple(found.names[:_MOST_NAMES]),
        report=found.report,
        returned=found.returned,
        trouble=FailureKind.TOO_LARGE if too_much else trouble,
    )


def without_secrets(raw: bytes, scrub: Callable[[str], str]) -> bytes:
    """Return a mail as it is kept: secrets that stand in it in clear, or behind its encodings, are taken out.

    A mail without secrets is kept byte for byte.
    """
    kept = scrub(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if _is_bomb(kept):
        return kept
    message = BytesParser(policy=compat32).parsebytes(kept)
    changed = False
    for part in _leaves(message):
        if part.get_content_maintype() != "text":
            continue
        text = text_in(_payload(part), part.get_content_charset())
        if (clean := scrub(text)) != text:
            changed = True
            kind = part.get_content_type()
            for name in ("Content-Transfer-Encoding", "Content-Type"):
                del part[name]
            part["Content-Type"] = f'{kind}; charset="utf-8"'
            part["Content-Transfer-Encoding"] = "8bit"
            part.set_payload(clean.encode("utf-8", "surrogateescape").decode("ascii", "surrogateescape"))
    return message.as_bytes() if changed else kept


def _is_bomb(raw: bytes) -> bool:
    """Whether taking the mail apart would cost more than reading it is worth."""
    return len(re.findall(rb"(?i)boundary\s*=", raw)) > MOST_BOUNDARIES or raw.count(b"\n--") > 20 * MOST_PARTS


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts that are no containers; a mail within the mail is one part, and is not opened."""
    waiting: list[Message] = [message]
    while waiting:
        part = waiting.pop()
        inner = part.get_payload()
        if isinstance(inner, list) and part.get_content_maintype() == "multipart":
            waiting.extend(each for each in reversed(inner) if isinstance(each, Message))
        else:
            yield part


class _Found:
    """What the parts hold, gathered one by one."""

    def __init__(self) -> None:
        self.plain: list[str] = []
        self.html: list[str] = []
        self.names: list[str] = []
        self.report: str | None = None
        self.returned: Headers | None = None
        self.too_long = False

    def take(self, part: Message) -> None:
        kind = part.get_content_type()
        name = _file_name(part)
        attached = "attachment" in str(part.get("Content-Disposition", "")).lower()[:40]
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            self.report = self.report or _status_text(part)
        elif kind in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"):
            self.returned = self.returned or _inner_headers(part)
            if kind.startswith("message/"):
                self.names.append(name or "a mail")
        elif kind in ("text/plain", "text/html") and not attached and not (name and self.plain):
            text = text_in(_payload(part), part.get_content_charset())
            if kind == "text/html":
                self.too_long = self.too_long or len(text) > MOST_HTML
                self.html.append(html_text(text[:MOST_HTML]))
            else:
                self.plain.append(_unflowed(text, str(part.get("Content-Type", ""))))
        else:
            self.names.append(name or kind)

    def words(self) -> str:
        """The plain text if there is one that says something; else what the HTML shows."""
        plain, html = ("\n\n".join(part.strip() for part in parts if part.strip()) for parts in (self.plain, self.html))
        letters = sum(sign.isalnum() for sign in plain[:2000])
        if html and (letters == 0 or (letters < _ENOUGH_PLAIN and len(html) > 4 * len(plain) + _ENOUGH_PLAIN)):
            plain = html
        plain = "\n".join(line.rstrip() for line in plain.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        plain = "".join(
            sign if sign in "\n\t" or sign.isprintable() else " " if sign.isspace() else "" for sign in plain
        )
        if len(plain) > LONGEST_TEXT:
            self.too_long = True
            plain = f"{plain[:LONGEST_TEXT]} […cut after {LONGEST_TEXT} characters]"
        return plain.strip("\n")


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except Exception:  # broken encodings: what is there is shown
        payload = None
    if isinstance(payload, bytes):
        return payload
    inner = part.get_payload()
    return inner.encode("utf-8", "surrogateescape") if isinstance(inner, str) else b""


def _status_text(part: Message) -> str:
    """The fields of a delivery report; the parser takes each block of them for a message of its own."""
    inner = part.get_payload()
    if isinstance(inner, list):
        found = [each for each in inner[:100] if isinstance(each, Message)]
        blocks = ["\n".join(f"{name}: {value}" for name, value in each.items()) for each in found]
        return "\n\n".join(blocks)[:LONGEST_TEXT]
    return text_in(_payload(part), None)[:LONGEST_TEXT]


def _inner_headers(part: Message) -> Headers | None:
    inner = part.get_payload()
    if isinstance(inner, list):
        first = inner[0] if inner else None
        lines = first.items() if isinstance(first, Message) else ()
        return Headers(tuple((str(name).lower(), decoded(str(value)[:10_000])) for name, value in lines))
    return parse_headers(_payload(part))


def _file_name(part: Message) -> str | None:
    try:
        name = part.get_filename()
    except Exception:  # a broken name is no name
        return None
    if not name:
        return None
    return decoded(str(name)).replace("/", "_").replace("\\", "_")[:120] or None


def _unflowed(text: str, content_type: str) -> str:
    """Join the soft line ends of `format=flowed`."""
    if "flowed" not in content_type.lower():
        return text
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        bare = line[1:] if line.startswith(" ") else line
        joins = bool(lines) and lines[-1].endswith(" ") and lines[-1] != "-- " and not lines[-1].startswith(">")
        if joins and not bare.startswith(">"):
            lines[-1] += bare
        else:
            lines.append(bare)
    return "\n".join(lines)

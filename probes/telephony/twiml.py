"""A script as one TwiML document."""

from __future__ import annotations

import math
import re
from xml.sax.saxutils import escape, quoteattr

from probes.errors import UserError
from probes.telephony.carrier import Line, Pause, Press, Say

LONGEST_DOCUMENT = 4000  # characters that the provider takes inline (its API reference, 2026-04)

_DIGITS = re.compile(r"[0-9A-D#*wW]+")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOCALES = {
    "ar": "arb", "ca": "ca-ES", "cs": "cs-CZ", "da": "da-DK", "de": "de-DE", "en": "en-US", "es": "es-ES",
    "fi": "fi-FI", "fr": "fr-FR", "hi": "hi-IN", "it": "it-IT", "ja": "ja-JP", "ko": "ko-KR", "nb": "nb-NO",
    "nl": "nl-NL", "pl": "pl-PL", "pt": "pt-PT", "ro": "ro-RO", "ru": "ru-RU", "sv": "sv-SE", "tr": "tr-TR",
    "zh": "cmn-CN",
}  # fmt: skip


def document(script: tuple[Line, ...], hold_line_s: float) -> str:
    """Return the document that carries out `script`, holds the line and hangs up.

    The provider's pauses are whole seconds. What is left over is put as half-second waits before the next keys, or
    rounded up where no keys follow, so a pause is never shorter than asked and at most a second longer.

    Raises:
        UserError: keys that a telephone does not have, or a document over the provider's limit.
    """
    verbs: list[str] = []
    silence_s = 0.0
    for line in (*script, Pause(hold_line_s)):
        if isinstance(line, Pause):
            silence_s += line.length_s
            continue
        if isinstance(line, Press):
            whole_s = math.floor(silence_s)
            waits = "w" * math.ceil((silence_s - whole_s) * 2)
            verbs += _pause(whole_s)
            verbs.append(f"<Play digits={quoteattr(waits + _keys(line))}/>")
        else:
            verbs += _pause(math.ceil(silence_s))
            verbs.append(f"<Say language={quoteattr(locale(line.language))}>{escape(_text(line))}</Say>")
        silence_s = 0.0
    verbs += _pause(math.ceil(silence_s))
    text = f'<?xml version="1.0" encoding="UTF-8"?><Response>{"".join(verbs)}<Hangup/></Response>'
    if len(text) > LONGEST_DOCUMENT:
        raise UserError(
            f"the script makes a document of {len(text)} characters; the carrier takes {LONGEST_DOCUMENT}",
            fix="shorten the lines to say, or use fewer steps",
        )
    return text


def locale(language: str) -> str:
    """Return the provider's name of a language: "de" is spoken as "de-DE", "de-AT" stays."""
    return _LOCALES.get(language.lower(), language)


def _pause(whole_s: int) -> list[str]:
    return [f'<Pause length="{whole_s}"/>'] if whole_s else []


def _keys(line: Press) -> str:
    if not _DIGITS.fullmatch(line.digits):
        shown = "the identification digits hold" if line.secret else f'"{line.digits}" holds'
        raise UserError(
            f"{shown} a key that a telephone does not have",
            fix="use 0-9, A-D, # and *, w and W for half and whole seconds",
        )
    return line.digits


def _text(line: Say) -> str:
    text = _NOT_XML.sub(" ", line.text).strip()
    if not text:
        raise UserError("a line to say is empty", fix="write what is to be said, or leave the step out")
    return text

"""A script as one TwiML document."""

from __future__ import annotations

import math
import re
from xml.sax.saxutils import escape, quoteattr

from probes.errors import UserError
from probes.telephony.carrier import Line, Pause, Press, Say
from probes.telephony.media_stream import TOKEN_PARAMETER

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
            verbs += _pause(whole_s)
            verbs.append(press(line, "w" * math.ceil((silence_s - whole_s) * 2)))
        else:
            verbs += _pause(math.ceil(silence_s))
            verbs.append(say(line))
        silence_s = 0.0
    verbs += _pause(math.ceil(silence_s))
    return response(*verbs, "<Hangup/>")


def response(*verbs: str) -> str:
    """Return a whole document.

    Raises:
        UserError: it is over the provider's limit.
    """
    text = f'<?xml version="1.0" encoding="UTF-8"?><Response>{"".join(verbs)}</Response>'
    if len(text) > LONGEST_DOCUMENT:
        raise UserError(
            f"the script makes a document of {len(text)} characters; the carrier takes {LONGEST_DOCUMENT}",
            fix="shorten the lines to say, or use fewer steps",
        )
    return text


def press(line: Press, waits: str = "") -> str:
    """Return the verb that presses keys, after `waits` of w and W.

    Raises:
        UserError: a telephone does not have these keys.
    """
    return f"<Play digits={quoteattr(waits + _keys(line))}/>"


def say(line: Say) -> str:
    """Return the verb that speaks a line."""
    return f"<Say language={quoteattr(locale(line.language))}>{escape(_text(line))}</Say>"


def fork(url: str, name: str, token: str, callback: str) -> str:
    """Return the verb that begins to send both sides' audio to a WebSocket, while the document goes on."""
    return (
        f'<Start><Stream url={quoteattr(url)} name={quoteattr(name)} track="both_tracks" '
        f"statusCallback={quoteattr(callback)}>"
        f'<Parameter name="{TOKEN_PARAMETER}" value={quoteattr(token)}/></Stream></Start>'
    )


def hold(whole_s: int, then: str) -> str:
    """Return the verbs that hold the line for a while, then ask us for what follows."""
    return "".join(_pause(max(1, whole_s))) + go_on(then)


def go_on(then: str) -> str:
    """Return the verb that asks an address of ours for what follows."""
    return f'<Redirect method="POST">{escape(then)}</Redirect>'


def conference(room: str, then: str | None = None) -> str:
    """Return the verb that joins a call to whoever else is in `room`, silently; whoever leaves ends the room.

    `then` is asked for what follows when it is over; without it the call ends.
    """
    action = f' action={quoteattr(then)} method="POST"' if then is not None else ""
    return (
        f'<Dial{action}><Conference beep="false" startConferenceOnEnter="true" endConferenceOnExit="true" '
        f'waitUrl="">{escape(room)}</Conference></Dial>'
    )


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

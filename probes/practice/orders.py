"""What a request to place or change a call asks for, checked as the provider checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType

from probes.practice.problems import Notice, bad
from probes.practice.twiml import TRACKS, StartStream

# Countries that the practice account may call; the provider's own list starts with the account's country alone.
COUNTRIES = frozenset({"GB", "US", "CA", "IE", "DE", "FR", "ES", "IT", "NL", "BE", "AT", "CH", "PT", "SE", "DK", "AU"})
_COSTLY = (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)
_SEND_DIGITS = re.compile(r"[0-9A-D*#wW]{0,32}")
_EVENTS = ("initiated", "ringing", "answered", "completed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An address that is told of something."""

    url: str
    method: str = "POST"
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A call to place. `notices` are faults that the provider lets pass and only notes."""

    to: str
    caller: str
    twiml: str | None
    url: Hook | None
    timeout_s: float
    time_limit_s: float
    send_digits: str
    record: bool
    channels: int
    track: str
    trim: bool
    status_hook: Hook | None
    recording_hook: Hook | None
    machine_detection: bool
    detection_is_async: bool
    async_detection_hook: Hook | None
    raw: Mapping[str, str]
    notices: tuple[Notice, ...] = field(default=())


def read_order(form: Mapping[str, list[str]], callers: frozenset[str]) -> Order:
    """Read the form of a new call.

    Raises:
        ProviderError: a parameter is missing or wrong, with the provider's code.
    """
    one = {name: values[-1] for name, values in form.items()}
    notices: list[Notice] = []
    detect = one.get("MachineDetection", "") not in ("", "none", "None") and not one.get("SendDigits")
    events = tuple(event for text in form.get("StatusCallbackEvent", ["completed"]) for event in text.split())
    if unknown := [event for event in events if event not in _EVENTS]:
        text = f"Invalid value for statusCallbackEvents: {' '.join(unknown)}"
        notices.append(Notice(21626, text, log=1))
    to, caller, url = _to(one), _caller(one, callers), _hook(one, "Url", "Method", 21205)
    return Order(
        to=to,
        caller=caller,
        twiml=_twiml(one, required=True),
        url=url,
        timeout_s=float(_whole(one, "Timeout", 60, 0, 600)),
        time_limit_s=float(_whole(one, "TimeLimit", 14400, 1, 86400)),
        send_digits=_send_digits(one),
        record=one.get("Record", "false").lower() == "true",
        channels=2 if _choice(one, "RecordingChannels", ("mono", "dual")) == "dual" else 1,
        track=_choice(one, "RecordingTrack", ("both", "inbound", "outbound")),
        trim=_choice(one, "Trim", ("trim-silence", "do-not-trim")) == "trim-silence",
        status_hook=_hook(one, "StatusCallback", "StatusCallbackMethod", 21609, events),
        recording_hook=_hook(
            one,
            "RecordingStatusCallback",
            "RecordingStatusCallbackMethod",
            21609,
            tuple(e for text in form.get("RecordingStatusCallbackEvent", ["completed"]) for e in text.split()),
        ),
        machine_detection=detect,
        detection_is_async=one.get("AsyncAmd", "false").lower() == "true",
        async_detection_hook=_hook(one, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod", 21609),
        raw=one,
        notices=tuple(notices),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change to a call that is there already."""

    status: str | None
    twiml: str | None
    url: Hook | None
    time_limit_s: float | None


def read_change(form: Mapping[str, list[str]]) -> Change:
    """Read the form of a change.

    Raises:
        ProviderError: a parameter is wrong.
    """
    one = {name: values[-1] for name, values in form.items()}
    status = one.get("Status")
    if status is not None and status not in ("canceled", "completed"):
        raise bad(21218, f"Invalid Status: {status}")
    limit_s = float(_whole(one, "TimeLimit", 0, 1, 86400)) if one.get("TimeLimit") else None
    twiml = _twiml(one, required=False) if status is None else None
    return Change(status=status, twiml=twiml, url=_hook(one, "Url", "Method", 21205), time_limit_s=limit_s)


def read_stream(form: Mapping[str, list[str]]) -> StartStream:
    """Read the form that starts a stream on a call.

    Raises:
        ProviderError: a parameter is missing or wrong.
    """
    one = {name: values[-1] for name, values in form.items()}
    url = one.get("Url", "")
    if not url.startswith(("wss://", "ws://")):
        raise bad(21205, f"Url is not a valid WebSocket URL: {url}")
    hook = _hook(one, "StatusCallback", "StatusCallbackMethod", 21609)
    given = tuple(
        (value, one.get(name.replace(".Name", ".Value"), ""))
        for name, value in one.items()
        if name.startswith("Parameter") and name.endswith(".Name")
    )
    return StartStream(
        url=url,
        name=one.get("Name", ""),
        tracks=TRACKS[_choice(one, "Track", tuple(TRACKS))],
        parameters=given,
        hook=hook.url if hook else None,
        hook_method=hook.method if hook else "POST",
        both_ways=False,
    )


def _number(text: str) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _to(one: Mapping[str, str]) -> str:
    text = one.get("To", "").strip()
    if not text:
        raise bad(21201, "No 'To' number is specified")
    number = _number(text)
    if number is None:
        raise bad(21211, f"The phone number you are attempting to call, {text}, is not valid.")
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    if region not in COUNTRIES or phonenumbers.number_type(number) in _COSTLY:
        raise bad(
            21215, f"Account not authorized to call {text}. Perhaps you need to enable some international permissions"
        )
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _caller(one: Mapping[str, str], callers: frozenset[str]) -> str:
    text = one.get("From", "").strip()
    if not text:
        raise bad(21213, "No 'From' number is specified")
    if _number(text) is None:
        raise bad(21212, f"The source phone number provided, {text}, is not a valid phone number")
    if text not in callers:
        raise bad(21210, f"The source phone number provided, {text}, is not yet verified for your account.")
    return text


def _twiml(one: Mapping[str, str], *, required: bool) -> str | None:
    """Return the document given inline; an address goes before it."""
    if one.get("Url"):
        return None
    if twiml := one.get("Twiml"):
        if len(twiml) > 4000:
            raise bad(32018, "Twiml size exceeded maximum allowed value of 4000 characters")
        return twiml
    if required:
        raise bad(21205, "Url parameter is required.")
    return None


def _hook(one: Mapping[str, str], name: str, method: str, code: int, events: tuple[str, ...] = ()) -> Hook | None:
    url = one.get(name)
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise bad(code, f"{name} is not a valid URL: {url}")
    return Hook(url=url, method=_choice(one, method, ("POST", "GET")), events=events)


def _choice(one: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = one.get(name, choices[0])
    if text not in choices:
        raise bad(20001, f"Invalid {name} value: {text}")
    return text


def _whole(one: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = one.get(name, str(default)) or str(default)
    if not text.isdecimal() or int(text) < least:
        raise bad(20001, f"Invalid {name} value: {text}")
    return min(int(text), most)


def _send_digits(one: Mapping[str, str]) -> str:
    text = one.get("SendDigits", "")
    if not _SEND_DIGITS.fullmatch(text):
        raise bad(20001, f"Invalid SendDigits value: {text}")
    return text

"""The provider's resources as JSON: exactly the fields that its API sends, in its spelling, and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

import phonenumbers

from probes.practice.call import PracticeCall, Status
from probes.practice.caller import StreamOrder
from probes.practice.problems import Notice

API = "/2010-04-01"
_PRICE_AFTER_S, _MINUTE_USD, _RECORDED_MINUTE_USD = 40.0, 0.0138, 0.0025


def rfc2822(moment: datetime | None) -> str | None:
    """Return a moment as the API writes it, in whole seconds."""
    return None if moment is None else format_datetime(moment.astimezone(UTC).replace(microsecond=0))


def seconds_between(start: datetime, end: datetime) -> int:
    """Return the length as it comes out of two moments in whole seconds."""
    return round((end.replace(microsecond=0) - start.replace(microsecond=0)).total_seconds())


def _formatted(number: str) -> str:
    parsed = phonenumbers.parse(number)
    if parsed.country_code == 1:
        return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
    return number


def call(one: PracticeCall, account_sid: str, now_utc: datetime) -> dict[str, Any]:
    """Return a Call resource."""
    uri = f"{API}/Accounts/{account_sid}/Calls/{one.sid}"
    duration: str | None = None
    price: str | None = None
    if one.status is Status.COMPLETED and one.answered_at_utc is not None and one.ended_at_utc is not None:
        length_s = seconds_between(one.answered_at_utc, one.ended_at_utc)
        duration = str(length_s)
        if now_utc >= one.ended_at_utc + timedelta(seconds=_PRICE_AFTER_S):
            price = f"{-_MINUTE_USD * max(1, -(-length_s // 60)):.5f}"
    dialled = now_utc >= one.dialled_at_utc and not (one.status is Status.CANCELED and one.ringing_at_utc is None)
    subresources = (
        "events",
        "notifications",
        "payments",
        "recordings",
        "siprec",
        "streams",
        "transcriptions",
        "user_defined_message_subscriptions",
        "user_defined_messages",
    )
    names = {
        "user_defined_message_subscriptions": "UserDefinedMessageSubscriptions",
        "user_defined_messages": "UserDefinedMessages",
    }
    return {
        "account_sid": account_sid,
        "annotation": None,
        "answered_by": one.answered_by,
        "api_version": "2010-04-01",
        "caller_name": None,
        "date_created": rfc2822(one.created_at_utc),
        "date_updated": rfc2822(one.updated_at_utc),
        "direction": "outbound-api",
        "duration": duration,
        "end_time": rfc2822(one.ended_at_utc),
        "forwarded_from": None,
        "from": one.order.caller,
        "from_formatted": _formatted(one.order.caller),
        "group_sid": None,
        "parent_call_sid": None,
        "phone_number_sid": "PN" + account_sid[2:],
        "price": price,
        "price_unit": "USD",
        "queue_time": str(one.queue_time_ms),
        "sid": one.sid,
        "start_time": rfc2822(one.dialled_at_utc) if dialled else None,
        "status": one.status.value,
        "subresource_uris": {name: f"{uri}/{names.get(name, name.capitalize())}.json" for name in subresources},
        "to": one.order.to,
        "to_formatted": _formatted(one.order.to),
        "trunk_sid": None,
        "uri": f"{uri}.json",
    }


@dataclass(slots=True)
class Recording:
    """A recording on the exchange; its sound is a file once it has been made."""

    sid: str
    call: PracticeCall
    source: str
    channels: int
    track: str
    start_at_utc: datetime
    ends_at_utc: datetime | None = None
    length_s: float | None = None
    ready_at_utc: datetime | None = None
    made: bool = False
    absent: bool = False
    deleted: bool = False

    def status(self, now_utc: datetime) -> str:
        """Return the provider's word for its state at a moment."""
        if self.absent:
            return "absent"
        if self.ends_at_utc is None:
            return "in-progress"
        ready = self.made and self.ready_at_utc is not None and now_utc >= self.ready_at_utc
        return "completed" if ready else "processing"

    def price_usd(self, now_utc: datetime) -> float | None:
        """Return its price once it is known."""
        if self.status(now_utc) != "completed" or self.ready_at_utc is None or self.length_s is None:
            return None
        if now_utc < self.ready_at_utc + timedelta(seconds=_PRICE_AFTER_S):
            return None
        return -_RECORDED_MINUTE_USD * max(1, -(-int(self.length_s) // 60))


def recording(one: Recording, account_sid: str, now_utc: datetime, base_url: str, *, of_call: bool) -> dict[str, Any]:
    """Return a recording, in the form of the call's own list or in that of the account's list."""
    status = one.status(now_utc)
    price = one.price_usd(now_utc)
    root = f"{API}/Accounts/{account_sid}"
    body: dict[str, Any] = {
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "call_sid": one.call.sid,
        "conference_sid": None,
        "channels": one.channels,
        "date_created": rfc2822(one.start_at_utc),
        "date_updated": rfc2822(one.ready_at_utc if status == "completed" else one.ends_at_utc or one.start_at_utc),
        "start_time": rfc2822(one.start_at_utc),
        "duration": str(round(one.length_s)) if status == "completed" and one.length_s is not None else None,
        "encryption_details": None,
        "error_code": 16100 if status == "absent" else None,
        "price_unit": "USD",
        "sid": one.sid,
        "source": one.source,
        "status": status,
    }
    if of_call:
        return body | {
            "price": price,
            "track": one.track,
            "uri": f"{root}/Calls/{one.call.sid}/Recordings/{one.sid}.json",
        }
    path = f"{root}/Recordings/{one.sid}"
    return body | {
        "price": None if price is None else f"{price:.5f}",
        "uri": f"{path}.json",
        "media_url": f"{base_url}{path}",
        "subresource_uris": {
            "add_on_results": f"{path}/AddOnResults.json",
            "transcriptions": f"{path}/Transcriptions.json",
        },
    }


def stream(order: StreamOrder, one: PracticeCall, account_sid: str, now_utc: datetime) -> dict[str, Any]:
    """Return a Stream resource."""
    return {
        "sid": order.sid,
        "account_sid": account_sid,
        "call_sid": one.sid,
        "name": order.verb.name or None,
        "status": "stopped" if order.over or one.over else "in-progress",
        "date_updated": rfc2822(now_utc),
        "uri": f"{API}/Accounts/{account_sid}/Calls/{one.sid}/Streams/{order.sid}.json",
    }


def notification(
    notice: Notice, sid: str, one: PracticeCall, account_sid: str, at_utc: datetime, *, whole: bool
) -> dict[str, Any]:
    """Return a notification; `whole` with what only its own address tells."""
    body: dict[str, Any] = {
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "call_sid": one.sid,
        "date_created": rfc2822(at_utc),
        "date_updated": rfc2822(at_utc),
        "error_code": str(notice.code),
        "log": str(notice.log),
        "message_date": rfc2822(at_utc),
        "message_text": urlencode(
            {"ErrorCode": notice.code, "LogLevel": ("ERROR", "WARN")[notice.log], "Msg": notice.text}
        ),
        "more_info": f"https://www.twilio.com/docs/errors/{notice.code}",
        "request_method": notice.method,
        "request_url": notice.url,
        "sid": sid,
        "uri": f"{API}/Accounts/{account_sid}/Calls/{one.sid}/Notifications/{sid}.json",
    }
    if whole:
        body |= {"request_variables": "", "response_body": "", "response_headers": ""}
    return body


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request between the exchange and a customer's web server or client, and its answer."""

    method: str
    url: str
    parameters: Mapping[str, str]
    status: int
    body: str
    content_type: str
    took_ms: int
    at_utc: datetime


def event(one: Exchanged) -> dict[str, Any]:
    """Return an entry of a call's log of requests."""
    return {
        "request": {"method": one.method, "url": one.url, "parameters": dict(one.parameters)},
        "response": {
            "response_code": one.status,
            "request_duration": one.took_ms,
            "content_type": one.content_type,
            "response_body": one.body,
            "date_created": rfc2822(one.at_utc),
        },
    }


def page(
    name: str, rows: Sequence[Any], path: str, query: Sequence[tuple[str, str]]
) -> tuple[Sequence[Any], dict[str, Any]]:
    """Return the rows of the page that a query asks for, and the list's frame without them."""
    asked = dict(query)
    size = min(1000, max(1, int(asked.get("PageSize", "50") or 50)))
    number = max(0, int(asked.get("Page", "0") or 0))
    kept = [(key, value) for key, value in query if key not in ("Page", "PageSize", "PageToken")]

    def address(at: int) -> str:
        return f"{path}?{urlencode([*kept, ('PageSize', str(size)), ('Page', str(at))])}"

    first, last = number * size, min(len(rows), (number + 1) * size)
    shown = rows[first:last]
    return shown, {
        "end": first + len(shown) - 1 if shown else first,
        "first_page_uri": address(0),
        "next_page_uri": address(number + 1) if last < len(rows) else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": address(number - 1) if number else None,
        "start": first,
        "uri": address(number),
        name: [],
    }


def dumps(body: Mapping[str, Any]) -> bytes:
    """Return JSON bytes."""
    return json.dumps(body, ensure_ascii=False).encode()

"""Reading the provider's answers: liberal in form (numbers as strings, two kinds of dates), strict in meaning."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from probes.errors import Unavailable


def moment(value: object) -> datetime | None:
    """Read RFC 2822 or ISO 8601, null where empty. Without a zone it is UTC: the provider says all its times are."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no moment")
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        try:
            read = parsedate_to_datetime(value)
        except (TypeError, ValueError) as exc:
            raise ValueError(f'"{value}" is no moment') from exc
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _number(value: object) -> object:
    return None if value == "" else value


Moment = Annotated[datetime | None, BeforeValidator(moment)]
Number = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_number)]
Text = Annotated[str | None, BeforeValidator(lambda value: None if value is None or value == "" else str(value))]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CallAnswer(_Answer):
    """A Call resource."""

    sid: str
    status: str
    to: Text = None
    from_: Text = Field(default=None, alias="from")
    date_created: Moment = None
    start_time: Moment = None
    end_time: Moment = None
    duration: Number = None
    price: Number = None
    price_unit: Text = None


class RecordingAnswer(_Answer):
    """A Recording resource, in a call's list or alone."""

    sid: str
    status: str
    start_time: Moment = None
    duration: Number = None
    channels: Whole = None
    error_code: Whole = None
    price: Number = None
    media_url: Text = None


class NotificationAnswer(_Answer):
    """A Notification of a call: the provider's own account of a fault."""

    error_code: Whole = None
    message_text: Text = None


class CallsAnswer(_Answer):
    """A page of calls."""

    calls: tuple[CallAnswer, ...]
    next_page_uri: Text = None


class RecordingsAnswer(_Answer):
    """A page of recordings."""

    recordings: tuple[RecordingAnswer, ...]


class NotificationsAnswer(_Answer):
    """A page of notifications."""

    notifications: tuple[NotificationAnswer, ...]


class EndProperties(_Answer):
    """What the call summary says of the end; untyped in the provider's document."""

    disconnected_by: Text = None
    last_sip_response_num: Text = None


class EdgeMetrics(_Answer):
    """How one direction of the audio did at the provider's edge."""

    packets_loss_percentage: Number = None


class EdgeDirections(_Answer):
    """Both directions; `inbound` is what came from the called side."""

    inbound: EdgeMetrics | None = None


class Edge(_Answer):
    """An edge of the provider's network."""

    metrics: EdgeDirections | None = None


class SummaryAnswer(_Answer):
    """A call summary of the provider's insights; edges and properties are untyped in its document."""

    processing_state: Text = None
    properties: EndProperties | None = None
    carrier_edge: Edge | None = None
    tags: Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())] = ()


class EventsAnswer(_Answer):
    """A page of the provider's log of requests."""

    events: tuple[dict[str, Any], ...]


AnswerT = TypeVar("AnswerT", bound=_Answer)


def read(kind: type[AnswerT], body: bytes) -> AnswerT:
    """Read an answer.

    Raises:
        Unavailable: the body is not the JSON that the provider documents.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "its form"
        raise Unavailable(
            f"the carrier's answer cannot be read as {kind.__name__}: {where}: {first['msg']}",
            fix="check that the address is the provider's API",
        ) from exc


# Fields in which the provider may repeat our document, digits included. They carry no evidence about the vendor.
_REPEATS = frozenset({"twiml", "request_variables", "response_body", "send_digits", "senddigits", "digits"})


def without_document(body: bytes) -> bytes:
    """Return an answer without the fields that may repeat the script's document; else byte for byte as it came."""
    try:
        value = json.loads(body)
    except ValueError:
        return body
    if not _holds_document(value):
        return body
    return json.dumps(_cut(value), ensure_ascii=False).encode()


def _holds_document(value: Any) -> bool:
    if isinstance(value, dict):
        return any((key.lower() in _REPEATS and part) or _holds_document(part) for key, part in value.items())
    return isinstance(value, list) and any(_holds_document(part) for part in value)


def _cut(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "(removed: may hold identification digits)" if key.lower() in _REPEATS and part else _cut(part)
            for key, part in value.items()
        }
    return [_cut(part) for part in value] if isinstance(value, list) else value

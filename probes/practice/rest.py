"""The provider's REST API of version 2010-04-01, as far as a caller needs it, over an exchange."""

from __future__ import annotations

import base64
import binascii
import hmac
import io
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote

import soundfile
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from probes.practice import resources
from probes.practice.exchange import Account, Entry, Exchange
from probes.practice.mixing import wav
from probes.practice.orders import read_change, read_order, read_stream
from probes.practice.problems import ProviderError, bad, not_authenticated, not_found, too_many
from probes.practice.resources import Exchanged, Recording

_ROOT = resources.API + "/Accounts/{account}"


def answer(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return a JSON answer as the provider sends it."""
    return Response(
        resources.dumps(body), status, media_type="application/json", headers={"Twilio-Concurrent-Requests": "1"}
    )


def refuse(_request: Request, error: Exception) -> Response:
    """Return an error in the provider's form."""
    assert isinstance(error, ProviderError)
    headers = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if error.status == 401 else {}
    return Response(resources.dumps(error.body), error.status, media_type="application/json", headers=headers)


def authenticate(request: Request, account: Account) -> None:
    """Return if the request carries the account's SID and token.

    Raises:
        ProviderError: it does not (20003).
    """
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise not_authenticated() from exc
    right = hmac.compare_digest(user, account.sid) and hmac.compare_digest(password, account.token)
    if kind.lower() != "basic" or not right:
        raise not_authenticated()


async def read_form(request: Request) -> dict[str, list[str]]:
    """Return the fields of a form, each with all its values."""
    return parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)


def rest_app(exchange: Exchange) -> Starlette:
    """Return the API as an application."""
    api = _Api(exchange)
    routes = [
        Route(f"{_ROOT}.json", api.guarded(api.account), methods=["GET"]),
        Route(f"{_ROOT}/Balance.json", api.guarded(api.balance), methods=["GET"]),
        Route(f"{_ROOT}/Calls.json", api.guarded(api.create_call), methods=["POST"]),
        Route(f"{_ROOT}/Calls.json", api.guarded(api.list_calls), methods=["GET"]),
        Route(f"{_ROOT}/Calls/{{call}}.json", api.guarded(api.fetch_call), methods=["GET"]),
        Route(f"{_ROOT}/Calls/{{call}}.json", api.guarded(api.update_call), methods=["POST"]),
        Route(f"{_ROOT}/Calls/{{call}}/Recordings.json", api.guarded(api.call_recordings), methods=["GET"]),
        Route(
            f"{_ROOT}/Calls/{{call}}/Recordings/{{recording}}.json", api.guarded(api.call_recording), methods=["GET"]
        ),
        Route(f"{_ROOT}/Calls/{{call}}/Notifications.json", api.guarded(api.call_notifications), methods=["GET"]),
        Route(f"{_ROOT}/Calls/{{call}}/Notifications/{{notice}}.json", api.guarded(api.notification), methods=["GET"]),
        Route(f"{_ROOT}/Calls/{{call}}/Events.json", api.guarded(api.events), methods=["GET"]),
        Route(f"{_ROOT}/Calls/{{call}}/Streams.json", api.guarded(api.start_stream), methods=["POST"]),
        Route(f"{_ROOT}/Calls/{{call}}/Streams/{{stream}}.json", api.guarded(api.stop_stream), methods=["POST"]),
        Route(f"{_ROOT}/Notifications.json", api.guarded(api.notifications), methods=["GET"]),
        Route(f"{_ROOT}/Recordings.json", api.guarded(api.recordings), methods=["GET"]),
        Route(f"{_ROOT}/Recordings/{{recording}}.json", api.guarded(api.recording), methods=["GET"]),
        Route(f"{_ROOT}/Recordings/{{recording}}.json", api.guarded(api.delete_recording), methods=["DELETE"]),
        Route(f"{_ROOT}/Recordings/{{recording}}.wav", api.guarded(api.media), methods=["GET"]),
        Route(f"{_ROOT}/Recordings/{{recording}}", api.guarded(api.media), methods=["GET"]),
        Route("/{rest:path}", api.guarded(api.nothing), methods=["GET", "POST", "DELETE", "PUT"]),
    ]
    return Starlette(routes=routes, exception_handlers={ProviderError: refuse})


_Handler = Callable[[Request], Any]


class _Api:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def guarded(self, handler: _Handler) -> _Handler:
        """Return a handler that only the account reaches, and only while no fault is switched on."""

        async def handle(request: Request) -> Response:
            switches, account = self._exchange.switches, self._exchange.account
            if switches.answer_with:
                status, *rest = switches.answer_with
                switches.answer_with = tuple(rest)
                raise (
                    too_many()
                    if status == 429
                    else ProviderError(status, 20500, "An internal server error has occurred")
                )
            authenticate(request, account)
            if request.path_params.get("account", account.sid) != account.sid:
                raise not_found(request.url.path)
            response: Response = await handler(request)
            return response

        return handle

    @property
    def _sid(self) -> str:
        return self._exchange.account.sid

    def _now(self) -> datetime:
        return self._exchange.clock.now_utc()

    def _entry(self, request: Request) -> Entry:
        entry = self._exchange.look(request.path_params["call"])
        if entry is None:
            raise not_found(request.url.path)
        return entry

    def _recording(self, request: Request) -> Recording:
        recording = self._exchange.recordings.get(request.path_params["recording"])
        if recording is None or recording.deleted:
            raise not_found(request.url.path)
        self._exchange.look(recording.call.sid)
        return recording

    def _list(
        self, request: Request, name: str, rows: Iterable[Any], show: Callable[[Any], dict[str, Any]]
    ) -> Response:
        try:
            shown, frame = resources.page(name, list(rows), request.url.path, request.query_params.multi_items())
        except ValueError as exc:
            raise bad(20001, "Invalid PageSize value") from exc
        return answer(frame | {name: [show(row) for row in shown]})

    # --- the account ---

    async def nothing(self, request: Request) -> Response:
        raise not_found(request.url.path)

    async def account(self, _request: Request) -> Response:
        created = resources.rfc2822(datetime(2026, 1, 1, tzinfo=UTC))
        uri = f"{resources.API}/Accounts/{self._sid}"
        return answer(
            {
                "auth_token": self._exchange.account.token,
                "date_created": created,
                "date_updated": created,
                "friendly_name": "Audit",
                "owner_account_sid": self._sid,
                "sid": self._sid,
                "status": "active",
                "subresource_uris": {"calls": f"{uri}/Calls.json", "recordings": f"{uri}/Recordings.json"},
                "type": "Full",
                "uri": f"{uri}.json",
            }
        )

    async def balance(self, _request: Request) -> Response:
        spent = 0.0
        for entry in self._exchange.calls.values():
            spent += float(resources.call(entry.call, self._sid, self._now())["price"] or 0.0)
        return answer({"account_sid": self._sid, "balance": f"{100.0 + spent:.3f}", "currency": "USD"})

    # --- calls ---

    async def create_call(self, request: Request) -> Response:
        form = await read_form(request)
        order = read_order(form, self._exchange.account.callers)
        await self._exchange.make_ready(order)
        entry = self._exchange.place(order)
        body = resources.call(entry.call, self._sid, self._now())
        entry.log.append(self._logged(request, form, 201, body))
        return answer(body, 201)

    async def fetch_call(self, request: Request) -> Response:
        return answer(resources.call(self._entry(request).call, self._sid, self._now()))

    async def update_call(self, request: Request) -> Response:
        form, entry = await read_form(request), self._entry(request)
        change = read_change(form)
        await self._exchange.prepare(change.twiml)
        self._exchange.change(entry, change)
        body = resources.call(entry.call, self._sid, self._now())
        entry.log.append(self._logged(request, form, 200, body))
        return answer(body)

    def _logged(
        self, request: Request, form: Mapping[str, list[str]], status: int, body: Mapping[str, Any]
    ) -> Exchanged:
        asked = {name: " ".join(values) for name, values in form.items()}
        shown = resources.dumps({"sid": body["sid"]}).decode()
        return Exchanged(request.method, str(request.url), asked, status, shown, "application/json", 20, self._now())

    async def list_calls(self, request: Request) -> Response:
        asked = request.query_params
        rows = []
        for sid in reversed(self._exchange.calls):
            entry = self._exchange.look(sid)
            assert entry is not None
            call = entry.call
            wrong = (
                asked.get("To", call.order.to) != call.order.to
                or asked.get("From", call.order.caller) != call.order.caller
                or asked.get("Status", call.status.value) != call.status.value
                or asked.get("ParentCallSid", "") != ""
            )
            if (
                not wrong
                and _within(asked, "StartTime", call.dialled_at_utc)
                and _within(asked, "EndTime", call.ended_at_utc)
            ):
                rows.append(call)
        return self._list(request, "calls", rows, lambda call: resources.call(call, self._sid, self._now()))

    async def events(self, request: Request) -> Response:
        return self._list(request, "events", self._entry(request).log, resources.event)

    async def call_notifications(self, request: Request) -> Response:
        return self._notifications(request, [self._entry(request)])

    async def notifications(self, request: Request) -> Response:
        return self._notifications(request, list(self._exchange.calls.values()))

    def _notifications(self, request: Request, entries: list[Entry]) -> Response:
        log = request.query_params.get("Log")
        rows = [
            resources.notification(notice, sid, entry.call, self._sid, at_utc, whole=False)
            for entry in entries
            for sid, notice, at_utc in reversed(entry.notices)
            if log in (None, str(notice.log))
        ]
        return self._list(request, "notifications", rows, lambda row: row)

    async def notification(self, request: Request) -> Response:
        entry = self._entry(request)
        for sid, notice, at_utc in entry.notices:
            if sid == request.path_params["notice"]:
                return answer(resources.notification(notice, sid, entry.call, self._sid, at_utc, whole=True))
        raise not_found(request.url.path)

    async def start_stream(self, request: Request) -> Response:
        form, entry = await read_form(request), self._entry(request)
        order = self._exchange.start_stream(entry, read_stream(form))
        return answer(resources.stream(order, entry.call, self._sid, self._now()))

    async def stop_stream(self, request: Request) -> Response:
        form, entry = await read_form(request), self._entry(request)
        wanted = request.path_params["stream"]
        for order in entry.call.player.streams:
            if wanted in (order.sid, order.verb.name):
                if form.get("Status") != ["stopped"]:
                    raise bad(20001, "Invalid Status value")
                order.stop(entry.call.line)
                return answer(resources.stream(order, entry.call, self._sid, self._now()))
        raise not_found(request.url.path)

    # --- recordings ---

    def _shown(self, recording: Recording, *, of_call: bool, base_url: str) -> dict[str, Any]:
        return resources.recording(recording, self._sid, self._now(), base_url, of_call=of_call)

    async def call_recordings(self, request: Request) -> Response:
        rows = [one for one in reversed(self._entry(request).recordings) if not one.deleted]
        base = str(request.base_url).rstrip("/")
        return self._list(request, "recordings", rows, lambda one: self._shown(one, of_call=True, base_url=base))

    async def call_recording(self, request: Request) -> Response:
        recording = self._recording(request)
        if recording.call.sid != request.path_params["call"]:
            raise not_found(request.url.path)
        return answer(self._shown(recording, of_call=True, base_url=""))

    async def recordings(self, request: Request) -> Response:
        sid = request.query_params.get("CallSid")
        for one in list(self._exchange.calls):
            self._exchange.look(one)
        rows = [
            one
            for one in reversed(self._exchange.recordings.values())
            if not one.deleted
            and sid in (None, one.call.sid)
            and _within(request.query_params, "DateCreated", one.start_at_utc)
        ]
        base = str(request.base_url).rstrip("/")
        return self._list(request, "recordings", rows, lambda one: self._shown(one, of_call=False, base_url=base))

    async def recording(self, request: Request) -> Response:
        base = str(request.base_url).rstrip("/")
        return answer(self._shown(self._recording(request), of_call=False, base_url=base))

    async def delete_recording(self, request: Request) -> Response:
        recording = self._recording(request)
        recording.deleted = True
        self._exchange.recording_path(recording.sid).unlink(missing_ok=True)
        return Response(status_code=204)

    async def media(self, request: Request) -> Response:
        recording = self._recording(request)
        if recording.status(self._now()) != "completed":
            raise not_found(request.url.path)
        data = self._exchange.recording_path(recording.sid).read_bytes()
        if request.query_params.get("RequestedChannels") == "1" and recording.channels == 2:
            samples, _ = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
            data = wav([samples.astype("int32").sum(axis=1).clip(-32768, 32767).astype("int16")])
        return Response(data, media_type="audio/x-wav")


def _moment(text: str) -> tuple[datetime, timedelta]:
    """Return a filter's moment and how long it lasts: a day where only a date is given."""
    text = unquote(text)
    if len(text) == 10:
        return datetime.fromisoformat(text).replace(tzinfo=UTC), timedelta(days=1)
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)), timedelta(seconds=1)


def _within(asked: Mapping[str, str], name: str, moment: datetime | None) -> bool:
    """Return whether a moment fits the filters `name`, `name<` and `name>` (the bounds belong to it)."""
    try:
        for key in (name, f"{name}<", f"{name}>"):
            if key not in asked:
                continue
            start, length = _moment(asked[key])
            if moment is None:
                return False
            early, late = moment < start, moment >= start + length
            if (key == name and (early or late)) or (key.endswith("<") and late) or (key.endswith(">") and early):
                return False
    except ValueError as exc:
        raise bad(20001, f"Invalid {name} value") from exc
    return True

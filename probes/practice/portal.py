"""The help desk of a practice vendor, as a web application that is like any other."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from probes.clock import Clock
from probes.practice.portal_life import Desk, Ticket, TruthWriter, read_portal

__all__ = ["portal_app"]

_COOKIE = "desk_session"
_LONGEST_FIELD = 20_000
_FIELDS = ("subject", "description", "topic", "name", "email", "account")

Handler = Callable[[Request], Awaitable[Response]]


def portal_app(clock: Clock, folder: Path, truth: TruthWriter, *, secret: str) -> Starlette:
    """Return the portal of the character in `folder` (its portal.yaml) as an ASGI application.

    Args:
        clock: by which tickets live.
        folder: the character's.
        truth: told of everything that really happens, at its moment.
        secret: signs the sessions of those who log in.
    """
    return _Portal(Desk(read_portal(folder / "portal.yaml"), clock, truth), secret).app()


class _Portal:
    def __init__(self, desk: Desk, secret: str) -> None:
        self._desk, self._secret = desk, secret
        self._pages = jinja2.Environment(
            loader=jinja2.PackageLoader("templates", "practice"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def app(self) -> Starlette:
        inside = self._logged_in
        return Starlette(
            routes=[
                Route("/", inside(self._home)),
                Route("/new", inside(self._form)),
                Route("/new", inside(self._take), methods=["POST"]),
                Route("/tickets", inside(self._search)),
                Route("/tickets/{number}", inside(self._ticket)),
                Route("/tickets/{number}/reply", inside(self._reply), methods=["POST"]),
                Route("/tickets/{number}/close", inside(self._close), methods=["POST"]),
                Route("/login", self._login_page),
                Route("/login", self._log_in, methods=["POST"]),
                Route("/portal.css", self._style),
            ]
        )

    # --- pages ---

    async def _home(self, _request: Request) -> Response:
        return self._page("home.html")

    async def _form(self, _request: Request) -> Response:
        return self._page("new.html", given=dict.fromkeys(_FIELDS, ""), faults=())

    async def _take(self, request: Request) -> Response:
        async with request.form() as form:
            given = {name: _text(form, name) for name in _FIELDS}
        names = {"subject": "Subject", "description": "Description", "name": "Your name", "email": "E-mail address"}
        faults = [f"{label} is missing." for name, label in names.items() if not given[name]]
        if given["email"] and "@" not in given["email"]:
            faults.append("That is no e-mail address.")
        if faults:
            return self._page("new.html", given=given, faults=faults)
        text = given["description"]
        if given["account"]:
            text += f"\n\nCustomer number: {given['account']}"
        ticket = self._desk.open(
            subject=given["subject"], text=text, topic=given["topic"], name=given["name"], email=given["email"]
        )
        return _see(self._address(ticket, thanks="1"))

    async def _search(self, request: Request) -> Response:
        self._desk.play()
        email, words = request.query_params.get("email", ""), request.query_params.get("q", "")
        found = self._desk.find(email, words)
        rows = [(ticket, self._address(ticket)) for ticket in found]
        return self._page("tickets.html", email=email, words=words, asked=bool(words.strip()), rows=rows)

    async def _ticket(self, request: Request) -> Response:
        ticket = self._allowed(request, request.query_params.get("key", ""))
        if ticket is None:
            return self._page("missing.html", status=404)
        self._desk.play()
        return self._page("ticket.html", ticket=ticket, thanks="thanks" in request.query_params, fault="")

    async def _reply(self, request: Request) -> Response:
        async with request.form() as form:
            key, text = _text(form, "key"), _text(form, "text")
        ticket = self._allowed(request, key)
        if ticket is None:
            return self._page("missing.html", status=404)
        if not text:
            return self._page("ticket.html", ticket=ticket, thanks=False, fault="Please write something first.")
        self._desk.reply(ticket, text)
        return _see(self._address(ticket))

    async def _close(self, request: Request) -> Response:
        async with request.form() as form:
            ticket = self._allowed(request, _text(form, "key"))
        if ticket is None:
            return self._page("missing.html", status=404)
        self._desk.close(ticket)
        return _see(self._address(ticket))

    async def _style(self, _request: Request) -> Response:
        loader = self._pages.loader
        assert loader is not None
        text, _, _ = loader.get_source(self._pages, "portal.css")
        return Response(text, media_type="text/css")

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        html = self._pages.get_template(template).render(desk=self._desk, character=self._desk.character, **values)
        return HTMLResponse(html, status_code=status)

    def _allowed(self, request: Request, key: str) -> Ticket | None:
        ticket = self._desk.tickets.get(request.path_params["number"])
        return ticket if ticket is not None and hmac.compare_digest(ticket.key, key) else None

    def _address(self, ticket: Ticket, **more: str) -> str:
        return f"/tickets/{ticket.number}?{urlencode({'key': ticket.key, **more})}"

    # --- login, where the character asks for one ---

    def _logged_in(self, handler: Handler) -> Handler:
        @wraps(handler)
        async def checked(request: Request) -> Response:
            if self._desk.character.login is not None and not self._session_is_good(request.cookies.get(_COOKIE, "")):
                return _see("/login")
            return await handler(request)

        return checked

    async def _login_page(self, _request: Request) -> Response:
        return self._page("login.html", fault="")

    async def _log_in(self, request: Request) -> Response:
        login = self._desk.character.login
        async with request.form() as form:
            given = (_text(form, "user"), _text(form, "password"))
        if login is None or given != (login.user, login.password):
            return self._page("login.html", fault="User name or password is wrong.")
        until = f"{self._desk.clock.after(login.lasts.least_s).timestamp():.0f}"
        response = _see("/")
        response.set_cookie(_COOKIE, f"{until}.{self._signature(until)}", httponly=True, samesite="lax")
        return response

    def _session_is_good(self, cookie: str) -> bool:
        until, _, signature = cookie.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(until).encode()):
            return False
        return float(until) > self._desk.clock.now_utc().timestamp()

    def _signature(self, text: str) -> str:
        return hmac.new(self._secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip().replace("\r\n", "\n")[:_LONGEST_FIELD] if isinstance(value, str) else ""


def _see(address: str) -> RedirectResponse:
    return RedirectResponse(address, status_code=303)

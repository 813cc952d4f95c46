"""The chat of a practice vendor: a page with a launcher and the chat in a frame, and a full page of the same chat."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from probes.clock import Clock
from probes.practice.chat_life import ChatDesk, Conversation, read_chat
from probes.practice.portal_life import TruthWriter

_COOKIE = "chat_key"
_LONGEST_TEXT = 4000
_HANGS_S = 15.0  # a request for news is answered at the latest after so long (real time)


class ChatPages:
    """The chat of the character in `folder` (its chat.yaml); `app` serves it."""

    def __init__(self, clock: Clock, folder: Path, truth: TruthWriter) -> None:
        self._desk = ChatDesk(read_chat(folder / "chat.yaml"), clock, truth)
        self._pages = jinja2.Environment(
            loader=jinja2.PackageLoader("templates", "practice"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    def app(self) -> Starlette:
        """Return the ASGI application."""
        return Starlette(
            routes=[
                Route("/", self._home),
                Route("/widget", self._widget),
                Route("/chat", self._widget),
                Route("/conversations", self._open, methods=["POST"]),
                Route("/conversations/{key}", self._news),
                Route("/conversations/{key}/say", self._say, methods=["POST"]),
                Route("/conversations/{key}/leave", self._leave, methods=["POST"]),
            ]
        )

    async def close(self) -> None:
        """End every conversation."""
        await self._desk.close()

    async def _home(self, _request: Request) -> Response:
        return self._page("chat_home.html")

    async def _widget(self, request: Request) -> Response:
        conversation = self._desk.conversations.get(request.cookies.get(_COOKIE, ""))
        key = conversation.key if conversation is not None and not conversation.closed else ""
        return self._page("chat.html", key=key, full=request.url.path == "/chat")

    async def _open(self, request: Request) -> Response:
        document = await request.json()
        given = {name: str(document.get(name, ""))[:200] for name in self._desk.character.asks}
        conversation = self._desk.open(given)
        response = JSONResponse({"key": conversation.key})
        response.set_cookie(_COOKIE, conversation.key, samesite="lax", max_age=3600)
        return response

    async def _news(self, request: Request) -> Response:
        """Answer as soon as the conversation is newer than the version asked about."""
        conversation = self._found(request)
        if conversation is None:
            return JSONResponse({}, status_code=404)
        known = int(request.query_params.get("since", "-1"))
        if conversation.version <= known:
            changed = conversation.changed
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _HANGS_S)
        return JSONResponse(conversation.to_json())

    async def _say(self, request: Request) -> Response:
        conversation = self._found(request)
        if conversation is None:
            return JSONResponse({}, status_code=404)
        document = await request.json()
        self._desk.hear(conversation, str(document.get("text", "")).strip()[:_LONGEST_TEXT])
        return JSONResponse({})

    async def _leave(self, request: Request) -> Response:
        conversation = self._found(request)
        if conversation is not None:
            self._desk.leave(conversation)
        return JSONResponse({})

    def _found(self, request: Request) -> Conversation | None:
        return self._desk.conversations.get(request.path_params["key"])

    def _page(self, template: str, **values: Any) -> Response:
        html = self._pages.get_template(template).render(character=self._desk.character, **values)
        return HTMLResponse(html)

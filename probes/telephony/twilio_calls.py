"""One call at the provider at a time: placing it, looking at it, changing it, ending it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from probes.errors import Unavailable
from probes.telephony import twilio_answers as answers
from probes.telephony.carrier import CallOver, CallState, DialUncertain
from probes.telephony.twilio_api import Api, said
from probes.telephony.twilio_errors import OVER_ALREADY, ProviderError, explained

STATES = {
    "queued": CallState.DIALLING,
    "initiated": CallState.DIALLING,
    "ringing": CallState.RINGING,
    "in-progress": CallState.UP,
    "completed": CallState.ENDED,
    "busy": CallState.ENDED,
    "no-answer": CallState.ENDED,
    "failed": CallState.ENDED,
    "canceled": CallState.ENDED,
}
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
STEPS = ["initiated", "ringing", "answered", "completed"]


class Calls:
    """The provider's calls over its API."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def place(self, doing: str, arguments: dict[str, Any], secrets: tuple[str, ...]) -> answers.CallAnswer:
        """Place a call; the request is sent once, whatever happens to it. `secrets` are kept out of any message."""
        try:
            body = await self.api.ask(self.api.client.calls.create_async(**arguments))
        except ProviderError as exc:
            hidden = ProviderError(exc.status, exc.code, _hidden(exc.message, secrets))
            if exc.status >= 500 or exc.status == 408:
                raise _uncertain(doing, str(hidden)) from None
            raise explained(hidden, doing) from None
        except _NEVER_SENT as exc:
            raise self.api.unreachable(doing, exc) from exc
        except (httpx.HTTPError, TimeoutError) as exc:
            raise _uncertain(doing, said(exc)) from exc
        try:
            return answers.read(answers.CallAnswer, body)
        except Unavailable as exc:
            raise _uncertain(doing, exc.message) from exc

    async def fetch(self, call_id: str) -> tuple[CallState, answers.CallAnswer, bytes]:
        """Return where a call is, what the provider says of it, and its answer as it came."""
        body = await self.api.read(lambda: self.api.client.calls(call_id).fetch_async(), f"asking for call {call_id}")
        call = answers.read(answers.CallAnswer, body)
        state = STATES.get(call.status)
        if state is None:
            raise Unavailable(f'the carrier gives call {call_id} the status "{call.status}", which is not known')
        return state, call, body

    async def act(self, call_id: str, call: Callable[[], Awaitable[object]], hidden: str = "") -> None:
        """Change a call in progress; CallOver where it has ended. `hidden` is kept out of any message."""
        doing = f"acting on call {call_id}"
        try:
            await self.api.retried(call)
        except ProviderError as exc:
            if exc.code in OVER_ALREADY:
                raise CallOver(f"{doing}: it has ended") from None
            told = _hidden(exc.message, (hidden,) if hidden else ())
            raise explained(ProviderError(exc.status, exc.code, told), doing) from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self.api.unreachable(doing, exc) from exc

    async def end(self, call_id: str) -> None:
        """End a call, ringing or answered; one that is over already stays over."""
        try:
            await self.api.retried(lambda: self.api.client.calls(call_id).update_async(status="completed"))
        except ProviderError as exc:
            if exc.code not in OVER_ALREADY:
                raise explained(exc, f"ending call {call_id}") from None
        except (httpx.HTTPError, TimeoutError) as exc:
            raise self.api.unreachable(f"ending call {call_id}", exc) from exc


def _uncertain(doing: str, why: str) -> DialUncertain:
    return DialUncertain(
        f"{doing}: the answer was lost, so the call may or may not have been placed ({why})",
        fix="look in the carrier's list of calls before calling again",
    )


def _hidden(text: str, secrets: tuple[str, ...]) -> str:
    """Take identification digits out of a text: the provider may quote the document that it refuses."""
    for digits in secrets:
        text = text.replace(digits, "(identification)")
    return text

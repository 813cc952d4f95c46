"""The transport under the provider's package: one place for addresses, timeouts, size limits and errors.

The package itself has no setting for another address, no default timeout, and logs what it sends.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextvars import ContextVar

import httpx
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from probes.telephony.twilio_config import TwilioConfig, is_loopback
from probes.telephony.twilio_errors import ProviderError

_ANSWER_AT_MOST_BYTES = 8 * 2**20

# The body of the last successful answer in this task, as it came: the evidence behind what the package made of it.
last_body: ContextVar[bytes] = ContextVar("last_body")


class Transport(AsyncHttpClient):  # type: ignore[misc]
    """Carries requests to the configured addresses.

    Raises from every request:
        ProviderError: an answer that is not a success.
        httpx.HTTPError, TimeoutError: no answer, or half of one.
    """

    def __init__(self, config: TwilioConfig) -> None:
        # The package would log requests; ours carry identification digits.
        super().__init__(logging.getLogger("probes.telephony.twilio"), True, config.timeout_s)
        self._config = config
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request and keep the body of its answer in `last_body`."""
        del allow_redirects  # an API that redirects is not the API: credentials and digits are not sent after it
        url, trusted = self._config.mapped(uri)
        request = self._open().build_request(
            method,
            url,
            params={key: str(value) for key, value in (params or {}).items() if value is not None} or None,
            data=data or None,
            headers=headers,
            timeout=timeout or self._config.timeout_s,
        )
        body, answer = await self._send(request, auth if trusted else None, False, _ANSWER_AT_MOST_BYTES)
        try:
            if not isinstance(json.loads(body), dict):
                raise ValueError
        except ValueError as exc:
            raise ProviderError(502, None, "the answer is not the provider's JSON") from exc
        last_body.set(body)
        return Response(answer.status_code, body.decode("utf-8", "replace"), answer.headers)

    async def download(self, url: str, params: dict[str, str], at_most_bytes: int) -> tuple[bytes, str]:
        """Return the bytes and the media type at an address; redirects are followed without credentials."""
        url, trusted = self._config.mapped(url)
        request = self._open().build_request("GET", url, params=params)
        auth = (self._config.username, self._config.password) if trusted else None
        body, answer = await self._send(request, auth, True, at_most_bytes)
        return body, answer.headers.get("content-type", "application/octet-stream").split(";")[0].strip()

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        # Connections belong to an event loop; a worker may use the same carrier from another one later.
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                timeout=httpx.Timeout(self._config.timeout_s, connect=min(10.0, self._config.timeout_s)),
                trust_env=not is_loopback(self._config.api_base_url),
                max_redirects=5,
            )
        return self._client

    async def _send(
        self, request: httpx.Request, auth: tuple[str, str] | None, follow: bool, at_most_bytes: int
    ) -> tuple[bytes, httpx.Response]:
        # httpx limits each read; the outer limit ends an answer that trickles for ever.
        async with asyncio.timeout(self._config.timeout_s * (10 if follow else 2)):
            answer = await self._open().send(request, auth=auth, stream=True, follow_redirects=follow)
            try:
                parts, size = [], 0
                async for part in answer.aiter_bytes():
                    size += len(part)
                    if size > at_most_bytes:
                        raise ProviderError(502, None, f"the answer is longer than {at_most_bytes} bytes")
                    parts.append(part)
            finally:
                await answer.aclose()
        body = b"".join(parts)
        if not answer.is_success:
            raise _failed(answer, body)
        return body, answer


def _failed(answer: httpx.Response, body: bytes) -> ProviderError:
    try:
        said = json.loads(body)
        code, message = said.get("code"), said.get("message") or said.get("detail") or said.get("title")
    except (ValueError, AttributeError):
        code = message = None
    return ProviderError(
        answer.status_code,
        code if isinstance(code, int) else int(code) if isinstance(code, str) and code.isdigit() else None,
        str(message or answer.reason_phrase or "no explanation")[:500],
    )

"""OAuth 2 for mail: gets access tokens and says them as SASL wants it (XOAUTH2, or OAUTHBEARER of RFC 7628)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from probes.errors import Unavailable, UserError
from probes.mail.account import MailAccount, Server

_SPARE_S = 60.0


class Tokens:
    """The access token of one account, renewed before it ends."""

    def __init__(self, account: MailAccount) -> None:
        self._account = account
        self._lock = asyncio.Lock()
        self._access: str | None = None
        self._until_s = float("-inf")
        self._refresh = account.token.refresh if account.token is not None else None

    def forget(self) -> None:
        """Take the present token for worthless."""
        self._until_s = float("-inf")

    async def access(self) -> str:
        """Return a token that is good for a while.

        Raises:
            UserError: the settings give none, or the server refuses for good.
            Unavailable: it cannot be asked now.
        """
        token = self._account.token
        if token is None:
            raise UserError(f"the mailbox {self._account.address} has no token")
        if token.url is None:
            return token.access or ""
        async with self._lock:
            if self._access is None or time.monotonic() >= self._until_s:
                self._access, lasts_s = await self._ask()
                self._until_s = time.monotonic() + max(0.0, lasts_s - _SPARE_S)
            return self._access

    async def _ask(self) -> tuple[str, float]:
        import httpx

        token = self._account.token
        assert token is not None
        assert token.url is not None
        form = {"client_id": token.client_id, "grant_type": "client_credentials"}
        if self._refresh is not None:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh}
        if token.client_secret:
            form["client_secret"] = token.client_secret
        if token.scope:
            form["scope"] = token.scope
        try:
            async with httpx.AsyncClient(timeout=self._account.timeout_s, verify=self._account.tls()) as client:
                answer = await client.post(token.url, data=form)
        except httpx.HTTPError as exc:
            raise Unavailable(f"no token for {self._account.address}: {exc or type(exc).__name__}") from exc
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable(f"no token for {self._account.address}: the server answers {answer.status_code}")
        try:
            told = answer.json()
            access, lasts_s = str(told["access_token"]), float(told.get("expires_in", 300))
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            fix = "correct client id, secret and refresh token, or have the access granted anew"
            raise UserError(
                f"no token for {self._account.address}: {answer.status_code} {_said(answer.text)}", fix=fix
            ) from exc
        self._refresh = told.get("refresh_token") or self._refresh
        return access, lasts_s

    def sasl(self, user: str, access: str, offered: Iterable[str], server: Server) -> tuple[str, str]:
        """Return the mechanism and its first message: XOAUTH2, unless only OAUTHBEARER is offered."""
        names = {name.upper() for name in offered}
        if "OAUTHBEARER" in names and "XOAUTH2" not in names:
            parts = f"host={server.host}\x01port={server.port}\x01auth=Bearer {access}\x01\x01"
            return "OAUTHBEARER", f"n,a={user},\x01{parts}"
        return "XOAUTH2", f"user={user}\x01auth=Bearer {access}\x01\x01"


def _said(text: str) -> str:
    """What a token server said, without anything that looks like a token."""
    return " ".join(word for word in text[:600].split() if len(word) < 60)[:300]

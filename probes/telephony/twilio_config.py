"""Where Twilio (or a service that speaks its API) is reached, and as whom. Light: nothing heavy is imported here."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from probes.errors import UserError

API_URL = "https://api.twilio.com"
INSIGHTS_URL = "https://insights.twilio.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioConfig:
    """Account, credentials and addresses.

    Either `auth_token`, or `api_key` with `api_secret`. `insights_base_url` is a switch as well: the provider gives
    records about who hung up only to accounts with its paid "Advanced Features" for voice, so nothing is asked for
    (and nothing is waited for) unless an address is set; `INSIGHTS_URL` is the provider's own.
    `timeout_s` and `backoff_s` are real seconds, never practice time; so are, of a live call's audio, `start_s` (until
    a socket has said whose it is), `stall_s` (without any message) and `deaf_s` (from the answer to the first of it),
    and `look_s`, how often a call is looked at whose callbacks may be lost.
    """

    account_sid: str
    auth_token: str = field(default="", repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    api_base_url: str = API_URL
    insights_base_url: str | None = None
    allow_plain_http: bool = False
    timeout_s: float = 30.0
    backoff_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    recording_at_most_bytes: int = 512 * 2**20
    start_s: float = 10.0
    stall_s: float = 20.0
    deaf_s: float = 25.0
    look_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.account_sid:
            raise UserError("no account SID for Twilio", fix="set TWILIO_ACCOUNT_SID (it begins with AC)")
        if not (self.auth_token or (self.api_key and self.api_secret)):
            raise UserError(
                "no credentials for Twilio", fix="set TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET"
            )
        for url in filter(None, (self.api_base_url, self.insights_base_url)):
            _check(url, self.allow_plain_http)

    @property
    def username(self) -> str:
        """Return the user name of the basic authentication."""
        return self.api_key or self.account_sid

    @property
    def password(self) -> str:
        """Return the password of the basic authentication."""
        return self.api_secret if self.api_key else self.auth_token

    def mapped(self, url: str) -> tuple[str, bool]:
        """Return the address to ask instead of `url`, and whether our credentials may go there.

        The provider's answers name its own hosts (a recording's media address); those are led to the configured
        ones. An address anywhere else is left as it is and gets no credentials.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if host == "insights.twilio.com" and self.insights_base_url:
            return _rebased(url, self.insights_base_url), True
        if host == "api.twilio.com" or (host.startswith("api.") and host.endswith(".twilio.com")):
            return _rebased(url, self.api_base_url), True
        ours = {urlsplit(base)[:2] for base in (self.api_base_url, self.insights_base_url) if base}
        return url, parts[:2] in ours


def is_loopback(url: str) -> bool:
    """Return whether the address is on this machine, where nothing can be read on the way."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _rebased(url: str, base: str) -> str:
    parts, target = urlsplit(url), urlsplit(base)
    return urlunsplit((target.scheme, target.netloc, target.path.rstrip("/") + parts.path, parts.query, ""))


def _check(url: str, allow_plain_http: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise UserError(f'"{url}" is no address of an API', fix=f"give one like {API_URL}")
    if parts.scheme == "http" and not (is_loopback(url) or allow_plain_http):
        raise UserError(
            f'"{url}" would carry the credentials and the identification digits unencrypted',
            fix="use https, or set allow_plain_http if the network in between is yours",
        )

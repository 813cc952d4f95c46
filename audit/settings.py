"""What is set outside the plan: home, database, browser, carriers, mail. The one place that reads the environment."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from audit.secrets import Masked, SecretStore
from probes.errors import UserError

if TYPE_CHECKING:
    from probes.mail.account import MailAccount
    from probes.telephony.public_address import PublicAddress
    from probes.telephony.sip_config import SipConfig
    from probes.telephony.twilio_config import TwilioConfig

ENV_FILE = "holdproof.env"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierSettings:
    """Address and credentials of a carrier. None: not set."""

    name: str
    account_sid: str | None = None
    auth_token: Masked | None = None
    api_key: str | None = None
    api_secret: Masked | None = None
    base_url: str | None = None
    insights_base_url: str | None = None


@dataclass(frozen=True)
class Environment:
    """The variables that we read: the process's own, then those of `holdproof.env` in the home.

    Each variable may instead be a file named by the variable with `_FILE` added.
    """

    process: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    file: Mapping[str, str] = field(default_factory=dict, repr=False)

    def get(self, name: str) -> str | None:
        """Return a variable, or None if it is not set or empty.

        Raises:
            UserError: it is set directly and by file at once, or the file cannot be read.
        """
        for source in (self.process, self.file):
            value, path = source.get(name), source.get(f"{name}_FILE")
            if value and path:
                raise UserError(f"{name} and {name}_FILE are both set", fix="unset one of them")
            if path:
                return _read_secret_file(name, Path(path))
            if value:
                return value
        return None


def _read_secret_file(name: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise UserError(f"{name}_FILE names {path}, which cannot be read: {reason}", fix="correct the path") from exc
    if not text:
        raise UserError(f"{name}_FILE names {path}, which is empty", fix="write the value into it")
    return text


def read_env_file(path: Path) -> dict[str, str]:
    """Return the KEY=VALUE lines of a file, none if there is no file. Blank lines and lines with # first are skipped.

    Raises:
        UserError: a line cannot be understood, or others than its owner may read the file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise UserError(f"{path} cannot be read: {exc}", fix="mend or remove it") from exc
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UserError(f"{path} holds secrets, and others may read it", fix=f"run: chmod 600 {path}")
    values: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise UserError("this line is not KEY=VALUE", at=f"{path}:{number}", fix="write one KEY=VALUE a line")
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"" else value


def write_env_file(path: Path, values: Mapping[str, str]) -> None:
    """Write KEY=VALUE lines that only the owner may read, keeping what else the file holds.

    Raises:
        ValueError: a name is no variable's, or a value cannot be written on one line.
    """
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name}" is no name of a variable')
        if "\n" in value or "\r" in value or value != value.strip() or _unquoted(value) != value:
            raise ValueError(f"the value of {name} cannot be written on one line")
    merged = {**read_env_file(path), **values}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in merged.items())
    partial.replace(path)


@dataclass(frozen=True)
class Settings:
    """All settings of one invocation. Nothing is read before it is asked for."""

    home: Path
    environment: Environment
    allow_plain_http: bool = False
    public_url_given: str | None = None
    listen_given: str | None = None
    attended: bool = False  # a person sits at the browser's window

    @property
    def database_url(self) -> str | None:
        """Where the ledger is kept; None: in the home."""
        return self.environment.get("HOLDPROOF_DATABASE_URL")

    @property
    def browser(self) -> Path | None:
        """The browser to use; None: look for one."""
        path = self.environment.get("HOLDPROOF_BROWSER")
        return None if path is None else Path(path).expanduser()

    @property
    def public_url(self) -> str | None:
        """Where the outside reaches us, through a proxy or tunnel; None: nowhere, so no call is live."""
        return self.public_url_given or self.environment.get("HOLDPROOF_PUBLIC_URL")

    @property
    def listen(self) -> str | None:
        """Where our own web server listens behind that address, as HOST:PORT; None: at the usual place."""
        return self.listen_given or self.environment.get("HOLDPROOF_LISTEN")

    def public_address(self) -> PublicAddress | None:
        """Return our own address on the web, None if there is none; nothing listens there yet.

        Raises:
            UserError: it is no address, or would carry calls unencrypted over a network.
        """
        if self.public_url is None:
            return None
        from probes.telephony.public_address import DEFAULT_LISTEN, PublicAddress

        return PublicAddress(self.public_url, self.listen or DEFAULT_LISTEN, allow_plain_http=self.allow_plain_http)

    def carrier(self, name: str) -> CarrierSettings:
        """Return address and credentials of a carrier, whether or not they are complete.

        Raises:
            UserError: its address is no address, or would send credentials in clear over a network.
        """
        prefix = f"HOLDPROOF_{re.sub('[^A-Z0-9]', '_', name.upper())}"
        get = self.environment.get
        return CarrierSettings(
            name=name,
            account_sid=get(f"{prefix}_ACCOUNT_SID"),
            auth_token=self._credential(f"{prefix}_AUTH_TOKEN"),
            api_key=get(f"{prefix}_API_KEY"),
            api_secret=self._credential(f"{prefix}_API_SECRET"),
            base_url=self._address(f"{prefix}_BASE_URL", get(f"{prefix}_BASE_URL")),
            insights_base_url=self._address(f"{prefix}_INSIGHTS_BASE_URL", get(f"{prefix}_INSIGHTS_BASE_URL")),
        )

    def twilio(self) -> TwilioConfig:
        """Return how Twilio, or what speaks its API, is reached and as whom.

        Raises:
            UserError: credentials are missing, or an address is not safe.
        """
        from probes.telephony.twilio_config import API_URL, TwilioConfig

        carrier = self.carrier("twilio")
        prefix = "HOLDPROOF_TWILIO"
        by_token, by_key = carrier.auth_token is not None, bool(carrier.api_key and carrier.api_secret)
        if not carrier.account_sid or not (by_token or by_key):
            missing = f"{prefix}_ACCOUNT_SID" if not carrier.account_sid else f"{prefix}_AUTH_TOKEN"
            fix = f"set it, {missing}_FILE, or write it into {self.home / ENV_FILE}"
            if carrier.account_sid:
                fix += f"; {prefix}_API_KEY with {prefix}_API_SECRET does as well"
            raise UserError(f"{missing} is not set: calls need the carrier's credentials", fix=fix)
        return TwilioConfig(
            account_sid=carrier.account_sid,
            auth_token=carrier.auth_token.reveal() if carrier.auth_token else "",
            api_key=carrier.api_key or "",
            api_secret=carrier.api_secret.reveal() if carrier.api_secret else "",
            api_base_url=carrier.base_url or API_URL,
            insights_base_url=carrier.insights_base_url,
            allow_plain_http=self.allow_plain_http,
        )

    def sip(self) -> SipConfig | None:
        """Return how the SIP trunk is reached and as whom; None: none is set.

        Raises:
            UserError: a setting is not what it should be.
        """
        from probes.telephony.sip_config import SipConfig

        prefix, get = "HOLDPROOF_SIP", self.environment.get
        server = get(f"{prefix}_SERVER")
        if server is None:
            return None
        password = self._credential(f"{prefix}_PASSWORD")
        return SipConfig(
            server=server,
            user=get(f"{prefix}_USER") or "",
            password=password.reveal() if password else "",
            domain=get(f"{prefix}_DOMAIN") or "",
            proxy=get(f"{prefix}_PROXY") or "",
            transport=(get(f"{prefix}_TRANSPORT") or "udp").lower(),
            encryption=(get(f"{prefix}_ENCRYPTION") or "never").lower(),
            interface=get(f"{prefix}_INTERFACE") or "",
            register=(get(f"{prefix}_REGISTER") or "").lower() in ("1", "true", "yes"),
        )

    def mail(self, name: str = "") -> MailAccount:
        """Return a mailbox, by its name in plans, and the way to it.

        Raises:
            UserError: something needed is not set or not understood, or a password would travel in clear.
        """
        from audit.mail_settings import mail_account

        return mail_account(name, self.environment.get, self._credential)

    def _credential(self, name: str) -> Masked | None:
        """Return a credential, which is taken out of everything kept from now on."""
        value = self.environment.get(name)
        if value is None:
            return None
        self.secrets.learn(f"${{env:{name}}}", value)
        return Masked(value)

    def _address(self, name: str, url: str | None) -> str | None:
        if url is None:
            return None
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as exc:
            raise UserError(f'{name} is "{url}", which is no address', fix="write https://host") from exc
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise UserError(f'{name} is "{url}", which is no address', fix="write https://host, without credentials")
        if parts.scheme == "http" and not is_loopback(host) and not self.allow_plain_http:
            fix = "use https://, or allow it with HOLDPROOF_ALLOW_PLAIN_HTTP=1"
            raise UserError(f"{name} would send credentials in clear to {host}", fix=fix)
        return url.rstrip("/")

    @cached_property
    def secrets(self) -> SecretStore:
        """The secrets that plans refer to."""
        return SecretStore(self.environment.get)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(
    home: Path | str | None = None,
    process: Mapping[str, str] | None = None,
    *,
    public_url: str | None = None,
    listen: str | None = None,
) -> Settings:
    """Return the settings: `home` from the argument, else HOLDPROOF_HOME, else ./holdproof; so the other arguments.

    Raises:
        UserError: the home's `holdproof.env` cannot be understood.
    """
    variables = dict(os.environ if process is None else process)
    named = home or Environment(variables).get("HOLDPROOF_HOME") or "holdproof"
    folder = Path(named).expanduser()
    environment = Environment(variables, read_env_file(folder / ENV_FILE))
    plain = (environment.get("HOLDPROOF_ALLOW_PLAIN_HTTP") or "").lower() in ("1", "true", "yes")
    return Settings(folder, environment, plain, public_url, listen)

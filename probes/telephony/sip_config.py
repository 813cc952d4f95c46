"""How a SIP trunk is reached, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib.util import find_spec

from probes.errors import UserError

TRANSPORTS = ("udp", "tcp", "tls")
# What the stack calls each way to encrypt audio (RFC 3711, RFC 5763).
ENCRYPTION = {"never": "", "offer": "srtp", "always": "srtp-mand", "dtls": "dtls_srtp"}

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])"
_SERVER = re.compile(rf"{_HOST}(?::\d{{1,5}})?")
_INTERFACE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_PREFIX = "HOLDPROOF_SIP"
MISSING = "calls over SIP need a package that is not installed"
CURE = "pip install 'holdproof[sip]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class SipConfig:
    """A trunk and our account there. Empty: not used, or the server's.

    `domain` is the host of our own address; `proxy` is asked instead of the server itself; `interface` is our side's
    address or name, needed only where the machine's own choice is wrong. `register`: the server is an exchange that
    knows us by our account and not by the caller's number. A call in which no audio comes for `silent_at_most_s`,
    though it should, is ended: nobody may be there any more.
    """

    server: str
    user: str = ""
    password: str = field(default="", repr=False)
    domain: str = ""
    proxy: str = ""
    transport: str = "udp"
    encryption: str = "never"
    interface: str = ""
    register: bool = False
    silent_at_most_s: int = 120
    calls_at_most: int = 100

    def __post_init__(self) -> None:
        for name, value, needed in (
            ("SERVER", self.server, True),
            ("DOMAIN", self.domain, False),
            ("PROXY", self.proxy, False),
        ):
            if (value or needed) and not _SERVER.fullmatch(value):
                raise UserError(f'{_PREFIX}_{name} is "{value}", which is no host', fix="write host or host:port")
        if self.transport not in TRANSPORTS:
            fix = f"use one of: {', '.join(TRANSPORTS)}"
            raise UserError(f'{_PREFIX}_TRANSPORT is "{self.transport}"', fix=fix)
        if self.encryption not in ENCRYPTION:
            fix = f"use one of: {', '.join(ENCRYPTION)}"
            raise UserError(f'{_PREFIX}_ENCRYPTION is "{self.encryption}"', fix=fix)
        if self.interface and not _INTERFACE.fullmatch(self.interface):
            raise UserError(f'{_PREFIX}_INTERFACE is "{self.interface}"', fix="write its address or name, as eth0")
        if re.search(r"[\s@:;<>\"?\\]", self.user) or re.search(r'[\x00-\x1f"\\]', self.password):
            fix = "use an account whose name has no spaces or @:;<>, and whose password has no quotes or backslashes"
            raise UserError(
                f"{_PREFIX}_USER or {_PREFIX}_PASSWORD holds a character that SIP accounts here cannot", fix=fix
            )
        if self.register and not self.user:
            raise UserError(f"{_PREFIX}_REGISTER needs an account", fix=f"set {_PREFIX}_USER and {_PREFIX}_PASSWORD")

    @property
    def host(self) -> str:
        """The server without its port."""
        return self.server.rsplit(":", 1)[0] if not self.server.endswith("]") else self.server

    @property
    def is_loopback(self) -> bool:
        """Whether the server is this machine, whose loopback must be named for calls to go out by it."""
        host = (self.proxy or self.server).strip("[]")
        return host.startswith(("127.", "localhost")) or host.startswith("::1")


def installed() -> bool:
    """Whether the package that speaks SIP is there; it is not loaded."""
    return find_spec("baresip") is not None

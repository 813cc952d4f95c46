"""Ending a call whose process has died: its goodbye is made from its record, and sent once.

The far end would otherwise stand on a dead line, and be paid for, until somebody's time limit. RFC 3261, sections 12
(what a dialog is) and 15 (BYE); RFC 2617 (digest).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace

from probes.telephony.sip_journal import Line
from probes.telephony.sip_messages import Head

_AT_MOST_S = 4.0
_REPEAT_S = 0.5
_LONGEST = 65_536


@dataclass(frozen=True, slots=True)
class Goodbye:
    """A BYE, as far as it is the same at every try, and where it goes."""

    uri: str
    headers: tuple[str, ...]
    number: int
    transport: str
    host: str
    port: int

    def text(self, local: str, proof: str = "") -> bytes:
        """Return the request as it goes over the wire, with the answer to a challenge if there was one."""
        via = f"Via: SIP/2.0/{self.transport.upper()} {local};branch=z9hG4bK{secrets.token_hex(8)};rport"
        lines = [f"BYE {self.uri} SIP/2.0", via, "Max-Forwards: 70", *self.headers, f"CSeq: {self.number} BYE"]
        lines += [proof] if proof else []
        return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()


def goodbye_of(lines: tuple[Line, ...]) -> Goodbye | None:
    """Return the goodbye of an answered call, None where its record does not hold what is needed."""
    invite: Head | None = None
    answer: Head | None = None
    wire, target, number = "", "", 0
    for line in lines:
        text, sent = line.data.get("text"), line.data.get("direction") == "sent"
        if line.what != "message" or not isinstance(text, str):
            continue
        head = Head.of(text)
        if sent and head.request:
            wire = str(line.data.get("wire") or wire)
            number = max(number, head.number)
        accepted = head.code is not None and 200 <= head.code < 300
        if sent and head.request == "INVITE" and answer is None:
            invite = head
        if not sent and head.about == "INVITE" and (accepted or head.request):
            target = _uri(head.get("contact")) or target
            if accepted and answer is None:
                answer = head
    where = re.fullmatch(r"(UDP|TCP|TLS) \S+ -> \[?([0-9A-Fa-f.:]+?)\]?:(\d{1,5})", wire)
    if invite is None or answer is None or not target or where is None:
        return None
    recorded = answer.all("record-route")
    routes = [f"Route: {one}" for one in reversed(recorded)] or [f"Route: {one}" for one in invite.all("route")]
    named = [f"From: {invite.get('from')}", f"To: {answer.get('to')}", f"Call-ID: {invite.get('call-id')}"]
    return Goodbye(target, (*named, *routes), number + 1, where[1].lower(), where[2], int(where[3]))


async def send(goodbye: Goodbye, user: str, password: str) -> str:
    """Send it and return the first line of the answer; empty: none came in time."""
    proof = ""
    for _ in range(2):
        answer = await _asked(goodbye, proof)
        head = Head.of(answer)
        challenge = head.get("www-authenticate") or head.get("proxy-authenticate")
        if head.code not in (401, 407) or not challenge or not user or proof:
            return head.first
        name = "Authorization" if head.get("www-authenticate") else "Proxy-Authorization"
        proof = f"{name}: {_digest(challenge, goodbye.uri, user, password)}"
        goodbye = replace(goodbye, number=goodbye.number + 1)
    return ""


async def _asked(goodbye: Goodbye, proof: str) -> str:
    try:
        async with asyncio.timeout(_AT_MOST_S):
            return await (_over_udp if goodbye.transport == "udp" else _over_tcp)(goodbye, proof)
    except (OSError, TimeoutError):
        return ""


async def _over_udp(goodbye: Goodbye, proof: str) -> str:
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
            answers.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Ear, remote_addr=(goodbye.host, goodbye.port))
    try:
        host, port = transport.get_extra_info("sockname")[:2]
        text = goodbye.text(_local(host, port), proof)
        while True:
            transport.sendto(text)
            with suppress(TimeoutError):
                while True:
                    answer = (await asyncio.wait_for(answers.get(), _REPEAT_S)).decode("utf-8", "replace")
                    if (Head.of(answer).code or 0) >= 200:
                        return answer
    finally:
        transport.close()


async def _over_tcp(goodbye: Goodbye, proof: str) -> str:
    # The trunk's name is not in its address: what is sent holds no secret, and a digest proves nothing to a stranger.
    context = ssl.create_default_context() if goodbye.transport == "tls" else None
    if context is not None:
        context.check_hostname = False
    reader, writer = await asyncio.open_connection(goodbye.host, goodbye.port, ssl=context, limit=_LONGEST)
    try:
        host, port = writer.get_extra_info("sockname")[:2]
        writer.write(goodbye.text(_local(host, port), proof))
        while True:
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
            if (Head.of(answer).code or 0) >= 200:
                return answer
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return ""
    finally:
        writer.close()


def _local(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _uri(contact: str) -> str:
    found = re.search(r"<(sips?:[^<>\s]+)>", contact) or re.match(r"(sips?:[^<>\s;]+)", contact)
    return found.group(1) if found else ""


def _digest(challenge: str, uri: str, user: str, password: str) -> str:
    """Return the answer to a digest challenge (RFC 2617, MD5)."""
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
    ours = _md5(f"{user}:{realm}:{password}")
    parts = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    plain = "algorithm=MD5"
    if "auth" in asked.get("qop", "").split(","):
        once = secrets.token_hex(8)
        parts["response"] = _md5(f"{ours}:{nonce}:00000001:{once}:auth:{_md5(f'BYE:{uri}')}")
        parts["cnonce"] = once
        plain += ", qop=auth, nc=00000001"
    else:
        parts["response"] = _md5(f"{ours}:{nonce}:{_md5(f'BYE:{uri}')}")
    if "opaque" in asked:
        parts["opaque"] = asked["opaque"]
    return "Digest " + ", ".join(f'{name}="{value}"' for name, value in parts.items()) + f", {plain}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

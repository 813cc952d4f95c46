"""TLS as asked for and never less, tokens got and renewed, mailboxes that are silent, wrong or gone."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probes import email_ticket
from probes.errors import FailureKind, Side, UserError
from probes.events import ContactOutcome, MessageSeen
from probes.mail.account import MailAccount, Security, Server, Token
from probes.model import Seen
from tests.mail import kit
from tests.mail.rough import Rough, rough
from tests.mail.small_imap import SmallImap, small_imap

pytestmark = pytest.mark.slow
MAIL = (
    b"From: support@vendor.example\r\nTo: robin+hp-7k2m9qxa@customer.example\r\nSubject: [#3] Hello\r\n"
    b"Message-ID: <1@vendor.example>\r\n\r\nHere.\r\n"
)


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, plain)
    )
    return cert_file, key_file


async def submit_and_close(account: MailAccount) -> Seen:
    mailboxes = kit.Mailboxes(account)
    try:
        return await email_ticket.submit(kit.spec(), kit.tools(mailboxes))
    finally:
        await mailboxes.close()


async def test_tls_both_ways_and_only_with_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    with kit.MailServer(("--cert", str(cert), "--key", str(key))) as server:
        ways = (
            Server("127.0.0.1", server.smtps_port, Security.TLS),
            Server("127.0.0.1", server.smtp_port, Security.STARTTLS),
        )
        for smtp in ways:
            async with small_imap(SmallImap(MAIL), context) as imap:
                by_token = {"imap": imap, "token": Token(access="good"), "smtp_password": kit.PASSWORD}
                account = server.account(smtp=smtp, trusted_pem=cert.read_text(), **by_token)
                seen = await submit_and_close(account)
                assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
                for changes in ({}, {"imap": server.account().imap, "token": None}):
                    refused = await submit_and_close(replace(account, trusted_pem=None, **changes))
                    assert refused.failure is not None
                    assert refused.outcome is ContactOutcome.FAILED
                    assert (refused.failure.kind, refused.failure.side) == (FailureKind.TLS, Side.OURS)
        assert len(server.mails("support@vendor.example")) == 2


async def test_a_server_without_tls_gets_nothing_where_tls_was_asked_for(server: kit.MailServer) -> None:
    behaviour = Rough()
    with rough(behaviour) as smtp:
        seen = await submit_and_close(server.account(smtp=replace(smtp, security=Security.STARTTLS)))
        assert seen.outcome is ContactOutcome.FAILED
        imap = replace(server.account().imap, security=Security.STARTTLS)
        seen = await submit_and_close(server.account(smtp=smtp, imap=imap))
    assert seen.failure is not None
    assert (seen.outcome, seen.failure.side) == (ContactOutcome.FAILED, Side.OURS)
    assert behaviour.taken == []


class Tokens(BaseHTTPRequestHandler):
    asked: list[dict[str, list[str]]] = []  # noqa: RUF012
    answers: list[tuple[int, dict[str, object]]] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append(parse_qs(body))
        status, answer = self.answers.pop(0) if self.answers else (200, {"access_token": "good", "expires_in": 3600})
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def token_url() -> Iterator[str]:
    Tokens.asked, Tokens.answers = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Tokens) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


class ByToken(Rough):
    """Takes mail from those with the token."""

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802
        good = "auth=Bearer good\x01\x01" in base64.b64decode(args[1]).decode()
        if not good:
            await server.push("334 eyJzdGF0dXMiOiI0MDEifQ==")
            assert server._reader is not None
            await server._reader.readline()
        return AuthResult(success=good, handled=False, message=None if good else "535 5.7.8 no")


async def test_tokens_are_got_renewed_and_used_both_ways(token_url: str) -> None:
    token = Token(url=token_url, client_id="me", client_secret="client-secret", refresh="first")
    Tokens.answers = [(200, {"access_token": "good", "expires_in": 1, "refresh_token": "second"})]
    behaviour, imap = ByToken(), SmallImap(MAIL)
    with rough(behaviour) as smtp:
        async with small_imap(imap) as mailbox:
            account = MailAccount(
                name="", address=kit.ADDRESS, smtp=smtp, imap=mailbox, user=kit.ADDRESS, token=token, timeout_s=30.0
            )
            mailboxes = kit.Mailboxes(account)
            tools = kit.tools(mailboxes)
            opened = await email_ticket.submit(kit.spec(), tools)
            assert (opened.outcome, opened.failure, len(behaviour.taken)) == (ContactOutcome.DONE, None, 1)
            early = replace(opened.handle, since_utc=datetime(2026, 11, 26, 8, tzinfo=UTC))
            seen = await email_ticket.collect(early, tools)
            (message,) = kit.payloads(seen, MessageSeen)
            assert message.text == "Here."
            assert message.mail is not None
            assert message.mail.received_at_utc == datetime(2026, 11, 26, 9, tzinfo=UTC)
            await mailboxes.close()
    assert [each["grant_type"] for each in Tokens.asked[:2]] == [["refresh_token"]] * 2
    assert [each["refresh_token"] for each in Tokens.asked[:2]] == [["first"], ["second"]]
    assert f"user={kit.ADDRESS}\x01auth=Bearer good\x01\x01" in imap.said


async def test_a_token_that_is_not_given_says_so_without_the_secret(token_url: str) -> None:
    Tokens.answers = [(400, {"error": "invalid_grant", "description": "the refresh token is used up"})] * 3
    async with small_imap(SmallImap(MAIL)) as mailbox:
        token = Token(url=token_url, client_id="me", client_secret="client-secret", refresh="first")
        account = MailAccount(
            name="", address=kit.ADDRESS, smtp=mailbox, imap=mailbox, user=kit.ADDRESS, token=token, timeout_s=30.0
        )
        with pytest.raises(UserError, match="invalid_grant") as caught:
            await submit_and_close(account)
    assert "client-secret" not in str(caught.value)


@pytest.mark.parametrize("command", ["AUTHENTICATE", "EXAMINE", "UID SEARCH", "UID FETCH"])
@pytest.mark.parametrize(
    ("how", "kinds"),
    [
        ("silent", {FailureKind.TIMEOUT, FailureKind.CONNECTION_LOST}),
        ("drop", {FailureKind.CONNECTION_LOST}),
        ("nonsense", {FailureKind.UNKNOWN, FailureKind.CONNECTION_LOST, FailureKind.TIMEOUT, FailureKind.LOGIN_FAILED}),
    ],
)
async def test_a_mailbox_in_trouble_is_not_the_vendors(
    server: kit.MailServer, command: str, how: str, kinds: set[FailureKind]
) -> None:
    handle = (await _opened(server)).handle
    handle = replace(handle, since_utc=datetime(2026, 11, 26, 8, tzinfo=UTC))
    async with small_imap(SmallImap(MAIL, upset=command, how=how)) as mailbox:
        account = server.account(imap=mailbox, token=Token(access="good"), timeout_s=30.0 if how == "drop" else 2.0)
        mailboxes = kit.Mailboxes(account)
        seen = await email_ticket.collect(handle, kit.tools(mailboxes))
        await mailboxes.close()
        await asyncio.sleep(0)
    if seen.failure is None:
        assert how == "nonsense"  # what else was said could be understood
        return
    assert seen.failure.kind in kinds
    assert seen.failure.side in (Side.NETWORK, Side.OURS)
    assert seen.handle == handle


async def _opened(server: kit.MailServer) -> Seen:
    return await submit_and_close(server.account())


def test_the_systems_authorities_are_trusted_with_ours() -> None:
    account = kit.MailServer().account()
    assert account.tls().verify_mode is ssl.CERT_REQUIRED
    assert account.tls().check_hostname

"""One mailbox for many cases: who is told of new mail, what belongs to whom, ten thousand mails, folders made anew."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from probes import email_ticket
from probes.errors import FailureKind, Side
from probes.events import ContactOutcome, MailIgnored, MessageSeen, ValueRead
from probes.mail.mailbox import Mailbox
from probes.mail.watching import Watch
from probes.model import Tools
from tests.mail import kit

pytestmark = pytest.mark.slow
OTHER = "HP-22222222"


async def test_new_mail_is_told_at_once(server: kit.MailServer) -> None:
    told: list[frozenset[str]] = []
    box = Mailbox(server.account(), told.append)
    server.deliver(kit.mail("Old.", to="robin+hp-7k2m9qxa@customer.example"))
    await box.refresh(datetime.now(UTC) - timedelta(hours=1))
    assert told == []  # what lay there is no news
    watch = Watch(box, asyncio.get_running_loop())
    watch.start()
    try:
        for _ in range(600):
            await asyncio.sleep(0.1)
            if watch.idles:
                break
        await asyncio.to_thread(server.deliver, kit.mail("New.", to="robin+hp-22222222@customer.example"))
        for _ in range(1200):
            if not told:
                await asyncio.sleep(0.05)
    finally:
        watch.stop()
        await box.close()
    assert told == [frozenset({OTHER})]


async def test_signs_are_trusted_in_their_order(server: kit.MailServer, tools: Tools) -> None:
    opened = await email_ticket.submit(kit.spec(), tools)
    other = await email_ticket.submit(replace(kit.spec(), reference=OTHER), tools)
    ids = [kit.read(raw)["Message-ID"] for raw in server.mails("support@vendor.example")]
    server.deliver(kit.mail("One.", in_reply_to=ids[0], to="robin+hp-22222222@customer.example", subject="[#7] a"))
    server.deliver(kit.mail("Two.", to="robin+hp-22222222@customer.example", subject="About HP-7K2M9QXA [#8]"))
    server.deliver(kit.mail("Three.", subject="Your hp-22222222"))
    server.deliver(kit.mail("Four.", subject="Re: [#7] and so on"))
    server.deliver(kit.mail("Five: HP-22222222.", subject="Re: [#7] but see the text"))
    server.deliver(kit.mail("Six: HP-7K2M9QXA.", subject="no sign but in the text"))
    first = await email_ticket.collect(opened.handle, tools)
    second = await email_ticket.collect(other.handle, tools)
    assert {(each.text, each.mail and each.mail.placed_by) for each in kit.payloads(first, MessageSeen)} == {
        ("One.", "message_id"),
        ("Four.", "number"),
        ("Six: HP-7K2M9QXA.", "reference"),
    }
    assert {(each.text, each.mail and each.mail.placed_by) for each in kit.payloads(second, MessageSeen)} == {
        ("Two.", "sub_address"),
        ("Three.", "reference"),
        ("Five: HP-22222222.", "reference"),
    }


async def test_a_number_alone_is_placed_when_a_better_sign_has_taught_it(server: kit.MailServer, tools: Tools) -> None:
    opened = await email_ticket.submit(kit.spec(), tools)
    own_id = kit.read(server.mails("support@vendor.example")[0])["Message-ID"]
    server.deliver(kit.mail("We have it.", to="other@customer.example", subject="[Ticket: 4455] received"))
    first = await email_ticket.collect(opened.handle, tools)
    assert [each.count for each in kit.payloads(first, MailIgnored)] == [1]
    assert not kit.payloads(first, MessageSeen)
    server.deliver(kit.mail("Dana here.", in_reply_to=own_id, subject="Re: Invoice [Ticket: 4455]"))
    second = await email_ticket.collect(first.handle, tools)
    assert {each.text for each in kit.payloads(second, MessageSeen)} == {"We have it.", "Dana here."}
    assert [each.value for each in kit.payloads(second, ValueRead)] == ["4455"]


async def test_a_number_that_two_cases_show_decides_nothing(server: kit.MailServer, tools: Tools) -> None:
    opened = await email_ticket.submit(kit.spec(), tools)
    for tag in ("hp-7k2m9qxa", "hp-22222222"):
        server.deliver(kit.mail(f"For {tag}.", to=f"robin+{tag}@customer.example", subject="[#5] a"))
    server.deliver(kit.mail("For whom?", subject="[#5] b"))
    seen = await email_ticket.collect(opened.handle, tools)
    assert [each.text for each in kit.payloads(seen, MessageSeen)] == ["For hp-7k2m9qxa."]


async def test_mail_from_before_the_ticket_and_copies_are_not_its(server: kit.MailServer, tools: Tools) -> None:
    to = "robin+hp-7k2m9qxa@customer.example"
    server.deliver(kit.mail("Of an earlier audit.", to=to), at_utc=datetime.now(UTC) - timedelta(hours=3))
    opened = await email_ticket.submit(kit.spec(), tools)
    date = "Thu, 26 Nov 2026 10:00:00 +0000"
    for _ in range(3):
        server.deliver(kit.mail("Once.", to=to, message_id="<same@vendor.example>", date=date))
    seen = await email_ticket.collect(opened.handle, tools)
    assert [each.text for each in kit.payloads(seen, MessageSeen)] == ["Once."]


async def test_returned_mail_is_an_observation_of_the_right_side(server: kit.MailServer, tools: Tools) -> None:
    from tests.mail.test_reading_mail import report

    opened = await email_ticket.submit(kit.spec(), tools)
    own_id = kit.read(server.mails("support@vendor.example")[0])["Message-ID"]
    whole = report("Final-Recipient: rfc822; support@vendor.example", "Action: failed", "Status: 5.1.1").decode()
    raw = whole.replace("<hp-7k2m9qxa.0.0123456789ab@customer.example>", own_id)
    server.deliver(f"Return-Path: <>\nTo: undisclosed-recipients:;\n{raw}".encode())
    seen = await email_ticket.collect(opened.handle, tools)
    assert seen.failure is not None
    assert (seen.failure.kind, seen.failure.side) == (FailureKind.MAIL_RETURNED, Side.VENDOR)
    (message,) = kit.payloads(seen, MessageSeen)
    assert message.mail is not None
    assert (message.side, message.mail.report, message.mail.report_code) == (Side.NETWORK, "failed", "5.1.1")
    again = await email_ticket.collect(seen.handle, tools)
    assert (again.failure, again.sightings) == (None, ())
    reply = whole.replace("<hp-7k2m9qxa.0.0123", "<hp-7k2m9qxa.1.0123").replace("5.1.1", "4.4.1")
    server.deliver(f"X-Original-To: robin+hp-7k2m9qxa@customer.example\n{reply}".encode())
    later = await email_ticket.collect(again.handle, tools)
    assert later.failure is not None
    assert later.failure.side is Side.NETWORK
    assert (await email_ticket.collect(later.handle, tools)).failure is None  # the ticket itself is there

    other = await email_ticket.submit(replace(kit.spec(), reference=OTHER), tools)
    ours = whole.replace("Status: 5.1.1", "Status: 5.7.1")
    ours = ours.replace("<hp-7k2m9qxa.0.0123456789ab@customer.example>", other.handle.written[0].message_id)
    server.deliver(f"X-Original-To: robin+hp-22222222@customer.example\n{ours}".encode())
    for _ in range(2):  # nothing is to be expected any more, and that is not the vendor's doing
        other = await email_ticket.collect(other.handle, tools)
        assert other.failure is not None
        assert (other.failure.kind, other.failure.side) == (FailureKind.MAIL_RETURNED, Side.OURS)


async def test_what_cannot_be_read_whole_is_kept_and_told(server: kit.MailServer, tools: Tools) -> None:
    from tests.mail.test_reading_mail import nested

    opened = await email_ticket.submit(kit.spec(), tools)
    head = b"From: support@vendor.example\nTo: robin+hp-7k2m9qxa@customer.example\nMessage-ID: <bomb@v>\nSubject: x\n"
    server.deliver(head + nested(70))
    seen = await email_ticket.collect(opened.handle, tools)
    (message,) = kit.payloads(seen, MessageSeen)
    assert (message.text, message.mail and message.mail.cut) == ("", True)
    assert seen.failure is not None
    assert (seen.outcome, seen.failure.kind) == (ContactOutcome.DONE, FailureKind.TOO_LARGE)
    (sighting,) = [each for each in seen.sightings if isinstance(each.what, MessageSeen)]
    assert tools.artifacts.get(sighting.artifacts[0]).replace(b"\r\n", b"\n") == head + nested(70)


MANY = 100


async def test_many_mails_of_nobodys_case(server: kit.MailServer, tools: Tools) -> None:
    server.fill(MANY)
    opened = await email_ticket.submit(kit.spec(), tools)
    own_id = kit.read(server.mails("support@vendor.example")[0])["Message-ID"]
    server.deliver(kit.mail("Here.", in_reply_to=own_id))
    seen = await email_ticket.collect(opened.handle, tools)
    assert [each.text for each in kit.payloads(seen, MessageSeen)] == ["Here."]
    assert [each.count for each in kit.payloads(seen, MailIgnored)] == [MANY]
    began_s = time.process_time()
    for _ in range(20):  # a look after the first costs next to nothing
        await email_ticket.collect(seen.handle, tools)
    assert time.process_time() - began_s < 10


async def test_our_servers_word_on_a_signature_is_noted_and_nobody_elses(
    server: kit.MailServer,
) -> None:
    source = kit.Mailboxes(server.account(authserv_id="mx.customer.example"))
    tools = kit.tools(source)
    opened = await email_ticket.submit(kit.spec(), tools)
    to = "robin+hp-7k2m9qxa@customer.example"
    for number, (name, result) in enumerate((("mx.customer.example", "fail"), ("mx.evil.example", "pass"))):
        line = f"{name} 1; spf=pass smtp.mailfrom=x; dkim={result} (why) header.d=vendor.example"
        server.deliver(kit.mail(f"{number}", to=to, Authentication_Results=line, message_id=f"<{number}@v>"))
    seen = await email_ticket.collect(opened.handle, tools)
    assert {each.text: each.mail and each.mail.dkim for each in kit.payloads(seen, MessageSeen)} == {
        "0": "fail",
        "1": None,
    }
    await source.close()

"""A ticket by mail against a real mailbox server: opened once, answered, numbered, replied to, closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from probes import email_ticket
from probes.errors import Side, UserError
from probes.events import (
    Action,
    ClockName,
    ContactOutcome,
    MailIgnored,
    MessageSeen,
    MessageSent,
    StatusSeen,
    TicketState,
    TicketSubmitted,
    ValueRead,
)
from probes.mail.account import KeepsSent
from probes.model import Tools, Trace
from tests.mail import kit

pytestmark = pytest.mark.slow
VENDOR = "support@vendor.example"


async def test_a_ticket_is_opened_by_one_mail(server: kit.MailServer, tools: Tools) -> None:
    before = datetime.now(UTC)
    seen = await email_ticket.submit(kit.spec(), tools)
    assert (seen.outcome, seen.failure) == (ContactOutcome.DONE, None)
    (raw,) = server.mails(VENDOR)
    mail = kit.read(raw)
    assert mail["From"].addresses[0].addr_spec == "robin+hp-7k2m9qxa@customer.example"
    assert mail["From"].addresses[0].display_name == "Robin Lindgren"
    assert (mail["To"], mail["Subject"]) == (VENDOR, "Invoice 4711")
    assert mail.get_content().strip() == kit.VALUES["problem.body"]
    assert mail["Auto-Submitted"] is None
    (sent,) = kit.payloads(seen, TicketSubmitted)
    assert (sent.subject, sent.text, sent.reference) == (
        "Invoice 4711",
        kit.VALUES["problem.body"],
        kit.REFERENCE,
    )
    (sighting,) = seen.sightings
    assert before <= sighting.at_utc <= datetime.now(UTC)
    (artifact,) = sighting.artifacts
    assert kit.read(tools.artifacts.get(artifact))["Message-ID"] == mail["Message-ID"]


async def test_answers_are_seen_once_with_number_and_status(server: kit.MailServer, tools: Tools) -> None:
    opened = await email_ticket.submit(kit.spec(), tools)
    own_id = kit.read(server.mails(VENDOR)[0])["Message-ID"]
    at = datetime.now(UTC)
    server.deliver(
        kit.mail(
            "We look into it.",
            in_reply_to=own_id,
            subject="[support-12] Invoice 4711 (Opened)",
            date="Thu, 01 Jan 1998 00:00:00 +0100",
            auto_submitted="auto-replied",
        ),
        at_utc=at,
    )
    server.deliver(kit.mail("Buy our cheese.", subject="Cheese"))
    first = await email_ticket.collect(opened.handle, tools)
    (message,) = kit.payloads(first, MessageSeen)
    assert (message.side, message.author, message.text) == (Side.VENDOR, "Vendor Support", "We look into it.")
    assert message.claimed_at_utc == datetime(1997, 12, 31, 23, tzinfo=UTC)
    assert message.mail is not None
    assert (message.mail.placed_by, message.mail.from_address) == ("message_id", VENDOR)
    assert ("auto-submitted", "auto-replied") in [(each.name, each.value) for each in message.mail.headers]
    assert message.mail.received_at_utc == at.replace(microsecond=0)
    (sighting,) = [each for each in first.sightings if isinstance(each.what, MessageSeen)]
    assert sighting.clock is ClockName.PROVIDER
    assert message.absent_at_utc is not None
    assert message.absent_at_utc <= at <= sighting.at_utc + timedelta(seconds=1)
    assert [each.value for each in kit.payloads(first, ValueRead)] == ["support-12"]
    assert [(each.text, each.state) for each in kit.payloads(first, StatusSeen)] == [("Opened", TicketState.OPEN)]
    assert [each.count for each in kit.payloads(first, MailIgnored)] == [1]

    second = await email_ticket.collect(first.handle, tools)
    assert not second.sightings

    server.deliver(kit.mail("Done.", subject="[support-12] Invoice 4711 (Resolved)", message_id="<9@vendor.example>"))
    third = await email_ticket.collect(second.handle, tools)
    (done,) = kit.payloads(third, MessageSeen)
    assert done.mail is not None
    assert done.mail.placed_by == "number"
    assert [each.state for each in kit.payloads(third, StatusSeen)] == [TicketState.RESOLVED]


async def test_a_reply_stays_in_the_thread(server: kit.MailServer, tools: Tools) -> None:
    opened = await email_ticket.submit(kit.spec(), tools)
    own_id = kit.read(server.mails(VENDOR)[0])["Message-ID"]
    server.deliver(
        kit.mail(
            "Which invoice?",
            in_reply_to=own_id,
            subject="[#12] Invoice 4711",
            message_id="<q1@vendor.example>",
            reply_to="ticket+12@desk.vendor.example",
        )
    )
    seen = await email_ticket.collect(opened.handle, tools)
    channel = kit.channel(addresses=["@desk.vendor.example"])
    for allowed, recipient in ((channel, "ticket+12@desk.vendor.example"), (kit.channel(), VENDOR)):
        handle = seen.handle if allowed is not channel else _with(seen.handle, channel)
        spec = kit.spec(allowed, Action.REPLY, text="4711, as I wrote.", handle=handle)
        replied = await email_ticket.submit(spec, tools)
        assert [each.text for each in kit.payloads(replied, MessageSent)] == ["4711, as I wrote."]
        mail = kit.read(server.mails(recipient)[-1])
        assert mail["In-Reply-To"] == "<q1@vendor.example>"
        assert mail["References"].split() == [own_id, "<q1@vendor.example>"]
        assert mail["Subject"] == "Re: [#12] Invoice 4711"
        assert mail["Message-ID"] != own_id


def _with(handle: email_ticket.Handle, channel: email_ticket.Channel) -> email_ticket.Handle:
    from dataclasses import replace

    return replace(handle, channel=channel)


async def test_closing_is_a_mail_that_asks_for_it(server: kit.MailServer, tools: Tools) -> None:
    channel = kit.channel(close="It is solved; please close ticket {ticket}.")
    opened = await email_ticket.submit(kit.spec(channel), tools)
    own_id = kit.read(server.mails(VENDOR)[0])["Message-ID"]
    server.deliver(kit.mail("Solved?", in_reply_to=own_id, subject="[#77] Invoice"))
    seen = await email_ticket.collect(opened.handle, tools)
    closed = await email_ticket.submit(kit.spec(channel, Action.CLOSE, handle=seen.handle), tools)
    assert [each.text for each in kit.payloads(closed, MessageSent)] == ["It is solved; please close ticket 77."]
    with pytest.raises(UserError, match="does not say what to write to close"):
        email_ticket.acts(kit.spec(kit.channel(), Action.CLOSE, handle=seen.handle))


async def test_what_a_crash_left_open_is_found_by_our_message_id(server: kit.MailServer, tools: Tools) -> None:
    began = tools.clock.now_utc()
    await email_ticket.submit(kit.spec(), tools)
    own_id = kit.read(server.mails(VENDOR)[0])["Message-ID"]
    unclear = await email_ticket.reconcile(kit.spec(), began, tools)
    assert unclear.trace is Trace.UNKNOWN
    assert not kit.payloads(unclear.seen, TicketSubmitted)
    server.deliver(kit.mail("We have it.", in_reply_to=own_id, subject="[#5] Invoice"))
    found = await email_ticket.reconcile(kit.spec(), began, tools)
    assert found.trace is Trace.FOUND
    assert len(kit.payloads(found.seen, TicketSubmitted)) == len(kit.payloads(found.seen, MessageSeen)) == 1
    later = await email_ticket.collect(unclear.seen.handle, tools)  # followed without being found at first
    assert len(kit.payloads(later, TicketSubmitted)) == len(kit.payloads(later, MessageSeen)) == 1
    assert not (await email_ticket.collect(later.handle, tools)).sightings
    assert len(server.mails(VENDOR)) == 1


async def test_a_copy_of_what_was_sent_proves_it(server: kit.MailServer) -> None:
    source = kit.Mailboxes(server.account(keeps_sent=KeepsSent.WE))
    tools = kit.tools(source)
    began = tools.clock.now_utc()
    await email_ticket.submit(kit.spec(), tools)
    found = await email_ticket.reconcile(kit.spec(), began, tools)
    assert (found.trace, found.how) == (Trace.FOUND, "a copy lies in the folder of sent mail")
    assert len(kit.payloads(found.seen, TicketSubmitted)) == 1
    await source.close()


async def test_a_persona_whose_mail_would_not_come_back_is_refused(server: kit.MailServer, tools: Tools) -> None:
    values = kit.VALUES | {"persona.email": "jo@elsewhere.example"}
    with pytest.raises(UserError, match=r"answers to jo@elsewhere\.example would not come"):
        await email_ticket.submit(kit.spec(values=values), tools)
    assert server.mails(VENDOR) == []

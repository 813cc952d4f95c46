"""Mail servers that refuse, stay silent or go away while we send: what is known then, and on whose side it is."""

from __future__ import annotations

from dataclasses import replace
from email.message import EmailMessage

import pytest

from probes import email_ticket
from probes.errors import FailureKind, Side, UserError
from probes.events import Action, ContactOutcome, MessageSeen, MessageSent, TicketSubmitted
from probes.mail.account import Security, Server
from probes.model import Trace
from tests.mail import kit
from tests.mail.rough import Rough, rough

pytestmark = pytest.mark.slow


def source(server: kit.MailServer, smtp: Server, **changes: object) -> kit.Mailboxes:
    return kit.Mailboxes(replace(server.account(), smtp=smtp, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("behaviour", "kind", "side"),
    [
        (Rough(recipient="550 5.1.1 no such mailbox"), FailureKind.MAIL_REFUSED, Side.VENDOR),
        (Rough(recipient="452 4.2.2 mailbox full"), FailureKind.MAIL_REFUSED, Side.VENDOR),
        (Rough(recipient="550 no"), FailureKind.MAIL_REFUSED, Side.NOT_KNOWN),
        (Rough(recipient="451 4.4.3 no route"), FailureKind.MAIL_REFUSED, Side.NETWORK),
        (Rough(recipient="550 5.7.1 relaying denied"), FailureKind.MAIL_REFUSED, Side.OURS),
        (Rough(recipient="450 4.7.1 greylisted"), FailureKind.INTERRUPTED, Side.OURS),
        (Rough(sender="553 5.1.8 whose address is that"), FailureKind.MAIL_REFUSED, Side.OURS),
        (Rough(data="554 5.7.1 looks like spam"), FailureKind.MAIL_REFUSED, Side.OURS),
        (Rough(data="451 4.3.0 come again"), FailureKind.INTERRUPTED, Side.OURS),
        (Rough(wrong_password=True), FailureKind.LOGIN_FAILED, Side.OURS),
        (Rough(sender="drop"), FailureKind.CONNECTION_LOST, Side.NETWORK),
        (Rough(recipient="drop"), FailureKind.CONNECTION_LOST, Side.NETWORK),
        (Rough(recipient="silent"), FailureKind.TIMEOUT, Side.NETWORK),
    ],
    ids=lambda value: str(value) if not isinstance(value, Rough) else None,
)
async def test_what_surely_did_not_leave(
    server: kit.MailServer, behaviour: Rough, kind: FailureKind, side: Side
) -> None:
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp, timeout_s=3.0 if behaviour.silent else 30.0)
        seen = await email_ticket.submit(kit.spec(), kit.tools(mailboxes))
        await mailboxes.close()
    assert seen.failure is not None
    assert (seen.outcome, seen.failure.kind, seen.failure.side) == (ContactOutcome.FAILED, kind, side)
    assert (behaviour.taken, seen.handle) == ([], None)
    assert not kit.payloads(seen, TicketSubmitted)


async def test_nobody_there(server: kit.MailServer) -> None:
    mailboxes = source(server, Server("127.0.0.1", kit.free_port(), Security.PLAIN))
    seen = await email_ticket.submit(kit.spec(), kit.tools(mailboxes))
    await mailboxes.close()
    assert seen.failure is not None
    assert (seen.outcome, seen.failure.side) == (ContactOutcome.FAILED, Side.NETWORK)


async def test_a_mailbox_that_cannot_be_read_keeps_us_from_sending(server: kit.MailServer) -> None:
    behaviour = Rough()
    for changes, side in (
        ({"imap": Server("127.0.0.1", kit.free_port(), Security.PLAIN)}, FailureKind.INTERRUPTED),
        ({"password": "wrong", "smtp_password": kit.PASSWORD}, FailureKind.LOGIN_FAILED),
    ):
        with rough(behaviour) as smtp:
            mailboxes = source(server, smtp, **changes)
            seen = await email_ticket.submit(kit.spec(), kit.tools(mailboxes))
            await mailboxes.close()
        assert seen.failure is not None
        assert (seen.outcome, seen.failure.kind, seen.failure.side) == (ContactOutcome.FAILED, side, Side.OURS)
    assert behaviour.taken == []


@pytest.mark.parametrize("answer", ["drop", "silent"])
async def test_an_answer_lost_after_the_mail_leaves_it_open(server: kit.MailServer, answer: str) -> None:
    behaviour = Rough(data=answer)
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp, answer_s=1.0)
        tools = kit.tools(mailboxes)
        seen = await email_ticket.submit(kit.spec(), tools)
    assert (seen.outcome, len(behaviour.taken)) == (ContactOutcome.UNKNOWN, 1)
    assert seen.failure is not None
    assert seen.failure.side is Side.NETWORK
    assert not kit.payloads(seen, TicketSubmitted)  # nothing is held against a vendor that may never have got it
    quiet = await email_ticket.collect(seen.handle, tools)
    assert not quiet.sightings
    raw = behaviour.taken[0].content
    assert isinstance(raw, bytes)
    server.deliver(kit.mail("We have it.", in_reply_to=kit.read(raw)["Message-ID"], subject="[#8] Invoice"))
    later = await email_ticket.collect(quiet.handle, tools)
    assert len(kit.payloads(later, TicketSubmitted)) == len(kit.payloads(later, MessageSeen)) == 1
    await mailboxes.close()


async def test_the_envelope_comes_back_to_the_case_and_bcc_nobody(server: kit.MailServer) -> None:
    behaviour = Rough()
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp)
        for way in ("from", "reply_to", "none"):
            await email_ticket.submit(kit.spec(kit.channel(sub_address=way)), kit.tools(mailboxes))
        await mailboxes.close()
    tagged = "robin+hp-7k2m9qxa@customer.example"
    assert [each.mail_from for each in behaviour.taken] == [tagged, tagged, kit.ADDRESS]
    assert {tuple(each.rcpt_tos) for each in behaviour.taken} == {("support@vendor.example",)}
    mails = [kit.read(each.content) for each in behaviour.taken if isinstance(each.content, bytes)]
    assert [mail["From"].addresses[0].addr_spec for mail in mails] == [tagged, kit.ADDRESS, kit.ADDRESS]
    assert [mail["Reply-To"] and mail["Reply-To"].addresses[0].addr_spec for mail in mails] == [None, tagged, None]


async def test_secrets_travel_and_are_not_kept(server: kit.MailServer) -> None:
    behaviour = Rough()
    secret = "p=90210=Ä=pin"  # one that the encodings of mail write otherwise
    vault = kit.Vault({"${env:PIN}": secret})
    texts = {"problem.body": "My customer PIN is ${env:PIN}.", "problem.subject": "PIN\r\nBcc: x@y.example"}
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp)
        tools = kit.tools(mailboxes, vault=vault)
        seen = await email_ticket.submit(kit.spec(values=kit.VALUES | texts), tools)
        raw = behaviour.taken[0].content
        assert isinstance(raw, bytes)
        assert secret in kit.read(raw).get_content()
        assert kit.read(raw)["Bcc"] is None
        (sent,) = kit.payloads(seen, TicketSubmitted)
        assert (sent.text, sent.subject) == ("My customer PIN is ${env:PIN}.", "PIN Bcc: x@y.example")
        own_id = kit.read(raw)["Message-ID"]
        for number, cte in enumerate(("base64", "quoted-printable", "8bit")):
            answer = EmailMessage()
            answer["From"], answer["In-Reply-To"], answer["Message-ID"] = "a@vendor.example", own_id, f"<{number}@v>"
            answer.set_content(f"You wrote: {secret}\n", cte=cte)
            server.deliver(answer.as_bytes())
        looked = await email_ticket.collect(seen.handle, tools)
        await mailboxes.close()
    assert [each.text for each in kit.payloads(looked, MessageSeen)] == ["You wrote: ${env:PIN}"] * 3
    for sighting in (*seen.sightings, *looked.sightings):
        for artifact in sighting.artifacts:
            kept = tools.artifacts.get(artifact)
            assert "${env:PIN}" in kit.read(kept).get_content()
            assert secret.encode() not in kept


async def test_a_reply_whose_answer_was_lost_is_proved_by_its_own_sign_alone(server: kit.MailServer) -> None:
    behaviour = Rough()
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp)
        tools = kit.tools(mailboxes)
        opened = await email_ticket.submit(kit.spec(), tools)
        behaviour.data = "drop"
        spec = kit.spec(action=Action.REPLY, text="Any news?", handle=opened.handle)
        replied = await email_ticket.submit(spec, tools)
        assert (replied.outcome, kit.payloads(replied, MessageSent)) == (ContactOutcome.UNKNOWN, [])
        first, second = (
            kit.read(each.content)["Message-ID"] for each in behaviour.taken if isinstance(each.content, bytes)
        )
        server.deliver(kit.mail("On your first mail.", in_reply_to=first))
        seen = await email_ticket.collect(replied.handle, tools)
        assert kit.payloads(seen, MessageSent) == []
        server.deliver(kit.mail("On your second mail.", in_reply_to=second))
        seen = await email_ticket.collect(seen.handle, tools)
        assert [each.text for each in kit.payloads(seen, MessageSent)] == ["Any news?"]
        again = await email_ticket.reconcile(spec, tools.clock.now_utc(), tools)
        assert again.trace is Trace.FOUND
        await mailboxes.close()


async def test_a_refused_password_is_tried_once(server: kit.MailServer) -> None:
    behaviour = Rough(wrong_password=True)
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp)
        for _ in range(3):
            seen = await email_ticket.submit(kit.spec(), kit.tools(mailboxes))
            assert seen.failure is not None
            assert (seen.failure.kind, seen.failure.side) == (FailureKind.LOGIN_FAILED, Side.OURS)
            assert "correct HOLDPROOF_MAIL_USER and …_PASSWORD" in seen.failure.text
        await mailboxes.close()
    assert behaviour.tries == 1


async def test_a_way_to_sign_in_that_the_server_refuses_is_followed_by_another(server: kit.MailServer) -> None:
    behaviour = Rough(refused_way="PLAIN")
    with rough(behaviour) as smtp:
        mailboxes = source(server, smtp)
        seen = await email_ticket.submit(kit.spec(), kit.tools(mailboxes))
        await mailboxes.close()
    assert (seen.outcome, behaviour.tries) == (ContactOutcome.DONE, 1)


async def test_a_mailbox_that_refuses_the_password_is_asked_once(server: kit.MailServer) -> None:
    with rough(Rough()) as smtp:
        opened = source(server, smtp)
        handle = (await email_ticket.submit(kit.spec(), kit.tools(opened))).handle
        await opened.close()
        mailboxes = source(server, smtp, password="another", smtp_password=kit.PASSWORD)
        with pytest.raises(UserError, match="the mailbox refuses us"):
            await email_ticket.collect(handle, kit.tools(mailboxes))
        # Whether the same password would do now is not asked: nobody is there any more, and it is still a refusal.
        box = mailboxes.mailbox("")
        box.account = replace(box.account, imap=Server("127.0.0.1", kit.free_port(), Security.PLAIN))
        with pytest.raises(UserError, match="the mailbox refuses us"):
            await email_ticket.collect(handle, kit.tools(mailboxes))
        with pytest.raises(UserError, match="the mailbox refuses us"):
            await email_ticket.reconcile(kit.spec(), kit.tools(mailboxes).clock.now_utc(), kit.tools(mailboxes))
        await mailboxes.close()

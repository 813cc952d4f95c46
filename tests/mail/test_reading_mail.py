"""Mail as it comes, sound and broken: headers, words, attachments, delivery reports. None of it may fail or be slow."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probes.errors import FailureKind, Side
from probes.mail.account import base_address, is_address, sub_addressed
from probes.mail.heads import addresses_in, moment_of, parse_headers
from probes.mail.html_text import html_text
from probes.mail.imap import Head, Place
from probes.mail.index import Identity, Index
from probes.mail.letter import read_letter
from probes.mail.numbers import number_in_text, ticket_numbers
from probes.mail.returned import Stage, delivery_report, refusal, returned_failure
from probes.mail.threads import Trust, place

# Letters that mails are written in, without what a mail program itself would fold or strip.
PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40)


@given(PLAIN, PLAIN)
def test_headers_read_back_what_a_mail_program_wrote(subject: str, name: str) -> None:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = f'"{name.replace(chr(92), "").replace(chr(34), "") or "x"}" <dana@vendor.example>'
    headers = parse_headers(message.as_bytes())
    assert headers.get("subject") == subject
    assert headers.from_address == "dana@vendor.example"


@given(st.binary(max_size=2000))
@example(b"Subject: =?utf-8?B?====?=\n\n")
@example(b"Subject: =?x-unknown?Q?a=20b?= =?utf-8?b?w?=\nFrom: \xff\xfe <\n\n")
@example(b"From: a@b@c@d, <<x>>\nDate: Mon, 99 Foo 20 99:99 +9999\n\n")
def test_no_bytes_break_the_headers(raw: bytes) -> None:
    headers = parse_headers(raw)
    assert headers.key == parse_headers(raw).key
    _ = headers.author, headers.from_address, headers.claimed_at_utc, headers.message_ids("references")
    assert all(value.isprintable() for _, value in headers.lines)


@given(
    st.datetimes(datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01")),
    st.integers(-14 * 60, 14 * 60),
)
def test_dates_with_a_zone_are_read(moment: datetime, offset_min: int) -> None:
    aware = moment.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=offset_min)))
    assert moment_of(format_datetime(aware)) == aware


@pytest.mark.parametrize("text", [None, "", "yesterday", "Thu, 26 Nov 2026 10:00:00", "26/11/2026", "\0", "9" * 500])
def test_no_moment_is_made_up(text: str | None) -> None:
    assert moment_of(text) is None


def test_ids_and_addresses_of_sloppy_programs() -> None:
    headers = parse_headers(
        b"Message-ID: abc@vendor.example\nReferences: <a@x> junk\n <b@y>\nTo: undisclosed-recipients:;\n"
        b"Delivered-To: Robin <ROBIN+HP-7K2M9QXA@customer.example>, x\nReturn-Path: <>\n\n"
    )
    assert headers.message_ids("message-id") == ("<abc@vendor.example>",)
    assert headers.message_ids("references") == ("<a@x>", "<b@y>")
    assert headers.addresses("to", "delivered-to") == ("robin+hp-7k2m9qxa@customer.example",)
    assert headers.get("return-path") == "<>"
    assert list(addresses_in("a@b.example, 'c@d.example'; @ x@ @y")) == ["a@b.example", "c@d.example"]


def whole(*parts: tuple[str, str], kind: str = "alternative", **names: str) -> bytes:
    message = EmailMessage()
    for number, (subtype, text) in enumerate(parts):
        if number == 0:
            message.set_content(text, subtype=subtype)
        elif kind == "alternative":
            message.add_alternative(text, subtype=subtype)
        else:
            message.add_attachment(text, subtype=subtype, filename=names.get("filename"))
    return message.as_bytes()


HTML = """<html><head><title>t</title><style>p {color: red}</style></head><body>
<div style="display:none">You can ignore this</div><p>Dear&nbsp;Robin,</p><p>we look<br>into it.</p>
<ul><li>first<li>second</ul><blockquote type="cite">On Monday you wrote:<br>It says <b>no</b>.</blockquote>
<script>alert(1)</script></body></html>"""
SHOWN = "Dear Robin,\n\nwe look\ninto it.\n\n- first\n- second\n>\n> On Monday you wrote:\n> It says no."


def test_plain_text_goes_before_html_and_html_stands_in_for_it() -> None:
    both = read_letter(whole(("plain", "We look into it.\n"), ("html", HTML)))
    assert both.text == "We look into it."
    assert read_letter(whole(("html", HTML))).text == SHOWN
    assert read_letter(whole(("plain", " \n"), ("html", HTML))).text == SHOWN
    short = "This mail needs a program that shows HTML."
    assert "Dear Robin" in read_letter(whole(("plain", short), ("html", HTML + "<p>" + "More. " * 200))).text


def test_attachments_are_named_and_not_opened() -> None:
    letter = read_letter(
        whole(("plain", "See the file."), ("csv", "secret,things"), kind="mixed", filename="../a\\b.csv")
    )
    assert (letter.text, letter.attachments) == ("See the file.", (".._a_b.csv",))


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        ("Content-Type: text/plain; charset=utf-8", "Grüße".encode("cp1252"), "Grüße"),
        ("Content-Type: text/plain; charset=iso-8859-1", "“Grüße” €".encode("cp1252"), "“Grüße” €"),
        ("Content-Type: text/plain; charset=no-such-thing", "Grüße".encode(), "Grüße"),
        ("Content-Type: text/plain; charset=us-ascii", "Grüße".encode(), "Grüße"),
        ("Content-Type: text/plain", "Grüße".encode("cp1252"), "Grüße"),
        ("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64", b"R3LDvMOfZQ", "Grüße"),
        ("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable", b"Gr=C3=BC=DFe =ZZ", "Grüße =ZZ"),
        ("Content-Type: text/plain; format=flowed", b"one \ntwo\n> quoted \n> more", "one two\n> quoted\n> more"),
        ("Content-Type: multipart/mixed; boundary=x", b"nothing is divided", ""),
        ("Content-Type: multipart/mixed", b"no boundary", ""),
        ("Content-Type: nonsense", b"plain after all", "plain after all"),
    ],
)
def test_broken_encodings_are_read_as_well_as_can_be(head: str, body: bytes, text: str) -> None:
    read = read_letter(head.encode() + b"\n\n" + body).text
    if "Gr=C3=BC=DF" in body.decode("latin-1"):  # two encodings in one line: the readable half counts
        assert read.startswith("Gr")
    elif text:
        assert read == text


@given(st.binary(max_size=3000))
@example(b"Content-Type: multipart/report; boundary=a\n\n--a\nContent-Type: message/delivery-status\n\n\0\n--a--")
@example(b"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\nx")
def test_no_bytes_break_a_letter(raw: bytes) -> None:
    letter = read_letter(raw)
    assert all(sign in "\n\t" or sign.isprintable() for sign in letter.text)
    delivery_report(letter)


def nested(depth: int) -> bytes:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
    return head + b"\nwords\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(depth)))


@pytest.mark.parametrize(
    "raw",
    [
        nested(5000),
        nested(55),
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 200_000,
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 4000,
        b"X: y\n" * 60_000 + b"\nwords",
        b"Subject: " + b"=?utf-8?q?=41?= " * 100_000 + b"\n\nwords",
        b"To: " + b"a@b.example, " * 100_000 + b"\n\nwords",
        b"Content-Type: text/html\n\n" + b"<div>" * 100_000,
        b"Content-Type: text/html\n\n" + b"<!--" * 400_000,
        b"\n\n" + b"a" * 1_000_000,
        b"Content-Type: text/plain; " + b"; ".join(b"a*%d=b" % n for n in range(20_000)) + b"\n\nx",
    ],
    ids=["deep", "rather-deep", "parts", "many-parts", "headers", "words", "to", "html", "comments", "long", "params"],
)
def test_mail_made_to_hurt_is_read_in_time(raw: bytes) -> None:
    began_s = time.process_time()
    letter = read_letter(raw)
    assert time.process_time() - began_s < 20
    assert len(letter.text) < 110_000
    assert letter.trouble in (None, FailureKind.TOO_LARGE, FailureKind.UNREADABLE)


def test_a_bomb_is_told() -> None:
    assert read_letter(nested(5000)).trouble is FailureKind.TOO_LARGE
    assert read_letter(b"Subject: x\n\nbegin", cut=True).trouble is FailureKind.TOO_LARGE
    assert read_letter(b"Subject: x\n\nbegin").trouble is None


@given(st.text(max_size=300))
def test_no_text_breaks_the_html_reader(text: str) -> None:
    html_text(text)
    shown = html_text(f"<p>{text.replace('<', '').replace('&', '')}</p>")
    assert "<p>" not in shown


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("[support-1] Invoice (Opened)", "support-1"),
        ("Re: [#123] hello", "123"),
        ("[Ticket#2026112610000017] Invoice", "2026112610000017"),
        ("Ticket-ID: ABC-99 received", "ABC-99"),
        ("(Case 00123) hello", "00123"),
        ("[Case: 00123] hello", "00123"),
        ("Case #00123: Printer", "00123"),
        ("[GRQ0X2-0PJZ] Re: hello", "GRQ0X2-0PJZ"),
        ("INC0012345 has been opened", "INC0012345"),
        ("##RE-52## hello", "RE-52"),
        ("Re: [Request ID :##RE-52##] : hello", "RE-52"),
        ("Re: #991 hello", "991"),
        ("[JIRA] (SUP-12) Printer", "SUP-12"),
        ("[Acme Support] Re: Printer broken (#88123)", "88123"),
        ("Vorgang 2026/1234: Rechnung", "2026/1234"),
        ("Anfrage Nr. 77-123", "77-123"),
        ("Support-Ticket 123456 wurde eröffnet", "123456"),
        ("Votre demande n° 55512", "55512"),
        ("Su caso nº 8877", "8877"),
        ("Your request (54321) has been received", "54321"),
        ("[Incident: 260101-000123]", "260101-000123"),
        ("[TKT:00012] hello", "00012"),
        ("[Bug 1234] hello", "1234"),
        ("[EXTERNAL] hello", None),
        ("[SPAM 5.2] hello", None),
        ("[1/2] hello", None),
        ("Order of 3 November 2026 (2026)", None),
        ("Re: Invoice 4711 charges us [HP-7K2M9QXA]", None),
        ("Re: Case 4711 charges us", None),
        ("", None),
    ],
)
def test_the_desks_number_is_read_from_subjects(subject: str, number: str | None) -> None:
    found = ticket_numbers(subject, "Case 4711 charges us [HP-7K2M9QXA]")
    assert (found[0] if found else None) == number


@given(
    st.integers(1, 10**12), st.sampled_from(["[#{}] a", "Ticket #{}: a", "a [Ticket: {}]", "Re: Case {} b", "a (#{})"])
)
def test_any_number_in_a_usual_place_is_found(number: int, way: str) -> None:
    assert ticket_numbers(way.format(number))[0] == str(number)


@given(st.text(max_size=1500))
@example("ticket " * 300)
@example("[" * 1000 + "1" + "]" * 1000)
@example("case" + " :" * 700)
def test_no_subject_breaks_the_reading_of_numbers(subject: str) -> None:
    began_s = time.process_time()
    found = ticket_numbers(subject)
    assert all(any(sign.isdigit() for sign in each) and len(each) <= 40 for each in found)
    number_in_text(subject)
    assert time.process_time() - began_s < 5


def test_a_number_told_in_the_text() -> None:
    assert number_in_text("Hello,\nyour ticket number is 55-1234. We will answer.") == "55-1234"
    assert number_in_text("Ihre Vorgangsnummer lautet: 4455.") == "4455"
    assert number_in_text("We have 3 tickets of 2026 and 5 people.") is None


def report(*fields: str) -> bytes:
    text = "\n".join(fields)
    return (
        "From: MAILER-DAEMON@mx.customer.example\nContent-Type: multipart/report; report-type=delivery-status;"
        " boundary=b\n\n--b\n\nIt could not be delivered.\n\n--b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.customer.example\n\n{text}\n\n--b\nContent-Type: text/rfc822-headers\n\n"
        "Message-ID: <hp-7k2m9qxa.0.0123456789ab@customer.example>\nSubject: x\n\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        (("Action: failed", "Status: 5.1.1", "Remote-MTA: dns; mx.vendor.example"), Side.VENDOR),
        (("Action: failed", "Status: 5.1.1"), Side.VENDOR),
        (("Action: failed", "Status: 5.7.1", "Remote-MTA: dns; mx.vendor.example"), Side.VENDOR),
        (("Action: failed", "Status: 5.7.1"), Side.OURS),
        (("Action: failed", "Status: 4.4.1"), Side.NETWORK),
        (("Action: failed", "Status: 5.1.8", "Remote-MTA: dns; mx.vendor.example"), Side.OURS),
        (("Action: failed", "Diagnostic-Code: smtp; 550 5.2.2 full", "Remote-MTA: dns; mx"), Side.VENDOR),
        (("Action: failed",), Side.NOT_KNOWN),
    ],
)
def test_what_came_back_is_charged_to_the_right_side(fields: tuple[str, ...], side: Side) -> None:
    letter = read_letter(report("Final-Recipient: rfc822; support@vendor.example", *fields))
    found = delivery_report(letter)
    assert found is not None
    assert found.action == "failed"
    assert letter.returned is not None
    assert letter.returned.get("message-id") == "<hp-7k2m9qxa.0.0123456789ab@customer.example>"
    failure = returned_failure(found)
    assert (failure.kind, failure.side) == (FailureKind.MAIL_RETURNED, side)


def test_a_server_that_only_writes_words() -> None:
    raw = b"X-Failed-Recipients: support@vendor.example\n\nIt failed:\n\n    550 5.1.1 No such user here\n"
    found = delivery_report(read_letter(raw))
    assert found is not None
    assert (found.action, found.code) == ("failed", "5.1.1")
    assert delivery_report(read_letter(b"Subject: hello\n\n550 5.1.1 of our tickets are solved")) is None


@given(st.sampled_from(list(Stage)), st.integers(400, 599), st.text(max_size=60))
def test_every_refusal_has_a_side(stage: Stage, code: int, text: str) -> None:
    failure = refusal(stage, code, text)
    assert failure.side in (Side.OURS, Side.VENDOR, Side.NETWORK, Side.NOT_KNOWN)
    if stage is Stage.LOGIN:
        assert failure.side is Side.OURS


def test_the_clock_of_these_tests_is_aware() -> None:
    assert moment_of("Thu, 26 Nov 2026 10:00:00 +0100") == datetime(2026, 11, 26, 9, tzinfo=UTC)


def head(uid: int, **lines: str) -> Head:
    block = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in lines.items())
    return Head(Place("INBOX", 1, uid), NOW, 1000, parse_headers(block.encode()))


NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
WHO = Identity(reference="HP-7K2M9QXA", numbers=("77",), since_utc=NOW, domains=frozenset({"vendor.example"}))


def test_a_full_mailbox_costs_a_look_nothing() -> None:
    index = Index()
    for uid in range(1, 10_001):
        assert index.add(head(uid, From="shop@shop.example", Subject=f"Offer [#{uid + 100}]"), NOW, None) is not None
    index.add(head(20_000, To="robin+hp-7k2m9qxa@customer.example", Subject="[#77] a"), NOW, None)
    index.add(head(20_001, Subject="Re: [#77] a"), NOW, None)
    assert index.ignored == 10_001
    began_s = time.process_time()
    for _ in range(50):
        assert {(entry.head.place.uid, trust) for entry, trust in index.of(WHO)} == {
            (20_000, Trust.SUB_ADDRESS),
            (20_001, Trust.NUMBER),
        }
        assert index.unread(WHO, 10) == []
    assert time.process_time() - began_s < 20


@given(st.lists(st.sampled_from(["to", "subject", "reply", "number", "none"]), max_size=12), st.booleans())
def test_every_mail_is_placed_once_whatever_comes_first(kinds: list[str], forget: bool) -> None:
    index = Index()
    for uid, kind in enumerate(kinds):
        lines = {
            "to": {"To": "robin+hp-7k2m9qxa@customer.example", "Subject": "[#77] x"},
            "subject": {"Subject": "Your HP-22222222"},
            "reply": {"In_Reply_To": "<hp-22222222.0.0123456789ab@customer.example>", "Subject": "[#88] x"},
            "number": {"Subject": "[#88] y"},
            "none": {"Subject": "hello"},
        }[kind]
        index.add(head(uid, **lines), NOW, None)
    mine = [entry.head.place.uid for entry, _ in index.of(WHO)]
    other = Identity(reference="HP-22222222", numbers=("88",), since_utc=NOW, domains=frozenset())
    theirs = [entry.head.place.uid for entry, _ in index.of(other)]
    assert sorted(mine) == [uid for uid, kind in enumerate(kinds) if kind == "to"]
    assert sorted(theirs) == [uid for uid, kind in enumerate(kinds) if kind in ("subject", "reply", "number")]
    assert index.ignored == sum(kind in ("number", "none") for kind in kinds)
    if forget:
        index.forget("INBOX")
        assert not list(index.of(WHO)) + list(index.of(other))


@pytest.mark.parametrize("text", ["a@b.example", "first.last+tag@sub.b.example", "o'neil_-=x@b.example"])
def test_addresses_that_can_be_written_to(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "<a@b.example>",
        "a..b@c.example",
        ".a@b",
        "a@b..c",
        "ä@b.example",
        "a@b\n",
    ],
)
def test_addresses_that_cannot(text: str) -> None:
    assert not is_address(text)


@given(st.text(max_size=40))
def test_whatever_stands_there_is_an_address_or_not(text: str) -> None:
    if is_address(text):
        assert list(addresses_in(text)) == [text]


@given(st.from_regex(r"[a-z]{1,10}(\.[a-z]{1,8})?@[a-z]{1,9}\.example", fullmatch=True))
def test_a_sub_address_ends_where_its_address_does(address: str) -> None:
    tagged = sub_addressed(address, "HP-7K2M9QXA", "+")
    assert base_address(tagged, "+") == address
    assert place(parse_headers(f"To: {tagged}\n\n".encode())).references == {"HP-7K2M9QXA"}

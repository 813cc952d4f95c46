"""What a plan may say of a help desk, and what is said where it says too little or too much."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from probes import web_ticket
from probes.errors import UserError
from probes.events import Action
from probes.web.channel import Channel, Handle, Step, sending_step
from probes.web.texts import Texts
from tests.web import kit

OPEN: list[dict[str, Any]] = [{"goto": "/new"}, {"fill": {"Subject": "{problem.subject}"}}, {"click": "Send"}]
LOOK = {"url": "/t/{ticket}", "status": {"at": "css=.status"}}
READ = {"read": {"name": "ticket", "regex": "T-[0-9]+"}}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"url": "help.example.com"}, "no address of a web page"),
        ({"url": "file:///etc/passwd"}, "no address of a web page"),
        ({"url": "https://jo:secret@help.example.com/"}, "no place in url"),
        ({"open": []}, "no click that sends"),
        ({"open": [{"goto": "/new"}]}, "no click that sends"),
        ({"open": [{"goto": "/", "click": "x"}]}, "here: goto, click"),
        ({"open": [{}]}, "here: none"),
        ({"open": [{"fill": {}}]}, "names no field"),
        ({"open": [{"fill": {"css=": "x"}}]}, "names no element"),
        ({"open": [{"clik": "Send"}]}, "clik"),
        ({"open": [{"click": "A", "submits": True}, {"click": "B", "submits": True}]}, "more than one"),
        ({"open": [*OPEN, {"read": {"name": "Ticket No", "regex": "x"}}]}, "cannot be a name"),
        ({"open": [*OPEN, {"read": {"name": "ticket"}}]}, "needs a regex"),
        ({"open": [*OPEN, {"read": {"name": "ticket", "regex": "(a)(b)"}}]}, "2 groups"),
        ({"open": [*OPEN, {"read": {"name": "ticket", "regex": "(a"}}]}, "no regular expression"),
        ({"open": [*OPEN, {"expect": {"text": "a", "url": "b"}}]}, "text, url"),
        ({"look": {"status": {"at": "css=.s"}}}, "needs a url or steps"),
        ({"look": {"url": "/t"}}, "look reads nothing"),
        ({"look": LOOK | {"steps": [{"click": "Close", "submits": True}]}}, "only looks"),
        ({"look": {"url": "/t", "messages": {"items": ".m", "time_zone": "Mars/Olympus"}}}, "no time zone"),
        ({"look": {"url": "/t", "status": {"at": "css=.s", "states": {"Odd": "strange"}}}}, "states"),
    ],
)
def test_a_fault_is_named(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        kit.channel(**({"url": "https://help.example.com/", "open": OPEN} | parts))
    assert words in str(caught.value)


def test_the_act_is_the_marked_click_or_the_last() -> None:
    steps = tuple(Step(click=name) for name in ("Next", "Send", "My tickets"))
    assert sending_step(steps) == 2
    marked = (steps[0], Step(click="Send", submits=True), steps[2])
    assert sending_step(marked) == 1
    assert sending_step((Step(goto="/"),)) is None


@pytest.mark.parametrize(
    ("parts", "action", "words"),
    [
        (
            {"open": [{"goto": "/new"}, {"fill": {"Subject": "{problem.titel}"}}, {"click": "Send"}]},
            Action.OPEN,
            "titel",
        ),
        ({"look": LOOK}, Action.OPEN, "{ticket}"),
        ({"open": [*OPEN, READ], "look": LOOK}, Action.REPLY, "how to reply"),
        ({"open": [*OPEN, READ], "look": LOOK}, Action.CLOSE, "how to close"),
        ({}, Action.LOOK, "how to look"),
        ({"find": {"items": "li", "url": "/s?q={refrence}"}}, Action.OPEN, "refrence"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_contacted(
    parts: dict[str, Any], action: Action, words: str
) -> None:
    channel = kit.channel(**({"url": "https://help.example.com/", "open": OPEN} | parts))
    with pytest.raises(UserError) as caught:
        web_ticket.acts(kit.spec(channel, action, text="Hello"))
    assert words in caught.value.message


def test_acts_name_every_host_once() -> None:
    channel = kit.channel(
        url="https://help.example.com/new", open=OPEN, hosts=["login.example.com", "https://sso.example.net/x"]
    )
    acts = web_ticket.acts(kit.spec(channel))
    assert [act.target for act in acts] == ["help.example.com", "login.example.com", "sso.example.net"]
    assert all(act.writes for act in acts)


def test_channel_and_handle_are_plain_stored_data() -> None:
    channel = kit.channel(
        url="https://help.example.com/",
        open=[*OPEN, READ, {"upload": {"Log": {"name": "a.txt", "text": "x"}}}, {"expect": {"url": "/t/"}}],
        look=LOOK | {"messages": {"items": ".m", "author": {"css": "b", "regex": "by (.+)"}, "time": ".t"}},
        find={"items": "li", "url": "/s?q={reference}", "read": [{"name": "ticket", "regex": "T-[0-9]+"}]},
    )
    handle = Handle(channel=channel, reference="HP-1", values={"a": "b"}, seen=("k",), looked_at_utc=kit.now())
    for value, kind in ((channel, Channel), (handle, Handle)):
        adapter: TypeAdapter[Any] = TypeAdapter(kind)
        assert adapter.validate_json(adapter.dump_json(value)) == value


# --- texts ---

VAULT = kit.Vault({"${env:PIN}": "4711", "${env:KEY}": 'a"b&c <d>'})


def texts(**read: str) -> Texts:
    return Texts({"persona.name": "Jo", "persona.pin": "${env:PIN}"}, read, VAULT)


def test_secrets_are_typed_and_not_shown() -> None:
    of = texts()
    assert of.typed("{persona.name}: {persona.pin}/${env:KEY}") == 'Jo: 4711/a"b&c <d>'
    assert of.shown("{persona.name}: {persona.pin}") == "Jo: ${env:PIN}"
    assert of.holds_secret("{persona.pin}")
    assert not of.holds_secret("{persona.name}")
    for form in ('a"b&c <d>', "a&quot;b&amp;c &lt;d&gt;", 'a"b&amp;c &lt;d&gt;', "a%22b%26c%20%3Cd%3E", 'a\\"b&c <d>'):
        assert of.scrub(f"x {form} y") == "x ${env:KEY} y"


def test_what_a_vendor_says_is_never_taken_for_a_reference() -> None:
    of = texts(ticket="${env:PIN} {persona.pin} {ticket}")
    assert of.typed("No. {ticket}") == "No. ${env:PIN} {persona.pin} {ticket}"
    assert not of.holds_secret("No. {ticket}")


@given(st.text(max_size=40))
def test_a_value_stays_one_part_of_an_address(value: str) -> None:
    from urllib.parse import parse_qs, urlsplit

    try:
        value.encode()
    except UnicodeEncodeError:
        return
    address = texts(ticket=value).address("https://x.example/t?ticket={ticket}&b=1#end")
    parts = urlsplit(address)
    assert parts.netloc == "x.example"
    assert parse_qs(parts.query, keep_blank_values=True, errors="strict") == {"ticket": [value], "b": ["1"]}


def test_an_unknown_name_is_said_with_the_known_ones() -> None:
    with pytest.raises(UserError) as caught:
        texts(ticket="1").typed("{persona.nme}")
    assert caught.value.fix == "use one of: persona.name, persona.pin, ticket"

"""A chat's script and channel as the plan writes them: what is faulty is said with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from audit.ledger.codec import from_json, to_json
from probes import chat
from probes.chatting.channel import Channel
from probes.chatting.script import ScriptStep
from probes.errors import UserError
from probes.model import ActKind
from tests.chat.kit import SCRIPT, channel, spec


def _fault(**parts: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        channel(url="https://vendor.example/", **parts)
    return str(caught.value)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "has no steps"),
        ([{"say": "Hi", "wait": "5 s"}], "a step has one verb; here: say, wait"),
        ([{"say": "Hi ${env:SECRET}"}], "holds a secret"),
        ([{"say": " "}], "say has no words"),
        ([{"wait_for": {"seen": "love", "at_most": "1 min"}}], "'reply', 'human'"),
        ([{"wait_for": {"seen": [], "at_most": "1 min"}}], "seen is empty"),
        ([{"wait_for": {"seen": "reply", "at_most": "0 s"}}], "at_most is no time at all"),
        ([{"if": {"agent": "human"}, "then": ["end"]}], 'before this one is named "agent"'),
        ([{"say": "Hi", "as": "first"}, {"if": {"first": "human"}, "then": ["end"]}], "can never be human"),
        ([{"say": "Hi", "then": ["end"]}], "then and else belong to if"),
        ([{"repeat": {"times": 99, "steps": [{"say": "Hi"}]}}], "write 1 to 50"),
        ([{"say": "Hi", "as": "First!"}], "is no name"),
    ],
)
def test_faults_of_a_script(steps: list[Any], said: str) -> None:
    assert said in _fault(scripts={"ask": steps})


def test_faults_of_a_channel() -> None:
    assert "no address of a web page" in _fault_of_url("vendor.example")
    assert "has no place in url" in _fault_of_url("https://jo:secret@vendor.example/")
    assert "write at least one" in _fault(scripts={})


def _fault_of_url(url: str) -> str:
    with pytest.raises(ValidationError) as caught:
        channel(url=url)
    return str(caught.value)


def test_a_script_reads_back_as_it_was() -> None:
    of = channel(url="https://vendor.example/")
    assert from_json(Channel, to_json(of)) == of
    assert of.scripts["ask"][3] == TypeAdapter(ScriptStep).validate_python({"ask_human": True})
    assert len(of.scripts["ask"]) == len(SCRIPT)


def test_what_a_chat_reaches_is_named_before() -> None:
    of = channel(url="https://vendor.example/help", hosts=["widget.example", "vendor.example"])
    acts = chat.acts(spec(of))
    assert [(act.kind, act.target) for act in acts] == [
        (ActKind.CHAT, "vendor.example"),
        (ActKind.BROWSE, "widget.example"),
    ]
    assert acts[0].longest == of.chat_at_most


def test_a_script_is_told_in_words_before_anything_is_said() -> None:
    told = chat.in_words(spec(channel(url="https://vendor.example/")))
    assert told[1] == 'write "Invoice 4711 lists the same licence two times."'
    assert told[3:6] == (
        "ask for a person",
        "wait until a person is there, 4 min at most (called agent)",
        "if agent is human",
    )
    assert told[-2:] == ("otherwise", '  write "Then I give up."')


def test_names_that_stand_for_nothing_are_refused() -> None:
    of = channel(url="https://vendor.example/", scripts={"ask": [{"say": "I am {persona.shoe_size}"}]})
    with pytest.raises(UserError, match="shoe_size"):
        chat.acts(spec(of))
    with pytest.raises(UserError, match='no script "other"'):
        chat.acts(spec(of, "other"))

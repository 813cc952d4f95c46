"""The telephone's part of a plan: what is read, and every fault with its cure."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from probes.telephony.carrier import Pause, Press, Say
from probes.telephony.channel import Channel
from probes.telephony.script import ready
from tests.telephony.kit import channel

VALUES = {"persona.name": "Ada", "persona.identifiers.pin": "${env:PIN}", "persona.language": "de"}


def test_a_script_is_read_filled_and_revealed() -> None:
    steps = channel(
        [
            {"wait": "5 s"}, {"press": "1w2"}, {"enter": "{persona.identifiers.pin}#"},
            {"say": "Ich heiße {persona.name}."}, {"say": "Hello", "language": "en-GB"},
            {"listen": "20 min"}, "hang_up",
        ]
    ).scripts["main"]  # fmt: skip
    notice = "Dieses Gespräch wird aufgezeichnet."
    script = ready(steps, notice, VALUES, lambda text: text.replace("${env:PIN}", "4711"))
    assert script.lines == (
        Say(notice, "de"), Pause(5.0), Press("1w2"),
        Press("4711#", secret=True, purpose="identification"), Say("Ich heiße Ada.", "de"), Say("Hello", "en-GB"),
    )  # fmt: skip
    assert script.hold_line_s == 1200.0
    assert script.secrets == ("${env:PIN}",)
    assert script.ends_by_listening
    assert "4711" not in repr(script.planned)
    assert [act.key_count for act in script.planned if act.key_count] == [2, 5]


@pytest.mark.parametrize("last", ["hang_up", {"hang_up": None}, {"hang_up": True}])
def test_hanging_up_can_be_written_plainly(last: Any) -> None:
    assert channel([{"listen": "5 s"}, last]).scripts["main"][-1].hang_up is True


@pytest.mark.parametrize(
    ("script", "changes", "word"),
    [
        ([{"wait_for": "quietness"}], {}, "'silence'"),
        ([{"if": "human"}], {}, "should be a valid dictionary"),
        ([{"dance": "1 min"}], {}, "Unexpected keyword argument"),
        ([{}], {}, "a step has one verb; here: none"),
        ([{"press": "1", "wait": "5 s"}], {}, "a step has one verb; here: wait, press"),
        ([{"press": "one"}], {}, '"one" holds a key that a telephone does not have'),
        ([{"press": "${env:PIN}"}], {}, "use enter"),
        ([{"say": "it is ${env:PIN}"}], {}, "use enter"),
        ([{"wait": "5"}], {}, "no length of time"),
        ([{"wait": "0 s"}], {}, "the length is 0"),
        ([{"press": "1", "language": "de"}], {}, "language belongs to say"),
        (["hang_up", {"press": "1"}], {}, "goes on after hang_up"),
        ([], {}, "has no steps"),
        ([{"listen": "40 min"}], {}, "call_at_most is 30 min"),
        ([{"listen": "1 s"}], {"number": "0207 946 0100"}, "no international number"),
        ([{"listen": "1 s"}], {"caller_id": "+0123456789"}, "no international number"),
        ([{"listen": "1 s"}], {"record": "announce"}, "belong together"),
        ([{"listen": "1 s"}], {"record": "never", "announcement": "x"}, "belong together"),
        ([{"listen": "1 s"}], {"record": "perhaps"}, "'always', 'announce' or 'never'"),
        ([{"listen": "1 s"}], {"price_per_minute": -1}, "price_per_minute"),
        ([{"listen": "1 s"}], {"price_per_recorded_minute": -1}, "price_per_recorded_minute"),
        ([{"listen": "1 s"}], {"price_per_joined_minute": float("inf")}, "price_per_joined_minute"),
        ([{"listen": "1 s"}], {"price_per_minute": float("nan")}, "price_per_minute"),
        ([{"listen": "1 s"}], {"currency": "euro"}, "no currency"),
        ([{"listen": "1 s"}], {"ring_at_most": "2 s"}, "ring_at_most"),
        ([{"listen": "1 s"}], {"call_at_most": "5 h"}, "call_at_most"),
        ([{"listen": "1 s"}], {"scripts": {}}, "no script"),
    ],
)
def test_a_fault_is_refused_with_its_cure(script: list[Any], changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError) as caught:
        channel(script, **changes)
    assert word in str(caught.value)


def test_an_editor_is_told_of_both_ways_to_hang_up() -> None:
    schema = str(TypeAdapter(Channel).json_schema())
    assert "{'enum': ['hang_up', 'disclose', 'join']}" in schema
    assert "'wait_for'" in schema

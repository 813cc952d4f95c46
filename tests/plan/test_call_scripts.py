"""Call scripts in plans: whatever is written is read or refused, and what is read is bounded and told whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from audit.plan.check import preview, ready
from audit.plan.faults import PlanFaults
from audit.plan.reader import PlanFile, parse_plan
from probes.errors import UserError
from probes.events import StepOutcome
from probes.telephony.carrier import Capability
from probes.telephony.script import Sound, all_steps, is_live, ready_live
from probes.telephony.script_rules import MOST_DONE, MOST_STEPS
from probes.telephony.script_words import in_words
from tests.telephony.kit import channel

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
NAMES = ("agent", "talk", "queue")
VALUES = {"persona.name": "Ada", "persona.language": "en"}

_waits = st.builds(
    lambda sound, at_most: {"sound": sound, "at_most": f"{at_most} s"},
    st.lists(st.sampled_from([sound.value for sound in Sound]), min_size=0, max_size=3),
    st.integers(0, 90),
)
_plain = st.one_of(
    st.sampled_from(["hang_up", "disclose", "join"]),
    st.builds(lambda keys: {"press": keys}, st.text("0123456789*#wW", min_size=1, max_size=4)),
    st.builds(lambda text: {"say": text}, st.sampled_from(["Hello", "I am {persona.name}"])),
    st.builds(lambda s: {"listen": f"{s} s"}, st.integers(1, 30)),
    st.just({"enter": "${env:PIN}#"}),
    st.builds(lambda wait, name: {"wait_for": wait} | name, _waits, st.sampled_from([{}, *({"as": n} for n in NAMES)])),
    st.builds(lambda sound: {"wait_for": sound}, st.sampled_from([sound.value for sound in Sound])),
)
_asked = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([outcome.value for outcome in StepOutcome]), min_size=1, max_size=2
)


def _nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(steps, max_size=3)
    return st.one_of(
        steps,
        st.builds(lambda asked, then, other: {"if": asked, "then": then, "else": other}, _asked, some, some),
        st.builds(lambda times, inner: {"repeat": {"times": times, "steps": inner}}, st.integers(0, 60), some),
    )


_scripts = st.lists(st.recursive(_plain, _nested, max_leaves=12), max_size=8)
_junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["wait_for", "if", "then", "else", "repeat", "steps", "times", "sound", "as", "say", "x"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=10,
)


@given(_scripts)
def test_what_is_read_is_bounded_and_told_step_by_step(script: list[Any]) -> None:
    try:
        one = channel(script, auditor="+442079460300", disclosure="I am a machine.")
    except ValidationError:
        return
    steps = one.scripts["main"]
    count = sum(1 for _ in all_steps(steps))
    assert 1 <= count <= MOST_STEPS
    told = [line for line in in_words(steps) if line.strip() != "otherwise"]
    assert len(told) == count
    prepared = ready_live(steps, (None, "I am a machine."), VALUES, lambda text: text.replace("${env:PIN}", "4711"))
    assert "4711" not in repr(prepared)
    assert sum(1 for _ in all_steps(prepared.steps)) == count
    assert is_live(steps) == any(step.verb in ("wait_for", "if", "repeat", "join", "disclose") for step in steps)


@given(st.lists(_junk, max_size=4))
def test_whatever_is_written_is_read_or_refused(script: list[Any]) -> None:
    try:
        channel(script)
    except ValidationError as exc:
        assert exc.errors()  # noqa: PT017  (refused, with its places)


def test_a_loop_in_a_loop_counts_as_often_as_it_runs() -> None:
    inner = {"repeat": {"times": 40, "steps": [{"press": "1"}] * 2}}
    channel([{"repeat": {"times": 20, "steps": [inner]}}])
    with pytest.raises(ValidationError, match=f"{MOST_DONE} is the most"):
        channel([{"repeat": {"times": 40, "steps": [inner]}}])


PLAN = (Path(__file__).parent / "bad" / "call_script_ask_nobody.yaml").read_text(encoding="utf-8")
GOOD = PLAN.replace('sound: hold, ask: "Hello?"', 'sound: human, ask: "Hello, {persona.name} here?"')


def plan(text: str = GOOD) -> PlanFile:
    return parse_plan(text)


def test_a_plans_script_is_told_with_its_texts_filled_in() -> None:
    text = preview(plan(), NOW).to_text()
    assert '1. wait until a human is there, 30 min at most; whether it is one is asked with "Hello, Ada here?"' in text
    assert "each at most 30 min and 1.50 GBP" in text


def test_a_carrier_that_cannot_be_heard_is_refused_at_the_scripts_line() -> None:
    ready(plan(), NOW, can=lambda _: frozenset({Capability.LIVE_AUDIO}))
    with pytest.raises(PlanFaults) as caught:
        ready(plan(), NOW, can=lambda _: frozenset({Capability.RECORDED}))
    (fault,) = caught.value.faults
    assert fault.path == "vendors[0].channels.phone.scripts.support"
    assert "gives no audio while a call lasts" in fault.message
    assert "--public-url" in fault.fix


def test_a_carrier_that_is_not_set_up_here_is_named_as_not_known() -> None:
    def can(name: str) -> frozenset[Capability]:
        raise UserError(f"no credentials for {name}")

    told = preview(plan(), NOW, can=can).unknown
    assert "whether the carrier lets us hear a call while it lasts: no credentials for twilio" in told


def test_the_auditors_number_is_judged_as_any_other() -> None:
    text = GOOD.replace("        currency: GBP", '        currency: GBP\n        auditor: "+4915112345678"')
    text = text.replace("personas:", "            - join\n            - listen: 30 min\npersonas:")
    with pytest.raises(PlanFaults) as caught:
        ready(plan(text), NOW)
    (fault,) = caught.value.faults
    assert fault.path == "vendors[0].channels.phone.auditor"
    assert "is a number of DE" in fault.message
    acts = preview(plan(text.replace("time_zone:", "countries: [DE]\n    time_zone:")), NOW).acts
    assert [act.target for act in acts] == ["+442079460101", "+4915112345678"]


@pytest.mark.parametrize("script", [["join"], ["join", "hang_up"], ["join", {"say": "Here is our colleague."}]])
def test_a_script_that_would_cut_the_auditor_off_is_refused(script: list[Any]) -> None:
    with pytest.raises(ValidationError, match="would be ended as soon as the auditor has joined it"):
        channel(script, auditor="+442079460155")


@pytest.mark.parametrize(
    "script",
    [
        ["join", {"listen": "30 min"}, "hang_up"],
        [{"join": None, "as": "us"}, {"if": {"us": "not_answered"}, "then": ["hang_up"]}, {"listen": "30 min"}],
    ],
)
def test_a_script_that_listens_after_the_auditor_has_joined_is_taken(script: list[Any]) -> None:
    assert channel(script, auditor="+442079460155").scripts

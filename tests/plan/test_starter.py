"""The starter plan and the schema, with the probes that the product has."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from audit.plan.check import preview
from audit.plan.faults import PlanFaults
from audit.plan.reader import parse_plan, read_plan
from audit.plan.schema import plan_schema
from audit.plan.starter import Answers, starter_text, write_starter
from probes.errors import UserError
from tests.plan import desk

TODAY = date(2026, 11, 22)
HELPDESK = Path(__file__).parents[1] / "helpdesk" / "plan.yaml"
OPTIONAL = re.compile(
    r"(?m)^( *)# ( *(?:phone:|kind:|number:|caller_id:|record:|announcement:|price_per_minute:|currency:|scripts:|ask:"
    r"|react:|- wait:|- wait_for:|as: agent|- if:|then:|- press:|- say:|- listen:|- hang_up|- call:|when:|money:|- id:"
    r"|what: first|within:|clock:|text:|source:|seen_on:|mail:|to:|addresses:).*)$"
)


def with_options() -> str:
    """Return the starter plan with all that it offers as comments."""
    text = OPTIONAL.sub(r"\1\2", starter_text(Answers(), TODAY))
    return text.replace("calls: 0", "calls: 3").replace("promises: []", "promises:")


def without_types(text: str) -> Any:
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


def validator() -> jsonschema.Draft202012Validator:
    schema = plan_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_starter_plan_is_read_and_contacts_nobody_by_telephone(tmp_path: Path) -> None:
    path = write_starter(tmp_path / "new", today=TODAY)
    plan_file = read_plan(path)
    assert plan_file.plan.authorisation.until == date(2027, 2, 20)
    seen = preview(plan_file, datetime(2026, 11, 22, tzinfo=UTC))
    assert (seen.cases, seen.most.tickets, seen.most.calls) == (1, 1, 0)
    schema = re.search(r"\$schema=(\S+)", plan_file.text)
    assert schema is not None
    assert json.loads((path.parent / schema.group(1)).read_text())["$schema"].endswith("2020-12/schema")


def test_what_the_starter_offers_as_comments_is_right_too() -> None:
    plan_file = parse_plan(with_options())
    acme = plan_file.plan.vendors[0]
    assert set(acme.channels) == {"portal", "phone", "mail"}
    assert len(acme.promises) == 1
    assert preview(plan_file, datetime(2026, 11, 23, 12, tzinfo=UTC)).most.calls == 1


def test_answers_are_put_in_safely(tmp_path: Path) -> None:
    answers = Answers(vendor='Möller & "Söhne": #1', place="DE-BY", time_zone="Europe/Berlin", by="{x} $y - *z")
    plan = read_plan(write_starter(tmp_path, answers, TODAY)).plan
    assert (plan.vendors[0].id, plan.vendors[0].name) == ("moller-sohne-1", 'Möller & "Söhne": #1')


def test_a_wrong_answer_is_a_fault_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(PlanFaults, match="no time zone"):
        write_starter(tmp_path / "new", Answers(time_zone="Berlin"), TODAY)
    assert not (tmp_path / "new").exists()


def test_a_plan_is_never_overwritten(tmp_path: Path) -> None:
    path = write_starter(tmp_path, today=TODAY)
    path.write_text("mine")
    with pytest.raises(UserError, match="there is a plan already"):
        write_starter(tmp_path, today=TODAY)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("text", [starter_text(Answers(), TODAY), with_options(), HELPDESK.read_text(encoding="utf-8")])
def test_the_schema_takes_plans_that_are_read(text: str) -> None:
    assert [error.message for error in validator().iter_errors(without_types(text))] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("holdproof: 1", "holdproof: 2"),
        ("limits:", "limit:"),
        ("kind: web_ticket", "kind: web_tickets"),
        ("- click: Send", "- clik: Send"),
        ("basis: prospective_customer", "basis: curiosity"),
        ("id: us", "id: Us & Them"),
        ("at_most: 5 days", "at_most: 5"),
        ("tickets: 5", "tickets: -1"),
        ("n: 1", "n: 0"),
    ],
)
def test_the_schema_refuses_what_is_refused(old: str, new: str) -> None:
    text = starter_text(Answers(), TODAY)
    assert old in text
    changed = text.replace(old, new)
    assert list(validator().iter_errors(without_types(changed)))
    with pytest.raises(PlanFaults):
        parse_plan(changed)


def test_channels_are_told_apart_by_their_kind() -> None:
    schema = plan_schema(("desk", "line"), desk.load)
    channels = schema["$defs"]["Vendor"]["properties"]["channels"]["additionalProperties"]["oneOf"]
    kinds = [schema["$defs"][each["$ref"].rpartition("/")[2]]["properties"]["kind"]["const"] for each in channels]
    assert kinds == ["desk", "line"]


REAL_FAULTS = [
    ("- click: Send", "- clik: Send", 'unknown key "clik"', "vendors[0].channels.portal.open[2].clik"),
    (
        "author: .author",
        "author: {cs: .author}",
        'unknown key "cs"',
        "vendors[0].channels.portal.look.messages.author.cs",
    ),
    (
        "author: .author",
        "author: {css: .author, regex: '('}",
        '"(" is no regular expression: missing ), unterminated subpattern at position 0',
        "vendors[0].channels.portal.look.messages.author.regex",
    ),
    ("author: .author", "author: [a]", "author is a list", "vendors[0].channels.portal.look.messages.author"),
    (
        "{persona.email}",
        "{email}",
        '"{email}" stands for nothing here',
        "vendors[0].channels.portal.open[1].fill.Your email",
    ),
    ("/tickets/{ticket}", "/x/{tickt}", '"{tickt}" stands for nothing here', "vendors[0].channels.portal.look.url"),
    (
        'number: "+442079460123"',
        "number: 0207",
        'number "0207" is no international number',
        "vendors[0].channels.phone.number",
    ),
    ("- listen: 20 min", "- lisen: 20 min", 'unknown key "lisen"', "vendors[0].channels.phone.scripts.ask[3].lisen"),
    (
        'press: "2"',
        'press: "{pin}"',
        '"{pin}" stands for nothing here',
        "vendors[0].channels.phone.scripts.ask[1].press",
    ),
    (
        "script: ask}",
        "script: aks}",
        '"phone" of example-vendor has no script "aks"',
        "scenarios[0].steps[2].call.script",
    ),
    (
        "- open: portal",
        "- open: portal\n      - reply: {channel: portal, text: Hello?}",
        "the channel does not say how to reply",
        "scenarios[0].steps[1].reply",
    ),
]


@pytest.mark.parametrize(("old", "new", "message", "place"), REAL_FAULTS, ids=[fault[1] for fault in REAL_FAULTS])
def test_faults_of_real_channels_are_found_where_they_stand(old: str, new: str, message: str, place: str) -> None:
    text = with_options()
    assert old in text
    with pytest.raises(PlanFaults) as caught:
        parse_plan(text.replace(old, new))
    assert [(fault.message, fault.path) for fault in caught.value.faults] == [(message, place)]

"""`check --try`: as far as the click that sends and no further, with a word for every step."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.cli import app
from tests.web.kit import Answer, Asked, Site, site

pytestmark = pytest.mark.slow

PLAN = """holdproof: 1
name: A walk
authorisation: {{ basis: own_system, by: "The owner", until: 2030-12-31 }}
vendors:
  - id: desk
    name: Desk
    place: GB
    time_zone: Europe/London
    channels:
      portal:
        kind: web_ticket
        url: {url}
        timeout: 15 s
        login:
          - goto: login
          - fill: {{ Password: "${{env:DESK_PASSWORD}}" }}
          - click: Sign in
          - expect: {{ text: Welcome }}
        open:
          - goto: {start}
          - fill: {{ {label}: "{{problem.subject}} [{{reference}}]" }}
          - click: Send
          - read: {{ name: ticket, regex: "T-[0-9]+" }}
personas:
  - {{ id: jo, name: Jo, email: jo@customer.example }}
scenarios:
  - id: invoice
    problem: {{ subject: Invoice 4711, body: "It is wrong." }}
    steps: [{{ open: portal }}]
samples: [{{ scenario: invoice }}]
"""
LOGIN = "<form method=post><label>Password <input type=password name=p></label><button>Sign in</button></form>"
FORM = "<title>New</title><form method=post action=/new><label>Subject <input name=s required></label>{}"
FORM += "<button>Send</button>"


def desk(asked: Asked) -> Answer | str:
    if asked.path == "/login":
        return "<p>Welcome" if asked.method == "POST" else LOGIN
    if asked.path == "/strict":
        return FORM.format("<label>Account <input name=a required></label>")
    if asked.path == "/wizard":
        return "<form method=post action=/step2><button>Next</button></form>"
    if asked.path == "/spa":
        return FORM.format("") + "<script>fetch('/count',{method:'POST'});navigator.sendBeacon('/b','x')</script>"
    return FORM.format("")


def tried(
    here: Site, tmp_path: Path, *, start: str = "new", label: str = "Subject", extra: str = ""
) -> tuple[int, str]:
    plan = tmp_path / "plan.yaml"
    text = PLAN.format(url=here.url, start=start, label=label)
    plan.write_text(text.replace("          - fill: { " + label, extra + "          - fill: { " + label))
    result = CliRunner().invoke(
        app, ["check", "--try", str(plan), "--home", str(tmp_path / "home")], env={"DESK_PASSWORD": "secret-horse"}
    )
    return result.exit_code, result.output


def test_a_sound_plan_is_walked_to_the_button_and_nothing_is_sent(tmp_path: Path) -> None:
    with site(desk) as here:
        code, text = tried(here, tmp_path)
        assert here.paths("POST") == ["/login"]
    assert code == 0, text
    assert "ok        open[1] fill      Subject\n" in text
    assert '<input name="s">' in text
    assert "ready     open[2] click     Send" in text
    assert "not tried open[3] read" in text
    assert "secret-horse" not in text
    pictures = list((tmp_path / "home" / "trials" / "desk-portal").glob("*not-made.png"))
    assert len(pictures) == 1


def test_a_step_that_would_fail_says_what_there_is_instead(tmp_path: Path) -> None:
    with site(desk) as here:
        code, text = tried(here, tmp_path, label="Betreff")
        assert here.paths("POST") == ["/login"]
    assert code == 1
    assert "failed    open[1] fill" in text
    assert 'there is: "Subject"' in text


def test_what_the_browser_would_hold_back_is_said(tmp_path: Path) -> None:
    with site(desk) as here:
        code, text = tried(here, tmp_path, start="strict")
        assert here.paths("POST") == ["/login"]
    assert code == 1
    assert 'it would send nothing: the page wants "Account" (Please fill out this field.)' in text


def test_a_form_that_is_sent_on_the_way_is_held_back_and_told(tmp_path: Path) -> None:
    with site(desk) as here:
        code, text = tried(here, tmp_path, start="wizard", extra="          - click: Next\n")
        assert here.paths("POST") == ["/login"]
    assert code == 0, text
    assert "held back" in text
    assert f"POST {here.url}step2" in text


def test_a_page_that_sends_by_itself_does_not_while_it_is_tried(tmp_path: Path) -> None:
    with site(desk) as here:
        code, text = tried(here, tmp_path, start="spa")
        assert here.paths("POST") == ["/login"]
    assert code == 0
    assert "ready" in text
    assert f"POST {here.url}count" in text


def test_what_the_gate_forbids_is_not_tried(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    text = PLAN.format(url="http://127.0.0.1:1/", start="new", label="Subject").replace("2030-12-31", "2020-12-31")
    plan.write_text(text)
    result = CliRunner().invoke(
        app, ["check", "--try", str(plan), "--home", str(tmp_path / "home"), "--json"], env={"DESK_PASSWORD": "x"}
    )
    document = json.loads(result.output)
    assert (result.exit_code, document["sound"]) == (1, False)
    assert "authorisation ended" in document["channels"][0]["failure"]["text"]

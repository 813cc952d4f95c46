"""What a check says: whom a plan contacts, how often at most, when, and what it can cost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.plan.check import PlannedAct, Preview, preview, ready
from audit.plan.faults import PlanFaults
from audit.plan.looks import look_interval_s, looks_at_most
from audit.plan.model import Wait
from audit.plan.reader import PlanFile, parse_plan, read_plan
from probes.duration import Duration
from probes.events import Action
from tests.plan.desk import load

GOOD = Path(__file__).parent / "good.yaml"
SUNDAY = datetime(2026, 11, 22, 3, tzinfo=UTC)


def changed(*pairs: tuple[str, str]) -> PlanFile:
    text = GOOD.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return parse_plan(text, "plan.yaml", load)


@pytest.fixture(scope="module")
def seen() -> Preview:
    return preview(read_plan(GOOD, load), SUNDAY, load)


def act(seen: Preview, vendor: str, action: Action) -> PlannedAct:
    (found,) = (each for each in seen.acts if (each.vendor, each.action) == (vendor, action))
    return found


def test_every_contact_is_counted(seen: Preview) -> None:
    assert seen.cases == 8
    assert [(group.vendor, group.persona, group.cases) for group in seen.groups] == [
        ("acme", "small", 2),
        ("acme", "large", 2),
        ("bolt", "small", 2),
        ("bolt", "large", 2),
    ]
    assert act(seen, "acme", Action.OPEN).at_most == 4
    assert act(seen, "acme", Action.LOOK).at_most == 4 * 144
    call = act(seen, "bolt", Action.CALL)
    assert (call.target, call.at_most, call.longest_s, call.dearest_minor) == ("+498932168000", 4, 1800.0, 300.0)
    assert call.when == (
        "Mon-Fri 08:00-18:00, Sat 09:00-12:00 (Europe/Berlin; next Mon 2026-11-23 08:00), "
        "not on public holidays of DE-BY"
    )


def test_the_most_it_can_cost_keeps_to_the_limits(seen: Preview) -> None:
    most = seen.most
    assert (most.calls, most.call_minutes, most.tickets, most.messages) == (8, 60.0, 8, 8)
    assert (most.money_minor, most.currency) == (2000.0, "EUR")
    unlimited = preview(changed(("  money: {amount: 20, currency: EUR}\n", "  call_minutes: 500\n")), SUNDAY, load)
    assert (unlimited.most.call_minutes, unlimited.most.money_minor) == (200.0, 4 * 200.0 + 4 * 300.0)


@pytest.mark.parametrize(
    ("pairs", "warning"),
    [
        ([], "limits.call_minutes is 60 and the plan could want 200: what goes beyond is refused"),
        ([], "fewer than 6 cases allow no interval and no rank: acme (4), bolt (4)"),
        ([("calls: 8", "calls: 3")], "limits.calls is 3 and the plan could want 8: what goes beyond is refused"),
        ([("amount: 20", "amount: 5")], "limits.money is 5 and the plan could want 20.00: what goes beyond is refused"),
        (
            [("currency: EUR", "currency: USD")],
            "calls are paid in EUR and limits.money is in USD: calls in another currency are refused",
        ),
        (
            [("  money: {amount: 20, currency: EUR}\n", "")],
            "limits.money is not set: only the number and length of the calls limit what they cost",
        ),
        (
            [("until: 2026-12-31", "until: 2026-11-30")],
            "the authorisation ends on 2026-11-30, before the audit may: later acts are refused",
        ),
        (
            [("  calls: 8", "  calls: 8\n  audit_at_most: 1 day")],
            'the waits of "wrong-invoice" take longer than limits.audit_at_most: its last steps may not come',
        ),
        (
            [("look_every: 30 min", "look_every: 5 s")],
            'step 2 of "wrong-invoice" looks more than once a minute, which a vendor may take amiss',
        ),
        ([("n: 2}", "n: 2, vendors: [acme]}")], 'vendor "bolt" is in no sample: nothing is done with it'),
        (
            [("${env:ANNA_PIN}", "4711")],
            '"pin" of persona "small" stands in the plan in clear; use ${env:NAME} if it is a secret',
        ),
        ([("label: Name, text", "label: password, text")], ""),
    ],
)
def test_warnings(pairs: list[tuple[str, str]], warning: str) -> None:
    warnings = preview(changed(*pairs), SUNDAY, load).warnings
    assert warning in warnings if warning else not any("password" in text for text in warnings)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            [("until: 2026-12-31", "until: 2026-11-21")],
            "the authorisation ended on 2026-11-21 (it is 2026-11-22 in Europe/London)\n"
            "  at  plan.yaml:6: authorisation.until\n  fix have it renewed, then change authorisation.until",
        ),
        (
            [("+442079460123", "+449061234567")],
            "+449061234567 is a premium-rate number\n  at  plan.yaml:23: vendors[0].channels.phone.number\n"
            "  fix use an ordinary or toll-free number of the vendor",
        ),
        (
            [("+498932168000", "+442079460124")],
            "+442079460124 is a number of GB, and bolt is called in DE only\n"
            "  at  plan.yaml:47: vendors[1].channels.phone.number\n"
            "  fix add GB to countries of bolt, if the number is right",
        ),
    ],
)
def test_a_plan_that_may_not_begin_is_refused_at_its_line(pairs: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(PlanFaults) as caught:
        preview(changed(*pairs), SUNDAY, load)
    assert str(caught.value) == message


def test_the_day_of_a_practice_plan_is_that_of_its_clock() -> None:
    practice = changed(
        ("basis: own_account", "basis: practice"),
        ("until: 2026-12-31", "until: 2026-11-23"),
        ("vendors:\n  - id", "clock: {factor: 3600, origin_utc: 2026-11-22T00:00:00Z}\nvendors:\n  - id"),
    )
    ready(practice, datetime(2026, 11, 22, 0, 0, 30, tzinfo=UTC), load)
    with pytest.raises(PlanFaults, match="ended on 2026-11-23"):
        ready(practice, datetime(2026, 11, 22, 0, 1, tzinfo=UTC), load)


def test_the_preview_as_document_and_as_text(seen: Preview) -> None:
    document = json.loads(json.dumps(seen.to_json()))
    assert (document["format"], document["version"]) == ("holdproof.preview", 1)
    assert document["acts"][0]["target"] == "support.acme.example"
    assert document["most"]["calls"] == 8
    text = seen.to_text()
    for words in (
        "Two desks: 8 cases",
        "4 × open a ticket: acme, support.acme.example (portal)",
        'call with script "billing": acme, +442079460123 (phone)',
        "each at most 20 min and 2.00 EUR",
        "money         20.00 EUR",
        "whether recording a call is allowed to you in DE-BY",
    ):
        assert words in text


@given(
    st.integers(1, 30 * 86400),
    st.one_of(st.none(), st.integers(60, 86400)),
    st.lists(st.integers(0, 40 * 86400), max_size=20),
)
def test_there_are_never_more_looks_than_were_said(at_most_s: int, every_s: int | None, dues: list[int]) -> None:
    wait = Wait(at_most=Duration(at_most_s), look_every=None if every_s is None else Duration(every_s))
    looks, elapsed_s = 0, 0.0
    while elapsed_s < at_most_s:
        elapsed_s += look_interval_s(wait, elapsed_s, looks=looks, dues_s=[due - elapsed_s for due in dues])
        looks += 1
    assert looks <= looks_at_most(wait)
    if every_s is not None:
        assert looks == looks_at_most(wait)


def test_a_promise_is_looked_at_when_it_falls_due_and_soon_after() -> None:
    wait = Wait(at_most=Duration(10 * 86400))
    usual = look_interval_s(wait, 5 * 86400)
    assert look_interval_s(wait, 5 * 86400, looks=100, dues_s=[1800]) == pytest.approx(1800, abs=2)
    assert look_interval_s(wait, 5 * 86400, looks=100, dues_s=[-60]) < usual / 4
    assert look_interval_s(wait, 5 * 86400, looks=100, dues_s=[-3 * 86400]) == usual


def test_the_plans_own_interval_stands_above_promises() -> None:
    wait = Wait(at_most=Duration(86400), look_every=Duration(7200))
    assert look_interval_s(wait, 3600, dues_s=[60]) == 7200


def test_mail_is_shown_before_it_is_sent() -> None:
    plan_file = read_plan(Path(__file__).parents[1] / "mail" / "plan.yaml")
    seen = preview(plan_file, datetime(2026, 11, 26, 12, tzinfo=UTC))
    opening, reply = seen.acts
    assert (opening.target, opening.at_most, reply.at_most) == ("support@desk.example", 1, 1)
    assert (seen.most.tickets, seen.most.messages) == (1, 1)
    text = seen.to_text()
    assert "          From: Robin Lindgren <robin@customer.example>\n          To: support@desk.example\n" in text
    assert "          Subject: Invoice 4711 charges us twice\n\n          Invoice 4711 of 3 November" in text
    assert "It is the licence of October." in text
    assert seen.to_json()["acts"][0]["shows"] == opening.shows
    assert not [each for each in seen.warnings if "amiss" in each]

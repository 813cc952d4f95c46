"""The one gate: what it lets through, and that each refusal names its rule and a way out."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.model import Usage
from audit.plan.model import Money, Plan, Vendor
from audit.plan.reader import read_plan
from audit.safety import ContactGate, Rule, first_refused, judge, judge_number, vendor_day
from probes import email_ticket
from probes.clock import Clock
from probes.duration import Duration
from probes.errors import BudgetReached, Refused
from probes.events import Action
from probes.model import Act, ActKind
from tests.plan.desk import Line, load

PLAN = read_plan(Path(__file__).parent / "plan" / "good.yaml", load).plan
ACME, BOLT = PLAN.vendor("acme"), PLAN.vendor("bolt")
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CALL = Act(
    kind=ActKind.CALL,
    target="+442079460123",
    writes=True,
    longest=Duration(600.0),
    dearest_minor=100.0,
    currency="EUR",
)
TICKET = Act(kind=ActKind.BROWSE, target="support.acme.example", writes=True)
LOOK = dataclasses.replace(TICKET, writes=False)


def limited(**limits: object) -> Plan:
    return dataclasses.replace(PLAN, limits=dataclasses.replace(PLAN.limits, **limits))  # type: ignore[arg-type]


def refused(
    act: Act, *, plan: Plan = PLAN, vendor: Vendor = ACME, at: datetime = MONDAY_NOON, usage: Usage | None = None
) -> tuple[Rule | None, str, str]:
    verdict = judge(act, plan, vendor, at, usage or Usage())
    assert not verdict.allowed
    assert verdict.reason
    assert verdict.fix
    return verdict.rule, verdict.reason, verdict.fix


@pytest.mark.parametrize("act", [CALL, TICKET, LOOK])
def test_ordinary_acts_pass(act: Act) -> None:
    assert judge(act, PLAN, ACME, MONDAY_NOON, Usage()).allowed


def test_the_calls_of_one_contact_must_fit_the_limits_together() -> None:
    leg = dataclasses.replace(CALL, target=CALL.target, dearest_minor=80.0)

    def verdict(**limits: object) -> Rule | None:
        found = first_refused((CALL, leg), limited(**limits), ACME, MONDAY_NOON, Usage(), action=Action.CALL)
        assert found is None or found[0] is leg
        return None if found is None else found[1].rule

    assert verdict(money=Money(amount=1.80, currency="EUR"), call_minutes=20.0) is None
    assert verdict(money=Money(amount=1.79, currency="EUR"), call_minutes=20.0) is Rule.MONEY
    assert verdict(money=Money(amount=1.80, currency="EUR"), call_minutes=19.0) is Rule.CALL_MINUTES


@pytest.mark.parametrize("act", [CALL, TICKET, LOOK])
def test_nothing_passes_while_stopped(act: Act) -> None:
    assert refused(act, usage=Usage(stopped="by hand")) == (
        Rule.STOPPED,
        "everything is stopped (by hand)",
        "run: holdproof resume",
    )


def test_a_channel_that_machines_must_not_use_is_refused_and_no_other() -> None:
    vendor = dataclasses.replace(ACME, off_limits={"portal": "its terms forbid automated tickets"})
    for act in (TICKET, LOOK):
        rule, reason, fix = refused(act, vendor=vendor)
        assert (rule, reason) == (
            Rule.OFF_LIMITS,
            "portal of acme must not be used by a machine: its terms forbid automated tickets",
        )
        assert "off_limits" in fix
    assert judge(CALL, PLAN, vendor, MONDAY_NOON, Usage()).allowed


def test_the_authorisation_holds_to_the_end_of_its_day_where_the_vendor_is() -> None:
    plan = dataclasses.replace(PLAN, authorisation=dataclasses.replace(PLAN.authorisation, until=date(2026, 11, 22)))
    in_bavaria = dataclasses.replace(LOOK, target="hilfe.bolt.example")
    late_there = datetime(2026, 11, 22, 22, 59, 59, tzinfo=UTC)
    assert judge(in_bavaria, plan, BOLT, late_there, Usage()).allowed
    rule, reason, fix = refused(in_bavaria, plan=plan, vendor=BOLT, at=datetime(2026, 11, 22, 23, tzinfo=UTC))
    assert rule is Rule.AUTHORISATION
    assert reason == "the authorisation ended on 2026-11-22 (it is 2026-11-23 in Europe/Berlin)"
    assert fix == "have it renewed, then change authorisation.until"


@pytest.mark.parametrize(
    "target",
    [
        "evil.example",
        "support.acme.example.evil.example",
        "acme.example",
        "hilfe.bolt.example",
        "",
        "anna@acme.example",
    ],
)
def test_only_hosts_named_for_this_vendor_are_contacted(target: str) -> None:
    assert refused(dataclasses.replace(LOOK, target=target))[0] is Rule.TARGET


@pytest.mark.parametrize("target", ["support.acme.example", "SUPPORT.acme.example", "support.acme.example:443"])
def test_a_named_host_is_found_with_or_without_port(target: str) -> None:
    assert judge(dataclasses.replace(LOOK, target=target), PLAN, ACME, MONDAY_NOON, Usage()).allowed


@given(st.text(max_size=30) | st.sampled_from(["[", "//[", "[::1", "@", "support.acme.example@evil.example", ":80"]))
def test_no_text_is_a_named_host_by_accident(target: str) -> None:
    verdict = judge(dataclasses.replace(LOOK, target=target), PLAN, ACME, MONDAY_NOON, Usage())
    assert not verdict.allowed


def test_a_plans_address_that_is_none_names_nothing() -> None:
    portal = dataclasses.replace(ACME.channels["portal"], url="http://[", hosts=())
    vendor = dataclasses.replace(ACME, channels={"portal": portal})
    assert refused(LOOK, vendor=vendor)[0] is Rule.TARGET


def test_another_vendors_number_is_not_called() -> None:
    assert refused(dataclasses.replace(CALL, target="+498932168000"))[0] is Rule.TARGET


def calling(number: str, place: str = "GB", countries: tuple[str, ...] = ()) -> Vendor:
    phone = Line(kind="line", number=number)
    return dataclasses.replace(ACME, channels={"phone": phone}, place=place, countries=countries)


@pytest.mark.parametrize(
    ("number", "place", "rule"),
    [
        ("+442079460123", "GB-ENG", None),
        ("+18005550123", "US", None),
        ("+18005550123", "CA", None),
        ("+80012345678", "GB", None),
        ("+443069990123", "GB", None),
        ("112", "DE", Rule.NUMBER_EMERGENCY),
        ("999", "GB", Rule.NUMBER_EMERGENCY),
        ("+44999", "GB", Rule.NUMBER_EMERGENCY),
        ("+1911", "GB", Rule.NUMBER_EMERGENCY),
        ("+49112", "GB", Rule.NUMBER_EMERGENCY),
        ("020 7946 0123", "GB", Rule.NUMBER_FORM),
        ("+44 20 7946 0123", "GB", Rule.NUMBER_FORM),
        ("+442079460123;ext=9", "GB", Rule.NUMBER_FORM),
        ("+", "GB", Rule.NUMBER_FORM),
        ("sip:desk@acme.example", "GB", Rule.NUMBER_FORM),
        ("+44207946", "GB", Rule.NUMBER_INVALID),
        ("+999123456789", "GB", Rule.NUMBER_FORM),
        ("+449061234567", "GB", Rule.NUMBER_PREMIUM),
        ("+49900123456", "DE", Rule.NUMBER_INVALID),
        ("+498432123456", "DE", None),
        ("+34806123456", "ES", Rule.NUMBER_PREMIUM),
        ("+448450000000", "GB", Rule.NUMBER_PREMIUM),
        ("+34901123456", "ES", Rule.NUMBER_SHARED_COST),
        ("+447012345678", "GB", Rule.NUMBER_SPECIAL),
        ("+8821612345678", "GB", Rule.NUMBER_SPECIAL),
        ("+498932168000", "GB", Rule.NUMBER_COUNTRY),
        ("+2521234567", "GB", Rule.NUMBER_COUNTRY),
    ],
)
def test_the_number_guard(number: str, place: str, rule: Rule | None) -> None:
    verdict = judge_number(number, calling(number, place))
    assert verdict.rule is rule
    assert verdict.allowed == (rule is None)


def test_a_listed_country_is_called() -> None:
    assert judge_number("+498932168000", calling("+498932168000", "GB", ("DE",))).allowed
    refusal = judge_number("+498932168000", calling("+498932168000"))
    assert refusal.fix == "add DE to countries of acme, if the number is right"


@given(st.text(max_size=20))
def test_no_text_gets_past_the_number_guard_by_accident(text: str) -> None:
    verdict = judge_number(text, calling(text))
    assert not verdict.allowed or (text.startswith("+") and text[1:].isdigit())


def test_calls_are_placed_in_the_vendors_hours_only() -> None:
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)
    verdict = judge(CALL, PLAN, ACME, sunday, Usage())
    assert verdict.rule is Rule.HOURS
    assert verdict.again_at_utc == datetime(2026, 11, 23, 9, tzinfo=UTC)
    assert "Sun 2026-11-22 12:00 Europe/London" in verdict.reason
    assert judge(TICKET, PLAN, ACME, sunday, Usage()).allowed
    assert judge(CALL, PLAN, dataclasses.replace(ACME, call_hours="always"), sunday, Usage()).allowed


@pytest.mark.parametrize(
    ("plan", "usage", "act", "rule"),
    [
        (PLAN, Usage(calls_live_for_vendor=1), CALL, Rule.ONE_CALL_AT_A_TIME),
        (limited(calls=0), Usage(), CALL, Rule.CALLS),
        (PLAN, Usage(calls=8), CALL, Rule.CALLS),
        (PLAN, Usage(calls_today=3), CALL, Rule.CALLS_PER_DAY),
        (PLAN, Usage(call_minutes=50.5), CALL, Rule.CALL_MINUTES),
        (PLAN, Usage(spent_minor=1900.01), CALL, Rule.MONEY),
        (limited(money=Money(amount=20, currency="USD")), Usage(), CALL, Rule.MONEY),
        (PLAN, Usage(tickets=100), TICKET, Rule.TICKETS),
    ],
)
def test_limits_are_checked_before_the_act(plan: Plan, usage: Usage, act: Act, rule: Rule) -> None:
    assert refused(act, plan=plan, usage=usage)[0] is rule


@pytest.mark.parametrize(
    ("usage", "act"),
    [
        (Usage(calls=7, calls_today=2, call_minutes=50.0, spent_minor=1900.0, tickets=100), CALL),
        (Usage(calls=8, calls_today=3, calls_live_for_vendor=1, call_minutes=60.0, tickets=99), TICKET),
        (Usage(tickets=100, calls=8), LOOK),
    ],
)
def test_what_just_fits_passes(usage: Usage, act: Act) -> None:
    assert judge(act, PLAN, ACME, MONDAY_NOON, usage).allowed


@given(st.integers(0, 12), st.integers(0, 12), st.floats(0, 100), st.floats(0, 3000))
def test_limits_hold_whatever_was_used(calls: int, today: int, minutes: float, spent: float) -> None:
    usage = Usage(calls=calls, calls_today=today, call_minutes=minutes, spent_minor=spent)
    if judge(CALL, PLAN, ACME, MONDAY_NOON, usage).allowed:
        assert calls < PLAN.limits.calls
        assert today < PLAN.limits.calls_per_day
        assert minutes + 10 <= PLAN.limits.call_minutes
        assert spent + 100 <= 2000


def test_many_small_calls_fill_a_limit_exactly() -> None:
    usage = Usage(calls=7, call_minutes=sum([0.1] * 500), spent_minor=sum([0.7] * 2714))
    fits = dataclasses.replace(CALL, dearest_minor=2000 - 1899.8)
    assert judge(fits, PLAN, ACME, MONDAY_NOON, usage).allowed


def test_replies_are_no_tickets() -> None:
    assert judge(TICKET, PLAN, ACME, MONDAY_NOON, Usage(tickets=100), action=Action.REPLY).allowed


def test_a_used_up_limit_and_a_forbidden_act_are_different_errors() -> None:
    usages = Usage(calls=8), Usage(stopped="by hand")
    budget, forbidden = (judge(CALL, PLAN, ACME, MONDAY_NOON, usage) for usage in usages)
    assert isinstance(budget.error(), BudgetReached)
    assert isinstance(forbidden.error(), Refused)
    assert str(budget.error()) == (
        "refused: 8 calls are placed, and limits.calls is 8\n  at  rule calls\n  fix raise limits.calls"
    )


def test_the_day_of_calls_is_the_vendors() -> None:
    start, end = vendor_day(BOLT, datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert (start, end) == (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))


class NoonClock(Clock):
    def now_utc(self) -> datetime:
        return MONDAY_NOON


def gate(usage: Usage, *reserved: Act) -> ContactGate:
    return ContactGate(PLAN, ACME, NoonClock(), lambda: usage, reserved)


def test_a_reserved_call_passes_once_and_a_second_one_is_refused() -> None:
    contact = gate(Usage(calls=1, calls_live_for_vendor=1, call_minutes=10), CALL)
    contact.check(dataclasses.replace(CALL, dearest_minor=0.0, currency=""))
    with pytest.raises(Refused, match="under way"):
        contact.check(CALL)


def test_a_reservation_covers_neither_a_longer_call_nor_another_target() -> None:
    with pytest.raises(Refused, match="under way"):
        gate(Usage(calls_live_for_vendor=1), CALL).check(dataclasses.replace(CALL, longest=Duration(601.0)))
    with pytest.raises(Refused, match="not named"):
        gate(Usage(), TICKET).check(dataclasses.replace(TICKET, target="evil.example"))


def test_a_reserved_ticket_passes_although_the_last_one_is_counted() -> None:
    contact = gate(Usage(tickets=100), TICKET)
    contact.check(TICKET)
    contact.check(TICKET)
    with pytest.raises(Refused, match=r"limits\.tickets"):
        gate(Usage(tickets=100)).check(TICKET)


def test_a_stop_reaches_a_reserved_act() -> None:
    with pytest.raises(Refused, match="stopped"):
        gate(Usage(stopped="by hand"), CALL).check(CALL)


def with_mail(**parts: object) -> Vendor:
    channel = email_ticket.Channel(kind="email_ticket", to="support@acme.example", **parts)  # type: ignore[arg-type]
    return dataclasses.replace(ACME, channels={"mail": channel})


def mailed(to: str) -> Act:
    return Act(kind=ActKind.MAIL, target=to, writes=True)


def test_mail_goes_only_where_the_plan_says() -> None:
    vendor = with_mail(addresses=("@desk.acme.example", "Billing@acme.example"))
    for to in ("support@acme.example", "Ticket+5@desk.acme.example", "billing@acme.example"):
        assert judge(mailed(to), PLAN, vendor, MONDAY_NOON, Usage()).allowed
    for to in ("sales@acme.example", "a@x.desk.acme.example", "a@acme.example", "@desk.acme.example.evil.example"):
        assert refused(mailed(to), vendor=vendor)[0] is Rule.TARGET
    for to in ("a@desk.acme.example", "desk.acme.example"):
        assert refused(mailed(to), vendor=with_mail())[0] is Rule.TARGET
    closed = dataclasses.replace(vendor, off_limits={"mail": "its terms of use"})
    assert refused(mailed("a@desk.acme.example"), vendor=closed)[0] is Rule.OFF_LIMITS
    assert refused(mailed("support@acme.example"), vendor=vendor, usage=Usage(stopped="by hand"))[0] is Rule.STOPPED


def test_tickets_by_mail_count_like_others_and_replies_do_not() -> None:
    vendor, usage = with_mail(), Usage(tickets=3)
    plan = limited(tickets=3)
    assert refused(mailed("support@acme.example"), plan=plan, vendor=vendor, usage=usage)[0] is Rule.TICKETS
    reply = judge(mailed("support@acme.example"), plan, vendor, MONDAY_NOON, usage, action=Action.REPLY)
    assert reply.allowed

"""What a ticket's page says: times, sides, keys, status words, values; each for all inputs of its kind."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from probes.errors import FailureKind, Side
from probes.events import TicketState
from probes.status_words import state_of
from probes.web.channel import Messages
from probes.web.failures import classify
from probes.web.moments import claimed_moment, told_from_now, without_relative
from probes.web.reading import (
    Claim,
    Mine,
    RawMessage,
    bounded,
    claimed_time,
    cut,
    keys_of,
    newest_first,
    side_of,
)

LONDON, BERLIN = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin")
EARLIEST, LATEST = datetime(1990, 1, 1), datetime(2089, 12, 31)  # noqa: DTZ001
minutes = st.datetimes(EARLIEST, LATEST).map(lambda at: at.replace(second=0, microsecond=0))
offsets = st.integers(-12 * 60, 14 * 60).map(lambda shift: timezone(timedelta(minutes=shift)))

GERMAN = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
FRENCH = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
SPANISH = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]


def written(at: datetime) -> dict[str, str]:
    """One moment as desks write it, where the words leave no doubt."""
    hour12 = f"{at.hour % 12 or 12}:{at.minute:02d} {'p.m.' if at.hour >= 12 else 'a.m.'}"
    return {
        "iso": f"{at:%Y-%m-%dT%H:%M}",
        "english": f"{at.day} {at:%b} {at.year:04d}, {at:%H:%M}",
        "american": f"{at:%b}. {at.day}, {at.year:04d}, {hour12}".replace("May.", "May"),
        "long": f"{at:%A}, {at:%B} {at.day}, {at.year:04d} {at:%H:%M}",
        "german": f"{at.day}. {GERMAN[at.month - 1]} {at.year:04d} um {at:%H:%M} Uhr",
        "dots": f"{at:%d.%m.%Y %H:%M}",
        "french": f"{at.day} {FRENCH[at.month - 1]} {at.year:04d} à {at:%H:%M}",
        "spanish": f"{at.day} de {SPANISH[at.month - 1]} de {at.year:04d} a las {at:%H:%M}",
    }


@given(minutes, st.sampled_from(list(written(EARLIEST))))
def test_a_moment_without_a_zone_is_read_in_the_plans_zone_or_not_at_all(at: datetime, style: str) -> None:
    text = written(at)[style]
    assert claimed_moment(text, zone=None) is None
    first, second = (at.replace(tzinfo=BERLIN, fold=fold).astimezone(UTC) for fold in (0, 1))
    assert claimed_moment(text, zone=BERLIN) == (first if first == second else None)


@given(minutes, offsets)
def test_a_moment_with_an_offset_needs_no_zone(at: datetime, zone: timezone) -> None:
    moment = at.replace(tzinfo=zone)
    offset = moment.strftime("%z")
    for text in (moment.isoformat(), f"{at:%Y-%m-%d %H:%M} {offset}", f"{at:%d %b %Y %H:%M} UTC{offset}"):
        assert claimed_moment(text, zone=LONDON) == moment, text


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_times(text: str) -> None:
    found = claimed_moment(text, zone=LONDON)
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2 hours ago",
        "yesterday at 10:00",
        "14:05",
        "3 March",
        "3 March 14:05",
        "22 November 2026",
        "Nov 2026 14:05",
        "03/04/2026 10:00",
        "22/11/26 10:00",
        "22 Nov 2026 14:05 EST",
        "22 Nov 2026 14:05 BST",
        "1763776800",
        "Ticket 2026 at 14:05",
        "29 Mar 2026 01:30",
        "25 Oct 2026 01:30",
        "",
        "x" * 5000,
    ],
)
def test_what_names_no_one_moment_is_no_moment(text: str) -> None:
    assert claimed_moment(text, zone=LONDON) is None


def test_days_and_months_are_told_apart_by_the_plan_only() -> None:
    april = datetime(2026, 4, 3, 9, 0, tzinfo=UTC)
    assert claimed_moment("03/04/2026 10:00", zone=LONDON, day_first=True) == april
    assert claimed_moment("03/04/2026 10:00", zone=LONDON, day_first=False) == april.replace(month=3, day=4, hour=10)
    assert claimed_moment("13/04/2026 10:00", zone=LONDON) == april.replace(day=13)
    assert claimed_moment("10h00 le 03-04-26", zone=LONDON, time_format="%Hh%M le %d-%m-%y") == april
    assert claimed_moment("3 April 2026 10:00", zone=LONDON, time_format="%Hh%M le %d-%m-%y") is None


def test_the_first_text_that_names_a_moment_is_the_claim() -> None:
    message = RawMessage(
        author="Ann",
        subject=None,
        text="",
        times=("2 hours ago", "Nov. 22, 2026, noon"),
        shown_time="2 hours ago",
        marked=None,
    )
    how, now = Messages(items=".m", time_zone="Europe/London"), datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert claimed_time(message, how, now) == Claim("Nov. 22, 2026, noon", datetime(2026, 11, 22, 12, tzinfo=UTC), None)
    assert claimed_time(message, Messages(items=".m"), now) == Claim("2 hours ago", now - timedelta(hours=2), 3600.0)


UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400, "weeks": 604800}
AGO = [
    ("en", "{} {} ago", ("seconds", "minutes", "hours", "days", "weeks")),
    ("de", "vor {} {}", ("Sekunden", "Minuten", "Stunden", "Tagen", "Wochen")),
    ("fr", "il y a {} {}", ("secondes", "minutes", "heures", "jours", "semaines")),
    ("es", "hace {} {}", ("segundos", "minutos", "horas", "días", "semanas")),
]


@given(minutes, st.integers(1, 59), st.sampled_from(AGO), st.integers(0, 4), st.floats(0, 0.999))
def test_words_like_ago_are_off_by_no_more_than_they_say(
    now: datetime, count: int, language: tuple[str, str, tuple[str, ...]], unit: int, more: float
) -> None:
    """Desks round down: "3 hours ago" is from three to just under four."""
    now = now.replace(tzinfo=UTC)
    length_s = list(UNITS.values())[unit]
    written_at = now - timedelta(seconds=(count + more) * length_s)
    told = told_from_now(language[1].format(count, language[2][unit]), now, None)
    assert told is not None
    assert told.error_s == length_s
    assert abs((told.at_utc - written_at).total_seconds()) <= told.error_s


NOW = datetime(2026, 11, 26, 15, 30, tzinfo=UTC)  # a Thursday; 16:30 in Berlin


@pytest.mark.parametrize(
    ("text", "at", "error_s"),
    [
        ("yesterday 14:05", "2026-11-25T13:05", None),
        ("Yesterday at 2:05 pm", "2026-11-25T13:05", None),
        ("gestern, 14:05 Uhr", "2026-11-25T13:05", None),
        ("Heute um 09:15", "2026-11-26T08:15", None),
        ("vorgestern 23:59", "2026-11-24T22:59", None),
        ("hier à 14h05", "2026-11-25T13:05", None),
        ("ayer a las 14:05", "2026-11-25T13:05", None),
        ("Monday 10:00", "2026-11-23T09:00", None),
        ("Mittwoch, 10:00 Uhr", "2026-11-25T09:00", None),
        ("Thursday at 18:00", "2026-11-19T17:00", None),
        ("just now", "2026-11-26T15:30", 60.0),
        ("an hour ago", "2026-11-26T14:30", 3600.0),
        ("vor zwei Stunden", "2026-11-26T13:30", 3600.0),
        ("1 hour, 5 minutes ago", "2026-11-26T14:25", 60.0),
        ("3h ago", "2026-11-26T12:30", 3600.0),
        ("Ann replied 20 min ago", "2026-11-26T15:10", 60.0),
    ],
)
def test_times_told_from_now(text: str, at: str, error_s: float | None) -> None:
    told = told_from_now(text, NOW, BERLIN)
    assert told is not None
    assert (told.at_utc, told.error_s) == (datetime.fromisoformat(f"{at}Z"), error_s)
    assert without_relative(f"x {text} y").split() in (["x", "y"], ["x", "Ann", "replied", "y"])


@pytest.mark.parametrize(
    "text",
    ["yesterday", "14:05", "today at 23:00", "yesterday 25:00", "a few minutes ago", "in 3 hours", "ago", "9 apples"],
)
def test_what_is_told_from_now_and_names_no_moment(text: str) -> None:
    assert told_from_now(text, NOW, BERLIN) is None


def test_a_day_by_its_name_needs_a_zone() -> None:
    assert told_from_now("yesterday 14:05", NOW, None) is None
    assert told_from_now("Saturday 02:30", datetime(2026, 10, 26, 12, tzinfo=UTC), BERLIN) is not None
    assert told_from_now("Sunday 02:30", datetime(2026, 10, 26, 12, tzinfo=UTC), BERLIN) is None  # twice that night


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_relative_times(text: str) -> None:
    told = told_from_now(text, NOW, BERLIN)
    assert told is None or told.at_utc <= NOW + timedelta(minutes=10)


@given(st.lists(minutes, min_size=2, max_size=8, unique=True), st.booleans(), st.randoms(use_true_random=False))
def test_which_way_a_history_stands_is_seen_by_its_times(
    moments: list[datetime], turned: bool, shuffle: random.Random
) -> None:
    history: list[datetime | None] = sorted((at.replace(tzinfo=UTC) for at in moments), reverse=turned)
    unknown = [shuffle.random() < 0.5 for _ in history]
    assert newest_first(history, unknown, unknown) is turned


@pytest.mark.parametrize(
    ("known", "ours", "turned"),
    [
        ((False, True, True), (False, False, False), True),
        ((True, True, False), (False, False, False), False),
        ((False, False), (False, True), True),
        ((False, False), (True, False), False),
        ((False,), (True,), False),
        ((), (), False),
    ],
)
def test_without_times_what_is_new_or_ours_tells_the_way(
    known: tuple[bool, ...], ours: tuple[bool, ...], turned: bool
) -> None:
    assert newest_first([None] * len(known), known, ours) is turned


# --- whose a message is, and whether it is new ---

words = st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=60)


def raw(author: str | None, text: str, marked: Side | None = None) -> RawMessage:
    return RawMessage(author=author, subject=None, text=text, times=(), shown_time=None, marked=marked)


messages = st.lists(st.builds(raw, st.one_of(st.none(), st.sampled_from(["Ann", "Bob"])), words), max_size=12)


@given(messages, st.randoms(use_true_random=False))
def test_keys_do_not_depend_on_the_order(history: list[RawMessage], shuffle: random.Random) -> None:
    keys = keys_of(history)
    assert len(set(keys)) == len(history)
    other = list(history)
    shuffle.shuffle(other)
    assert set(keys_of(other)) == set(keys)


@given(messages, messages)
def test_more_messages_keep_the_keys_of_the_old_ones(history: list[RawMessage], more: list[RawMessage]) -> None:
    assert set(keys_of(history)) <= set(keys_of([*history, *more]))
    assert len(set(keys_of([*more, *history])) - set(keys_of(history))) == len(more)


@given(words, st.integers(1, 50), st.sampled_from(["minutes", "hours", "days", "weeks"]))
def test_relative_times_do_not_change_a_key(text: str, count: int, unit: str) -> None:
    then = raw("Ann", f"Posted {count} {unit} ago. {text}")
    now = raw("Ann", f"Posted {count + 3} {unit} ago. {text}")
    assert keys_of([then]) == keys_of([now])


@pytest.mark.parametrize(
    "text", ["vor 2 Stunden", "il y a 3 jours", "hace una hora", "just now", "1 hour, 5 minutes ago", "an hour ago"]
)
def test_relative_times_of_four_languages_are_known(text: str) -> None:
    assert without_relative(text) == ""


MINE = Mine(
    names=("Jo Lindgren", "jo@customer.example"),
    texts=("Invoice 4711 lists the same licence two times.\nPlease send a corrected one.",),
)


@pytest.mark.parametrize(
    ("message", "side"),
    [
        (raw("Jo Lindgren", "Any news?"), Side.OURS),
        (raw("JO  LINDGREN (customer)", "Any news?"), Side.OURS),
        (raw("jo@customer.example", "Any news?"), Side.OURS),
        (raw("You", "Any news?"), Side.OURS),
        (raw("Joanna Lindgrens", "Any news?"), Side.VENDOR),
        (raw("Dana", "Hello Jo Lindgren, thank you."), Side.VENDOR),
        (raw(None, "Invoice 4711 lists the same licence two times. Please send a corrected one."), Side.OURS),
        (raw("Web form", "Invoice 4711 lists the same licence two times. Please send a corrected one"), Side.OURS),
        (
            raw(
                "Support",
                "We got your request and will answer soon: Invoice 4711 lists the same licence two times. "
                "Please send a corrected one.",
            ),
            Side.VENDOR,
        ),
        (raw(None, "We look into it."), Side.NOT_KNOWN),
        (raw("", ""), Side.NOT_KNOWN),
        (raw("Jo Lindgren", "Marked by the plan", Side.VENDOR), Side.VENDOR),
    ],
)
def test_sides(message: RawMessage, side: Side) -> None:
    assert side_of(message, MINE) is side


@given(words)
def test_our_own_words_are_ours_however_they_are_wrapped(text: str) -> None:
    assume(text.split())
    mine = Mine(names=(), texts=(text,))
    assert side_of(raw(None, "\n".join(text.split())), mine) is Side.OURS


# --- status ---


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Open", TicketState.OPEN),
        ("  NEW ", TicketState.OPEN),
        ("[Reopened]", TicketState.OPEN),
        ("In Bearbeitung", TicketState.OPEN),
        ("Status: Resolved", TicketState.RESOLVED),
        ("Résolu", TicketState.RESOLVED),
        ("Solved by Ann on Monday", TicketState.RESOLVED),
        ("Unresolved", TicketState.UNKNOWN),
        ("Not resolved", TicketState.UNKNOWN),
        ("nicht gelöst", TicketState.UNKNOWN),
        ("not yet resolved", TicketState.UNKNOWN),
        ("Closed – no response", TicketState.CLOSED),
        ("Geschlossen (keine Lösung)", TicketState.CLOSED),
        ("Closed without resolution", TicketState.CLOSED),
        ("Closed, not resolved", TicketState.CLOSED),
        ("Fermé sans suite", TicketState.CLOSED),
        ("Closed", TicketState.CLOSED),
        ("Resolved and closed", TicketState.UNKNOWN),
        ("Waiting for customer", TicketState.WAITING_FOR_US),
        ("Open – awaiting your reply", TicketState.WAITING_FOR_US),
        ("Pending", TicketState.UNKNOWN),
        ("Gewürfelt", TicketState.UNKNOWN),
        ("", TicketState.UNKNOWN),
    ],
)
def test_status_words(text: str, state: TicketState) -> None:
    assert state_of(text) is state


def test_the_plans_words_come_first() -> None:
    own = {"Pending": TicketState.WAITING_FOR_US, "Closed": TicketState.RESOLVED}
    assert state_of("pending", own) is TicketState.WAITING_FOR_US
    assert state_of("CLOSED.", own) is TicketState.RESOLVED


@given(st.text(max_size=80))
def test_every_text_has_a_state(text: str) -> None:
    assert isinstance(state_of(text), TicketState)


# --- small readers ---


def test_a_value_is_cut_out_by_its_group_or_as_a_whole() -> None:
    assert cut("Your ticket is T-77.", "T-[0-9]+") == "T-77"
    assert cut("Your ticket is T-77.", "ticket is (T-[0-9]+)") == "T-77"
    assert cut(" T-77 ", None) == "T-77"
    for nothing in (cut(None, "x"), cut("", None), cut("abc", "x"), cut("abc", "a(x)?")):
        assert nothing is None


@given(st.text(), st.integers(1, 50))
def test_long_texts_are_cut_and_say_so(text: str, longest: int) -> None:
    kept = bounded(text, longest)
    assert kept == text if len(text) <= longest else kept.startswith(text[:longest]) and "cut after" in kept


@pytest.mark.parametrize(
    ("words", "kind", "side"),
    [
        ("net::ERR_NAME_NOT_RESOLVED at https://x/", FailureKind.NAME_NOT_FOUND, Side.NETWORK),
        ("net::ERR_CERT_DATE_INVALID", FailureKind.TLS, Side.VENDOR),
        ("net::ERR_CONNECTION_RESET", FailureKind.CONNECTION_LOST, Side.NETWORK),
        ("net::ERR_INTERNET_DISCONNECTED", FailureKind.CONNECTION_LOST, Side.OURS),
        ("net::ERR_SOMETHING_NEW", FailureKind.UNKNOWN, Side.NOT_KNOWN),
    ],
)
def test_the_browsers_words_for_failures(words: str, kind: FailureKind, side: Side) -> None:
    failure = classify(words, "open[0] goto", "https://x/")
    assert failure is not None
    assert (failure.kind, failure.side) == (kind, side)
    assert "ERR_" in failure.text


def test_other_words_are_no_network_failure() -> None:
    assert classify("Timeout 3000ms exceeded", "", "") is None

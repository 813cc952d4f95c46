"""What messages are read as, when promises fall due, and that no text takes long or breaks the reading."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.analysis.reading import CueKind, MessageKind, Reading, own_words, plain, promises_in, read_message
from audit.analysis.reading_due import due_moment, read_due
from audit.analysis.reading_languages import all_languages, folded, languages_of
from audit.analysis.reading_rules import RuleSet, stems_of
from audit.analysis.reading_text import sentences
from audit.calendar import BusinessCalendar
from audit.plan.model import PromisedWhat
from bench.reading_bench import PARTS, labelled
from probes.errors import Side
from probes.events import MailFacts, MailHeader, MessageSeen
from tests.analysis.book import said

LONDON = BusinessCalendar("Mon-Fri 09:00-17:30", "Europe/London", "GB")
NEW_YORK = BusinessCalendar("Mon-Fri 09:00-17:00", "America/New_York", "US")
WEDNESDAY = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("part", "at_least"),
    [("written_with_the_rules", 0.97), ("held_out", 0.97), ("desks", 0.94), ("second", 0.94), ("fresh", 0.88)],
)
def test_kinds_of_made_messages(part: str, at_least: float) -> None:
    messages = list(labelled(part))
    right = sum(message.read().kind == message.kind for message in messages)
    assert right / len(messages) >= at_least


def test_no_machine_is_taken_for_a_person_among_mails_of_a_mail_server() -> None:
    bounces = [m for part in ("written_with_the_rules", "held_out") for m in labelled(part) if "bounce" in m.cues]
    assert len(bounces) >= 5
    assert all(message.read().kind is MessageKind.MACHINE for message in bounces)


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("within five hours", at(4, 13)),
        ("by Friday noon", at(6, 12)),
        ("two business days", at(6, 17, 30)),
        ("within 4 business hours", at(4, 13)),
        ("tomorrow", at(6, 0)),
        ("by end of business tomorrow", at(5, 17, 30)),
        ("next week", at(14, 0)),
        ("in 24–48 hours", at(6, 8)),
        ("before 5 pm", at(4, 17)),
        ("by 5pm EST today", at(4, 22)),
        ("innerhalb von zwei Werktagen", at(6, 17, 30)),
        ("bis Freitag 12 Uhr", at(6, 12)),
        ("sous 48 heures", at(6, 8)),
        ("avant vendredi midi", at(6, 12)),
        ("en un plazo de 24 horas", at(5, 8)),
        ("as soon as possible", None),
        ("for three days", None),
        ("by 3/4", None),
        ("", None),
    ],
)
def test_when_words_are_due(words: str, due: datetime | None) -> None:
    assert due_moment(words, WEDNESDAY, LONDON) == due


def test_due_by_the_vendors_clock() -> None:
    assert due_moment("by Friday noon", WEDNESDAY, NEW_YORK) == at(6, 17)


def test_without_a_calendar_only_lengths_have_a_moment() -> None:
    assert due_moment("within five hours", WEDNESDAY, None) == at(4, 13)
    assert due_moment("by Friday", WEDNESDAY, None) is None


def test_a_due_moment_names_its_words() -> None:
    due = read_due("We will surely reply within five hours, Ada.", WEDNESDAY, LONDON)
    assert due is not None
    assert due.words == "within five hours"


def test_promises_of_a_message() -> None:
    reading = read_message(said("I looked at it. We will fix this by Friday noon. I will call you tomorrow at 10 am."))
    found = promises_in(reading, WEDNESDAY, LONDON)
    assert [(p.what, p.due_at_utc) for p in found] == [
        (PromisedWhat.RESOLUTION, at(6, 12)),
        (PromisedWhat.CALLBACK, at(5, 10)),
    ]


def test_quotes_and_signatures_are_taken_off_and_a_postscript_kept() -> None:
    text = "Done.\n\nKind regards\nKim\nUpgrade now!\n\nPS: see below\n\nOn Mon, 2 Mar 2026, Ada wrote:\n> help"
    assert own_words(text) == "Done.\n\nPS: see below"


def test_words_below_a_quote_are_kept() -> None:
    assert own_words("On Mon, 2 Mar 2026, Ada wrote:\n> help\nI reset it.") == "I reset it."


def mailed(text: str, *headers: tuple[str, str], report: str | None = None, role: str | None = None) -> Reading:
    lines = tuple(MailHeader(name, value) for name, value in headers)
    facts = MailFacts("m@x", "desk@vendor.example", "message_id", None, None, report, None, lines, (), False)
    return read_message(MessageSeen("m", Side.VENDOR, "Anna", None, text, None, None, None, role, None, facts))


PERSON, BARE = "Hi Jo, I looked at your file and mended it.", "The parcel lies in Hamburg."


def test_no_header_makes_a_machine_of_plain_words() -> None:
    for header in [("auto-submitted", "auto-generated"), ("auto-submitted", "auto-replied"), ("precedence", "bulk")]:
        assert mailed(PERSON, header).kind is MessageKind.ANSWER
        assert mailed(PERSON, header).confidence < mailed(PERSON).confidence


def test_a_receipt_without_any_header_is_a_receipt() -> None:
    assert mailed("We have received your request.").kind is MessageKind.RECEIPT


def test_headers_decide_where_words_leave_it_open_and_are_named() -> None:
    replied, generated = (
        mailed(BARE, ("auto-submitted", "auto-replied")),
        mailed(BARE, ("auto-submitted", "auto-generated")),
    )
    assert (replied.kind, replied.quote) == (MessageKind.MACHINE, "Auto-Submitted: auto-replied")
    assert generated.kind is MessageKind.UNSURE
    assert mailed(BARE, ("auto-submitted", "no")) == mailed(BARE)


def test_a_delivery_report_is_no_answer_whatever_it_says() -> None:
    reading = mailed(PERSON, report="failed")
    assert reading.kind is MessageKind.MACHINE
    assert [cue.kind for cue in reading.cues] == [CueKind.BOUNCE]


def test_an_author_whom_the_page_calls_a_machine_is_one_and_a_name_alone_is_not() -> None:
    assert mailed(PERSON, role="Virtual assistant").kind is MessageKind.MACHINE
    assert mailed(PERSON, role="Customer advisor").kind is MessageKind.ANSWER


def test_what_is_not_plain_waits_for_a_person() -> None:
    assert mailed(BARE).waits_for_a_person
    assert not mailed(PERSON).waits_for_a_person


def test_asked_again_needs_that_it_was_given() -> None:
    text = said("Which browser do you use?")
    again = CueKind.ASKED_AGAIN
    assert again in {cue.kind for cue in read_message(text, [plain("I use Firefox.")]).cues}
    assert again not in {cue.kind for cue in read_message(text, [plain("It is broken.")]).cues}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I looked at it and will send the fix by Friday noon.", True),
        ("I cannot promise that you will have the fix by Friday noon.", False),
        ("If you send me the file today, I will look at it by Friday noon.", False),
        ("Please reply within 5 days or we will close this ticket.", False),
        ("I told you on Monday that it takes three days.", False),
    ],
)
def test_what_is_a_promise_and_what_only_looks_like_one(text: str, kind: bool) -> None:
    assert bool(promises_in(read_message(said(text)), WEDNESDAY, LONDON)) == kind


def test_a_number_asked_for_under_the_name_that_we_gave_it_is_asked_again() -> None:
    asked = said("Could you please send us your booking code?")
    again = CueKind.ASKED_AGAIN
    assert again in {cue.kind for cue in read_message(asked, [plain("My booking code is Q7LM2P.")]).cues}
    assert again not in {cue.kind for cue in read_message(asked, [plain("My booking failed on 3 March.")]).cues}


def test_an_unknown_language_waits_for_a_person() -> None:
    assert read_message(said("Žinutė gauta rytoj pažiūrėsime.")).kind is MessageKind.UNSURE


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400))
def test_any_text_is_read(text: str) -> None:
    reading = read_message(said(text), [plain(text)])
    assert 0 <= reading.confidence <= 1
    assert all(cue.quote for cue in reading.cues)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "unit",
    ["we have ", "> ", "On a\n", "From: a\n", "a b c: \n", "no se ha su caso ", "quel avez-vous le ", "x",
     "\u202e\u0301", "que ha puede su ", "within 2 in 3 ", "ich kann nicht wir kein ", "a. ", "you could please send "],
)  # fmt: skip
def test_a_hundred_thousand_signs_are_read_in_bounded_time(unit: str) -> None:
    text = (unit * (100_000 // len(unit) + 1))[:100_000]
    read_message(said(text), [plain(text)])
    due_moment(text, WEDNESDAY, LONDON)


@pytest.mark.parametrize(
    ("pattern", "stems"),
    [
        ("a ticket|one case", {"a ticket", "one case"}),
        ("(i|we) (can|could)n't", {"n't"}),
        ("(un)?able to", {"able to"}),
        ("colou?r{1,2}", {"colo"}),
        ("x~foo*bar", {"foo", "bar"}),
        ("(yes|(no)?)", {""}),
        (r"\d+ ?% (off|less)", {"off", "less"}),
        ("(?:maybe)", {""}),
    ],
)
def test_stems_of_a_pattern_stand_in_all_that_it_fits(pattern: str, stems: set[str]) -> None:
    assert {stem.strip() for stem in stems_of(pattern)} <= stems


@pytest.mark.parametrize("language", all_languages(), ids=lambda language: language.code)
def test_every_rule_of_a_language_can_be_tried(language) -> None:
    for rules in (*language.signs.values(), language.closings, language.quote_heads):
        for rule in (*rules.rules, *rules.excluded):
            rule.pattern.search("")  # compiles, or says which line does not


def test_the_index_of_stems_finds_what_trying_every_rule_finds() -> None:
    found = 0
    messages = [message for part in PARTS for message in labelled(part)]
    for message in messages[::4]:
        for sentence in map(folded, sentences(message.text)):
            for language in languages_of(sentence):
                tried = {name for name, rules in language.signs.items() if _shows(rules, sentence)}
                assert set(language.signs_of(sentence)) == tried
                found += len(tried)
    assert found > 200


def _shows(rules: RuleSet, sentence: str) -> bool:
    """Try every pattern, whatever its stems."""
    return any(rule.pattern.search(sentence) for rule in rules.rules) and not any(
        rule.pattern.search(sentence) for rule in rules.excluded
    )


def test_what_the_vendor_started_again_is_no_restart_of_ours() -> None:
    for text in ("I have restarted it, could you try again please?", "We've already started the job again."):
        assert CueKind.RESTART not in {cue.kind for cue in read_message(said(text), ()).cues}
    again = read_message(said("I'm afraid we have to start the whole process again."), ())
    assert CueKind.RESTART in {cue.kind for cue in again.cues}

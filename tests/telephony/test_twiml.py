"""Documents for the carrier: what is in them, how long they last, and that they stay within the limit."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import UserError
from probes.telephony.carrier import Line, Pause, Press, Say
from probes.telephony.lasting import lasts
from probes.telephony.script import Planned
from probes.telephony.twiml import LONGEST_DOCUMENT, document, locale

KEYS = st.text("0123456789ABCD*#wW", min_size=1, max_size=12)
TEXTS = st.text(min_size=1, max_size=60)
LINES = st.one_of(
    st.builds(Press, KEYS),
    st.builds(Say, TEXTS.filter(lambda text: text.isprintable() and bool(text.strip())), st.just("en")),
    st.builds(Pause, st.floats(0, 90)),
)
VERBS = {"Play", "Say", "Pause", "Hangup"}


def verbs(script: tuple[Line, ...], hold_line_s: float = 0.0) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(document(script, hold_line_s)))


@given(st.lists(LINES, max_size=12).map(tuple), st.floats(0, 3600))
def test_a_document_says_the_script_in_order_and_ends_with_our_hang_up(
    script: tuple[Line, ...], hold_line_s: float
) -> None:
    made = verbs(script, hold_line_s)
    assert {verb.tag for verb in made} <= VERBS
    assert made[-1].tag == "Hangup"
    assert [verb.text for verb in made if verb.tag == "Say"] == [
        line.text.strip() for line in script if isinstance(line, Say)
    ]
    pressed = [verb.attrib["digits"].lstrip("w") for verb in made if verb.tag == "Play"]
    assert pressed == [line.digits.lstrip("w") for line in script if isinstance(line, Press)]
    for verb in made:
        if verb.tag == "Pause":
            assert int(verb.attrib["length"]) >= 1


@given(st.lists(LINES, max_size=12).map(tuple), st.floats(0, 3600))
def test_silence_is_never_shorter_than_asked_and_at_most_a_second_longer_each_time(
    script: tuple[Line, ...], hold_line_s: float
) -> None:
    made = verbs(script, hold_line_s)
    given_s = sum(float(verb.attrib["length"]) for verb in made if verb.tag == "Pause")
    given_s += sum(0.5 * verb.attrib["digits"].count("w") for verb in made if verb.tag == "Play")
    asked_s = hold_line_s + sum(
        line.length_s if isinstance(line, Pause) else 0.5 * line.digits.count("w") if isinstance(line, Press) else 0
        for line in script
    )
    breaks = 1 + sum(not isinstance(line, Pause) for line in script)
    assert asked_s - 1e-6 <= given_s < asked_s + breaks + 1e-6


@given(TEXTS)
def test_any_text_makes_a_document_that_can_be_read(text: str) -> None:
    made = verbs((Say(text + "a", "en"),))
    assert made[0].tag == "Say"
    assert (made[0].text or "").endswith("a")


@pytest.mark.parametrize("text", ["", "  ", "\x00\x08", "\ud800"])
def test_a_line_without_anything_to_say_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="empty"):
        document((Say(text, "en"),), 0)


def test_markup_in_a_line_is_spoken_and_not_carried_out() -> None:
    made = verbs((Say('</Say><Dial>+15551234567</Dial> & "quotes"', 'en" loop="9'),))
    assert [verb.tag for verb in made] == ["Say", "Hangup"]
    assert made[0].text == '</Say><Dial>+15551234567</Dial> & "quotes"'
    assert made[0].attrib == {"language": 'en" loop="9'}


@pytest.mark.parametrize("keys", ["", "12 3", "1e3", "٣", "1;2", "<Play>"])
def test_keys_that_a_telephone_does_not_have_are_refused(keys: str) -> None:
    with pytest.raises(UserError, match="does not have"):
        document((Press(keys),), 0)


def test_a_wrong_secret_key_is_refused_without_showing_it() -> None:
    with pytest.raises(UserError) as caught:
        document((Press("90210x", secret=True),), 0)
    assert "90210" not in str(caught.value)


def test_the_limit_is_exact() -> None:
    empty = len(document((Say("x", "en"),), 0)) - 1
    assert len(document((Say("x" * (LONGEST_DOCUMENT - empty), "en"),), 0)) == LONGEST_DOCUMENT
    with pytest.raises(UserError, match="4001 characters; the carrier takes 4000"):
        document((Say("x" * (LONGEST_DOCUMENT - empty + 1), "en"),), 0)
    with pytest.raises(UserError, match="the carrier takes 4000"):
        document((Say("&" * 1000, "en"),), 0)  # four characters more for each


def test_languages_are_written_as_the_provider_knows_them() -> None:
    assert [locale(one) for one in ("en", "DE", "de-AT", "cy-GB", "xx")] == ["en-US", "de-DE", "de-AT", "cy-GB", "xx"]


def test_a_script_of_silences_is_known_to_a_second_and_one_with_lines_is_not() -> None:
    silent = lasts((Planned(silence_s=5), Planned(silence_s=1200)))
    assert silent.shortest_s == 1205
    assert silent.longest_s <= 1207
    spoken = lasts((Planned(text="x" * 100), Planned(silence_s=10), Planned(keys="1w2", key_count=2)))
    assert spoken.shortest_s < 14 < spoken.longest_s
    assert math.isfinite(spoken.longest_s)

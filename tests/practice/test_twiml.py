"""The strict reader of TwiML."""

from __future__ import annotations

import pytest
from twilio.twiml.voice_response import Gather as GatherMaker
from twilio.twiml.voice_response import VoiceResponse

from probes.practice.twiml import (
    Gather,
    Hangup,
    PauseVerb,
    PlayDigits,
    RecordVerb,
    Redirect,
    SayVerb,
    TwimlError,
    keys_in,
    read,
)


def test_what_the_providers_library_writes_is_read() -> None:
    made = VoiceResponse()
    made.pause(length=4)
    made.play("", digits="ww1W#")
    made.say("Good morning & thank you", voice="woman", loop=2)
    gather = GatherMaker(input="dtmf speech", timeout=3, num_digits=1, action="/next", method="GET")
    gather.say("Choose")
    made.append(gather)
    made.record(max_length=20, timeout=4, play_beep=False)
    made.redirect("https://example.test/more", method="GET")
    made.hangup()
    document = read(str(made))
    assert document.warnings == ()
    assert document.verbs == (
        PauseVerb(4.0),
        PlayDigits("ww1W#"),
        SayVerb("Good morning & thank you", "woman", 2),
        Gather((SayVerb("Choose", "woman", 1),), True, True, 3.0, 1, "#", "/next", "GET", False),
        RecordVerb(4.0, 20.0, "1234567890*#", False, None, "POST"),
        Redirect("https://example.test/more", "GET"),
        Hangup(),
    )


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("<Response><Dance/></Response>", "<Dance> is not allowed in <Response>"),
        ('<Response><Pause lenght="3"/></Response>', '<Pause> has no attribute "lenght"'),
        ("<Response><Gather><Hangup/></Gather></Response>", "<Hangup> is not allowed in <Gather>"),
        ("<Response>hello</Response>", "<Response> holds text"),
    ],
)
def test_what_is_unknown_is_passed_over_with_a_warning(text: str, warning: str) -> None:
    assert read(text).warnings == (warning,)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 12100),
        ("<Response><Say>", 12100),
        ("<Answer/>", 12100),
        ('<!DOCTYPE x [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>', 12100),
        ("<Response><Say></Say></Response>", 13520),
        ('<Response><Play digits="1x"/></Response>', 13510),
        ("<Response><Play/></Response>", 13420),
        ('<Response><Pause length="a while"/></Response>', 12200),
    ],
)
def test_what_cannot_be_played_is_refused_with_the_providers_code(text: str, code: int) -> None:
    with pytest.raises(TwimlError) as caught:
        read(text)
    assert caught.value.code == code


def test_digits_are_presses_with_pauses_before_them() -> None:
    assert keys_in("w1W2ww") == [(0.5, "1"), (1.0, "2"), (1.0, "")]

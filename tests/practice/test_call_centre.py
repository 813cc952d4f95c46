"""The far end of a call: menus, gates, queues, agents, holds. No sound is made here: only times are looked at."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from ruamel.yaml import YAML

from probes.errors import UserError
from probes.practice.call_centre import CallCentre
from probes.practice.character import CHARACTERS, Phone, read_phone, telephones
from probes.practice.exchange import CALLERS
from probes.practice.line import End, Happening, Key, Line, Side, Wait, Words
from probes.practice.sounds import KeyTone, Music, Sound, Spoken

HEAD = 'number: "+442079460199"\nfirst_part: [start]\nseed: 3\nparts:\n'


def length_s(sound: Sound) -> float:
    match sound:
        case KeyTone():
            return 0.1
        case Music():
            return 20.0
        case Spoken(text, _):
            return 0.1 * len(text)
        case _:
            return 3.0


def phone(tmp_path: Path, parts: str) -> Phone:
    path = tmp_path / "phone.yaml"
    path.write_text(HEAD + parts, encoding="utf-8")
    return read_phone(path)


def caller(line: Line, acts: list[tuple[float, str]]) -> Side:
    for at_s, what in acts:
        yield Wait(at_s)
        if what == "hang up":
            line.hang_up(End.CALLER, "enough")
            return
        heard, sound = (Key(what), KeyTone(what)) if len(what) == 1 else (Words(what), Spoken(what, "nora"))
        yield Wait(line.play(End.CALLER, sound, "ours", heard=heard).end_s)
    yield Wait()


def played(one: Phone, *acts: tuple[float, str], call_number: int = 1) -> Line:
    line = Line(length_s)
    line.take(End.VENDOR, CallCentre(one, call_number, line).answer())
    line.take(End.CALLER, caller(line, list(acts)))
    line.run(10_000.0)
    return line


def told(line: Line, *kinds: str) -> list[tuple[float, str, dict[str, Any]]]:
    return [(round(h.t_s, 3), h.kind, h.facts) for h in line.happenings if not kinds or h.kind in kinds]


MENU = """
  start:
    - menu: {prompt: "0123456789", no_input: "aaaaa", wrong: "bbbbb", options: {"1": one}, wait: 5 s, tries: 2}
  one:
    - say: {text: "right"}
    - hang_up: done
"""


def test_a_menu_without_a_key_asks_again_and_then_gives_up(tmp_path: Path) -> None:
    line = played(phone(tmp_path, MENU))
    # prompt 1 s, wait 5 s, "no input" 0.5 s and a breath of 0.35 s; twice
    assert [(t, kind) for t, kind, _ in told(line, "menu", "no_input", "hung_up")] == [
        (0.0, "menu"), (6.0, "no_input"), (6.85, "menu"), (12.85, "no_input"), (13.7, "hung_up"),
    ]  # fmt: skip
    assert line.hung_up_why == "menu: no valid choice"


def test_a_key_breaks_into_the_prompt_and_leads_on(tmp_path: Path) -> None:
    line = played(phone(tmp_path, MENU), (0.4, "1"))
    assert told(line, "chosen") == [(0.5, "chosen", {"key": "1", "part": "one"})]
    assert line.played[0].end_s == pytest.approx(0.5)
    assert line.hung_up_why == "done"


def test_a_wrong_key_is_told_so(tmp_path: Path) -> None:
    kinds = [kind for _, kind, _ in told(played(phone(tmp_path, MENU), (2.0, "9"), (7.0, "1")))]
    assert kinds.index("wrong_key") < kinds.index("chosen")


def test_without_barge_in_an_early_key_is_lost(tmp_path: Path) -> None:
    one = phone(tmp_path, MENU.replace("tries: 2", "tries: 1, barge_in: false"))
    assert told(played(one, (0.4, "1")), "chosen") == []
    assert len(told(played(one, (1.4, "1")), "chosen")) == 1


GATE = """
  start:
    - identify: {prompt: "0123456789", digits: 3, accept: ["123"], wait: 4 s, tries: 2, otherwise: lost}
    - hang_up: identified
  lost:
    - hang_up: unknown caller
"""


@pytest.mark.parametrize(
    ("keys", "why"),
    [("123", "identified"), ("124", "unknown caller"), ("12#", "unknown caller"), ("", "unknown caller")],
)
def test_a_gate_lets_through_whom_it_knows(tmp_path: Path, keys: str, why: str) -> None:
    acts = [(1.0 + 0.3 * i, key) for i, key in enumerate(keys)]
    assert played(phone(tmp_path, GATE), *acts).hung_up_why == why


QUEUE = """
  start:
    - queue:
        wait: 100 s
        hears:
          music: waltz
          announcements: ["number {position}", "you are important"]
          first_after: 10 s
          every: 20 s
          position: 4
          over: OVER
    - agent: {id: A-01, voice: arthur, greeting: "Hello"}
    - hang_up: done
"""


@pytest.mark.parametrize("over", ["duck", "mute", "pause", "restart"])
def test_a_queue_plays_its_loop_with_announcements_in_turn(tmp_path: Path, over: str) -> None:
    line = played(phone(tmp_path, QUEUE.replace("OVER", over)))
    said = [(t, facts["text"]) for t, _, facts in told(line, "said") if facts["label"] == "announcement"]
    again = "you are important"
    assert said == [(10.0, "number 4"), (30.8, again), (52.5, "number 2"), (73.3, again), (95.0, "number 1")]
    assert [(t, kind) for t, kind, _ in told(line, "hold_started", "hold_ended")] == [
        (0.0, "hold_started"),
        (100.0, "hold_ended"),
    ]
    music = [p for p in line.played if isinstance(p.sound, Music)]
    after_first = next(p for p in music if p.start_s == pytest.approx(10.8))
    assert after_first.offset_s == pytest.approx({"duck": 10.8, "mute": 10.8, "pause": 10.0, "restart": 0.0}[over])
    assert any(p.start_s == 10.0 for p in music) == (over == "duck")


HOLD = """
  start:
    - agent: {id: A-01, voice: arthur, greeting: "Hello"}
    - ask: {text: "Name?", wait: 9 s, gap: 2 s, answers: {"(?i)hold": polite}}
    - go: rude
  rude:
    - hold: {wait: 30 s, hears: {music: march}}
    - hang_up: rude
  polite:
    - hold: {ask: "May I put you on hold?", wait: 30 s, hears: {music: march}}
    - say: {text: "0123456789", voice: arthur, breaks_off_after: 0.5 s}
    - hang_up: polite
"""


def test_an_agent_hears_what_is_said_and_acts_on_it(tmp_path: Path) -> None:
    one = phone(tmp_path, HOLD)
    rude, polite = played(one, (3.0, "my name is Ada")), played(one, (3.0, "please do not put me on hold"))
    assert (rude.hung_up_why, polite.hung_up_why) == ("rude", "polite")
    assert [facts["asked"] for _, _, facts in told(rude, "hold_started")] == [False]
    assert [facts["asked"] for _, _, facts in told(polite, "hold_started")] == [True]
    assert len(told(polite, "broke_off")) == 1
    assert told(rude, "hold_ended")[0][2]["lasted_s"] == pytest.approx(30.0)


def test_a_caller_who_speaks_is_heard_out(tmp_path: Path) -> None:
    line = played(
        phone(tmp_path, HOLD), (9.0, "x" * 60 + " hold")
    )  # from 9.0 s to 15.5 s; the agent's wait ends before
    assert line.hung_up_why == "polite"
    asked = next(t for t, _, facts in told(line, "said") if facts["text"] == "May I put you on hold?")
    assert asked == pytest.approx(17.5, abs=0.1)


def test_a_caller_can_hang_up_in_the_middle(tmp_path: Path) -> None:
    line = played(phone(tmp_path, HOLD), (25.0, "hang up"))
    assert (line.hung_up_by, line.now_s) == (End.CALLER, 25.0)


def test_the_same_call_is_the_same_and_the_next_one_is_another() -> None:
    one = read_phone(CHARACTERS / "everyday" / "phone.yaml")
    acts = [(12.0, "2"), *((16.0 + 0.3 * i, key) for i, key in enumerate("12345678#"))]

    def call(number: int) -> list[Happening]:
        return played(one, *acts, call_number=number).happenings

    assert call(1) == call(1)
    assert call(1) != call(2)


def test_each_call_can_begin_with_another_part(tmp_path: Path) -> None:
    text = (HEAD + MENU).replace("[start]", "[start, one]")
    (tmp_path / "phone.yaml").write_text(text, encoding="utf-8")
    one = read_phone(tmp_path / "phone.yaml")
    first = [facts["name"] for number in (1, 2, 3) for _, _, facts in told(played(one, call_number=number), "part")[:1]]
    assert first == ["start", "one", "one"]


# --- the data ---


def test_the_characters_in_the_box_can_be_played_and_reach_nobody() -> None:
    found = telephones((CHARACTERS,))
    assert {name for name, _ in found.values()} >= {"everyday", "busy", "silent", "voicemail"}
    for number in [*found, *CALLERS]:
        parsed = phonenumbers.parse(number)
        assert phonenumbers.is_valid_number(parsed), number
        assert phonenumbers.number_type(parsed) == phonenumbers.PhoneNumberType.FIXED_LINE, number
        # Ofcom's numbers for drama: London 020 7946 0xxx, Leeds 0113 496 0xxx
        assert number.startswith(("+4420794600", "+4420794601", "+441134960")), number


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ring": "soon"}, '"soon" is no length of time'),
        ({"rings": "4 s"}, "rings: Unexpected keyword argument"),
        ({"ring": "9 s to 4 s"}, "ends before it begins"),
        ({"first_part": ["nowhere"]}, "no part is called nowhere; there are: start"),
        ({"first_part": []}, "a number that is answered needs `first_part`"),
        ({"parts": {"start": [{"go": "home"}]}}, "no part is called home"),
        ({"parts": {"start": [{"say": {"text": "x", "voice": "stentor"}}]}}, 'no voice is called "stentor"'),
        ({"parts": {"start": [{"go": "start", "pause": "1 s"}]}}, "exactly one thing, not 2: pause, go"),
        ({"answer": ["perhaps"]}, "answer.0: Input should be 'answered', 'busy', 'no_answer' or 'failed'"),
    ],
)
def test_a_telephone_that_cannot_be_played_says_why(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    good = {"number": "+442079460199", "first_part": ["start"], "parts": {"start": [{"hang_up": "x"}]}}
    out = io.StringIO()
    YAML().dump(good | change, out)
    (tmp_path / "phone.yaml").write_text(out.getvalue(), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_phone(tmp_path / "phone.yaml")
    assert message in caught.value.message
    assert caught.value.at.endswith("phone.yaml")


def test_two_characters_cannot_have_one_number(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "phone.yaml").write_text('number: "+442079460199"\nanswer: [busy]\n', encoding="utf-8")
    with pytest.raises(UserError, match="two characters have the number"):
        telephones((tmp_path,))

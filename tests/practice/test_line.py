"""The line as a simulation: who hears what when, and what a cut does."""

from __future__ import annotations

import math

import pytest

from probes.practice.line import End, Key, Line, Side, Wait, Words
from probes.practice.sounds import KeyTone, Sound, Spoken


def line() -> Line:
    return Line(lambda sound: 0.1 if isinstance(sound, KeyTone) else 2.0)


def listener(on: Line, log: list[tuple[float, object]], until_s: float = math.inf) -> Side:
    while (heard := (yield Wait(until_s, listen=True))) is not None:
        log.append((on.now_s, heard))
    log.append((on.now_s, None))


def speaker(on: Line, *parts: tuple[float, Sound, Key | Words]) -> Side:
    for pause_s, sound, heard in parts:
        yield Wait(on.now_s + pause_s)
        yield Wait(on.play(End.CALLER, sound, "ours", heard=heard).end_s)
    yield Wait()


HELLO = (Spoken("hello", "ivy"), Words("hello"))


def test_a_sound_is_heard_when_it_is_over_and_silence_ends_a_wait() -> None:
    on, log = line(), []
    on.take(End.VENDOR, listener(on, log, until_s=9.0))
    on.take(End.CALLER, speaker(on, (1.0, KeyTone("5"), Key("5")), (0.4, *HELLO)))
    on.run(100.0)
    assert [(pytest.approx(t), heard) for t, heard in log] == [(1.1, Key("5")), (3.5, Words("hello")), (9.0, None)]


def test_running_in_small_steps_changes_nothing() -> None:
    logs = []
    for steps in (1, 997):
        on, log = line(), []
        on.take(End.VENDOR, listener(on, log, until_s=9.0))
        on.take(End.CALLER, speaker(on, (1.0, KeyTone("5"), Key("5")), (0.4, *HELLO)))
        for step in range(1, steps + 1):
            on.run(20.0 * step / steps)
        logs.append(log)
    assert logs[0] == logs[1]


def test_words_that_are_cut_are_not_heard() -> None:
    on, log = line(), []
    on.take(End.VENDOR, listener(on, log))
    on.take(End.CALLER, speaker(on, (0.0, *HELLO)))
    on.run(1.0)
    on.take(End.CALLER, speaker(on, (0.5, KeyTone("1"), Key("1"))))
    on.run(50.0)
    assert [heard for _, heard in log] == [Key("1")]
    assert on.played[0].end_s == 1.0


def test_keys_pressed_while_nobody_listens_wait() -> None:
    on, log = line(), []

    def late() -> Side:
        yield Wait(5.0)
        yield from listener(on, log, until_s=6.0)

    on.take(End.VENDOR, late())
    on.take(End.CALLER, speaker(on, (1.0, KeyTone("7"), Key("7"))))
    on.run(10.0)
    assert log == [(5.0, Key("7")), (6.0, None)]


def test_hanging_up_cuts_all_sound_and_nothing_happens_after_it() -> None:
    on, log = line(), []

    def vendor() -> Side:
        yield Wait(1.5)
        on.hang_up(End.VENDOR, "rude")

    on.take(End.CALLER, speaker(on, (1.0, *HELLO), (0.0, *HELLO)))
    on.take(End.VENDOR, vendor())
    on.run(100.0)
    assert (on.hung_up_by, on.now_s, [p.end_s for p in on.played]) == (End.VENDOR, 1.5, [1.5])
    on.hang_up(End.CALLER, "too late")
    on.take(End.CALLER, listener(on, log))
    assert on.hung_up_by is End.VENDOR
    assert on.next_s() == math.inf


def test_a_frozen_line_stands_still() -> None:
    on, log = line(), []
    on.take(End.VENDOR, listener(on, log, until_s=3.0))
    on.frozen = True
    on.run(10.0)
    assert (on.now_s, log) == (0.0, [])
    on.frozen = False
    on.run(10.0)
    assert log == [(3.0, None)]

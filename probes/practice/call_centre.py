"""The far end of a practice call: ring groups, menus, queues, agents and holds, played from a character's data.

Deterministic: the same character, call number and key presses give the same call, sample for sample.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterable

import numpy as np

from probes.practice import character as c
from probes.practice.line import End, Heard, Key, Line, Played, Side, Wait, Words
from probes.practice.sounds import Music, Signal, Sound, Spoken

Steps = Generator[Wait, Heard | None, str | None]

_DUCK_DB = -14.0
_TURN_S = 0.35  # how quickly a recorded system goes on; persons take longer
_VENDOR = End.VENDOR


def lines(phone: c.Phone) -> list[Spoken]:
    """Return everything that can be said on a telephone, so that it can be made beforehand."""
    found: list[Spoken] = []
    for steps in phone.parts.values():
        agent = "ivy"
        for verb in (step.verb for step in steps):
            match verb:
                case c.Say(text=text, voice=voice):
                    found.append(Spoken(text, voice))
                case c.Menu(voice=voice):
                    found += [Spoken(text, voice) for text in (verb.prompt, verb.no_input, verb.wrong)]
                case c.Identify(voice=voice):
                    found += [Spoken(text, voice) for text in (verb.prompt, verb.thanks, verb.wrong)]
                case c.Agent(voice=agent, greeting=text):
                    found.append(Spoken(text, agent))
                case c.Ask(text=text) | c.Transfer(text=str(text)):
                    found.append(Spoken(text, agent))
                case c.Hold(ask=ask, announce=announce, back=back):
                    found += [Spoken(text, agent) for text in (ask, announce, back) if text is not None]
            if isinstance(verb, c.Queue | c.Hold):
                found += [Spoken(text, verb.hears.voice) for text in _announcements(verb.hears)]
    return list(dict.fromkeys(found))


def _announcements(hears: c.Waiting) -> list[str]:
    places = range(1, hears.position + 1)
    return [text.replace("{position}", str(place)) for text in hears.announcements for place in places]


class CallCentre:
    """Answers one call on a line. `call_number` counts the calls to this number from 1."""

    def __init__(self, phone: c.Phone, call_number: int, line: Line) -> None:
        self._phone, self._line = phone, line
        self._part = phone.first_part[min(call_number, len(phone.first_part)) - 1]
        self._random = np.random.default_rng([phone.seed, call_number])
        self._agent: c.Agent | None = None

    def answer(self) -> Side:
        """Play the call from its first part until someone hangs up."""
        part: str | None = self._part
        while part is not None and self._line.hung_up_by is None:
            self._line.note("part", name=part)
            part = yield from self._play(self._phone.parts[part])
        if self._line.hung_up_by is None:
            self._line.hang_up(_VENDOR, "end of part")

    def _play(self, steps: Iterable[c.Step]) -> Steps:
        """Carry out steps; return the part to go on with, or None at the end."""
        for step in steps:
            goal = yield from self._do(step)
            if goal is not None or self._line.hung_up_by is not None:
                return goal
        return None

    def _do(self, step: c.Step) -> Steps:
        match step.verb:
            case c.Say() as say:
                yield from self._say_step(say)
            case c.Menu() as menu:
                return (yield from self._menu(menu))
            case c.Identify() as gate:
                return (yield from self._identify(gate))
            case c.Queue() as queue:
                yield from self._queue(queue)
            case c.Agent() as agent:
                yield from self._take_call(agent)
            case c.Ask() as ask:
                return (yield from self._ask(ask))
            case c.Hold() as hold:
                yield from self._hold(hold)
            case c.Transfer() as transfer:
                yield from self._transfer(transfer)
            case c.Tone() as tone:
                yield from self._sound(Signal(tone.name), tone.name, self._draw(tone.wait))
            case _ if step.pause is not None:
                yield Wait(self._line.now_s + self._draw(step.pause))
            case _ if step.listen is not None:
                yield from self._listen(self._draw(step.listen), gap_s=self._draw(step.listen))
            case _ if step.go is not None:
                return step.go
            case _ if step.lose is not None:
                self._line.hang_up(_VENDOR, step.lose, lost=True)
            case _:
                self._line.hang_up(_VENDOR, step.hang_up or "")
        return None

    # --- sounds ---

    def _draw(self, span: c.Span) -> float:
        return float(self._random.uniform(span.least_s, span.most_s))

    def _sound(self, sound: Sound, label: str, for_s: float) -> Steps:
        self._line.play(_VENDOR, sound, label, for_s=for_s)
        yield Wait(self._line.now_s + for_s)
        return None

    def _say(self, text: str, voice: str, label: str, *, level_db: float = 0.0) -> Played:
        played = self._line.play(_VENDOR, Spoken(text, voice), label, gain_db=level_db, heard=Words(text))
        self._line.note("said", text=text, voice=voice, label=label, until_s=played.end_s)
        return played

    def _say_all(self, text: str, voice: str, label: str, *, gap_s: float = _TURN_S) -> Steps:
        played = self._say(text, voice, label)
        yield Wait(played.end_s + gap_s)
        return None

    def _say_step(self, say: c.Say) -> Steps:
        played = self._say(say.text, say.voice, "agent" if self._agent else "prompt", level_db=say.level_db)
        if say.breaks_off_after is None:
            yield Wait(played.end_s + _TURN_S)
            return None
        until_s = min(played.end_s, self._line.now_s + self._draw(say.breaks_off_after))
        yield Wait(until_s)
        self._line.cut(played)
        self._line.note("broke_off", text=say.text)
        return None

    def _agent_says(self, text: str) -> Steps:
        agent = self._agent or c.Agent(id="nobody", voice="ivy", greeting="")
        yield from self._say_all(text, agent.voice, "agent", gap_s=float(self._random.uniform(0.4, 0.9)))
        return None

    # --- machines ---

    def _keys(
        self, prompt: Played, wait_s: float, wanted: int, *, barge_in: bool = True
    ) -> Generator[Wait, Heard | None, str]:
        """Collect keys from a prompt on: `wanted` of them, or up to the hash key, or until none comes in time."""
        pressed = ""
        if not barge_in:
            yield Wait(prompt.end_s)
            self._line.clear_inbox(_VENDOR)
        deadline_s = prompt.end_s + wait_s
        while len(pressed) < wanted:
            heard = yield Wait(deadline_s, listen=True)
            if heard is None:
                break
            if not isinstance(heard, Key):
                continue
            self._line.cut(prompt)
            if heard.digit == "#" and wanted > 1:
                break
            pressed += heard.digit
            deadline_s = self._line.now_s + wait_s
        return pressed

    def _menu(self, menu: c.Menu) -> Steps:
        self._line.clear_inbox(_VENDOR)
        for attempt in range(1, menu.tries + 1):
            prompt = self._say(menu.prompt, menu.voice, "prompt")
            self._line.note("menu", prompt=menu.prompt, options=sorted(menu.options), attempt=attempt)
            pressed = yield from self._keys(prompt, self._draw(menu.wait), 1, barge_in=menu.barge_in)
            if pressed in menu.options:
                self._line.note("chosen", key=pressed, part=menu.options[pressed])
                yield Wait(self._line.now_s + _TURN_S)
                return menu.options[pressed]
            self._line.note("wrong_key" if pressed else "no_input", key=pressed)
            yield from self._say_all(menu.wrong if pressed else menu.no_input, menu.voice, "prompt")
        return (yield from self._give_up(menu.otherwise, "menu: no valid choice"))

    def _identify(self, gate: c.Identify) -> Steps:
        self._line.clear_inbox(_VENDOR)
        for attempt in range(1, gate.tries + 1):
            prompt = self._say(gate.prompt, gate.voice, "prompt")
            self._line.note("identification", attempt=attempt, digits=gate.digits)
            pressed = yield from self._keys(prompt, self._draw(gate.wait), gate.digits)
            if len(pressed) == gate.digits and (not gate.accept or pressed in gate.accept):
                self._line.note("identified", count=len(pressed))
                yield Wait(self._line.now_s + _TURN_S)
                yield from self._say_all(gate.thanks, gate.voice, "prompt")
                return None
            self._line.note("not_identified", count=len(pressed))
            yield from self._say_all(gate.wrong, gate.voice, "prompt")
        return (yield from self._give_up(gate.otherwise, "identification failed"))

    def _give_up(self, otherwise: str | None, why: str) -> Steps:
        if otherwise is None:
            yield Wait(self._line.now_s)
            self._line.hang_up(_VENDOR, why)
        return otherwise

    # --- waiting ---

    def _queue(self, queue: c.Queue) -> Steps:
        wait_s = self._draw(queue.wait)
        self._line.note("queue_joined", wait_s=wait_s)
        yield from self._wait(queue.hears, wait_s, kind="queue", asked=None)
        if self._line.hung_up_by is not None:
            return None
        if queue.ring is not None:
            yield from self._sound(Signal("ringback"), "ringback", self._draw(queue.ring))
        return None

    def _wait(self, hears: c.Waiting, wait_s: float, *, kind: str, asked: bool | None) -> Steps:
        """Music on a loop with announcements in turn; the wait ends on the second, in the middle of either."""
        line, start_s = self._line, self._line.now_s
        end_s = start_s + wait_s
        drops_s = math.inf if hears.ends_after is None else start_s + self._draw(hears.ends_after)
        end_s = min(end_s, drops_s)
        music = Music(hears.music) if hears.music is not None else None
        loop_s = line.length_of(music) if music is not None else None
        line.note("hold_started", hold=kind, asked=asked, music=hears.music, loop_s=loop_s, level_db=hears.level_db)
        music_s, turn, next_s = 0.0, 0, start_s + self._draw(hears.first_after)

        def on(until_s: float, extra_db: float = 0.0) -> None:
            if music is not None and until_s > line.now_s:
                line.play(
                    _VENDOR,
                    music,
                    "hold_music",
                    for_s=until_s - line.now_s,
                    gain_db=hears.level_db + extra_db,
                    offset_s=music_s,
                )

        while line.now_s < end_s:
            until_s = min(end_s, next_s) if hears.announcements else end_s
            on(until_s)
            music_s += until_s - line.now_s
            yield Wait(until_s)
            if line.now_s >= end_s:
                break
            place = max(1, round(hears.position * (1 - (line.now_s - start_s) / wait_s)))
            text = hears.announcements[turn % len(hears.announcements)].replace("{position}", str(place))
            played = self._say(text, hears.voice, "announcement")
            said_until_s = min(end_s, played.end_s)
            if hears.over is c.Over.DUCK:
                on(said_until_s, _DUCK_DB)
            if hears.over in (c.Over.DUCK, c.Over.MUTE):
                music_s += said_until_s - line.now_s
            elif hears.over is c.Over.RESTART:
                music_s = 0.0
            yield Wait(said_until_s)
            line.cut(played)
            turn, next_s = turn + 1, line.now_s + self._draw(hears.every)
        line.note("hold_ended", hold=kind, lasted_s=line.now_s - start_s)
        if line.now_s >= drops_s:
            line.hang_up(_VENDOR, f"{kind}: the call ended in the middle of the wait", lost=hears.lost)
        return None

    # --- persons ---

    def _take_call(self, agent: c.Agent) -> Steps:
        if self._agent is not None:
            self._line.note("agent_left", agent=self._agent.id)
        yield Wait(self._line.now_s + float(self._random.uniform(0.5, 1.2)))
        self._agent = agent
        self._line.clear_inbox(_VENDOR)
        self._line.note("agent_joined", agent=agent.id, voice=agent.voice)
        yield from self._agent_says(agent.greeting)
        return None

    def _listen(self, wait_s: float, *, gap_s: float) -> Generator[Wait, Heard | None, str]:
        """Hear the caller out: wait for words, then for a pause after them. Return all that was said."""
        said: list[str] = []
        until_s = self._line.now_s + wait_s
        while True:
            heard = yield Wait(until_s, listen=True)
            if heard is None:
                if (speaking_s := self._line.speaks_until_s(End.CALLER)) <= self._line.now_s:
                    break
                until_s = speaking_s + gap_s  # nobody interrupts a customer in mid sentence
            elif isinstance(heard, Words):
                said.append(heard.text)
                self._line.note("caller_heard", text=heard.text)
                until_s = self._line.now_s + gap_s
        return " ".join(said)

    def _ask(self, ask: c.Ask) -> Steps:
        yield from self._agent_says(ask.text)
        said = yield from self._listen(self._draw(ask.wait), gap_s=self._draw(ask.gap))
        for pattern, part in ask.answers.items():
            if re.search(pattern, said, re.IGNORECASE):
                return part
        return None

    def _hold(self, hold: c.Hold) -> Steps:
        asked = hold.ask is not None
        if hold.ask is not None:
            yield from self._agent_says(hold.ask)
            yield from self._listen(4.0, gap_s=1.0)
        if hold.announce is not None:
            yield from self._agent_says(hold.announce)
        yield from self._wait(hold.hears, self._draw(hold.wait), kind="hold", asked=asked)
        if self._line.hung_up_by is not None:
            return None
        yield Wait(self._line.now_s + float(self._random.uniform(0.4, 1.0)))
        self._line.clear_inbox(_VENDOR)
        yield from self._agent_says(hold.back)
        return None

    def _transfer(self, transfer: c.Transfer) -> Steps:
        if transfer.text is not None:
            yield from self._agent_says(transfer.text)
        if self._agent is not None:
            self._line.note("agent_left", agent=self._agent.id)
            self._agent = None
        self._line.note("transfer")
        yield Wait(self._line.now_s + self._draw(transfer.silence))
        yield from self._sound(Signal("ringback"), "ringback", self._draw(transfer.ring))
        return None

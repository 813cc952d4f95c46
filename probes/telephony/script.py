"""A call's script as the plan writes it, and as the carrier and our own records get it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from probes.duration import Duration
from probes.errors import UserError
from probes.events import StepOutcome
from probes.loose_values import OneOrMore, PlainVerb
from probes.placeholders import PLACEHOLDER, fill
from probes.telephony.carrier import Line, Pause, Press, Say

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

SECRET = re.compile(r"\$\{[^}]+\}")
_KEYS = re.compile(r"[0-9A-D#*wW]+")
_NAME = re.compile(r"[a-z][a-z0-9_]*")

VERBS = ("wait", "press", "enter", "say", "disclose", "listen", "wait_for", "join", "if", "repeat", "hang_up")
LIVE_VERBS = ("wait_for", "if", "repeat", "join", "disclose")
# The verbs that can stand alone, and what they stand for then.
PLAIN_VERBS: dict[str, Any] = {"hang_up": True, "disclose": True, "join": {}}
_ATTRIBUTES = {"if": "if_"}

MOST_TIMES = 50
_LONGEST_S, _LONGEST_SLOW_S = 60.0, 1800.0
_SPOKEN = 1.2  # a prompt is over after so much silence
_ANSWERED = 4.0  # a person has finished, most likely
_STILL = 3.0


class Sound(StrEnum):
    """What a script can wait for; all of it is told from sound alone, not from words."""

    SPEECH = "speech"  # somebody or something begins to speak
    PROMPT = "prompt"  # speech, and then a short quiet: a menu waits for keys, a person for words
    ANSWER = "answer"  # speech, and then a long quiet: whoever spoke has finished
    REPEAT = "repeat"  # what is being said was said before in this call
    SILENCE = "silence"
    TONE = "tone"
    HOLD = "hold"  # music
    HOLD_END = "hold_end"  # the music has ended
    HUMAN = "human"


_SPEECH = (Sound.SPEECH, Sound.PROMPT, Sound.ANSWER)
_QUIET_S = {Sound.PROMPT: _SPOKEN, Sound.ANSWER: _ANSWERED, Sound.SILENCE: _STILL}


class _PlainSound:
    """Lets `wait_for: prompt` stand for `wait_for: {sound: prompt}`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"enum": [sound.value for sound in Sound]}]}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> object:
            return {"sound": value} if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(read, handler(source))


Outcomes = Annotated[tuple[StepOutcome, ...], OneOrMore()]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """Wait until something is heard, `at_most` so long (a minute; half an hour for a human or the end of a hold); what
    came first is the step's outcome.

    `quiet` is how long a prompt, an answer or a silence must last without speech. To tell a human, `ask` is said once
    a voice that was not heard before pauses: whoever answers within `answer_within` is one. Without it only a new
    voice after a hold counts. `like`, the words of a prompt, needs a transcript of the call while it lasts.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    sound: Annotated[tuple[Sound, ...], OneOrMore()]
    at_most: Duration | None = None
    quiet: Duration | None = None
    ask: str | None = None
    language: str | None = None
    answer_within: Duration = Duration(6.0)
    like: str | None = None

    def __post_init__(self) -> None:
        if self.like is not None:
            raise ValueError(
                f'"{self.like}" cannot be recognised: no words are heard while a call lasts; '
                "use sound: prompt (speech, then quiet) or sound: repeat (what was said before)"
            )
        if not self.sound:
            raise ValueError("sound is empty; write what to wait for, as sound: prompt")
        if self.at_most is not None and self.at_most.s <= 0:
            raise ValueError('at_most is no time at all; write how long, as "30 s"')
        if Sound.HUMAN in self.sound and (other := next((one for one in self.sound if one in _SPEECH), None)):
            raise ValueError(f'"human" cannot be waited for beside {other}, which every voice is; leave one out')
        if Sound.HUMAN not in self.sound and self.ask is not None:
            raise ValueError("ask is said to find out whether a human is there; use it with sound: human")
        if self.language is not None and self.ask is None:
            raise ValueError("language belongs to ask; put it beside the line to ask")
        if self.ask is not None and SECRET.search(self.ask):
            raise ValueError("ask holds a secret, which would be heard in the recording; use enter")
        if self.quiet is not None and not any(one in _QUIET_S for one in self.sound):
            raise ValueError("quiet says when speech is over; use it with prompt, answer or silence")
        if self.quiet is not None and not 0.3 <= self.quiet.s <= 120:
            raise ValueError(f'quiet is {self.quiet}; write 0.3 s to 2 min, as "2 s"')

    @property
    def longest(self) -> Duration:
        """The longest time that it waits."""
        slow = any(one in (Sound.HUMAN, Sound.HOLD_END) for one in self.sound)
        return self.at_most or Duration(_LONGEST_SLOW_S if slow else _LONGEST_S)

    def quiet_s(self, sound: Sound) -> float:
        """Return how long it must be quiet for this sound."""
        return self.quiet.s if self.quiet is not None else _QUIET_S[sound]


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Let the auditor's own telephone ring, and join it to the call."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    ring_at_most: Duration = Duration(30.0)

    def __post_init__(self) -> None:
        if not 5 <= self.ring_at_most.s <= 120:
            raise ValueError(f'ring_at_most is {self.ring_at_most}; write 5 s to 2 min, as "30 s"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Do steps again and again: `times` at most, and no more once `until` has come true."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    times: int
    steps: tuple[ReadStep, ...]
    until: Mapping[str, Outcomes] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.times <= MOST_TIMES:
            raise ValueError(f'times is "{self.times}"; write 1 to {MOST_TIMES}')
        if not self.steps:
            raise ValueError("there is nothing to repeat; write at least one step under steps")
        if self.until is not None and not self.until:
            raise ValueError("until is empty; write the name of an outcome and its value, or leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """One step of a call: exactly one verb.

    `wait` is silence; `press` are keys of a menu; `enter` is an identification number, always treated as a secret;
    `say` is spoken in `language`; `disclose` speaks the channel's disclosure; `listen` holds the line so long;
    `hang_up` ends the call. `wait_for` reacts to what is heard, `join` calls the auditor in, `if` looks at outcomes of
    earlier steps (all that it names must be so), `repeat` does steps again. `as` names a step's outcome.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "populate_by_name": True}
    wait: Duration | None = None
    press: str | None = None
    enter: str | None = None
    say: str | None = None
    language: str | None = None
    listen: Duration | None = None
    hang_up: bool | None = None
    disclose: bool | None = None
    wait_for: Annotated[WaitFor, _PlainSound()] | None = None
    join: Join | None = None
    if_: Annotated[Mapping[str, Outcomes] | None, Field(alias="if")] = None
    then: tuple[ReadStep, ...] | None = None
    else_: Annotated[tuple[ReadStep, ...] | None, Field(alias="else")] = None
    repeat: Repeat | None = None
    as_: Annotated[str | None, Field(alias="as")] = None

    def __post_init__(self) -> None:
        given = self.verbs()
        if len(given) != 1:
            raise ValueError(f"a step has one verb; here: {', '.join(given) or 'none'}; use one of {', '.join(VERBS)}")
        if self.language is not None and self.say is None:
            raise ValueError("language belongs to say; put it beside the line to say")
        if self.press is not None:
            if SECRET.search(self.press):
                raise ValueError("press holds a secret, which would be kept in the records; use enter")
            if not PLACEHOLDER.search(self.press) and not _KEYS.fullmatch(self.press):
                raise ValueError(
                    f'"{self.press}" holds a key that a telephone does not have; '
                    "use 0-9, A-D, # and *, w and W for half and whole seconds"
                )
        if self.say is not None and SECRET.search(self.say):
            raise ValueError("say holds a secret, which would be heard in the recording; use enter")
        for length in (self.wait, self.listen):
            if length is not None and length.s <= 0:
                raise ValueError('the length is 0; write how long, as "5 s"')
        if self.if_ is not None and not self.if_:
            raise ValueError("if is empty; write the name of an outcome and its value, as if: {agent: human}")
        if self.if_ is not None and not self.then:
            raise ValueError("if has no then; write the steps that are done if it is so")
        if self.if_ is None and (self.then is not None or self.else_ is not None):
            raise ValueError("then and else belong to if; write what is asked, as if: {agent: human}")
        if self.as_ is not None and (self.if_ is not None or self.repeat is not None or self.hang_up):
            raise ValueError(f"{given[0]} has no outcome to be named; remove as")
        if self.as_ is not None and not _NAME.fullmatch(self.as_):
            raise ValueError(f'"{self.as_}" is no name; use small letters, digits and _')

    def verbs(self) -> list[str]:
        """Return the verbs that are given."""
        return [verb for verb in VERBS if getattr(self, _ATTRIBUTES.get(verb, verb)) not in (None, False)]

    @property
    def verb(self) -> str:
        """The step's verb."""
        return self.verbs()[0]

    @property
    def inner(self) -> tuple[tuple[str, tuple[ScriptStep, ...]], ...]:
        """The lists of steps within this one, by the key under which they stand."""
        lists = (("then", self.then), ("else", self.else_), ("steps", self.repeat.steps if self.repeat else None))
        return tuple((key, steps) for key, steps in lists if steps)


ReadStep = Annotated[ScriptStep, PlainVerb(PLAIN_VERBS)]


def is_live(steps: Iterable[ScriptStep]) -> bool:
    """Return whether a script needs to be heard while the call lasts."""
    return any(step.verb in LIVE_VERBS for step in steps)


def all_steps(steps: Iterable[ScriptStep]) -> Iterator[ScriptStep]:
    """Yield every step, those within others too."""
    for step in steps:
        yield step
        for _, inside in step.inner:
            yield from all_steps(inside)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One thing of ours in a call, as our records may know it: keys (null where secret), a line, or silence."""

    keys: str | None = None
    key_count: int = 0
    purpose: str = ""
    text: str | None = None
    silence_s: float = 0.0

    @property
    def is_secret(self) -> bool:
        """Whether these are keys that must not be known."""
        return self.key_count > 0 and self.keys is None


@dataclass(frozen=True, slots=True)
class Script:
    """A script ready to be carried out. `lines` hold revealed secrets and are never stored; `planned` may be.

    `secrets` are the references whose values went into `lines`.
    """

    lines: tuple[Line, ...]
    hold_line_s: float
    planned: tuple[Planned, ...]
    secrets: tuple[str, ...]
    ends_by_listening: bool


def known_length_s(steps: tuple[ScriptStep, ...]) -> float:
    """Return how long the silences of a script are: the least it takes from answer to hang-up."""
    return sum((step.wait or step.listen or Duration(0.0)).s for step in steps)


def ready(
    steps: tuple[ScriptStep, ...], announcement: str | None, values: Mapping[str, str], reveal: Callable[[str], str]
) -> Script:
    """Fill a script's texts and reveal what it needs.

    Raises:
        UserError: a `{name}` without a value, keys that a telephone does not have, or a secret that would be spoken.
    """
    language = values.get("persona.language", "en")
    lines: list[Line] = []
    planned: list[Planned] = []
    secrets: list[str] = []
    if announcement is not None:
        text = _spoken(announcement, values)
        lines.append(Say(text, language))
        planned.append(Planned(text=text, purpose="announcement"))
    for step in steps:
        if step.wait is not None or step.listen is not None:
            length_s = (step.wait or step.listen or Duration(0.0)).s
            lines.append(Pause(length_s))
            planned.append(Planned(silence_s=length_s))
        elif step.say is not None:
            text = _spoken(step.say, values)
            lines.append(Say(text, step.language or language))
            planned.append(Planned(text=text, purpose="line"))
        elif step.press is not None:
            keys = _keys(fill(step.press, values), secret=False)
            lines.append(Press(keys))
            planned.append(Planned(keys=keys, key_count=count_keys(keys), purpose="menu"))
        elif step.enter is not None:
            reference = fill(step.enter, values)
            secrets += SECRET.findall(reference)
            keys = _keys(reveal(reference), secret=True)
            lines.append(Press(keys, secret=True, purpose="identification"))
            planned.append(Planned(key_count=count_keys(keys), purpose="identification"))
        else:
            break
    hold_line_s = 0.0
    while lines and isinstance(last := lines[-1], Pause):
        hold_line_s += last.length_s
        lines.pop()
    waits = [step for step in steps if step.hang_up is None]
    return Script(tuple(lines), hold_line_s, tuple(planned), tuple(secrets), bool(waits and waits[-1].listen))


@dataclass(frozen=True, slots=True)
class LiveScript:
    """A script that is carried out step by step: its texts filled in, its secrets apart from it and never stored.

    `digits` are the keys of each `enter`, by what the step says.
    """

    steps: tuple[ScriptStep, ...]
    announcement: str | None
    disclosure: str | None
    language: str
    secrets: tuple[str, ...]
    digits: Mapping[str, str] = field(repr=False)


def ready_live(
    steps: tuple[ScriptStep, ...],
    lines: tuple[str | None, str | None],
    values: Mapping[str, str],
    reveal: Callable[[str], str],
) -> LiveScript:
    """Fill a live script's texts and reveal what it needs; `lines` are the announcement and the disclosure.

    Raises:
        UserError: as `ready`.
    """
    secrets: list[str] = []
    digits: dict[str, str] = {}

    def filled(step: ScriptStep) -> ScriptStep:
        if step.enter is not None:
            reference = fill(step.enter, values)
            secrets.extend(SECRET.findall(reference))
            digits[step.enter] = _keys(reveal(reference), secret=True)
        wait = step.wait_for
        return replace(
            step,
            press=None if step.press is None else _keys(fill(step.press, values), secret=False),
            say=None if step.say is None else _spoken(step.say, values),
            wait_for=wait if wait is None or wait.ask is None else replace(wait, ask=_spoken(wait.ask, values)),
            then=step.then and tuple(filled(one) for one in step.then),
            else_=step.else_ and tuple(filled(one) for one in step.else_),
            repeat=step.repeat and replace(step.repeat, steps=tuple(filled(one) for one in step.repeat.steps)),
        )

    ready_steps = tuple(filled(step) for step in steps)
    announcement, disclosure = (None if line is None else _spoken(line, values) for line in lines)
    language = values.get("persona.language", "en")
    return LiveScript(ready_steps, announcement, disclosure, language, tuple(secrets), digits)


def _spoken(text: str, values: Mapping[str, str]) -> str:
    text = fill(text, values)
    if SECRET.search(text):
        raise UserError(
            f'"{text}" would speak a secret, which could be heard in the recording', fix="enter it by keys instead"
        )
    return text


def _keys(text: str, *, secret: bool) -> str:
    keys = re.sub(r"[\s().-]", "", text)
    if not _KEYS.fullmatch(keys):
        shown = "the identification number" if secret else f'"{text}"'
        raise UserError(
            f"{shown} holds a key that a telephone does not have",
            fix="use 0-9, A-D, # and *, w and W for half and whole seconds",
        )
    return keys


def count_keys(keys: str) -> int:
    """Return how many keys are pressed, pauses left out."""
    return sum(key not in "wW" for key in keys)

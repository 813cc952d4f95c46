"""What a practice vendor's telephone does, as data: `characters/<name>/phone.yaml`, read strictly.

A call is played part by part. A part is a list of steps; `first_part` names where the first, second, … call begins
(the last name serves all later calls too). Lengths may be a range ("3 min to 5 min"), drawn anew for each call from the
character's seed. Levels are in dB against the level at which speech and music come out alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from probes.duration import Duration
from probes.errors import UserError
from probes.model import STRICT
from probes.practice.music import PIECES
from probes.practice.tones import CADENCES
from probes.practice.voices import VOICES


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time between two bounds, in seconds; they are equal where nothing is drawn."""

    least_s: float
    most_s: float

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read "90 s" or "2 min to 6 min"."""
        least, _, most = text.partition(" to ")
        span = cls(Duration.parse(least).s, Duration.parse(most or least).s)
        if span.most_s < span.least_s:
            raise ValueError(f'"{text}" ends before it begins')
        return span

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def read(value: object) -> Span:
            if isinstance(value, Span):
                return value
            if isinstance(value, str):
                return cls.parse(value)
            raise ValueError(f'{value!r} has no unit; write "90 s" or "2 min to 6 min"')

        return core_schema.no_info_plain_validator_function(read)


class Over(StrEnum):
    """What becomes of the music while an announcement is made."""

    DUCK = "duck"
    PAUSE = "pause"
    MUTE = "mute"
    RESTART = "restart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a waiting caller hears: a piece on a loop (none: silence) and announcements in turn, over and over.

    `first_after` counts from the start of the wait, `every` from the end of one announcement to the next. `{position}`
    in an announcement is the place in the queue, which falls from `position` to 1 as the wait goes by. `ends_after`:
    the call ends in the middle of the wait: the vendor hangs up, or (`lost`) the network loses the line.
    """

    __pydantic_config__: ClassVar = STRICT
    music: str | None = None
    level_db: float = 0.0
    announcements: tuple[str, ...] = ()
    first_after: Span = Span(15.0, 15.0)
    every: Span = Span(30.0, 30.0)
    voice: str = "ivy"
    over: Over = Over.DUCK
    position: int = 1
    ends_after: Span | None = None
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A line. With `breaks_off_after` it stops in the middle, and so does the call if `hang_up` comes next."""

    __pydantic_config__: ClassVar = STRICT
    text: str
    voice: str = "ivy"
    level_db: float = 0.0
    breaks_off_after: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Menu:
    """A menu: keys go to parts. No key in time, or a wrong one: again, `tries` times in all, then `otherwise`."""

    __pydantic_config__: ClassVar = STRICT
    prompt: str
    options: Mapping[str, str]
    voice: str = "ivy"
    no_input: str = "Sorry, we did not get your choice."
    wrong: str = "Sorry, that is not a valid choice."
    wait: Span = Span(6.0, 6.0)
    tries: int = 3
    barge_in: bool = True
    otherwise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identify:
    """A gate that wants a number keyed in, ended by the hash key or by its length.

    `accept` lists the numbers that pass (none: every one of the right length).
    """

    __pydantic_config__: ClassVar = STRICT
    prompt: str
    digits: int
    accept: tuple[str, ...] = ()
    voice: str = "ivy"
    thanks: str = "Thank you."
    wrong: str = "Sorry, we could not find that number."
    wait: Span = Span(8.0, 8.0)
    tries: int = 3
    otherwise: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A wait for an agent. `ring` is a ringing tone at its end, before the agent takes the call."""

    __pydantic_config__: ClassVar = STRICT
    wait: Span
    hears: Waiting
    ring: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """From here on a person speaks; further steps of `ask` and `hold` use this voice. `id` names the person."""

    __pydantic_config__: ClassVar = STRICT
    id: str
    voice: str
    greeting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The agent asks and listens: until the caller has spoken and was quiet for `gap`, or nothing came for `wait`."""

    __pydantic_config__: ClassVar = STRICT
    text: str
    wait: Span = Span(8.0, 8.0)
    gap: Span = Span(1.5, 1.5)
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The agent puts the caller on hold. `ask` is the request for leave; none: it is not asked."""

    __pydantic_config__: ClassVar = STRICT
    wait: Span
    hears: Waiting
    ask: str | None = None
    announce: str | None = None
    back: str = "Thank you for holding."


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The call is passed on: an announcement, silence, a ringing tone; the next `agent` takes it."""

    __pydantic_config__: ClassVar = STRICT
    text: str | None
    ring: Span
    silence: Span = Span(1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """A call-progress tone for a while."""

    __pydantic_config__: ClassVar = STRICT
    name: str
    wait: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: exactly one of these. `hang_up` gives the reason that the truth file names.

    `lose` does too, where nobody hangs up and the network loses the line.
    """

    __pydantic_config__: ClassVar = STRICT
    say: Say | None = None
    menu: Menu | None = None
    identify: Identify | None = None
    queue: Queue | None = None
    agent: Agent | None = None
    ask: Ask | None = None
    hold: Hold | None = None
    transfer: Transfer | None = None
    tone: Tone | None = None
    pause: Span | None = None
    listen: Span | None = None
    go: str | None = None
    hang_up: str | None = None
    lose: str | None = None

    @property
    def verb(self) -> Any:
        """The one thing that this step does."""
        return next(value for name in _VERBS if (value := getattr(self, name)) is not None)

    def __post_init__(self) -> None:
        named = [name for name in _VERBS if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"a step does exactly one thing, not {len(named)}: {', '.join(named) or 'nothing'}")


_VERBS = tuple(f.name for f in fields(Step))


class AnsweredBy(StrEnum):
    """What the provider's machine detection takes whoever answers for."""

    HUMAN = "human"
    MACHINE = "machine_start"
    FAX = "fax"
    UNKNOWN = "unknown"


class Answer(StrEnum):
    """What becomes of a call to the number."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """What the vendor's side of the line does to the sound.

    Packets are lost in bursts of `burst_s` on average. `jitter_s` is by how much those of a media stream may come late.
    """

    __pydantic_config__: ClassVar = STRICT
    gain_db: float = 0.0
    noise_dbfs: float = -62.0
    loss_ratio: float = 0.0
    burst_s: float = 0.06
    jitter_s: float = 0.0
    band_pass: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A vendor's telephone. `sip_code` is what a failed call ends with. `parts` are named lists of steps."""

    __pydantic_config__: ClassVar = STRICT
    number: str
    answered_by: AnsweredBy = AnsweredBy.MACHINE
    answer: tuple[Answer, ...] = (Answer.ANSWERED,)
    ring: Span = Span(4.0, 12.0)
    post_dial: Span = Span(0.8, 2.4)
    sip_code: int = 404
    seed: int = 1
    channel: Channel = Channel()
    first_part: tuple[str, ...] = ()
    parts: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if Answer.ANSWERED in self.answer and not self.first_part:
            raise ValueError("a number that is answered needs `first_part` and `parts`")
        if unknown := sorted(set(self._goals()) - set(self.parts)):
            raise ValueError(f"no part is called {', '.join(unknown)}; there are: {', '.join(sorted(self.parts))}")
        for given, known, what in self._names():
            if given not in known:
                raise ValueError(f'no {what} is called "{given}"; there are: {", ".join(sorted(known))}')

    def _goals(self) -> list[str]:
        goals = list(self.first_part)
        for step in (step for steps in self.parts.values() for step in steps):
            match step.verb:
                case Menu(options=options, otherwise=otherwise):
                    goals += [*options.values(), *([otherwise] if otherwise else [])]
                case Identify(otherwise=str(otherwise)):
                    goals.append(otherwise)
                case Ask(answers=answers):
                    goals += answers.values()
                case _ if step.go is not None:
                    goals.append(step.go)
        return goals

    def _names(self) -> list[tuple[str, Mapping[str, Any], str]]:
        names: list[tuple[str, Mapping[str, Any], str]] = []
        for step in (step for steps in self.parts.values() for step in steps):
            match step.verb:
                case Queue(hears=hears) | Hold(hears=hears):
                    names.append((hears.voice, VOICES, "voice"))
                    if hears.music is not None:
                        names.append((hears.music, PIECES, "piece of music"))
                case Say(voice=voice) | Menu(voice=voice) | Identify(voice=voice) | Agent(voice=voice):
                    names.append((voice, VOICES, "voice"))
                case Tone(name=name):
                    names.append((name, CADENCES, "tone"))
        return names


CHARACTERS = Path(__file__).parent / "characters"


def read_phone(path: Path) -> Phone:
    """Read a phone.yaml.

    Raises:
        UserError: the file cannot be read, or says what a telephone cannot do; all faults at once.
    """
    try:
        document = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, YAMLError) as exc:
        raise UserError(f"cannot read the telephone of a character: {exc}", at=str(path)) from exc
    try:
        return TypeAdapter(Phone).validate_python(document)
    except ValidationError as exc:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in exc.errors()]
        raise UserError("this telephone cannot be played: " + "; ".join(faults), at=str(path)) from exc


def telephones(folders: tuple[Path, ...]) -> dict[str, tuple[str, Phone]]:
    """Return the characters' names and telephones by number.

    Raises:
        UserError: two characters have the same number, or a file is faulty.
    """
    found: dict[str, tuple[str, Phone]] = {}
    for path in sorted(path for folder in folders for path in folder.glob("*/phone.yaml")):
        phone = read_phone(path)
        if phone.number in found:
            raise UserError(f"two characters have the number {phone.number}", at=str(path))
        found[phone.number] = (path.parent.name, phone)
    return found

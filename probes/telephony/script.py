"""A call's script as the plan writes it, and as the carrier and our own records get it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from probes.duration import Duration
from probes.errors import UserError
from probes.placeholders import PLACEHOLDER, fill
from probes.telephony.carrier import Line, Pause, Press, Say

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

SECRET = re.compile(r"\$\{[^}]+\}")
_KEYS = re.compile(r"[0-9A-D#*wW]+")

VERBS = ("wait", "press", "enter", "say", "listen", "hang_up")
LIVE_VERBS = ("wait_for", "if")


class _PlainHangUp:
    """Lets `- hang_up` stand in a script without a value."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"const": "hang_up"}]}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        def read(value: object) -> object:
            return {"hang_up": True} if value == "hang_up" or value == {"hang_up": None} else value

        return core_schema.no_info_before_validator_function(read, handler(source))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptStep:
    """One step of a call: exactly one verb.

    `wait` is silence; `press` are keys of a menu; `enter` is an identification number, always treated as a secret;
    `say` is spoken in `language`; `listen` holds the line at most so long; `hang_up` ends the call.
    `wait_for` and `if` react to what is heard and are not carried out yet.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "populate_by_name": True}
    wait: Duration | None = None
    press: str | None = None
    enter: str | None = None
    say: str | None = None
    language: str | None = None
    listen: Duration | None = None
    hang_up: bool | None = None
    wait_for: Any = None
    if_: Annotated[Any, Field(alias="if")] = None

    def __post_init__(self) -> None:
        for name, value in (("wait_for", self.wait_for), ("if", self.if_)):
            if value is not None:
                raise ValueError(
                    f'"{name}" reacts to what is heard, which is not carried out yet; '
                    f"use {', '.join(VERBS)}: the script runs by the clock, and the recording is heard afterwards"
                )
        given = [verb for verb in VERBS if getattr(self, verb) not in (None, False)]
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


ReadStep = Annotated[ScriptStep, _PlainHangUp()]


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
            planned.append(Planned(keys=keys, key_count=_count(keys), purpose="menu"))
        elif step.enter is not None:
            reference = fill(step.enter, values)
            secrets += SECRET.findall(reference)
            keys = _keys(reveal(reference), secret=True)
            lines.append(Press(keys, secret=True, purpose="identification"))
            planned.append(Planned(key_count=_count(keys), purpose="identification"))
        else:
            break
    hold_line_s = 0.0
    while lines and isinstance(last := lines[-1], Pause):
        hold_line_s += last.length_s
        lines.pop()
    waits = [step for step in steps if step.hang_up is None]
    return Script(tuple(lines), hold_line_s, tuple(planned), tuple(secrets), bool(waits and waits[-1].listen))


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


def _count(keys: str) -> int:
    return sum(key not in "wW" for key in keys)

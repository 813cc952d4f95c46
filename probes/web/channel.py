"""The part of a plan that describes a help desk on the web, and the stored handle of a ticket there.

A target names an element of a page: "Subject" is looked for as a label, then as placeholder, name and part of a label
(for clicks: as the name of a button, a link, any text); `label=`, `placeholder=`, `name=`, `button=`, `link=`, `text=`
and `css=` ask for one way only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urljoin, urlsplit

from probes.duration import Duration
from probes.errors import UserError
from probes.events import TicketState
from probes.model import STRICT

LARGEST_FILE_BYTES = 25_000_000
PREFIXES = ("label", "placeholder", "name", "button", "link", "text", "css")
# Where a value can be read besides an element: the page's visible text, its address, its title.
PAGE, URL, TITLE = "page", "url", "title"


def _check_regex(pattern: str | None) -> None:
    if pattern is None:
        return
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'"{pattern}" is no regular expression: {error}') from error
    if compiled.groups > 1:
        raise ValueError(f'"{pattern}" has {compiled.groups} groups; mark one part with ( ), or none for the whole')


def _check_target(target: str) -> None:
    prefix, equals, rest = target.partition("=")
    if not target.strip() or (equals and prefix in PREFIXES and not rest.strip()):
        raise ValueError(f'"{target}" names no element; write a label as the page shows it, or css=SELECTOR')


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to attach: one beside the plan (`file`, its path), or a small one written in the plan (`name`, `text`)."""

    __pydantic_config__: ClassVar = STRICT
    file: str | None = None
    name: str | None = None
    text: str | None = None
    media_type: str = "text/plain"

    def __post_init__(self) -> None:
        if (self.file is None) == (self.text is None):
            raise ValueError("an upload is either a file, by its path, or a name with a text")
        if self.file is None and not self.name:
            raise ValueError("a file that the plan writes needs a name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What must come to be true: a text on the page, an element, or an address (a regular expression)."""

    __pydantic_config__: ClassVar = STRICT
    text: str | None = None
    target: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("text", "target", "url") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expect names one of text, target, url; here: {', '.join(given) or 'none'}")
        _check_regex(self.url)
        if self.target is not None:
            _check_target(self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where on a page a value stands: `page` (its text), `url`, `title` or a target; `regex` cuts it out."""

    __pydantic_config__: ClassVar = STRICT
    at: str = PAGE
    regex: str | None = None

    def __post_init__(self) -> None:
        _check_target(self.at)
        _check_regex(self.regex)
        if self.regex is None and self.at in (PAGE, URL):
            raise ValueError(f"a value read at {self.at} needs a regex that cuts it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Spot):
    """A value to read; later texts have it as `{name}`. The name "ticket" is the vendor's ticket number."""

    __pydantic_config__: ClassVar = STRICT
    name: str = "ticket"

    def __post_init__(self) -> None:
        Spot.__post_init__(self)
        if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
            raise ValueError(f'"{self.name}" cannot be a name; use small letters, digits and _')


VERBS = ("goto", "fill", "select", "check", "upload", "click", "expect", "read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step on a page: exactly one verb. `submits` marks the click that sends; without a mark it is the last."""

    __pydantic_config__: ClassVar = STRICT
    goto: str | None = None
    fill: Mapping[str, str] | None = None
    select: Mapping[str, str] | None = None
    check: str | None = None
    upload: Mapping[str, Upload] | None = None
    click: str | None = None
    expect: Expect | None = None
    read: Read | None = None
    submits: bool = False

    def __post_init__(self) -> None:
        given = [verb for verb in VERBS if getattr(self, verb) is not None]
        if len(given) != 1:
            raise ValueError(f"a step has one verb of {', '.join(VERBS)}; here: {', '.join(given) or 'none'}")
        if self.submits and self.click is None:
            raise ValueError("submits belongs to a click")
        for targets in (self.fill, self.select, self.upload):
            if targets is not None and not targets:
                raise ValueError(f"{given[0]} names no field")
            for target in targets or ():
                _check_target(target)
        for pressed in (self.check, self.click):
            if pressed is not None:
                _check_target(pressed)

    @property
    def verb(self) -> str:
        """The step's one verb."""
        return next(verb for verb in VERBS if getattr(self, verb) is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a message: a CSS selector inside the message (none: the message itself), cut out by `regex`."""

    __pydantic_config__: ClassVar = STRICT
    css: str | None = None
    regex: str | None = None

    def __post_init__(self) -> None:
        _check_regex(self.regex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """How the history of a ticket is read. `items`, `drop`, `ours` and `theirs` are CSS selectors.

    Parts are CSS selectors inside an item, or `{css, regex}`. Without `text` it is the item's text less author, time
    and whatever `drop` selects. An item that is or holds `ours` is our own message, `theirs` the vendor's; without
    them the author's name and our own words decide. Times that name no zone are in `time_zone`, and not read without.
    """

    __pydantic_config__: ClassVar = STRICT
    items: str
    text: str | Part | None = None
    author: str | Part | None = None
    time: str | Part | None = None
    subject: str | Part | None = None
    drop: str | None = None
    ours: str | None = None
    theirs: str | None = None
    time_zone: str | None = None
    day_first: bool | None = None
    time_format: str | None = None

    def __post_init__(self) -> None:
        if self.time_zone is not None:
            from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

            try:
                ZoneInfo(self.time_zone)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f'"{self.time_zone}" is no time zone; write one as Europe/London') from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Spot):
    """Where the ticket's status stands; `states` says what this vendor's words mean, before the built-in ones."""

    __pydantic_config__: ClassVar = STRICT
    states: Mapping[str, TicketState] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAt:
    """How to come to the ticket (`url`, then `steps`) and what to read there."""

    __pydantic_config__: ClassVar = STRICT
    url: str | None = None
    steps: tuple[Step, ...] = ()
    messages: Messages | None = None
    status: Status | None = None
    assigned: Spot | None = None

    def __post_init__(self) -> None:
        if self.url is None and not self.steps:
            raise ValueError("look needs a url or steps that lead to the ticket")
        if self.messages is None and self.status is None:
            raise ValueError("look reads nothing; name messages or status")
        _no_sending(self.steps, "look")


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """How to find a ticket by our `{reference}`: an address or steps, and the CSS selector of one found row each."""

    __pydantic_config__: ClassVar = STRICT
    items: str
    url: str | None = None
    steps: tuple[Step, ...] = ()
    read: tuple[Read, ...] = ()

    def __post_init__(self) -> None:
        if self.url is None and not self.steps:
            raise ValueError("find needs a url or steps that lead to the list of tickets")
        _no_sending(self.steps, "find")

    @property
    def by_reference(self) -> bool:
        """Whether the vendor is asked for our reference, so that an empty list means: no such ticket."""
        texts = [self.url or ""] + [value for step in self.steps for value in (step.fill or {}).values()]
        return any("{reference}" in text for text in texts)


def _no_sending(steps: tuple[Step, ...], where: str) -> None:
    if any(step.submits for step in steps):
        raise ValueError(f"{where} only looks; nothing in it may be marked submits")


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuth:
    """User name and password that the server asks for by HTTP itself, before any page."""

    __pydantic_config__: ClassVar = STRICT
    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A help desk on the web. Addresses in steps are relative to `url`; `hosts` are further ones that it leads to.

    `login` is carried out first; the session is kept, and the login repeated when it has ended. `timeout` is real
    time, per page.
    """

    __pydantic_config__: ClassVar = STRICT
    kind: Literal["web_ticket"]
    url: str
    open: tuple[Step, ...]
    look: LookAt | None = None
    login: tuple[Step, ...] = ()
    basic_auth: BasicAuth | None = None
    reply: tuple[Step, ...] = ()
    close: tuple[Step, ...] = ()
    find: Find | None = None
    hosts: tuple[str, ...] = ()
    timeout: Duration = Duration(30.0)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f'"{self.url}" is no address of a web page; write https://…')
        if parts.username or parts.password:
            raise ValueError(
                "a user name or password has no place in url; give it in basic_auth or login by ${env:NAME}"
            )
        for name in ("open", "reply", "close"):
            steps: tuple[Step, ...] = getattr(self, name)
            if (name == "open" or steps) and sending_step(steps) is None:
                raise ValueError(f"{name} has no click that sends")
            if sum(step.submits for step in steps) > 1:
                raise ValueError(f"{name} has more than one click marked submits")

    def beside(self, folder: Path) -> Channel:
        """Return the channel with its files named from a folder: paths in a plan are seen from where the plan is."""
        login, opening, reply, close = (
            tuple(_step_beside(step, folder) for step in steps)
            for steps in (self.login, self.open, self.reply, self.close)
        )
        return replace(self, login=login, open=opening, reply=reply, close=close)

    def address(self, path: str) -> str:
        """Return the address that `path` means, seen from the channel's own."""
        return urljoin(self.url, path)


def _step_beside(step: Step, folder: Path) -> Step:
    if not step.upload:
        return step
    placed = {
        target: replace(upload, file=str(folder / upload.file)) if upload.file is not None else upload
        for target, upload in step.upload.items()
    }
    return replace(step, upload=placed)


def sending_step(steps: tuple[Step, ...]) -> int | None:
    """Return which step is the act that the vendor notices: the click marked so, else the last click."""
    clicks = [index for index, step in enumerate(steps) if step.click is not None]
    marked = [index for index in clicks if steps[index].submits]
    return marked[0] if marked else clicks[-1] if clicks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """All that a later look at a ticket needs. `values` come from the plan, `read` from the vendor's pages.

    `looked_at_utc` is our last look that read the ticket, `seen` the keys of the messages known by then.
    """

    channel: Channel
    reference: str
    values: Mapping[str, str]
    read: Mapping[str, str] = field(default_factory=dict)
    written: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    status: str | None = None
    assigned: str | None = None
    looked_at_utc: datetime | None = None


def check_file(path: Path) -> None:
    """Check that a file can be attached.

    Raises:
        UserError: it is not there, or too large.
    """
    if not path.is_file():
        raise UserError(f"the file to attach is not there: {path}", fix="write its path as seen from the plan")
    if (size := path.stat().st_size) > LARGEST_FILE_BYTES:
        raise UserError(f"{path} is too large to attach: {size:,} of {LARGEST_FILE_BYTES:,} bytes")

"""From what a person did on a portal to the lines of a plan that does it again (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlsplit

from probes.browser import origin_name

_LONGEST_LINE = 90
_LONG_ENOUGH = 60  # a text of so many signs in a single line is a description, no subject
# What a field is for, by its name: the first that fits counts. Several languages at once, as portals mix them.
_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"e-?mail|courriel|correo|mail", "persona.email"),
    (r"phone|telefon|téléphone|teléfono|mobile|handy|\btel\b", "persona.phone"),
    (r"subject|betreff|summary|title|titel|objet|asunto|sujet|titre|título|kurzbeschreibung", "problem.subject"),
    (r"account|customer (no|num|id)|kundennummer|vertragsnummer|client n|número de cliente", "persona.account"),
    (r"descri|beschreib|message|nachricht|details?|problem|question|frage|issue|text|comment|body|mensaje|anliegen",
     "problem.body"),
    (r"user ?name|benutzer|login|kennung", ""),
    (r"(your|full|ihr|votre|su|contact)?\s*\b(name|nom|nombre)\b", "persona.name"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done: `ways` name its target, the best first. `sends`: something left the browser after it."""

    verb: str
    ways: tuple[str, ...]
    value: str = ""
    kind: str = ""
    url: str = ""
    sends: bool = False

    @property
    def target(self) -> str:
        """The best name of what it was done to."""
        return self.ways[0] if self.ways else ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the person showed on a page: the ticket's number, its status, a message."""

    what: str
    text: str = ""
    line: str = ""
    css: str = ""
    classed: str = ""
    page: str = ""
    items: str = ""
    author: str = ""
    time: str = ""


@dataclass(frozen=True, slots=True)
class Recording:
    """All that was done and shown, from the address at which it began."""

    url: str
    acts: tuple[Act, ...]
    marks: tuple[Mark, ...]
    addresses: tuple[str, ...] = ()


def plan_of(recording: Recording, today: date) -> str:
    """Return a whole plan that does what was recorded; what a person must decide is marked by a comment."""
    acts = _merged(recording.acts)
    login, opening = _split_login(acts)
    sending = _sending(opening)
    opening = opening[: sending + 1] if sending is not None else opening
    meanings = _Meanings()
    host = urlsplit(recording.url).hostname or "vendor"
    vendor = re.sub(r"[^a-z0-9]+", "-", host.lower()).strip("-")
    lines = [
        "holdproof: 1",
        f"name: Recorded from {host}",
        f'authorisation: {{ basis: own_account, by: "who?", until: {today + timedelta(days=30)} }}  # correct it',
        "vendors:",
        f"  - id: {vendor}",
    ]
    lines += [
        f"    name: {host}",
        "    place: GB  # where the vendor is, and its time zone",
        "    time_zone: Europe/London",
    ]
    lines += ["    channels:", "      portal:", "        kind: web_ticket", f"        url: {_base(recording.url)}"]
    if others := _other_hosts(recording):
        lines.append(f"        hosts: [{', '.join(others)}]")
    if login:
        lines += ["        login:", *_steps(login, recording.url, meanings, login=True)]
    lines += ["        open:", *_steps(opening, recording.url, meanings)]
    lines += _reads(recording)
    lines += _look(recording, meanings)
    values = meanings.values
    persona = {"name": values.get("persona.name", "Jo Lindgren")} | {
        name.partition(".")[2]: value for name, value in values.items() if name.startswith("persona.")
    }
    lines.append(f"personas: [{{ id: me, {', '.join(f'{name}: {_yaml(value)}' for name, value in persona.items())} }}]")
    subject = values.get("problem.subject", "A question")
    body = values.get("problem.body", subject)
    lines += ["scenarios:", f"  - problem: {{ subject: {_yaml(subject)}, body: {_yaml(body)} }}"]
    follow = (
        ", { wait: { until: resolved, at_most: 7 days } }" if any(m.what != "ticket" for m in recording.marks) else ""
    )
    lines += ["    id: recorded", f"    steps: [{{ open: portal }}{follow}]", "samples: [{ scenario: recorded }]"]
    lines.append("limits: { audit_at_most: 8 days, tickets: 1 }")
    return "\n".join(lines) + "\n"


def _merged(acts: Iterable[Act]) -> list[Act]:
    """Return the acts with what was typed into one field in several goes as one, and no address gone to twice."""
    merged: list[Act] = []
    for act in acts:
        if act.verb in ("fill", "select", "upload", "check"):
            begun = max((at for at, each in enumerate(merged) if each.verb in ("click", "goto")), default=-1) + 1
            same = [at for at in range(begun, len(merged)) if _is_same(merged[at], act)]
            if same:
                merged[same[0]] = act
                continue
        if act.verb == "goto" and merged and merged[-1].verb == "goto":
            merged.pop()
        merged.append(act)
    return merged


def _is_same(one: Act, other: Act) -> bool:
    return one.verb == other.verb and one.ways[-1:] == other.ways[-1:]


def _split_login(acts: list[Act]) -> tuple[list[Act], list[Act]]:
    """Return what logs in, up to the click after the last password, and the rest."""
    secret = max((index for index, act in enumerate(acts) if act.kind == "password"), default=None)
    if secret is None:
        return [], acts
    click = next((index for index in range(secret, len(acts)) if acts[index].verb == "click"), None)
    return (acts[: click + 1], acts[click + 1 :]) if click is not None else ([], acts)


def _sending(acts: list[Act]) -> int | None:
    """Return which click sent: the last one after which something left, else the last one after a field was filled."""
    filled = [index for index, act in enumerate(acts) if act.verb in ("fill", "select", "check", "upload")]
    clicks = [index for index, act in enumerate(acts) if act.verb == "click"]
    sent = [index for index in clicks if acts[index].sends]
    after = [index for index in clicks if filled and index > filled[-1]]
    found = sent or after[:1] or clicks
    return found[-1] if found else None


class _Meanings:
    """What the fields mean, so that a plan's run fills them for its own case; `values` is what the person wrote."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._referred = False

    def of(self, act: Act, *, login: bool) -> str:
        if act.kind == "password":
            return "${env:PORTAL_PASSWORD}"
        if login:
            meaning = "persona.email" if "@" in act.value else ""
        else:
            meaning = self._meaning(act)
        if not meaning or not act.value.strip():
            return act.value
        if self.values.setdefault(meaning, act.value.strip()) != act.value.strip():
            return act.value
        if meaning.startswith("problem.") and not self._referred:
            self._referred = True
            between = "\n\n" if meaning == "problem.body" else " "
            return f"{{{meaning}}}{between}[{{reference}}]"
        return f"{{{meaning}}}"

    def _meaning(self, act: Act) -> str:
        if act.kind == "email":
            return "persona.email"
        if act.kind == "tel":
            return "persona.phone"
        if act.kind in ("long", "editor") or len(act.value) > _LONG_ENOUGH:
            return "problem.body"
        name = " ".join(act.ways[:2]).lower()
        return next((meaning for pattern, meaning in _MEANINGS if re.search(pattern, name)), "")


def _steps(acts: list[Act], url: str, meanings: _Meanings, *, login: bool = False) -> list[str]:
    lines: list[str] = []
    if not acts or acts[0].verb != "goto":
        begin = next((act.url for act in acts if act.url), url)
        lines.append(f"          - goto: {_yaml(_path(begin, url))}")
    sending = None if login else _sending(acts)
    last_click = max((index for index, act in enumerate(acts) if act.verb == "click"), default=None)
    pairs: dict[str, str] = {}
    for index, act in enumerate(acts):
        if act.verb == "goto":
            lines.append(f"          - goto: {_yaml(_path(act.value, url))}")
        elif act.verb == "click" and index == sending != last_click:
            lines.append(f"          - {{ click: {_yaml(act.target)}, submits: true }}")
        elif act.verb in ("click", "check"):
            lines.append(f"          - {act.verb}: {_yaml(act.target)}")
        else:
            pairs[_yaml(act.target)] = _value(act, meanings, login=login)
            if index + 1 == len(acts) or acts[index + 1].verb != act.verb:
                lines += _mapping(act.verb, pairs)
                pairs = {}
    return lines


def _value(act: Act, meanings: _Meanings, *, login: bool) -> str:
    if act.verb == "upload":
        return f"{{ file: {_yaml(act.value)} }}"
    return _yaml(meanings.of(act, login=login), braces=True) if act.verb == "fill" else _yaml(act.value)


def _mapping(verb: str, pairs: dict[str, str]) -> list[str]:
    """Return a step with several fields: on one line where it is short."""
    short = ", ".join(f"{target}: {value}" for target, value in pairs.items())
    if len(short) <= _LONGEST_LINE:
        return [f"          - {verb}: {{ {short} }}"]
    return [f"          - {verb}:", *(f"              {target}: {value}" for target, value in pairs.items())]


def _reads(recording: Recording) -> list[str]:
    ticket = next((mark for mark in recording.marks if mark.what == "ticket"), None)
    if ticket is None:
        return ["          # which number has the ticket? add - read: { name: ticket, regex: … }"]
    lines = [f"          - read: {{ name: ticket, regex: {_yaml(_pattern(ticket), quote=chr(39))} }}"]
    for name, value in _keys(recording, ticket):
        pattern = f"{re.escape(name)}=([^&#]+)"
        if f"{name}={value}" in ticket.page:
            lines.append(
                f"          - read: {{ name: {_slug(name)}, at: url, regex: {_yaml(pattern, quote=chr(39))} }}"
            )
    return lines


def _keys(recording: Recording, ticket: Mark) -> list[tuple[str, str]]:
    """Return the parts of the ticket's own address that only this ticket has, besides its number."""
    pairs = parse_qsl(urlsplit(_look_page(recording)).query)
    return [(name, value) for name, value in pairs if len(value) >= 6 and ticket.text not in value and "@" not in value]


def _look_page(recording: Recording) -> str:
    marks = [mark for mark in recording.marks if mark.what in ("status", "message")] or list(recording.marks)
    return marks[-1].page if marks else ""


def _look(recording: Recording, meanings: _Meanings) -> list[str]:
    status = next((mark for mark in reversed(recording.marks) if mark.what == "status"), None)
    message = next((mark for mark in reversed(recording.marks) if mark.what == "message"), None)
    ticket = next((mark for mark in recording.marks if mark.what == "ticket"), None)
    if status is None and message is None:
        return []
    address = _path(_look_page(recording), recording.url)
    if ticket is not None:
        address = address.replace(ticket.text, "{ticket}")
        for name, value in _keys(recording, ticket):
            if f"{name}={value}" in ticket.page:
                address = address.replace(f"{name}={value}", f"{name}={{{_slug(name)}}}")
    if email := meanings.values.get("persona.email"):
        address = address.replace(email, "{persona.email}").replace(email.replace("@", "%40"), "{persona.email}")
    lines = ["        look:", f"          url: {_yaml(address, braces=True)}"]
    if status is not None:
        lines.append(f"          status: {_spot(status)}")
    if message is not None:
        parts = {"items": message.items, "author": message.author, "time": message.time}
        given = ", ".join(f"{name}: {_yaml(value)}" for name, value in parts.items() if value)
        lines.append(f"          messages: {{ {given}, time_zone: Europe/London }}")
    return lines


def _spot(mark: Mark) -> str:
    before = mark.line.partition(mark.text)[0].strip() if mark.text in mark.line else ""
    if before and len(before) <= 30:
        pattern = rf"{re.escape(before)}\s*(.+)".replace(r"\ ", " ")
        return f"{{ regex: {_yaml(pattern, quote=chr(39))} }}"
    return f"{{ at: {_yaml('css=' + (mark.classed or mark.css))} }}"


def _pattern(mark: Mark) -> str:
    """Return a regular expression for numbers like this one, after the words that stand before it."""
    shape = re.sub(r"[0-9]+", "[0-9]+", re.escape(mark.text).replace(r"\-", "-").replace(r"\#", "#"))
    if re.search(r"[A-Za-z][0-9]|[0-9][A-Za-z]", mark.text):
        shape = "[A-Za-z0-9-]+"  # letters and digits mixed: each ticket has others
    before = mark.line.partition(mark.text)[0]
    words = re.findall(r"\S+", before)[-2:]
    if not words:
        return f"({shape})" if mark.text != shape else shape
    lead = r"\s+".join(re.escape(word).replace(r"\#", "#") for word in words)
    return rf"{lead}{chr(92) + 's*' if before[-1:].isspace() else ''}({shape})"


def _other_hosts(recording: Recording) -> list[str]:
    own = origin_name(recording.url)
    return sorted({name for url in recording.addresses if (name := origin_name(url)) != own})


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def _path(address: str, url: str) -> str:
    base = _base(url)
    return "/" + address.removeprefix(base) if address.startswith(base) else address


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "key"


def _yaml(text: str, *, braces: bool = False, quote: str = '"') -> str:
    """Return a text as a YAML scalar, with quotes only where it needs them."""
    plain = re.fullmatch(r"[A-Za-z0-9/_.@+-][A-Za-z0-9 /_.@+?=()’'-]*", text) is not None
    odd = text.strip() != text or text.lower() in ("yes", "no", "on", "off", "true", "false", "null", "~") or not text
    number = re.fullmatch(r"[0-9.+eE_-]+", text) is not None
    if plain and not odd and not number and not braces and not text.startswith(("-", "?", "@")):
        return text
    if quote == "'" and "\n" not in text:
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text, ensure_ascii=False)

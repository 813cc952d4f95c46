"""What the notices of a chat say, in four languages: who came, how long the queue is, that the chat is over (pure).

Only short texts are notices; a person's sentence that holds such words is none. Who speaks is not judged here.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from probes.events import NoticeKind

LONGEST_NOTICE = 300
_LONGEST_EVENT = 140  # of who came and went, or that it is over

_NO_NAMES = frozenset(
    {"i", "we", "he", "she", "it", "they", "who", "this", "that", "there", "if", "when"}
    | {"ich", "wir", "er", "sie", "es", "je", "nous", "il", "elle", "on", "yo", "nosotros", "él", "ella"}
)
_ANYBODY = re.compile(
    r"(?:(?:live|human|support|service|available|next available|free|real|new|other|another) )*"
    r"(?:agent|operator|representative|advisor|person|human|someone|somebody|colleague|staff member|team member|"
    r"specialist|expert|teammate|mitarbeiter(?:in)?|berater(?:in)?|agente|conseill(?:er|ère)|asesor[a]?)",
    re.IGNORECASE,
)
_OURSELVES = re.compile(r"(?:you|sie|vous|usted|tú|ihr)", re.IGNORECASE)

_WAIT_SPAN = re.compile(
    r"""\b(?P<many>\d{1,4}(?:[.,]\d)?|an?|one|two|three|four|five|ten|eine[rnm]?|zwei|drei|fünf|zehn|une?|deux|trois|cinq
    |un[ao]?|dos|tres|cinco)(?:\s*(?:-|–|to|bis|à|a)\s*(?P<most>\d{1,4}))?\s*
    (?P<unit>hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s|stunden?|std|minuten?|sekunden?|sek|heures?|secondes?
    |horas?|minutos?|segundos?)\b\.?""",
    re.IGNORECASE | re.VERBOSE,
)
_CLOCK_AROUND = re.compile(r"^\W*\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\.?)?\W*|\W*\d{1,2}:\d{2}(?:\s?[ap]m)?$")
_CLOCK_SPAN = re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![\d:])")
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "zwei": 2, "drei": 3, "fünf": 5,
    "zehn": 10, "deux": 2, "trois": 3, "cinq": 5, "dos": 2, "tres": 3, "cinco": 5,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says; null where it does not. `of_us`: it speaks of what we did ("You left the chat")."""

    means: NoticeKind
    name: str | None = None
    position: int | None = None
    announced_wait_s: float | None = None
    of_us: bool = False


@dataclass(frozen=True, slots=True)
class _Words:
    """The patterns of notices.toml, ready to be used."""

    events: tuple[tuple[NoticeKind, tuple[re.Pattern[str], ...]], ...]
    position: tuple[re.Pattern[str], ...]
    ahead: tuple[re.Pattern[str], ...]
    next: tuple[re.Pattern[str], ...]
    wait: re.Pattern[str]
    queue: re.Pattern[str]


@cache
def _words() -> _Words:
    document = tomllib.loads((files("probes.chatting") / "notices.toml").read_text(encoding="utf-8"))
    parts: dict[str, str] = document["parts"]

    def compiled(name: str) -> tuple[re.Pattern[str], ...]:
        found = []
        for pattern in document["patterns"][name]:
            for part, text in parts.items():
                pattern = pattern.replace(f"<{part}>", text)
            found.append(re.compile(pattern, re.IGNORECASE))
        return tuple(found)

    def any_of(name: str) -> re.Pattern[str]:
        return re.compile(rf"\b(?:{'|'.join(document['patterns'][name])})\b", re.IGNORECASE)

    kinds = (NoticeKind.ENDED, NoticeKind.TRANSFERRED, NoticeKind.JOINED, NoticeKind.LEFT)
    return _Words(
        events=tuple((kind, compiled(kind.value)) for kind in kinds),
        position=compiled("position"),
        ahead=compiled("ahead"),
        next=compiled("next"),
        wait=any_of("wait_words"),
        queue=any_of("queue_words"),
    )


def read_notice(text: str) -> Notice:
    """Return what a notice says; OTHER where it is none of the known kinds."""
    plain = " ".join(text.split())
    if not plain or len(plain) > LONGEST_NOTICE:
        return Notice(NoticeKind.OTHER)
    if len(plain) <= _LONGEST_EVENT:
        for sentence in _sentences(plain):
            for kind, patterns in _words().events:
                for pattern in patterns:
                    found = pattern.fullmatch(sentence)
                    if found is not None and (named := _named(kind, found)) is not None:
                        return named
    return _queue(plain) or Notice(NoticeKind.OTHER)


def is_telling(notice: Notice) -> bool:
    """Whether a text says something that only a notice says, so that it is one wherever it stands."""
    return notice.means is not NoticeKind.OTHER


def _sentences(plain: str) -> list[str]:
    """Return the text and its sentences, without the signs and clock times around them."""
    without_time = _CLOCK_AROUND.sub("", plain)
    parts = [plain, without_time, *re.split(r"(?<=[.!?])\s+", without_time)]
    return list(dict.fromkeys(part.strip(" .!…-–—*•·[]()") for part in parts if part.strip()))


def _named(kind: NoticeKind, found: re.Match[str]) -> Notice | None:
    """Return the notice with the name in it; None where what stands in the name's place is none."""
    name = (found.groupdict().get("name") or "").strip(" .,:")
    name = re.sub(r"^(?:our colleague |our |the |an? |agent:? )(?=\w)", "", name, flags=re.IGNORECASE)
    if _OURSELVES.fullmatch(name):
        return Notice(kind if kind in (NoticeKind.ENDED, NoticeKind.LEFT) else NoticeKind.OTHER, of_us=True)
    words = name.split()
    if len(words) > 4 or (words and words[0].lower() in _NO_NAMES):
        return None
    return Notice(kind, name=None if not name or _ANYBODY.fullmatch(name) else name)


def _queue(plain: str) -> Notice | None:
    words = _words()
    position = _number(plain, words.position)
    if position is None:
        ahead = _number(plain, words.ahead)
        position = ahead + 1 if ahead is not None else None
    if position is None and any(pattern.search(plain) for pattern in words.next):
        position = 1
    wait_s = announced_wait_s(plain)
    if position is None and wait_s is None and not words.queue.search(plain):
        return None
    if position == 0:
        position = None
    return Notice(NoticeKind.QUEUE, position=position, announced_wait_s=wait_s)


def _number(plain: str, patterns: tuple[re.Pattern[str], ...]) -> int | None:
    for pattern in patterns:
        found = pattern.search(plain)
        if found is not None:
            return int(found["number"])
    return None


def announced_wait_s(text: str) -> float | None:
    """Return the wait that a text announces, in seconds: the longer end of a range; None where it announces none."""
    if not _words().wait.search(text):
        return None
    spans = list(_WAIT_SPAN.finditer(text))
    if spans:
        total = 0.0
        previous_end = None
        for span in spans:
            if previous_end is not None and not re.fullmatch(
                r"(?:,|\s|and|und|et|y)*", text[previous_end : span.start()]
            ):
                break
            many = span["most"] or span["many"]
            number = float(many.replace(",", ".")) if many[0].isdigit() else _NUMBERS.get(many.lower(), 1)
            total += number * _unit_s(span["unit"])
            previous_end = span.end()
        return total
    clock = _CLOCK_SPAN.search(text)
    if clock is not None and re.search(r"wait|wartezeit|attente|espera", text, re.IGNORECASE):
        first, second, third = int(clock[1]), int(clock[2]), clock[3]
        return float(first * 3600 + second * 60 + int(third)) if third else float(first * 60 + second)
    return None


def _unit_s(unit: str) -> float:
    first = unit.lower()[0]
    if first == "h" or unit.lower().startswith("st"):
        return 3600.0
    return 60.0 if first == "m" else 1.0

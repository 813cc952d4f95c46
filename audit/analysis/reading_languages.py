"""The languages that messages are read in: one data file each, in `audit/analysis/languages/`.

A rule is a line with a pattern. In it `~` is a gap of up to 50 signs within the sentence, a `*` the rest of a word,
`{name}` the alternatives of that name under `[words]`, `(a|b)` alternatives and `?` an option. Patterns are matched
against folded sentences (`folded`): lower case, no accents, one kind of space.
Repetitions are bounded, so that none can run away (a repeated group must not begin with what it may end with).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, NamedTuple

from audit.analysis.reading_rules import LanguageFault, Rule, RuleSet, StemIndex, compiled, source_of

_WORD = re.compile(r"\w+")
_NAME = re.compile(r"\{(\w+)\}")
_GROUP = re.compile(r"(?<!\\)\((?!\?)")
_FOLDS = str.maketrans(
    {"’": "'", "‘": "'", "`": "'", "´": "'", "ß": "ss", "–": "-", "—": "-", "‑": "-", "“": '"', "”": '"'}
)
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\x00-\x08\x0e-\x1f]")


def folded(text: str) -> str:
    """Return a text for matching: no case, accents or unseen signs, plain quotes and dashes, one kind of space."""
    text = _UNSEEN.sub("", text).translate(_FOLDS)
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that desks ask for: how it is asked for, and how one sees that it had been given."""

    name: str
    asked: re.Pattern[str]
    given: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class TimeWords:
    """A language's words for due moments, as patterns; `reading_due` has the grammar."""

    numbers: Mapping[str, int]
    patterns: Mapping[str, re.Pattern[str]]
    days: tuple[re.Pattern[str], ...]
    months: tuple[re.Pattern[str], ...]
    amount: re.Pattern[str]
    day_first: bool


@dataclass(frozen=True, eq=False)
class Language:
    """One language: its common words (to know it by), its rules by sign, its words for time."""

    code: str
    common: frozenset[str]
    signs: Mapping[str, RuleSet]
    closings: RuleSet
    quote_heads: RuleSet
    header_names: frozenset[str]
    items: tuple[Asked, ...]
    asks_for: re.Pattern[str]
    time: TimeWords

    @cached_property
    def index(self) -> StemIndex:
        """Where each stem leads."""
        return StemIndex(self.signs)

    def signs_of(self, sentence: str) -> list[str]:
        """Return the names of the signs that a folded sentence shows; the same as `search` of each of them says."""
        return [name for name in self.index.shown_by(sentence) if not self.signs[name].excludes(sentence)]


def language_codes() -> tuple[str, ...]:
    """Return the languages of the package; English first."""
    folder = resources.files("audit.analysis") / "languages"
    codes = sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))
    return tuple(sorted(codes, key=lambda code: code != "en"))


@lru_cache(maxsize=32)
def load_language(code: str) -> Language:
    """Return a language of the package.

    Raises:
        LanguageFault: its file has a rule that cannot be read.
    """
    text = (resources.files("audit.analysis") / "languages" / f"{code}.toml").read_text(encoding="utf-8")
    return parse_language(code, tomllib.loads(text))


@lru_cache(maxsize=1)
def all_languages() -> tuple[Language, ...]:
    """Return every language of the package."""
    return tuple(load_language(code) for code in language_codes())


def parse_language(code: str, document: Mapping[str, Any]) -> Language:
    """Read a language document.

    Raises:
        LanguageFault: a pattern names a fragment that there is not, or one of those for time does not compile.
    """
    words = {name: folded(value) for name, value in document.get("words", {}).items()}

    def rules(lines: str, where: str) -> tuple[Rule, ...]:
        found = []
        for line in lines.splitlines():
            if line.strip():
                found.append(Rule(full(line, where), place(where, line)))
        return tuple(found)

    def place(where: str, pattern: str) -> str:
        return f"languages/{code}.toml, {where}: {pattern.strip()!r}"

    def full(pattern: str, where: str) -> str:
        try:
            return _NAME.sub(lambda m: f"({words[m.group(1)]})", folded(pattern))
        except KeyError as exc:
            raise LanguageFault(f"{place(where, pattern)}: there are no words {exc}") from exc

    def one(pattern: str, where: str) -> re.Pattern[str]:
        return compiled(source_of(full(pattern, where)), place(where, pattern))

    def rule_set(given: Mapping[str, Any], where: str) -> RuleSet:
        return RuleSet(
            rules(given.get("rules", ""), where), rules(given.get("not", ""), where), given.get("confidence", 0.8)
        )

    time = document["time"]
    numbers = {folded(name): int(value) for name, value in time["numbers"].items()}
    number = r"\d{1,3}|" + "|".join(sorted(map(re.escape, numbers), key=len, reverse=True))
    units = "|".join(f"(?P<{unit}>{_bare(time['units'][unit])})" for unit in UNITS if unit in time["units"])
    amount = (
        rf"(?<![\w.,])(?P<n>{number}) ?(?:(?:{_bare(time['range'])}) ?(?P<m>{number}) ?)?"
        rf"(?:{_bare(time['between'])})? ?"
        rf"(?:{units})(?!\w)"
    )
    text = document["text"]
    return Language(
        code=code,
        common=frozenset(_WORD.findall(folded(document["common"]))),
        signs={name: rule_set(given, name) for name, given in document["signs"].items()},
        closings=rule_set({"rules": text["closings"]}, "text.closings"),
        quote_heads=rule_set({"rules": text["quote_heads"]}, "text.quote_heads"),
        header_names=frozenset(map(folded, text["headers"])),
        items=tuple(
            Asked(name, one(given["asked"], name), one(given["given"], name))
            for name, given in document.get("items", {}).items()
        ),
        asks_for=one(text["asks_for"], "text.asks_for"),
        time=TimeWords(
            numbers=numbers,
            patterns={name: one(given, name) for name, given in time["patterns"].items()}
            | {"clock": re.compile(rf"(?<![\w.,:/])(?:{_named(time['clock'])})(?!\w)")},
            days=tuple(one(given, "time.days") for given in time["days"]),
            months=tuple(one(given, "time.months") for given in time["months"]),
            amount=re.compile(amount),
            day_first=bool(time["day_first"]),
        ),
    )


UNITS = ("workhour", "workday", "minute", "hour", "day", "week", "month")


def _named(pattern: str) -> str:
    """Return a pattern with `(h:…)` and the like as named groups."""
    text = re.sub(r"\((h[2-4]?|m[2-4]?|am|pm2?):", r"(?P<\1>", folded(pattern))
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", text)


def _bare(pattern: str) -> str:
    return _GROUP.sub("(?:", folded(pattern)).replace("*", r"\w{0,20}")


def languages_of(folded_text: str) -> tuple[Language, ...]:
    """Return the languages that a text may be in, likeliest first; all of them where no common word tells.

    A text in two languages (many desks write the same twice) gives both.
    """
    return languages_by(common_words(folded_text).counts)


@lru_cache(maxsize=1024)
def languages_by(counts: tuple[int, ...]) -> tuple[Language, ...]:
    """Return the languages that a text with so many common words of each may be in; see `languages_of`."""
    most = max(counts)
    if most == 0:
        return all_languages()
    likely = [(count, language) for count, language in zip(counts, all_languages(), strict=True) if count * 3 >= most]
    return tuple(language for _, language in sorted(likely, key=lambda pair: -pair[0]))


class CommonWords(NamedTuple):
    """How many of a text's words are common ones of each language, and how many words it has."""

    counts: tuple[int, ...]
    words: int

    @property
    def is_known(self) -> bool:
        """Whether the text has enough common words of a language that we know."""
        return max(self.counts) * 8 >= self.words


def common_words(folded_text: str) -> CommonWords:
    """Count the common words of each language."""
    tokens = _WORD.findall(folded_text)
    return CommonWords(
        tuple([sum(map(language.common.__contains__, tokens)) for language in all_languages()]), len(tokens)
    )

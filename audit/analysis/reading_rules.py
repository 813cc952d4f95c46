"""Rules on words: patterns, the literal parts that must occur for a pattern to be tried, and an index of them.

A language has a thousand patterns, and a sentence shows a handful of them. So each pattern's literal parts are worked
out, and a pattern is tried only on a sentence that holds one of the most telling ones ("stems") and, as far as three
signs of each tell ("grams"), the others too: looking for these takes a tenth of the time of trying a pattern.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


class LanguageFault(ValueError):
    """A language file says something that cannot be; the message says what and where."""


def compiled(source: str, where: str) -> re.Pattern[str]:
    """Compile a pattern.

    Raises:
        LanguageFault: it does not compile; the message says where it stands.
    """
    try:
        return re.compile(source)
    except re.error as exc:
        raise LanguageFault(f"{where}: {exc}") from exc


_GROUP = re.compile(r"(?<!\\)\((?!\?)")


def source_of(pattern: str) -> str:
    """Return a pattern of a language file, folded and its `{names}` put in, as a regular expression."""
    text = _GROUP.sub("(?:", pattern).replace("*", r"\w{0,20}").replace("~", r"(?!(?<=\w)\w).{0,50}?")
    return rf"(?<!\w)(?:{text})(?!\w)"


@dataclass(frozen=True)
class Rule:
    """One pattern, folded and its `{names}` put in.

    Its stems and what it compiles to are worked out when they are first asked for: most audits need the rules of one
    language, and few of those. `where` it stands is for the message about a pattern that does not compile.
    """

    text: str
    where: str

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The literal parts of which one must occur for the pattern to be tried."""
        return stems_of(self.text)

    @cached_property
    def _needs(self) -> tuple[tuple[frozenset[str], ...], ...]:
        """The first three signs of the parts that must occur, per alternative and place of the pattern."""
        alternatives, _ = _alternatives(self.text, 0)
        return tuple(
            tuple(frozenset([part[:3] for part in place]) for place in places if min(map(len, place)) >= 3)
            for places in alternatives
        )

    def may_fit(self, grams: set[str]) -> bool:
        """Whether a sentence of these grams may have, for one of the alternatives, a part for every place."""
        for places in self._needs:
            for needed in places:
                if grams.isdisjoint(needed):
                    break
            else:
                return True
        return False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled pattern.

        Raises:
            LanguageFault: it does not compile.
        """
        return compiled(source_of(self.text), self.where)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one sign. A sentence which one of `excluded` fits never shows it. `confidence` is our estimate."""

    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    confidence: float

    def search(self, sentence: str) -> re.Match[str] | None:
        """Return where a folded sentence shows the sign."""
        for rule in self.rules:
            if any(stem in sentence for stem in rule.stems) and (found := rule.pattern.search(sentence)):
                return None if self.excludes(sentence) else found
        return None

    def excludes(self, sentence: str) -> bool:
        """Whether a sentence never shows the sign, whatever else it says."""
        for rule in self.excluded:
            for stem in rule.stems:
                if stem in sentence:
                    if rule.pattern.search(sentence) is not None:
                        return True
                    break
        return False


class StemIndex:
    """Finds the signs that a sentence shows, without trying the stems of all their rules.

    Each stem stands under three of its signs, the rarest ones, so that of a thousand stems a sentence tries some tens.
    """

    def __init__(self, signs: Mapping[str, RuleSet]) -> None:
        by_stem: dict[str, list[tuple[str, Rule]]] = {}
        for name, rules in signs.items():
            for rule in rules.rules:
                for stem in rule.stems:
                    by_stem.setdefault(stem, []).append((name, rule))
        often = Counter(gram for stem in by_stem for gram in _grams(stem))
        self._short: list[tuple[str, list[tuple[str, Rule]]]] = []
        self._by_gram: dict[str, list[tuple[str, list[tuple[str, Rule]]]]] = {}
        for stem, rules_of in by_stem.items():
            if grams := _grams(stem):
                self._by_gram.setdefault(min(grams, key=lambda gram: (often[gram], gram)), []).append((stem, rules_of))
            else:
                self._short.append((stem, rules_of))
        self._grams = frozenset(self._by_gram)

    def shown_by(self, sentence: str) -> list[str]:
        """Return the names of the signs of which a rule fits a folded sentence."""
        shown: dict[str, None] = {}
        tried: set[int] = set()
        grams = _grams(sentence)
        groups = [self._short, *[self._by_gram[gram] for gram in self._grams.intersection(grams)]]
        for group in groups:
            for stem, rules_of in group:
                if stem in sentence:
                    for name, rule in rules_of:
                        if name not in shown and id(rule) not in tried:
                            tried.add(id(rule))
                            if rule.may_fit(grams) and rule.pattern.search(sentence) is not None:
                                shown[name] = None
        return list(shown)


def _grams(text: str) -> set[str]:
    return {text[place : place + 3] for place in range(len(text) - 2)}


def stems_of(pattern: str) -> tuple[str, ...]:
    """Return literal parts of a pattern of a language file, one of which occurs in everything that it fits.

    Args:
        pattern: folded, its `{names}` put in.

    Returns:
        The parts that are likely to tell most: of all places where something must stand, those with the longest
        shortest part. One empty part where nothing can be said: the pattern is then tried on everything.
    """
    alternatives, end = _alternatives(pattern, 0)
    if end != len(pattern):  # a bracket too many; compiling it says so
        return ("",)
    return tuple(sorted(_needed_by_all(alternatives))) or ("",)


_Place = frozenset[str]  # parts, one of which must stand at this place; empty: anything may


def _needed_by_all(alternatives: list[list[_Place]]) -> _Place:
    """Return parts of which every alternative needs one; none where an alternative needs nothing."""
    needed: set[str] = set()
    for places in alternatives:
        best = max(places, key=_tells, default=frozenset())
        if not best:
            return frozenset()
        needed |= best
    return frozenset(needed)


def _tells(place: _Place) -> tuple[int, int]:
    return min(map(len, place), default=0), -len(place)


def _alternatives(pattern: str, at: int) -> tuple[list[list[_Place]], int]:
    """Read alternatives up to the end or the closing bracket; return each one's places, and where reading stopped."""
    found: list[list[_Place]] = [[]]
    literal = ""

    def flush() -> None:
        nonlocal literal
        if literal:
            found[-1].append(frozenset({literal}))
        literal = ""

    while at < len(pattern) and pattern[at] != ")":
        sign = pattern[at]
        place: _Place = frozenset()
        if sign == "|":
            flush()
            found.append([])
            at += 1
            continue
        if sign == "(":
            looks = pattern.startswith("(?", at)
            inner, end = _alternatives(pattern, at + 1)
            place, at = frozenset() if looks else _needed_by_all(inner), end + 1
        elif sign == "[":
            at = pattern.index("]", at) + 1
        elif sign == "\\":
            sign, at = pattern[at + 1 : at + 2], at + 2
            place = frozenset() if sign.isalnum() else frozenset({sign})
        else:
            place = frozenset() if sign in ".~*^$" else frozenset({sign})
            at += 1
        optional, repeated, at = _quantifier(pattern, at)
        if len(place) == 1 and len(next(iter(place))) == 1 and not optional and not repeated:
            literal += next(iter(place))
            continue
        flush()
        if place and not optional:
            found[-1].append(place)
    flush()
    return found, at


def _quantifier(pattern: str, at: int) -> tuple[bool, bool, int]:
    """Return whether what stands before may be missing, whether it may come more than once, and where it ends."""
    if pattern.startswith("?", at):
        return True, False, at + 1
    if pattern.startswith("+", at):
        return False, True, at + 1
    if pattern.startswith("{", at):
        end = pattern.index("}", at) + 1
        return pattern[at + 1] == "0", True, end + pattern.startswith("?", end)
    return False, False, at

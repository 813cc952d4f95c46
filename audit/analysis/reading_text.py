"""What the author of a message wrote anew: quotes, histories, signatures and our own words taken off.

By lines, so that the time grows with the length of the text alone. What a frame of the desk's software adds ("reply
above this line") goes too; it says nothing of who wrote what stands in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from audit.analysis.reading_languages import all_languages, folded
from audit.analysis.reading_rules import RuleSet

LONGEST = 8000  # longer texts are quoted history; the vendor's own words come first
_LONGEST_SENTENCE = 500
_MOST_SENTENCES = 120
_SHINGLE = 6
_WORD = re.compile(r"\w+")
_QUOTED_LINE = re.compile(r"^\s*(?:>|\|\s)")
_RULE_LINE = re.compile(r"^\s*(?:[_=*]{8,}|-{8,})\s*$")
_SEPARATOR = re.compile(r"^\s*-{2,}\s*\w[^-]{2,40}\s*-{2,}\s*$")
_HEADER = re.compile(r"^[\s*]*([^\W\d][\w -]{0,14}?)\s?\*?:")
_STOP = re.compile(r"[.!?…]+[\"')\]]*\s+|\n+")
_ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:\w|\d{1,2}|z\. ?b|e\.g|i\.e|[ap]\.m|no|nr|mr|mrs|ms|dr|ca|approx|max|min|std|bzw|usw|evtl|inkl|"
    r"sr|sra|mme|num|st|u\.a|d\.h)$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s")
_POSTSCRIPT = re.compile(r"^\s*p\.? ?s\.?[ :]", re.IGNORECASE)


def own_words(text: str) -> str:
    """Return what the author wrote anew: without quoted lines, quoted history, frames and the signature."""
    text = text[:LONGEST].replace("\r\n", "\n").replace("\r", "\n")
    if "\n" not in text:
        return "" if _QUOTED_LINE.match(text) else text.strip()
    lines = text.split("\n")
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if _is_quoted(line):
            number += 1
            continue
        head = _history_starts(lines, number)
        if head:
            rest = [other for other in lines[number + head :] if other.strip()]
            if not rest or not _is_quoted(rest[0]):
                break  # history without marks goes to the end
            number += head
            continue
        kept.append(line)
        number += 1
    return "\n".join(_without_signature(_without_frames(kept))).strip()


_MASKED = re.compile(r"\d+")
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d{2}\b|\b\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}\b|\b(?:19|20)\d{2}\b")
_SAID = re.compile(r"[.!?…:][\"'”’)\]]*$")
_MOST_WORDS_OF_FRAME = 12


def frame_lines(texts: Iterable[str]) -> frozenset[str]:
    """Return the lines that stand around several of these messages alike, numbers aside: a desk's headings and menus.

    A line that ends like a sentence is somebody's words, however often it is said.
    """
    seen: Counter[str] = Counter()
    for text in (text for text in texts if "\n" in text):
        seen.update({_frame_key(line) for line in text[:LONGEST].splitlines() if line.strip()})
    return frozenset(key for key, times in seen.items() if times > 1 and len(key.split()) <= _MOST_WORDS_OF_FRAME)


def spoken(
    text: str,
    *,
    author: str | None = None,
    subject: str | None = None,
    ours: Sequence[str] = (),
    frames: frozenset[str] = frozenset(),
) -> str:
    """Return what the author says, for a quotation: own words alone, without the desk's lines before and after them.

    Args:
        text: of the vendor's side.
        author: as the page or mail calls them: a line of few words with the name is a heading.
        subject: likewise.
        ours: what we had written before, as `plain` returns it.
        frames: of `frame_lines`.

    Returns:
        Words of the text in their order; the whole text where nothing would be left.
    """
    lines = without_ours(own_words(text), ours)[0].split("\n")
    if len(lines) == 1 and lines[0].strip():
        return lines[0].strip()
    heads = [folded(name) for name in (author, subject) if name and name.strip()]

    def is_frame(line: str) -> bool:
        bare = line.strip()
        if not any(sign.isalnum() for sign in bare):
            return True
        if (_SAID.search(bare) and not bare.endswith(":")) or len(bare.split()) > _MOST_WORDS_OF_FRAME:
            return False
        named = folded(bare)
        return _frame_key(line) in frames or _CLOCK.search(bare) is not None or any(head in named for head in heads)

    first = next((number for number, line in enumerate(lines) if not is_frame(line)), None)
    if first is None:
        return text.strip()
    last = next(number for number in range(len(lines) - 1, -1, -1) if not is_frame(lines[number]))
    return "\n".join(lines[first : last + 1]).strip()


def _frame_key(line: str) -> str:
    bare = line.strip()
    return "" if _SAID.search(bare) and not bare.endswith(":") else _MASKED.sub("0", folded(bare))


def _is_quoted(line: str) -> bool:
    return _QUOTED_LINE.match(line) is not None


def _history_starts(lines: Sequence[str], number: int) -> int:
    """Return how many lines from here on are the head of a quoted history; 0: none."""
    line = lines[number][:300]
    if not line.strip():
        return 0
    if _SEPARATOR.match(line):
        return 1 if _heads(line) else 0
    if _is_header(line):
        block = 1
        while number + block < len(lines) and block < 8 and _is_header(lines[number + block][:300]):
            block += 1
        return block if block >= 3 else 0
    if line.rstrip().endswith(":"):
        return 1 if _heads(line) else 0
    if number + 1 < len(lines):  # a long head is wrapped into two lines
        joined = f"{line} {lines[number + 1][:300]}"
        if joined.rstrip().endswith(":") and _heads(joined) and not _heads(lines[number + 1][:300]):
            return 2
    return 0


def _heads(line: str) -> bool:
    folded_line = folded(line)
    return any(language.quote_heads.search(folded_line) for language in all_languages())


def _is_header(line: str) -> bool:
    found = _HEADER.match(line)
    return found is not None and any(folded(found.group(1)) in language.header_names for language in all_languages())


def _without_frames(lines: list[str]) -> list[str]:
    frames = [language.signs["frame"] for language in all_languages()]
    return [line for line in lines if not _is_frame(line, frames)]


def _is_frame(line: str, frames: Sequence[RuleSet]) -> bool:
    if not line.strip() or len(line) > 400:
        return False
    text = folded(line)
    return any(frame.search(text) for frame in frames)


def _without_signature(lines: list[str]) -> list[str]:
    """Cut what follows a closing ("Kind regards"), but keep a postscript; nothing is cut from the first line."""
    begun = False
    for number, line in enumerate(lines):
        bare = line.strip()
        if not bare:
            continue
        if begun and (bare in ("--", "-- ", "__") or _closes(bare)):
            rest = lines[number + 1 :]
            after = next((n for n, other in enumerate(rest) if _POSTSCRIPT.match(other)), None)
            kept = lines[:number]
            return kept if after is None else [*kept, *rest[after:]]
        begun = begun or not bare.endswith(",") or len(bare) > 40
    return lines


_NAME = re.compile(r"[^\W\d_][\w.'’-]+(?: [^\W\d_][\w.'’-]*){0,3}")
_SELF = re.compile(
    r"\b(?i:my name is|this is|je m'appelle|mi nombre es|me llamo|mein name ist|ich heiße) "
    r"([^\W\d_][\w'’-]+(?: [A-ZÀ-Ý][\w'’-]+){0,2})(?= (?:from|of|here|and|von|und|de|y|et)\b|[.,!])"
)


@lru_cache(maxsize=8192)
def signed_by(text: str) -> str | None:
    """Return the name that stands under a message's closing, or by which its author calls herself; None: none."""
    text = text[:LONGEST]
    if "\n" in text:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        for number, line in enumerate(lines[1:-1], start=1):
            if len(line) <= 40 and _closes(line):
                name = lines[number + 1].rstrip(",.")
                if _NAME.fullmatch(name) and name[0].isupper():
                    return name
    found = _SELF.search(text)
    return found.group(1) if found is not None and found.group(1)[0].isupper() else None


def _closes(bare: str) -> bool:
    if len(bare) > 60:
        return False
    text = folded(bare)
    for language in all_languages():
        found = language.closings.search(text)
        if found is not None and found.start() == 0 and len(_WORD.findall(text[found.end() :])) <= 3:
            return True
    return False


def without_ours(text: str, ours: Sequence[str]) -> tuple[str, bool]:
    """Take out what we had written ourselves, however it is wrapped.

    Args:
        text: of the vendor's side.
        ours: what we had written before, as `plain` returns it.

    Returns:
        What is left, and whether anything was ours. Runs of six words and more that we had written are ours; of a
        shorter text of ours only the whole.
    """
    if not ours:
        return text, False
    long, short, words = _known(tuple(ours))
    may_be_ours = bytes(map(words.__contains__, _WORD.findall(text.casefold())))
    if not short and b"\1" * _SHINGLE not in may_be_ours:  # so it is with most answers
        return text, False
    known = _runs(long)
    tokens = [token.casefold() for token in _WORD.findall(text)]
    runs = list(zip(*(tokens[place:] for place in range(_SHINGLE)), strict=False))
    mine = [False] * len(tokens)
    for place, run in enumerate(runs):
        if run in known:
            mine[place : place + _SHINGLE] = [True] * _SHINGLE
    for whole in short:
        if tuple(tokens) == whole or (len(whole) >= 3 and tuple(tokens[-len(whole) :]) == whole):
            mine[len(tokens) - len(whole) :] = [True] * len(whole)
    if not any(mine):
        return text, False
    left, at = [], 0
    for found, is_mine in zip(_WORD.finditer(text), mine, strict=True):
        if is_mine:
            left.append(text[at : found.start()])
            at = found.end()
    left.append(text[at:])
    return "".join(left).strip(), True


_Words = tuple[str, ...]


@lru_cache(maxsize=512)
def _known(ours: tuple[str, ...]) -> tuple[tuple[_Words, ...], tuple[_Words, ...], frozenset[str]]:
    """Return our texts of six words and more, those that are shorter, and the words of the longer ones."""
    texts = [tuple(_WORD.findall(own.casefold()[:50_000])) for own in ours]
    long = tuple(tokens for tokens in texts if len(tokens) >= _SHINGLE)
    return long, tuple(tokens for tokens in texts if 0 < len(tokens) < _SHINGLE), frozenset().union(*long)


@lru_cache(maxsize=512)
def _runs(texts: tuple[_Words, ...]) -> frozenset[_Words]:
    """Return all runs of six words."""
    return frozenset(
        run for tokens in texts for run in zip(*(tokens[place:] for place in range(_SHINGLE)), strict=False)
    )


def sentences(text: str) -> list[str]:
    """Split a text into sentences; lines that a mail program wrapped are joined again."""
    found: list[str] = []
    text = _joined(text)
    begin = 0
    for stop in _STOP.finditer(text):
        sign, at = stop.group(), stop.start()
        if sign[0] == "." and "\n" not in sign and _is_abbreviated(text[max(0, at - 8) : at], at <= 8):
            follows = text[stop.end() : stop.end() + 1]
            before = text[max(0, at - 4) : at]
            if not follows.isupper() or before[-1:].isdigit() or "." in before:
                continue
        _add(found, text[begin : stop.end()])
        begin = stop.end()
        if len(found) >= _MOST_SENTENCES:
            return found
    _add(found, text[begin:])
    return found


@lru_cache(maxsize=8192)
def _is_abbreviated(end: str, is_whole: bool) -> bool:
    """Return whether a text that ends so, or is no more than that, ends with a word that has a stop of its own."""
    return _ABBREVIATED.search(end if is_whole else f".{end}") is not None


def _add(found: list[str], sentence: str) -> None:
    sentence = sentence.strip()[:_LONGEST_SENTENCE]
    if has_words(sentence):
        found.append(sentence)


def has_words(text: str) -> bool:
    """Whether there is any letter or digit in a text."""
    return text[:1].isalnum() or any(sign.isalnum() for sign in text)


def _joined(text: str) -> str:
    if "\n" not in text:
        return text.strip()
    lines = text.split("\n")
    out: list[str] = []
    for line in lines:
        bare = line.strip()
        joins = (
            out
            and len(out[-1].rpartition("\n")[2]) >= 45
            and bare
            and out[-1][-1:] not in ".!?:;"
            and not _BULLET.match(line)
        )
        if joins:
            out[-1] = f"{out[-1]} {bare}"
        else:
            out.append(bare)
    return "\n".join(out)


def shown(sentence: str) -> str:
    """Return a sentence as a quote: without its stop, not longer than a quote is."""
    return sentence.strip().rstrip(".!…").strip()[:300]

"""How well messages are read: precision and recall of every class and language on made messages.

    python -m bench.reading_bench [--part NAME ...] [--faults]

What the parts are, and which of them were written before the rules: tests/data/messages/README.md. A message read as
`unsure` waits for a person: it counts against recall, not against precision. `due` counts the promises whose due moment
was worked out, and rightly. `--faults` shows each message that was read otherwise than labelled: for the parts that the
rules may be changed by.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from audit.analysis.reading import MessageKind, Reading, plain, promises_in, read_message
from audit.calendar import BusinessCalendar
from probes.errors import Side
from probes.events import MessageSeen

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "messages"
PARTS = ("written_with_the_rules", "held_out", "desks", "second", "fresh", "last")
WRITTEN = datetime(2026, 3, 4, 10, 0)  # noqa: DTZ001 - by the vendor's clock, whose zone the language gives
PLACES = {
    "en": ("Europe/London", "GB"), "de": ("Europe/Berlin", "DE"), "fr": ("Europe/Paris", "FR"),
    "es": ("Europe/Madrid", "ES"),
}  # fmt: skip
_UNSURE = "unsure (waits for a person)"


@dataclass(frozen=True, slots=True)
class Labelled:
    """One made message with what it is. `facts` are its author, subject, due moment and the like, as written."""

    language: str
    kind: str
    cues: frozenset[str]
    text: str
    ours: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def read(self) -> Reading:
        """Return what it is read as."""
        author, subject = self.facts.get("author"), self.facts.get("subject")
        seen = MessageSeen("m1", Side.VENDOR, author, subject, self.text, None, None, None)
        return read_message(seen, [plain(self.ours)])

    def calendar(self) -> BusinessCalendar:
        """Return the calendar of the vendor that wrote it."""
        zone, place = PLACES[self.language]
        return BusinessCalendar("Mon-Fri 09:00-17:30", zone, place)

    def due_found(self, reading: Reading) -> str:
        """Return the due moment of its first promise as labels are written; "none" where there is none."""
        zone = ZoneInfo(PLACES[self.language][0])
        for promise in promises_in(reading, WRITTEN.replace(tzinfo=zone), self.calendar()):
            if promise.due_at_utc is not None:
                return promise.due_at_utc.astimezone(zone).strftime("%Y-%m-%d %H:%M")
        return "none"


def labelled(part: str) -> Iterator[Labelled]:
    """Yield the messages of one part."""
    if (FOLDER / f"{part}.yaml").exists():
        yield from _from_lines(FOLDER / f"{part}.yaml")
    for path in sorted(FOLDER.glob(f"{part}*.txt")):
        yield from _from_blocks(path.read_text(encoding="utf-8"))


def _from_lines(path: Path) -> Iterator[Labelled]:
    document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    for line in document["messages"].splitlines():
        language, kind, cues, text = (cell.strip() for cell in line.split("|", 3))
        yield Labelled(language, kind, _names(cues), text.replace("\\n", "\n"), document["ours"])


def _from_blocks(text: str) -> Iterator[Labelled]:
    ours = ""
    for block in ("\n" + text).split("\n=== "):
        head, _, rest = block.partition("\n")
        message, _, following = rest.partition("\n### ours\n")
        if "|" in head:
            language, kind, cues, *facts = (cell.strip() for cell in head.split(" |"))
            pairs = (fact.partition("=") for fact in facts if fact)
            yield Labelled(
                language, kind, _names(cues), message.strip(), ours, {name: value for name, _, value in pairs}
            )
        ours = following.strip() or ours


def _names(cell: str) -> frozenset[str]:
    return frozenset(name for name in cell.split(",") if name)


def counts(part: str) -> dict[tuple[str, str], Counter[str]]:
    """Return hits, misses and false alarms by class and language."""
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for message in labelled(part):
        reading = message.read()
        pairs = [({message.kind}, {reading.kind.value}, "kind: ")]
        pairs.append((set(message.cues), {cue.kind.value for cue in reading.cues}, ""))
        if wanted := message.facts.get("due"):
            pairs.append(({wanted} - {"none"}, {message.due_found(reading)} - {"none"}, "due"))
        for right, found, prefix in pairs:
            for name in right | found:
                if prefix == "kind: " and name == "unsure" and name not in right:
                    table[_UNSURE, message.language]["false"] += 1
                    continue
                what = "hit" if name in right & found else "missed" if name in right else "false"
                table["due moment" if prefix == "due" else prefix + name, message.language][what] += 1
    return table


def faults(part: str) -> Iterator[str]:
    """Yield what was read otherwise than labelled."""
    for message in labelled(part):
        reading = message.read()
        found = {cue.kind.value for cue in reading.cues}
        said = []
        if reading.kind.value != message.kind:
            said.append(f"{message.kind} read as {reading.kind.value} by {reading.quote!r}")
        said += [f"missed {name}" for name in sorted(message.cues - found)]
        said += [f"{cue.kind.value} in {cue.quote!r}" for cue in reading.cues if cue.kind.value not in message.cues]
        wanted, due = message.facts.get("due"), message.due_found(reading)
        if wanted and wanted != due:
            said.append(f"due {wanted} read as {due}")
        if said:
            yield f"{message.language} {message.text[:160]!r}\n    " + "\n    ".join(said)


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def _print_table(part: str) -> None:
    messages, table = list(labelled(part)), counts(part)
    languages = sorted({language for _, language in table}, key=lambda code: (code != "en", code))
    right = sum(message.read().kind == message.kind for message in messages)
    wrong = sum(message.read().kind not in (message.kind, MessageKind.UNSURE) for message in messages)
    print(f"\n**{part.replace('_', ' ')}** ({len(messages)} messages; precision / recall (n))\n")
    print("| class | " + " | ".join(languages) + " | all |\n|---|" + "---|" * (len(languages) + 1))
    for name in sorted({name for name, _ in table}):
        cells = []
        for codes in [*([code] for code in languages), languages]:
            total: Counter[str] = sum((table[name, code] for code in codes if (name, code) in table), Counter())
            hit, wanted, found = total["hit"], total["hit"] + total["missed"], total["hit"] + total["false"]
            cells.append(f"{_ratio(hit, found)} / {_ratio(hit, wanted)} ({wanted})" if wanted or found else "")
        print(f"| {name} | " + " | ".join(cells) + " |")
    print(
        f"\nkind right: {right} of {len(messages)}; wrong: {wrong}; left to a person: {len(messages) - right - wrong}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print a markdown table for each part, or the faults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--faults", action="store_true")
    given = parser.parse_args(arguments)
    for part in given.part:
        if given.faults:
            print("\n".join(faults(part)))
        elif next(labelled(part), None) is not None:
            _print_table(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())

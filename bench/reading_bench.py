"""How well messages are read: precision and recall of every class and language on made messages.

    python -m bench.reading_bench

Two parts: messages that the rules were written with, and messages written afterwards in other words, by which no rule
was changed. A message read as `unsure` waits for a person: it counts against recall, not against precision.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from audit.analysis.reading import Reading, plain, read_message
from probes.errors import Side
from probes.events import MessageSeen

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "messages"
PARTS = ("written_with_the_rules", "held_out")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One made message with what it is."""

    language: str
    kind: str
    cues: frozenset[str]
    text: str
    ours: str

    def read(self) -> Reading:
        seen = MessageSeen("m1", Side.VENDOR, None, None, self.text, None, None, None)
        return read_message(seen, [plain(self.ours)])


def labelled(part: str) -> Iterator[Labelled]:
    """Yield the messages of one part."""
    document = YAML(typ="safe", pure=True).load((FOLDER / f"{part}.yaml").read_text(encoding="utf-8"))
    for line in document["messages"].splitlines():
        language, kind, cues, text = (cell.strip() for cell in line.split("|", 3))
        named = frozenset(cue for cue in cues.split(",") if cue)
        yield Labelled(language, kind, named, text.replace("\\n", "\n"), document["ours"])


def counts(part: str) -> dict[tuple[str, str], Counter[str]]:
    """Return hits, misses and false alarms by class and language."""
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for message in labelled(part):
        reading = message.read()
        pairs = [({message.kind}, {reading.kind.value}, "kind: ")]
        pairs.append((set(message.cues), {cue.kind.value for cue in reading.cues}, ""))
        for wanted, found, prefix in pairs:
            for name in wanted | found:
                if prefix == "kind: " and name == "unsure" and name not in wanted:
                    table["unsure (waits for a person)", message.language]["false"] += 1
                    continue
                what = "hit" if name in wanted & found else "missed" if name in wanted else "false"
                table[prefix + name, message.language][what] += 1
    return table


def _ratio(part: int, whole: int) -> str:
    return f"{part / whole:.2f}" if whole else "–"


def main() -> None:
    """Print a markdown table for each part."""
    for part in PARTS:
        table = counts(part)
        languages = sorted({language for _, language in table}, key=lambda code: (code != "en", code))
        print(f"\n**{part.replace('_', ' ')}** ({sum(1 for _ in labelled(part))} messages; precision / recall (n))\n")
        print("| class | " + " | ".join(languages) + " | all |\n|---|" + "---|" * (len(languages) + 1))
        for name in sorted({name for name, _ in table}):
            cells = []
            for codes in [*([code] for code in languages), languages]:
                total: Counter[str] = sum((table[name, code] for code in codes if (name, code) in table), Counter())
                hit, wanted, found = total["hit"], total["hit"] + total["missed"], total["hit"] + total["false"]
                cells.append(f"{_ratio(hit, found)} / {_ratio(hit, wanted)} ({wanted})" if wanted or found else "")
            print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

"""`python -m bench.calls fetch|make`: bring the sources into a cache, make labelled calls out of them."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.calls import make, packages, pool, prepare


def main() -> None:
    """Parse, do, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="download the packages and prepare every side of the split")
    fetching.add_argument("--again", action="store_true", help="prepare anew, after packages were added")
    making = commands.add_parser("make", help="write calls and their labels")
    for command in (fetching, making):
        command.add_argument("--cache", type=Path, required=True)
    making.add_argument("--out", type=Path, required=True)
    making.add_argument("--split", choices=packages.SPLITS, required=True)
    making.add_argument("--n", type=int, default=28)
    making.add_argument("--seed", type=int, default=1)
    making.add_argument("--max-minutes", type=float, default=25.0)
    chosen = parser.parse_args()
    if chosen.command == "fetch":
        missing = packages.fetch(chosen.cache)
        for split in packages.SPLITS:
            if (chosen.cache / pool.PREPARED / f"{split}.json").exists() and not chosen.again:
                print(f"{split}: prepared already")
                continue
            made, trouble = prepare.prepare(chosen.cache, split)
            minutes = sum(t.seconds for t in made.tracks) / 60
            print(f"{split}: {len(made.tracks)} tracks, {minutes:.0f} min; {len(made.speakers)} voices")
            missing += trouble
        for line in missing:
            print(f"without {line}")
        return
    side = pool.load(chosen.cache, chosen.split)
    minutes = make.write_calls(side, chosen.cache, chosen.out, chosen.n, chosen.seed, chosen.max_minutes * 60)
    print(f"{chosen.n} calls, {minutes:.1f} min")


if __name__ == "__main__":
    main()

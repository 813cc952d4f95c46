"""Makes weights for the listener, all of it, from packages by name.

    python -m bench.listener.train --cache CACHE --out NEW.npz

What is shipped in `probes/audio/listener.npz` is still older than this command; what this makes was measured, and is
not yet as good on bad lines (decision 0165).

Needs, besides what the product needs, the packages of requirements/bench.txt and some programs (bench/calls/README.md).
Packages are downloaded once (about 4 GB). Scenes and calls follow from them and from their seeds, the weights from
those: run twice on one machine the file is the same to the last bit. Elsewhere the last digits of sums may differ. What
is in the cache is used again; `--only-make NAME` makes one set and stops, so that several can be made side by side.
One core is enough (OMP_NUM_THREADS=1): about half an hour to make the sets, and as long to train.
"""

import argparse
from pathlib import Path

from bench.calls import packages, pool, prepare
from bench.listener import sources
from bench.listener.fit import Schedule, fit
from bench.listener.made import Set, get

TAUGHT = (
    *(Set("train", seed, 6) for seed in range(51, 54)),
    *(Set("calls", seed, 5) for seed in range(51, 53)),
)
JUDGED = Set("dev", 51, 1.5)  # only to look at while it trains: nothing is chosen by it
STEPS = 5800
SEED = 5


def main() -> None:
    """Fetch and make what is missing, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only-make", choices=[s.name for s in (*TAUGHT, JUDGED)])
    a = parser.parse_args()
    fetch(a.cache)
    if a.only_make:
        get(next(s for s in (*TAUGHT, JUDGED) if s.name == a.only_make), a.cache)
        return
    sets = [get(s, a.cache) for s in TAUGHT]
    fit(sets, get(JUDGED, a.cache), Schedule(STEPS), SEED).store(a.out)


def fetch(cache: Path) -> None:
    """Download and prepare what is not in the cache; what cannot be had is named."""
    sources.fetch(cache)
    if not (cache / pool.PREPARED / "train.json").exists():
        missing = packages.fetch(cache)
        _, trouble = prepare.prepare(cache, "train")
        print("".join(f"without {line}: the weights will be others\n" for line in missing + trouble), end="")


if __name__ == "__main__":
    main()

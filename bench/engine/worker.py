"""A worker on the still probe: `python -m bench.engine.worker URL HOME NAME AT_ONCE`; prints "ready", then runs on."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from audit.engine.run import serve
from audit.ledger.store import Ledger
from audit.settings import load_settings
from probes.registry import PROBES

PROBES["web_ticket"] = "bench.engine.still_probe"


def main() -> None:
    url, home, name, at_once = sys.argv[1:]
    serve(
        Ledger(url),
        load_settings(Path(home), {}),
        threading.Event(),
        name=None if url.startswith("sqlite") else name,
        at_once=int(at_once),
        on_ready=lambda _: print("ready", flush=True),
        on_trouble=lambda what: print(f"trouble: {what}", file=sys.stderr),
    )


if __name__ == "__main__":
    main()

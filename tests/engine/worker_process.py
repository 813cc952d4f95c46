"""A worker as `holdproof serve` starts it, with the tests' own probes. Arguments: URL HOME [NAME]."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from audit.engine.run import serve
from audit.ledger.store import Ledger
from audit.settings import load_settings
from probes.errors import AuditError
from probes.registry import PROBES

PROBES["web_ticket"], PROBES["phone_call"] = "tests.engine.desk_probe", "tests.engine.line_probe"


def main() -> None:
    url, home, until = sys.argv[1], Path(sys.argv[2]), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: until.set())
    try:
        serve(
            Ledger(url),
            load_settings(home, {}),
            until,
            name=sys.argv[3] if len(sys.argv) > 3 else None,
            on_ready=lambda worker: print(worker.presence.name, flush=True),  # noqa: T201
            on_trouble=lambda what: print(f"trouble: {what}", file=sys.stderr),  # noqa: T201
        )
    except AuditError as exc:
        print(f"error: {exc}", file=sys.stderr)  # noqa: T201
        os._exit(exc.exit_code)
    os._exit(0)


if __name__ == "__main__":
    main()

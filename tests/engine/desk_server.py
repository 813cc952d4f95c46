"""A very small help desk on loopback, a process of its own: it outlives whoever talks to it, and counts.

Run as `python -m tests.engine.desk_server FILE [name=JSON …]`: prints its port; keeps all it got in FILE. POST /tickets
and /calls open one (after a random pause, so that a kill can fall before or after it), GET …/N shows it, GET
…/find?reference=R looks for it, and POST /calls/N/end hangs up. A ticket is answered and resolved, and a call is over,
after `answers_after` looks; with `endless` a call is over only when we hang up.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOCK = threading.Lock()


class Desk(BaseHTTPRequestHandler):
    file: Path
    answers_after = 2
    endless = False
    pause_s = 0.1
    all: dict[str, list[dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind, _, rest = self.path[1:].partition("/")
        if rest:
            with LOCK:
                self.all[kind][int(rest.split("/")[0]) - 1]["ended_by_us"] = True
                self._keep()
            self._answer(200, {})
            return
        if "broken" in body.get("text", ""):
            self._answer(500, {"error": "out of order"})
            return
        time.sleep(random.random() * self.pause_s)
        with LOCK:
            self.all[kind].append({**body, "looks": 0, "ended_by_us": False})
            self._keep()
            number = len(self.all[kind])
        time.sleep(random.random() * self.pause_s)
        self._answer(201, {"number": number, "call": number})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        kind, _, rest = parts.path[1:].partition("/")
        with LOCK:
            if rest == "find":
                wanted = parse_qs(parts.query)["reference"][0]
                found = [i for i, one in enumerate(self.all[kind], start=1) if one["reference"] == wanted]
                answer: dict[str, Any] = {"numbers": found}
            else:
                one = self.all[kind][int(rest) - 1]
                one["looks"] += 1
                over = one["looks"] > self.answers_after
                live = not one["ended_by_us"] and (self.endless or not over)
                if "locked out" in one.get("text", ""):
                    one["looks_refused"] = one.get("looks_refused", 0) + 1
                    self._keep()
                    self._answer(401, {"error": "who are you?"})
                    return
                answer = {"answered": over, "status": "Resolved" if over else "Open", "live": live}
        self._answer(200, answer)

    def _keep(self) -> None:
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps(self.all))
        new.replace(self.file)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        with suppress(OSError):  # who asked was killed
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Desk.file, Desk.all = Path(sys.argv[1]), {"tickets": [], "calls": []}
    for word in sys.argv[2:]:
        name, _, value = word.partition("=")
        setattr(Desk, name, json.loads(value))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

"""A very small help desk on loopback, a process of its own: it outlives whoever talks to it, and counts.

Run as `python -m tests.engine.desk_server FILE`: prints its port; keeps its tickets in FILE. POST /tickets opens one
(after a random pause, so that a kill can fall before or after it), GET /tickets/N shows it, and
GET /find?reference=R looks for one.
A ticket is answered and resolved after it was looked at twice.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOCK = threading.Lock()


class Desk(BaseHTTPRequestHandler):
    file: Path
    tickets: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "broken" in body["text"]:
            self._answer(500, {"error": "out of order"})
            return
        time.sleep(random.random() * 0.1)
        with LOCK:
            self.tickets.append({"reference": body["reference"], "text": body["text"], "looks": 0})
            self.file.write_text(json.dumps(self.tickets))
            number = len(self.tickets)
        time.sleep(random.random() * 0.1)
        self._answer(201, {"number": number})

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/find":
            wanted = parse_qs(parts.query)["reference"][0]
            found = [i for i, ticket in enumerate(self.tickets, start=1) if ticket["reference"] == wanted]
            self._answer(200, {"numbers": found})
            return
        ticket = self.tickets[int(parts.path.rsplit("/", 1)[1]) - 1]
        ticket["looks"] += 1
        self._answer(200, {"answered": ticket["looks"] > 2, "status": "Resolved" if ticket["looks"] > 2 else "Open"})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    Desk.file, Desk.tickets = Path(sys.argv[1]), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

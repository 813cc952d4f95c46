"""A case by mail with a real help desk, by the command line, from its first mail to its end; over a crash, too."""

from __future__ import annotations

import json
import os
import shutil
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit.ledger.store import Ledger
from audit.model import Event
from probes.events import (
    CaseClosed,
    CaseOutcome,
    EffectReconciled,
    MessageSeen,
    MessageSent,
    StatusSeen,
    TicketSubmitted,
    ValueRead,
)
from tests.mail import kit
from tests.mail.rough import Rough, rough

pytestmark = pytest.mark.slow
PLAN, ROOT = Path(__file__).with_name("plan.yaml"), Path(__file__).parents[2]
CASE = "desk.robin.wrong-invoice.1"


class Desk:
    """django-helpdesk, fetching its mail when told to."""

    def __init__(self, directory: Path, server: kit.MailServer) -> None:
        ports = ["--smtp-port", str(server.smtp_port), "--imap-port", str(server.imap_port)]
        self._command = [sys.executable, "-m", "tests.mail.desk", "--dir", str(directory), *ports]
        self._server = server

    def staff(self, *words: str) -> str:
        done = subprocess.run([*self._command, *words], check=True, capture_output=True, text=True, cwd=ROOT)
        self._server.stir()
        return done.stdout

    def tickets(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.staff("list"))
        return listed


@pytest.fixture(scope="module")
def fresh_desk(tmp_path_factory: pytest.TempPathFactory, running: kit.MailServer) -> Path:
    """A desk's folder as it is after its migrations."""
    folder = tmp_path_factory.mktemp("desk")
    Desk(folder, running).staff("list")
    return folder


@pytest.fixture
def desk(tmp_path: Path, server: kit.MailServer, fresh_desk: Path) -> Desk:
    shutil.copytree(fresh_desk, tmp_path / "desk")
    return Desk(tmp_path / "desk", server)


class Run:
    """`holdproof run` on the plan, in a process; its events as they come."""

    def __init__(self, home: Path, server: kit.MailServer, smtp_port: int | None = None) -> None:
        self.home = home
        variables = {
            "HOLDPROOF_MAIL_ADDRESS": kit.ADDRESS,
            "HOLDPROOF_MAIL_PASSWORD": kit.PASSWORD,
            "HOLDPROOF_MAIL_SMTP": f"smtp+plain://127.0.0.1:{smtp_port or server.smtp_port}",
            "HOLDPROOF_MAIL_IMAP": f"imap+plain://127.0.0.1:{server.imap_port}",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "audit.cli", "run", str(PLAN), "--home", str(home)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=os.environ | variables,
        )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def events(self, kind: type | None = None) -> list[Event]:
        if not (self.home / "ledger.sqlite").exists():
            return []
        ledger = Ledger.in_folder(self.home)
        events = [event for row in ledger.audits() for event in ledger.events(row.audit)]
        ledger.close()
        return [event for event in events if kind is None or isinstance(event.what, kind)]

    def wait(self, until: Callable[[Run], bool]) -> None:
        end_s = time.monotonic() + 400
        while not until(self):
            assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
            assert time.monotonic() < end_s, [event.kind for event in self.events()]
            time.sleep(0.3)

    def finish(self) -> None:
        printed, _ = self.process.communicate(timeout=400)
        assert self.process.returncode == 0, printed


def answers(run: Run) -> int:
    return len(run.events(MessageSeen))


def test_a_case_by_mail_from_plan_to_story(tmp_path: Path, server: kit.MailServer, desk: Desk) -> None:
    with Run(tmp_path / "home", server) as run:
        run.wait(lambda run: bool(run.events(TicketSubmitted)))
        desk.staff("fetch")
        (ticket,) = desk.tickets()
        run.wait(lambda run: answers(run) >= 1)  # woken by the mail: the next look is half an hour away
        desk.staff("answer", ticket["ticket"], "Which licence do you mean? We look into it.")
        run.wait(lambda run: bool(run.events(MessageSent)))
        desk.staff("fetch")
        desk.staff("resolve", ticket["ticket"], "The corrected invoice is on its way.")
        run.finish()
    (true,) = desk.tickets()
    assert true["status"] == "Resolved"
    assert true["submitter"].startswith("robin+hp-")
    assert true["description"].startswith("Invoice 4711 of 3 November lists the same licence two times.")
    texts = [each["text"].strip() for each in true["history"]]
    assert texts[2] == "It is the licence of October. When will the new invoice come?"
    assert len(texts) == 4

    (number,) = run.events(ValueRead)
    assert isinstance(number.what, ValueRead)
    assert number.what.value == ticket["ticket"]
    statuses = [event.what.text for event in run.events(StatusSeen) if isinstance(event.what, StatusSeen)]
    assert statuses == ["Opened", "Resolved"]
    for each in true["history"]:
        if each["by"] is not None:  # the moment at which the vendor wrote, and the one at which we say it came
            seen = next(
                event
                for event in run.events(MessageSeen)
                if isinstance(event.what, MessageSeen) and each["text"] in event.what.text
            )
            at = datetime.fromisoformat(each["at_utc"])
            assert at - timedelta(seconds=1) <= seen.at_utc <= at + timedelta(seconds=20)
    (closed,) = run.events(CaseClosed)
    assert isinstance(closed.what, CaseClosed)
    assert closed.what.outcome is CaseOutcome.RESOLVED

    shown = subprocess.run(
        [sys.executable, "-m", "audit.cli", "show", CASE, "--home", str(run.home)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    ).stdout
    assert f"“Invoice 4711 charges us twice”; the vendor numbered it {ticket['ticket']}" in shown
    assert "The status went from “Opened” to “Resolved”." in shown
    assert "A machine's receipt came" in shown


@pytest.fixture
def lost_answer(server: kit.MailServer) -> Iterator[tuple[Rough, int]]:
    """A way out that takes a mail in, hands it on, and never answers for it."""
    behaviour = Rough(data="silent")

    def hand_on(raw: bytes, sender: str | None, recipients: list[str]) -> None:
        with smtplib.SMTP("127.0.0.1", server.smtp_port, timeout=20) as smtp:
            smtp.login(kit.ADDRESS, kit.PASSWORD)
            smtp.sendmail(sender or "", recipients, raw)

    behaviour.hand_on = hand_on
    with rough(behaviour) as smtp:
        yield behaviour, smtp.port


def test_killed_between_the_mail_and_its_answer_there_is_one_ticket(
    tmp_path: Path, server: kit.MailServer, desk: Desk, lost_answer: tuple[Rough, int]
) -> None:
    behaviour, port = lost_answer
    with Run(tmp_path / "home", server, port) as run:
        run.wait(lambda _: bool(behaviour.taken))
        run.process.kill()
        run.process.wait()
    assert not run.events(TicketSubmitted)
    with Run(tmp_path / "home", server) as run:
        run.wait(lambda run: bool(run.events(EffectReconciled)))
        desk.staff("fetch")
        (ticket,) = desk.tickets()
        run.wait(lambda run: bool(run.events(TicketSubmitted)))
        desk.staff("answer", ticket["ticket"], "We look into it.")
        run.wait(lambda run: bool(run.events(MessageSent)))
        desk.staff("resolve", ticket["ticket"], "Done.")
        run.finish()
    assert len(desk.tickets()) == len(run.events(TicketSubmitted)) == len(behaviour.taken) == 1
    (closed,) = run.events(CaseClosed)
    assert isinstance(closed.what, CaseClosed)
    assert closed.what.outcome is CaseOutcome.RESOLVED

"""`practice` and `demo`: the practice vendor, and the whole product run on it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.commands.reporting import write_audit_pack, write_audit_report
from audit.commands.terminal import ProgressLine
from audit.engine.run import begin, carry_on
from audit.ledger.store import Ledger
from audit.plan.reader import read_plan
from audit.settings import ENV_FILE, load_settings, write_env_file
from probes.clock import Clock
from probes.errors import UserError
from probes.practice.vendor import PracticeVendor, in_background, serve
from reports.verify import Verification, verify_pack

MARK = ".holdproof-practice"
PLAN = "plan.yaml"


@dataclass(frozen=True, slots=True)
class DemoResults:
    """Where everything is that the demo made, and whether its pack is sound."""

    audit: str
    home: Path
    plan: Path
    pdf: Path
    html: Path
    pack: Path
    verification: Verification
    took_s: float

    @property
    def sound(self) -> bool:
        """Whether the pack verifies."""
        return self.verification.sound

    def to_json(self) -> dict[str, Any]:
        """Return the results as one document."""
        return {
            "format": "holdproof-demo",
            "version": 1,
            "audit": self.audit,
            "home": str(self.home),
            "plan": str(self.plan),
            "pdf": str(self.pdf),
            "html": str(self.html),
            "pack": str(self.pack),
            "sound": self.sound,
            "took_s": round(self.took_s, 1),
        }

    def to_text(self) -> str:
        """Return the results in words."""
        lines = [
            f"audit  {self.audit} (holdproof show … --home {self.home})",
            f"plan   {self.plan}",
            f"PDF    {self.pdf}",
            f"HTML   {self.html}",
            f"pack   {self.pack}",
            *self.verification.lines(),
            f"done in {self.took_s:.0f} s",
        ]
        return "\n".join(lines)


def run_demo(directory: Path, factor: float, *, version: str, say: Callable[[str], None]) -> DemoResults:
    """Start the practice vendor, audit it, write report and pack, verify the pack.

    Raises:
        UserError: the folder holds something that is not an earlier demo's.
    """
    started_s = time.monotonic()
    folder = _fresh(directory)
    clock = _clock(factor)
    home = folder / "home"
    say(f"starting the practice vendor; {factor:g} s of its time pass in one second")
    with in_background(folder / "vendor", clock) as vendor:
        _introduce(vendor, home, folder / PLAN)
        settings = load_settings(home, _environment())
        plan_file = read_plan(folder / PLAN)
        ledger = Ledger.in_folder(home)
        row, _ = begin(plan_file, ledger, version=version)
        say(f"auditing it: {plan_file.plan.name}")
        with ProgressLine(ledger, row.audit) as line:
            carry_on(row, ledger, settings, on_progress=line.show, on_trouble=lambda what: say(f"trouble: {what}"))
    say("writing the report")
    now_utc = datetime.now(UTC)  # one date, so that the report in the pack is the one beside it, byte for byte
    files = write_audit_report(settings, ledger, row.audit, folder / "report", "executive", version, now_utc)
    say("sealing the pack")
    pack = folder / "evidence-pack.zip"
    write_audit_pack(settings, ledger, row.audit, pack, version, now_utc)
    verification = verify_pack(pack)
    ledger.close()
    return DemoResults(
        audit=row.audit,
        home=home,
        plan=folder / PLAN,
        pdf=files.pdf,
        html=files.html,
        pack=pack,
        verification=verification,
        took_s=time.monotonic() - started_s,
    )


def serve_practice(directory: Path, factor: float, *, say: Callable[[str], None]) -> None:
    """Run the practice vendor until interrupted, with a plan and a home ready for it."""
    folder = _fresh(directory)

    def ready(vendor: PracticeVendor) -> None:
        _introduce(vendor, folder / "home", folder / PLAN)
        addresses = vendor.addresses
        say(f"portal     {addresses.portal}")
        if addresses.chat is not None:
            say(f"chat       {addresses.chat} (holdproof run {folder / 'chat-plan.yaml'} …)")
        say(f"telephone  {addresses.phone} (exchange {addresses.exchange})")
        say(f"truth      {folder / 'vendor'}")
        say(f"audit it   holdproof run {folder / PLAN} --home {folder / 'home'}")
        say("running until interrupted (Ctrl-C)")

    serve(folder / "vendor", _clock(factor), ready)


def _introduce(vendor: PracticeVendor, home: Path, plan: Path) -> None:
    """Write a plan that names this vendor's addresses, and the settings to reach it, into a home of their own."""
    home.mkdir(parents=True, exist_ok=True)
    write_env_file(home / ENV_FILE, vendor.settings())
    vendor.write_plans(plan)


def _clock(factor: float) -> Clock:
    if not 1.0 <= factor <= 100_000.0:
        raise UserError(f"a clock factor of {factor:g} makes no sense", fix="use one from 1 to 100000")
    return Clock(factor=factor, origin_utc=datetime.now(UTC).replace(microsecond=0))


def _environment() -> dict[str, str]:
    """The process's variables without provider settings: the demo reaches the practice vendor and nobody else."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOLDPROOF_TWILIO_")}


def _fresh(directory: Path) -> Path:
    """Return an empty folder; an earlier demo in it is removed, anything else is left alone.

    Raises:
        UserError: there is something else in it.
    """
    folder = directory.resolve()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise UserError(f"{directory} is not empty", at=str(folder), fix="name another folder with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by holdproof; removed and made anew by the next demo\n", encoding="utf-8")
    return folder

"""`check --try`: every ticket form of a plan walked through up to the click that sends, which is not made."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audit.engine.sessions import SessionFolder
from audit.model import Usage
from audit.plan.cases import planned_cases, reference, spec_for
from audit.plan.reader import PlanFile
from audit.safety import ContactGate, permitted
from audit.settings import Settings
from probes.browser import ChromiumSource
from probes.clock import Clock
from probes.errors import Failure, FailureKind, Side, UserError
from probes.model import Artifact, Secrets, Spec, Tools
from probes.registry import load
from probes.running import RunningContacts
from probes.telephony.carrier import Carrier

if TYPE_CHECKING:
    from audit.plan.model import Plan, Vendor
    from probes.web.trial import Trial

FORMAT, VERSION = "holdproof.trial", 1


@dataclass(frozen=True, slots=True)
class ChannelTried:
    """One channel's form, as whom it was tried, and what was found; `pages` are the files that show it."""

    vendor: str
    channel: str
    persona: str
    scenario: str
    trial: Trial
    pages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tries:
    """All that was tried."""

    plan: str
    channels: tuple[ChannelTried, ...]

    @property
    def sound(self) -> bool:
        """Whether no step would fail."""
        return all(each.trial.failure is None or each.trial.held_back for each in self.channels)

    def to_json(self) -> dict[str, Any]:
        """Return it as a document."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "plan": self.plan,
            "sound": self.sound,
            "channels": [
                {
                    **{name: getattr(each, name) for name in ("vendor", "channel", "persona", "scenario", "pages")},
                    "steps": [asdict(step) for step in each.trial.steps],
                    "held_back": each.trial.held_back,
                    "failure": asdict(each.trial.failure) if each.trial.failure else None,
                }
                for each in self.channels
            ],
        }

    def to_text(self) -> str:
        """Return it as lines for a terminal."""
        if not self.channels:
            return "the plan opens no ticket on the web: there is nothing to try"
        return "\n\n".join("\n".join(_lines(each)) for each in self.channels)


def _lines(tried: ChannelTried) -> list[str]:
    lines = [f"{tried.vendor}.{tried.channel}, as {tried.persona}, about {tried.scenario}"]
    for step in tried.trial.steps:
        head = f"  {step.state.value:<10}{step.step:<18}{step.does}"
        found = step.found.split("; ") if step.state.value != "failed" else [step.found]
        lines += [head, *(f"  {'':<10}{'':<18}  {part}" for part in found if part and part != step.does)]
    failure = tried.trial.failure
    if failure is not None and not any(step.state.value == "failed" for step in tried.trial.steps):
        lines.append(f"  {'stopped':<10}{failure.step:<18}{failure.text}")
    if tried.trial.held_back:
        lines.append("  held back, because nothing is sent while trying; what comes after it cannot be tried:")
        lines += [f"    {request}" for request in tried.trial.held_back]
    if tried.pages:
        lines.append(f"  pages: {Path(tried.pages[0]).parent} ({len(tried.pages)} files, the last {tried.pages[-1]})")
    return lines


@dataclass
class _Folder:
    """Keeps the pages of one walk as files of their own names."""

    root: Path
    secrets: Secrets
    names: list[str] = field(default_factory=list)

    def put(self, data: bytes, media_type: str, name: str) -> Artifact:
        """Write one file."""
        if media_type.startswith("text/"):
            data = self.secrets.scrub(data.decode("utf-8", "replace")).encode()
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / re.sub(r"[^\w.-]", "_", name)
        path.write_bytes(data)
        self.names.append(str(path))
        return Artifact(hashlib.sha256(data).hexdigest(), media_type, len(data), path.name)

    def get(self, artifact: Artifact) -> bytes:
        """Read one file."""
        return (self.root / artifact.name).read_bytes()


class _NoCarriers:
    def carrier(self, name: str) -> Carrier:
        raise UserError(f"nothing is called while a form is tried ({name})")


def try_plan(plan_file: PlanFile, settings: Settings, *, seen: bool = False) -> Tries:
    """Walk through the form of every channel that the plan's cases open; nothing but logins is sent."""
    return asyncio.run(_try(plan_file, settings, seen=seen))


async def _try(plan_file: PlanFile, settings: Settings, *, seen: bool) -> Tries:
    browser = ChromiumSource(str(settings.browser) if settings.browser else None, seen=seen)
    tried: dict[tuple[str, str], ChannelTried] = {}
    plan = plan_file.plan
    try:
        for case in planned_cases(plan):
            for step in plan.scenario(case.scenario).steps:
                if step.open is None or (case.vendor, step.open) in tried:
                    continue
                vendor = plan.vendor(case.vendor)
                spec = spec_for(plan, case, step, reference("trial", case.case_id))
                probe = load(spec.channel.kind)
                if not hasattr(probe, "rehearse"):
                    continue
                folder = _Folder(settings.home / "trials" / f"{vendor.id}-{step.open}", settings.secrets)
                for old in folder.root.glob("*.*") if folder.root.is_dir() else ():
                    old.unlink()
                tools = _tools(plan, vendor, settings, browser, folder)
                trial = await _walk(probe, spec, tools, plan, vendor)
                tried[case.vendor, step.open] = ChannelTried(
                    vendor.id, step.open, case.persona, case.scenario, trial, tuple(folder.names)
                )
    finally:
        await browser.close()
    return Tries(plan.name, tuple(tried.values()))


async def _walk(probe: Any, spec: Spec, tools: Tools, plan: Plan, vendor: Vendor) -> Trial:
    from probes.web.trial import Trial

    for act in probe.acts(spec):
        verdict = permitted(act, plan, vendor, tools.clock.now_utc(), stopped=None)
        if not verdict.allowed:
            text = f"{verdict.reason}; {verdict.fix}"
            return Trial(failure=Failure(FailureKind.REFUSED_BY_GATE, Side.OURS, spec.action.value, text))
    trial: Trial = (await probe.rehearse(spec, tools))[0]
    return trial


def _tools(plan: Plan, vendor: Vendor, settings: Settings, browser: ChromiumSource, folder: _Folder) -> Tools:
    clock = Clock()
    return Tools(
        clock=clock,
        artifacts=folder,
        secrets=settings.secrets,
        gate=ContactGate(plan, vendor, clock, Usage),
        browser=browser,
        carriers=_NoCarriers(),
        sessions=SessionFolder(settings.home / "sessions", vendor.id),
        running=RunningContacts(),
    )

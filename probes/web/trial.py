"""Walks through a plan's steps up to the click that sends, and says for each what was found. Nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from playwright.async_api import Error

from probes.errors import Failure, FailureKind, Side
from probes.web.failures import failed
from probes.web.refusals import held_back
from probes.web.walls import wall_on

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from probes.web.channel import Step
    from probes.web.session import Session

_OUTLINE = """element => {
  const signs = ['type', 'name', 'id', 'role', 'aria-label', 'placeholder', 'href']
    .filter(sign => element.getAttribute(sign)).slice(0, 3)
    .map(sign => ` ${sign}="${element.getAttribute(sign).slice(0, 60)}"`).join('');
  return `<${element.tagName.toLowerCase()}${signs}>`;
}"""


class Tried(StrEnum):
    """What became of a step."""

    OK = "ok"
    READY = "ready"  # the click that sends: there, and not made
    FAILED = "failed"
    NOT_TRIED = "not tried"


@dataclass(frozen=True, slots=True)
class StepTried:
    """One step as it was tried: what it does in the plan's words, and what was found."""

    step: str
    state: Tried
    does: str
    found: str


@dataclass(slots=True)
class Trial:
    """What a walk found so far. `held_back` are the requests that a page wanted to send and that did not leave."""

    steps: list[StepTried] = field(default_factory=list)
    failure: Failure | None = None
    held_back: list[str] = field(default_factory=list)
    _found: list[str] = field(default_factory=list)

    async def note_element(self, target: str, element: Locator) -> None:
        """Note which element a target turned out to be."""
        try:
            outline = await element.evaluate(_OUTLINE)
        except Error:
            outline = "(gone)"
        self._found.append(f"{target}: {outline}")

    def note(self, name: str, step: Step, session: Session, failure: Failure | None = None) -> None:
        """Note what became of a step."""
        self._note_held_back(session)
        state = Tried.OK
        if failure is not None:
            # What was held back is our doing: a page that goes on only after it says nothing of the plan.
            state = Tried.NOT_TRIED if self.held_back else Tried.FAILED
        if failure is not None:
            text = failure.text
        elif step.goto is not None or (step.click is not None and not self.held_back):
            text = "; ".join([*self._found, f"then {session.page.url}"])
        else:
            text = "; ".join(self._found)
        self.steps.append(StepTried(name, state, does(step), session.texts.scrub(text)))
        self._found.clear()

    async def before_act(self, target: str, name: str, step: Step, session: Session) -> None:
        """Look at what sends, without pressing it.

        Raises:
            StepFailed: it is not there, cannot be pressed, or would send nothing.
        """
        button = await session.find(target, "click", name)
        wall = await wall_on(session.page)
        if wall is not None:
            raise failed(FailureKind.BLOCKED, Side.OURS, name, f"{wall} stands before {target!r}")
        try:
            await button.click(trial=True)
        except Error as exc:
            raise session.unusable(exc, target, name) from exc
        if wanted := await held_back(session.page):
            text = f"it would send nothing: the page wants {', '.join(wanted)}"
            raise failed(FailureKind.EXPECTATION_NOT_MET, Side.OURS, name, text)
        self._note_held_back(session)
        self.steps.append(StepTried(name, Tried.READY, does(step), "; ".join([*self._found, "nothing was sent"])))
        self._found.clear()

    def rest(self, where: str, steps: tuple[Step, ...], begun: int) -> None:
        """Note the steps that were not come to."""
        for index, step in enumerate(steps[begun:], begun):
            name = f"{where}[{index}] {step.verb}"
            self.steps.append(StepTried(name, Tried.NOT_TRIED, does(step), "comes after the click that sends"))

    def _note_held_back(self, session: Session) -> None:
        for request in session.traffic.held_back():
            line = f"{request.method} {request.url[:200]}"
            if line not in self.held_back:
                self.held_back.append(session.texts.scrub(line))


def does(step: Step) -> str:
    """Return what a step does, in the plan's own words (secrets stay references)."""
    value = getattr(step, step.verb)
    if isinstance(value, str):
        return value
    if step.expect is not None:
        return step.expect.text or step.expect.target or step.expect.url or ""
    if step.read is not None:
        return f"{step.read.name} at {step.read.at}"
    return ", ".join(value)

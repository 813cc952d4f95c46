"""Carries out a plan's steps in one browser context, and keeps what the pages showed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from playwright.async_api import Error
from playwright.async_api import TimeoutError as TooSlow

from probes.browser import Bounds, has_ended
from probes.duration import Duration
from probes.errors import Failure, FailureKind, Side, Unavailable
from probes.events import PageCaptured, ValueRead
from probes.model import Artifact, Sighting, Tools
from probes.web import fields
from probes.web.capture import PAGE_MAY_TAKE_S, screenshot, source
from probes.web.channel import PAGE, TITLE, URL, Channel, Expect, Read, Spot, Step
from probes.web.entry import Kept, http_login, keep, kept_session
from probes.web.failures import StepFailed, classify, failed, http_failure
from probes.web.reading import bounded, cut
from probes.web.refusals import is_echo
from probes.web.sending import press_what_sends
from probes.web.targets import find
from probes.web.texts import Texts, login_templates
from probes.web.traffic import LARGEST_DOCUMENT_BYTES, Traffic
from probes.web.trial import Trial
from probes.web.walls import CHALLENGE_HOSTS, wall_on

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, ElementHandle, Frame, Locator, Page

# Real seconds. A page is quiet when nothing was under way for so long; some pages never are.
_QUIET_S = 0.3
_NEVER_QUIET_AFTER_S = 5.0
_ASK_AGAIN_S = 0.05
_ELEMENT_SHARE = 1 / 3  # of the page's timeout is waited for an element
_HOPELESS_MAY_TAKE_S = 2.0
_CONTACT_MAY_TAKE_S = 600.0
_FILLING = ("fill", "select", "check", "upload")
_PERHAPS_A_WALL = (
    FailureKind.ELEMENT_NOT_FOUND, FailureKind.ELEMENT_UNUSABLE, FailureKind.EXPECTATION_NOT_MET,
    FailureKind.VALUE_NOT_READ, FailureKind.HTTP_ERROR, FailureKind.LOGIN_FAILED,
)  # fmt: skip
_LONGEST_PAGE_TEXT = 2_000_000


@asynccontextmanager
async def open_session(
    channel: Channel, texts: Texts, tools: Tools, hosts: frozenset[str], trial: Trial | None = None
) -> AsyncIterator[Session]:
    """Open a fresh browser context for one contact with a channel; in a trial nothing but the login is sent."""
    opened: list[Session] = []
    texts.prepare(login_templates(channel))
    kept = kept_session(channel.url, channel.login, texts, tools)
    async with tools.browser.context(
        hosts,
        storage_state=kept.state if kept else None,
        http_login=http_login(channel.url, channel.basic_auth, texts),
        guests=CHALLENGE_HOSTS if tools.attendant is not None else (),
        may_send=lambda: trial is None or any(session.logging_in for session in opened),
    ) as context:
        session = Session(channel, texts, tools, Traffic(Bounds(hosts), tools.clock.now_utc), kept)
        session.trial = trial
        opened.append(session)
        await session.begin(context)
        yield session


class Place(Protocol):
    """Where a contact takes place, whatever its kind."""

    @property
    def url(self) -> str:
        """The page that it begins with."""
        ...

    @property
    def timeout(self) -> Duration:
        """How long a page may take (real time)."""
        ...

    def address(self, path: str) -> str:
        """Return the address that `path` means there."""
        ...


# What an element shows a reader: a list its chosen line, a field its content, all else its text.
_SHOWN = """element => {
  if (element.selectedOptions) return [...element.selectedOptions].map(option => option.text).join(', ');
  const field = element.matches('input, textarea');
  return field ? element.value : element.innerText ?? element.textContent ?? '';
}"""


class Session:
    """One contact on the web: `sightings` is what was seen so far, `sent` whether the act may have left."""

    def __init__(self, channel: Place, texts: Texts, tools: Tools, traffic: Traffic, kept: Kept | None = None) -> None:
        self.channel, self.texts, self.tools, self.traffic, self.kept = channel, texts, tools, traffic, kept
        self.logging_in = False
        self.trial: Trial | None = None
        self.sightings: list[Sighting] = []
        self.acted_at_utc: datetime | None = None
        self.sent = False
        self._timeout_s = channel.timeout.s
        self.wait_s = channel.timeout.s * _ELEMENT_SHARE
        self.secret_fields: list[Locator] = []
        self.written: list[fields.Written] = []
        self.files: list[Artifact] = []  # what was attached
        self._captures, self.page_kept = 0, False
        self._echoes: list[str] = []
        self._proven, self.proof_follows = False, False
        self._bound: asyncio.Timeout | None = None
        self.page: Page

    async def begin(self, context: BrowserContext) -> None:
        """Open the first page."""
        self.traffic.watch(context)
        context.set_default_timeout(self.wait_s * 1000)
        context.set_default_navigation_timeout(self._timeout_s * 1000)
        self.page = await context.new_page()
        self.traffic.popups.clear()
        await self.traffic.watch_page(self.page)

    async def begin_anew(self) -> None:
        """Forget whose session this was: everything that the pages so far have kept in the browser."""
        if self.kept is not None and self.tools.sessions is not None:
            self.tools.sessions.forget(self.kept.name)
            self.kept = replace(self.kept, state=None)
        context = self.page.context
        await context.clear_cookies()
        parts = urlsplit(self.channel.url)
        with contextlib.suppress(Error):
            browser = await context.new_cdp_session(self.page)
            await browser.send(
                "Storage.clearDataForOrigin", {"origin": f"{parts.scheme}://{parts.netloc}", "storageTypes": "all"}
            )
            await browser.detach()

    async def attempt(
        self, work: Awaitable[None], where: str, *, at_most_s: float = _CONTACT_MAY_TAKE_S
    ) -> Failure | None:
        """Do some work in the open browser, within a bound on the whole contact; return what it failed by, if so."""
        try:
            async with asyncio.timeout(at_most_s):
                await work
        except StepFailed as exc:
            return self._unless_ended(exc.failure)
        except Error as exc:
            return self._from_browser(exc, where)
        except TimeoutError:
            text = f"{where} was not through after {at_most_s:g} s"
            return self._unless_ended(Failure(FailureKind.TIMEOUT, Side.NOT_KNOWN, where, text))
        return None

    # --- steps ---

    async def run(self, steps: tuple[Step, ...], where: str, *, act: int | None = None) -> None:
        """Carry out steps in turn; the one with index `act` is what the vendor notices.

        Raises:
            StepFailed: a step did not come off; the page as it then stood is captured.
        """
        for index, step in enumerate(steps):
            name = f"{where}[{index}] {step.verb}"
            self.proof_follows = any(each.expect or each.read for each in steps[index + 1 :])
            try:
                if self.trial is not None and index == act:
                    await self.trial.before_act(step.click or "", name, step, self)
                    await self.capture(f"{name} (not made)")
                    self.trial.rest(where, steps, index + 1)
                    return
                await self._one(step, name, is_act=index == act)
            except (StepFailed, Error) as exc:
                failure = await self._after_failing(exc, name)
                if failure.kind is FailureKind.BLOCKED and index != act and await self.passed_by_person():
                    await self._one(step, name, is_act=False)
                    continue
                if self.trial is not None:
                    self.trial.note(name, step, self, failure)
                raise StepFailed(failure) from exc
            if self.trial is not None:
                self.trial.note(name, step, self)
            more = index + 1 < len(steps) and steps[index + 1].verb in _FILLING
            if not self.page_kept and not (step.verb in _FILLING and more):
                await self.capture(name)
        if act is not None and self._echoes and not self._proven:
            text = f'"{self._echoes[0]}" stands on the page only because its address says so: {self.page.url[:300]}'
            raise failed(FailureKind.EXPECTATION_NOT_MET, Side.NOT_KNOWN, where, self.texts.scrub(text))

    async def passed_by_person(self) -> bool:
        """Have a person pass what keeps us out, where one is there; the session is then kept for later contacts."""
        wall = await wall_on(self.page)
        if self.tools.attendant is None or wall is None or self.trial is not None:
            return False

        async def gone() -> bool:
            return not self.traffic.loading(self.page) and await wall_on(self.page) is None

        if self._bound is not None:
            self._bound.reschedule(None)  # a person takes the time that it takes
        passed = await self.tools.attendant.take_over(wall, self.page.url, gone)
        if self._bound is not None:
            self._bound.reschedule(asyncio.get_running_loop().time() + _CONTACT_MAY_TAKE_S)
        if passed:
            await self.settle("", len(self.traffic.requests))
            await keep(self)
        return passed

    async def _after_failing(self, exc: StepFailed | Error, name: str) -> Failure:
        """Keep the page on which a step did not come off; return why it did not."""
        if not isinstance(exc, StepFailed):
            failure = self._from_browser(exc, name)
            await self.capture(f"{name} failed")
            return failure
        failure = self._unless_ended(exc.failure)
        await self.capture(f"{name} failed")
        return await self._seen_closer(failure)

    async def _one(self, step: Step, name: str, *, is_act: bool) -> None:
        if step.verb not in ("expect", "read", "click"):
            self.page_kept = False
        if step.goto is not None:
            await self.goto(self.texts.address(step.goto), name)
        for target, value in (step.fill or {}).items():
            await fields.fill(self, target, value, name)
        for target, value in (step.select or {}).items():
            await fields.select(self, target, value, name)
        if step.check is not None:
            await fields.check(self, step.check, name)
        for target, upload in (step.upload or {}).items():
            await fields.attach(self, target, upload, name)
        if step.click is not None:
            await (press_what_sends(self, step.click, name) if is_act else self._click(step.click, name))
        if step.expect is not None:
            await self._expect(step.expect, name)
        if step.read is not None:
            await self._read(step.read, name)

    async def goto(self, address: str, name: str) -> None:
        """Open an address (relative to the channel's) and wait until the page is there."""
        url, mark = self.channel.address(address), len(self.traffic.requests)
        try:
            await self._open(url, name)
        except TooSlow:
            raise self._too_slow(name, mark) from None
        except Error as exc:
            if "interrupted by another navigation" not in exc.message and not self._aborted_for_another(mark):
                raise StepFailed(self._from_browser(exc, name)) from exc
        await self.settle(name, mark)
        await self._still_logged_in(name)

    async def _still_logged_in(self, name: str) -> None:
        if self.kept is None or self.kept.state is None or self.logging_in or self.sent:
            return
        with contextlib.suppress(Error):
            if await self.page.locator("input[type=password]").filter(visible=True).count():
                raise failed(FailureKind.LOGIN_FAILED, Side.OURS, name, "the page asks for a password again")

    async def _open(self, url: str, name: str) -> None:
        """Go to an address; a page that floods us is left at once, it may keep its browser busy for minutes."""
        going = asyncio.ensure_future(self.page.goto(url, wait_until="domcontentloaded"))
        flooded = asyncio.ensure_future(self.traffic.flooded.wait())
        try:
            await asyncio.wait((going, flooded), return_when=asyncio.FIRST_COMPLETED)
            if not going.done():
                raise self._too_large(name)
            await going
        finally:
            going.cancel()
            flooded.cancel()

    async def press_once(self, element: Locator | ElementHandle, target: str, name: str) -> None:
        """Press an element, and wait for nothing; raises `StepFailed` where it cannot be pressed."""
        try:
            await element.click()
        except Error as exc:
            raise self.unusable(exc, target, name) from exc

    async def _click(self, target: str, name: str) -> None:
        await self.press(await self.find(target, "click", name), target, name)

    async def press(self, element: Locator | ElementHandle, target: str, name: str) -> None:
        """Click on an element and wait until what that loads is there; goes on in a page that it opens.

        Raises:
            StepFailed: it cannot be clicked, or the page that comes is none.
        """
        self.page_kept = False
        mark, popups = len(self.traffic.requests), len(self.traffic.popups)
        await self.press_once(element, target, name)
        await self.settle(name, mark)
        await self.follow_popup(popups, name)
        await self._still_logged_in(name)

    async def _expect(self, expect: Expect, name: str) -> None:
        if expect.target is not None:
            await self.find(expect.target, "expect", name)
            self._note_proof(None)
            return
        wanted = " ".join(self.texts.typed(expect.text or "").split())
        begun_s = time.monotonic()
        while True:
            if expect.url is not None:
                met, what = re.search(expect.url, self.page.url) is not None, f"address like {expect.url}"
            else:
                met, what = wanted in " ".join((await self.page_text()).split()), f'text "{expect.text}"'
            if met:
                self._note_proof(expect.text)
                return
            if time.monotonic() - begun_s > self.wait_s:
                beginning = " ".join((await self.page_text()).split())[:300]
                raise failed(
                    FailureKind.EXPECTATION_NOT_MET,
                    Side.NOT_KNOWN,
                    name,
                    self.texts.scrub(f"no {what} at {self.page.url[:200]}; the page says: {beginning}"),
                )
            self.page_kept = False  # the page goes on changing
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _read(self, read: Read, name: str) -> None:
        value = await self.read_spot(read, name)
        if value is None:
            text = bounded(" ".join((await self._spot_text(read, name)).split()), 300)
            raise failed(
                FailureKind.VALUE_NOT_READ,
                Side.OURS,
                name,
                self.texts.scrub(f'no "{read.name}" at {read.at} by regex {read.regex!r}; there stands: {text}'),
            )
        self.keep_value(read.name, value)
        # A number that nobody but the vendor can have made proves itself, even where the address has it too.
        self._note_proof(value if read.at != URL and self.texts.holds(value) else None)

    def _note_proof(self, text: str | None) -> None:
        """Note what shows that the act came off; a text that the address carries itself shows nothing."""
        if not self.sent:
            return
        if text is not None and is_echo(self.texts.typed(text) if "{" in text else text, self.page.url):
            self._echoes.append(text)
        else:
            self._proven = True

    def keep_value(self, name: str, value: str) -> None:
        """Note a value that the vendor's page gave."""
        value = self.texts.scrub(bounded(value, 2000))
        self.texts.read[name] = value
        self._saw(ValueRead(name, value, self.texts.scrub(self.page.url)))

    async def read_spot(self, spot: Spot, name: str, *, wait: bool = True) -> str | None:
        """Return the value at a spot, waiting for it for a while; None if it does not come."""
        begun_s = time.monotonic()
        while True:
            value = cut(await self._spot_text(spot, name), spot.regex)
            if value is not None or not wait or time.monotonic() - begun_s > self.wait_s:
                return value
            self.page_kept = False
            await asyncio.sleep(_ASK_AGAIN_S)

    async def _spot_text(self, spot: Spot, name: str) -> str:
        if spot.at == PAGE:
            return await self.page_text()
        if spot.at == URL:
            return self.page.url
        if spot.at == TITLE:
            return await self.page.title()
        element = await self.find(spot.at, "read", name)
        return str(await element.evaluate(_SHOWN))

    async def page_text(self) -> str:
        """Return the visible text of the page and its frames, bounded."""
        texts = []
        for frame in self.page.frames:
            with contextlib.suppress(Error):
                cut_at = _LONGEST_PAGE_TEXT
                texts.append(str(await frame.evaluate(f"() => (document.body?.innerText ?? '').slice(0, {cut_at})")))
        return "\n".join(texts)

    async def find(self, target: str, verb: str, name: str) -> Locator:
        """Return the one element that a target means, for a verb; raises as `targets.find`."""
        element = await find(self.page, self.texts.typed(target), verb, name, self.wait_s)
        if self.trial is not None:
            await self.trial.note_element(target, element)
        return element

    # --- waiting ---

    async def settle(self, name: str, mark: int) -> None:
        """Wait until a page that may be loading is there and quiet; then say if it is none.

        Raises:
            StepFailed: it never came, came too large, or is an error page.
        """
        begun_s, quiet_since_s = time.monotonic(), None
        while True:
            await asyncio.sleep(_ASK_AGAIN_S)
            now_s = time.monotonic()
            if self.traffic.loading(self.page):
                if now_s - begun_s > self._timeout_s:
                    raise self._too_slow(name, mark)
                continue
            quiet_since_s = None if self.traffic.under_way else (quiet_since_s or now_s)
            if quiet_since_s is not None and now_s - quiet_since_s >= _QUIET_S:
                break
            if now_s - begun_s > _NEVER_QUIET_AFTER_S:
                self.traffic.wait_no_more()
                break
        with contextlib.suppress(TooSlow):  # a page whose pictures are late can be read already
            await self.page.wait_for_load_state("load", timeout=_NEVER_QUIET_AFTER_S * 1000)
        self._judge_page(name, mark)

    def _judge_page(self, name: str, mark: int) -> None:
        if self.traffic.flooded.is_set():
            raise self._too_large(name)
        if self.traffic.crashed:
            raise failed(FailureKind.INTERRUPTED, Side.OURS, name, f"the browser gave up on {self.page.url}")
        documents = self.traffic.documents_since(mark, self.page)
        if not documents:
            return
        last = documents[-1]
        if last in self.traffic.errors:
            error = self.traffic.errors[last]
            if "ERR_ABORTED" in error:
                if self.traffic.downloads:
                    raise self._download(name)
                return  # the page changed its mind, or the server answered that nothing changes
            failure = classify(error, name, last.url)
            if failure is not None:
                raise StepFailed(failure)
        status = self.traffic.statuses.get(last)
        if status is not None and status >= 400:
            raise StepFailed(http_failure(status, name, last.url))

    async def follow_popup(self, before: int, name: str) -> None:
        """Go on in a page that a click opened beside ours, if it is one of the vendor's; close any other."""
        opened = self.traffic.opened_since(before)
        for popup in opened[:-1]:
            await popup.close()
        if not opened:
            return
        popup = opened[-1]
        with contextlib.suppress(TooSlow):
            await popup.wait_for_load_state("domcontentloaded", timeout=self.wait_s * 1000)
        if popup.url.startswith(("http://", "https://")):
            self.page = popup
            await self.traffic.watch_page(popup)
            await self.settle(name, len(self.traffic.requests))
        else:
            await popup.close()

    # --- what is kept ---

    async def capture(self, step: str, frame: Frame | None = None) -> None:
        """Keep the page as it stands: screenshot, source (of a frame, if one is given) and what it is called."""
        at_utc = self.tools.clock.now_utc()
        self._captures, self.page_kept = self._captures + 1, True
        name = f"{self._captures:02d}-" + re.sub(r"[^a-z0-9]+", "-", step.lower()).strip("-")
        artifacts: list[Artifact] = []
        try:
            hopeless = self.traffic.flooded.is_set() or has_ended(self.page.context)
            patience_s = _HOPELESS_MAY_TAKE_S if hopeless else PAGE_MAY_TAKE_S
            html_text = await source(frame or self.page, patience_s)
            if html_text is not None:
                data = self.texts.scrub(html_text).encode("utf-8", "replace")
                artifacts.append(self.tools.artifacts.put(data, "text/html", f"{name}.html"))
            png = await screenshot(self.page, self.secret_fields, self.texts.revealed, patience_s)
            if png is not None:
                artifacts.append(self.tools.artifacts.put(png, "image/png", f"{name}.png"))
        except Unavailable as exc:
            if not self.sent:
                raise
            raise failed(FailureKind.STORE_FAILED, Side.OURS, step, exc.message) from exc
        url, title = self.page.url, ""
        with contextlib.suppress(Error):
            title = await self.page.title()
        shown = PageCaptured(
            step, self.texts.scrub(url), self.texts.scrub(bounded(title, 300)), self._status_of(self.page)
        )
        self.sightings.append(Sighting(what=shown, at_utc=at_utc, artifacts=tuple(artifacts)))

    @property
    def last_artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts of the page captured last."""
        return self.sightings[-1].artifacts if self.sightings else ()

    def _saw(self, what: ValueRead) -> None:
        self.sightings.append(Sighting(what=what, at_utc=self.tools.clock.now_utc()))

    def _status_of(self, page: Page) -> int | None:
        documents = self.traffic.documents_since(0, page)
        return self.traffic.statuses.get(documents[-1]) if documents else None

    # --- failures ---

    async def _seen_closer(self, failure: Failure) -> Failure:
        """Return the cause behind a failure where the page shows it: a wall, or a text in no right encoding."""
        text = self.texts.scrub(failure.text)
        if failure.kind in _PERHAPS_A_WALL:
            wall = await wall_on(self.page)
            if wall is not None:
                return Failure(FailureKind.BLOCKED, Side.OURS, failure.step, f"{wall} keeps us out ({text})")
        if failure.kind in (FailureKind.ELEMENT_NOT_FOUND, FailureKind.EXPECTATION_NOT_MET, FailureKind.VALUE_NOT_READ):
            page_text = await self.page_text()
            if "\ufffd" in page_text:
                said = f"the page is not in the encoding that it claims; its text cannot be read ({text})"
                return Failure(FailureKind.UNREADABLE, Side.VENDOR, failure.step, said)
        return Failure(failure.kind, failure.side, failure.step, text)

    def _unless_ended(self, failure: Failure) -> Failure:
        """Return a failure as it is, or that our browser ended under it: waits run out then in any order."""
        if not has_ended(self.page.context) or failure.kind is FailureKind.INTERRUPTED:
            return failure
        text = f"the browser ended ({failure.kind.value}: {failure.text})"
        return Failure(FailureKind.INTERRUPTED, Side.OURS, failure.step, text)

    def _from_browser(self, error: Error, name: str) -> Failure:
        return self._unless_ended(self._browsers_word(error, name))

    def _browsers_word(self, error: Error, name: str) -> Failure:
        if self.traffic.flooded.is_set():
            return self._too_large(name).failure
        if "Download is starting" in error.message or self.traffic.downloads:
            return self._download(name).failure
        known = classify(error.message, name, self._asked_last())
        if known is not None:
            return known
        if "closed" in error.message or "crash" in error.message.lower():
            return Failure(FailureKind.INTERRUPTED, Side.OURS, name, f"the browser ended: {error.message[:200]}")
        return Failure(FailureKind.UNKNOWN, Side.NOT_KNOWN, name, self.texts.scrub(error.message[:500]))

    def _asked_last(self) -> str:
        documents = self.traffic.documents_since(0, self.page)
        return documents[-1].url if documents else self.page.url

    def _aborted_for_another(self, mark: int) -> bool:
        """Whether a page was left for another one before it was there (a script moved on), with no fault of ours."""
        documents = self.traffic.documents_since(mark, self.page)
        return len(documents) > 1 and documents[-1] not in self.traffic.errors

    def _download(self, name: str) -> StepFailed:
        where = self.traffic.downloads[-1] if self.traffic.downloads else self._asked_last()
        return failed(FailureKind.UNREADABLE, Side.NOT_KNOWN, name, f"{where} is a file to download, not a page")

    def _too_large(self, name: str) -> StepFailed:
        text = f"{self._asked_last()} is larger than {LARGEST_DOCUMENT_BYTES:,} bytes; it was stopped while it loaded"
        return failed(FailureKind.TOO_LARGE, Side.VENDOR, name, text)

    def _too_slow(self, name: str, mark: int) -> StepFailed:
        if self.traffic.flooded.is_set():
            return self._too_large(name)
        documents = self.traffic.documents_since(mark, self.page)
        for each in documents:
            broken = classify(self.traffic.errors.get(each, ""), name, each.url)
            if broken is not None:
                return StepFailed(broken)
        answered = any(each in self.traffic.statuses for each in documents)
        side = Side.VENDOR if answered else Side.NETWORK
        said = "began to come and did not end" if answered else "did not answer"
        return failed(FailureKind.TIMEOUT, side, name, f"{self._asked_last()} {said} within {self._timeout_s:g} s")

    def unusable(self, error: Error, target: str, name: str) -> StepFailed:
        """Return the failure of an element that is there, and does not serve."""
        if "has been closed" in error.message or classify(error.message, name, self.page.url) is not None:
            return StepFailed(self._from_browser(error, name))
        why = [line.strip(" -") for line in error.message.splitlines()]
        reasons = [
            line for line in why if re.search(r"intercept|not enabled|not editable|not visible|outside|detached", line)
        ]
        said = self.texts.scrub((reasons or why)[0][:200])
        return failed(FailureKind.ELEMENT_UNUSABLE, Side.OURS, name, f'"{target}" cannot be used: {said}')

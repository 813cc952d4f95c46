"""Finds the one element of a page that a plan's words mean, or says what there is instead."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from playwright.async_api import Error

from probes.errors import FailureKind, Side
from probes.web.channel import PREFIXES
from probes.web.engines import near
from probes.web.failures import failed
from probes.web.naming import LABEL_OF
from probes.web.reading import nearest

if TYPE_CHECKING:
    from playwright.async_api import Frame, Locator, Page

# What each verb can be done to.
FIELDS = {
    "fill": (
        'input:not([type=hidden],[type=submit],[type=button],[type=image],[type=reset],[type=checkbox],[type=radio],[type=file]),'
        "textarea,[contenteditable]:not([contenteditable=false])"
    ),
    "select": "select,[role=combobox]:not(input),[aria-haspopup=listbox]",
    "check": "input[type=checkbox],input[type=radio],[role=checkbox],[role=radio],[role=switch]",
    "upload": "input[type=file]",
}  # fmt: skip
_ASK_AGAIN_S = 0.1
# Two matches may be a page still changing; only if both stay that long are they two.
_AMBIGUOUS_AFTER_S = 1.0
_MOST_COUNTED = 20
_REQUIRED_MARK = r"\s*[*:]*\s*(?:\((?:required|optional|pflichtfeld|obligatoire|obligatorio)\))?\s*[*:]*\s*"

_Stage = Callable[["Frame"], "Locator"]


def stages(target: str, verb: str) -> tuple[_Stage, ...]:
    """Return the ways to look for a target, the surest first; the first that finds anything decides."""
    prefix, equals, rest = target.partition("=")
    if not (equals and prefix in PREFIXES):
        prefix, rest = "", target
    rest = rest.strip()
    if prefix == "css":
        return (lambda frame: frame.locator(f"css={rest}"),)
    if prefix == "text":
        return (lambda frame: frame.get_by_text(rest, exact=True), lambda frame: frame.get_by_text(rest))
    if verb == "upload":
        # A button that asks for a file, or a place to drop one, does as well as the field itself.
        more = () if prefix and prefix not in ("button", "link") else _click_stages(prefix, rest)
        beside = _beside(prefix, rest, verb) if not prefix else ()
        within: _Stage = lambda frame: frame.get_by_text(rest)  # noqa: E731
        return (*_field_stages(prefix, rest, FIELDS[verb]), *more[:4], *beside, *more[4:], *((within,) if more else ()))
    if verb in FIELDS:
        return (*_field_stages(prefix, rest, FIELDS[verb]), *_beside(prefix, rest, verb))
    if verb == "click":
        return _click_stages(prefix, rest)
    return _any_stages(prefix, rest)


def _beside(prefix: str, rest: str, verb: str) -> tuple[_Stage, ...]:
    if prefix not in ("", "label", "name"):
        return ()
    selector = near(rest, FIELDS[verb], editors=verb == "fill")
    return (lambda frame: frame.locator(selector),)


def _field_stages(prefix: str, rest: str, fields: str) -> tuple[_Stage, ...]:
    quoted = _quoted(rest)
    marked = re.compile(rf"^\s*\**\s*{re.escape(rest)}{_REQUIRED_MARK}$", re.IGNORECASE)
    by_label: tuple[_Stage, ...] = (
        lambda frame: frame.get_by_label(rest, exact=True).and_(frame.locator(fields)),
        lambda frame: frame.get_by_label(marked).and_(frame.locator(fields)),
    )
    within = re.compile(rf"(?<!\w){re.escape(rest)}(?!\w)", re.IGNORECASE)
    part_of_label: tuple[_Stage, ...] = (lambda frame: frame.get_by_label(within).and_(frame.locator(fields)),)
    by_placeholder: tuple[_Stage, ...] = (
        lambda frame: frame.get_by_placeholder(rest, exact=True).and_(frame.locator(fields)),
    )
    by_name: tuple[_Stage, ...] = (lambda frame: frame.locator(f"[name={quoted}]").and_(frame.locator(fields)),)
    by_prefix = {"label": by_label + part_of_label, "placeholder": by_placeholder, "name": by_name}
    return by_prefix.get(prefix, by_label + by_placeholder + by_name + part_of_label)


def _click_stages(prefix: str, rest: str) -> tuple[_Stage, ...]:
    quoted = _quoted(rest)
    button: _Stage = lambda frame: frame.get_by_role("button", name=rest, exact=True)  # noqa: E731
    link: _Stage = lambda frame: frame.get_by_role("link", name=rest, exact=True)  # noqa: E731
    # A button of another name that contains the words ("Don't send") is another button.
    alike = re.compile(rf"^\W*{re.escape(rest)}\W*$", re.IGNORECASE)
    like_button: _Stage = lambda frame: frame.get_by_role("button", name=alike)  # noqa: E731
    like_link: _Stage = lambda frame: frame.get_by_role("link", name=alike)  # noqa: E731
    if prefix == "button":
        return (button, like_button)
    if prefix == "link":
        return (link, like_link)
    if prefix == "label":
        return (lambda frame: frame.get_by_label(rest, exact=True), lambda frame: frame.get_by_label(rest))
    if prefix == "name":
        return (lambda frame: frame.locator(f"[name={quoted}]"),)
    text: _Stage = lambda frame: frame.get_by_text(rest, exact=True)  # noqa: E731
    name: _Stage = lambda frame: frame.locator(f"button[name={quoted}],input[name={quoted}]")  # noqa: E731
    return (button, link, like_button, like_link, text, name)


def _any_stages(prefix: str, rest: str) -> tuple[_Stage, ...]:
    fields = ",".join(FIELDS.values())
    if prefix in ("button", "link"):
        return _click_stages(prefix, rest)
    if prefix:
        return _field_stages(prefix, rest, fields)
    return (*_field_stages("", rest, fields), lambda frame: frame.get_by_text(rest, exact=True))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


async def find(page: Page, target: str, verb: str, step: str, wait_s: float) -> Locator:
    """Return the one element that a target means, waiting for it up to `wait_s` real seconds.

    Raises:
        StepFailed: nothing or more than one thing fits, or the one that fits is hidden; with what is near it.
    """
    ways = stages(target, verb)
    begun_s, two_since_s, found = time.monotonic(), None, list["Locator"]()
    while True:
        try:
            found = await _matches(page, ways, verb)
        except Error as error:
            if "selector" in error.message.lower() and "css=" in target:
                raise failed(
                    FailureKind.ELEMENT_NOT_FOUND,
                    Side.OURS,
                    step,
                    f'"{target}" is no CSS selector that a browser reads',
                ) from error
            found = []  # the page changed under our hands; look again
        now_s = time.monotonic()
        if len(found) == 1:
            return found[0]
        two_since_s = (two_since_s or now_s) if found else None
        if now_s - begun_s > wait_s or (two_since_s is not None and now_s - two_since_s > _AMBIGUOUS_AFTER_S):
            break
        await asyncio.sleep(_ASK_AGAIN_S)
    await _explain(page, target, verb, step, found, ways)
    raise AssertionError("unreachable: _explain raises")


async def matches_of(page: Page, target: str, verb: str) -> list[Locator]:
    """Return all that a target fits on a page at this moment."""
    return await _matches(page, stages(target, verb), verb)


async def _matches(page: Page, ways: tuple[_Stage, ...], verb: str) -> list[Locator]:
    """Return what the first way that finds anything finds, over all frames; a hidden file field counts as seen.

    So do, where nothing is seen, lists and boxes that a script has hidden to stand for them itself.
    """
    for hidden_too in (verb == "upload", True) if verb in ("select", "check") else (verb == "upload",):
        for way in ways:
            found: list[Locator] = []
            for frame in page.frames:
                if frame.is_detached():
                    continue
                locator = way(frame)
                if not hidden_too:
                    locator = locator.filter(visible=True)
                count = min(await locator.count(), _MOST_COUNTED)
                found += [locator.nth(index) for index in range(count)]
            if found:
                return await _without_copies(found) if verb == "click" else found
    return []


async def _without_copies(found: list[Locator]) -> list[Locator]:
    """Links to the same address are one, and so are buttons that send the same form the same way.

    A page often has them at its top and its foot.
    """
    if len(found) < 2:
        return found
    addresses = {await locator.evaluate(_LEADS_TO) for locator in found}
    return found[:1] if len(addresses) == 1 and None not in addresses else found


async def _explain(
    page: Page, target: str, verb: str, step: str, found: list[Locator], ways: tuple[_Stage, ...]
) -> None:
    where = f'on "{(await _or_empty(page.title()))[:80]}" ({page.url[:200]})'
    if len(found) > 1:
        texts = [await _outline(locator) for locator in found[:4]]
        raise failed(
            FailureKind.ELEMENT_AMBIGUOUS,
            Side.OURS,
            step,
            f'"{target}" fits {len(found)} elements {where}: {"; ".join(texts)}. Say which with css=…',
        )
    for way in ways:
        for frame in page.frames:
            try:
                hidden = await way(frame).count()
            except Error:
                continue
            if hidden:
                outline = await _outline(way(frame).first)
                raise failed(
                    FailureKind.ELEMENT_UNUSABLE, Side.OURS, step, f'"{target}" is there but hidden {where}: {outline}'
                )
    wanted = target.partition("=")[2] if target.partition("=")[0] in PREFIXES else target
    near = nearest(wanted, await names_on(page, verb))
    kind = {"fill": "field", "select": "list", "check": "box", "upload": "file field", "click": "button or link"}
    listed = ", ".join(f'"{name}"' for name in near) or "none"
    raise failed(
        FailureKind.ELEMENT_NOT_FOUND,
        Side.OURS,
        step,
        f'no {kind.get(verb, "element")} "{target}" {where}; there is: {listed}',
    )


_LEADS_TO = """element => {
  const link = element.closest('a[href]');
  if (link) return link.href;
  const button = element.closest('button,input');
  if (!button?.form || !['submit', 'image'].includes(button.type)) return null;
  const form = [...document.forms].indexOf(button.form);
  return [form, button.name, button.value, button.formAction, button.getAttribute('onclick'), button.id].join('|');
}"""
_NAMES = (
    "([fields, clicks]) => { "
    + LABEL_OF
    + """
  const seen = element => element.checkVisibility ? element.checkVisibility() : true;
  const name = element => fields ? labelOf(element) : element.getAttribute('aria-label') || element.innerText
    || (['submit', 'button'].includes(element.type) ? element.value : '') || element.title || element.name || '';
  const found = [...document.querySelectorAll(fields || clicks)].slice(0, 400);
  return found.filter(element => element.type === 'file' || seen(element)).map(name);
}"""
)
_CLICKS = "button,a[href],input[type=submit],input[type=button],input[type=image],[role=button],[role=link],summary"
_OUTLINE = (
    "element => element.outerHTML.replace(/\\s+/g, ' ').replace(/ value=(\"[^\"]*\"|'[^']*')/g, '').slice(0, 120)"
)


async def names_on(page: Page, verb: str) -> list[str]:
    """Return the names of what a verb could be done to on this page."""
    names: list[str] = []
    for frame in page.frames:
        try:
            names += await frame.evaluate(_NAMES, [FIELDS.get(verb, ""), _CLICKS])
        except Error:
            continue
    return [str(name) for name in names]


async def _outline(locator: Locator) -> str:
    try:
        return str(await locator.evaluate(_OUTLINE, timeout=1000))
    except Error:
        return "(gone)"


async def _or_empty(title: object) -> str:
    try:
        return str(await title)  # type: ignore[misc]
    except Error:
        return ""

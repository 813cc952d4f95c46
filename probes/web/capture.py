"""Keeps a page: its source and its picture, both bounded, both without what must not be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from playwright.async_api import Error

if TYPE_CHECKING:
    from playwright.async_api import Frame, Locator, Page

LONGEST_SOURCE_CHARS = 5_000_000
TALLEST_PICTURE_PX = 10_000
# A page busy with itself gives nothing; we do not wait for it longer than this (real time).
PAGE_MAY_TAKE_S = 15.0
# Shorter secrets would blacken half a page.
_SHORTEST_SECRET = 4

_SOURCE = """longest => {
  const roots = [], waiting = [document];
  while (waiting.length && roots.length < 1000) for (const element of waiting.pop().querySelectorAll('*'))
    if (element.shadowRoot) { roots.push(element.shadowRoot); waiting.push(element.shadowRoot); }
  const copy = document.documentElement.cloneNode(!roots.length);
  for (const field of copy.querySelectorAll('input[type=password]')) field.removeAttribute('value');
  const doctype = document.doctype ? new XMLSerializer().serializeToString(document.doctype) + '\\n' : '';
  // A copy has no shadow trees; what is written in them is written out where they are.
  const text = doctype + (!roots.length ? copy.outerHTML : document.documentElement.getHTML({ shadowRoots: roots })
    .replace(/<input\\b[^>]*\\btype="?password\\b[^>]*>/gi, field => field.replace(/ value="[^"]*"/i, '')));
  return text.length <= longest ? text : text.slice(0, longest)
    + `\\n<!-- cut here: the whole page has ${text.length} characters -->`;
}"""
# From the top: a bar that stays in sight would otherwise stand in the middle of the picture, over what was written.
_SIZE = """() => {
  const size = [document.documentElement.scrollWidth, document.documentElement.scrollHeight, scrollX, scrollY];
  scrollTo({left: 0, top: 0, behavior: 'instant'});
  return size;
}"""
_BACK = "([left, top]) => scrollTo({left, top, behavior: 'instant'})"

T = TypeVar("T")


async def source(page: Page | Frame, patience_s: float) -> str | None:
    """Return a page's or frame's source as it now stands, shadow trees written out, without the values of password
    fields; None if it does not answer.
    """
    text = await _within_reason(page.evaluate(_SOURCE, LONGEST_SOURCE_CHARS), patience_s)
    return None if text is None else str(text)


async def screenshot(
    page: Page, secret_fields: list[Locator], secrets: tuple[str, ...], patience_s: float
) -> bytes | None:
    """Return the whole page as PNG, bounded in height, with fields and texts that hold secrets painted over."""
    size = await _within_reason(page.evaluate(_SIZE), patience_s)
    if size is None:
        return None
    width, height = int(size[0]), int(size[1])
    masks = list(secret_fields)
    for frame in page.frames:
        masks.append(frame.locator("input[type=password]"))
        masks += [frame.get_by_text(secret) for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    too_tall = height > TALLEST_PICTURE_PX
    picture = await _within_reason(
        page.screenshot(
            full_page=True,
            clip={"x": 0, "y": 0, "width": max(1, width), "height": TALLEST_PICTURE_PX} if too_tall else None,
            mask=masks,
            mask_color="#333333",
            animations="disabled",
            timeout=patience_s * 1000,
        ),
        patience_s,
    )
    if picture is not None and (size[2] or size[3]):
        await _within_reason(page.evaluate(_BACK, [size[2], size[3]]), patience_s)
    return picture


async def _within_reason(work: Coroutine[Any, Any, T], patience_s: float) -> T | None:
    try:
        return await asyncio.wait_for(work, patience_s)
    except (Error, TimeoutError):
        return None

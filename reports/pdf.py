"""From HTML to a PDF that reads well: printed by Chromium, then finished so that its bytes depend on nothing else.

Printing is done twice: the first pass tells on which page each anchor landed, the second prints those numbers.
"""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pikepdf
from pikepdf import Array, Dictionary, Name, Operator, String

from probes.browser import open_browser

if TYPE_CHECKING:
    from playwright.async_api import Browser

T = TypeVar("T")
_PASSES = 8  # two or three are needed; each change of a page number asks for one more
_PATH = {"m", "l", "c", "v", "y", "re", "h"}
_PAINT = {"S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "sh"}


def make_pdf(
    html_for: Callable[[Mapping[str, int]], str], *, title: str, made_utc: datetime, browser: str | None = None
) -> bytes:
    """Print HTML to finished PDF bytes; `html_for` is given the page of each anchor that is known so far."""
    return run(_print(html_for, title, made_utc, browser))


async def _print(
    html_for: Callable[[Mapping[str, int]], str], title: str, made_utc: datetime, explicit: str | None
) -> bytes:
    async with open_browser(explicit) as (browser, _):
        html, data = "", b""
        for _ in range(_PASSES):
            following = html_for(destinations(data) if data else {})
            if following == html:
                break
            html = following
            data = await _pass(browser, html)
        return finish(data, title=title, made_utc=made_utc)


async def _pass(browser: Browser, html: str) -> bytes:
    context = await browser.new_context(java_script_enabled=False, offline=True, locale="en-GB", timezone_id="UTC")
    try:
        page = await context.new_page()
        await page.set_content(html, wait_until="load", timeout=120_000)
        return await page.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True)
    finally:
        await context.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, also from code that an event loop is already running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as exc:
            errors.append(exc)

    thread = threading.Thread(target=target, name="print-report")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def destinations(data: bytes) -> dict[str, int]:
    """Return the page, counted from 1, of every anchor that some link of a printed PDF points to."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        numbers = {page.obj.objgen[0]: number for number, page in enumerate(pdf.pages, start=1)}
        found: dict[str, int] = {}
        for name, target in _named(pdf).items():
            place = target.get(Name.D) if isinstance(target, Dictionary) else target
            if isinstance(place, Array) and len(place):
                found[name.lstrip("/")] = numbers.get(place[0].objgen[0], 0)
    return {name: page for name, page in found.items() if page}


def _named(pdf: pikepdf.Pdf) -> dict[str, Any]:
    if Name.Dests in pdf.Root:
        return {str(name): target for name, target in pdf.Root.Dests.items()}
    if Name.Names in pdf.Root and Name.Dests in pdf.Root.Names:
        return {str(name): target for name, target in pikepdf.NameTree(pdf.Root.Names.Dests).items()}
    return {}


def finish(data: bytes, *, title: str, made_utc: datetime) -> bytes:
    """Mark what is mere furniture, name links, write the metadata, and save so that equal input gives equal bytes."""
    moment = made_utc.astimezone(UTC)
    with pikepdf.open(io.BytesIO(data)) as pdf:
        for page in pdf.pages:
            _mark_furniture(pdf, page)
            _name_links(page)
        if Name.StructTreeRoot in pdf.Root:
            _wrap_list_bodies(pdf, pdf.Root.StructTreeRoot)
        stamp = String(f"D:{moment:%Y%m%d%H%M%S}+00'00'")
        pdf.trailer.Info = pdf.make_indirect(
            Dictionary(Title=String(title), Creator=String("Holdproof"), CreationDate=stamp, ModDate=stamp)
        )
        pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        pdf.Root.Lang = String("en")
        with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False) as meta:
            meta["dc:title"] = title
            meta["dc:language"] = {"en"}
            meta["xmp:CreatorTool"] = "Holdproof"
            meta["xmp:CreateDate"] = moment.isoformat()
            meta["xmp:ModifyDate"] = moment.isoformat()
            meta["pdfuaid:part"] = "1"
        out = io.BytesIO()
        pdf.save(
            out,
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            compress_streams=True,
            recompress_flate=True,
            deterministic_id=True,
        )
    return out.getvalue()


def _mark_furniture(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Wrap what no tag covers (running heads, hairlines, backgrounds) so that screen readers pass over it."""
    out: list[Any] = []
    depth, start = 0, None  # `start`: where an untagged path or text began
    opened = False
    for instruction in pikepdf.parse_content_stream(page):
        if isinstance(instruction, pikepdf.ContentStreamInlineImage):
            out.append(instruction)
            continue
        operator = str(instruction.operator)
        if operator in ("BDC", "BMC"):
            depth += 1
        elif depth == 0 and operator in _PATH and start is None:
            start = len(out)
        elif depth == 0 and operator == "BT":
            start, opened = len(out), False
        out.append(instruction)
        if operator == "EMC":
            depth -= 1
        elif start is not None and operator == "BT":
            opened = True
        if depth == 0 and operator in ("Do", "sh") and not opened:
            _wrap(out, len(out) - 1)
            start = None
        elif depth == 0 and start is not None and (operator == "ET" or (not opened and operator in _PAINT)):
            if not any(
                str(item.operator) in ("BDC", "BMC")
                for item in out[start:]
                if not isinstance(item, pikepdf.ContentStreamInlineImage)
            ):
                _wrap(out, start)
            start, opened = None, False
        elif operator == "n" and not opened:
            start = None
    page.Contents = pdf.make_stream(pikepdf.unparse_content_stream(out))


def _wrap(out: list[Any], start: int) -> None:
    out.insert(start, pikepdf.ContentStreamInstruction([Name.Artifact], Operator("BMC")))
    out.append(pikepdf.ContentStreamInstruction([], Operator("EMC")))


def _wrap_list_bodies(pdf: pikepdf.Pdf, root: pikepdf.Object) -> None:
    """Give list items the body element that readers expect; Chromium leaves it out where an item has no marker."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if node.is_indirect:
            if node.objgen in seen:
                continue
            seen.add(node.objgen)
        kids = node.get(Name.K)
        children = list(kids) if isinstance(kids, Array) else [kids] if isinstance(kids, Dictionary) else []
        elements = [child for child in children if isinstance(child, Dictionary) and Name.S in child]
        waiting += elements
        if node.get(Name.S) != Name.LI or not elements or len(elements) != len(children):
            continue
        if any(child.S in (Name.LBody, Name.Lbl) for child in elements):
            continue
        body = pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.LBody, P=node, K=Array(elements)))
        for child in elements:
            child.P = body
        node.K = Array([body])


def _name_links(page: pikepdf.Page) -> None:
    for annotation in page.get(Name.Annots, Array()):
        if annotation.get(Name.Subtype) != Name.Link or Name.Contents in annotation:
            continue
        action = annotation.get(Name.A)
        target = annotation.get(Name.Dest) or (
            action.get(Name.D) or action.get(Name.URI) if action is not None else None
        )
        annotation[Name.Contents] = String(f"Link to {str(target).lstrip('/')}" if target is not None else "Link")

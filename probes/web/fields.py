"""Does to fields what a person does: writes, chooses, ticks, attaches; and looks whether it has taken."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import mimetypes
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from playwright.async_api import Error
from playwright.async_api import TimeoutError as TooSlow

from probes.errors import FailureKind, Side
from probes.web.channel import Upload, check_file
from probes.web.failures import failed
from probes.web.reading import bounded

if TYPE_CHECKING:
    from playwright.async_api import FilePayload, Locator, Request

    from probes.web.session import Session

# Real seconds: how long an editor may take to show what was written, and a button to ask for a file.
_EDITOR_MAY_TAKE_S = 3.0
_CHOOSER_MAY_TAKE_S = 2.0
_ASK_AGAIN_S = 0.1
# What is longer was meant to arrive whole; shorter values a page may put into its own form (telephone numbers).
_SHORTEST_TEXT = 20
_KIND = """field => field.tagName === 'IFRAME' ? 'frame' : field.isContentEditable ? 'editor'
  : field.tagName === 'SELECT' ? 'list' : field.tagName === 'INPUT' && field.type === 'file' ? 'file'
  : 'value' in field ? 'field' : 'other'"""
_UNSEEN = re.compile("[\u200b\u200c\u200d\u2060\ufeff]")
_DROP = """(zone, files) => {
  const moved = new DataTransfer();
  for (const [name, type, data] of files)
    moved.items.add(new File([Uint8Array.from(atob(data), letter => letter.charCodeAt(0))], name, {type}));
  for (const kind of ['dragenter', 'dragover', 'drop'])
    zone.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: moved}));
}"""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written into an editor, whose own script decides what is sent of it."""

    target: str
    text: str


async def fill(session: Session, target: str, value: str, name: str) -> None:
    """Write a value into a field, or into the editor that stands for it.

    Raises:
        StepFailed: there is no such field, it cannot be written in, or it does not keep what was written.
    """
    target = session.texts.typed(target)
    field = await session.find(target, "fill", name)
    typed = session.texts.typed(value)
    try:
        kind = await field.evaluate(_KIND)
        if kind == "frame":
            field = await _inside(field)
        if session.texts.holds_secret(value):
            session.secret_fields.append(field)
        if kind in ("frame", "editor"):
            await _write(session, field, typed)
            there = await field.inner_text()
        else:
            await field.fill(typed)
            there = await field.input_value()
    except Error as exc:
        raise session.unusable(exc, target, name) from exc
    if kind == "field" and (len(typed) < _SHORTEST_TEXT or session.texts.holds_secret(value)):
        return
    if plain(there) != plain(typed):
        said = f'"{target}" does not keep what is written in it; there stands: {bounded(plain(there), 200)}'
        raise failed(FailureKind.ELEMENT_UNUSABLE, Side.OURS, name, session.texts.scrub(said))
    if kind != "field":
        session.written.append(Written(target, typed))


async def _inside(frame_element: Locator) -> Locator:
    handle = await frame_element.element_handle()
    frame = await handle.content_frame()
    if frame is None:
        raise Error("the editor's frame is gone")
    return frame.locator("body")


async def _write(session: Session, editor: Locator, text: str) -> None:
    """Write into an editor line by line, as from a keyboard: its script sees nothing else."""
    keyboard = session.page.keyboard
    await editor.click()
    await keyboard.press("ControlOrMeta+A")
    await keyboard.press("Delete")
    for number, line in enumerate(text.splitlines()):
        if number:
            await keyboard.press("Enter")
        if line:
            await keyboard.insert_text(line)
    begun_s = time.monotonic()
    while time.monotonic() - begun_s < _EDITOR_MAY_TAKE_S:
        if plain(await editor.inner_text()) == plain(text):
            return
        await asyncio.sleep(_ASK_AGAIN_S)


def plain(text: str) -> str:
    """Return a text as it is compared: without signs that nobody sees, and with single spaces."""
    return " ".join(_UNSEEN.sub("", text).split())


def not_sent(written: list[Written], requests: list[Request]) -> Written | None:
    """Return the first text of an editor that none of these requests carries, where their bodies can be read."""
    sent = []
    for request in requests:
        try:
            body = request.post_data
        except (Error, UnicodeDecodeError):  # bytes that are no text: a file is in it
            return None
        if body:
            sent.append(body)
    if not sent:
        return None
    letters = _letters("\n".join(_readable(body) for body in sent))
    for each in written:
        if any(_letters(line) not in letters for line in each.text.splitlines()):
            return each
    return None


def _readable(body: str) -> str:
    values = "\n".join(value for _, value in parse_qsl(body, keep_blank_values=True))
    with contextlib.suppress(ValueError):
        body = json.dumps(json.loads(body), ensure_ascii=False)
    texts = [re.sub(r"<[^<>]*>", " ", text.replace("\\n", " ")) for text in (body, values)]
    return "\n".join(html.unescape(text) for text in texts)


def _letters(text: str) -> str:
    return "".join(re.findall(r"\w", _UNSEEN.sub("", text)))


async def select(session: Session, target: str, value: str, name: str) -> None:
    """Choose from a list by what it shows, or by its value; a list that a script stands before as well."""
    target, value = session.texts.typed(target), session.texts.typed(value)
    field = await session.find(target, "select", name)
    if await field.evaluate(_KIND) != "list":
        await _pick(session, field, target, value, name)
        return
    options = await field.evaluate("list => [...list.options].map(option => [option.label.trim(), option.value])")
    chosen = next((each for each in options if each[0] == value), None) or next(
        (each for each in options if each[1] == value), None
    )
    if chosen is None:
        raise _no_choice(target, value, [label for label, _ in options], name)
    try:
        # A list that a script has hidden and stands for is chosen from all the same, as its script would.
        await field.select_option(value=chosen[1], force=not await field.is_visible())
    except Error as exc:
        raise session.unusable(exc, target, name) from exc


async def _pick(session: Session, field: Locator, target: str, value: str, name: str) -> None:
    """Choose from a list that is made of other things than a list: open it, and press the one of that name."""
    options = session.page.get_by_role("option")
    try:
        await field.click()
        exact = options.filter(has_text=re.compile(rf"^\s*{re.escape(value)}\s*$")).filter(visible=True)
        with contextlib.suppress(TooSlow):
            await exact.first.click(timeout=_CHOOSER_MAY_TAKE_S * 1000)
            return
        raise _no_choice(target, value, await options.filter(visible=True).all_inner_texts(), name)
    except Error as exc:
        raise session.unusable(exc, target, name) from exc


def _no_choice(target: str, value: str, labels: list[str], name: str) -> Exception:
    listed = ", ".join(f'"{" ".join(label.split())}"' for label in labels[:12]) or "none"
    text = f'"{target}" has no choice "{value}"; there is: {listed}'
    return failed(FailureKind.ELEMENT_NOT_FOUND, Side.OURS, name, text)


async def check(session: Session, target: str, name: str) -> None:
    """Tick a box or choose one of several, by its label where the box itself is hidden behind it."""
    box = await session.find(target, "check", name)
    try:
        if await box.is_visible():
            await box.check()
        elif not await box.is_checked():
            await box.evaluate("box => (box.labels?.[0] ?? box).click()")
    except Error as exc:
        raise session.unusable(exc, target, name) from exc


async def attach(session: Session, target: str, upload: Upload, name: str) -> None:
    """Attach a file: to a file field, by the button that asks for one, or by dropping it where that is wanted."""
    target = session.texts.typed(target)
    payload = _payload(session, upload)
    place = await session.find(target, "upload", name)
    mark = len(session.traffic.requests)
    try:
        if await place.evaluate(_KIND) != "file":
            inner = place.locator("input[type=file]")
            if await inner.count() == 1:
                place = inner
        if await place.evaluate(_KIND) == "file":
            await place.set_input_files(payload)
        elif not await _by_chooser(session, place, payload):
            await _drop(place, payload)
    except Error as exc:
        raise session.unusable(exc, target, name) from exc
    session.files.append(session.tools.artifacts.put(payload["buffer"], payload["mimeType"], payload["name"]))
    await session.settle(name, mark)


def _payload(session: Session, upload: Upload) -> FilePayload:
    if upload.file is None:
        content = session.texts.typed(upload.text or "").encode()
        return {"name": session.texts.typed(upload.name or ""), "mimeType": upload.media_type, "buffer": content}
    path = Path(session.texts.typed(upload.file))
    check_file(path)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"name": upload.name or path.name, "mimeType": kind, "buffer": path.read_bytes()}


async def _by_chooser(session: Session, place: Locator, payload: FilePayload) -> bool:
    try:
        async with session.page.expect_file_chooser(timeout=_CHOOSER_MAY_TAKE_S * 1000) as asked:
            await place.click()
        await (await asked.value).set_files(payload)
    except TooSlow:
        return False
    return True


async def _drop(place: Locator, payload: FilePayload) -> None:
    from base64 import b64encode

    await place.evaluate(_DROP, [[payload["name"], payload["mimeType"], b64encode(payload["buffer"]).decode()]])

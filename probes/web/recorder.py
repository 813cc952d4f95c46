"""Watches a person use a portal in a browser, and notes what was done: for each act the ways to name its target.

What is typed into password fields never leaves the page: only that something was typed there is noted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

from probes.web.naming import LABEL_OF
from probes.web.recorded import Act, Mark, Recording
from probes.web.targets import matches_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Request

# Real seconds within which what happens is taken for the doing of a click.
_BY_CLICK_S = 3.0
_SURE_MAY_TAKE_S = 5.0
_LARGEST_FILE = 10_000_000
_SCRIPT = (
    "(() => { if (window.holdproofWatches) return; window.holdproofWatches = true;\n"
    + LABEL_OF
    + r"""
  const plain = words => (words ?? '').replace(/\s+/g, ' ').trim();
  const css = element => {
    if (element.id && !/\d{3}/.test(element.id)) return `#${CSS.escape(element.id)}`;
    const name = element.getAttribute('name');
    if (name) return `${element.tagName.toLowerCase()}[name="${CSS.escape(name)}"]`;
    const parts = [];
    for (let part = element; part && part.tagName !== 'BODY' && parts.length < 5; part = part.parentElement) {
      const like = [...(part.parentElement?.children ?? [])].filter(each => each.tagName === part.tagName);
      const which = like.length > 1 ? `:nth-of-type(${like.indexOf(part) + 1})` : '';
      parts.unshift(`${part.tagName.toLowerCase()}${which}`);
      if (part.id && !/\d{3}/.test(part.id)) { parts[0] = `#${CSS.escape(part.id)}`; break; }
    }
    return parts.join(' > ');
  };
  const note = what => { try { window.holdproofNote({...what, url: (window.top === window ? location.href : '')}); }
    catch { /* the page is going */ } };
  const seen = element => !element.checkVisibility || element.checkVisibility();
  const ways = element => [labelOf(element), element.name ? `name=${element.name}` : '', `css=${css(element)}`];

  const editorOf = element => {
    let editor = element.isContentEditable ? element : null;
    while (editor?.parentElement?.isContentEditable) editor = editor.parentElement;
    return editor;
  };
  const framed = window.frameElement && (document.designMode === 'on' || document.body?.isContentEditable);
  const standsFor = editor => {
    // The hidden field before the editor, of which the label speaks.
    for (let scope = editor.parentElement, level = 0; scope && level < 6; scope = scope.parentElement, level++) {
      const hidden = [...scope.querySelectorAll('textarea,input[type=hidden]')]
        .filter(each => !seen(each) || each.type === 'hidden');
      const before = hidden.filter(each => each.compareDocumentPosition(editor) & Node.DOCUMENT_POSITION_FOLLOWING);
      if (hidden.length) return before.pop() ?? hidden[0];
    }
    return null;
  };
  const written = (editor, text) => {
    const field = standsFor(editor), own = labelOf(editor);
    const names = [field?.labels?.length ? labelOf(field) : '', own, field?.name ? `name=${field.name}` : ''];
    note({verb: 'fill', ways: [...names, `css=${css(editor)}`], value: text.replace(/\n\n/g, '\n').trim(),
      kind: 'editor'});
  };
  // An editor in a frame often writes its document anew, and nothing that listened in it is left: it is looked at.
  const before = new WeakMap();
  const lookAtFrames = () => { for (const frame of document.querySelectorAll('iframe')) { try {
    const inside = frame.contentDocument, body = inside?.body;
    if (!body || !(body.isContentEditable || inside.designMode === 'on')) continue;
    const text = body.innerText.trim();
    if (before.has(body) && before.get(body) !== text) written(frame, text);
    before.set(body, text);
  } catch { /* of another origin */ } } };
  setInterval(lookAtFrames, 300);
  const typed = element => {
    const editor = editorOf(element);
    if (editor) return framed ? undefined : written(editor, editor.innerText);
    if (!element.matches?.('input,textarea,select')) return;
    if (element.type === 'file') {
      for (const file of element.files) file.arrayBuffer().then(data => { let text = '';
        for (const byte of new Uint8Array(data.slice(0, 10000001))) text += String.fromCharCode(byte);
        note({verb: 'upload', ways: ways(element), value: file.name, content: btoa(text)}); });
    } else if (element.tagName === 'SELECT') {
      note({verb: 'select', ways: ways(element), value: plain(element.selectedOptions[0]?.label)});
    } else if (element.type === 'checkbox' || element.type === 'radio') {
      if (element.checked) note({verb: 'check', ways: ways(element), value: ''});
    } else if (!['submit', 'button', 'image', 'reset', 'hidden'].includes(element.type)) {
      const secret = element.type === 'password';
      note({verb: 'fill', ways: ways(element), value: secret ? '' : element.value, kind: secret ? 'password'
        : element.autocomplete === 'one-time-code' ? 'code' : element.tagName === 'TEXTAREA' ? 'long' : element.type});
    }
  };
  for (const kind of ['input', 'change'])
    document.addEventListener(kind, event => { if (!ours(event)) typed(event.composedPath()[0]); }, true);

  const clickable = 'button,a[href],input[type=submit],input[type=button],input[type=image],summary,[role=button],'
    + '[role=link],[role=tab],[role=menuitem],[onclick]';
  const nameOf = element => plain(element.getAttribute('aria-label') || element.innerText
    || (element.tagName === 'INPUT' ? element.value : '') || element.title || element.querySelector('img')?.alt);
  document.addEventListener('click', event => {
    if (ours(event)) return;
    lookAtFrames();
    const element = event.composedPath().find(each => each.matches?.(clickable));
    if (!element || element.matches('input:not([type=submit],[type=button],[type=image]),select,textarea')) return;
    if (element.closest('[contenteditable]') || editorOf(element)) return;
    const name = nameOf(element).slice(0, 120);
    const alike = [...document.querySelectorAll(clickable)].filter(each => seen(each) && nameOf(each) === name);
    note({verb: 'click', ways: [alike.length === 1 ? name : '', `css=${css(element)}`], value: '',
      kind: element.closest('.mce-toolbar,[role=toolbar],[class*=toolbar]') ? 'tool' : ''});
  }, true);

  let bar = null;
  const ours = event => bar !== null && event.composedPath().includes(bar);
  if (window.top !== window) return;
  const mark = what => {
    const selection = window.getSelection(), text = plain(selection.toString());
    if (!text && what !== 'done') return say('Select it on the page first.');
    const range = selection.rangeCount ? selection.getRangeAt(0) : null;
    const inner = range?.commonAncestorContainer;
    let element = inner?.nodeType === 3 ? inner.parentElement : inner;
    const line = plain(element?.innerText).slice(0, 300);
    note({mark: what, text, line, css: element ? css(element) : '', ...(what === 'message' ? item(element) : {}),
      classed: classed(element), page: location.href});
    say(what === 'done' ? 'Thank you. The plan is being written.' : `Noted: ${text.slice(0, 40)}`);
  };
  const classed = element => { const name = [...(element?.classList ?? [])].find(each => !/\d/.test(each));
    return name ? `.${CSS.escape(name)}` : ''; };
  const item = element => {
    const kinds = each => each.tagName + '.' + [...each.classList].sort().join('.');
    let found = null;
    for (let each = element; each && each !== document.body; each = each.parentElement) {
      const like = [...(each.parentElement?.children ?? [])].filter(other => kinds(other) === kinds(each));
      if (like.length > 1) { found = each; break; }
    }
    for (let each = element; !found && each && each !== document.body; each = each.parentElement)
      if (each.matches('article,li,tr,' + ['message', 'comment', 'reply', 'post'].map(name => `[class*=${name} i]`)))
        found = each;
    found ??= element;
    const within = (...selectors) => { for (const selector of selectors) { const part = found.querySelector(selector);
      if (part) return part.tagName === 'TIME' ? 'time' : classed(part) || part.tagName.toLowerCase(); } return ''; };
    return {items: classed(found) || (found.tagName === 'TR' ? 'tbody tr' : found.tagName.toLowerCase()),
      author: within('[class*=author i]', '[class*=sender i]', '[class*=from i]', '[class*=user i]', '[class*=name i]',
        '[class*=who i]', '[class*=by i]', 'b', 'strong', 'cite'),
      time: within('time', '[class*=time i]', '[class*=date i]', '[class*=when i]', '[datetime]', 'small')};
  };
  let said = null;
  const say = text => { if (said) said.textContent = text; };
  const show = () => {
    if (bar || !document.documentElement) return;
    bar = document.createElement('div');
    Object.assign(bar.style, {position: 'fixed', right: '12px', bottom: '12px', zIndex: 2147483647});
    const inside = bar.attachShadow({mode: 'open'}), box = document.createElement('div');
    Object.assign(box.style, {background: '#1f2933', color: 'white', padding: '8px 10px', borderRadius: '6px',
      font: '13px sans-serif', boxShadow: '0 2px 8px #0006', maxWidth: '340px'});
    said = document.createElement('div');
    said.textContent = 'Recording. Send one ticket, then select its number and say so here.';
    box.append(said);
    for (const [what, label] of [['ticket', 'Ticket number'], ['status', 'Status'], ['message', 'A message'],
        ['done', 'Done']]) {
      const button = document.createElement('button');
      button.textContent = label;
      Object.assign(button.style, {margin: '6px 6px 0 0', font: 'inherit', cursor: 'pointer'});
      button.addEventListener('mousedown', event => event.preventDefault());
      button.addEventListener('click', () => mark(what));
      box.append(button);
    }
    inside.append(box);
    document.documentElement.append(bar);
  };
  if (document.body) show(); else document.addEventListener('DOMContentLoaded', show);
})()"""
)


@asynccontextmanager
async def recording(browser: Browser, url: str) -> AsyncIterator[tuple[Recorder, Page]]:
    """Open a page at an address and watch what is done in it and in all that it opens."""
    context = await browser.new_context(
        locale="en-GB", timezone_id="UTC", accept_downloads=False, viewport={"width": 1280, "height": 900}
    )
    try:
        recorder = Recorder()
        await recorder.watch(context)
        page = await context.new_page()
        await page.goto(url, wait_until="domcontentloaded")
        yield recorder, page
    finally:
        with contextlib.suppress(Error):  # the person has closed the window already
            await context.close()


@dataclass
class Recorder:
    """What a person did, in order. `files` are those that were attached, by name."""

    acts: list[Act] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    _clicked_s: float = float("-inf")
    _moved_s: float = float("-inf")

    def recorded(self, url: str) -> Recording:
        """Return what was done so far, from this address."""
        return Recording(url, tuple(self.acts), tuple(self.marks), tuple(self.hosts))

    async def watch(self, context: BrowserContext) -> None:
        """Begin to watch everything that is done in a context."""
        await context.expose_binding("holdproofNote", self._noted)
        await context.add_init_script(_SCRIPT)
        context.on("request", self._asked)
        context.on("page", self._opened)
        for page in context.pages:
            self._opened(page)

    def _opened(self, page: Page) -> None:
        page.on("close", lambda _: None if page.context.pages else self.done.set())

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(("http://", "https://")):
            return
        sends = request.method not in ("GET", "HEAD", "OPTIONS")
        if sends or request.is_navigation_request():
            self.hosts.setdefault(request.url)
        if request.is_navigation_request() and request.redirected_from is None and _in_window(request):
            if time.monotonic() - max(self._clicked_s, self._moved_s) > _BY_CLICK_S:
                self.acts.append(Act("goto", (request.url,), request.url, url=request.url))
            self._moved_s = time.monotonic()
        clicks = [index for index, act in enumerate(self.acts) if act.verb == "click"]
        if clicks and sends and time.monotonic() - self._clicked_s < _BY_CLICK_S:
            self.acts[clicks[-1]] = replace(self.acts[clicks[-1]], sends=True)

    async def _noted(self, source: dict[str, Any], what: dict[str, Any]) -> None:
        if "mark" in what:
            self._marked(what)
            return
        if what["verb"] == "click":
            if what.get("kind") != "tool":
                self._clicked_s = time.monotonic()
                self.acts.append(_act(what, tuple(way for way in what["ways"] if way)))
            return
        if what["verb"] == "upload":
            data = base64.b64decode(what["content"])
            if len(data) <= _LARGEST_FILE:
                self.files[what["value"]] = data
        place = len(self.acts)
        self.acts.append(_act(what, tuple(way for way in what["ways"] if way)))
        with contextlib.suppress(TimeoutError):
            sure = await asyncio.wait_for(_sure(source["page"], what["verb"], self.acts[place].ways), _SURE_MAY_TAKE_S)
            self.acts[place] = replace(self.acts[place], ways=sure)

    def _marked(self, what: dict[str, Any]) -> None:
        if what["mark"] == "done":
            self.done.set()
            return
        names = ("text", "line", "css", "classed", "page", "items", "author", "time")
        self.marks.append(Mark(what["mark"], **{name: str(what.get(name) or "") for name in names}))


def _in_window(request: Request) -> bool:
    try:
        return request.frame.parent_frame is None
    except Error:  # of a window that is only being opened: by a click, then
        return False


def _act(what: dict[str, Any], ways: tuple[str, ...]) -> Act:
    return Act(what["verb"], ways, what["value"], kind=what.get("kind", ""), url=what.get("url", ""))


async def _sure(page: Page, verb: str, ways: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ways to name a target by which a plan's run would find exactly one thing, all if none does."""
    sure = []
    for way in ways:
        try:
            if len(await matches_of(page, way, verb)) == 1:
                sure.append(way)
        except Error:
            continue
    return tuple(sure) or ways

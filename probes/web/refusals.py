"""What a page says against what we are doing: fields it wants otherwise, errors it shows, words that prove nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from playwright.async_api import Error

from probes.web.naming import LABEL_OF
from probes.web.reading import bounded

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

_HELD_BACK = (
    "() => { "
    + LABEL_OF
    + """
  return [...document.querySelectorAll('input:invalid,select:invalid,textarea:invalid')].slice(0, 8)
    .map(field => `"${labelOf(field)}" (${field.validationMessage})`); }"""
)

# Texts that look like a refusal: by their part on the page, their class, or their words where they are new.
_SAID = r"""() => {
  const seen = element => !element.checkVisibility || element.checkVisibility({visibilityProperty: true});
  const text = element => (element.innerText ?? '').replace(/\s+/g, ' ').trim();
  const marked = '[role=alert],[id*=error i],[id*=fehler i],.alert,.message,.notice,'
    + ['error', 'invalid', 'danger', 'fehler', 'erreur', 'failure', 'validation', 'warning']
      .map(sign => `[class*=${sign} i]`).join(',');
  const good = /success|erfolg|valid-feedback|\binfo\b|confirm/i;
  const bad = /error|invalid|danger|fehler|erreur|failure|validation/i;
  const words = new RegExp('\\b('
    + 'errors?|invalid|required|must( not)? be|not (valid|allowed|accepted|sent|saved|created)|missing|failed|'
    + 'could not|please (enter|fill|select|choose|correct|provide|specify|complete|check|try again)|cannot|'
    + 'can.t be|denied|expired|too (long|short|large|many)|fehler|ungültig|pflichtfeld|erforderlich|bitte|'
    + 'fehlt|konnte nicht|abgelaufen|'
    + 'nicht (gültig|gesendet|gespeichert|angelegt)|erreur|invalide|obligatoire|requis|veuillez|manquant|expiré|'
    + 'inválid[oa]|obligatori[oa]|falta|por favor|no se (pudo|ha))(?![\\p{L}])', 'iu');
  const found = [];
  const elements = [...document.querySelectorAll(marked), ...document.querySelectorAll('body > p,main p'),
    ...document.querySelectorAll('form :is(li,p,span,div,td,dd,small,strong,b,em,i,font,label)')];
  for (const element of new Set(elements)) {
    const said = text(element), signs = `${element.className?.baseVal ?? element.className} ${element.id}`;
    if (!said || said.length > 400 || !seen(element) || good.test(signs)) continue;
    if (element.querySelector('input:not([type=hidden]),select,textarea,form')) continue;
    if (bad.test(signs) || words.test(said)) found.push(said);
  }
  return [...new Set(found)].slice(0, 60);
}"""
_FORM_FIELDS = """element => {
  const form = element.closest('form') ?? element.form ?? document;
  return [...form.querySelectorAll('input:not([type=hidden],[type=submit],[type=button]),textarea,select')]
    .map(field => field.name || field.id).filter(Boolean).slice(0, 50);
}"""
_STILL_THERE = """names => {
  const seen = element => !element.checkVisibility || element.checkVisibility({visibilityProperty: true});
  const there = new Set([...document.querySelectorAll('input,textarea,select')].filter(seen)
    .map(field => field.name || field.id));
  return names.filter(name => there.has(name)).length * 2 >= names.length && names.length > 0;
}"""
_MOST_QUOTED = 4


async def held_back(page: Page) -> list[str]:
    """Return the fields for which the browser itself would not send the form, with its words for it."""
    try:
        found = await page.evaluate(_HELD_BACK)
    except Error:
        return []
    return [" ".join(str(each).split()) for each in found]


async def refusals(page: Page) -> tuple[str, ...]:
    """Return the texts on a page and in its frames that look like a refusal, true or not."""
    texts: dict[str, None] = {}
    for frame in page.frames:
        try:
            texts |= dict.fromkeys(str(each) for each in await frame.evaluate(_SAID))
        except Error:
            continue
    return tuple(texts)


async def fields_of_form(button: Locator) -> list[str]:
    """Return the names of the fields of the form that a button sends."""
    try:
        return [str(name) for name in await button.evaluate(_FORM_FIELDS)]
    except Error:
        return []


async def is_still_there(page: Page, names: list[str]) -> bool:
    """Return whether a page still, or again, shows the form of these fields."""
    try:
        return bool(await page.evaluate(_STILL_THERE, names))
    except Error:
        return False


def quoted(texts: list[str]) -> str:
    """Return the refusals as they are told to a reader; one that is within another is told once."""
    whole = [text for text in texts if not any(text != other and text in other for other in texts)]
    return "; ".join(f'"{bounded(text, 200)}"' for text in whole[:_MOST_QUOTED])


def is_echo(wanted: str, url: str) -> bool:
    """Return whether an address itself carries a text as a value, so that a page which shows it proves nothing."""
    parts = urlsplit(url)
    values = [value for _, value in parse_qsl(parts.query, keep_blank_values=True)]
    values += [value for _, value in parse_qsl(parts.fragment.partition("?")[2], keep_blank_values=True)]
    values.append(unquote_plus(parts.fragment))
    wanted = " ".join(wanted.split()).casefold()
    return bool(wanted) and any(wanted in " ".join(value.split()).casefold() for value in values)

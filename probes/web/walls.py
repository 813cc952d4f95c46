"""Recognises pages that keep machines out: CAPTCHA, bot walls, second factors. They are reported, never fought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import Error

if TYPE_CHECKING:
    from playwright.async_api import Page

_TITLES = ("just a moment", "attention required", "are you a robot", "access denied", "pardon our interruption",
           "checking your browser", "security check", "bot verification")  # fmt: skip
# A widget that is seen and not yet solved; the invisible kind lets us pass and is no wall.
_WALL = """titles => {
  const seen = element => { const box = element.getBoundingClientRect(); return box.width > 20 && box.height > 10
    && (!element.checkVisibility || element.checkVisibility({visibilityProperty: true})); };
  const solved = [...document.querySelectorAll('[name=g-recaptcha-response],[name=h-captcha-response],'
    + '[name=cf-turnstile-response]')].some(field => field.value);
  const widgets = '.g-recaptcha:not([data-size=invisible]),.h-captcha:not([data-size=invisible]),.cf-turnstile,'
    + 'iframe[src*="recaptcha/api2/anchor"]:not([src*="size=invisible"]),iframe[src*="recaptcha/api2/bframe"],'
    + 'iframe[src*="hcaptcha.com"],iframe[src*="challenges.cloudflare.com"],iframe[src*="captcha-delivery.com"],'
    + 'iframe[src*="arkoselabs.com"],iframe[src*="funcaptcha"],#px-captcha,#challenge-form,#challenge-running,'
    + 'img[src*="captcha" i],input[name*="captcha" i]:not([type=hidden])';
  if (!solved && [...document.querySelectorAll(widgets)].some(seen)) return 'a CAPTCHA';
  if ([...document.querySelectorAll('input[autocomplete="one-time-code"],input[name*="otp" i]')].some(seen))
    return 'a second factor';
  const title = document.title.toLowerCase();
  return titles.some(start => title.startsWith(start)) ? 'a page that keeps machines out' : null;
}"""


async def wall_on(page: Page) -> str | None:
    """Return what keeps us out on this page, in a few words; None if nothing does."""
    try:
        wall = await page.evaluate(_WALL, list(_TITLES))
    except Error:
        return None
    return str(wall) if wall else None

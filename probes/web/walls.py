"""Recognises pages that keep machines out: CAPTCHA, bot walls, second factors. They are reported, never fought."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import Error

if TYPE_CHECKING:
    from playwright.async_api import Frame, Page

# Where widgets that tell people from machines come from. They are let in only where a person is there to pass them.
CHALLENGE_HOSTS = (
    "google.com", "recaptcha.net", "gstatic.com", "hcaptcha.com", "challenges.cloudflare.com", "arkoselabs.com",
    "funcaptcha.com", "captcha-delivery.com", "geetest.com", "mtcaptcha.com", "friendlycaptcha.com", "perimeterx.net",
)  # fmt: skip
_WIDE_PX, _HIGH_PX = 200, 60
_TITLES = (
    "just a moment", "attention required", "are you a robot", "access denied", "pardon our interruption",
    "checking your browser", "security check", "bot verification", "verify you are human", "human verification",
    "one more step", "ddos-guard", "robot or human", "verifying you are human", "sicherheitsüberprüfung",
)  # fmt: skip
# Said on a page that says little else.
_WALL_WORDS = (
    r"(verify|confirm|prove)( that)? you('| a)re( a)? (human|not a robot)|unusual traffic|press (&|and) hold"
    r"|checking if the site connection is secure|enable javascript and cookies to continue|are you (a )?(human|robot)"
    r"|automated (access|requests|queries)|bestätigen sie, dass sie (ein mensch|kein roboter) sind"
    r"|vous n'êtes pas un robot|no eres un robot|no soy un robot"
)
_FACTOR_WORDS = (
    r"(verification|security|authentication|authenticator|one-time|two-factor|2-step|6-digit|six-digit) (pass)?code"
    r"|passcode|\b(otp|2fa|mfa|totp)\b|bestätigungscode|sicherheitscode|einmal(code|passwort|kennwort)"
    r"|code de (vérification|sécurité)|código de (verificación|seguridad)"
)
_APPROVAL_WORDS = (
    r"(approve|confirm) (the|this|your) (sign-?in|login|request)|(open|check) (your|the) (authenticator|phone)"
    r"|anmeldung (auf|in) .{0,30}bestätigen"
)
# A widget that is there and not yet solved; the invisible kind lets us pass and is no wall.
_WALL = r"""([titles, wallWords, factorWords, approvalWords]) => {
  const shown = element => !element.checkVisibility || element.checkVisibility({visibilityProperty: true});
  const seen = element => { const box = element.getBoundingClientRect();
    return shown(element) && box.width > 20 && box.height > 10; };
  const solved = [...document.querySelectorAll('[name=g-recaptcha-response],[name=h-captcha-response],'
    + '[name=cf-turnstile-response],[name="frc-captcha-solution"]')].some(field => field.value.length > 10);
  const widgets = '.g-recaptcha:not([data-size=invisible]),.h-captcha:not([data-size=invisible]),.cf-turnstile,'
    + '.frc-captcha,#px-captcha,#challenge-form,#challenge-running,#cf-challenge-running';
  const pictures = 'iframe[src*="recaptcha/api2/anchor"]:not([src*="size=invisible"]),iframe[src*="hcaptcha.com"],'
    + 'iframe[src*="recaptcha/api2/bframe"],iframe[src*="challenges.cloudflare.com"],iframe[src*="arkoselabs.com"],'
    + 'iframe[src*="captcha-delivery.com"],iframe[src*="funcaptcha"],iframe[title*="captcha" i],img[src*="captcha" i],'
    + 'img[alt*="captcha" i],canvas[id*="captcha" i],input[name*="captcha" i]:not([type=hidden])';
  // Our browser lets no widget's frame in, so that its place may be empty.
  if (!solved && ([...document.querySelectorAll(widgets)].some(shown)
    || [...document.querySelectorAll(pictures)].some(seen))) return 'a CAPTCHA';
  const text = (document.body?.innerText ?? '').replace(/\s+/g, ' ').trim(), little = text.length < 1200;
  const factor = new RegExp(factorWords, 'i');
  const codes = [...document.querySelectorAll('input[autocomplete="one-time-code"],input[name*="otp" i],'
    + 'input[name*="totp" i],input[name*="2fa" i],input[name*="mfa" i],input[name*="passcode" i]')].filter(seen);
  const asked = [...document.querySelectorAll('input:not([type=hidden],[type=submit],[type=button],[type=password])')]
    .filter(seen).some(field => factor.test([...(field.labels ?? [])].map(label => label.innerText).join(' ')
      + ' ' + field.placeholder + ' ' + (field.ariaLabel ?? '')));
  if (codes.some(field => !field.value) || (asked && little)) return 'a second factor';
  if (little && new RegExp(approvalWords, 'i').test(text)) return 'a second factor';
  const title = document.title.toLowerCase();
  const said = little && new RegExp(wallWords, 'i').test(text);
  return said || titles.some(start => title.startsWith(start)) ? 'a page that keeps machines out' : null;
}"""
_INVISIBLE = """() => document.querySelector('[data-size=invisible],.grecaptcha-badge,script[src*="recaptcha/api.js"],'
  + 'script[src*="recaptcha/enterprise.js"],script[src*="hcaptcha.com/1/api.js"],script[src*="turnstile/v0/api.js"]')
  !== null"""


async def wall_on(page: Page) -> str | None:
    """Return what keeps us out on this page or in a frame of it, in a few words; None if nothing does."""
    for frame in page.frames:
        try:
            if frame.parent_frame is not None and not await _is_wide(frame):
                continue  # an advertisement, a counter, the widget of an invisible test
            wall = await frame.evaluate(_WALL, [list(_TITLES), _WALL_WORDS, _FACTOR_WORDS, _APPROVAL_WORDS])
        except Error:
            continue  # gone meanwhile
        if wall:
            return str(wall)
    return None


async def _is_wide(frame: Frame) -> bool:
    """Whether a frame is in sight and large enough to hold a page that one has to pass, up to the page itself."""
    while frame.parent_frame is not None:
        element = await frame.frame_element()
        box = await element.bounding_box() if await element.is_visible() else None
        if box is None or box["width"] < _WIDE_PX or box["height"] < _HIGH_PX:
            return False
        frame = frame.parent_frame
    return True


async def hidden_wall_on(page: Page) -> bool:
    """Return whether a page judges its visitors unseen, so that a click may come to nothing."""
    try:
        return bool(await page.evaluate(_INVISIBLE))
    except Error:
        return False

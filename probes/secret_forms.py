"""How a secret may stand in a page, an address, a request or a file: the forms that are looked for. Pure."""

from __future__ import annotations

import base64
import json
import re
from html import escape
from urllib.parse import quote, quote_plus

_SHORTEST_IN_BASE64 = 8  # a shorter one leaves too few signs in base64 that belong to it alone


def written_forms(secret: str) -> set[str]:
    """Return the secret itself and as addresses, HTML, JSON, scripts and base64 write it."""
    raw = secret.encode("utf-8", "surrogateescape")
    forms = {
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        escape(secret),
        escape(secret, quote=False),
    }
    forms |= {quote(secret, safe="").replace("%", "%25")}
    forms |= {
        re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), form)
        for form in (quote(secret, safe=""), quote_plus(secret))
    }
    forms |= {form.replace("&#x27;", "&#39;").replace("&quot;", "&#34;") for form in (escape(secret),)}
    for form in (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
        inside_a_page = form.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&'"})
        forms |= {
            form,
            form.replace("/", "\\/"),
            inside_a_page,
            re.sub(r"\\u[0-9a-f]{4}", _upper_digits, inside_a_page),
        }
    if len(raw) >= _SHORTEST_IN_BASE64:
        forms |= _base64_forms(raw)
    return forms


def _upper_digits(found: re.Match[str]) -> str:
    return found.group()[:2] + found.group()[2:].upper()


def _base64_forms(raw: bytes) -> set[str]:
    """Return what base64 text holds wherever the bytes stand in it: only the groups that no neighbour changes."""
    forms = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            whole = encode(b"\0" * before + raw).decode()
            start = (before * 8 + 5) // 6
            end = (before + len(raw)) * 8 // 6
            forms.add(whole[start:end])
        forms.add(encode(raw).decode())
    return forms

"""The desk's own ticket number, read from a subject in the many ways in which desks write it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 40
_WORDS = (
    "ticket|case|bug|request|issue|incident|enquiry|inquiry|reference|ref|tracking|conversation|"
    "vorgang|anfrage|fall|störung|aktenzeichen|bearbeitung|"
    "demande|dossier|incidence|référence|caso|incidencia|solicitud|expediente|referencia|pratica|richiesta|zaak|melding"
)
_KIND = "id|no|nr|number|nummer|num|key|code|numéro|número|nº|n°"
_LABEL = rf"(?:{_WORDS})s?(?:[ -]?(?:{_KIND})\.?)?"
_SIGN = r"(?:\s*(?:[:#=\u2013]|n[°ºo]\.?|nr\.?|no\.?|num\.?))"
# Letters belong to a number where a divider or many digits follow, so that words like "B2B" are none.
_NUMBER = (
    r"(?:[A-Za-z][A-Za-z0-9]{0,11}[-_]\d[\w-]*|[A-Za-z]{1,6}\d{4,}|\d[\d./-]*\d|\d"
    r"|[A-Z0-9]{3,10}(?:-[A-Z0-9]{3,10}){1,3})"
)
_END = r"(?![\w])"
_LABELLED = re.compile(rf"(?<!\w){_LABEL}{_SIGN}{{0,3}}\s*[\[(#]?\s*({_NUMBER}){_END}", re.IGNORECASE)
_BRACKETED = re.compile(r"[\[({<]{1,2}([^\[\](){}<>]{1,60})[\])}>]{1,2}")
_LABELLED_WITHIN = re.compile(
    rf"(?:[^\W\d_][\w ._-]{{0,30}}?{_SIGN}{{1,3}}|{_LABEL}\s|#)\s*#*\s*({_NUMBER})\s*#*", re.IGNORECASE
)
_ALONE = re.compile(_NUMBER)
_FRAMED = re.compile(r"##\s*([\w-]{2,30})\s*##")
_HASH = re.compile(rf"(?<![\w&#])#\s?({_NUMBER}){_END}")
_CODED = re.compile(r"(?<![\w-])((?:INC|REQ|RITM|SR|CS|TASK|CHG|PRB|TKT|SUP|HD|CAS|RMA)[-_]?\d{3,}[\w-]*)(?![\w])")
_THREAD = re.compile(r"\bref:[!_]?([\w.]{6,40}):ref\b")
_TOLD = re.compile(
    rf"(?<!\w)(?:{_WORDS})s?[ -]?(?:{_KIND})\.?\s*(?:is|was|lautet|ist|est|es|è)?\s*:?\s*[\[(#]*\s*({_NUMBER}){_END}"
    rf"|(?<!\w)(?:{_WORDS})\s*(?:#|n[°ºo]\.)\s*({_NUMBER}){_END}",
    re.IGNORECASE,
)
_OURS = re.compile(r"hp-[2-9a-hj-np-z]{8}", re.IGNORECASE)
_YEAR = re.compile(r"(?:19|20)\d\d")


def ticket_numbers(subject: str, own_subject: str = "") -> tuple[str, ...]:
    """Return what may be the desk's number in a subject, the likeliest first.

    Args:
        subject: as the desk wrote it.
        own_subject: what we had written; a number that stands there is not the desk's.
    """
    own = own_subject.lower()
    found = (each.strip(" .:-/#") for each in _candidates(subject[:1000]))
    return tuple(dict.fromkeys(each for each in found if _may_be(each) and not _stands_in(each.lower(), own)))[:5]


def number_in_text(text: str, own: str = "") -> str | None:
    """Return the number that a message's first lines name as that of the ticket, or None."""
    for found in _TOLD.finditer(text[:1500]):
        number = (found.group(1) or found.group(2)).strip(" .:-/#")
        if _may_be(number) and not _stands_in(number.lower(), own.lower()):
            return number
    return None


def _candidates(subject: str) -> Iterator[str]:
    for framed in _FRAMED.finditer(subject):
        yield framed.group(1)
    for bracketed in _BRACKETED.finditer(subject):
        inside = bracketed.group(1).strip()
        if _ALONE.fullmatch(inside):
            if not inside.isdigit() or (len(inside) >= 3 and not _YEAR.fullmatch(inside)):
                yield inside
        elif (labelled := _LABELLED_WITHIN.fullmatch(inside)) is not None:
            yield labelled.group(1)
    for way in (_LABELLED, _CODED, _HASH, _THREAD):
        yield from (found.group(1) for found in way.finditer(subject))


def _may_be(number: str) -> bool:
    if not any(sign.isdigit() for sign in number) or len(number) > LONGEST or _OURS.search(number):
        return False
    return "/" not in number or any(len(part) >= 3 for part in re.split(r"\D", number))


def _stands_in(number: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(number)}(?![\w-])", text) is not None

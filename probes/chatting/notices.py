"""What the notices of a chat say, in four languages: who came, how long the queue is, that the chat is over (pure).

Only short texts are notices; a person's sentence that holds such words is none. Who speaks is not judged here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.events import NoticeKind

LONGEST_NOTICE = 300
_LONGEST_EVENT = 140  # of who came and went, or that it is over

# Upper-case first letters or digits, no sentence signs: "Dana", "Agent 7", "Dana K.", "Herr Özil", "the support team".
_NAME = r"(?P<name>[^\W_][\w.'’ -]{0,38}?)"
_NUMBER = r"(?P<number>\d{1,4})"
_CHAT = r"(?:the |this |your )?(?:live )?(?:chat|conversation|session|discussion)"
_CHAT_DE = r"(?:dem|den|der|das|diesem|diesen|ihr|ihren|ihrem)? ?(?:live-?)?(?:chat|gespräch|unterhaltung|konversation|sitzung)"
_CHAT_FR = r"(?:le|la|ce|cette|votre) (?:chat|conversation|discussion|session)"
_CHAT_ES = r"(?:el|la|este|esta|su|tu) ?(?:chat|conversación|conversacion|sesión)"

_JOINED = (
    rf"{_NAME} (?:has |have )?(?:just )?(?:joined|entered)(?: {_CHAT})?",
    rf"(?:you are|you're|you have been|you've been) (?:now )?(?:connected|chatting|speaking|talking) (?:to|with) {_NAME}",
    rf"(?:now )?(?:connected|chatting) (?:to|with) {_NAME}",
    rf"{_NAME} (?:is|will be) (?:now )?(?:here to help|helping you|assisting you|with you|taking care of you)(?: now| today)?",
    rf"{_NAME} (?:has |have )?(?:accepted|picked up|taken over|taken) {_CHAT}",
    rf"{_NAME} (?:ist|hat) {_CHAT_DE} (?:beigetreten|betreten|übernommen|angenommen)",
    rf"{_NAME} ist (?:jetzt |nun )?(?:beigetreten|für sie da|da|im chat)",
    rf"sie (?:sind|werden) (?:jetzt |nun )?mit {_NAME} (?:verbunden|im chat|im gespräch)",
    rf"{_NAME} (?:a rejoint|vient de rejoindre|est entrée? dans|a pris en charge) {_CHAT_FR}",
    rf"vous êtes (?:maintenant |désormais )?(?:en relation|connectée?|en contact|en ligne|en discussion) avec {_NAME}",
    rf"{_NAME} (?:se ha unido|se unió|ha entrado|entró) (?:a |en )?(?:{_CHAT_ES}|al chat)",
    rf"(?:está|estás|usted está) (?:ahora )?(?:hablando|conectado|conectada|chateando) con {_NAME}",
)
_LEFT = (
    rf"{_NAME} (?:has |have )?(?:left|exited)(?: {_CHAT})?",
    rf"{_NAME} hat {_CHAT_DE} verlassen",
    rf"{_NAME} a quitté {_CHAT_FR}",
    rf"{_NAME} (?:ha abandonado|abandonó|ha salido de|salió de) (?:{_CHAT_ES}|l chat)",
)
_TRANSFERRED = (
    rf"(?:{_CHAT}|you) (?:has been|have been|was|were|is being|are being|is|will be) (?:now )?"
    rf"(?:transferred|handed over|forwarded|passed on|routed|reassigned|assigned) to {_NAME}",
    rf"(?:transferring|connecting|handing|forwarding|passing) (?:you|{_CHAT}) (?:over |on )?(?:to|with) {_NAME}",
    rf"(?:sie werden|{_CHAT_DE} (?:wird|wurde)) (?:jetzt |nun )?an {_NAME} (?:weitergeleitet|übergeben|weitergegeben)",
    rf"(?:vous êtes|{_CHAT_FR} (?:est|a été)) (?:maintenant )?(?:transférée?|redirigée?) (?:à|vers) {_NAME}",
    rf"(?:{_CHAT_ES} (?:ha sido|fue)|le) (?:transferid[oa]|estamos transfiriendo) a {_NAME}",
)
_ENDED = (
    rf"{_NAME} (?:has |have )?(?:ended|closed|finished) {_CHAT}",
    rf"{_CHAT} (?:has |have |is |was |has been |is now |was |has now )*(?:ended|closed|over|finished|terminated|timed out|disconnected|archived)"
    r"(?: (?:by|due|because|after|as|at)\b.*)?",
    r"(?:chat|conversation|session) (?:ended|closed)(?: by .*)?",
    r"(?:you have been|you were|you are now) disconnected(?: from .*)?",
    r"thank you for chatting with us.{0,40}(?:chat|conversation) (?:is|has been) (?:now )?(?:closed|ended)",
    rf"{_NAME} hat {_CHAT_DE} (?:beendet|geschlossen)",
    rf"{_CHAT_DE} (?:wurde|ist|war) (?:jetzt |nun |automatisch )?(?:beendet|geschlossen|zu ende)(?: worden)?",
    rf"{_NAME} a (?:mis fin à|terminé|fermé|clos) {_CHAT_FR}",
    rf"{_CHAT_FR} (?:est|a été|s'est) (?:maintenant )?(?:terminée?|fermée?|close|clôturée?)",
    rf"{_NAME} (?:ha finalizado|finalizó|ha cerrado|cerró|ha terminado) {_CHAT_ES}",
    rf"{_CHAT_ES} (?:ha|se ha|está|fue|ha sido) (?:finalizad[oa]|finalizado|cerrad[oa]|cerrado|terminad[oa]|terminado)",
)
_NO_NAMES = frozenset(
    "i we he she it they who this that there if when ich wir er sie es je nous il elle on yo nosotros él ella".split()
)
_ANYBODY = re.compile(
    r"(?:(?:live|human|support|service|available|next available|free|real|new|other|another) )*"
    r"(?:agent|operator|representative|advisor|person|human|someone|somebody|colleague|staff member|team member|"
    r"specialist|expert|teammate|mitarbeiter(?:in)?|berater(?:in)?|agente|conseill(?:er|ère)|asesor[a]?)",
    re.IGNORECASE,
)
_OURSELVES = re.compile(r"(?:you|sie|vous|usted|tú|ihr)", re.IGNORECASE)

_POSITION = (
    rf"(?:you are|you're|you(?:'re)? now|your (?:current )?(?:position|place|spot)(?: in (?:the )?(?:queue|line))? is(?: now)?:?|"
    rf"(?:queue )?position(?: in (?:the )?(?:queue|line))?:?|place in (?:the )?(?:queue|line):?)\s*(?:currently |now )?(?:number |no\.? |nr\.? |# ?)?{_NUMBER}(?!\s*(?:min|sec|hour|agent))",
    rf"(?:number|no\.?|#) ?{_NUMBER}(?:st|nd|rd|th)? in (?:the |our )?(?:queue|line)",
    rf"{_NUMBER}(?:st|nd|rd|th) in (?:the |our )?(?:queue|line)",
    rf"(?:you are|you're) {_NUMBER} in (?:the |our )?(?:queue|line)",
    rf"(?:sie sind|ihre (?:aktuelle )?position(?: in der warteschlange)?(?: ist)?:?|(?:warteschlangen)?position:?|platz)\s*(?:derzeit |jetzt |nun |auf )?(?:die |der |an )?(?:nummer |nr\.? |position |platz |stelle )?{_NUMBER}\b",
    rf"{_NUMBER}\. (?:stelle|platz|position) (?:in|der|in der) (?:der )?warteschlange",
    rf"(?:vous êtes|votre position(?: dans la file(?: d'attente)?)?(?: est)?(?: la)?:?)\s*(?:actuellement |en )?(?:numéro |n° ?|position |place )?{_NUMBER}",
    rf"(?:es|está|estás|su posición(?: en la cola)?(?: es)?(?: la)?:?|tu posición(?: en la cola)?(?: es)?(?: la)?:?)\s*(?:actualmente |en )?(?:el |la )?(?:número |posición |puesto |n\.?º ?)?{_NUMBER}\b",
)
_AHEAD = (
    rf"(?:there (?:is|are) )?{_NUMBER} (?:other )?(?:people|persons?|customers?|visitors?|users?|chats?|others?) (?:is |are |waiting )*(?:ahead of|before|in front of) you",
    rf"{_NUMBER} (?:personen|kunden|besucher|person) (?:ist |sind |warten )?(?:noch )?vor ihnen",
    rf"(?:il y a )?{_NUMBER} (?:personnes?|clients?) (?:devant|avant) vous",
    rf"(?:hay )?{_NUMBER} (?:personas?|clientes?) (?:por )?delante(?: de (?:usted|ti|ud\.?))?",
)
_NEXT = (
    r"(?:you are|you're) (?:the )?next(?: in (?:the )?(?:queue|line))?",
    r"sie sind (?:als )?(?:der |die )?nächste[rs]?",
    r"vous êtes (?:le |la )?(?:prochaine?|suivante?)",
    r"(?:es|eres|usted es) el siguiente",
)
_WAIT_WORDS = re.compile(
    r"\b(?:wait(?:ing)?(?: time)?|queue|hold|be with you|connect(?:ed)? (?:you )?(?:in|within)|available in|"
    r"respond(?:s)? (?:in|within)|reply (?:in|within)|replies (?:in|within)|answered in|"
    r"wartezeit|warte(?:n|schlange)|bei ihnen|verfügbar in|dauert|"
    r"attente|patienter|disponible dans|avec vous dans|espera(?:r)?|cola|atenderemos|disponible en)\b",
    re.IGNORECASE,
)
_WAIT_SPAN = re.compile(
    r"(?P<less>less than|under|weniger als|unter|moins d'|moins de|menos de|up to|bis zu|jusqu'à|hasta)?\s*"
    r"\b(?P<many>\d{1,4}(?:[.,]\d)?|an?|one|two|three|four|five|ten|eine[rnm]?|zwei|drei|fünf|zehn|une?|deux|trois|cinq|un[ao]?|dos|tres|cinco)"
    r"(?:\s*(?:-|–|to|bis|à|a)\s*(?P<most>\d{1,4}))?\s*"
    r"(?P<unit>hours?|hrs?|h|minutes?|mins?|min|m|seconds?|secs?|sec|s|stunden?|std|minuten?|sekunden?|sek|heures?|secondes?|horas?|minutos?|segundos?)\b\.?",
    re.IGNORECASE,
)
_CLOCK_SPAN = re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![\d:])")
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10, "zwei": 2, "drei": 3, "fünf": 5,
    "zehn": 10, "deux": 2, "trois": 3, "cinq": 5, "dos": 2, "tres": 3, "cinco": 5,
}  # fmt: skip
_QUEUE_WORDS = re.compile(
    r"\b(?:(?:in|joined|join) (?:the |our |a )?(?:queue|waiting line)|waiting for an? (?:agent|operator|available)|"
    r"all (?:of )?(?:our )?(?:agents|operators|colleagues) are (?:currently |still )?busy|please (?:wait|hold) (?:for|while)|"
    r"(?:looking for|finding) (?:an? )?(?:available )?(?:agent|operator|colleague)|next available (?:agent|operator|colleague)|"
    r"in der warteschlange|alle (?:mitarbeiter|berater|kollegen) sind (?:derzeit |zurzeit |gerade )?(?:im gespräch|beschäftigt|belegt)|"
    r"(?:nächste[rn]?) (?:freie[rn]?) (?:mitarbeiter|berater)|dans la file d'attente|(?:tous nos|nos) conseillers sont (?:actuellement )?occupés|"
    r"en la cola|en cola|(?:todos nuestros|nuestros) agentes están (?:ocupados|atendiendo))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice says; null where it does not. `of_us`: it speaks of what we did ("You left the chat")."""

    means: NoticeKind
    name: str | None = None
    position: int | None = None
    announced_wait_s: float | None = None
    of_us: bool = False


def _compiled(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_EVENTS = (
    (NoticeKind.ENDED, _compiled(_ENDED)),
    (NoticeKind.TRANSFERRED, _compiled(_TRANSFERRED)),
    (NoticeKind.JOINED, _compiled(_JOINED)),
    (NoticeKind.LEFT, _compiled(_LEFT)),
)
_POSITIONS, _AHEADS, _NEXTS = _compiled(_POSITION), _compiled(_AHEAD), _compiled(_NEXT)


def read_notice(text: str) -> Notice:
    """Return what a notice says; OTHER where it is none of the known kinds."""
    plain = " ".join(text.split())
    if not plain or len(plain) > LONGEST_NOTICE:
        return Notice(NoticeKind.OTHER)
    if len(plain) <= _LONGEST_EVENT:
        for sentence in _sentences(plain):
            for kind, patterns in _EVENTS:
                for pattern in patterns:
                    found = pattern.fullmatch(sentence)
                    if found is not None and (named := _named(kind, found)) is not None:
                        return named
    return _queue(plain) or Notice(NoticeKind.OTHER)


def is_telling(notice: Notice) -> bool:
    """Whether a text says something that only a notice says, so that it is one wherever it stands."""
    return notice.means is not NoticeKind.OTHER


def _sentences(plain: str) -> list[str]:
    """Return the text and its sentences, without the signs and clock times around them."""
    without_time = re.sub(r"^\W*\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\.?)?\W*|\W*\d{1,2}:\d{2}(?:\s?[ap]m)?$", "", plain)
    parts = [plain, without_time, *re.split(r"(?<=[.!?])\s+", without_time)]
    return list(dict.fromkeys(part.strip(" .!…-–—*•·[]()") for part in parts if part.strip()))


def _named(kind: NoticeKind, found: re.Match[str]) -> Notice | None:
    """Return the notice with the name in it; None where what stands in the name's place is none."""
    name = (found.groupdict().get("name") or "").strip(" .,:")
    name = re.sub(r"^(?:our colleague |our |the |an? |agent:? )(?=\w)", "", name, flags=re.IGNORECASE)
    if _OURSELVES.fullmatch(name):
        return Notice(kind if kind in (NoticeKind.ENDED, NoticeKind.LEFT) else NoticeKind.OTHER, of_us=True)
    words = name.split()
    if len(words) > 4 or (words and words[0].lower() in _NO_NAMES):
        return None
    return Notice(kind, name=None if not name or _ANYBODY.fullmatch(name) else name)


def _queue(plain: str) -> Notice | None:
    position = _number(plain, _POSITIONS)
    if position is None:
        ahead = _number(plain, _AHEADS)
        position = ahead + 1 if ahead is not None else None
    if position is None and any(pattern.search(plain) for pattern in _NEXTS):
        position = 1
    wait_s = announced_wait_s(plain)
    if position is None and wait_s is None and not _QUEUE_WORDS.search(plain):
        return None
    if position == 0:
        position = None
    return Notice(NoticeKind.QUEUE, position=position, announced_wait_s=wait_s)


def _number(plain: str, patterns: tuple[re.Pattern[str], ...]) -> int | None:
    for pattern in patterns:
        found = pattern.search(plain)
        if found is not None:
            return int(found["number"])
    return None


def announced_wait_s(text: str) -> float | None:
    """Return the wait that a text announces, in seconds: the longer end of a range; None where it announces none."""
    if not _WAIT_WORDS.search(text):
        return None
    spans = list(_WAIT_SPAN.finditer(text))
    if spans:
        total = 0.0
        previous_end = None
        for span in spans:
            if previous_end is not None and not re.fullmatch(
                r"(?:,|\s|and|und|et|y)*", text[previous_end : span.start()]
            ):
                break
            many = span["most"] or span["many"]
            number = float(many.replace(",", ".")) if many[0].isdigit() else _NUMBERS.get(many.lower(), 1)
            total += number * _unit_s(span["unit"])
            previous_end = span.end()
        return total
    clock = _CLOCK_SPAN.search(text)
    if clock is not None and re.search(r"wait|wartezeit|attente|espera", text, re.IGNORECASE):
        first, second, third = int(clock[1]), int(clock[2]), clock[3]
        return float(first * 3600 + second * 60 + int(third)) if third else float(first * 60 + second)
    return None


def _unit_s(unit: str) -> float:
    first = unit.lower()[0]
    if first == "h" or unit.lower().startswith("st"):
        return 3600.0
    return 60.0 if first == "m" else 1.0

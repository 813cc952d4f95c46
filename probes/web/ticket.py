"""Reads a ticket's page into sightings: which messages are new, which status, who has it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

from probes.errors import Failure, FailureKind, Side
from probes.events import HandOffSeen, MessageSeen, Payload, StatusSeen
from probes.model import Sighting
from probes.status_words import state_of
from probes.web.channel import Handle, LookAt, Messages, Part
from probes.web.failures import StepFailed, failed
from probes.web.reading import (
    Claim,
    Mine,
    RawMessage,
    bounded,
    claimed_time,
    cut,
    keys_of,
    newest_first,
    side_of,
)

if TYPE_CHECKING:
    from probes.web.session import Session

MOST_MESSAGES = 2000

# One pass over the history. Dropped parts are hidden while an item's text is read, so that lines stay lines.
_ITEMS = r"""([how, most, longest]) => {
  const pick = (item, css) => css ? (item.matches(css) ? item : item.querySelector(css)) : item;
  const text = element => (element.innerText ?? element.textContent ?? '').slice(0, longest);
  // What says a time exactly is often not what is seen: an attribute, of the part itself or of one in it.
  const signs = ['datetime', 'title', 'data-datetime', 'data-timestamp', 'data-time', 'data-date', 'data-utime',
    'data-created', 'data-original-title', 'data-bs-original-title', 'aria-label', 'content'];
  const moment = value => /^\d{10}$/.test(value) ? new Date(value * 1000).toISOString()
    : /^\d{13}$/.test(value) ? new Date(Number(value)).toISOString() : value;
  const exact = part => [part, ...part.querySelectorAll(signs.map(sign => `[${sign}]`).join(','))].slice(0, 5)
    .flatMap(each => signs.map(sign => moment(each.getAttribute(sign)))).filter(Boolean);
  return [...document.querySelectorAll(how.items)].slice(0, most).map(item => {
    const [author, time, subject] = [how.author, how.time, how.subject]
      .map(css => css === null ? null : pick(item, css));
    const when = time ?? item.querySelector('time');
    const body = how.text ? pick(item, how.text) : item;
    const dropped = how.drop ? [...item.querySelectorAll(how.drop)] : [];
    const result = {
      author: author ? text(author) : null,
      subject: subject ? text(subject) : null,
      times: when ? [...exact(when), text(when)].filter(value => value) : [],
      shown: when ? text(when) : null,
      ours: how.ours ? item.matches(how.ours) || item.querySelector(how.ours) !== null : null,
      more: item.querySelector('img,video,audio,a[download]') !== null,
      theirs: how.theirs ? item.matches(how.theirs) || item.querySelector(how.theirs) !== null : null,
    };
    if (!how.text) dropped.push(...[author, when, subject].filter(part => part && part !== item));
    const before = dropped.map(part => part.style.display);
    dropped.forEach(part => { part.style.display = 'none'; });
    result.text = body ? text(body) : null;
    dropped.forEach((part, index) => { part.style.display = before[index]; });
    return result;
  });
}"""


@dataclass(frozen=True, slots=True)
class TicketRead:
    """What one look gave: the new sightings, the handle after it, and what could not be read."""

    sightings: tuple[Sighting, ...]
    handle: Handle
    failure: Failure | None


async def come_to_ticket(session: Session, look: LookAt) -> None:
    """Open the ticket's page as the plan says."""
    if look.url is not None:
        name = "look goto"
        try:
            await session.goto(session.texts.address(look.url), name)
        except StepFailed:
            await session.capture(f"{name} failed")
            raise
        if not look.steps:
            await session.capture("look")
    if look.steps:
        await session.run(look.steps, "look")


async def read_ticket(session: Session, look: LookAt, handle: Handle, asked_at_utc: datetime) -> TicketRead:
    """Read the page that is open. What was not there at `asked_at_utc` of the last look arrived since."""
    texts = session.texts
    failure: Failure | None = None
    raw: list[RawMessage] = []
    if look.messages is not None:
        raw = await _raw_messages(session, look.messages)
    status_text = None
    if look.status is not None:
        status_text = await session.read_spot(look.status, "look status", wait=not raw)
        if status_text is None:
            failure = Failure(
                FailureKind.VALUE_NOT_READ,
                Side.OURS,
                "look status",
                f'no status at "{look.status.at}" by regex {look.status.regex!r} on {texts.scrub(session.page.url)}',
            )
    if not raw and status_text is None:
        failure = await _is_it_the_ticket(session, look, handle) or failure
        if failure is not None:
            raise StepFailed(failure)
    seen: list[Payload] = []
    now_utc = session.tools.clock.now_utc()
    if look.messages is not None:
        raw = _oldest_first(raw, look.messages, handle, now_utc)
    keys = keys_of(raw)
    for message, key in zip(raw, keys, strict=True):
        if key not in handle.seen:
            seen.append(_message(message, key, look, handle, session))
    if look.messages is not None and not raw and handle.seen:
        raise failed(
            FailureKind.VALUE_NOT_READ,
            Side.NOT_KNOWN,
            "look messages",
            f"{len(handle.seen)} messages seen before are gone; nothing fits {look.messages.items}",
        )
    after = replace(handle, looked_at_utc=asked_at_utc, seen=tuple(dict.fromkeys((*handle.seen, *keys))))
    if status_text is not None:
        status_text = bounded(texts.scrub(status_text), 200)
        if status_text != handle.status and look.status is not None:
            state = state_of(status_text, look.status.states)
            seen.append(StatusSeen(status_text, state, handle.status, handle.looked_at_utc))
        after = replace(after, status=status_text)
    if look.assigned is not None:
        name = await session.read_spot(look.assigned, "look assigned", wait=False)
        name = bounded(texts.scrub(name), 200) if name else None
        if handle.assigned is not None and name != handle.assigned:
            seen.append(HandOffSeen(handle.assigned, name, handle.looked_at_utc))
        after = replace(after, assigned=name)
    artifacts = session.last_artifacts
    sightings = tuple(Sighting(what=what, at_utc=now_utc, artifacts=artifacts) for what in seen)
    return TicketRead(sightings, after, failure)


async def _raw_messages(session: Session, how: Messages) -> list[RawMessage]:
    asked: dict[str, str | None] = {"items": how.items, "drop": how.drop, "ours": how.ours, "theirs": how.theirs}
    for name in ("author", "time", "subject", "text"):
        part = getattr(how, name)
        asked[name] = (part.css or "") if isinstance(part, Part) else part
    for frame in session.page.frames:
        try:
            items = await frame.evaluate(_ITEMS, [asked, MOST_MESSAGES, 200_000])
        except Error as exc:
            if "not a valid selector" in exc.message:
                text = f"a selector of messages is none that a browser reads: {exc.message.splitlines()[0][:200]}"
                raise failed(FailureKind.ELEMENT_NOT_FOUND, Side.OURS, "look messages", text) from exc
            continue
        if items:
            return [message for item in items if (message := _raw_message(item, how)) is not None]
    return []


def _raw_message(item: dict[str, Any], how: Messages) -> RawMessage | None:
    def part(name: str) -> str | None:
        spec = getattr(how, name)
        return cut(item[name], spec.regex if isinstance(spec, Part) else None)

    text = part("text")
    time_regex = how.time.regex if isinstance(how.time, Part) else None
    times = [cut(value, time_regex) for value in item["times"]]
    author = part("author")
    if not text and (author is None or not item["more"]):
        return None  # an entry without a word or a picture: a private note's place, a line between messages
    marked = Side.OURS if item["ours"] else Side.VENDOR if item["theirs"] else None
    if marked is None and how.ours is not None and how.theirs is None:
        marked = Side.VENDOR
    return RawMessage(
        author=author,
        subject=part("subject"),
        text=bounded(text or ""),
        times=tuple(value for value in times if value is not None),
        shown_time=cut(item["shown"], time_regex),
        marked=marked,
    )


def _oldest_first(raw: list[RawMessage], how: Messages, handle: Handle, now_utc: datetime) -> list[RawMessage]:
    """Return the history in the order of time, whichever way the page has it."""
    mine = mine_of(handle)
    upside_down = newest_first(
        [claimed_time(message, how, now_utc).at_utc for message in raw],
        [key in handle.seen for key in keys_of(raw)],
        [side_of(message, mine) is Side.OURS for message in raw],
    )
    return raw[::-1] if upside_down else raw


def _message(message: RawMessage, key: str, look: LookAt, handle: Handle, session: Session) -> MessageSeen:
    scrub = session.texts.scrub
    claim = Claim(None)
    if look.messages is not None:
        claim = claimed_time(message, look.messages, session.tools.clock.now_utc())
    return MessageSeen(
        message_key=key,
        side=side_of(message, mine_of(handle)),
        author=bounded(scrub(message.author), 300) if message.author else None,
        subject=bounded(scrub(message.subject), 1000) if message.subject else None,
        text=scrub(message.text),
        claimed_at_text=bounded(claim.text, 200) if claim.text else None,
        claimed_at_utc=claim.at_utc,
        absent_at_utc=handle.looked_at_utc,
        claimed_error_s=claim.error_s,
    )


def mine_of(handle: Handle) -> Mine:
    """Return by what our own messages in a ticket are known."""
    names = tuple(handle.values[name] for name in ("persona.name", "persona.email") if handle.values.get(name))
    return Mine(names=names, texts=handle.written)


async def _is_it_the_ticket(session: Session, look: LookAt, handle: Handle) -> Failure | None:
    """Say what is wrong when a look showed neither messages nor status; a new ticket may have no messages yet."""
    number = handle.read.get("ticket")
    text = await session.page_text()
    if look.status is None and number is not None and number in text:
        return None
    return Failure(
        FailureKind.VALUE_NOT_READ,
        Side.OURS,
        "look",
        f"{session.texts.scrub(session.page.url)} shows no status and no message where the plan looks for them; "
        f"the page says: {session.texts.scrub(' '.join(text.split())[:300])}",
    )

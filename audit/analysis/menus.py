"""Menus as our own calls found them: what each key led to, how long one had to listen, what came again. Pure.

Learnt from what we pressed and what was heard before and after; an option that nobody pressed is not known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from audit.analysis.case import Case, Contact
from audit.analysis.model.calls import LeadsTo, MenuMap, MenuPlace
from audit.model import Event
from probes.audio.timeline import Kind, Label, Segment, Timeline
from probes.errors import Side
from probes.events import CallEnded, DigitsSent

IDENTIFICATION = "identification"
_LONGER_S, _LONGER_RATIO = 3.0, 0.2  # a prompt is longer only by more than measuring can make it


@dataclass(frozen=True, slots=True)
class Visit:
    """One place of a menu in one call: how we came there, what was said, and what it led to."""

    path: tuple[str, ...]
    prompt_s: float
    times_said: int
    leads: LeadsTo
    back_to: tuple[str, ...] | None


def visits(call: Contact) -> tuple[Visit, ...]:
    """Return the places of the menu that a call came through, in order; none where nobody listened."""
    timeline = call.timeline()
    if timeline is None or call.answered is None:
        return ()
    end_s, leads = _end(call, timeline)
    keys = [(t_s, label) for t_s, label in _keys(call) if t_s < end_s]
    if not keys and leads is not LeadsTo.DEAD_END and not _spoken(timeline, 0.0, end_s):
        return ()
    found: list[Visit] = []
    said: dict[int, tuple[str, ...]] = {}  # a message's first place
    edges = [0.0, *(t_s for t_s, _ in keys), end_s]
    for index, (begin_s, until_s) in enumerate(pairwise(edges)):
        path = tuple(label for _, label in keys[:index])
        spoken = _spoken(timeline, begin_s, until_s)
        counted = Counter(s.message for s in spoken if s.message is not None)
        back_to = next((said[m] for m in counted if m in said), None)
        for message in counted:
            said.setdefault(message, path)
        is_last = index == len(edges) - 2
        found.append(
            Visit(
                path=path,
                prompt_s=sum(s.end_s - s.start_s for s in spoken),
                times_said=max(counted.values(), default=1),
                leads=leads if is_last else LeadsTo.MENU,
                back_to=back_to,
            )
        )
    return tuple(found)


def menu_maps(cases: Iterable[Case]) -> tuple[MenuMap, ...]:
    """Return what is known of the menus of one vendor's numbers, one for each channel."""
    calls: dict[str, list[tuple[str, tuple[Visit, ...]]]] = {}
    for case in cases:
        for call in case.calls:
            if found := visits(call):
                calls.setdefault(call.channel, []).append((case.vendor, found))
    return tuple(
        MenuMap(
            vendor=seen[0][0],
            channel=channel,
            calls=len(seen),
            depth=max(len(visit.path) for _, found in seen for visit in found),
            places=tuple(_places(visit for _, found in seen for visit in found)),
        )
        for channel, seen in sorted(calls.items())
    )


def changes(before: MenuMap, after: MenuMap) -> tuple[str, ...]:
    """Return in sentences how a menu has changed, as far as both audits came through the same places."""
    old = {place.path: place for place in before.places}
    told: list[str] = []
    for place in after.places:
        was = old.get(place.path)
        if was is None:
            continue
        where = path_words(place.path)
        if set(was.leads) != set(place.leads):
            told.append(f"{where} leads to {_listed(place.leads)}, before to {_listed(was.leads)}")
        if _differs(was.prompt_s, place.prompt_s):
            told.append(f"{where} one listens for {place.prompt_s:.0f} s, before for {was.prompt_s:.0f} s")
        if was.back_to is None and place.back_to is not None:
            told.append(f"{where} leads back to what was said {path_words(place.back_to)}")
    told += [f"{path_words(path)} no call came any more" for path in old if path not in _paths(after)]
    told += [f"{path_words(path)} no call had come before" for path in _paths(after) if path not in old]
    return tuple(told)


def path_words(path: tuple[str, ...]) -> str:
    """Return a place of a menu in words."""
    if not path:
        return "at the beginning"
    return "after " + ", ".join("the identification" if key == IDENTIFICATION else f"key {key}" for key in path)


def _paths(menu: MenuMap) -> list[tuple[str, ...]]:
    return [place.path for place in menu.places]


def _listed(leads: tuple[LeadsTo, ...]) -> str:
    return " or ".join(one.value.replace("_", " ") for one in leads)


def _differs(before: float, after: float) -> bool:
    return abs(after - before) > max(_LONGER_S, _LONGER_RATIO * max(before, after))


def _places(seen: Iterable[Visit]) -> Iterator[MenuPlace]:
    by_path: dict[tuple[str, ...], list[Visit]] = {}
    for visit in seen:
        by_path.setdefault(visit.path, []).append(visit)
    for path, found in sorted(by_path.items()):
        yield MenuPlace(
            path=path,
            calls=len(found),
            prompt_s=median(visit.prompt_s for visit in found),
            times_said=max(visit.times_said for visit in found),
            leads=tuple(sorted({visit.leads for visit in found})),
            back_to=next((visit.back_to for visit in found if visit.back_to is not None), None),
        )


def _keys(call: Contact) -> list[tuple[float, str]]:
    keys: list[tuple[float, str]] = []
    for event in call.digits:
        what = event.what
        assert isinstance(what, DigitsSent)
        if what.t_s is None:
            continue
        is_secret = what.digits is None or "ident" in what.purpose.casefold()
        keys.append((what.t_s, IDENTIFICATION if is_secret else (what.digits or "").strip("wW")))
    return sorted(keys)


def _end(call: Contact, timeline: Timeline) -> tuple[float, LeadsTo]:
    """Return where the menu ended, and at what."""
    holds = [hold.start_s for hold in timeline.holds]
    person_s = timeline.first_person_s
    if holds and (person_s is None or holds[0] < person_s):
        return holds[0], LeadsTo.QUEUE
    if person_s is not None:
        return person_s, LeadsTo.PERSON
    return timeline.duration_s, LeadsTo.DEAD_END if _vendor_ended(call.call_ended) else LeadsTo.NOT_KNOWN


def _vendor_ended(end: Event | None) -> bool:
    return end is not None and isinstance(end.what, CallEnded) and end.what.by is Side.VENDOR


def _spoken(timeline: Timeline, from_s: float, until_s: float) -> list[Segment]:
    return [
        s
        for s in timeline.segments
        if s.kind is Kind.SPEECH and s.label is not Label.AGENT and from_s <= s.start_s < until_s
    ]

"""What our script tells of a call that its sound alone cannot: whom our keys had to get past, who answered. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from probes.audio.timeline import Kind, Label, Segment, Timeline

_NEAR_S = 1.5  # between the zeros of a call's live audio and of its recording
_SURE = 0.8
_WHY_NOT_YET = "the first voice that answered our question came later"
_WHY_PUT_ON = "a few words between our keys and the hold, and another voice after it"
_WHY_HUMAN = "it answered our question"
_WHY = "our script pressed keys after this, so it belongs to the menu"


def settled(timeline: Timeline, keys_s: Iterable[float], humans_s: Iterable[float] = ()) -> Timeline:
    """Return the timeline with speech before our last menu key taken as the menu's, however lively it sounded, and
    a voice that answered our question as a person's.

    Args:
        timeline: what the listener heard.
        keys_s: media seconds at which we pressed keys, in any order.
        humans_s: media seconds at which voices began that answered us, in any order.

    Only keys before the first hold count: later ones may answer a person or a survey.
    """
    first_hold_s = timeline.holds[0].start_s if timeline.holds else timeline.duration_s
    last_key_s = max((t_s for t_s in keys_s if t_s < first_hold_s), default=0.0)
    segments = tuple(_settled(segment, last_key_s) for segment in timeline.segments)
    if last_key_s:
        segments = tuple(_put_on(segment, first_hold_s) for segment in segments)
    answered_s = sorted(human_s for human_s in humans_s if human_s >= last_key_s)
    for human_s in answered_s:
        segments = _answered(segments, human_s)
    if answered_s:
        segments = tuple(_not_yet(segment, answered_s[0] - _NEAR_S) for segment in segments)
    if segments == timeline.segments:
        return timeline
    person_s = next((segment.start_s for segment in segments if segment.label is Label.AGENT), None)
    return replace(timeline, segments=segments, first_person_s=person_s)


def _settled(segment: Segment, last_key_s: float) -> Segment:
    if segment.label not in (Label.AGENT, Label.UNSURE) or segment.start_s >= last_key_s:
        return segment
    return replace(segment, label=Label.IVR, why=(*segment.why, _WHY))


def _put_on(segment: Segment, first_hold_s: float) -> Segment:
    """Doubt the few words after a menu that put us on hold: a queue says them as well as a person does."""
    signs = {"few_turns", "voice_unlike_later_person"}
    if segment.label is not Label.AGENT or segment.confidence >= _SURE or segment.start_s >= first_hold_s:
        return segment
    return replace(segment, label=Label.UNSURE, why=(*segment.why, _WHY_PUT_ON)) if signs <= {*segment.why} else segment


def _not_yet(segment: Segment, first_s: float) -> Segment:
    """Take back what was barely a person's where the first one that answered us came later."""
    if segment.label is not Label.AGENT or segment.confidence >= _SURE or segment.start_s >= first_s:
        return segment
    return replace(segment, label=Label.IVR, why=(*segment.why, _WHY_NOT_YET))


def _answered(segments: tuple[Segment, ...], human_s: float) -> tuple[Segment, ...]:
    """Let the speech nearest to a moment, and all that follows it up to the next music, be a person's."""
    near = [s for s in segments if s.kind is Kind.SPEECH and s.start_s - _NEAR_S <= human_s < s.end_s + _NEAR_S]
    if not near or any(s.label is Label.AGENT for s in near):
        return segments
    first_s = min(s.start_s for s in near)
    music_s = min((s.start_s for s in segments if s.kind is Kind.MUSIC and s.start_s > first_s), default=math.inf)
    return tuple(
        replace(s, label=Label.AGENT, why=(*s.why, _WHY_HUMAN))
        if s.kind is Kind.SPEECH and first_s <= s.start_s < music_s and s.label in (Label.IVR, Label.UNSURE)
        else s
        for s in segments
    )

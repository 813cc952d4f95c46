"""What our script tells of a call that its sound alone cannot: whom the keys that we pressed had to get past. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from probes.audio.timeline import Label, Segment, Timeline

_WHY = "our script pressed keys after this, so it belongs to the menu"


def settled(timeline: Timeline, keys_s: Iterable[float]) -> Timeline:
    """Return the timeline with speech before our last menu key taken as the menu's, however lively it sounded.

    Args:
        timeline: what the listener heard.
        keys_s: media seconds at which we pressed keys, in any order.

    Only keys before the first hold count: later ones may answer a person or a survey.
    """
    first_hold_s = timeline.holds[0].start_s if timeline.holds else timeline.duration_s
    last_key_s = max((t_s for t_s in keys_s if t_s < first_hold_s), default=0.0)
    segments = tuple(_settled(segment, last_key_s) for segment in timeline.segments)
    if segments == timeline.segments:
        return timeline
    person_s = next((segment.start_s for segment in segments if segment.label is Label.AGENT), None)
    return replace(timeline, segments=segments, first_person_s=person_s)


def _settled(segment: Segment, last_key_s: float) -> Segment:
    if segment.label not in (Label.AGENT, Label.UNSURE) or segment.start_s >= last_key_s:
        return segment
    return replace(segment, label=Label.IVR, why=(*segment.why, _WHY))

"""One line of text that shows a call."""

from probes.audio.timeline import Kind, Label, Timeline

_SIGNS = {
    Label.RINGBACK: "r",
    Label.BUSY: "b",
    Label.REORDER: "b",
    Label.DIAL_TONE: "d",
    Label.SIT: "!",
    Label.DTMF: "#",
    Label.BEEP: "^",
    Label.FAX: "f",
    Label.HOLD_MUSIC: "~",
    Label.IVR: "i",
    Label.ANNOUNCEMENT: "a",
    Label.AGENT: "P",
    Label.UNSURE: "?",
    Label.SILENCE: ".",
}
LEGEND = "r ringing, b busy, ! network, # keys, ^ beep, i menu, ~ music, a announcement, P person, ? unsure, . silence"
_WORTH = {Kind.SILENCE: 0.5, Kind.MUSIC: 0.8, Kind.SPEECH: 1.0, Kind.TONE: 1.0}  # what wins where several share a place


def strip(timeline: Timeline, width: int = 80) -> str:
    """Return `width` characters, each the sign of what fills most of its share of the call; `LEGEND` explains them."""
    if timeline.duration_s <= 0 or width <= 0:
        return ""
    step_s = timeline.duration_s / width
    shares: list[dict[str, float]] = [{} for _ in range(width)]
    for s in timeline.segments:
        first, last = int(s.start_s / step_s), min(width - 1, int(s.end_s / step_s))
        for i in range(min(first, width - 1), last + 1):
            heard_s = min(s.end_s, (i + 1) * step_s) - max(s.start_s, i * step_s)
            sign = _SIGNS[s.label]
            shares[i][sign] = shares[i].get(sign, 0.0) + max(0.0, heard_s) * _WORTH[s.kind]
    return "".join(max(share, key=lambda k: share[k]) if share else "." for share in shares)

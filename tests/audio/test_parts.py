"""The listener's parts by themselves: channels, strip, loops, repeats, live."""

import numpy as np
import pytest

from probes.audio.channels import vendor_channel
from probes.audio.listen import listen
from probes.audio.live import LiveKind, LiveListener
from probes.audio.strip import strip
from probes.audio.timeline import HoldMode
from tests.audio.sounds import RATE, WAIT, Sound, music, queue_call, quiet, speech, tone

KEYS = {
    "1": (697, 1209), "2": (697, 1336), "3": (697, 1477), "4": (770, 1209), "5": (770, 1336), "6": (770, 1477),
    "7": (852, 1209), "8": (852, 1336), "9": (852, 1477), "*": (941, 1209), "0": (941, 1336), "#": (941, 1477),
}  # fmt: skip


def keyed(digits: str) -> Sound:
    return np.concatenate([np.concatenate([tone(KEYS[d], 0.1, 0.3), quiet(0.12)]) for d in digits])


def mu_law(x: Sound) -> Sound:
    """G.711 there and back."""
    y = np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)
    y = np.round(y * 127) / 127
    return (np.sign(y) * (256 ** np.abs(y) - 1) / 255).astype(np.float32)


@pytest.mark.parametrize("ours", [0, 1])
def test_our_digits_give_the_vendors_channel(ours: int) -> None:
    caller = np.concatenate([quiet(6), keyed("4711#"), quiet(12)])
    vendor = queue_call()[0][: len(caller)]
    channels = [vendor, vendor]
    channels[ours] = caller
    choice = vendor_channel(channels[0], channels[1], RATE, "ww4711#")
    assert choice.vendor == 1 - ours
    assert "4711#" in choice.why


def test_without_digits_the_channel_is_not_guessed() -> None:
    assert vendor_channel(quiet(5), quiet(5), RATE, "ww").vendor is None
    assert vendor_channel(quiet(5), quiet(5), RATE, "12").vendor is None


def test_every_key_is_read() -> None:
    timeline = listen(np.concatenate([quiet(1), keyed("".join(KEYS)), quiet(1)]), RATE)
    assert "".join(t.digits or "" for t in timeline.tones) == "".join(KEYS)


@pytest.mark.parametrize("ratio", [0.995, 1.005])
def test_a_clock_that_runs_wrong_does_not_hide_a_tone(ratio: float) -> None:
    hz = (440 * ratio, 480 * ratio)
    ring = np.concatenate([tone(hz, 2 * ratio), quiet(4 * ratio)] * 3)
    assert [t.label.value for t in listen(ring, RATE).tones] == ["ringback"]


def test_the_strip_has_the_asked_width_and_shows_the_hold() -> None:
    timeline = listen(queue_call()[0], RATE)
    line = strip(timeline, 60)
    assert len(line) == 60
    assert "~" in line
    assert line.rstrip(".").endswith("P")


@pytest.mark.parametrize("loop_s", [12.0, 23.4])
def test_the_loop_of_hold_music_is_measured(loop_s: float) -> None:
    timeline = listen(np.concatenate([quiet(1), music(90, loop_s=loop_s), quiet(1)]), RATE)
    assert len(timeline.holds) == 1
    assert timeline.holds[0].mode is HoldMode.MUSIC
    assert timeline.music_loop_s == pytest.approx(loop_s, abs=0.05)


def test_the_loop_is_measured_through_noise_and_lost_packets() -> None:
    rng = np.random.default_rng(3)
    sound = music(150, loop_s=23.4) + rng.normal(0, 0.06, 150 * RATE).astype(np.float32)
    for frame in np.flatnonzero(rng.random(150 * 50) < 0.1).tolist():
        sound[frame * 160 : frame * 160 + 320] = 0
    timeline = listen(np.concatenate([quiet(1), sound, quiet(1)]), RATE)
    assert timeline.music_loop_s == pytest.approx(23.4, abs=0.05)


def test_music_that_does_not_repeat_has_no_loop() -> None:
    timeline = listen(np.concatenate([quiet(1), music(60, loop_s=60), quiet(1)]), RATE)
    assert timeline.holds
    assert timeline.music_loop_s is None


def test_a_message_over_music_is_known_again() -> None:
    bed = music(80, loop_s=80)
    words = speech(WAIT)
    for start_s in (12, 40, 62):
        at = start_s * RATE
        bed[at : at + len(words)] = bed[at : at + len(words)] * 0.2 + words
    timeline = listen(np.concatenate([quiet(1), bed, quiet(1)]), RATE)
    assert len(timeline.messages) == 1
    assert [o.start_s for o in timeline.messages[0].occurrences] == pytest.approx([13, 41, 63], abs=0.4)
    assert timeline.messages[0].interval_s == pytest.approx(25, abs=0.5)


def test_mu_law_changes_nothing_that_is_said() -> None:
    sound, _ = queue_call()
    plain, coded = listen(sound, RATE), listen(mu_law(sound), RATE)
    assert [s.label for s in coded.segments] == [s.label for s in plain.segments]


def fed(sound: Sound, lost: range = range(0)) -> tuple[LiveListener, list]:
    live, events = LiveListener(), []
    for frame in range(len(sound) // 160):
        if frame not in lost:
            events += live.push(sound[frame * 160 : (frame + 1) * 160], at_s=frame * 0.02)
    return live, events


@pytest.mark.slow
def test_live_says_what_the_recording_says() -> None:
    sound, truth = queue_call()
    live, events = fed(sound)

    def times(what: LiveKind) -> list[float]:
        return [e.at_s for e in events if e.what is what]

    assert times(LiveKind.HOLD_STARTED)[:1] == pytest.approx([truth["hold_start_s"]], abs=1)
    assert times(LiveKind.HOLD_ENDED)[-1:] == pytest.approx([truth["hold_end_s"]], abs=1)
    assert times(LiveKind.PERSON)[-1:] == pytest.approx([truth["person_s"]], abs=1)
    # the first message of a hold may be taken for a person until the music comes back; that is then said
    assert len(times(LiveKind.PERSON)) == 1 + len(times(LiveKind.HOLD_RESUMED))
    assert all(0 <= e.known_s - e.at_s < 6 for e in events if e.what is LiveKind.PERSON)
    offline = listen(sound[: len(sound) // 160 * 160], RATE)
    timeline = live.finish()
    assert [s.label for s in timeline.segments] == [s.label for s in offline.segments]
    assert [h.end_s for h in timeline.holds] == pytest.approx([h.end_s for h in offline.holds], abs=0.05)


@pytest.mark.slow
def test_lost_frames_become_silence_and_move_nothing() -> None:
    sound, truth = queue_call()
    live, events = fed(sound, lost=range(1000, 1010))
    assert [(e.at_s, e.end_s) for e in events if e.what is LiveKind.GAP] == [pytest.approx((20.0, 20.2), abs=0.001)]
    timeline = live.finish()
    assert timeline.duration_s == pytest.approx(len(sound) / RATE, abs=0.03)
    assert timeline.holds[0].end_s == pytest.approx(truth["hold_end_s"], abs=0.1)

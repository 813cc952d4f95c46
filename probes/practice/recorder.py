"""Mixes the recording of a call that is over, as it was ordered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from probes.practice import mixing
from probes.practice.call import PracticeCall
from probes.practice.character import Channel
from probes.practice.line import End
from probes.practice.sounds import Sounds
from probes.practice.tones import RATE_HZ


@dataclass(frozen=True, slots=True)
class Mixed:
    """A recording: a WAV file, how many channels it came to have, how long it is."""

    wav: bytes
    channels: int
    length_s: float


def mix(call: PracticeCall, sounds: Sounds, *, start_s: float, end_s: float, channels: int, track: str) -> Mixed:
    """Return a call's sound between two moments of media time.

    The first channel is what the exchange receives (`inbound`, the vendor), the second what it sends. One channel is
    both of them mixed, or the only track that was ordered. Silence at both ends goes where the order says so.
    """
    phone, played = call.phone, call.line.played
    channel = phone.channel if phone is not None else Channel()
    seed = phone.seed * 1000 + call.call_number if phone is not None else 0
    tracks = {
        "inbound": mixing.over_network(mixing.render(played, End.VENDOR, end_s, sounds), channel, seed),
        "outbound": mixing.render(played, End.CALLER, end_s, sounds),
    }
    tracks = {name: samples[round(start_s * RATE_HZ) :] for name, samples in tracks.items()}
    if track != "both":
        tracks = {track: tracks[track]}
    if channels == 1:
        tracks = {"mixed": np.clip(np.sum(list(tracks.values()), axis=0), -1.0, 1.0)}
    coded = [mixing.coded(samples) for samples in tracks.values()]
    if call.order.trim:
        coded = mixing.without_silence(coded)
    return Mixed(mixing.wav(coded), len(coded), len(coded[0]) / RATE_HZ)

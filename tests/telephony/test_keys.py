"""Keys in a channel: found with their edges, never heard in what is no key."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.telephony.keys import find_keys
from tests.telephony.kit import RATE_HZ, keys, silence, voice

DIGITS = st.text("0123456789ABCD*#", min_size=1, max_size=12)


@settings(max_examples=25, deadline=None)
@given(DIGITS, st.floats(0.05, 0.3), st.floats(0.05, 0.3), st.floats(0, 3))
def test_keys_are_found_where_they_are(digits: str, on_s: float, off_s: float, lead_s: float) -> None:
    found = find_keys(np.concatenate([silence(lead_s), keys(digits, on_s, off_s)]), RATE_HZ)
    assert "".join(key.key for key in found) == digits
    for index, key in enumerate(found):
        assert key.start_s == pytest.approx(lead_s + index * (on_s + off_s), abs=0.015)
        assert key.end_s == pytest.approx(lead_s + index * (on_s + off_s) + on_s, abs=0.015)


@settings(max_examples=10, deadline=None)
@given(st.floats(-25, 12))
def test_loudness_does_not_matter(gain_db: float) -> None:
    louder = (keys("159*") * 10 ** (gain_db / 20)).clip(-1, 1).astype(np.float32)
    assert "".join(key.key for key in find_keys(louder, RATE_HZ)) == "159*"


@pytest.mark.parametrize("seed", range(5))
def test_speech_noise_and_single_tones_are_no_keys(seed: int) -> None:
    random = np.random.default_rng(seed)
    t = np.arange(10 * RATE_HZ) / RATE_HZ
    for sound in (
        voice(20, seed),
        random.normal(0, 0.1, 20 * RATE_HZ),
        0.3 * np.sin(2 * np.pi * 697 * t),
        0.2 * (np.sin(2 * np.pi * 350 * t) + np.sin(2 * np.pi * 440 * t)),
    ):
        assert find_keys(np.asarray(sound, np.float32), RATE_HZ) == ()


def test_keys_survive_noise_and_the_telephones_coding() -> None:
    random = np.random.default_rng(1)
    noisy = keys("0987654321#") + random.normal(0, 0.01, len(keys("0987654321#")))
    coded = np.sign(noisy) * np.round(np.log1p(255 * np.abs(noisy)) / np.log(256) * 127) / 127
    heard = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255
    assert "".join(key.key for key in find_keys(heard.astype(np.float32), RATE_HZ)) == "0987654321#"


def test_nothing_is_heard_in_nothing() -> None:
    assert find_keys(silence(0), RATE_HZ) == ()
    assert find_keys(silence(0.01), RATE_HZ) == ()
    assert find_keys(silence(100), RATE_HZ) == ()

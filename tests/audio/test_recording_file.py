"""Reading recordings, whole and broken."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from probes.recording_file import UnreadableRecording, decode
from tests.audio.sounds import RATE, music


def written(
    fmt: str = "WAV", subtype: str | None = None, rate: int = RATE, channels: int = 1, length_s: float = 3
) -> bytes:
    sound = music(length_s)
    data = np.stack([sound * (0.5**c) for c in range(channels)], axis=1)
    out = BytesIO()
    sf.write(out, data, rate, format=fmt, subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize(
    ("fmt", "subtype", "near"),
    [
        ("WAV", "PCM_16", 1e-4),
        ("WAV", "ULAW", 0.02),
        ("WAV", "ALAW", 0.02),
        ("WAV", "GSM610", 2.0),
        ("FLAC", "PCM_16", 1e-4),
        ("OGG", "VORBIS", 0.2),
        ("MP3", "MPEG_LAYER_III", 0.5),
    ],
)
def test_formats(fmt: str, subtype: str, near: float) -> None:
    recording = decode(written(fmt, subtype))
    assert (recording.rate_hz, recording.channels) == (RATE, 1)
    assert recording.declared_s == pytest.approx(3.0, abs=0.1)
    samples = recording.channel()
    assert samples.dtype == np.float32
    assert float(np.abs(samples).max()) == pytest.approx(float(np.abs(music(3)).max()), rel=near + 0.05)


def test_channels_are_told_apart() -> None:
    recording = decode(written(channels=2))
    assert recording.channels == 2
    first, second = recording.channel(0), recording.channel(1)
    assert np.abs(first).max() == pytest.approx(2 * np.abs(second).max(), rel=0.01)


def test_blocks_join_to_the_whole() -> None:
    recording = decode(written(length_s=5))
    assert np.array_equal(np.concatenate(list(recording.blocks(block_s=0.7))), recording.channel())


def test_a_cut_file_is_read_to_its_end_and_said_to_be_cut() -> None:
    data = written(length_s=6)
    recording = decode(data[: len(data) // 2])
    assert any("cut off" in note for note in recording.notes)
    assert len(recording.channel()) == pytest.approx(3 * RATE, abs=100)


def test_a_stream_that_was_never_closed_is_read() -> None:
    data = bytearray(written(length_s=2))
    at = data.find(b"data")
    data[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    recording = decode(bytes(data))
    assert any("no length" in note for note in recording.notes)
    assert len(recording.channel()) == pytest.approx(2 * RATE, abs=2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"RIFF\x00\x00", "damaged header"),
        (b"<html><body>Authenticate</body></html>", "text"),
        (b"PK\x03\x04" + b"x" * 100, "zip"),
        (bytes(range(256)) * 8, "not a sound file"),
    ],
)
def test_what_is_no_recording_is_said_in_words(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableRecording, match=words) as caught:
        decode(data, name="call.wav")
    assert str(caught.value).startswith("call.wav: ")


def test_a_header_with_an_impossible_rate_is_refused() -> None:
    data = bytearray(written())
    data[24:28] = (7).to_bytes(4, "little")
    with pytest.raises(UnreadableRecording, match="7 samples a second"):
        decode(bytes(data))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording, match="no such file"):
        decode(tmp_path / "gone.wav")

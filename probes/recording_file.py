"""Reading a recording: WAV, MP3, OGG, FLAC, GSM. What is broken is said, and the rest is still read."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

BLOCK_S = 60.0
_EMPTY_HELP = "record the call again, or fetch the recording again from the provider"


class UnreadableRecording(ValueError):
    """This file holds no sound that can be read; the message says what, where, and how to mend it."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An opened recording. Its samples are read when asked for, so that twelve hours fit into little memory.

    Attributes:
        declared_s: length by the header; what `blocks` gives may be less when the file is cut off.
        notes: what is odd about the file, in words for a person.
    """

    source: Path | bytes
    name: str
    rate_hz: int
    channels: int
    declared_s: float
    encoding: str
    notes: tuple[str, ...]

    def blocks(self, channel: int = 0, block_s: float = BLOCK_S) -> Iterator[NDArray[np.float32]]:
        """Yield one channel (0 is the first) as float32 in -1..1; a damaged end stops it without an error."""
        for block in self.all_blocks(block_s):
            yield np.ascontiguousarray(block[:, channel])

    def all_blocks(self, block_s: float = BLOCK_S) -> Iterator[NDArray[np.float32]]:
        """Yield all channels, shape (n, channels)."""
        with _open(self.source, self.name) as f:
            while True:
                try:
                    block = f.read(int(block_s * self.rate_hz), dtype="float32", always_2d=True)
                except sf.LibsndfileError:
                    return
                if len(block) == 0:
                    return
                yield block

    def channel(self, channel: int = 0) -> NDArray[np.float32]:
        """Return one channel whole; 115 MB an hour at 8 kHz, so prefer `blocks` for long recordings."""
        parts = list(self.blocks(channel))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def decode(source: bytes | str | Path, *, name: str | None = None) -> Recording:
    """Open a recording and look at its header.

    Raises:
        UnreadableRecording: not there, empty, not sound, or a header that cannot be true.
    """
    if isinstance(source, bytes):
        data: Path | bytes = source
        size = len(source)
        name = name or "recording"
    else:
        data = Path(source)
        name = name or str(source)
        if not data.exists():
            raise UnreadableRecording(f"{name}: no such file; check the path")
        if data.is_dir():
            raise UnreadableRecording(f"{name}: is a directory; name the recording in it")
        size = data.stat().st_size
    if size == 0:
        raise UnreadableRecording(f"{name}: the file is empty (0 bytes); {_EMPTY_HELP}")
    with _open(data, name) as f:
        rate_hz, channels, frames = f.samplerate, f.channels, f.frames
        encoding = f"{f.format}/{f.subtype}"
    if not 4000 <= rate_hz <= 192_000:
        raise UnreadableRecording(
            f"{name}: its header says {rate_hz} samples a second, which no telephone or recorder makes; "
            "the header is wrong: convert the file again from its source"
        )
    if frames <= 0:
        raise UnreadableRecording(f"{name}: a header, but no sound after it ({size} bytes); {_EMPTY_HELP}")
    return Recording(data, name, rate_hz, channels, frames / rate_hz, encoding, _oddities(data, size, frames, channels))


def _open(source: Path | bytes, name: str) -> sf.SoundFile:
    try:
        return sf.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else source)
    except sf.LibsndfileError as exc:
        head = source[:12] if isinstance(source, bytes) else source.open("rb").read(12)
        raise UnreadableRecording(f"{name}: {_guess(head)} ({exc.error_string.strip().rstrip('.')})") from exc


def _guess(head: bytes) -> str:
    if head[:4] == b"RIFF":
        return "a WAV file with a damaged header; fetch or convert it again"
    if head.lstrip()[:1] in (b"<", b"{"):
        return "this is text (a web page or a provider's error), not sound; fetch the recording again, with credentials"
    if head[:4] == b"PK\x03\x04":
        return "this is a zip archive, not sound; unpack it first"
    if head[4:8] == b"ftyp":
        return "this is MP4/M4A, which is not read here; convert it to WAV first"
    return "not a sound file that can be read; use WAV, MP3, OGG, FLAC or GSM"


def _oddities(data: Path | bytes, size: int, frames: int, channels: int) -> tuple[str, ...]:
    """Compare what a WAV header promises with what is there."""
    if isinstance(data, bytes):
        head = data[:4096]
    else:
        with data.open("rb") as f:
            head = f.read(4096)
    if head[:4] != b"RIFF" or (at := head.find(b"data")) < 0 or at + 8 > len(head):
        return ()
    declared = int.from_bytes(head[at + 4 : at + 8], "little")
    there = size - at - 8
    if declared in (0, 0xFFFFFFFF, 0x7FFFFFFF):
        return (
            f"its header gives no length (a stream that was never closed); read to the end: {frames} samples a channel",
        )
    if declared > there + 1:
        return (f"cut off: the header promises {declared} bytes of sound, {there} are there",)
    del channels
    return ()

"""Sound out of files that soundfile does not read: MIDI, tracker modules, and the archives of three games.

The programs and libraries come out of the cache (packages.py), not from the system.
"""

from __future__ import annotations

import ctypes
import io
import os
import struct
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import soundfile

from bench.calls.sounds import Sound, read, resampled


def _libraries(cache: Path) -> list[Path]:
    return sorted((cache / "debian").glob("*/usr/lib/*-linux-gnu"))


def library(cache: Path, name: str) -> ctypes.CDLL:
    """Return a shared library of the cache, its own libraries loaded before it.

    Raises:
        OSError: it is not there, or something it needs is neither in the cache nor on the system.
    """
    for folder in _libraries(cache):
        for helper in sorted(folder.glob("libvorbisfile.so.*")):
            ctypes.CDLL(str(helper), mode=ctypes.RTLD_GLOBAL)
    for folder in _libraries(cache):
        for found in sorted(folder.glob(f"{name}.so.*")):
            return ctypes.CDLL(str(found))
    raise OSError(f"{name} is not in the cache")


def midi(cache: Path, score: bytes, font: str) -> Sound:
    """Return a MIDI file played with the sound font of a package of the cache.

    Raises:
        OSError: fluidsynth does not run here; its own words are in the message.
    """
    fonts = sorted((cache / "debian" / font).rglob("*.sf[23]"))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "score.mid", Path(folder) / "played.wav"
        source.write_bytes(score)
        command = [str(cache / "debian/fluidsynth/usr/bin/fluidsynth"), "-ni", "-q", "-g", "0.5", "-r", "16000"]
        command += ["-F", str(target), str(fonts[0]), str(source)]
        environment = os.environ | {"LD_LIBRARY_PATH": ":".join(str(p) for p in _libraries(cache))}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode or not target.exists():
            raise OSError(f"fluidsynth: {done.stderr.strip()[-200:]}")
        return read(target, 300)


def module(cache: Path, data: bytes, most_s: float = 240) -> Sound:
    """Return a tracker module (IT, XM, S3M, MOD) played through once."""
    openmpt = library(cache, "libopenmpt")
    openmpt.openmpt_module_create_from_memory2.restype = ctypes.c_void_p
    openmpt.openmpt_module_create_from_memory2.argtypes = [ctypes.c_char_p, ctypes.c_size_t] + [ctypes.c_void_p] * 7
    openmpt.openmpt_module_read_float_mono.argtypes = [
        ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t, ctypes.c_void_p,
    ]  # fmt: skip
    openmpt.openmpt_module_read_float_mono.restype = ctypes.c_size_t
    openmpt.openmpt_module_destroy.argtypes = [ctypes.c_void_p]
    handle = openmpt.openmpt_module_create_from_memory2(data, len(data), *[None] * 7)
    if not handle:
        raise OSError("libopenmpt does not read this module")
    parts: list[np.ndarray] = []
    block = np.zeros(16000, np.float32)
    while len(parts) < most_s:
        count = openmpt.openmpt_module_read_float_mono(handle, 16000, len(block), block.ctypes.data)
        if not count:
            break
        parts.append(block[:count].copy())
    openmpt.openmpt_module_destroy(handle)
    return resampled(np.concatenate(parts), 16000)


def zipped_tracks(archive: Path, names: str = "*") -> Iterator[tuple[str, Sound]]:
    """Yield the sound files of a zip archive whose names match a pattern."""
    with zipfile.ZipFile(archive) as files:
        for name in sorted(files.namelist()):
            if name.endswith(".ogg") and fnmatchcase(name, f"{names}.ogg"):
                data, rate_hz = soundfile.read(io.BytesIO(files.read(name)), dtype="float32", always_2d=True)
                yield Path(name).stem, resampled(data.mean(axis=1)[: 240 * rate_hz], rate_hz)


def wad_scores(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the MIDI lumps of a WAD archive: header, then 16-byte directory entries of offset, size and name."""
    data = archive.read_bytes()
    count, directory = struct.unpack_from("<ii", data, 4)
    for entry in range(count):
        offset, size, name = struct.unpack_from("<ii8s", data, directory + 16 * entry)
        if data[offset : offset + 4] == b"MThd":
            yield name.rstrip(b"\0").decode("ascii"), data[offset : offset + size]


def queen_speech(archive: Path) -> Iterator[tuple[str, Sound]]:
    """Yield the spoken lines of flight-of-the-amazon-queen: a table of 21-byte entries, then MP3 files.

    Lines that belong together share the first three characters of their name.
    """
    data = archive.read_bytes()
    (count,) = struct.unpack_from(">H", data, 13)
    for entry in range(count):
        name, _, offset, size = struct.unpack_from(">12sBII", data, 15 + 21 * entry)
        title = name.rstrip(b"\0").decode("ascii")
        if title.endswith(".SB") and "SSS" not in title and size > 4000:  # SSS: effects, not words
            sound, rate_hz = soundfile.read(io.BytesIO(data[offset : offset + size]), dtype="float32", always_2d=True)
            yield title.removesuffix(".SB"), resampled(sound.mean(axis=1), rate_hz)


def sky_speech(folder: Path, wanted: range) -> Iterator[tuple[str, Sound]]:
    """Yield spoken lines of beneath-a-steel-sky: 8 bit, 11025 Hz, packed.

    Args:
        folder: where `sky.dnr` (directory: 16 bit number, 24 bit offset, 24 bit size) and `sky.dsk` (data) are.
        wanted: file numbers to look for; speech starts at 50000, a thousand numbers for each part of the game.
    """
    table, data = (folder / "sky.dnr").read_bytes(), (folder / "sky.dsk").read_bytes()
    (count,) = struct.unpack_from("<I", table)
    for entry in range(count):
        number, low, middle, high, *rest = struct.unpack_from("<H6B", table, 4 + 8 * entry)
        offset = low | middle << 8 | (high & 0x7F) << 16
        offset = offset << 4 if high & 0x80 else offset
        size = rest[0] | rest[1] << 8 | (rest[2] & 0x3F) << 16
        packed = data[offset + 22 : offset + size]
        if number in wanted and packed[:4] == b"RNC\x01":
            raw = np.frombuffer(unpacked(packed), np.uint8)
            yield str(number), resampled((raw.astype(np.float32) - 128) / 128, 11025)


class _Bits:
    """The bit reader of the packing below: 16-bit little-endian words, lowest bit first, between whole bytes."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position, self.buffer, self.left = data, position, 0, 0

    def _refill(self) -> None:
        here = self.position
        self.buffer |= (self.data[here] | self.data[here + 1] << 8) << self.left
        self.left += 16
        self.position += 2

    def take(self, count: int) -> int:
        if self.left < count:
            self._refill()
        value = self.buffer & ((1 << count) - 1)
        self.buffer >>= count
        self.left -= count
        return value

    def symbol(self, tree: dict[tuple[int, int], int]) -> int:
        code = 0
        for length in range(1, 17):
            code |= self.take(1) << (length - 1)
            value = tree.get((length, code))
            if value is not None:
                return value if value < 2 else 1 << (value - 1) | self.take(value - 1)
        raise ValueError("the packed data is damaged")


def _tree(bits: _Bits) -> dict[tuple[int, int], int]:
    lengths = [bits.take(4) for _ in range(bits.take(5))]
    tree: dict[tuple[int, int], int] = {}
    code = 0
    for length in range(1, 17):
        for value, own in enumerate(lengths):
            if own == length:
                reversed_code = int(format(code, f"0{length}b")[::-1], 2)
                tree[length, reversed_code] = value
                code += 1
        code <<= 1
    return tree


def unpacked(packed: bytes) -> bytes:
    """Return what a ProPack (RNC, method 1) block holds: literals and back references under three Huffman trees."""
    (size,) = struct.unpack_from(">I", packed, 4)
    packed = packed + bytes(8)
    bits = _Bits(packed, 18)
    bits.take(2)
    out = bytearray()
    while len(out) < size:
        literals, distances, lengths = _tree(bits), _tree(bits), _tree(bits)
        for remaining in range(bits.take(16), 0, -1):
            count = bits.symbol(literals)
            # literals lie between the words of bits; fewer than 16 bits are ever left over, so none was read too early
            out += packed[bits.position : bits.position + count]
            bits.position += count
            if remaining > 1:
                distance, length = bits.symbol(distances) + 1, bits.symbol(lengths) + 2
                for _ in range(length):
                    out.append(out[-distance])
    return bytes(out)

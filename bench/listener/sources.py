"""Sound to train on, taken from Debian packages by name and kept as 8 kHz int16 arrays.

The training side of `bench.calls` is used too. Music, voices and other sounds are split by source: what `dev` holds,
and the course and test sides of `bench.calls`, is not trained on here.
"""

import argparse
import hashlib
import io
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from scipy import signal

from bench.calls import pool

RATE_HZ = 8000
KEPT = "train8k-2"  # where in the cache what is made of the packages is kept; raise when what is made changes
Ints = NDArray[np.int16]

# package -> (share of the paths, which split)
MUSIC = {
    "wesnoth-1.16-music": ("*.ogg", "train"),
    "supertuxkart-data": ("*music/*.ogg", "train"),
    "fillets-ng-data": ("*music/*.ogg", "train"),
    "nexuiz-music": ("*.pk3", "train"),
    "ufoai-music": ("*.pk3", "train"),
    "hyperrogue-music": ("*.ogg", "dev"),
    "singularity-music": ("*.ogg", "dev"),
    "asc-music": ("*.og[gg]", "dev"),
}
# name of the voice group -> package, paths, split
VOICES = {
    **{
        f"stamps_{k}": ("tuxpaint-stamps-default", f"*_desc_{k}.ogg", "train")
        for k in ("fr", "ru", "ca", "bg", "es", "be", "da", "lt")
    },
    "fillets_cs": ("fillets-ng-data-cs", "*/cs/*.ogg", "train"),
    "fillets_nl": ("fillets-ng-data-nl", "*/nl/*.ogg", "dev"),
    **{
        f"words_{k}": ("ktuberling-data", f"*/{k}/*", "train")
        for k in ("fr", "uk", "nn", "lt", "da", "ru", "en", "de", "sl", "gl", "wa")
    },
    **{
        f"hogs_{k}": ("hedgewars-data", f"*/{k}/*.ogg", "train")
        for k in ("British", "Default_es", "Default_pl", "Default_uk", "Default_ru", "Mobster", "Surfer", "Russian_pl")
    },
}
# Sounds that are neither music nor words: animals, cries, tools, weather, machines.
# name of the group -> (package, what a path has, split)
SOUNDS = {
    "stamps": ("tuxpaint-stamps-default", r"/stamps/(animals|household|naturalforces|vehicles)/", "train"),
    "beasts": ("wesnoth-1.16-data", r"/core/sounds/|witches", "train"),
    "units": ("megaglest-data", r"/(units|commondata|tilesets)/", "train"),
    "fighters": ("nexuiz-data", r"sound/player/.*/player/|sound/player/torus/|sound/weapons/|sound/weather/", "train"),
    "town": ("lincity-ng-data", r"/sounds/", "train"),
    "race": ("supertuxkart-data", r"/sfx/|/cow|/sheep|steamLoco", "train"),
    "aliens": (
        "ufoai-sound",
        r"sound/(aliens|civilians|soldiers|impact|misc|weapons|ugv|doors)/|/(fire|thunder|steam|spark|wat)",
        "train",
    ),
    "machines": ("boswars-data", r"/units/", "train"),
    "arms": ("warmux-data", r"/weapons/|/misc/", "train"),
    "ice": ("supertux-data", r"/sounds/", "train"),
    "wild": ("lugaru-data", r"/Sounds/", "dev"),
    "trades": ("widelands-data", r"/sound/", "dev"),
    "laughs": ("trackballs-data", r"/sfx/", "dev"),
    "arena": ("openarena-data", r"sound/(player|world|misc)/", "dev"),
}
# Words, tunes, notes and drones in the same packages.
_NOT_SOUNDS = re.compile(
    r"_desc|music|theme|tune|jingle|fanfare|victory|finish|gp_end|intro|flute|lenautile|airport|radio|spaceship|sfx/dark"
    r"|horn-|wardrums|bell|gamestart|tuba|invincible|welldone|complete|turn\.|countdown|disco|message|announcer|feedback"
    r"|sarge|nightmare|ancients|ominous|forbidden|drone|console|ping|/night|hell\.|lobby|minaret",
    re.IGNORECASE,
)
PACKAGES = sorted({*MUSIC, *(p for p, _, _ in [*VOICES.values(), *SOUNDS.values()])})


def fetch(cache: Path) -> None:
    """Download and unpack what is missing under CACHE/deb."""
    for name in ("dl", "deb"):
        (cache / name).mkdir(parents=True, exist_ok=True)
    for name in PACKAGES:
        folder = cache / "deb" / name
        if not folder.is_dir():
            subprocess.run(["apt-get", "download", name], cwd=cache / "dl", check=True)
            subprocess.run(["dpkg", "-x", str(next((cache / "dl").glob(f"{name}_*.deb"))), str(folder)], check=True)


def to_8k(data: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Bring any rate to 8 kHz."""
    if rate_hz != RATE_HZ:
        g = int(np.gcd(rate_hz, RATE_HZ))
        data = signal.resample_poly(data, RATE_HZ // g, rate_hz // g)
    return np.asarray(data, np.float32)


def _read(source: Path | io.BytesIO, most_s: float, rng: np.random.Generator) -> Ints:
    with sf.SoundFile(source) as f:
        total = f.frames
        want = int(min(total, most_s * f.samplerate))
        f.seek(int(rng.integers(max(1, total - want + 1))))
        x = f.read(want, dtype="float32", always_2d=True).mean(axis=1)
        y = to_8k(x, f.samplerate)
    peak = float(np.abs(y).max(initial=1e-6))
    return np.round(y / peak * 30000).astype(np.int16)


@dataclass
class Material:
    """music: track name -> samples; voices and sounds: group -> clips."""

    music: dict[str, Ints]
    voices: dict[str, list[Ints]]
    sounds: dict[str, list[Ints]]


def load(cache: Path, split: str, most_s: float = 150.0) -> Material:
    """Return one split; the arrays are kept in the cache, so that the packages are decoded once."""
    keep = cache / KEPT / f"{split}-{most_s:.0f}.npz"
    if not keep.exists():
        keep.parent.mkdir(exist_ok=True)
        np.savez(keep, **_decode(cache, split, most_s))
    music: dict[str, Ints] = {}
    voices: dict[str, list[Ints]] = {}
    with np.load(keep) as stored:
        for name in stored.files:
            sort, group, _ = name.split("|", 2)
            if sort == "music":
                music[name] = stored[name]
            else:
                voices.setdefault(group, []).append(stored[name])
    if split == "train":
        _add_bench(cache, music, voices)
    return Material(music, voices, load_sounds(cache, split))


def load_sounds(cache: Path, split: str, most_s: float = 20.0) -> dict[str, list[Ints]]:
    """Return one split's sounds that are neither music nor words; kept like the rest."""
    keep = cache / KEPT / f"sounds-{split}-{most_s:.0f}.npz"
    if not keep.exists():
        np.savez(keep, **_decode_sounds(cache, split, most_s))
    sounds: dict[str, list[Ints]] = {}
    with np.load(keep) as stored:
        for name in stored.files:
            sounds.setdefault(name.split("|")[0], []).append(stored[name])
    return sounds


def _decode_sounds(cache: Path, split: str, most_s: float) -> dict[str, Ints]:
    rng = np.random.default_rng(20261127)
    out: dict[str, Ints] = {}
    known: set[bytes] = set()  # some packages have the same file in many places
    for group, (package, wanted, where) in SOUNDS.items():
        if where != split:
            continue
        folder = cache / "deb" / package
        for path in sorted(folder.rglob("*.*")):
            for name, data in _sound_files(path, str(path.relative_to(folder))):
                if not is_sound(name, wanted):
                    continue
                digest = hashlib.sha256(data).digest()
                try:
                    x = _read(io.BytesIO(data), most_s, rng)
                except sf.LibsndfileError:
                    continue
                if len(x) >= 0.15 * RATE_HZ and digest not in known:
                    known.add(digest)
                    out[f"{group}|{len(out)}|{Path(name).stem}"] = x
    return out


def is_sound(name: str, wanted: str) -> bool:
    """Say by its path whether a file is a sound that is neither music nor words."""
    return bool(re.search(wanted, name)) and not _NOT_SOUNDS.search(name)


def _sound_files(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    kinds = (".ogg", ".wav", ".mp3")
    if path.suffix == ".pk3":
        with zipfile.ZipFile(path) as z:
            for inside in sorted(z.namelist()):
                if inside.endswith(kinds):
                    yield inside, z.read(inside)
    elif path.suffix in kinds and path.is_file():
        yield "/" + name, path.read_bytes()


def _add_bench(cache: Path, music: dict[str, Ints], voices: dict[str, list[Ints]]) -> None:
    """Add the training side of the benchmark's own pool; fillets-ng is in VOICES already."""
    side = pool.load(cache, "train")
    for track in side.tracks:
        music[f"music|{track.kind}|{track.name}"] = np.asarray(np.load(side.folder / track.file))
    for speaker in side.speakers:
        if not speaker.source.startswith("fillets"):
            sound = np.load(side.folder / speaker.file)
            clips = [np.asarray(sound[c.start : c.end]) for c in speaker.clips if c.end - c.start >= RATE_HZ // 2]
            if clips:
                voices[f"bench_{speaker.name}"] = clips


def _decode(cache: Path, split: str, most_s: float) -> dict[str, Ints]:
    rng = np.random.default_rng(20261122)
    out: dict[str, Ints] = {}
    for package, (pattern, where) in MUSIC.items():
        if where != split:
            continue
        for path in sorted((cache / "deb" / package).rglob("*")):
            if (
                not path.is_file()
                or not path.match(pattern.rpartition("/")[2])
                or (("music/" in pattern) and "music" not in path.parts)
            ):
                continue
            for name, source in _tracks(path):
                try:
                    x = _read(source, most_s, rng)
                except sf.LibsndfileError:
                    continue
                if len(x) > 15 * RATE_HZ:
                    out[f"music|{package}|{name}"] = x
    for group, (package, pattern, where) in VOICES.items():
        if where != split:
            continue
        for path in sorted((cache / "deb" / package).rglob("*.*")):
            if path.is_file() and path.match(pattern):
                try:
                    x = _read(path, 20.0, rng)
                except sf.LibsndfileError:
                    continue
                if len(x) >= 0.5 * RATE_HZ:
                    out[f"voice|{group}|{path.parent.name}-{path.name}"] = x
    return out


def _tracks(path: Path) -> list[tuple[str, Path | io.BytesIO]]:
    if path.suffix != ".pk3":
        return [(path.stem, path)]
    with zipfile.ZipFile(path) as z:
        return [(Path(n).stem, io.BytesIO(z.read(n))) for n in sorted(z.namelist()) if n.endswith((".ogg", ".mp3"))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True)
    args = parser.parse_args()
    fetch(args.cache)
    for split in ("train", "dev"):
        m = load(args.cache, split)
        print(split, len(m.music), "tracks", round(sum(map(len, m.music.values())) / RATE_HZ / 60), "min;")
        for clips in (m.voices, m.sounds):
            print({k: (len(v), round(sum(map(len, v)) / RATE_HZ / 60, 1)) for k, v in clips.items()})

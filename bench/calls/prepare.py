"""From unpacked packages to a pool: every track and line at 8 kHz, trimmed, levelled, on its side of the split."""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from bench.calls import compose, pool, renderers, sing, voices
from bench.calls.packages import PACKAGES, SPLITS, Package, Split, folder
from bench.calls.sounds import RATE_HZ, Sound, levelled, read, samples, trimmed, voiced_spans

MOST_TRACK_S = 200.0
MOST_TRACKS = 14  # of one package: no package is to drown the others
LEAST_TRACK_S = 12.0
VOICE_S = (25.0, 110.0)  # a voice shorter than the first is left out, and no more than the second is taken of it

MUSIC_FILES = {
    "asterisk-moh-opsound-wav": "macroform-*.wav",
    "wesnoth-1.16-music": "*.ogg",
    "planetblupi-music-ogg": "*.ogg",
    "drascula-music": "audio/*.ogg",
    "lincity-ng-data": "music/**/*.ogg",
    "extremetuxracer-data": "music/*.ogg",
    "colobot-common-sounds": "music/*.ogg",
    "fretsonfire-songs-sectoid": "song.ogg",
    "fretsonfire-songs-muldjord": "song.ogg",
    "singularity-music": "*.ogg",
    "hyperrogue-music": "*.ogg",
    "warzone2100-music": "*.opus",
    "asc-music": "*.mp3",
    "freedroidrpg-data": "sound/music/*.ogg",
    "unknown-horizons": "audio/music/**/*.ogg",
    "flare-game": "music/*_theme.ogg",
    "enigma-data": "music/*/*.ogg",
    "hex-a-hop-data": "music-game*.ogg",
    "ardentryst": "Music/*.ogg",
    "zaz-data": "mus?.ogg",
    "blobwars-data": "blobwars/music/*",
}
STAMPS = ("ro", "el")  # of each of these two packages the listener was taught with other voices
HEDGEWARS = {"Default": "en", "HillBilly": "en", "Pirate": "en", "Russian": "en"}
PROMPT_FOLDERS = {  # and the language in them
    "asterisk-core-sounds-en-wav": "en",
    "asterisk-prompt-es-co": "es",
    "asterisk-prompt-fr-armelle": "fr",
    "asterisk-prompt-it-menardi-wav": "it",
}


def prepare(cache: Path, split: Split) -> tuple[pool.Pool, list[str]]:
    """Build one side of the pool in the cache; return it and a line for each source that gave nothing."""
    builder = _Builder(cache, split)
    for package in PACKAGES:
        if package.split == split:
            builder.take(package)
    builder.synthetic_voices()
    builder.composed_music()
    made = pool.Pool(split, tuple(builder.tracks), tuple(builder.speakers), cache / pool.PREPARED)
    pool.save(made)
    return made, builder.trouble


class _Builder:
    def __init__(self, cache: Path, split: Split) -> None:
        self.cache, self.split = cache, split
        self.tracks: list[pool.Track] = []
        self.speakers: list[pool.Speaker] = []
        self.trouble: list[str] = []

    def take(self, package: Package) -> None:
        name, root = package.name.split("==")[0], folder(self.cache, package)
        if not root.is_dir():
            self.trouble.append(f"{name}: not in the cache")
            return
        try:
            for title, kind, sound in islice(self._music(name, root), MOST_TRACKS):
                self.track(title, kind, name, sound)
            for title, language, roles, lines in self._speech(name, root):
                self.speaker(title, name, language, roles, lines)
        except (OSError, ValueError) as exc:
            self.trouble.append(f"{name}: {exc}")

    def track(self, title: str, kind: str, source: str, sound: Sound) -> None:
        heard = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max()) if len(sound) else []
        if len(heard) < LEAST_TRACK_S * RATE_HZ / 2:
            return
        sound = levelled(sound[heard[0] : heard[-1] + 1][: samples(MOST_TRACK_S)])
        file = f"{self.split}/music/{source}-{re.sub('[^A-Za-z0-9]+', '_', title)}.npy"
        self._write(file, sound)
        self.tracks.append(pool.Track(f"{source}/{title}", kind, source, file, round(len(sound) / RATE_HZ, 3)))

    def speaker(
        self, title: str, source: str, language: str, roles: tuple[str, ...], lines: Iterable[tuple[str, str, Sound]]
    ) -> None:
        clips, parts, position = [], [], 0
        for name, kind, sound in lines:
            if position > VOICE_S[1] * RATE_HZ and roles == ("person",):
                break
            if len(sound) >= RATE_HZ * 0.25:
                clips.append(pool.Clip(name, kind, position, position + len(sound)))
                parts.append(levelled(sound))
                position += len(sound)
        if position < VOICE_S[0] * RATE_HZ and "song" not in {c.kind for c in clips}:
            return
        file = f"{self.split}/voice/{source}-{re.sub('[^A-Za-z0-9]+', '_', title)}.npy"
        self._write(file, np.concatenate(parts))
        self.speakers.append(pool.Speaker(f"{source}/{title}", source, language, roles, file, tuple(clips)))

    def _write(self, file: str, sound: Sound) -> None:
        path = self.cache / pool.PREPARED / file
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, pool.integers(sound))

    def _music(self, name: str, root: Path) -> Iterator[tuple[str, str, Sound]]:
        for pattern in MUSIC_FILES.get(name, "").split():
            for path in sorted(p for p in root.rglob(pattern) if p.suffix != ".tags"):
                title = path.parent.name if path.stem == "song" else path.stem
                yield title, "recorded", read(path, MOST_TRACK_S)
        if name == "nexuiz-music":
            for title, sound in renderers.zipped_tracks(next(root.rglob("music.pk3"))):
                yield title, "recorded", sound
        elif name == "freedoom":
            for title, score in renderers.wad_scores(next(root.rglob("freedoom1.wad"))):
                yield title, "midi", renderers.midi(self.cache, score, "fluidr3mono-gm-soundfont")
        elif name == "openttd-openmsx":
            for path in sorted(root.rglob("*.mid"))[::2]:
                yield path.stem, "midi", renderers.midi(self.cache, path.read_bytes(), "timgm6mb-soundfont")
        elif name in ("pingus-data", "fb-music-high"):
            for path in sorted(p for p in root.rglob("*") if p.suffix in (".it", ".xm", ".s3m")):
                yield path.stem, "module", renderers.module(self.cache, path.read_bytes())

    def _speech(self, name: str, root: Path) -> Iterator[tuple[str, str, tuple[str, ...], Iterable]]:
        if name in PROMPT_FOLDERS:
            yield "prompts", PROMPT_FOLDERS[name], ("system",), _prompts(_fullest(root.rglob("sounds/*")))
        elif name == "moonshine-voice":
            sound = read(next(root.rglob("two_cities.wav")))
            yield "reading", "en", ("person",), ((f"part-{a}", "person", sound[a:b]) for a, b in _phrases(sound))
        elif name == "beneath-a-steel-sky":
            archive = next(root.rglob("sky.dnr")).parent
            for start in range(50000, 55000, 100):
                lines = renderers.sky_speech(archive, range(start, start + 100))
                yield str(start), "en", ("person",), ((n, "person", trimmed(s)) for n, s in lines)
        elif name == "flight-of-the-amazon-queen":
            yield from _groups(renderers.queen_speech(next(root.rglob("queen.1c"))), lambda title: title[:3], "en")
        elif name == "tuxpaint-stamps-default":
            for language in STAMPS:
                files = sorted(root.rglob(f"*_desc_{language}.ogg"))
                yield language, language, ("person",), _sentences((p.stem, read(p)) for p in files)
        elif name == "hedgewars-data":
            for voice, language in HEDGEWARS.items():
                files = sorted(root.rglob(f"voices/{voice}/*.ogg"))
                yield voice, language, ("person",), _sentences((p.stem, read(p)) for p in files)
        elif name == "warzone2100-data":
            archive = next(root.rglob("base.wz"))
            for folder, role in (("audio/memressp/*/pcv*", "system"), ("audio/tutorial/*", "person")):
                lines = renderers.zipped_tracks(archive, folder)
                yield role, "en", (role,), _sentences(lines, "any" if role == "system" else "person")
        elif name.startswith("fillets-ng-data-"):
            language = name.rsplit("-", 1)[1]
            files = sorted(root.rglob(f"sound/*/{language}/*.ogg"))
            lines = ((f"{p.parent.parent.name}-{p.stem}", read(p)) for p in files)
            yield from _groups(lines, _fish, language)

    def synthetic_voices(self) -> None:
        for voice in voices.voices(self.split):
            try:
                lines = [(line.name, line.kind, voices.say(voice, line)) for line in voice.lines]
            except (OSError, subprocess.CalledProcessError) as exc:
                self.trouble.append(f"{voice.name}: {exc}")
                continue
            self.speaker(voice.name, "voices", voice.language, ("system", "person"), lines)

    def composed_music(self) -> None:
        styles, seed = compose.STYLES[self.split], 1 + SPLITS.index(self.split)
        for number in range(4):
            for place, style in enumerate(styles):
                rng = np.random.default_rng([seed, place, number])
                sound = compose.piece(style, float(rng.uniform(25, 150)), rng)
                self.track(f"{style.name} {number}", "composed", "composed", sound)
        singers = [s for s in self.speakers if any(c.kind == "song" for c in s.clips)]
        recorded = [s for s in self.speakers if s.source != "voices" and s.roles == ("person",)]
        for number in range(20):
            rng = np.random.default_rng([seed, 99, number])
            style = styles[int(rng.integers(len(styles)))]
            cast = recorded if recorded and number >= 12 else singers
            if not cast:
                continue
            lines = self._song_lines(cast[int(rng.integers(len(cast)))])
            sound = sing.song(lines, style, float(rng.uniform(50, 150)), rng, int(rng.choice([1, 1, 2, 3])))
            self.track(f"song {number}", "sung", "composed", sound)

    def _song_lines(self, speaker: pool.Speaker) -> list[Sound]:
        """Return what a voice sings: its verses, or the longest things that it was recorded saying."""
        here = pool.Pool(self.split, (), (), self.cache / pool.PREPARED)
        verses = [c for c in speaker.clips if c.kind == "song"]
        longest = sorted(speaker.clips, key=lambda c: c.start - c.end)[:6]
        return [here.clip(speaker, c)[: 5 * RATE_HZ] for c in verses or longest]


def _fullest(folders: Iterable[Path]) -> Path:
    return max((p for p in folders if p.is_dir()), key=lambda p: len(list(p.iterdir())))


def _prompts(base: Path) -> Iterator[tuple[str, str, Sound]]:
    for path in sorted(p for p in base.rglob("*") if p.suffix in (".wav", ".gsm")):
        is_digit = path.parent.name == "digits"
        if is_digit and path.stem not in tuple("123456789"):
            continue
        sound = trimmed(read(path))
        if is_digit:
            yield path.stem, "digit", sound
        elif RATE_HZ <= len(sound) <= 16 * RATE_HZ:
            yield path.stem, "any", sound


def _sentences(lines: Iterable[tuple[str, Sound]], kind: str = "person") -> Iterator[tuple[str, str, Sound]]:
    """Leave out single words and cries: what is shorter than a second."""
    for title, raw in lines:
        sound = trimmed(raw)
        if RATE_HZ <= len(sound) <= 16 * RATE_HZ:
            yield title, kind, sound


def _phrases(sound: Sound) -> list[tuple[int, int]]:
    """Cut a long reading at its pauses."""
    return [(a, b) for a, b in voiced_spans(sound, 0.22) if 0.8 * RATE_HZ <= b - a <= 12 * RATE_HZ]


def _fish(title: str) -> str:
    """Return the speaker of a line of fillets-ng: the middle part of `level-scene-SPEAKER-line` where there is one."""
    parts = title.split("-")
    return parts[2] if len(parts) > 3 else "other"


def _groups(
    lines: Iterable[tuple[str, Sound]], key: Callable[[str], str], language: str
) -> Iterator[tuple[str, str, tuple[str, ...], Iterable]]:
    """Gather single lines to voices of about a minute and a half; one that goes on gets a number."""
    held: dict[str, list[tuple[str, str, Sound]]] = defaultdict(list)
    for title, raw in lines:
        held[key(title)].append((title, "person", trimmed(raw)))
    for name, group in held.items():
        part: list[tuple[str, str, Sound]] = []
        number = 0
        for line in [*group, None]:
            if line is None or sum(len(s) for _, _, s in part) > 0.8 * VOICE_S[1] * RATE_HZ:
                yield f"{name}-{number}", language, ("person",), part
                part, number = [], number + 1
            if line is not None:
                part.append(line)

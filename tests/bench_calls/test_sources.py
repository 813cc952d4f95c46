"""Sources are on one side of the split, and what renders them does what it says."""

import struct
import tomllib
from itertools import combinations
from pathlib import PurePath

import numpy as np
import pytest

from bench.calls import codecs, compose, line, make, packages, prepare, renderers, sing, synthetic, tones, voices
from bench.calls.pool import Pool
from bench.calls.sounds import RATE_HZ, silence, voiced_spans
from bench.listener import sources


def test_every_package_is_on_one_side() -> None:
    names = [p.name for p in packages.PACKAGES]
    assert len(names) == len(set(names))
    assert {p.split for p in packages.PACKAGES} == {*packages.SPLITS, None}


@pytest.mark.parametrize(("one", "other"), list(combinations(packages.SPLITS, 2)))
def test_no_voice_sentence_or_style_is_on_two_sides(one: packages.Split, other: packages.Split) -> None:
    def of(split: packages.Split) -> list[set[object]]:
        side = voices.voices(split)
        styles = compose.STYLES[split]
        return [
            {voice.name for voice in side},
            {line.text for voice in side for line in voice.lines},
            {style.name for style in styles},
            {style.parts for style in styles},
        ]

    for here, there in zip(of(one), of(other), strict=True):
        assert here
        assert not here & there


def test_calls_of_different_sides_are_drawn_differently() -> None:
    assert set(make.DRAWN_BY) == set(packages.SPLITS)
    assert len(set(make.DRAWN_BY.values())) == len(packages.SPLITS)


def test_listener_is_not_taught_with_what_is_for_judging() -> None:
    """Packages of the test side give the listener nothing, but for the voices in them that are named apart."""
    judged = {p.name for p in packages.PACKAGES if p.split == "test"}
    assert not judged & set(sources.MUSIC)
    taught = {(package, paths) for package, paths, _ in sources.VOICES.values() if package in judged}
    assert {package for package, _ in taught} <= {"tuxpaint-stamps-default", "hedgewars-data"}
    apart = [f"voices/{voice}/a.ogg" for voice in prepare.HEDGEWARS]
    apart += [f"stamps/a_desc_{language}.ogg" for language in prepare.STAMPS]
    assert not [(paths, path) for _, paths in taught for path in apart if PurePath(path).match(paths)]


def test_sounds_that_are_no_music_are_taught_from_packages_of_no_other_side() -> None:
    other = {p.name for p in packages.PACKAGES if p.split in ("course", "test")}
    taught = {package for package, _, split in sources.SOUNDS.values() if split == "train"}
    assert taught & other == {"tuxpaint-stamps-default"}  # its animals and tools; only what it reads out is for judging
    kept = {package for package, _, split in sources.SOUNDS.values() if split == "dev"}
    assert len(kept) >= 3
    assert not taught & kept


@pytest.mark.parametrize(
    ("package", "path", "is_sound"),
    [
        ("tuxpaint-stamps-default", "/usr/share/tuxpaint/stamps/animals/birds/crow.ogg", True),
        ("tuxpaint-stamps-default", "/usr/share/tuxpaint/stamps/animals/birds/crow_desc_el.ogg", False),
        ("tuxpaint-stamps-default", "/usr/share/tuxpaint/stamps/hobbies/music/string/cello.ogg", False),
        ("wesnoth-1.16-data", "/usr/share/games/wesnoth/1.16/data/core/sounds/wolf-growl-1.ogg", True),
        ("wesnoth-1.16-data", "/usr/share/games/wesnoth/1.16/data/core/sounds/horn-signals/horn-1.ogg", False),
        ("nexuiz-data", "sound/weapons/tuba_note1.ogg", False),
    ],
)
def test_words_and_tunes_among_sounds_are_left_out(package: str, path: str, is_sound: bool) -> None:
    wanted = next(wanted for name, wanted, _ in sources.SOUNDS.values() if name == package)
    assert sources.is_sound(path, wanted) == is_sound


def test_every_block_of_texts_says_all_kinds() -> None:
    for block in tomllib.loads(voices.TEXTS.read_text("utf-8"))["block"]:
        assert all(block[kind] for kind in ("menu", "hold", "advert", "person", "host", "song"))
        assert "{n}" in block["position"]


@pytest.mark.parametrize("country", sorted(tones.COUNTRIES))
@pytest.mark.parametrize("label", ["ringback", "busy", "reorder"])
def test_cadence_has_its_frequencies_and_pauses(country: str, label: str) -> None:
    tone = tones.COUNTRIES[country][label]
    sound, pauses = tones.cadence(country, label, 3, 0.1)
    assert len(sound) == pytest.approx((3 * sum(tone.pattern_s) - tone.pattern_s[-1]) * RATE_HZ, abs=4)
    assert len(pauses) == 3 * len(tone.pattern_s) // 2 - 1
    assert all(not np.any(sound[a:b]) for a, b in pauses)
    first = sound[: round(tone.pattern_s[0] * RATE_HZ)]
    spectrum = np.abs(np.fft.rfft(first * np.hanning(len(first)), RATE_HZ))
    strongest = np.argsort(spectrum)[-len(tone.frequencies_hz) * 3 :]
    assert all(np.abs(strongest - hz).min() <= 2 for hz in tone.frequencies_hz)


def test_g711_keeps_its_own_levels_and_is_fine_near_zero() -> None:
    rng = np.random.default_rng(1)
    sound = (rng.standard_normal(4000) * 0.1).astype(np.float32)
    for law in ("mu", "a"):
        once = codecs.g711(sound, law)
        assert np.array_equal(codecs.g711(once, law), once)
        assert 10 * np.log10(np.var(sound) / np.var(once - sound)) > 36
    assert codecs.g711(np.float32([1.0]), "mu")[0] == pytest.approx(32124 / 32768)  # G.711 table 2, top of its range
    assert codecs.g711(np.float32([1.0]), "a")[0] == pytest.approx(32256 / 32768)


def test_loss_is_as_frequent_as_asked_and_comes_in_bursts() -> None:
    wanted = line.Line(loss_ratio=0.05, loss_frames=4.0)
    lost = line.lost_frames(RATE_HZ * 3600, wanted, np.random.default_rng(2))
    assert lost.mean() == pytest.approx(0.05, rel=0.15)
    bursts = np.count_nonzero(np.diff(lost.astype(int)) == 1)
    assert lost.sum() / bursts == pytest.approx(4.0, rel=0.15)


def test_noise_is_as_loud_as_asked() -> None:
    speech = synthetic.talk(3, 120, 1.0, np.random.default_rng(3))
    for kind in ("pink", "hum", "car", "babble", "hiss"):
        noise = line.background(kind, 80000, np.random.default_rng(4), speech)
        assert np.sqrt(np.mean(noise**2)) == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize("concealment", ["zero", "repeat", "wave"])
def test_lost_frames_are_hidden_as_asked(concealment: str) -> None:
    sound = tones.burst((400.0,), 4.0, 0.3)
    wanted = line.Line(loss_ratio=0.05, loss_frames=1.5, concealment=concealment)
    heard, _ = line.send(sound, silence(4), wanted, np.random.default_rng(5), sound, None)
    holes = np.abs(heard[800:-800].reshape(-1, 160)).max(axis=1) < 0.001
    assert holes.any() == (concealment == "zero")


def test_sung_note_has_the_pitch_of_its_note() -> None:
    spoken = synthetic.talk(2.0, 120, 1.0, np.random.default_rng(6))
    sung = sing.line(spoken, [(220.0, 0.8)], np.random.default_rng(7))
    assert len(sung) > RATE_HZ * 0.5
    middle = sung[len(sung) // 3 : len(sung) // 3 + 4096].astype(np.float64)
    correlation = np.correlate(middle, middle, "full")[len(middle) :]
    lag = 20 + int(np.argmax(correlation[20:60])) + 1
    assert RATE_HZ / lag == pytest.approx(220, rel=0.05)


@pytest.mark.slow
def test_talker_pauses_and_speaks(pool: Pool) -> None:
    person = pool.with_role("person")[0]
    clip = pool.clip(person, person.clips[0])
    spans = voiced_spans(np.concatenate([silence(1), clip, silence(1)]))
    assert spans[0][0] == pytest.approx(RATE_HZ, abs=800)
    assert spans[-1][1] == pytest.approx(RATE_HZ + len(clip), abs=1600)


def test_composed_piece_is_whole_bars_and_the_same_each_time() -> None:
    one, two = (compose.piece(compose.TRAIN_STYLES[1], 20, np.random.default_rng(8)) for _ in range(2))
    assert np.array_equal(one, two)
    assert len(one) / RATE_HZ == pytest.approx(20, abs=3)


def packed_literals(text: bytes) -> bytes:
    """A ProPack block that holds only literals: one code for their number, whose value is 1 << 2 | two more bits."""
    count = len(text) - 4  # 4..7 literals
    bits = "00"  # not locked, no key
    number_of_codes, one_code = format(4, "05b")[::-1], "".join(format(n, "04b")[::-1] for n in (0, 0, 0, 1))
    bits += number_of_codes + one_code + "00000" * 2  # literals' tree; none for distances and lengths
    bits += format(1, "016b")[::-1] + "0" + format(count, "02b")[::-1]
    bits += "0" * (-len(bits) % 16)
    words = b"".join(struct.pack("<H", int(bits[i : i + 16][::-1], 2)) for i in range(0, len(bits), 16))
    return b"RNC\x01" + struct.pack(">II", len(text), len(words) + len(text)) + bytes(6) + words + text


def test_packed_literals_come_out() -> None:
    assert renderers.unpacked(packed_literals(b"speak")) == b"speak"


def test_wad_gives_its_scores_only(tmp_path) -> None:
    score, other = b"MThd music", b"something"
    directory = struct.pack("<ii8s", 12, len(score), b"D_ONE") + struct.pack("<ii8s", 12 + len(score), len(other), b"X")
    (tmp_path / "a.wad").write_bytes(
        struct.pack("<4sii", b"IWAD", 2, 12 + len(score + other)) + score + other + directory
    )
    assert list(renderers.wad_scores(tmp_path / "a.wad")) == [("D_ONE", score)]

"""`holdproof listen` on recordings as people have them: two channels, odd encodings, a picture, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from typer.testing import CliRunner

from audit.cli import app
from audit.commands.listening import listen_to
from probes.errors import UserError
from tests.audio.sounds import RATE, Sound, music, quiet, rhythm, tone

KEYS = {"1": (697.0, 1209.0), "2": (697.0, 1336.0)}


def held_call() -> Sound:
    return np.concatenate([quiet(1), rhythm((440, 480), (2, 4), 2)[: 8 * RATE], quiet(1), music(60), quiet(2)])


def keys(digits: str, length: int) -> Sound:
    pressed = np.concatenate([part for d in digits for part in (tone(KEYS[d], 0.12, 0.3), quiet(0.1))])
    return np.concatenate([quiet(11), pressed, quiet(length / RATE)])[:length]


def listened(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["listen", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "subtype"),
    [("a.wav", "PCM_16"), ("a.wav", "ULAW"), ("a.wav", "ALAW"), ("a.wav", "GSM610"), ("a.flac", "PCM_16"),
     ("a.ogg", "VORBIS"), ("a.mp3", "MPEG_LAYER_III")],
)  # fmt: skip
def test_every_encoding_gives_the_same_hold(tmp_path: Path, name: str, subtype: str) -> None:
    sf.write(tmp_path / name, held_call(), RATE, subtype=subtype)
    code, out, err = listened(tmp_path / name, "--json")
    assert code == 0, err
    (hold,) = json.loads(out)["holds"]
    assert (hold["start_s"], hold["end_s"]) == pytest.approx((10, 70), abs=0.5)
    assert hold["music_loop_s"] == pytest.approx(20, abs=0.1)


def test_the_text_says_what_there_is(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", held_call(), RATE)
    code, out, _ = listened(tmp_path / "a.wav", "--plot", tmp_path / "a.svg")
    assert code == 0
    for words in ("answered at 0:0", "hold from 0:10 to 1:10", "loop of 20", "ringback from 0:01", "line: ", "ends: "):
        assert words in out
    picture = (tmp_path / "a.svg").read_text()
    assert "on hold 1 min" in picture
    assert "LUFS" in picture


def test_our_keys_tell_which_channel_is_ours(tmp_path: Path) -> None:
    vendor = held_call()
    sf.write(tmp_path / "a.wav", np.stack([keys("12", len(vendor)), vendor], axis=1), RATE)
    code, out, _ = listened(tmp_path / "a.wav", "--sent", "12", "--json")
    assert code == 0
    heard = json.loads(out)
    assert len(heard["holds"]) == 1
    assert "channel 0" in heard["notes"][0]
    assert heard["talk_over"] == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "not said which one is the vendor's"),
        (("--channel", "2"), "there is no channel 2"),
        (("--sent", "99"), "do not tell the channels apart"),
        (("--channel", "1", "--plot", "nowhere/at/all.svg"), "the picture cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    vendor = held_call()[: 15 * RATE]
    sf.write(tmp_path / "a.wav", np.stack([keys("12", len(vendor)), vendor], axis=1), RATE)
    channel = int(arguments[1]) if arguments[:1] == ("--channel",) else None
    sent = arguments[1] if arguments[:1] == ("--sent",) else None
    plot = Path(arguments[3]) if "--plot" in arguments else None
    with pytest.raises(UserError, match=words):
        listen_to(tmp_path / "a.wav", channel, sent, plot)


def test_a_recording_that_was_cut_off_is_read_and_said_to_be(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", held_call(), RATE)
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) * 2 // 3])
    code, out, _ = listened(tmp_path / "cut.wav")
    assert code == 0
    assert "note: cut off: the header promises" in out

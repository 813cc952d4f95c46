"""What the listener is taught follows from seeds alone, and the net that is taught is the net that listens."""

from pathlib import Path

import numpy as np
import pytest

from bench.calls import synthetic
from bench.calls.pool import Pool
from bench.listener.fit import Pass, Schedule, fit, loss, nearest_turn, start_values
from bench.listener.made import Pair, painted, taught
from bench.listener.scenes import Composer, scene
from bench.listener.sources import RATE_HZ, Material
from bench.listener.sparse import sparse
from bench.listener.uproar import knocks
from probes.audio.net import CLASSES, LOOK_AHEAD, OVER, TAPS, Net, weights


@pytest.fixture(scope="module")
def pool() -> Pool:
    return synthetic.pool("train", voices=4, tracks=2)


@pytest.fixture(scope="module")
def material(pool: Pool) -> Material:
    voices = {s.name: [(pool.clip(s, c) * 8192).astype(np.int16) for c in s.clips] for s in pool.speakers}
    music = {t.name: (pool.music(t) * 8192).astype(np.int16) for t in pool.tracks}
    sounds = {"knocks": [(knocks(np.random.default_rng(k), 2.0) * 9000).astype(np.int16) for k in range(3)]}
    return Material(music, voices, sounds)


def scenes(material: Material, seed: int, length_s: float = 60.0) -> Pair:
    rng = np.random.default_rng(seed)
    sung = [(clip / 9000).astype(np.float32) for clip in material.music.values()]
    return taught(*scene(Composer(material, sung, rng), length_s))


def test_same_seed_gives_the_same_scene(material: Material) -> None:
    (one, told), (two, told_again), (other, _) = (scenes(material, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two)
    assert np.array_equal(told, told_again)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_training_twice_gives_the_same_bytes_and_another_seed_does_not(material: Material, tmp_path: Path) -> None:
    data = [scenes(material, seed) for seed in (1, 2)]
    for name, seed in (("one", 5), ("two", 5), ("other", 6)):
        fit(data, data[0], Schedule(3, crops=4, warm=1, falling=2), seed, lambda _: None).store(
            tmp_path / f"{name}.npz"
        )
    one, two, other = ((tmp_path / f"{name}.npz").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other
    with np.load(tmp_path / "one.npz", allow_pickle=False) as stored:
        shipped = weights()
        assert [stored[f"w{i}"].shape for i in range(len(TAPS) + 2)] == [m.shape for m in shipped.matrices]


def test_training_learns_what_it_is_shown(material: Material) -> None:
    said: list[str] = []
    data = scenes(material, 3)
    fit([data], data, Schedule(40, crops=4, warm=10, falling=20), 5, said.append)
    right = float(said[-1].partition('"right": ')[2].partition(",")[0])
    assert right > 0.8


def test_the_net_that_is_trained_is_the_net_that_listens(material: Material) -> None:
    features = scenes(material, 4, 20.0)[0].astype(np.float32)
    w = weights()
    values = {f"w{i}": m for i, m in enumerate(w.matrices)} | {f"b{i}": o for i, o in enumerate(w.offsets)}
    rows = ((features - w.mean) * w.scale).reshape(len(features) // 4, -1)
    logits = Pass(len(rows), 1).forward(values, rows, []).reshape(-1, CLASSES)
    listening = Net()
    heard = np.concatenate([listening.push(features), listening.finish()])
    told = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    before_the_end = len(told) - 4 * LOOK_AHEAD
    assert np.allclose(told[:before_the_end], heard[:before_the_end], atol=0.02)


def test_slopes_are_those_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    values = start_values(rng)
    rows = rng.standard_normal((40 * 2, values["w0"].shape[0])).astype(np.float32)
    target = rng.integers(-1, CLASSES + 1, (40, 2, 4)).astype(np.int8)
    net = Pass(40, 2)
    drops = [(rng.random((2, 96)) > 0.2).astype(np.float32) for _ in TAPS]
    slopes = net.backward(values, loss(net.forward(values, rows, drops), target)[1])
    for name, slope in slopes.items():
        way = slope / np.linalg.norm(slope)
        high, low = (
            loss(net.forward(values | {name: values[name] + d * way}, rows, drops), target)[0] for d in (2e-3, -2e-3)
        )
        assert (high - low) / 4e-3 == pytest.approx(float(np.linalg.norm(slope)), rel=0.05), name


def test_turned_matrix_keeps_its_directions_and_evens_their_sizes() -> None:
    m = np.random.default_rng(2).standard_normal((30, 12)).astype(np.float32)
    left, _, right = np.linalg.svd(m, full_matrices=False)
    turned = nearest_turn(m)
    sizes = np.diag(left.T @ turned @ right.T)
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3


def test_rate_rises_stays_and_falls_to_nothing() -> None:
    schedule = Schedule(1000, rate=1.0, warm=100, falling=400)
    assert [schedule.at(s) for s in (50, 100, 600, 800, 1000)] == pytest.approx([0.5, 1, 1, 0.5, 0])


def test_labels_of_a_call_become_classes() -> None:
    label = {
        "segments": [
            {"start_s": 0.0, "end_s": 0.1, "kind": "tone"},
            {"start_s": 0.1, "end_s": 0.2, "kind": "music"},
            {"start_s": 0.2, "end_s": 0.3, "kind": "speech", "over_music": True},
            {"start_s": 0.3, "end_s": 0.4, "kind": "silence"},
        ],
        "ignore": [[0.32, 0.38]],
    }
    assert painted(label, 20).tolist() == [1] * 5 + [2] * 5 + [OVER] * 5 + [0, -1, -1, -1, -1]


@pytest.mark.parametrize("seed", range(6))
def test_made_sounds_have_their_length_and_no_more_than_full_scale(seed: int) -> None:
    for make in (sparse, knocks):
        sound = make(np.random.default_rng(seed), 9.0)
        assert len(sound) == 9 * RATE_HZ
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() == pytest.approx(1, abs=1e-3)

"""Makes `probes/audio/listener.npz`.

    python -m bench.listener.sources --cache CACHE           # packages, once
    python -m bench.listener.train make --cache CACHE --hours 30 --seed 1
    python -m bench.listener.train fit  --cache CACHE --out probes/audio/listener.npz

Today's weights were trained on from such ones, and are the mean of both (decision 0160: what of it cannot be repeated):

    … make --hours 8 --seed 41; … make --hours 5 --seed 43
    … fit --sets train-41 train-41 train-32 train-35 calls-32 calls-33 calls-36 --init OLD --rate 6e-4
          --minutes 12 --out ONE
    … fit --sets train-41 train-41 train-41 train-31 train-35 calls-32 calls-33 calls-36 --init ONE --rate 6e-4
          --out TWO
    … fit --sets train-41 train-41 train-43 train-43 train-31 train-35 calls-32 calls-33 calls-36 --init TWO --rate 6e-4
          --minutes 11.5 --out NEW
    … mix --of NEW OLD --share 0.7 --out probes/audio/listener.npz

Needs, besides what the product needs: jax and pyworld. Same cache, seed and hours give the same scenes; the sum of
floats in training may differ from machine to machine.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from bench.calls import pool
from bench.calls.make import make as make_call
from bench.listener.scenes import EITHER, Composer, scene
from bench.listener.singing import sing
from bench.listener.sources import RATE_HZ, Material, load
from probes.audio.frames import CHUNK, FEATURES, FrameReader, join
from probes.audio.net import CLASSES, SILENCE, SPEECH, TAPS

WIDTH = 96
CROP = 448  # chunks: 36 s


def sung_pool(cache: Path, split: str, material: Material, count: int) -> list[np.ndarray]:
    keep = cache / "train8k" / f"sung-{split}-{count}.npz"
    if not keep.exists():
        rng = np.random.default_rng(7)
        groups = sorted(material.voices)
        np.savez(keep, *[sing(material.voices[groups[i % len(groups)]], rng, 14.0) for i in range(count)])
    with np.load(keep) as stored:
        return [stored[k] for k in stored.files]


def make(cache: Path, split: str, hours: float, seed: int, length_s: float = 240.0) -> None:
    """Write features and targets of many scenes."""
    material = load(cache, split)
    rng = np.random.default_rng([seed, len(split)])
    composer = Composer(material, sung_pool(cache, split, material, 300 if split == "train" else 40), rng, cache)
    features, targets = [], []
    done = 0.0
    start = time.process_time()
    while done < hours * 3600:
        x, target = scene(composer, length_s * float(rng.uniform(0.3, 1.5)))
        reader = FrameReader()
        frames = join(reader.push(x) + reader.finish())
        n = len(target) // CHUNK * CHUNK
        features.append(frames.features[:n].astype(np.float16))
        targets.append(target[:n].astype(np.int8))
        done += n * 0.02
    out = cache / "train8k" / f"scenes-{split}-{seed}.npz"
    np.savez(
        out,
        features=np.concatenate(features),
        targets=np.concatenate(targets),
        lengths=np.array([len(t) for t in targets]),
    )
    print(
        split,
        f"{done / 3600:.1f} h in {time.process_time() - start:.0f} s of work; shares",
        np.bincount(np.concatenate(targets) + 1) / sum(map(len, targets)),
    )


def make_calls(cache: Path, count: int, seed: int) -> None:
    """Write features and targets of whole calls of the benchmark's training side."""
    side = pool.load(cache, "train")
    features, targets = [], []
    for index in range(count):
        call = make_call(side, 1000 + seed, index, cache, most_s=420.0)
        reader = FrameReader()
        frames = join(reader.push(call.vendor) + reader.finish())
        n = len(call.vendor) // 160 // CHUNK * CHUNK
        features.append(frames.features[:n].astype(np.float16))
        targets.append(painted(call.label, n))
    out = cache / "train8k" / f"scenes-calls-{seed}.npz"
    np.savez(out, features=np.concatenate(features), targets=np.concatenate(targets))
    print(f"{sum(map(len, targets)) / 180_000:.1f} h of calls", np.bincount(np.concatenate(targets) + 1))


def painted(label: dict, count: int) -> np.ndarray:
    """Return the class of each 20 ms from a call's labels."""
    out = np.zeros(count, np.int8)
    for s in label["segments"]:
        state = {"silence": 0, "tone": 1, "music": 2, "speech": 4 if s.get("over_music") else 3}[s["kind"]]
        out[round(s["start_s"] * 50) : round(s["end_s"] * 50)] = state
    for start_s, end_s in label["ignore"]:
        out[int(start_s * 50) : int(end_s * 50) + 1] = -1
    return out


def start_values(rng: np.random.Generator) -> dict[str, np.ndarray]:
    shapes = [(CHUNK * FEATURES, WIDTH), *[(3 * WIDTH, WIDTH)] * len(TAPS), (WIDTH, CHUNK * CLASSES)]
    values = {}
    for i, (a, b) in enumerate(shapes):
        values[f"w{i}"] = (
            rng.standard_normal((a, b)) * np.sqrt(2 / a) * (1 if i == 0 else 0.5 if i <= len(TAPS) else 0.1)
        ).astype(np.float32)
        values[f"b{i}"] = np.zeros(b, np.float32)
    return values


def widened(begin: dict[str, np.ndarray], old: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Lay the weights of a narrower model with fewer layers into fresh ones; what is new says little at first."""
    wide, narrow = begin["b0"].shape[0], old["b0"].shape[0]
    last_old, last = len(old) // 2 - 1, len(begin) // 2 - 1
    if (wide, last) == (narrow, last_old):
        return old
    out = {k: v * (0.2 if k[0] == "w" and k != "w0" else 1) for k, v in begin.items()}
    for i in range(last_old):
        rows = np.arange(old[f"w{i}"].shape[0])
        places = rows if i == 0 else rows // narrow * wide + rows % narrow
        out[f"w{i}"][places, :narrow] = old[f"w{i}"]
        out[f"b{i}"][:narrow] = old[f"b{i}"]
    out[f"w{last}"][:narrow] = old[f"w{last_old}"]
    out[f"b{last}"] = old[f"b{last_old}"]
    return out


def forward(values: dict, rows: jax.Array, drop: jax.Array | None = None) -> jax.Array:
    """rows: (batch, chunks, CHUNK * FEATURES), standardised -> logits (batch, chunks * CHUNK, CLASSES)."""
    n = rows.shape[1]
    h = jax.nn.relu(rows @ values["w0"] + values["b0"])
    for i, (back, ahead) in enumerate(TAPS, start=1):
        padded = jnp.pad(h, ((0, 0), (back, ahead), (0, 0)))
        offsets = (0, back, back + ahead) if ahead else (0, back // 2, back)
        wide = jnp.concatenate([padded[:, o : o + n] for o in offsets], axis=2)
        h = h + jax.nn.relu(wide @ values[f"w{i}"] + values[f"b{i}"])
        if drop is not None:
            h = h * jax.random.bernoulli(jax.random.fold_in(drop, i), 0.9, (h.shape[0], 1, h.shape[2])) / 0.9
    last = len(TAPS) + 1
    return (h @ values[f"w{last}"] + values[f"b{last}"]).reshape(rows.shape[0], -1, CLASSES)


def loss(values: dict, rows: jax.Array, target: jax.Array, drop: jax.Array) -> jax.Array:
    logp = jax.nn.log_softmax(forward(values, rows, drop))
    keep = (target >= 0).at[:, : 8 * CHUNK].set(False).at[:, -20 * CHUNK :].set(False)
    smooth = 0.97 * jax.nn.one_hot(target, CLASSES) + 0.03 / CLASSES
    either = jnp.logaddexp(logp[..., SILENCE], logp[..., SPEECH])
    told = jnp.where(target == EITHER, either, jnp.sum(logp * smooth, axis=2))
    return -jnp.sum(told * keep) / jnp.sum(keep)


@partial(jax.jit, donate_argnums=(0, 1, 2))
def step(
    values: dict, first: dict, second: dict, rows: jax.Array, target: jax.Array, drop: jax.Array, at: float, rate: float
):
    value, slope = jax.value_and_grad(loss)(values, rows, target, drop)
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in slope.values()))
    slope = {k: g * jnp.minimum(1, 1 / norm) for k, g in slope.items()}
    first = {k: 0.9 * first[k] + 0.1 * g for k, g in slope.items()}
    second = {k: 0.999 * second[k] + 0.001 * g**2 for k, g in slope.items()}
    a, b = 1 - 0.9**at, 1 - 0.999**at
    values = {k: v - rate * (first[k] / a / (jnp.sqrt(second[k] / b) + 1e-8) + 1e-4 * v) for k, v in values.items()}
    return values, first, second, value


def measure(values: dict, rows: np.ndarray, target: np.ndarray) -> dict[str, float]:
    confusion = np.zeros((CLASSES, CLASSES))
    run = jax.jit(forward)
    for o in range(0, len(rows) - 2000, 2000):
        p = np.asarray(run(values, rows[None, o : o + 2000].astype(np.float32))).argmax(axis=2)[0]
        t = target[o * CHUNK : (o + 2000) * CHUNK]
        keep = (t >= 0) & (t < CLASSES)
        np.add.at(confusion, (t[keep], p[keep]), 1)
    out = {"right": np.trace(confusion) / confusion.sum()}
    kinds = [0, 1, 2, 3, 3]
    folded = np.zeros((4, 4))
    for i, a in enumerate(kinds):
        for j, b in enumerate(kinds):
            folded[a, b] += confusion[i, j]
    f1 = 2 * np.diag(folded) / (folded.sum(0) + folded.sum(1))
    return (
        out
        | {"kinds": np.trace(folded) / folded.sum()}
        | dict(zip(("sil", "tone", "mus", "spe"), f1.round(4).tolist(), strict=True))
    )


def fit(cache: Path, out: Path, sets: list[str], minutes: float, rate_top: float, init: Path | None) -> None:
    stored = [np.load(cache / "train8k" / f"scenes-{s}.npz") for s in sets]
    features = np.concatenate([s["features"] for s in stored])
    target = np.concatenate([s["targets"] for s in stored])
    rng = np.random.default_rng(3)
    begin = start_values(rng)
    mean = features[::50].astype(np.float32).mean(axis=0)
    scale = 1 / (features[::50].astype(np.float32).std(axis=0) + 0.05)
    if init is not None:
        with np.load(init) as old:
            mean, scale = old["mean"], old["scale"]
            begin = widened(begin, {k: old[k].astype(np.float32) for k in old.files if k[0] in "wb"})
    with np.load(cache / "train8k" / "scenes-dev-1.npz") as d:
        dev_rows = ((d["features"].astype(np.float32) - mean) * scale).reshape(-1, CHUNK * FEATURES)
        dev_target = d["targets"]
    rows = ((features - mean.astype(np.float16)) * scale.astype(np.float16)).reshape(-1, CHUNK * FEATURES)
    del features
    values = {k: jnp.asarray(v) for k, v in begin.items()}
    first = {k: jnp.zeros_like(v) for k, v in values.items()}
    second = {k: jnp.zeros_like(v) for k, v in values.items()}
    batch = 24
    per_epoch = len(rows) // (CROP * batch)
    key = jax.random.PRNGKey(5)
    at, began = 0, time.time()
    for epoch in range(1000):
        running = 0.0
        for _ in range(per_epoch):
            at += 1
            starts = rng.integers(0, len(rows) - CROP, batch)
            r = np.stack([rows[s : s + CROP] for s in starts]).astype(np.float32)
            t = np.stack([target[s * CHUNK : (s + CROP) * CHUNK] for s in starts]).astype(np.int32)
            progress = (time.time() - began) / 60 / minutes
            if progress > 1:
                break
            rate = rate_top * min(1, at / 200) * max(0.01, 0.5 * (1 + np.cos(np.pi * min(1, progress))))
            values, first, second, value = step(
                values, first, second, r, t, jax.random.fold_in(key, at), float(at), rate
            )
            running += float(value)
        print(
            epoch,
            f"{time.time() - began:.0f} s loss {running / per_epoch:.4f}",
            json.dumps({k: round(v, 4) for k, v in measure(values, dev_rows, dev_target).items()}),
            flush=True,
        )
        store(out, values, mean, scale)
        if (time.time() - began) / 60 > minutes:
            break


def mix(out: Path, one: Path, other: Path, share: float) -> None:
    """Write the mean of two models of which one was trained on from the other; `share` is the first one's part."""
    with np.load(one) as a, np.load(other) as b:
        if not (np.array_equal(a["mean"], b["mean"]) and np.array_equal(a["scale"], b["scale"])):
            raise SystemExit("these models read their features differently: neither was trained on from the other")
        values = {k: share * a[k].astype(np.float32) + (1 - share) * b[k] for k in a.files if k[0] in "wb"}
        store(out, values, a["mean"], a["scale"])


def store(out: Path, values: dict, mean: np.ndarray, scale: np.ndarray) -> None:
    halves = {k: np.asarray(v).astype(np.float16) for k, v in values.items()}
    np.savez_compressed(out, version=np.array("3"), mean=mean, scale=scale, **halves)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    sub = parser.add_subparsers(dest="command", required=True)
    m, f = sub.add_parser("make"), sub.add_parser("fit")
    for p in (m, f):
        p.add_argument("--cache", type=Path, required=True)
    m.add_argument("--hours", type=float, default=30)
    m.add_argument("--seed", type=int, default=1)
    m.add_argument("--split", default="train")
    f.add_argument("--out", type=Path, required=True)
    f.add_argument("--sets", nargs="+", default=["train-1", "calls-1"])
    f.add_argument("--rate", type=float, default=2e-3)
    f.add_argument("--init", type=Path, help="go on from these weights")
    c = sub.add_parser("calls")
    c.add_argument("--cache", type=Path, required=True)
    c.add_argument("--count", type=int, default=150)
    c.add_argument("--seed", type=int, default=1)
    f.add_argument("--minutes", type=float, default=25)
    x = sub.add_parser("mix")
    x.add_argument("--of", type=Path, nargs=2, required=True)
    x.add_argument("--share", type=float, default=0.5)
    x.add_argument("--out", type=Path, required=True)
    a = parser.parse_args()
    if a.command == "make":
        make(a.cache, a.split, a.hours, a.seed)
    elif a.command == "calls":
        make_calls(a.cache, a.count, a.seed)
    elif a.command == "mix":
        mix(a.out, *a.of, a.share)
    else:
        fit(a.cache, a.out, a.sets, a.minutes, a.rate, a.init)


if __name__ == "__main__":
    assert RATE_HZ == 8000
    main()

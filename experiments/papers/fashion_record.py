"""A speed record to beat: wall-clock to FD-LeNet <= 50 on the whole of Fashion-MNIST (arXiv:1708.07747).

    python experiments/papers/fashion_record.py --data-dir ~/tensorflow_datasets     # after `prepare fashion_mnist`
    python experiments/papers/fashion_record.py --merge elsewhere/records.json --out docs/reproductions.md

Claim: none is published; this is a mark, and what a change to networks, settings or code does to it.
Scaled down: nothing; 60,000 images to learn from, and the 10,000 test images to come near to.
The protocol. One process, one command, seed 0. The clock starts with the process: imports, reading the data, compiling,
training, drawing and judging samples all count. What does not is the ruler: training the LeNet (or reading it from the
cache) and embedding the test images. Every so many rounds 10,000 samples of the averaged weights are drawn, as many as
there are test images, and FD-LeNet is taken from their features; the first that is at or below the target stops the
clock. Nothing is looked at in between, and no check is left out. Records of one hardware stand in one row, the fastest;
a record keeps its whole curve, so another target can be read off it.
"""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core.domains import Count, Positive, Seed, Size
from gen_jax.core.errors import UserError
from gen_jax.core.platform import accelerated
from gen_jax.core.types import Algorithm, State, weights
from gen_jax.data import feed
from gen_jax.data.load import load
from gen_jax.data.source import Source
from gen_jax.metrics import frechet
from gen_jax.models import gan
from gen_jax.models.gan_parts import normal_latents
from gen_jax.nets import dcgan
from gen_jax.objectives import adversarial
from gen_jax.runs import manifest
from gen_jax.runs.evaluation import extractors
from gen_jax.runs.files import atomic_write_json, atomic_write_text
from gen_jax.studies import papers

TARGET = 50.0
SAMPLES, DRAWN = 10_000, 500


@dataclass(frozen=True, kw_only=True)
class Config:
    study_dir: Path = Path("studies/papers/fashion_record")
    """where records.json is"""
    out: Path | None = None
    """a Markdown file whose section fashion_record becomes the table, such as docs/reproductions.md"""
    merge: tuple[Path, ...] = ()
    """records.json of other machines, which join the table; nothing is trained"""
    data: str = "tfds:fashion_mnist"
    data_dir: Path | None = None
    target: Positive = TARGET
    """the FD-LeNet that stops the clock"""
    width: Size = 24
    """of the DCGAN"""
    batch_size: Size = 64
    lr: Positive = 4e-4
    """of both players, Adam with beta 1 .5"""
    ema_decay: Positive = 0.99
    precision: Literal["float32", "bfloat16"] = "float32"
    """of the networks' arithmetic"""
    every: Count | None = None
    """rounds between two checks; by default 250 on an accelerator and 500 on a CPU, where a check takes seconds"""
    most: Count = 20_000
    """rounds after which it is given up"""
    minutes: Positive = 10.0
    """after which it is given up"""
    seed: Seed = 0


def process_start() -> float:
    """When this process began, in seconds of `time.time`; on systems without /proc, now."""
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError):
        return time.time()


def model(config: Config, source: Source) -> Algorithm:
    dtype = jnp.dtype(config.precision)
    return gan.gan(
        dcgan.Generator(source.shape, width=config.width, dtype=dtype),
        dcgan.Discriminator(width=config.width, dtype=dtype),
        loss=adversarial.non_saturating,
        shape=source.shape,
        latents=normal_latents(100),
        hyper=asdict(gan.Hyper(lr_generator=config.lr, lr_discriminator=config.lr, ema_decay=config.ema_decay)),
    )


def ruler(source: Source) -> tuple[Any, frechet.Moments]:
    """(the LeNet's features, the moments of the test images under them)."""
    extractor = extractors.lenet_of(source, source.name)
    images = source.test.read(np.arange(source.test.size))["x"]
    return extractor, frechet.moments_of(extractor.apply(images))


def attempt(config: Config, began: float) -> dict[str, Any]:
    """Train until the target is met, or it is given up: the record."""
    source = load(config.data, config.data_dir and str(config.data_dir))
    aside = time.time()
    extractor, real = ruler(source)
    aside = time.time() - aside

    algorithm, held = model(config, source), feed.resident(source.train)
    minibatches, seed = algorithm.minibatches["train"], jnp.uint32(config.seed)
    draw = algorithm.samplers["prior"].draw

    def rounds(state: State, held: Any, count: jax.Array) -> State:
        def one(_: jax.Array, state: State) -> State:
            batch = feed.fetch(held, seed, state.step, minibatches, config.batch_size)
            return algorithm.update(state, {"train": batch})[0]

        return jax.lax.fori_loop(0, count, one, state)

    def samples(state: State) -> jax.Array:
        def part(number: jax.Array) -> jax.Array:
            images = draw(weights(state), jax.random.fold_in(jax.random.key(1), number), DRAWN)
            return jnp.round(jnp.clip((images + 1.0) * 127.5, 0.0, 255.0)).astype(jnp.uint8)

        return jax.lax.map(part, jnp.arange(SAMPLES // DRAWN)).reshape(SAMPLES, *source.shape)

    call, look = jax.jit(rounds, donate_argnums=0), jax.jit(samples)
    state = jax.jit(algorithm.init)(jax.random.key(config.seed))
    every, curve = config.every or (250 if accelerated() else 500), []
    for start in range(0, config.most, every):
        step = min(start + every, config.most)
        state = call(state, held, jnp.int32(step - start))
        images = np.asarray(look(state))
        distance = frechet.distance(frechet.moments_of(extractor.apply(images)), real)
        seconds = time.time() - began - aside
        curve.append({"round": step, "seconds": round(seconds, 2), "fd": round(float(distance), 3)})
        print(f"round {step:,}: FD-LeNet {distance:.2f} after {seconds:.1f} s")
        if distance <= config.target or seconds > 60 * config.minutes:
            break
    settings = {name: getattr(config, name) for name in ("width", "batch_size", "lr", "ema_decay", "precision", "seed")}
    return {
        "data": config.data, "data_fingerprint": source.fingerprint[:16], "ruler": extractor.stamp["weights"],
        "ruler_seconds": round(aside, 1), "samples": SAMPLES, "settings": {**settings, "every": every},
        "hardware": papers.hardware(), "load": round(os.getloadavg()[1], 1),
        "versions": manifest.versions(), "curve": curve,
    }  # fmt: skip


# ---- the table ---------------------------------------------------------------------------------------------------


def reached(record: dict[str, Any], target: float) -> dict[str, float] | None:
    """The first check at or below the target."""
    return next((point for point in record["curve"] if point["fd"] <= target), None)


def markdown(records: list[dict[str, Any]], target: float) -> str:
    """A row for each hardware: its fastest record, or how near its best came."""
    lines = [f"## A speed record to beat: seconds to FD-LeNet ≤ {target:g} on Fashion-MNIST", ""]
    lines += ["| hardware | seconds | rounds | FD-LeNet | model |", "| --- | ---: | ---: | ---: | --- |"]
    for hardware in dict.fromkeys(record["hardware"] for record in records):
        own = [record for record in records if record["hardware"] == hardware]
        met = [(point["seconds"], record) for record in own if (point := reached(record, target))]
        if met:
            _, best = min(met, key=lambda pair: pair[0])
            point, seconds = reached(best, target), None
            assert point is not None
            seconds = f"**{point['seconds']:.1f}**"
        else:
            best = min(own, key=lambda record: min(point["fd"] for point in record["curve"]))
            point = min(best["curve"], key=lambda point: point["fd"])
            seconds = f"not in {best['curve'][-1]['seconds']:.0f}"
        how = best["settings"]
        model_ = f"DCGAN of width {how['width']}, batch {how['batch_size']}, lr {how['lr']:g}, {how['precision']}"
        busy = f", load {best['load']:g}" if "load" in best else ""
        lines.append(f"| {hardware}{busy} | {seconds} | {point['round']:,} | {point['fd']:.2f} | {model_} |")
    every = " or ".join(sorted({str(record["settings"]["every"]) for record in records}))
    lenets = ", ".join(sorted({record["ruler"] for record in records}))
    lines += [
        "",
        "- What counts: everything from the start of the process (imports, reading, compiling, training, drawing and "
        "judging samples) but the ruler: the LeNet's training and the features of the test images. Load: processes "
        "that wanted a CPU in the last five minutes; one is the record's own.",
        f"- Protocol: tfds:fashion_mnist, all 60,000 images, {SAMPLES:,} samples of averaged weights against the "
        f"10,000 test images at every check (every {every} rounds), LeNet {lenets}, one seed.",
        "- `python experiments/papers/fashion_record.py`, with the settings of the row.",
    ]
    return "\n".join([*lines, ""])


def read(path: Path) -> list[dict[str, Any]]:
    """The records of a file. Raises UserError where it holds none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return [record for record in found if record["curve"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"--merge {path}: no records of this script") from None


def main(config: Config) -> None:
    began = process_start()
    papers.need_page(config.out)
    saved = config.study_dir / "records.json"
    records = read(saved) if saved.exists() else []
    if config.merge:
        for path in config.merge:
            records += [record for record in read(path) if record not in records]
    else:
        records.append(attempt(config, began))
    config.study_dir.mkdir(parents=True, exist_ok=True)
    atomic_write_json(saved, records)
    text = markdown(records, config.target)
    atomic_write_text(config.study_dir / "paper.md", text)
    papers.write_section(config.out, "fashion_record", text)
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

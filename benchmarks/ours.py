"""An experiment of this project, ready to be timed: its real `build`, in the program that training runs.

`python -m benchmarks.ours '{"experiment": "dcgan", "settings": {...}}'` is the worker of a race. Steps run in the
compiled loop of `core.parallel` with donated state and data on the device, exactly as `runs.train` runs them.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import flops, kernels, protocol
from gen_jax.core import parallel
from gen_jax.core.platform import configure
from gen_jax.core.players import count_parameters
from gen_jax.core.types import Algorithm, State
from gen_jax.data import load
from gen_jax.data.source import Source, whole
from gen_jax.runs import feeding, settings
from gen_jax.runs.train import compile_steps, hyper_values
from gen_jax.studies.study import load_script


class Model(NamedTuple):
    """An experiment before it is compiled."""

    config: Any
    source: Source
    algorithm: Algorithm
    where: parallel.Layout
    state: State
    feed: feeding.Feed


class Program(NamedTuple):
    """A compiled experiment. `run(count)` trains for so many rounds and returns the seconds it took."""

    model: Model
    run: Callable[[int], float]
    compile_seconds: float


def build(experiment: str, chosen: dict[str, Any]) -> Model:
    """`experiments/EXPERIMENT.py` with these settings (nested as in config.json) and its initial state."""
    config_type, make = load_script(protocol.ROOT / "experiments" / f"{experiment}.py")
    config = settings.from_json(config_type, merged(settings.to_json(config_type()), chosen))
    source = load.load(config.data, None, config.image_size, config.channels)
    where = parallel.layout(config.backend, config.devices)
    algorithm = make(config, source)
    key = jax.random.key(config.seed)
    state = parallel.place(jax.jit(algorithm.init)(key).replace(hyper=hyper_values(algorithm)), where)
    return Model(config, source, algorithm, where, state, feeding.make(source, config, algorithm.minibatches, where, 0))


def merged(defaults: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """`defaults` with the values of `chosen`, in which nested settings may be given in part."""
    return {
        name: merged(value, chosen.get(name, {})) if isinstance(value, dict) else chosen.get(name, value)
        for name, value in defaults.items()
    } | {name: value for name, value in chosen.items() if name not in defaults}


def compiled(model: Model) -> Program:
    """The experiment's program, compiled as training compiles it, and run once."""
    steps, seconds = compile_steps(model.algorithm, model.feed, model.where, model.config, model.state)
    holder = [model.state]
    capacity, at = model.config.steps_per_call, [0]

    def run(count: int) -> float:
        began = protocol.clock()
        while count:
            now = min(count, capacity)
            data = model.feed.data(at[0], now)
            holder[0], _ = steps(holder[0], data, parallel.place_count(now, model.where))
            at[0] += now
            count -= now
        jax.block_until_ready(holder[0])
        return protocol.clock() - began

    run(1)
    return Program(model, run, seconds)


def take_turns(programs: dict[str, Callable[[int], float]], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Seconds a round of every turn of programs in this process, all of the same number of rounds."""
    slowest = max(run(1) for run in programs.values())
    count = max(1, round(seconds / slowest))
    turns: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, run in programs.items():
            turns[name].append(run(count) / count)
    return turns


def round_flops(model: Model) -> float:
    """FLOPs of one round."""
    batch = jax.eval_shape(lambda: model.feed.fetch(model.feed.example(), jnp.int32(0), jnp.int32(0)))
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), model.state)
    return flops.count(model.algorithm.update, shapes, batch)


def matmul_rate(bfloat16: bool = False) -> float:
    """FLOP/s of a large square matrix product, the best of five."""
    size = 2048 if jax.default_backend() == "cpu" else 8192
    # Random numbers: on ones a product runs faster than on anything else.
    a = jax.random.normal(jax.random.key(0), (size, size), jnp.bfloat16 if bfloat16 else jnp.float32)
    product = jax.jit(lambda a: a @ a)
    best = float("inf")
    for _ in range(6):
        began = protocol.clock()
        product(a).block_until_ready()
        best = min(best, protocol.clock() - began)
    return 2 * size**3 / best


def save_images(model: Model, path: str) -> None:
    """The training images, for the peer."""
    unfinished = f"{path}.{os.getpid()}.npz"
    np.savez(unfinished, image=whole(model.source.train)["x"])
    os.replace(unfinished, path)


def device_peak_mib() -> float:
    """The most memory the device held, where it says; else the process."""
    found = (jax.devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return found / 2**20 if found else protocol.peak_mib()


def main() -> None:
    spec = json.loads(sys.argv[1])
    lines = protocol.Lines()
    configure(spec.get("deterministic", False))
    began = protocol.clock()
    model = build(spec["experiment"], spec["settings"])
    if spec.get("data") and not Path(spec["data"]).exists():
        save_images(model, spec["data"])
    program = compiled(model)
    start_up = protocol.clock() - began
    counted = round_flops(model)
    rate = matmul_rate(model.config.precision == "bfloat16")
    protocol.reset_peak()
    lines.ready(
        compile_seconds=program.compile_seconds,
        start_up_seconds=start_up,
        parameters=count_parameters(model.state.params),
        flops=counted,
        examples=model.config.batch_size * sum(model.algorithm.minibatches.values()),
        matmul=rate,
        versions={name: __import__(name).__version__ for name in ("jax", "jaxlib")},
        device=jax.devices()[0].device_kind,
    )
    lines.serve(program.run, device_peak_mib, lambda count: kernels.of(program.run, count))


if __name__ == "__main__":
    main()

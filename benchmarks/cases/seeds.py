"""Eight (or more) seeds in one program: what a seed costs as one of many, against running alone."""

from statistics import median

import jax
import jax.numpy as jnp

from benchmarks import ours, protocol
from gen_jax.core import parallel
from gen_jax.runs.train import hyper_values

TITLE = "Seeds in one program (`vmap` over their states)"
EXPERIMENTS = {
    "ring GAN, 3 × 128, batch 100": ("gan", {"data": "ring8", "batch_size": 100, "width": 128, "steps_per_call": 200}),
    "DCGAN 8×8 digits, width 16, batch 64": ("dcgan", {"data": "digits", "width": 16, "steps_per_call": 50}),
}


def batched(model: ours.Model, seeds: int):
    """`run(count)`: seconds for `count` rounds of `seeds` runs as one program, each with its own data order."""
    capacity = model.config.steps_per_call
    steps = parallel.many_steps(model.algorithm.update, model.feed.fetch, model.where, capacity, streamed=False)
    held = model.feed.example()
    values = hyper_values(model.algorithm)
    start = jax.jit(jax.vmap(lambda key: model.algorithm.init(key).replace(hyper=values)))
    keys = jax.vmap(jax.random.key)(jnp.arange(seeds, dtype=jnp.uint32))
    order = {"splits": None, "seed": 0}
    together = jax.jit(jax.vmap(steps, in_axes=(0, order, None)), donate_argnums=0)
    holder = [start(keys)]
    data = {"splits": held["splits"], "seed": jnp.arange(seeds, dtype=jnp.uint32)}

    def run(count: int) -> float:
        began = protocol.clock()
        while count:
            now = min(count, capacity)
            holder[0], _ = together(holder[0], data, jnp.int32(now))
            count -= now
        jax.block_until_ready(holder[0])
        return protocol.clock() - began

    run(1)
    return run


def measure(spec: dict) -> dict:
    rows, many = [], spec.get("seeds", 8)
    for name, (experiment, chosen) in list(EXPERIMENTS.items())[: spec.get("models")]:
        model = ours.build(experiment, chosen)
        programs = {"one": ours.compiled(model).run, "many": batched(ours.build(experiment, chosen), many)}
        seconds = ours.take_turns(programs, spec["repeats"], spec["seconds"])
        one, together = median(seconds["one"]), median(seconds["many"])
        cells = (1e3 * one, 1e3 * together, together / one, many * one / together)
        rows.append([name, *(f"{cell:.2f}" for cell in cells)])
    columns = ["model", "one seed, ms a round", f"{many} seeds, ms a round", f"{many} ÷ one", "gain over one by one"]
    notes = ["A CPU that one run fills gains nothing; what the program saves is its own overhead and its compilation."]
    return {"columns": columns, "rows": rows, "notes": notes}

"""The data pipeline: batches gathered on the device from resident arrays, streamed from the host, or none at all."""

from statistics import median

import jax
import jax.numpy as jnp

from benchmarks import ours

TITLE = "Data pipeline on and off"
EXPERIMENTS = {
    "MLP VAE, batch 128": ("iwae", {"batch_size": 128, "samples": 1, "bound": "ELBO", "steps_per_call": 100}),
    "DCGAN 32×32×3, width 16, batch 64": (
        "dcgan",
        {"image_size": 32, "channels": 3, "width": 16, "share_fakes": True, "steps_per_call": 10},
    ),
}


def without_data(model: ours.Model) -> ours.Model:
    """The same model, every round on one fixed batch: nothing is drawn, gathered or converted."""
    batch = jax.jit(model.feed.fetch)(model.feed.example(), jnp.int32(0), jnp.int32(0))
    fixed = model.feed._replace(
        fetch=lambda held, step, position: held, data=lambda step, count: batch, example=lambda: batch, streamed=False
    )
    return model._replace(feed=fixed)


def measure(spec: dict) -> dict:
    rows = []
    for name, (experiment, chosen) in EXPERIMENTS.items():
        # A stream ends with its run: this one is longer than any measurement.
        streamed = chosen | {"resident_gib": 0.0, "steps": 10**7}
        programs = {
            "none": ours.compiled(without_data(ours.build(experiment, chosen))).run,
            "resident": ours.compiled(ours.build(experiment, chosen)).run,
            "streamed": ours.compiled(ours.build(experiment, streamed)).run,
        }
        seconds = {k: median(v) for k, v in ours.take_turns(programs, spec["repeats"], spec["seconds"]).items()}
        bare = seconds["none"]
        rows.append(
            [
                name,
                f"{1e3 * bare:.2f}",
                *(f"{1e3 * seconds[k]:.2f} ({seconds[k] / bare - 1:+.1%})" for k in ("resident", "streamed")),
            ]
        )
    columns = ["model", "one fixed batch, ms a round", "resident (default)", "streamed by Grain"]
    notes = [
        "Resident data are drawn, gathered as uint8 and converted inside the compiled loop; a stream is read ahead"
    ]
    notes[0] += " by threads that share the cores with the training."
    return {"columns": columns, "rows": rows, "notes": notes}

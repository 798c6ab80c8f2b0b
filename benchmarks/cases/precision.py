"""bfloat16 beside float32: five rounds of the ResNet GANs at 32×32×3, reduced in width, without a non-finite value."""

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import ours, protocol

TITLE = "bfloat16 beside float32 on this CPU: five rounds at 32×32×3"
ROUNDS = 5
COMMON = {"image_size": 32, "channels": 3, "batch_size": 8, "steps_per_call": ROUNDS, "log_every": 10**6}
MODELS = {
    "SNGAN, widths 32 and 16": ("sngan", {"width": 32, "critic_width": 16}),
    "BigGAN, widths 16": ("biggan", {"width": 16, "critic_width": 16}),
    "R3GAN, widths 32": ("r3gan", {"widths": [32, 32, 32, 32]}),
}


def measure(spec: dict) -> dict:
    rows = []
    for name, (experiment, chosen) in MODELS.items():
        for precision in ("float32", "bfloat16"):
            model = ours.build(experiment, COMMON | chosen | {"precision": precision})
            # Without the probe, which is another program: what is looked at here is the round.
            model = model._replace(algorithm=model.algorithm._replace(probe=None))
            protocol.reset_peak()
            steps, compile_seconds = ours.compile_steps(
                model.algorithm, model.feed, model.where, model.config, model.state
            )
            compiling = protocol.peak_mib()
            protocol.reset_peak()
            count = ours.parallel.place_count(ROUNDS, model.where)
            began = protocol.clock()
            state, metrics = jax.block_until_ready(steps(model.state, model.feed.data(0, ROUNDS), count))
            seconds = (protocol.clock() - began) / ROUNDS
            leaves = [x for x in jax.tree.leaves(state.params) if jnp.issubdtype(x.dtype, jnp.floating)]
            finite = all(bool(jnp.isfinite(x).all()) for x in leaves) and not float(metrics["nonfinite/total"][-1])
            finite = finite and all(np.isfinite(np.asarray(v)).all() for v in metrics.values())
            kinds = ", ".join(sorted({str(x.dtype) for x in leaves}))
            rows.append(
                [
                    f"{name}, {precision}",
                    f"{1 / seconds:.2f}",
                    f"{protocol.peak_mib():.0f}",
                    f"{compile_seconds:.1f}",
                    f"{compiling:.0f}",
                    "yes" if finite else "NO",
                    kinds,
                ]
            )
    columns = ["model", "rounds/s", "peak MiB", "compile s", "peak MiB compiling", "all finite", "parameters"]
    notes = ["Batch 8. bfloat16 gains nothing in XLA on a CPU: it is there for GPUs and TPUs; here it is checked."]
    return {"columns": columns, "rows": rows, "notes": notes}

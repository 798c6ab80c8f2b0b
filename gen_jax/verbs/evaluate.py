"""`evaluate RUN`: held-out losses and bounds, with intervals and the protocol that made them."""

from pathlib import Path
from typing import Literal

import tyro

from gen_jax.verbs.common import Which, need, open_state, show


def evaluate(
    run: tyro.conf.Positional[Path],
    split: Literal["test", "train"] = "test",
    weights: Which = "ema",
    seed: int = 0,
    step: int | None = None,
    json: bool = False,
) -> None:
    """Measure a run's model on a split and write evaluation.json.

    Args:
        run: the run folder
        split: which examples
        weights: averaged (ema) or raw weights
        seed: of the noise that the measures need
        step: which checkpoint; the newest by default
        json: print JSON
    """
    opened = open_state(run, step)
    import numpy as np

    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs import heldout
    from gen_jax.runs.files import atomic_write_json

    need(opened.algorithm, "evaluate", "evaluate")
    examples = getattr(opened.source, split)
    measure = heldout.evaluator(opened.algorithm, seed)
    values = measure(weights_of(opened.state, averaged=weights == "ema"), opened.state.hyper, examples)
    protocol = {
        "data": opened.source.name,
        "fingerprint": opened.source.fingerprint[:16],
        "split": split,
        "examples": str(examples.size),
        "weights": weights if opened.state.ema else "raw",
        "seed": str(seed),
        "step": str(opened.step),
    }
    results = []
    for name, each in sorted(values.items()):
        mean, error = float(np.mean(each, dtype=np.float64)), float(np.std(each, ddof=1) / np.sqrt(len(each)))
        results.append(
            {
                "name": name,
                "value": mean,
                "interval": [mean - 1.96 * error, mean + 1.96 * error],
                "interval_kind": "95 % normal, over examples (not over training runs)",
                "unit": "nats" if name in ("elbo", "kl", "reconstruction") else "",
                "protocol": protocol,
            }
        )
    atomic_write_json(run / "evaluation.json", {"step": opened.step, "results": results})
    rows = [
        (r["name"], f"{r['value']:.4f}   95 % [{r['interval'][0]:.4f}, {r['interval'][1]:.4f}] {r['unit']}")
        for r in results
    ]
    title = f"{run}: {examples.size} {split} examples of {opened.source.name}, step {opened.step}, {weights} weights"
    show(title, rows, json, {"results": results} if json else None)

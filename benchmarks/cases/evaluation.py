"""Evaluation throughput: sampling, features and held-out losses, in images a second."""

from statistics import median

import jax
import numpy as np

from benchmarks import ours, protocol
from gen_jax.core import keys
from gen_jax.core.types import weights
from gen_jax.metrics import frechet, lenet
from gen_jax.runs.watching import heldout

TITLE = "Evaluation throughput"
SAMPLES = 1000


def measure(spec: dict) -> dict:
    rows = []

    def add(name: str, count: int, work) -> None:
        work()  # compiles
        seconds = []
        for _ in range(spec["repeats"]):
            began = protocol.clock()
            work()
            seconds.append(protocol.clock() - began)
        rows.append([name, f"{count:,}", f"{median(seconds):.3f}", f"{count / median(seconds):,.0f}"])

    gan = ours.build("dcgan", {"share_fakes": True})
    now = weights(gan.state)
    sample = jax.jit(gan.algorithm.samplers["prior"].draw, static_argnums=2)
    key = keys.named(jax.random.key(0), "benchmark")
    add("DCGAN 28×28, width 64: samples", SAMPLES, lambda: jax.block_until_ready(sample(now, key, SAMPLES)))
    images = np.asarray(sample(now, key, SAMPLES))
    grey = np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)
    # Untrained weights take the time of trained ones.
    params = lenet.LeNet(10).init(jax.random.key(1), jax.numpy.zeros((1, *grey.shape[1:])))["params"]
    classifier = lenet.Classifier(10, params, float("nan"))
    add("LeNet features", SAMPLES, lambda: lenet.apply(classifier, grey))

    def distance(real: np.ndarray, fake: np.ndarray) -> float:
        return frechet.distance(frechet.moments_of(real), frechet.moments_of(fake))

    real, fake = (np.random.default_rng(n).normal(size=(SAMPLES, lenet.FEATURES)) for n in range(2))
    add(f"Fréchet distance of {lenet.FEATURES} features", SAMPLES, lambda: distance(real, fake))

    for name, experiment, chosen in (
        ("MLP VAE: held-out ELBO", "iwae", {"samples": 1, "bound": "ELBO"}),
        ("DCGAN 28×28, width 64: held-out losses", "dcgan", {"share_fakes": True}),
    ):
        model = ours.build(experiment, chosen)
        look = heldout.evaluator(model.algorithm, 0)
        state, test = model.state, model.source.test
        add(name, test.size, lambda look=look, state=state, test=test: look(weights(state), test))
    columns = ["work", "images", "seconds", "images/s"]
    return {"columns": columns, "rows": rows, "notes": ["Programs compiled before; medians."]}

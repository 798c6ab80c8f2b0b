"""Likelihood regret (Xiao, Yan & Amit 2020, arXiv:2003.02977): how much better q(z|x) could be than the encoder's.

The encoder was trained to be good at what is normal; of anything else a posterior of its own explains x far better,
however probable the decoder finds it. Here mean and log-variance of each example's q are moved by Adam from where the
encoder puts them; the decoder stays.
"""

import jax
import optax

from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Batch, Weights
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores.score import Rank, Score, on_device

STEPS, RATE, SAMPLES = 100, 0.05, 4


def _check(subject: Subject) -> None:
    subject.need("elbo_under", "regret")
    subject.need("encode", "regret")


def _make(subject: Subject) -> Rank:
    elbo_under, encode = subject.need("elbo_under", "regret"), subject.need("encode", "regret")
    adam = optax.adam(RATE)

    def function(weights: Weights, batch: Batch, key: Array) -> Array:
        start = encode(weights, batch)
        if "log_variance" not in start:
            raise UserError("regret needs an encoder that gives a normal q(z|x), and this one's is behind a flow")

        def elbo(q: dict[str, Array]) -> Array:
            return elbo_under(weights, batch, q, key, SAMPLES).sum()

        def step(carry: tuple, _: None) -> tuple[tuple, Array]:
            q, memory = carry
            reached, slope = jax.value_and_grad(elbo)(q)
            updates, memory = adam.update(jax.tree.map(lambda g: -g, slope), memory)
            return (optax.apply_updates(q, updates), memory), reached

        (last, _), reached = jax.lax.scan(step, (start, adam.init(start)), None, length=STEPS)
        return (jax.numpy.maximum(reached.max(), elbo(last)) - reached[0])[None]

    return on_device(subject, function)


def _stamp(subject: Subject) -> dict[str, object]:
    return {"descent": f"{STEPS} steps of Adam at {RATE}", "draws": SAMPLES}


REGRET = Score(_check, _make, _stamp, batch=100)

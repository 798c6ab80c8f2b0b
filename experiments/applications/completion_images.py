"""Images, any part from any other: one inpainting VAE against pseudo-Gibbs sampling of an unconditional VAE.

    python experiments/inpaint_vae.py --data mnist5k --masks random half quarter everything --run-dir runs/vaeac
    python experiments/vae.py --data mnist5k --run-dir runs/vae
    python experiments/applications/completion_images.py --completing runs/vaeac --unconditional runs/vae

Five families of masks, of which squares were not in training. log p(missing | observed) of binarised held-out images:
of the inpainting VAE its importance-weighted bound; of the other, chains z ~ q(z|x), x missing ~ p(x|z) (Rezende et al.
2014, appendix F), and log of the mean over chains of p(x missing | z); and, better than the chain and dearer, the
difference log p(x) - log p(x observed), both by importance sampling, the second from where the chains end (it can err
to its favour, for what is subtracted is a lower bound). Intervals are over examples, paired.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gen_jax
from gen_jax.core import keys
from gen_jax.core.domains import Sample, Seed
from gen_jax.core.errors import UserError
from gen_jax.data.source import evenly, to_float
from gen_jax.metrics import completion, intervals
from gen_jax.objectives import bounds, divergences
from gen_jax.objectives.binarize import binarize_dynamic
from gen_jax.objectives.likelihoods import sum_event
from gen_jax.runs import completing
from gen_jax.runs.abilities import need
from gen_jax.studies import papers

FAMILIES = ("random:0.5", "random:0.9", "half", "quarter", "square")
UNSEEN = "square"
EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class Config:
    completing: Path
    """a run of inpaint_vae.py with Bernoulli pixels"""
    unconditional: Path
    """a run of vae.py of the same data"""
    examples: Sample = 200
    importance: Sample = 500
    """importance samples, and chains"""
    rounds: Sample = 30
    """of each chain"""
    seed: Seed = 0
    """of masks, binarisation and chains"""
    out: Path | None = None
    """a Markdown file whose section "completion-images" becomes the table"""


def log_bernoulli(mean: Any, x: Any, mask: Any) -> Any:
    """log p(x where mask is 1) of pixels in {-1, 1} with these means in [-1, 1]: [B]."""
    share = jnp.clip((mean + 1.0) / 2.0, EPSILON, 1.0 - EPSILON)
    return sum_event(jnp.where(x > 0, jnp.log(share), jnp.log1p(-share)), mask)


def chains(algorithm: Any, view: Any, x: Any, mask: Any, key: Any, rounds: int) -> tuple[Any, Any, Any]:
    """One chain an example: (log p(x missing | z) [B], log weight of p(x observed) [B], the mean image)."""

    def posterior(filled: Any, key: Any) -> tuple[Any, Any, Any]:
        found = algorithm.encode(view, {"x": filled})
        noise = keys.normal(keys.named(key, "z"), *found["mean"].shape)
        return (
            divergences.normal_sample(found["mean"], found["log_variance"], noise),
            found["mean"],
            found["log_variance"],
        )

    def one(filled: Any, key: Any) -> tuple[Any, None]:
        mean = algorithm.decode(view, posterior(filled, key)[0])
        drawn = jnp.where(keys.uniform(keys.named(key, "x"), *x.shape, minval=-1.0) < mean, 1.0, -1.0)
        return jnp.where(mask != 0, x, drawn), None

    first = jnp.where(keys.uniform(keys.named(key, "start"), *x.shape) < 0.5, 1.0, -1.0)
    filled, _ = jax.lax.scan(one, jnp.where(mask != 0, x, first), jax.random.split(key, rounds))
    z, location, log_variance = posterior(filled, keys.named(key, "last"))
    mean = algorithm.decode(view, z)
    log_q = divergences.normal_log_prob(z, location, log_variance).sum(axis=-1)
    weight = log_bernoulli(mean, x, mask) + divergences.normal_log_prob(z).sum(axis=-1) - log_q
    return log_bernoulli(mean, x, 1.0 - mask), weight, mean


def gibbs(run: Any, config: Config) -> Callable[[Any, Any], dict[str, np.ndarray]]:
    """`found(x, mask)`: log p(x missing | x observed) [N] by chains and by importance, and the chains' mean image."""
    algorithm, root = run.opened.algorithm, keys.named(jax.random.key(config.seed), "chains")
    one = jax.jit(lambda view, x, mask, key: chains(algorithm, view, x, mask, key, config.rounds))
    evidence = jax.jit(algorithm.likelihood, static_argnums=3)

    def found(x: Any, mask: Any) -> dict[str, np.ndarray]:
        each = [one(run.weights, x, mask, jax.random.fold_in(root, number)) for number in range(config.importance)]
        missing, weight, mean = (np.stack([np.asarray(one_[place]) for one_ in each]) for place in range(3))
        whole = np.asarray(evidence(run.weights, {"x": x}, root, config.importance)["value"])
        by_weight = whole - np.asarray(bounds.log_mean_exp(jnp.asarray(weight)))
        by_chains = np.asarray(bounds.log_mean_exp(jnp.asarray(missing)))
        return {"chains": by_chains, "weights": by_weight, "mean": mean.mean(0)}

    return found


def main(config: Config) -> None:
    papers.need_page(config.out)
    one, other = gen_jax.load(config.completing), gen_jax.load(config.unconditional)
    algorithm, source = one.opened.algorithm, one.opened.source
    completing.need(algorithm, "this table")
    if source.fingerprint != other.opened.source.fingerprint:
        raise UserError("the two runs are of different data; train both on one --data")
    raw = source.test.read(evenly(source.test.size, config.examples))["x"]
    x = binarize_dynamic(jnp.asarray(to_float(raw)), keys.named(jax.random.key(config.seed), "binarise"))
    likelihood = jax.jit(need(algorithm, "likelihood", "this table"), static_argnums=3)
    lines = [
        "### Images: one network, five families of masks", "",
        "| hidden | inpainting VAE, nats | pseudo-Gibbs, nats | difference | VAE by importance | NRMSE | its Gibbs | "
        "deviation of completions |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    better, by_gibbs = 0, gibbs(other, config)
    for family in FAMILIES:
        mask = completing.masks_of(family, np.asarray(x), source.kind, config.seed)
        mine = -np.asarray(likelihood(one.weights, {"x": x, "mask": mask}, jax.random.key(config.seed),
                                      config.importance)["value"], np.float64)  # fmt: skip
        theirs = by_gibbs(x, jnp.asarray(mask))
        gap = intervals.bootstrap_interval(mine + theirs["chains"], method="percentile", resamples=1_000)
        made = completing.complete(algorithm, one.weights, np.asarray(x), mask, config.seed, 10)
        filled = np.where(mask != 0, np.asarray(x), theirs["mean"])
        errors = [completion.nrmse(made.x, guess, made.hidden) for guess in (made.expected, filled)]
        better += gap.high < 0
        name = f"{family} (not in training)" if family == UNSEEN else family
        lines.append(
            f"| {name} | {mine.mean():.1f} | {-theirs['chains'].mean():.1f} | {gap.value:+.1f} [{gap.low:+.1f}, "
            f"{gap.high:+.1f}] | {-theirs['weights'].mean():.1f} | {errors[0]:.3f} | {errors[1]:.3f} | "
            f"{completion.spread(made.draws, made.hidden).mean():.3f} |"
        )
        print(lines[-1], flush=True)
    steps = f"{one.step:,} and {other.step:,} steps"
    lines += [
        "", f"- Below pseudo-Gibbs in {better} of {len(FAMILIES)} families (95 % interval over examples below 0).",
        f"- {source.name}, {config.examples} held-out examples, k = chains = {config.importance}, {steps}.",
        "", f"`{papers.command('applications/completion_images.py')}`", "",
    ]  # fmt: skip
    text = "\n".join(lines)
    papers.write_section(config.out, "completion-images", text)
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

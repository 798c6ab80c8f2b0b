"""VampPrior against N(0, I): a mixture of posteriors as the prior (Tomczak & Welling 2018, arXiv:1705.07120).

    python experiments/papers/vamp_prior.py
    python experiments/papers/vamp_prior.py --data tfds:mnist --steps 20000 --importance-samples 5000   # all of MNIST
    python experiments/papers/vamp_prior.py --steps 50 --seeds 2 --importance-samples 20                # a glance

Claim: with the same networks the NLL of a one-layer VAE falls where N(0, I) is replaced by a mixture of the posteriors
of learned pseudo-inputs: 85.57 nats on statically binarised MNIST with 500 of them (IWAE's one-layer VAE: 88.71).
Scaled down: tanh layers of 300 for gated ones, plain Adam at their 5e-4, dynamic binarisation, batches of 100; mnist5k
with 200 pseudo-inputs and 2,000 steps (theirs: up to 2,000 epochs of 500). The two arms differ in the prior alone.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from flax.linen.initializers import constant

from gen_jax import experiment
from gen_jax.core.domains import Count, Sample, Size, Whole
from gen_jax.core.types import Algorithm
from gen_jax.data.brightness import mean_logit
from gen_jax.data.source import Source
from gen_jax.models import vae
from gen_jax.models.vae_body import Encode, vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods, priors
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import Rate, linear_warmup
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim


@dataclass(frozen=True)
class Hyper(vae.Hyper):
    lr: float = 5e-4


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    """One run, as `python -m gen_jax ablate` sees it."""

    prior: Literal["vamp", "standard"] = "vamp"
    components: Size = 200
    """pseudo-inputs"""
    latent_size: Size = 40
    width: Size = 300
    warm_up: Whole = 500
    hyper: Hyper = Hyper()


def build(config: Config, data: Source) -> Algorithm:
    widths, dtype = (config.width,) * 2, config.dtype

    def mixture(encode: Encode) -> priors.Prior:
        return priors.vamp(encode, data.shape, config.components)

    body = vae_body(
        mlp.Encoder(config.latent_size, widths=widths, dtype=dtype),
        mlp.Decoder(data.shape, bias_init=constant(mean_logit(data)), widths=widths, dtype=dtype),
        likelihood=likelihoods.bernoulli(),
        binarization=Binarization.DYNAMIC,
        shape=data.shape,
        rate=Rate(warm_up=linear_warmup(config.warm_up)),
        hyper=config.hyper,
        prior=mixture if config.prior == "vamp" else None,
    )
    return vae.vae(body)


PAPER = papers.Paper(
    "vamp_prior",
    "VampPrior against N(0, I): NLL (Tomczak & Welling 2018, table 1)",
    (papers.Column("nll", "NLL, nats"), papers.Column("effective_samples", "effective samples", 1)),
    {"prior=vamp": "85.57 (static)", "prior=standard": "88.71 (static; Burda et al. 2016)"},
    "published NLL",
    {"prior=vamp": "VampPrior", "prior=standard": "N(0, I)"},
)


@dataclass(frozen=True, kw_only=True)
class Table(papers.OfData):
    steps: Count = 2000
    warm_up: Whole = 500
    components: Size = 200
    importance_samples: Sample = 500


def main(config: Table) -> None:
    paper = papers.of_data(PAPER, config)
    settings = {"data": config.data, "data_dir": config.data_dir, "steps": config.steps, "batch_size": 100}
    settings |= {"warm_up": config.warm_up, **papers.unwatched()}
    own = {"standard": {}, "vamp": {"components": config.components}}
    studies = {
        f"prior={name}": papers.study(
            config, paper.name, name, Path(__file__), grid={"prior": [name]}, settings=settings | more
        )
        for name, more in own.items()
    }
    protocol = (
        f"{config.data}, {config.steps:,} steps of 100, {config.components} pseudo-inputs, dynamic binarisation, NLL "
        f"at k = {config.importance_samples} on the test split, last step, EMA weights"
    )
    gap = 88.71 - 85.57
    claims = [Claim("the VampPrior's NLL is below that of N(0, I)", "nll", "prior=vamp", "prior=standard", gap)]
    measure = partial(measures.log_likelihood, samples=config.importance_samples)
    papers.table(config, paper, "vamp_prior.py", studies, measure, protocol, claims)


if __name__ == "__main__":
    papers.run(Table, main, __doc__)

"""A hierarchy of latents bounds log p(x) more tightly than one layer (Sønderby et al. 2016, arXiv:1602.02282).

    python experiments/papers/ladder_nll.py
    python experiments/papers/ladder_nll.py --steps 50 --seeds 2 --importance-samples 20      # a glance

Claim: many latent levels with top-down inference model MNIST better than a one-layer VAE: NLL 78.30 for twelve levels
(static binarisation, IW-1000) against about 87 to 89 for one layer (86.76 dynamic, 88.71 static: IWAE's k = 1).
Scaled down: mnist5k, dynamic binarisation, our ladder of three resolutions (five levels, width 24) and the
convolutional VAE of width 16, 800 steps of 32; the bound at k = 200 on the 1,000 held-out digits, averaged weights.
"""

from dataclasses import dataclass
from functools import partial

from gen_jax.core.domains import Count, Sample, Whole
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim


@dataclass(frozen=True, kw_only=True)
class Config(papers.OfData):
    steps: Count = 800
    warm_up: Whole = 200
    """steps over which the KL's weight rises"""
    importance_samples: Sample = 200


PAPER = papers.Paper(
    "ladder_nll",
    "Ladder VAE against VAE: NLL (Sønderby et al. 2016)",
    (papers.Column("nll", "NLL, nats"), papers.Column("effective_samples", "effective samples", 1)),
    {"ladder_vae": "78.30 (12 levels, static)", "vae": "86.76 (dynamic), 88.71 (static)"},
    "published NLL",
    {"ladder_vae": "ladder VAE", "vae": "VAE"},
)


def main(config: Config) -> None:
    paper = papers.of_data(PAPER, config)
    settings = {
        "data": config.data,
        "data_dir": config.data_dir,
        "steps": config.steps,
        "batch_size": 32,
        "warm_up": config.warm_up,
    }
    settings |= papers.unwatched() | {"checkpoint_every": 400}
    own = {"ladder_vae": {"width": 24, "hidden": 12}, "vae": {"width": 16}}
    studies = {name: papers.study(config, paper.name, name, name, settings=settings | own[name]) for name in own}
    protocol = (
        f"{config.data}, {config.steps} steps of 32, dynamic binarisation, NLL at k = {config.importance_samples} on "
        "the test split, last step, EMA weights"
    )
    claims = [Claim("the ladder's NLL is below the VAE's", "nll", "ladder_vae", "vae")]
    measure = partial(measures.log_likelihood, samples=config.importance_samples)
    papers.table(config, paper, "ladder_nll.py", studies, measure, protocol, claims)


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

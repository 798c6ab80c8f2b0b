"""A calibrated decoder: σ-VAE against fixed σ (Rybkin et al. 2021, arXiv:2006.13202).

    python experiments/papers/calibrated_sigma.py
    python experiments/papers/calibrated_sigma.py --data tfds:mnist --steps 20000 --seeds 5     # all of MNIST
    python experiments/papers/calibrated_sigma.py --steps 50 --seeds 2                          # a glance

Claim (Fréchet distances of other images): samples of a Gaussian VAE whose one σ is the optimal one of each batch are
closer to the data than those of the usual VAE with σ = 1, and a σ that is much too small is no good either.
Scaled down: mnist5k, DCGAN networks of width 16 and 16 latents, 3,000 steps of 64; FD-LeNet of as many samples (decoder
means, averaged weights) as there are test images. Pixels are in [-1, 1], of twice the range of the paper's [0, 1]: its
σ = 1 is 2 here. The arms differ in σ alone.
"""

from dataclasses import dataclass

from gen_jax.core.domains import Count
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim


@dataclass(frozen=True, kw_only=True)
class Config(papers.OfData):
    steps: Count = 3000


PAPER = papers.Paper(
    "calibrated_sigma",
    "σ-VAE against a fixed σ (Rybkin et al. 2021)",
    (papers.Column("fd", "FD-LeNet"), papers.Column("fd_reconstructions", "of reconstructions")),
    {"optimal": "best", "unit": "worse", "small": "worse"},
    "published (FID of other images)",
    {"optimal": "σ-VAE, optimal σ", "unit": "VAE, σ 2 of [-1, 1]", "small": "VAE, σ .02"},
)
ARMS = {
    "optimal": ("sigma_vae", {}),
    "unit": ("vae", {"likelihood": "gaussian", "sigma": 2.0, "binarization": "NONE", "warm_up": 0}),
    "small": ("vae", {"likelihood": "gaussian", "sigma": 0.02, "binarization": "NONE", "warm_up": 0}),
}


def measure(run: measures.Trained) -> dict[str, float]:
    return {"fd": measures.fd_lenet(run), "fd_reconstructions": measures.fd_lenet(run, reconstructions=True)}


def main(config: Config) -> None:
    paper = papers.of_data(PAPER, config)
    settings = {"data": config.data, "data_dir": config.data_dir, "steps": config.steps, "width": 16, "batch_size": 64}
    settings |= papers.unwatched()
    studies = {
        name: papers.study(config, paper.name, name, script, settings=settings | own)
        for name, (script, own) in ARMS.items()
    }
    protocol = f"{config.data}, {config.steps} steps of 64, FD-LeNet at equal counts to the test split, EMA weights"
    best = PAPER.titles["optimal"]
    claims = [
        Claim(f"samples of the {best} are closer than those of the {PAPER.titles[arm]}", "fd", "optimal", arm)
        for arm in ("unit", "small")
    ]
    papers.table(config, paper, "calibrated_sigma.py", studies, measure, protocol, claims)


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

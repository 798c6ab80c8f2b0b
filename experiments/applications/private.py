"""How many steps the discriminator of a private GAN takes for one of the generator's (Bie, Kamath & Zhang 2023).

    python experiments/applications/private.py                                       # mnist5k, 1 against 10
    python experiments/applications/private.py --data tfds:mnist --data-dir DIR --n-critic 1 10 50 --rows 512 \\
        --private-steps 20000
    python experiments/applications/private.py --rows 128 --private-steps 40 --seeds 2          # a glance

Every arm takes as many private steps and spends as much privacy, (ε, 10⁻⁵): noise in the discriminator's gradient
leaves it behind the generator, and more of its steps for one of the generator's let it catch up (arXiv:2302.02936,
which finds 93.0 % with 50 steps of a batch of 128, 450,000 in all, and 94.4 % with as many as the discriminator needs).
Measured is the accuracy on real test images of a LeNet that learns from samples alone (CAS), and FD-LeNet.

The model is experiments/cgan.py --private, without batch norm. Choosing the best of several arms by such a score is one
more look at data that no ε here counts.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from gen_jax.core.domains import Interval, NonNegative, Positive, Size
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim

NAME = "private_turns"
COLUMNS = (
    papers.Column("cas", "accuracy of a classifier of samples, %", 1),
    papers.Column("fd", "FD-LeNet", 1),
    papers.Column("epsilon", "ε spent", 2),
    papers.Column("rounds", "steps of the generator", 0),
)


@dataclass(frozen=True, kw_only=True)
class Config(papers.Config):
    data: str = "mnist5k"
    data_dir: Path | None = None
    """where TFDS data sets are"""
    n_critic: tuple[Size, ...] = (1, 10)
    """private steps of the discriminator for one of the generator; an arm each"""
    private_steps: Annotated[int, Interval(1, 10_000_000)] = 3000
    """of the discriminator, in every arm"""
    rows: Size = 128
    """that a batch is held in; the Poisson batches are expected to fill a good half"""
    width: Size = 16
    epsilon: Positive = 10.0
    samples: Annotated[int, Interval(64, 1_000_000)] = 10_000
    """that a classifier learns from"""
    lr_generator: NonNegative = 2e-4
    lr_discriminator: NonNegative = 2e-4


def measure(config: Config):
    def measured(run: measures.Trained) -> dict[str, float]:
        found = {}
        for metric in ("cas", "fd"):
            value = next(iter(measures.measured(run, metric, samples=config.samples).values()))["value"]
            found[metric] = 100 * value if metric == "cas" else value
        assert run.algorithm.privacy is not None
        return {**found, "epsilon": run.algorithm.privacy["epsilon"], "rounds": run.step}

    return measured


def arm(turns: int) -> str:
    return f"{turns} to 1"


def main(config: Config) -> None:
    studies = {}
    for turns in config.n_critic:
        settings: dict[str, Any] = {
            "data": config.data, "private": True, "epsilon": config.epsilon, "n_critic": turns,
            "steps": max(1, config.private_steps // turns), "batch_size": config.rows, "width": config.width,
            "hyper.lr_generator": config.lr_generator, "hyper.lr_discriminator": config.lr_discriminator,
            "evaluate_every": 0, "sample_every": 0, "checkpoint_every": 0,
        }  # fmt: skip
        if config.data_dir is not None:
            settings["data_dir"] = str(config.data_dir)
        studies[arm(turns)] = papers.study(config, NAME, f"turns-{turns}", "cgan", settings=settings)
    protocol = (
        f"{config.data}, {config.private_steps:,} private steps in batches of {config.rows} rows, (ε, δ) of "
        f"({config.epsilon:g}, 1e-5), width {config.width}, learning rates {config.lr_generator:g} (generator) and "
        f"{config.lr_discriminator:g}; {config.samples:,} samples of averaged weights at the last step"
    )
    few, many = arm(min(config.n_critic)), arm(10 if 10 in config.n_critic else max(config.n_critic))
    claims = [Claim(f"{many} gives better samples than {few}", "cas", few, many)] if few != many else []
    titles = {arm(turns): f"{turns} private steps to 1" for turns in config.n_critic}
    paper = papers.Paper(NAME, "A private conditional GAN", COLUMNS, {}, "published", titles)
    papers.table(config, paper, "applications/private.py", studies, measure(config), protocol, claims)


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

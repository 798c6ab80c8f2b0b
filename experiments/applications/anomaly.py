"""Odd examples: how well each anomaly score tells them, beside principal components, neighbours and zlib.

    python experiments/applications/anomaly.py --data tfds:mnist                      # one class normal, ten times
    python experiments/applications/anomaly.py --part shift --data tfds:fashion_mnist --against tfds:mnist
    python experiments/applications/anomaly.py --part table --data breast_cancer
    python experiments/applications/anomaly.py --data digits --steps 300 --seeds 2    # a glance

one_class: each class in turn is normal; models see its training examples alone, and scores tell its test examples from
those of the nine others (Ruff et al. 2018 and after). The model: a VAE of perceptrons (784-W-W/2-Z, ReLU), grey pixels
under a Bernoulli; or `--model bigan`.
shift: a VAE of one whole data set (discretised logistic) meets another of the same shape (Ren et al. 2019; Xiao et al.
2020), with likelihood's failure and its cures: regret, ratio to a model of pixels mutated at random, input complexity.
table: scikit-learn's tables; clean training sets (70 % of the normal class) and contaminated ones (70 % of all rows),
named apart as ADBench does (Han et al. 2022), beside scikit-learn's isolation forest, one-class SVM and local outliers.

Floors stand in the same table: the residual of 32 principal components (half of fewer dimensions) and the distance to
the 5th neighbour, plain and blurred by one pixel, and zlib's code length. A score is of one example; labels of test
examples choose nothing. Outcomes are kept in --study-dir, one file each.
"""

from collections.abc import Sequence

import numpy as np
from anomaly_models import Config
from anomaly_parts import one_class_part, shift_part, table_part
from anomaly_scores import FLOORS, OF_TABLES, Found

from gen_jax.core.errors import UserError
from gen_jax.core.lines import counted
from gen_jax.metrics import intervals
from gen_jax.runs.scores import table
from gen_jax.studies import papers

SCORES = {
    ("one_class", "vae"): "reconstruction,blurred_reconstruction,reconstruction_probability,elbo,nll,latent_knn,"
    "residual_knn,blurred_residual_knn",
    ("one_class", "bigan"): "reconstruction,logit,feature_distance,f_anogan,alad,latent_knn,residual_knn",
    ("shift", "vae"): "elbo,nll,reconstruction,latent_knn,regret,ratio,complexity",
    ("table", "vae"): "reconstruction,elbo,latent_knn",
}


def means(found: Found, score: str, figure: str, case: str | None = None) -> list[float]:
    """A figure's mean over cases (or of one), in per cent, of every seed that has it."""
    rows = []
    for cases in found.values():
        values = [100 * each[score][figure] for name, each in cases.items() if score in each and case in (None, name)]
        if values:
            rows.append(float(np.mean(values)))
    return rows


def section(config: Config, found: Found) -> str:
    seeds = [seed for seed in found if seed >= 0]
    cases = list(next(iter(found.values())))
    names = list(dict.fromkeys(name for cases_ in found.values() for each in cases_.values() for name in each))
    columns = cases if config.part != "shift" else []
    title = {
        "one_class": f"One class of {config.data} is normal ({config.model})",
        "shift": f"{config.data} is normal, {config.against} is not",
        "table": f"{config.data}: the rarest class is strange",
    }[config.part]
    wide = config.part == "one_class"
    head = ["score", "AUROC", "average precision", "FPR at 95 % TPR", *columns]
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    for name in names:
        figures = [papers.spread(means(found, name, figure), 1) for figure in ("auroc", "ap", "fpr95")]
        values = [means(found, name, "auroc", case) for case in columns]
        each = [f"{np.mean(one):.1f}" if wide else papers.spread(one, 1) for one in values]
        called = f"*{FLOORS[name]}*" if name in FLOORS else name.replace("_", " ")
        lines.append("| " + " | ".join([called, *figures, *each]) + " |")
    lines += ["", verdict(found, names)]
    lines.append(
        f"- {counted(len(seeds), 'seed')}, mean ± half of the 95 % interval over seeds; {config.steps} steps of "
        f"{config.batch_size}, width {config.width}, {config.latent_size} latents; at most {config.examples} test "
        "examples a side; last step."
    )
    said = papers.command("applications/anomaly.py")
    return "\n".join([*lines, f"- `{said}` on {papers.hardware()}.", ""])


def verdict(found: Found, names: Sequence[str]) -> str:
    """Whether the best of the model's scores tells more than the best floor, over seeds (a floor may know none)."""
    own = [name for name in names if name not in FLOORS and " " not in name]
    floors = [name for name in names if name not in own]

    def by_seed(name: str) -> dict[int, float]:
        return {seed: mean[0] for seed in found if (mean := means({seed: found[seed]}, name, "auroc"))}

    mean = {name: float(np.mean(list(by_seed(name).values()))) for name in names}
    best, floor = (max(each, key=lambda name: mean[name]) for each in (own, floors))
    mine, theirs = by_seed(best), by_seed(floor)
    gains = intervals.t_interval([value - theirs.get(seed, mean[floor]) for seed, value in mine.items()])
    word = "better than" if gains.low > 0 else "worse than" if gains.high < 0 else "not to be told from"
    word = f"{word}** the best floor" if len(mine) > 1 else "one seed, which decides nothing**, beside the best floor"
    flatters = f" (best of {len(own)} scores by the test labels, which flatters it)" if len(own) > 1 else ""
    return (
        f"- {best.replace('_', ' ')}, {mean[best]:.1f}{flatters}, is **{word}, {FLOORS.get(floor, floor)}, "
        f"{mean[floor]:.1f}: {papers.spread([gains.value], 1, sign=True)}"
        + (f", 95 % [{gains.low:+.1f}, {gains.high:+.1f}]." if len(mine) > 1 else ".").replace("-", "−")
    )


PARTS = {"one_class": one_class_part, "shift": shift_part, "table": table_part}


def main(config: Config) -> None:
    papers.need_page(config.out)
    asked = config.scores or SCORES.get((config.part, config.model), "")
    if not asked:
        raise UserError(f"--part {config.part} takes --model vae, or say --scores")
    names, floors = table.requested(asked), OF_TABLES if config.part == "table" else FLOORS
    names = [name for name in names if name not in floors]  # which stand in every table
    if not names:
        raise UserError(f"--scores {asked}: floors stand in every table; name a score of the model as well")
    text = section(config, PARTS[config.part](config, names))
    against = f" {config.against}" if config.part == "shift" else ""
    papers.write_section(config.out, f"anomaly {config.part} {config.model} {config.data}{against}", text)
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

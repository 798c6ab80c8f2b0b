"""Who was in the training data: membership inference against a VAE and a GAN, by how few examples they learnt from.

    python experiments/applications/membership.py
    python experiments/applications/membership.py --sizes 250 --seeds 1 --steps 1000       # a glance

Hilprecht et al. 2019 find that VAEs give away far more than GANs. The VAE is that of experiments/failures/
memorisation.py (784-256-256-32, Gaussian of sigma .3), the GAN that of experiments/gan.py; members are n digits of
mnist5k's training split, non-members as many held-out ones. Attacks, figures and their shuffled controls are those of
`python -m gen_jax audit RUN`. Runs are kept in --study-dir, and continue.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gen_jax
from gen_jax.core.domains import Count, Seeds, Size
from gen_jax.data import load
from gen_jax.data.source import digest
from gen_jax.runs import shapes
from gen_jax.runs.audit import report
from gen_jax.runs.config import Config as RunConfig
from gen_jax.runs.evaluation.subject import Options, Subject
from gen_jax.runs.files import atomic_write_json
from gen_jax.studies import papers
from gen_jax.studies.page import beside

_AREA = {"value": shapes.number}
_ATTACK = {"auroc": _AREA, "tpr_at_1_percent_fpr": (_AREA, None), "set_attack": _AREA, "shuffled_auroc": _AREA}
AUDIT = {"attacks": {str: _ATTACK}}
MODELS = {"VAE": ("failures/memorisation.py", {"latent_size": 32}), "GAN": ("gan.py", {})}


@dataclass(frozen=True, kw_only=True)
class Config:
    data: str = "mnist5k"
    models: tuple[Literal["VAE", "GAN"], ...] = ("VAE", "GAN")
    sizes: tuple[Size, ...] = (250, 1000)
    """training examples"""
    seeds: Seeds = 3
    steps: Count = 6000
    batch_size: Size = 50
    study_dir: Path = Path("studies/applications/membership")
    out: Path | None = None
    """a Markdown file whose section becomes the table, such as docs/applications.md"""


def audited(config: Config, fingerprint: str, model: str, count: int, seed: int) -> dict[str, Any]:
    """The audit of one run on the data of this fingerprint, which is trained where it is not there yet."""
    script, own = MODELS[model]
    settings = {"data": f"few:{count}:{config.data}", "seed": seed, "steps": config.steps,
                "batch_size": config.batch_size, "evaluate_every": 0, "sample_every": 0, "log_every": 500}  # fmt: skip
    key = digest(fingerprint, sorted({**settings, **own}.items()))[:8]
    folder = config.study_dir / f"{model}-{count}-{seed}-{config.steps}-{key}"
    if (found := shapes.read(folder / report.FILE, AUDIT)) is not None:
        return found
    run = gen_jax.train(papers.experiments() / script, {**settings, **own}, run_dir=folder)
    opened = run.opened
    subject = Subject(opened.algorithm, run.weights, opened.source, opened.config, Options(seed=seed), folder)
    found = report.audit(subject, report.sides(subject, None))
    atomic_write_json(folder / report.FILE, found)
    shown = ", ".join(f"{name} {one['auroc']['value']:.3f}" for name, one in found["attacks"].items())
    print(f"{model}, {count} examples, seed {seed}: {shown}", flush=True)
    return found


Audits = Mapping[tuple[str, int], Sequence[Mapping[str, Any]]]


def section(config: Config, found: Audits) -> str:
    head = "| model | training examples | attack | AUROC | TPR at 1 % FPR | sets told apart | AUROC, shuffled |"
    lines = ["### Membership", "", head, "| --- | ---: | --- |" + " ---: |" * 4]
    best: dict[tuple[str, int], float] = {}
    for (model, count), audits in found.items():
        for attack in audits[0]["attacks"]:
            each = [audit["attacks"][attack] for audit in audits]
            cells = [papers.spread([one["auroc"]["value"] for one in each], 3)]
            rates = [one["tpr_at_1_percent_fpr"] for one in each]
            cells.append(papers.spread([one["value"] for one in rates if one], 3) if rates[0] else "–")
            cells += [
                papers.spread([one[name]["value"] for one in each], 3) for name in ("set_attack", "shuffled_auroc")
            ]
            lines.append(f"| {model} | {count} | {attack.replace('_', ' ')} | " + " | ".join(cells) + " |")
            area = float(np.mean([one["auroc"]["value"] for one in each]))
            best[model, count] = max(area, best.get((model, count), 0.0))
    lines.append("")
    lines += [f"- The best attack on a {m} of {n} examples: AUROC {area:.3f}." for (m, n), area in best.items()]
    lines.append(
        f"- {config.seeds} seeds, mean ± half of the 95 % interval; {config.steps} steps of {config.batch_size} on "
        f"{config.data}; as many non-members, held out; sets of {report.SET} at most, told apart by their mean."
    )
    said = papers.command("applications/membership.py")
    return "\n".join([*lines, f"- `{said}` on {papers.hardware()}.", ""])


def main(config: Config) -> None:
    papers.need_page(config.out)
    pairs = [(model, count) for model in config.models for count in config.sizes]
    fingerprint = load.of(RunConfig(data=config.data)).fingerprint
    found = {pair: [audited(config, fingerprint, *pair, seed) for seed in range(config.seeds)] for pair in pairs}
    text = section(config, found)
    papers.write_section(config.out, beside("membership", config.data, Config.data), text)
    print(f"\n{text}")


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

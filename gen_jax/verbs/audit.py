"""`audit RUN`: what a run's model gives away of who was in its training data."""

from pathlib import Path

import tyro

from gen_jax.core.domains import Sample, Seed, Whole
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, show


def audit(
    run: tyro.conf.Positional[Path],
    count: Sample | None = None,
    samples: Sample | None = None,
    reference: Path | None = None,
    weights: Which = "ema",
    seed: Seed = 0,
    step: Whole | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Attack a run by membership inference and write audit.json: training examples against the held-out split.

    An AUROC of a half, and as many true as false positives, are chance; an attack that finds nothing proves nothing,
    for there may be a better one. Private training (--private) bounds them all.

    Args:
        run: the run folder
        count: members and non-members, at most; by default as many as the smaller split has
        samples: of the model, for attacks by distance; by default as many as the test split has, at most 10,000
        reference: a run of the same kind on other data, which calibrates distances
        weights: averaged (ema) or raw weights
        seed: of samples and other noise
        step: which checkpoint; the newest by default
        json: print JSON
    """
    opened = open_state(run, step, trust, access)
    from gen_jax.core import dealing
    from gen_jax.core.lines import say
    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs.audit import report
    from gen_jax.runs.evaluation.subject import Options, Subject
    from gen_jax.runs.files import atomic_write_json

    options = Options(samples=samples, seed=seed, background=reference)
    view = dealing.on_all(weights_of(opened.state, averaged=weights == "ema"))
    subject = Subject(opened.algorithm, view, opened.source, opened.config, options, run)
    sides = report.sides(subject, count)
    found = report.audit(subject, sides, say)
    of = {"step": opened.step, "weights": weights, "seed": seed, "data": opened.source.fingerprint[:16]}
    path = atomic_write_json(run / report.FILE, {**of, **found})
    if json:
        print(path.read_text(encoding="utf-8"), end="")
        return
    rows = [("members, non-members", f"{found['members']}, {found['non_members']}"), ("step", opened.step)]
    for name, figures in found["attacks"].items():
        rows.append((name, _line(figures)))
    rows += [(f"{name} left out", why) for name, why in found["left_out"].items()]
    show(f"{run}", [*rows, ("figures", path)], json)


def _line(figures: dict) -> str:
    """ "AUROC 0.93 (0.91 to 0.95), TPR at 1 % FPR 0.31 (…), sets of 100 told apart 1.00 (…), shuffled 0.50"."""

    def said(found: dict | None) -> str:
        if found is None:
            return "– (fewer than 100 non-members)"
        ends = "" if found["interval"] is None else " ({:.3f} to {:.3f})".format(*found["interval"])
        return f"{found['value']:.3f}{ends}"

    sets = figures["set_attack"]
    return (
        f"AUROC {said(figures['auroc'])}, TPR at 1 % FPR {said(figures['tpr_at_1_percent_fpr'])}, sets of "
        f"{sets['set_size']} told apart {said(sets)}; shuffled {figures['shuffled_auroc']['value']:.3f}"
    )

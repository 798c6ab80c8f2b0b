"""`evaluate RUN`: what a run's model scores, each number with its interval and the protocol that made it."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from gen_jax.core.domains import Interval, Sample, Seed, Whole
from gen_jax.core.lines import in_bytes
from gen_jax.runs.evaluation.names import NAMES
from gen_jax.runs.scores.names import NAMES as ANOMALY
from gen_jax.verbs.common import HERE, Elsewhere, Trust, Which, open_state, show

METRICS = f"names with commas between: {', '.join(NAMES)}; by default what suits the model and its data"
SCORES = f"the anomaly score of auroc and its like: {', '.join(ANOMALY)}"


def evaluate(
    run: tyro.conf.Positional[Path],
    metrics: Annotated[str | None, tyro.conf.arg(help=METRICS)] = None,
    features: str = "auto",
    samples: Sample | None = None,
    reference: Literal["train", "test"] = "test",
    weights: Which = "ema",
    sampler: str = "prior",
    repeats: Annotated[int, Interval(1, 1_000)] = 5,
    seed: Seed = 0,
    step: Whole | None = None,
    nll_samples: Sample = 5000,
    nll_examples: Sample | None = None,
    inception_weights: Path | None = None,
    against: str | None = None,
    score: Annotated[str, tyro.conf.arg(help=SCORES)] = "model",
    background: Path | None = None,
    mask: str = "random:0.5",
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Measure a run's model and add the results to evaluation.json; what is in there already is not measured again.

    Args:
        run: the run folder
        features: lenet, lenet:DATA, inception, efficientnet-lite0, pixels, pca or pca:COMPONENTS; by default lenet of
            the run's own data where they are labelled images, else pixels
        samples: in each sample set; by default as many as the reference, at most 10,000
        reference: which real examples
        weights: averaged (ema) or raw weights
        sampler: one that the model has, with its options: prior, truncated:0.7, NAME:OPTION=VALUE; or posterior or
            reconstruction
        repeats: independent sample sets, over which scores of samples have their intervals
        seed: of samples and other noise
        step: which checkpoint; the newest by default
        nll_samples: importance samples of nll and bits_per_dim
        nll_examples: how many examples of the reference nll looks at; by default all
        inception_weights: the file for --features inception; by default what convert-inception left in the cache
        against: what auroc, average_precision and fpr95 call strange: another data set of the same shape, such as
            digits; class:NUMBER, a class of the run's own data; or rest, all classes but --normal-class's
        background: the other run of --score ratio
        mask: what is hidden of examples that are completed (nrmse, completion_psnr, missing_nll, interval_coverage,
            completion_diversity): random, random:SHARE, half, quarter, square, everything, above, any
        json: print JSON
    """
    opened = open_state(run, step, trust, access)
    from gen_jax.core import dealing
    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs.evaluation import protocol
    from gen_jax.runs.evaluation.subject import Options, Subject
    from gen_jax.runs.scoreboard import figure_with_interval

    options = Options(
        features, samples, reference, sampler, seed, repeats, nll_samples, nll_examples, inception_weights, against,
        score, background, mask
    )  # fmt: skip
    view = dealing.on_all(weights_of(opened.state, averaged=weights == "ema"))
    subject = Subject(opened.algorithm, view, opened.source, opened.config, options, run)
    names = protocol.requested(metrics, subject)
    _refuse_too_many(samples, repeats, opened.source.shape)
    model = protocol.model_of(subject, opened.step, weights if opened.state.ema else "raw")
    found = protocol.run(subject, names, model, run / protocol.FILE)
    if json:
        show("", [], json, {"path": str(run / protocol.FILE), **found})
        return
    rows = []
    for result in found["results"]:
        value, interval = figure_with_interval(result["value"], result["interval"])
        rows.append((result["name"], f"{value} {result['unit']}".strip() + (f"   {interval}" if interval else "")))
    kinds: dict[str, list[str]] = {}
    for result in found["results"]:
        if result["interval"]:
            kinds.setdefault(result["interval_kind"], []).append(result["name"])
    rows += [("intervals", f"{kind}: {', '.join(of)}" if len(kinds) > 1 else kind) for kind, of in kinds.items()]
    rows.append(("protocol", run / protocol.FILE))
    known = len(names) - len(found["measured"])
    title = f"{run}: step {opened.step}, {model.weights} weights, {opened.source.name}"
    title += "" if sampler == "prior" else f", sampler {sampler}"
    show(title + (f" ({known} of {len(names)} metrics were known)" if known else ""), rows, json)


def _refuse_too_many(samples: int | None, repeats: int, shape: tuple[int, ...]) -> None:
    """Raises UserError where sample sets of this size do not fit: some metrics hold one as images, and all of them as
    features."""
    import math

    from gen_jax.core.errors import UserError
    from gen_jax.runs import memory

    each, most = 4.0 * max(math.prod(shape), repeats), memory.host()
    if samples is not None and samples * each > most:
        raise UserError(
            f"--samples {samples} needs at least {in_bytes(samples * each)}, and this machine has "
            f"{in_bytes(most)}; try --samples {memory.rounded(most / each)}"
        )

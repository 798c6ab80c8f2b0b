"""How well a model completes held-out examples of which a mask hides a part: error, likelihood, intervals, spread."""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.errors import UserError
from gen_jax.data import source as sources
from gen_jax.data.kinds import need_images
from gen_jax.metrics import completion
from gen_jax.runs import completing
from gen_jax.runs.evaluation.metric import Metric, Value, over_examples
from gen_jax.runs.evaluation.subject import Subject

MOST, DRAWS, LEVEL = 1000, 50, 0.9  # examples that are completed, completions of each, the share of intervals


def _check(subject: Subject) -> None:
    completing.need(subject.algorithm, "a score of completions")
    completing.masks_of(subject.options.mask, _examples(subject)[:1], subject.source.kind, 0)


def _examples(subject: Subject) -> np.ndarray:
    split = subject.split
    rows = sources.evenly(split.size, min(subject.options.samples or MOST, split.size))
    return sources.to_float(split.read(rows)["x"]).astype(np.float32)


def _stamp(subject: Subject) -> dict[str, Any]:
    count = min(subject.options.samples or MOST, subject.split.size)
    options = {name: dict(subject.algorithm.samplers[name].options) for name in ("expected", "complete")}
    return {
        "reference": subject.options.reference, "examples": count, "mask": subject.options.mask, "draws": DRAWS,
        "options": options,
    }  # fmt: skip


def _masked(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    if "masked" not in subject.memory:
        x = _examples(subject)
        mask = completing.masks_of(subject.options.mask, x, subject.source.kind, subject.options.seed)
        subject.memory["masked"] = x, mask
    return subject.memory["masked"]


def _completed(subject: Subject) -> completing.Completed:
    if "completed" not in subject.memory:
        x, mask = _masked(subject)
        found = completing.complete(subject.algorithm, subject.weights, x, mask, subject.options.seed, DRAWS)
        subject.memory["completed"] = found
    return subject.memory["completed"]


def _nrmse(subject: Subject) -> list[Value]:
    found = _completed(subject)
    return [Value("NRMSE of expected values", completion.nrmse(found.x, found.expected, found.hidden))]


def _psnr(subject: Subject) -> list[Value]:
    found = _completed(subject)
    values = completion.psnr(found.x, found.expected, found.hidden)
    return [over_examples("PSNR of expected values", values, "dB")]


def _check_psnr(subject: Subject) -> None:
    need_images(subject.source, "completion_psnr", "use nrmse")
    _check(subject)


def _coverage(subject: Subject) -> list[Value]:
    found = _completed(subject)
    values = completion.inside(found.x, found.draws, found.hidden, LEVEL)
    return [over_examples(f"{LEVEL:.0%} intervals that hold the truth", values)]


def _check_coverage(subject: Subject) -> None:
    if len(subject.source.shape) > 1:
        raise UserError("interval_coverage is for tables: a completed pixel is shown as its mean; use missing_nll")
    _check(subject)


def _diversity(subject: Subject) -> list[Value]:
    found = _completed(subject)
    return [over_examples("deviation between completions", completion.spread(found.draws, found.hidden))]


def _check_nll(subject: Subject) -> None:
    _check(subject)
    subject.need("likelihood", "missing_nll")
    if subject.algorithm.levels == 0:
        raise UserError(
            "missing_nll needs a likelihood, and this model scores grey pixels under a Bernoulli, which does not "
            "normalise; train with --binarization DYNAMIC"
        )


def _nll(subject: Subject) -> list[Value]:
    x, mask = _masked(subject)
    compiled = dealing.by_device(subject.need("likelihood", "missing_nll"), static=(3,))
    key, size = keys.named(jax.random.key(subject.options.seed), "missing"), completing.BATCH

    def batches() -> Iterator[tuple]:
        for number, start in enumerate(range(0, len(x), size)):
            filled = np.resize(np.arange(start, min(start + size, len(x))), size)
            own = jax.random.fold_in(key, number)
            yield {"x": x[filled], "mask": mask[filled]}, own, subject.options.nll_samples

    found = np.concatenate([part["value"] for part in compiled(subject.weights, batches())])
    return [over_examples("NLL of what is missing, given what is observed", -found[: len(x)], "nats")]


def _nll_stamp(subject: Subject) -> dict[str, Any]:
    return {**_stamp(subject), "importance samples": subject.options.nll_samples}


NRMSE = Metric(_check, _stamp, _nrmse)
PSNR = Metric(_check_psnr, _stamp, _psnr)
MISSING_NLL = Metric(_check_nll, _nll_stamp, _nll)
INTERVALS = Metric(_check_coverage, _stamp, _coverage)
DIVERSITY = Metric(_check, _stamp, _diversity)

"""How near the made pictures are to the wanted ones, of models that are given pictures: PSNR and SSIM of the luma.

The border that is left out is the factor by which pictures are enlarged (4 for four times), as in papers on
super-resolution; none where sizes are equal. Both are in the score's name.
"""

from typing import Any

import numpy as np

from gen_jax.core.errors import UserError
from gen_jax.data.source import to_float
from gen_jax.metrics import pairs
from gen_jax.metrics.ssim import WINDOW, ssim
from gen_jax.runs.evaluation.metric import Metric, Value, over_examples
from gen_jax.runs.evaluation.subject import Subject

MOST = 10_000  # examples


def _border(subject: Subject) -> int:
    given = subject.split.read(np.zeros(1, np.int64))["input"].shape
    factor = subject.source.shape[0] // given[1]
    return factor if factor > 1 else 0


def _check(subject: Subject) -> None:
    subject.need_samples("psnr")
    if "input" not in subject.given:
        raise UserError("psnr and ssim compare with the picture that was wanted; this model is not given pictures")
    border = _border(subject)
    if min(subject.source.shape[:2]) <= 2 * border:
        raise UserError(f"psnr leaves a border of {border} pixels out, and no pixel is left; use larger pictures")


def _check_ssim(subject: Subject) -> None:
    _check(subject)
    side = min(subject.source.shape[:2]) - 2 * _border(subject)
    if side < WINDOW:
        raise UserError(f"SSIM's window of {WINDOW} does not fit {side} pixels (without the border); use psnr")


def _stamp(subject: Subject) -> dict[str, Any]:
    return {
        "reference": subject.options.reference,
        "examples": min(subject.split.size, MOST),
        "sampler": str(subject.sampler),
        "colour": "luma, BT.601",
        "border": _border(subject),
    }


def _both(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """(made, wanted) luma of the reference, in its order, without the border."""
    if "pairs" not in subject.memory:
        count, border = min(subject.split.size, MOST), _border(subject)
        made = np.concatenate([images for images, _ in subject.batches(count, repeat=0)])
        wanted = to_float(subject.split.read(np.arange(count))["x"])
        made, wanted = (pairs.cropped(pairs.luma(x), border) for x in (np.clip(made, -1, 1), wanted))
        subject.memory["pairs"] = made, wanted
    return subject.memory["pairs"]


def _name(what: str, subject: Subject) -> str:
    return f"{what} (luma, border {_border(subject)})"


def _psnr(subject: Subject) -> list[Value]:
    return [over_examples(_name("PSNR", subject), pairs.psnr(*_both(subject)), unit="dB")]


def _ssim(subject: Subject) -> list[Value]:
    made, wanted = _both(subject)
    parts = [np.asarray(ssim(made[i : i + 500], wanted[i : i + 500])) for i in range(0, len(made), 500)]
    return [over_examples(_name("SSIM", subject), np.concatenate(parts))]


PSNR = Metric(_check, _stamp, _psnr)
SSIM = Metric(_check_ssim, _stamp, _ssim)

"""What a number means: which way is better, and what it can be.

A table that marks the best, a bold cell, an interval that must not leave what is possible all ask here. A name that is
not known has no direction: nothing is called best by a guess.
"""

import math
import re
from typing import Literal, NamedTuple

Better = Literal["highest", "lowest"] | None


class Meaning(NamedTuple):
    """Which end is better (None: neither), and the closed range of possible values."""

    better: Better = None
    low: float = -math.inf
    high: float = math.inf

    def clip(self, value: float) -> float:
        """The nearest possible value; NaN stays."""
        return min(max(value, self.low), self.high) if math.isfinite(value) else value


_log_likelihood = Meaning("highest")  # of densities too: it has no bound
_distance = Meaning("lowest", 0.0)
_share = Meaning("highest", 0.0, 1.0)
_known = {
    # of `Algorithm.evaluate`: nats an example, but for errors
    **dict.fromkeys(("elbo", "bound", "reconstruction", "log_likelihood", "prior_log_prob"), _log_likelihood),
    **dict.fromkeys(("squared_error", "latent_error"), _distance),
    "kl": Meaning(None, 0.0),  # less of it is more blur, not a better model
    # of samples
    **dict.fromkeys(("FD", "FID"), _distance),
    "KID": Meaning("lowest"),  # unbiased: it can fall below 0
    **dict.fromkeys(("IS", "classifier score"), Meaning("highest", 1.0)),
    **dict.fromkeys(("precision", "recall", "coverage"), _share),
    "density": Meaning("highest", 0.0),
    "samples/distance": _distance,
    "samples/coverage": _share,
    "modes": Meaning("highest", 0.0),
    "good samples": Meaning("highest", 0.0, 100.0),
    "reverse KL of modes": _distance,
    "AuthPct": Meaning(None, 0.0, 100.0),  # the value of held-out data is the aim
    "C_T": Meaning(None),
    "samples nearer to training data than": Meaning(None, 0.0, 1.0),
    "samples equal to a training example": Meaning("lowest", 0.0, 1.0),
    "MS-SSIM between": Meaning(None, -1.0, 1.0),
    "PPL": _distance,
    "PSNR": Meaning("highest"),
    "psnr": Meaning("highest"),
    "l1": _distance,
    "SSIM": Meaning("highest", -1.0, 1.0),
    # of likelihoods, codes and classifiers
    "NLL": Meaning("lowest"),
    "bits per dimension": Meaning("lowest"),
    "Monte Carlo standard error": _distance,
    "effective importance samples": Meaning("highest", 1.0),
    "accuracy": _share,
    **dict.fromkeys(("linear probe", "1-NN", "5-NN accuracy", "clustering accuracy", "NMI", "trustworthiness"), _share),
    "ARI": Meaning("highest", -1.0, 1.0),
    "Shepard correlation": Meaning("highest", -1.0, 1.0),
    "CAS": _share,
    "trained on": _share,
    **dict.fromkeys(("AUROC", "average precision"), _share),
    "FPR at 95 % TPR": Meaning("lowest", 0.0, 1.0),
    "NRMSE": _distance,
    **dict.fromkeys(("utility", "column shapes", "pair trends"), Meaning("highest", -math.inf, 1.0)),
    "detection AUC": Meaning(None, 0.0, 1.0),  # .5 is the aim
    "distance to the closest record": Meaning(None, 0.0),  # that of held-out rows is the aim
    "90% intervals that hold": Meaning(None, 0.0, 1.0),  # .9 is the aim
    "deviation between completions": Meaning(None, 0.0),
    "active units": Meaning(None, 0.0),
    "KL of": Meaning(None, 0.0),
    **dict.fromkeys(("MIG", "modularity", "SAP", "FactorVAE score", "DCI"), _share),
}


def of(name: str) -> Meaning:
    """The meaning of a metric by the name it has in metrics.jsonl, evaluation.json or a table.

    "held_out/elbo", "tracked/FD-LeNet", "FD-LeNet within classes, mean" and "recall (lenet)" all find theirs. A
    player's loss, a logit or a name that is not known has no direction.
    """
    if name.startswith("tracked/"):  # "tracked/recall/LeNet"
        name = name.split("/")[1]
    name = name.removeprefix("held_out/")
    if name in _known:
        return _known[name]
    if name.startswith("accuracy/"):  # of a discriminator: neither end is better
        return Meaning(None, 0.0, 1.0)
    if "/" in name and not name.startswith("second/"):  # "loss/generator", "logits/real": of a game
        return Meaning()
    bare = name.removeprefix("second/")
    starts = [known for known in _known if bare == known or re.match(re.escape(known) + r"[\s\-∞,(:]", bare)]
    return _known[max(starts, key=len)] if starts else Meaning()

"""What is in the latents: activity, information, the aggregate posterior; disentanglement where factors are known."""

import math
from typing import Any

import jax
import numpy as np

from gen_jax.core import dealing, keys
from gen_jax.core.errors import UserError
from gen_jax.data import source as sources
from gen_jax.data import sprites
from gen_jax.data.source import Split
from gen_jax.metrics import disentanglement, latents
from gen_jax.runs.batches import in_batches
from gen_jax.runs.evaluation.classifiers import is_stacked
from gen_jax.runs.evaluation.metric import Metric, Value, over_examples
from gen_jax.runs.evaluation.subject import Subject

BATCH = 250
LATENT_EXAMPLES, FACTOR_EXAMPLES = 5_000, 10_000
ACTIVE = 0.01  # Burda et al. 2016


def encoded(subject: Subject, rows: np.ndarray, split: Split) -> dict[str, np.ndarray]:
    """Posterior means (and log-variances) of examples, [N, d]."""
    encode = dealing.by_device(subject.need("encode", "latents"))
    found = in_batches(encode, subject.weights, split, rows, BATCH)
    return {name: values.reshape(len(rows), -1) for name, values in found.items()}


# ---- latents ---------------------------------------------------------------------------------------------------------
def _latent_stamp(subject: Subject) -> dict[str, Any]:
    return {
        "reference": subject.options.reference,
        "examples": len(sources.evenly(subject.split.size, LATENT_EXAMPLES)),
        "prior": "N(0, I)" if subject.algorithm.normal_prior else "learned; KLs here are to N(0, I)",
        "active": f"Var E[z|x] > {ACTIVE}",
    }


def _latents(subject: Subject) -> list[Value]:
    rows = sources.evenly(subject.split.size, LATENT_EXAMPLES)
    found = encoded(subject, rows, subject.split)
    means = found["mean"].astype(np.float64)
    activity = latents.active_units(means, ACTIVE)
    of = f"of {means.shape[1]}"
    values = [Value("active units", activity.number, unit=of, details={"variances": activity.variances.tolist()})]
    if "log_variance" not in found:
        return values
    spreads = found["log_variance"].astype(np.float64)
    by_unit = 0.5 * (means**2 + np.exp(spreads) - spreads - 1)  # [N, d], to N(0, 1)
    average = by_unit.mean(axis=0)
    values.append(
        over_examples("KL of q(z|x) to N(0, I)", by_unit.sum(axis=1), "nats", {"by_dimension": average.tolist()})
    )
    values.append(Value("KL of the largest dimension", float(average.max()), unit="nats"))
    key = keys.named(jax.random.key(subject.options.seed), "latent information")
    one = latents.latent_information(means, spreads, key)
    # Over N examples the mutual information cannot exceed log N; what is missing there is in the other term.
    most = math.log(len(means))
    full = one.mutual_information > 0.9 * most
    note = {"note": f"the mutual information is near log N = {most:.2f}, where it saturates"} if full else {}
    information, aggregate = "mutual information I(x; z)", "KL of the aggregate posterior to N(0, I)"
    return [
        *values,
        Value(information + ", at least" * full, one.mutual_information, unit="nats", details=note),
        Value(aggregate + ", at most" * full, one.aggregate_kl, unit="nats"),
    ]


# ---- disentanglement -------------------------------------------------------------------------------------------------
def factors_of(subject: Subject, split: str, rows: np.ndarray) -> np.ndarray:
    """Factors of variation of examples, int [N, F]: what sprites are drawn from, or the digits of stacked images."""
    source = subject.source
    if source.name == "sprites":
        return sprites.split_factors()[split == "test"][rows]
    assert source.classes is not None
    label, base = source.split(split).read(rows)["label"], round(source.classes ** (1 / 3))
    return np.stack([label // base**2, label // base % base, label % base], axis=1)


def _check_factors(subject: Subject) -> None:
    subject.need("encode", "disentanglement")
    source = subject.source
    if source.name != "sprites" and not (is_stacked(subject) and source.classes):
        raise UserError(
            f"disentanglement needs data whose factors are known, and of {source.name} they are not; use --data "
            f"sprites (five factors), or stacked:SOURCE (a digit a channel)"
        )
    if subject.count(FACTOR_EXAMPLES) < 100:
        raise UserError("disentanglement needs 100 examples or more; use --samples 10000")


def _factor_counts(subject: Subject) -> tuple[int, int]:
    train = min(subject.count(FACTOR_EXAMPLES), subject.source.train.size)
    return train, min(max(train // 2, 1), subject.source.test.size)


def _factor_stamp(subject: Subject) -> dict[str, Any]:
    train, test = _factor_counts(subject)
    votes = "10,000 + 5,000 of 64"
    return {"codes": "posterior means", "train examples": train, "test examples": test, "bins": 20, "votes": votes}


def _disentanglement(subject: Subject) -> list[Value]:
    source, seed = subject.source, subject.options.seed
    sets = []
    for name, count in zip(("train", "test"), _factor_counts(subject), strict=True):
        split = source.split(name)
        # Drawn at random: the order of drawn data is a regular grid of factors, and so are its even steps.
        rows = np.random.default_rng(seed).permutation(split.size)[:count]
        sets.append((encoded(subject, rows, split)["mean"], factors_of(subject, name, rows)))
    (codes, factors), (test_codes, test_factors) = sets
    values = [Value("MIG", disentanglement.mutual_information_gap(codes, factors))]
    if factors.shape[1] > 1:
        values.append(Value("modularity", disentanglement.modularity(codes, factors)))
    values.append(
        Value("SAP", disentanglement.separated_predictability(codes, factors, test_codes, test_factors, seed))
    )
    by_value = [[np.flatnonzero(column == value) for value in np.unique(column)] for column in factors.T]

    def fixed(rng: np.random.Generator, factor: int, size: int) -> np.ndarray:
        same = by_value[factor][rng.integers(len(by_value[factor]))]
        return codes[rng.choice(same, size)]

    votes = disentanglement.factor_vae_score(fixed, factors.shape[1], codes, seed=seed)
    values.append(Value("FactorVAE score", votes.accuracy, details={"latents not pruned": votes.active}))
    trees = disentanglement.dci(codes, factors, test_codes, test_factors, seed)
    return [
        *values,
        Value("DCI disentanglement", trees.disentanglement, details={"importances": trees.importances.tolist()}),
        Value("DCI completeness", trees.completeness),
        Value("DCI informativeness", trees.informativeness),
    ]


LATENTS = Metric(lambda s: s.need("encode", "latents") and None, _latent_stamp, _latents)
DISENTANGLEMENT = Metric(_check_factors, _factor_stamp, _disentanglement)

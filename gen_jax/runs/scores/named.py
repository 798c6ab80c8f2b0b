"""From what a person writes after `--score` to a score."""

from gen_jax.core.errors import UserError
from gen_jax.core.near import near
from gen_jax.runs.evaluation.subject import Subject
from gen_jax.runs.scores import blurred, complexity, likelihoods, neighbours, ratio, regret, residuals
from gen_jax.runs.scores.names import NAMES
from gen_jax.runs.scores.score import Score

SCORES: dict[str, Score] = {
    "model": likelihoods.MODEL,
    "reconstruction": residuals.RECONSTRUCTION,
    "blurred_reconstruction": blurred.BLURRED_RECONSTRUCTION,
    "elbo": likelihoods.ELBO,
    "nll": likelihoods.NLL,
    "reconstruction_probability": likelihoods.RECONSTRUCTION_PROBABILITY,
    "logit": residuals.LOGIT,
    "feature_distance": residuals.FEATURE_DISTANCE,
    "f_anogan": residuals.F_ANOGAN,
    "alad": residuals.ALAD,
    "anogan": residuals.ANOGAN,
    "regret": regret.REGRET,
    "ratio": ratio.RATIO,
    "complexity": complexity.COMPLEXITY,
    "latent_knn": neighbours.LATENT_KNN,
    "residual_knn": neighbours.RESIDUAL_KNN,
    "blurred_residual_knn": blurred.BLURRED_RESIDUAL_KNN,
    "pca": neighbours.PCA,
    "knn": neighbours.KNN,
    "blurred_pca": blurred.BLURRED_PCA,
    "blurred_knn": blurred.BLURRED_KNN,
    "zlib": complexity.ZLIB,
}
assert tuple(SCORES) == NAMES, "names.NAMES and named.SCORES name different scores"


def score(name: str) -> Score:
    """The score of that name. Raises UserError for another, with the one that comes close."""
    name = name.strip().replace("-", "_")
    if name not in SCORES:
        close = near(name, NAMES)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UserError(f"there is no anomaly score {name!r}; {hint}there are {', '.join(NAMES)}")
    return SCORES[name]


def possible(subject: Subject) -> list[str]:
    """The scores that this model and these data allow, by name."""
    found = []
    for name, each in SCORES.items():
        try:
            each.check(subject)
        except UserError:
            continue
        found.append(name)
    return found

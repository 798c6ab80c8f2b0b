"""Make metrics.json: what other packages print for the inputs of `inputs()`.

Needs numpy, scipy, scikit-image, torch, torch-fidelity 0.4.0, clean-fid 0.1.35, prdc 0.2 and disent 0.8.0. Run from
this folder: python make_metrics.py
"""

import json
from pathlib import Path

import numpy as np


def inputs() -> dict[str, np.ndarray]:
    """Everything the scores are computed on, from a fixed seed. Used by the tests as well."""
    rng = np.random.default_rng(20)
    scales = np.linspace(0.05, 1.5, 32) ** 2
    real = np.abs(rng.standard_normal((1200, 32))) * scales
    generated = np.abs(rng.standard_normal((1000, 32)) + 0.1) * scales[::-1] ** 0.2 * scales**0.8
    factors = rng.integers(0, 4, (1500, 3))
    codes = np.stack([factors[:, 0], factors[:, 0] + factors[:, 1], factors[:, 2] ** 2, np.zeros(1500)], axis=1)
    pictures = rng.uniform(-1, 1, (2, 64, 48, 3))
    noisy = np.clip(pictures + 0.3 * rng.standard_normal(pictures.shape), -1, 1)
    return {
        "real": real,
        "generated": generated,
        "logits": 3 * rng.standard_normal((1005, 10)),
        "factors": factors,
        "codes": codes + 0.4 * rng.standard_normal(codes.shape),
        "pictures": pictures,
        "noisy": noisy,
    }


def feature_scores(real: np.ndarray, generated: np.ndarray, logits: np.ndarray) -> dict:
    """Distances between feature sets."""
    import scipy.linalg
    import torch
    from cleanfid import fid
    from prdc import compute_prdc
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    def statistics(x):
        return {"mu": x.mean(axis=0), "sigma": np.cov(x, rowvar=False)}

    first, second = statistics(real), statistics(generated)
    root = scipy.linalg.sqrtm(first["sigma"] @ second["sigma"]).real
    difference = first["mu"] - second["mu"]
    # Their "1" is the generated set and "2" the real one.
    tensors = torch.from_numpy(generated), torch.from_numpy(real)
    few = statistics(real[:20])  # a singular covariance
    product = scipy.linalg.eigvals(few["sigma"] @ second["sigma"]).real
    shift = few["mu"] - second["mu"]
    return {
        "frechet_scipy": difference @ difference + np.trace(first["sigma"] + second["sigma"] - 2 * root),
        "frechet_torch_fidelity": fid_statistics_to_metric(first, second, False)["frechet_inception_distance"],
        "frechet_clean_fid": fid.frechet_distance(first["mu"], first["sigma"], second["mu"], second["sigma"]),
        "frechet_singular": shift @ shift
        + np.trace(few["sigma"] + second["sigma"])
        - 2 * np.sqrt(np.maximum(product, 0)).sum(),
        "kid": kid_features_to_metric(*tensors, kid_subsets=20, kid_subset_size=200, rng_seed=7, verbose=False),
        "prdc_k5": compute_prdc(real, generated, 5),
        "prdc_k3": compute_prdc(real, generated, 3),
        "prc_torch_fidelity": prc_features_to_metric(*tensors, prc_neighborhood=3, verbose=False),
        "inception_score": isc_features_to_metric(torch.from_numpy(logits)),
    }


def latent_scores(codes: np.ndarray, factors: np.ndarray) -> dict:
    """Disentanglement; the first 1,000 rows train and the rest test."""
    from disent.metrics import _dci, _mig, _sap

    split = codes[:1000].T, factors[:1000].T, codes[1000:].T, factors[1000:].T
    return {**_mig._compute_mig(*split[:2]), **_dci._compute_dci(*split), **_sap._compute_sap(*split, False)}


def image_scores(pictures: np.ndarray, noisy: np.ndarray) -> dict:
    """Similarities of pairs, for a range of width 2."""
    from skimage.metrics import structural_similarity

    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 2.0}
    pairs = list(zip(pictures, noisy, strict=True))
    return {
        "ssim": [structural_similarity(a, b, channel_axis=-1, **gaussian) for a, b in pairs],
    }


def main() -> None:
    """Write the golden file beside this script."""
    import oracles

    oracles.without_torchvision()
    given = inputs()
    golden = feature_scores(given["real"], given["generated"], given["logits"])
    golden |= latent_scores(given["codes"], given["factors"]) | image_scores(given["pictures"], given["noisy"])
    text = json.dumps(golden, indent=1, default=float)
    (Path(__file__).parent / "metrics.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

"""The VAE that papers use on MNIST, 784-200-200-50 with tanh (Burda et al. 2016), on its ELBO."""

from benchmarks.races import Race


def _race(batch_size: int, bar: float) -> Race:
    return Race(
        f"mlp-vae-{batch_size}",
        f"MLP VAE 784-200-200-50, batch {batch_size}",
        "iwae",
        {"batch_size": batch_size, "samples": 1, "bound": "ELBO", "steps_per_call": 200},
        "mlp.vae",
        {"batch_size": batch_size},
        bar,
    )


RACES = [_race(20, 0.5), _race(128, 0.8)]

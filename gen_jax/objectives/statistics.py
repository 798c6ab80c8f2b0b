"""What a step tells about its own health, as scalars over the global batch: the same on every layout, and cheap.

Rules over them are in `runs.diagnosis`. Nothing here is differentiated or minimised.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import axis
from gen_jax.objectives.penalties import Critic, input_gradients, norms

ACTIVE = 0.01  # variance of a unit's posterior mean over the data above which it counts as active
ROWS = 256  # of a batch, at most, whose distances to each other are taken


def of_logits(real: jax.Array, fake: jax.Array) -> dict[str, jax.Array]:
    """Spread of the discriminator's logits [B], how often it is right, and r_t = E[sign D(real)].

    r_t is the overfitting heuristic of ADA (Karras et al. 2020, arXiv:2006.06676, eq. 1). Where 0 is not the border
    between real and fake (Wasserstein critics, relativistic losses), accuracies and r_t mean nothing.
    """
    real, fake = jax.lax.stop_gradient((real.astype(jnp.float32), fake.astype(jnp.float32)))
    return {
        "logits/real_std": _std(real),
        "logits/fake_std": _std(fake),
        "accuracy/real": jnp.mean((real > 0).astype(jnp.float32)),
        "accuracy/fake": jnp.mean((fake < 0).astype(jnp.float32)),
        "logits/real_sign": jnp.mean(jnp.sign(real)),
    }


def _std(values: jax.Array) -> jax.Array:
    return jnp.sqrt(axis.batch_mean((values - axis.batch_mean(values)) ** 2))


def of_latents(means: jax.Array, kl: jax.Array | None) -> dict[str, jax.Array]:
    """Active units, Var_x(E[z|x]) > .01 (Burda et al. 2016, arXiv:1509.00519, 5.1), of posterior means [B, d] within
    this batch; and of the KL by dimension [B, d], in nats, its largest, median and smallest dimension."""
    means = jax.lax.stop_gradient(means)
    spread = axis.batch_mean((means - axis.batch_mean(means)) ** 2)
    found = {
        "active_units": jnp.sum((spread > ACTIVE).astype(jnp.float32)),
        "active_share": jnp.mean((spread > ACTIVE).astype(jnp.float32)),
    }
    if kl is None:
        return found
    by_dimension = axis.batch_mean(jax.lax.stop_gradient(kl))
    summaries: dict[str, Callable[[jax.Array], jax.Array]] = {"max": jnp.max, "median": jnp.median, "min": jnp.min}
    return found | {f"kl_dimension/{name}": summary(by_dimension) for name, summary in summaries.items()}


def slope(critic: Critic, images: jax.Array) -> jax.Array:
    """E |grad_x D(x)|. The critic must keep rows apart (running statistics), or rows answer for one another."""
    return axis.batch_mean(norms(input_gradients(critic, images)))


def diversity(real: jax.Array, fake: jax.Array) -> dict[str, jax.Array]:
    """How far fakes are from each other, over how far real examples are: 1 is as varied as the data, 0 is collapse.

    `pairwise` is of the mean distance between any two, `nearest` of that to the nearest other one: repeated samples
    bring the second to 0 and may leave the first.
    """
    (all_fake, near_fake), (all_real, near_real) = _distances(fake), _distances(real)
    return {
        "diversity/pairwise": all_fake / jnp.maximum(all_real, 1e-12),
        "diversity/nearest": near_fake / jnp.maximum(near_real, 1e-12),
    }


def _distances(images: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean Euclidean distance between two different rows, and from a row to its nearest other."""
    points = axis.gather(images)[:ROWS].astype(jnp.float32)
    count = points.shape[0]
    points = points.reshape(count, -1)
    points = points - points.mean(axis=0)
    squares = jnp.sum(points**2, axis=1)
    products = jnp.matmul(points, points.T, precision="highest")
    distances = jnp.sqrt(jnp.maximum(squares[:, None] + squares - 2 * products, 0.0))
    itself = jnp.eye(count, dtype=bool)
    mean = jnp.where(itself, 0.0, distances).sum() / (count * max(count - 1, 1))
    return mean, jnp.where(itself, jnp.inf, distances).min(axis=1).mean()


def high_frequency_ratio(images: jax.Array, real: jax.Array) -> jax.Array:
    """Power of images [B, H, W, C] beyond half the Nyquist frequency, over that of real ones: below 1 is blur.

    Spectra by radius are how Durall et al. 2020 (arXiv:2003.01826) compare generated images with real ones; this is
    their upper half as one number.
    """
    return high_frequency_power(images) / jnp.maximum(high_frequency_power(real), 1e-12)


def high_frequency_power(images: jax.Array) -> jax.Array:
    """Mean over images [B, H, W, C] of sum |F(u, v)|² / (H W) / C over frequencies beyond 1/4 cycle a pixel."""
    height, width, channels = images.shape[1:]
    across = np.fft.rfftfreq(width)
    beyond = np.hypot(np.fft.fftfreq(height)[:, None], across[None]) > 0.25
    # The real transform keeps half of the plane: what stands for a mirrored column counts twice.
    twice = np.where((across > 0) & (across < 0.5), 2.0, 1.0)
    weight = jnp.asarray(beyond * twice / (height * width * channels), jnp.float32)
    spectrum = jnp.fft.rfft2(images.astype(jnp.float32), axes=(1, 2))
    power = spectrum.real**2 + spectrum.imag**2
    return axis.batch_mean(jnp.einsum("bhwc,hw->b", power, weight))

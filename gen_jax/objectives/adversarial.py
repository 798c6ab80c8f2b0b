"""Adversarial losses: what the discriminator and the generator minimise, as functions of the two batches of logits.

Both players see `(real_logits, fake_logits)`, float [B] each, so that a relativistic loss is no special case; both get
a scalar, the mean over this instance's rows. Larger logits mean "more real" everywhere. The players never share a
number: freezing the other one is the phase's business (only its own player's parameters are differentiated).
"""

import enum
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import axis
from gen_jax.core.errors import UserError


class AdversarialLoss(NamedTuple):
    """The two players' objectives, each `(real_logits [B], fake_logits [B]) -> scalar`, to be minimised."""

    discriminator: Callable[[jax.Array, jax.Array], jax.Array]
    generator: Callable[[jax.Array, jax.Array], jax.Array]
    of_batch: bool = False  # whether it is no mean over pairs of rows, each by itself: a row's loss depends on the rest


def cross_entropy_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """-E log D(x) - E log(1 - D(G(z))) with D = sigmoid(logits): Goodfellow et al. 2014, eq. 1."""
    return jnp.mean(jax.nn.softplus(-real_logits)) + jnp.mean(jax.nn.softplus(fake_logits))


def minimax_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E log(1 - D(G(z))): Goodfellow et al. 2014, eq. 1. Saturates where the discriminator is sure."""
    return -jnp.mean(jax.nn.softplus(fake_logits))


def non_saturating_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """-E log D(G(z)): Goodfellow et al. 2014, section 3."""
    return jnp.mean(jax.nn.softplus(-fake_logits))


def least_squares_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E (D(x) - b)^2 / 2 + E (D(G(z)) - a)^2 / 2 with a = 0, b = 1: Mao et al. 2017, eq. 9."""
    return 0.5 * jnp.mean((real_logits - 1.0) ** 2) + 0.5 * jnp.mean(fake_logits**2)


def least_squares_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E (D(G(z)) - c)^2 / 2 with c = 1: Mao et al. 2017, eq. 9."""
    return 0.5 * jnp.mean((fake_logits - 1.0) ** 2)


def wasserstein_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E D(G(z)) - E D(x): Arjovsky et al. 2017, eq. 3. Bound the critic's slope by a penalty or by clipping."""
    return jnp.mean(fake_logits) - jnp.mean(real_logits)


def wasserstein_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """-E D(G(z)): Arjovsky et al. 2017; also the generator of the hinge loss."""
    return -jnp.mean(fake_logits)


def hinge_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))): Lim & Ye 2017; Miyato et al. 2018, eq. 16."""
    return jnp.mean(jax.nn.relu(1.0 - real_logits)) + jnp.mean(jax.nn.relu(1.0 + fake_logits))


def relativistic_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E softplus(-(D(x) - D(G(z)))), row i against row i: Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN)."""
    _same_shape(real_logits, fake_logits)
    return jnp.mean(jax.nn.softplus(fake_logits - real_logits))


def relativistic_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """E softplus(-(D(G(z)) - D(x))), row i against row i: Jolicoeur-Martineau 2019; Huang et al. 2024 (R3GAN)."""
    _same_shape(real_logits, fake_logits)
    return jnp.mean(jax.nn.softplus(real_logits - fake_logits))


def relativistic_average_discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """-E log s(D(x) - E D(G(z))) - E log(1 - s(D(G(z)) - E D(x))): Jolicoeur-Martineau 2019, RaSGAN.

    The inner means are over the global batch, so the loss does not depend on the layout. The authors halve both
    players' losses, which Adam cannot tell from this but a penalty beside it can.
    """
    real_margin = real_logits - axis.batch_mean(fake_logits)
    fake_margin = fake_logits - axis.batch_mean(real_logits)
    return jnp.mean(jax.nn.softplus(-real_margin)) + jnp.mean(jax.nn.softplus(fake_margin))


def relativistic_average_generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
    """RaSGAN's generator: the discriminator's loss with the two batches exchanged."""
    return relativistic_average_discriminator(fake_logits, real_logits)


minimax = AdversarialLoss(cross_entropy_discriminator, minimax_generator)
non_saturating = AdversarialLoss(cross_entropy_discriminator, non_saturating_generator)
least_squares = AdversarialLoss(least_squares_discriminator, least_squares_generator)
wasserstein = AdversarialLoss(wasserstein_discriminator, wasserstein_generator)
hinge = AdversarialLoss(hinge_discriminator, wasserstein_generator)
relativistic = AdversarialLoss(relativistic_discriminator, relativistic_generator)
relativistic_average = AdversarialLoss(
    relativistic_average_discriminator, relativistic_average_generator, of_batch=True
)


class Loss(enum.Enum):
    """The losses by name, for a command line: `--loss hinge`; the functions are `config.loss.value`."""

    minimax = minimax
    non_saturating = non_saturating
    least_squares = least_squares
    wasserstein = wasserstein
    hinge = hinge
    relativistic = relativistic
    relativistic_average = relativistic_average


def smoothed(loss: AdversarialLoss, real_target: float | jax.Array = 0.9) -> AdversarialLoss:
    """One-sided label smoothing (Salimans et al. 2016, 3.4): real examples get the target `real_target` in place of 1.

    Only the discriminator's real term changes: cross-entropy with target t is softplus(-l) + (1 - t) l. `real_target`
    may be traced. Raises UserError for a loss whose discriminator is not cross-entropy, where no target exists.
    """
    if loss.discriminator is not cross_entropy_discriminator:
        raise UserError("label smoothing needs a cross-entropy discriminator: use the loss minimax or non_saturating")

    def discriminator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        return loss.discriminator(real_logits, fake_logits) + (1.0 - real_target) * jnp.mean(real_logits)

    return loss._replace(discriminator=discriminator)


def _same_shape(real_logits: jax.Array, fake_logits: jax.Array) -> None:
    if real_logits.shape != fake_logits.shape:
        raise UserError(
            f"a relativistic loss pairs real with fake rows: got logits {real_logits.shape} and {fake_logits.shape}; "
            "draw as many fakes as there are real examples"
        )

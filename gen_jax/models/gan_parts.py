"""The optional parts of a GAN: what they see, and where they enter the two objectives.

Published GANs differ in these and in their networks, not in the game. Each part is a value handed to `gan`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from gen_jax.core import keys
from gen_jax.core.types import Array, Context, Players
from gen_jax.objectives.adversarial import AdversarialLoss


class View(NamedTuple):
    """What a part sees of one objective's forward pass. Under packing images and logits are packed already."""

    critic: Callable[[Array], Array]  # images [B, ...] -> logits [B]: the discriminator as it stands, statistics fixed
    real: Array
    fake: Array
    real_logits: Array
    fake_logits: Array
    latents: Array  # that the fakes were made from, [B, ...]
    params: Players  # differentiable in the phase's own player
    context: Context
    key: Array  # own to the part


class Penalty(NamedTuple):
    """A further term of a player's loss: hyper[weight] * function(view)."""

    weight: str
    function: Callable[[View], Array]


class Auxiliary(NamedTuple):
    """A second head of the discriminator (AC-GAN's classifier, InfoGAN's Q): hyper[weight] times a loss each.

    The discriminator then returns (logits, extra); `extra` may be any pytree. Losses are
    (real_extra, fake_extra, view) -> scalar.
    """

    weight: str
    discriminator: Callable[[Any, Any, View], Array]
    generator: Callable[[Any, Any, View], Array]


class Controller(NamedTuple):
    """A value in `State.aux` that follows the discriminator's logits: ADA's probability, BEGAN's balance.

    `update(value, view)` gives the next value after each discriminator step.
    """

    name: str
    initial: Any
    update: Callable[[Any, View], Any]


class Unroll(NamedTuple):
    """Unrolled GANs (Metz et al. 2017): the generator sees the discriminator after `steps` further optimizer steps,
    and differentiates through them."""

    steps: int


# Changes the game by what only a step knows (annealed top-k, BEGAN's balance): (loss, context) -> loss.
Adapt = Callable[[AdversarialLoss, Context], AdversarialLoss]
# What the discriminator sees in place of an image, in both phases: (images, key, context) -> images.
Augment = Callable[[Array, Array, Context], Array]


def normal_latents(size: int) -> Callable[[Array, int], Array]:
    """Standard normal latents: (key, count) -> [count, size]."""
    return lambda key, count: keys.normal(key, count, size)


def uniform_latents(size: int) -> Callable[[Array, int], Array]:
    """Latents uniform on [-1, 1): (key, count) -> [count, size]."""
    return lambda key, count: keys.uniform(key, count, size, minval=-1.0, maxval=1.0)


def sequence(*augmentations: Augment) -> Augment:
    """Several augmentations in turn, each with its own key."""

    def augment(images: Array, key: Array, context: Context) -> Array:
        for number, each in enumerate(augmentations):
            images = each(images, jax.random.fold_in(key, number), context)
        return images

    return augment

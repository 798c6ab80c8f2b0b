"""Ready-made terms for `gan`: the penalties, augmentations, controllers and changed games of published GANs.

Each joins a function of `objectives` to what a step sees (`gan_parts.View`, `Context`). Strengths are names of hyper.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from gen_jax.core import axis, keys
from gen_jax.core.types import Array, Context
from gen_jax.models.gan_parts import Controller, Penalty, Term, View
from gen_jax.objectives import ada, augment, began, penalties, regularizers, weights
from gen_jax.objectives import top_k as top_k_
from gen_jax.objectives.adversarial import AdversarialLoss
from gen_jax.objectives.penalties import Gradients, input_gradients


def penalty(weight: str, function: Callable[[View], Array]) -> Term:
    """hyper[weight] * function(view) in the discriminator's loss."""
    return Term(penalty=Penalty(weight, function))


def generator_penalty(weight: str, function: Callable[[View], Array]) -> Term:
    """hyper[weight] * function(view) in the generator's loss."""
    return Term(generator_penalty=Penalty(weight, function))


def gradient_penalty(
    weight: str = "gradient_penalty", one_sided: bool = False, gradients: Gradients = input_gradients
) -> Term:
    """WGAN-GP at random interpolates (Gulrajani et al. 2017); hyper[weight] is lambda, 10 in the paper."""

    def function(view: View) -> Array:
        return penalties.gradient_penalty(
            view.critic, view.real, view.fake, view.key, one_sided=one_sided, gradients=gradients
        )

    return penalty(weight, function)


def dragan(weight: str = "dragan", gradients: Gradients = input_gradients) -> Term:
    """DRAGAN near the data (Kodali et al. 2017); hyper[weight] is lambda, 10 in the paper."""
    return penalty(weight, lambda v: penalties.dragan(v.critic, v.real, v.key, gradients=gradients))


def r1(weight: str = "r1_gamma", interval: int = 1) -> Term:
    """gamma / 2 E |grad D|^2 at real examples (Mescheder et al. 2018); hyper[weight] is gamma.

    interval: computed on every so many rounds only, times as strong (StyleGAN2's lazy regularisation).
    """

    def function(view: View) -> Array:
        def charge() -> Array:
            return 0.5 * penalties.r1(view.critic, view.real)

        return charge() if interval == 1 else penalties.lazy(charge, view.context.step, interval)

    return penalty(weight, function)


def r1_and_r2(weight: str = "gamma") -> Term:
    """gamma / 2 (R1 + R2), at real examples and at fakes (Huang et al. 2024, R3GAN); hyper[weight] is gamma."""
    return penalty(weight, lambda v: 0.5 * (penalties.r1(v.critic, v.real) + penalties.r2(v.critic, v.fake)))


def scheduled(term: Term, schedule: Callable[[Array], Any]) -> Term:
    """The term's penalty times `schedule(rounds finished)`, an optax schedule: R3GAN lets gamma fall in training."""
    if term.penalty is None:
        raise ValueError("only a term with a penalty of the discriminator can be scheduled")
    weight, function = term.penalty
    return term._replace(penalty=Penalty(weight, lambda v: schedule(v.context.step) * function(v)))


def consistency(transform: Callable[[Array, Array], Array], weight: str = "consistency") -> Term:
    """bCR: D says the same of an image and of `transform(images, key)`, real and fake (Zhao et al. 2021)."""

    def function(view: View) -> Array:
        real = transform(view.real, keys.named(view.key, "real"))
        fake = transform(view.fake, keys.named(view.key, "fake"))
        return regularizers.balanced_consistency(view.critic, view.real, real, view.fake, fake, 1.0, 1.0)

    return penalty(weight, function)


def lecam(weight: str = "lecam", decay: float = 0.99, start: int = 0, one_sided: bool = False) -> Term:
    """LeCam regularisation (Tseng et al. 2021): the penalty, and the averages of the logits that it leans on.

    Averages start at 0 and are charged from round `start` on; before, they are the last batch's means. The paper's
    penalty is the two-sided one; the authors' CIFAR code has weight .3, `one_sided`, and start=1000.
    """

    def charge(view: View) -> Array:
        value = regularizers.lecam(view.real_logits, view.fake_logits, **view.context.aux["lecam"], one_sided=one_sided)
        return jnp.where(view.context.step < start, 0.0, value) if start else value

    def update(averages: dict[str, Array], view: View) -> dict[str, Array]:
        kept = jnp.where(view.context.step < start, 0.0, decay) if start else decay
        real, fake = regularizers.lecam_averages(
            averages["ema_real"], averages["ema_fake"], view.real_logits, view.fake_logits, kept
        )
        return {"ema_real": real, "ema_fake": fake}

    initial = {"ema_real": jnp.float32(0.0), "ema_fake": jnp.float32(0.0)}
    return Term(penalty=Penalty(weight, charge), controller=Controller("lecam", initial, update))


def diff_augment(policy: augment.Policy = augment.EVERYTHING) -> Term:
    """DiffAugment (Zhao et al. 2020)."""
    return Term(augment=lambda images, key, context: augment.diff_augment(images, key, policy))


def adaptive_augment(pipeline: ada.Pipeline = ada.BGC, target: float = 0.6, speed: float = 500_000) -> Term:
    """ADA (Karras et al. 2020): the augmentation, and the controller that moves its p. speed: images from 0 to 1."""

    def transform(images: Array, key: Array, context: Context) -> Array:
        return ada.augment(images, key, context.aux["ada"]["p"], pipeline)

    def update(value: dict[str, Array], view: View) -> dict[str, Array]:
        return ada.observe(value, view.real_logits, target, speed)

    return Term(augment=transform, controller=Controller("ada", ada.init_controller(), update))


def instance_noise(weight: str = "instance_noise", horizon: int = 0) -> Term:
    """Gaussian noise on everything D sees, of hyper[weight] at first and none after `horizon` rounds, linearly.

    horizon 0: the noise stays. Sonderby et al. 2017; Arjovsky & Bottou 2017.
    """

    def function(images: Array, key: Array, context: Context) -> Array:
        left = jnp.clip(1.0 - context.step / horizon, 0.0, 1.0) if horizon else 1.0
        return regularizers.instance_noise(images, key, context.hyper[weight] * left)

    return Term(augment=function)


def top_k(interval: int, packing: int = 1, decay: float = 0.99, fraction: float = 0.5) -> Term:
    """Top-k training (Sinha et al. 2020): k shrinks by `decay` every `interval` rounds, to `fraction` of a batch."""

    def adapt(loss: AdversarialLoss, context: Context) -> AdversarialLoss:
        shards = jax.lax.axis_size(axis.DATA_AXIS) if axis.bound() else 1
        judged = context.batch["x"].shape[0] * shards // packing
        return top_k_.top_k(loss, top_k_.annealed_k(context.step, judged, interval, decay, fraction))

    return Term(adapt=adapt)


def began_balance(gamma: str = "gamma", rate: str = "balance_rate") -> Term:
    """BEGAN (Berthelot et al. 2017): the game under the balance k, and the controller that moves it.

    Logits are minus the reconstruction losses (`nets.autoencoder`); give `gan` the Wasserstein loss, which is k = 1.
    """

    def adapt(loss: AdversarialLoss, context: Context) -> AdversarialLoss:
        balance = context.aux["began"]
        return AdversarialLoss(
            lambda real, fake: began.discriminator(-real, -fake, balance), lambda real, fake: began.generator(-fake)
        )

    def update(balance: Array, view: View) -> Array:
        hyper = view.context.hyper
        return began.update_balance(balance, -view.real_logits, -view.fake_logits, hyper[gamma], hyper[rate])

    return Term(adapt=adapt, controller=Controller("began", jnp.float32(0.0), update))


def weight_clipping(bound: str = "clip") -> Term:
    """Every weight of the discriminator within ±hyper[bound] after each of its steps (Arjovsky et al. 2017, WGAN)."""
    return Term(project=lambda params, hyper: weights.clip(params, hyper[bound]))


def unrolled(steps: int) -> Term:
    """Unrolled GANs (Metz et al. 2017): the generator sees the discriminator after `steps` further optimizer steps, and
    differentiates through them."""
    return Term(unroll=steps)


def packed(count: int) -> Term:
    """PacGAN (Lin et al. 2018): the discriminator judges `count` consecutive examples at once, channels joined."""
    return Term(packing=count)

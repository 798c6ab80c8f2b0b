"""Second heads of a discriminator: AC-GAN's classifier (Odena et al. 2017) and InfoGAN's codes (Chen et al. 2016).

The discriminator returns (logits, head's outputs), as `nets.heads.WithHead` does.
"""

from typing import NamedTuple

import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.types import Array, Code
from gen_jax.models.gan_parts import Head, Latents, Term, View
from gen_jax.objectives import classifier, infogan

UNIFORM = 3**-0.5  # standard deviation of U(-1, 1)


def acgan_head(weight: str = "classification") -> Term:
    """AC-GAN: D recovers labels from real and fake images, G has them recovered. Head: class logits [B, classes]."""

    def discriminator(real: Array, fake: Array, view: View) -> Array:
        label = view.context.batch["label"]
        return classifier.cross_entropy(real, label) + classifier.cross_entropy(fake, label)

    def generator(real: Array, fake: Array, view: View) -> Array:
        return classifier.cross_entropy(fake, view.context.batch["label"])

    return Term(head=Head(weight, discriminator, generator))


class Codes(NamedTuple):
    """InfoGAN's latents: noise, N(0, I), then `groups` one-hot codes, then continuous ones. MNIST: 62, 10, 1, 2."""

    noise: int = 62
    categories: int = 10
    groups: int = 1
    continuous: int = 2

    @property
    def discrete(self) -> int:
        return self.groups * self.categories

    @property
    def outputs(self) -> int:
        """Numbers that the head returns: category logits, then the means of the continuous codes."""
        return self.discrete + self.continuous

    @property
    def size(self) -> int:
        return self.noise + self.outputs

    @property
    def latents(self) -> Latents:
        """What `gan` takes."""
        categories = [
            Code("category", self.noise + n * self.categories, self.categories, True) for n in range(self.groups)
        ]
        numbers = [Code("code", self.noise + self.discrete, self.continuous, False, UNIFORM)] if self.continuous else []
        return Latents(self.size, self.draw, codes=(*categories, *numbers))

    def draw(self, key: Array, count: int) -> Array:
        """Latents [count, size]."""
        parts = [keys.normal(keys.named(key, "noise"), count, self.noise)]
        if self.discrete:
            parts.append(infogan.draw_categorical(key, count, self.categories, self.groups))
        if self.continuous:
            parts.append(infogan.draw_continuous(key, count, self.continuous))
        return jnp.concatenate(parts, axis=-1)


def infogan_head(codes: Codes, weight: str = "information", continuous: str = "continuous") -> Term:
    """InfoGAN: both players maximise the bound on I(codes; image) over fakes. Head: outputs [B, codes.outputs].

    hyper[continuous] weighs the continuous codes' share: 1 in the authors' code for MNIST, as for the categories; .1 in
    re-implementations. Their posterior has unit variance.
    """

    def lost(real: Array, fake: Array, view: View) -> Array:
        drawn, total = view.latents[:, codes.noise :], jnp.float32(0.0)
        if codes.discrete:
            likelihood = infogan.categorical_log_likelihood(
                fake[:, : codes.discrete], drawn[:, : codes.discrete], codes.groups
            )
            entropy = infogan.categorical_entropy(codes.categories, codes.groups)
            total += infogan.mutual_information(likelihood, entropy)
        if codes.continuous:
            likelihood = infogan.gaussian_log_likelihood(drawn[:, codes.discrete :], fake[:, codes.discrete :])
            entropy = infogan.continuous_entropy(codes.continuous)
            total += view.context.hyper[continuous] * infogan.mutual_information(likelihood, entropy)
        return -total

    return Term(head=Head(weight, lost, lost, groups=codes.categories if codes.groups else 0))

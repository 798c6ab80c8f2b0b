"""Contract rows of the GAN family: one for each mechanism that touches the engine in its own way, on tiny networks."""

from collections.abc import Callable

import optax

from gen_jax.core.types import LABEL, Algorithm
from gen_jax.models import gan_terms
from gen_jax.models.gan import Turns, gan
from gen_jax.models.gan_heads import Codes, acgan_head, infogan_head
from gen_jax.models.gan_parts import Latents, normal_latents, uniform_latents
from gen_jax.nets import biggan, dcgan, mlp, r3gan, sngan
from gen_jax.nets.heads import Reconstructs, WithHead
from gen_jax.nets.layers import LayerNorm
from gen_jax.objectives import adversarial, weights
from gen_jax.objectives.regularizers import instance_noise

SHAPE, CLASSES = (8, 8, 1), 10
HYPER = {"lr_generator": 0.05, "lr_discriminator": 0.05, "b1": 0.5, "b2": 0.999}
CODES = Codes(noise=2, categories=3, groups=2, continuous=2)


def row(*, latents: Latents = normal_latents(4), **options) -> Callable[[Callable], Algorithm]:
    """`build(optimizer)` of a GAN on 8×8 images; hyper beside the learning rates and betas comes in as `more`."""
    more = options.pop("more", {})
    chosen = {
        "generator": mlp.Generator(SHAPE, widths=(8,)),
        "discriminator": mlp.Discriminator(widths=(8,)),
        "loss": adversarial.non_saturating,
        "hyper": HYPER | more,
        **options,
    }

    def build(optimizer: Callable) -> Algorithm:
        optimizers = {"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")}
        return gan(shape=SHAPE, latents=latents, optimizers=optimizers, **chosen)

    return build


def _noise_by_ada(images, key, context):
    # ADA's warps take long to compile and have layout tests of their own; what is tested here is who moves p, and how.
    return instance_noise(images, key, context.aux["ada"]["p"])


def _shaken(images, key):
    return instance_noise(images, key, 0.2)


_big = biggan.plain(SHAPE, CLASSES, width=4)
_stages = r3gan.stages_of((4, 4), group=2, blocks=1)

ROWS = [
    (
        "wgan_clipped_n_critic",
        row(
            loss=adversarial.wasserstein,
            turns=Turns(n_critic=2),
            terms=(gan_terms.weight_clipping(),),
            more={"clip": 0.1},
        ),
    ),
    (
        "wgan_gp_layer_norm",
        row(
            discriminator=dcgan.Discriminator(width=2, norm=LayerNorm),
            loss=adversarial.wasserstein,
            terms=(gan_terms.gradient_penalty(),),
            more={"gradient_penalty": 10.0},
        ),
    ),
    ("dragan_uniform", row(terms=(gan_terms.dragan(),), latents=uniform_latents(4), more={"dragan": 1.0})),
    (
        "lsgan_r1_lazy",
        row(loss=adversarial.least_squares, terms=(gan_terms.r1(interval=2),), more={"r1_gamma": 1.0}),
    ),
    (
        "rpgan_r1_r2_fresh_reals",
        row(
            loss=adversarial.relativistic,
            turns=Turns(fresh_reals=True),
            terms=(gan_terms.r1_and_r2(),),
            more={"gamma": 0.1, "ema_decay": 0.9},
        ),
    ),
    (
        "ragan_clip_norm_shared",
        row(loss=adversarial.relativistic_average, turns=Turns(share_fakes=True), more={"clip_norm": 0.1}),
    ),
    ("pacgan_smoothed", row(loss=adversarial.smoothed(adversarial.non_saturating, 0.9), terms=(gan_terms.packed(2),))),
    ("unrolled", row(terms=(gan_terms.unrolled(2),))),
    (
        "diffaugment_spectral_hinge",
        row(
            discriminator=mlp.Discriminator(widths=(8,), spectral=True),
            loss=adversarial.hinge,
            terms=(gan_terms.diff_augment(),),
        ),
    ),
    ("ada", row(terms=(gan_terms.adaptive_augment(speed=500)._replace(augment=_noise_by_ada),))),
    ("lecam", row(loss=adversarial.hinge, terms=(gan_terms.lecam(),), more={"lecam": 0.3})),
    (
        "began",
        row(
            discriminator=Reconstructs(mlp.Encoder(3, widths=(8,)), mlp.Generator(SHAPE, widths=(8,))),
            loss=adversarial.wasserstein,
            terms=(gan_terms.began_balance(),),
            more={"gamma": 0.5, "balance_rate": 0.1},
        ),
    ),
    (
        "top_k_instance_noise",
        row(
            terms=(gan_terms.top_k(interval=1, decay=0.8), gan_terms.instance_noise(horizon=4)),
            more={"instance_noise": 0.3},
        ),
    ),
    (
        "consistency_orthogonal",
        row(
            terms=(
                gan_terms.consistency(_shaken),
                gan_terms.penalty("orthogonal", lambda v: weights.orthogonal(v.params["discriminator"])),
                gan_terms.generator_penalty("l2", lambda v: optax.tree.norm(v.params["generator"], squared=True)),
            ),
            more={"consistency": 10.0, "orthogonal": 1e-4, "l2": 1e-4},
        ),
    ),
    (
        "cgan",
        row(
            generator=mlp.Generator(SHAPE, widths=(8,), classes=CLASSES),
            discriminator=mlp.Discriminator(widths=(8,), classes=CLASSES),
            given=LABEL,
        ),
    ),
    (
        "acgan",
        row(
            generator=mlp.Generator(SHAPE, widths=(8,), classes=CLASSES),
            discriminator=WithHead(mlp.Discriminator(widths=(8,)), CLASSES),
            given=LABEL,
            terms=(acgan_head(),),
            more={"classification": 1.0},
        ),
    ),
    (
        "infogan",
        row(
            discriminator=WithHead(mlp.Discriminator(widths=(8,)), CODES.outputs, hidden=4),
            latents=CODES.latents,
            terms=(infogan_head(CODES),),
            more={"information": 1.0, "continuous": 0.1},
        ),
    ),
    ("minibatch_stddev", row(discriminator=dcgan.Discriminator(width=2, norm=None, stddev_group=4))),
    (
        "sngan",
        row(generator=sngan.Generator(SHAPE, 4), discriminator=sngan.Discriminator(4), loss=adversarial.hinge),
    ),
    (
        "sagan_projection",
        row(
            generator=sngan.Generator(SHAPE, 8, CLASSES, attention=1, spectral=True),
            discriminator=sngan.Discriminator(8, CLASSES, attention=1),
            loss=adversarial.hinge,
            given=LABEL,
        ),
    ),
    (
        "biggan",
        row(
            generator=_big[0],
            discriminator=_big[1],
            loss=adversarial.hinge,
            given=LABEL,
            more={"ema_decay": 0.9},
            average_statistics=True,
        ),
    ),
    (
        "r3gan",
        row(
            generator=r3gan.Generator(SHAPE, _stages),
            discriminator=r3gan.Discriminator(_stages),
            loss=adversarial.relativistic,
            turns=Turns(fresh_reals=True),
            terms=(gan_terms.scheduled(gan_terms.r1_and_r2(), lambda step: 1.0 / (1.0 + step)),),
            more={"gamma": 0.1},
        ),
    ),
]

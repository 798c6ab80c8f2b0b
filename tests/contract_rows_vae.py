"""Rows of the contract test for models with latents: (name, build), where `build(optimizer)` makes the algorithm."""

import functools
from collections.abc import Callable

from gen_jax.core.types import LABEL, Algorithm
from gen_jax.data import masks
from gen_jax.models import vae_regularizers as regularizers
from gen_jax.models.aae import aae
from gen_jax.models.autoencoder import autoencoder
from gen_jax.models.bigan import bigan
from gen_jax.models.factor_vae import factor_vae
from gen_jax.models.flow_stacks import autoregressive_stack, inverse_autoregressive_stack
from gen_jax.models.gain import gain
from gen_jax.models.inpaint_vae import inpaint_vae
from gen_jax.models.ladder_vae import ladder_vae
from gen_jax.models.miwae import miwae
from gen_jax.models.refined_vae import refined_vae
from gen_jax.models.two_stage_vae import two_stage_vae
from gen_jax.models.vae import vae
from gen_jax.models.vae_body import Body, vae_body
from gen_jax.models.vae_gan import vae_gan
from gen_jax.models.vq_vae import vq_vae
from gen_jax.nets import inpaint, joint, ladder, made, mlp, vq
from gen_jax.nets.inpaint import Cells
from gen_jax.objectives import flows, likelihoods, priors, student
from gen_jax.objectives.bounds import Bound, Estimate, Estimator
from gen_jax.objectives.disentangle import Dip
from gen_jax.objectives.likelihoods import Binarization
from gen_jax.objectives.rate import FreeBits, Rate, cyclical, linear_warmup

SHAPE, LATENT = (8, 8, 1), 3
HYPER = {"lr": 1e-3, "b1": 0.9, "b2": 0.999, "beta": 1.0, "ema_decay": 0.9}
MASKS = flows.made_masks(LATENT, (8,))


def _networks(classes=None):
    return mlp.Encoder(LATENT, widths=(8,), classes=classes), mlp.Decoder(SHAPE, widths=(8,), classes=classes)


def _options(hyper=None, **options) -> dict:
    chosen = {"likelihood": likelihoods.bernoulli(), "binarization": Binarization.DYNAMIC, "shape": SHAPE}
    values = {name: value for name, value in {**HYPER, **(hyper or {})}.items() if value is not None}
    return {**chosen, "hyper": values, **options}


def _body(optimizer: Callable, hyper=None, classes=None, **options) -> Body:
    given = LABEL if classes else {}
    return vae_body(*_networks(classes), optimizer=optimizer("lr"), given=given, **_options(hyper, **options))


def _vae(optimizer: Callable, hyper=None, classes=None, regularizers=(), **options) -> Algorithm:
    return vae(_body(optimizer, hyper, classes, **options), regularizers=regularizers)


def _flow_prior():
    stack = autoregressive_stack([made.Made(MASKS), made.Made(MASKS)], LATENT)
    return priors.flow_prior(stack.build, LATENT, stack.init)


def _iaf():
    return inverse_autoregressive_stack([made.Made(MASKS), made.Made(MASKS)], LATENT, context_size=2 * LATENT)


def _factor_vae(optimizer: Callable) -> Algorithm:
    body = _body(optimizer, {"total_correlation": 2.0, "lr_discriminator": 1e-2})
    return factor_vae(body, mlp.Discriminator(widths=(8,)), optimizer=optimizer("lr_discriminator"))


def _autoencoder(optimizer: Callable, hyper, terms, density=None) -> Algorithm:
    return autoencoder(
        *_networks(10),
        given=LABEL,
        optimizer=optimizer("lr"),
        density_optimizer=optimizer("lr_density"),
        regularizers=terms,
        density=density,
        latent_size=LATENT,
        **_options({"lr_density": 1e-2, "beta": None, **hyper}),
    )


def _rae(optimizer: Callable) -> Algorithm:
    terms = regularizers.latent_l2(), regularizers.gradient_penalty(), regularizers.mmd()
    weights = {"latent_l2": 0.1, "gradient_penalty": 0.1, "mmd": 10.0}
    return _autoencoder(optimizer, weights, terms, priors.gaussian_mixture(LATENT, 4))


def _two_stage(optimizer: Callable) -> Algorithm:
    first = _body(optimizer, {"lr_second": 1e-3})
    second = vae_body(
        mlp.Encoder(LATENT, widths=(8,)),
        mlp.Decoder((LATENT,), outputs=2 * LATENT, widths=(8,)),
        likelihood=likelihoods.gaussian_learned(),
        shape=(LATENT,),
        hyper=first.hyper,
        optimizer=optimizer("lr_second"),
    )
    return two_stage_vae(first, second)


def _adversarial(model: Callable, hyper, own=None, **options) -> Callable:
    def build(optimizer: Callable) -> Algorithm:
        body = _body(optimizer, {"lr_discriminator": 1e-2, "clip_norm": 5.0, **hyper}, **options)
        critic = mlp.Discriminator(widths=(8,))
        return model(body, critic, optimizer=optimizer("lr_discriminator"), **(own or {}))

    return build


def _bigan(optimizer: Callable, **options) -> Algorithm:
    return bigan(
        mlp.Generator(SHAPE, widths=(8,)),
        mlp.Encoder(LATENT, widths=(8,)),
        joint.Discriminator(widths=(8,)),
        shape=SHAPE,
        latent_size=LATENT,
        hyper={"lr_generator": 0.02, "lr_discriminator": 0.02, "b1": 0.5, "b2": 0.999, "ema_decay": 0.9},
        optimizers={"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")},
        **options,
    )


def _vq_vae(optimizer: Callable) -> Algorithm:
    hyper = {"commitment": 0.25, "codebook_decay": 0.9, "revive": 1.0, "lr_prior": 1e-2, "beta": None}
    return vq_vae(
        vq.Encoder(2, width=4, blocks=1),
        vq.Decoder(1, width=4, blocks=1),
        vq.CodePrior(6, width=4, layers=1, kernel_size=3),
        codes=6,
        optimizer=optimizer("lr"),
        prior_optimizer=optimizer("lr_prior"),
        **_options(hyper),
    )


def _ladder(optimizer: Callable) -> Algorithm:
    stages = (1, 1), (8, 1)
    decoder = ladder.Decoder(stages, 1, width=4, hidden=4, latents=2)
    options = _options({"free_bits": 0.1}, free_bits=FreeBits.PER_LAYER, latent_shapes=decoder.latent_shapes)
    return ladder_vae(ladder.Encoder(stages, width=4, hidden=4), decoder, optimizer=optimizer("lr"), **options)


def _inpaint(optimizer: Callable) -> Algorithm:
    sizes = {"width": 4, "stages": 1}
    networks = inpaint.Encoder(3, **sizes), inpaint.Encoder(3, **sizes), inpaint.Decoder(1, **sizes)
    hide = functools.partial(masks.draw, masks.named("any"))
    return inpaint_vae(*networks, hide=hide, optimizer=optimizer("lr"), **_options())


def _miwae(optimizer: Callable) -> Algorithm:
    likelihood = student.student_t()
    networks = mlp.Encoder(LATENT, widths=(8,)), mlp.Decoder(SHAPE, likelihood.parameters(1), widths=(8,))
    hide = functools.partial(masks.draw, masks.at_random(0.3, 0.3))
    hyper = {name: HYPER[name] for name in ("lr", "b1", "b2", "ema_decay")}
    return miwae(*networks, likelihood=likelihood, shape=SHAPE, hyper=hyper,
                 estimate=Estimate(Bound.IWAE, Estimator.DREG, 4), hide=hide, optimizer=optimizer("lr"))  # fmt: skip


def _gain(optimizer: Callable) -> Algorithm:
    hyper = {"lr_generator": 1e-2, "lr_discriminator": 1e-2, "b1": 0.9, "b2": 0.999, "hint": 0.9, "alpha": 10.0}
    optimizers = {"generator": optimizer("lr_generator"), "discriminator": optimizer("lr_discriminator")}
    hide = functools.partial(masks.draw, masks.named("any"))
    networks = Cells(SHAPE, (8,)), Cells(SHAPE, (8,))
    return gain(*networks, shape=SHAPE, hyper=hyper, hide=hide, optimizers=optimizers)


REGULARIZED = {
    "beta": 0.5,
    "mutual_information": 1.0,
    "total_correlation": 4.0,
    "dimension_kl": 1.0,
    "dip": 1.0,
    "mmd": 10.0,
}
REGULARIZERS = (*regularizers.total_correlation(64), regularizers.dip(Dip.II), regularizers.mmd())
# Options that do not touch one another share a row: every row is compiled some ten times.
ROWS = [
    ("iwae_dreg_mixture", lambda o: _vae(o, estimate=Estimate(Bound.IWAE, Estimator.DREG, 4),
                                         prior=priors.gaussian_mixture(LATENT, 4))),
    ("piwae_stl", lambda o: _vae(o, estimate=Estimate(Bound.PIWAE, Estimator.STL, 4, groups=2))),
    ("cvae_geco", lambda o: _vae(o, {"tolerance": 20.0, "clip_norm": 1.0, "beta": None}, 10, rate=Rate(geco=True))),
    ("vae_vamp_cyclical", lambda o: _vae(o, prior=lambda encode: priors.vamp(encode, SHAPE, 4),
                                         rate=Rate(cyclical(4)))),
    ("vae_flow_prior_free_bits", lambda o: _vae(o, {"free_bits": 0.1}, prior=_flow_prior(),
                                                rate=Rate(free_bits=FreeBits.PER_LAYER))),
    ("vae_iaf_capacity", lambda o: _vae(o, {"gamma": 10.0, "beta": None}, posterior_flow=_iaf(),
                                        estimate=Estimate(samples=2), rate=Rate(capacity=linear_warmup(10, end=5.0)))),
    ("tc_dip_info_vae", lambda o: _vae(o, REGULARIZED, regularizers=REGULARIZERS)),
    ("factor_vae", _factor_vae),
    ("rae", _rae),
    ("two_stage_vae", _two_stage),
    ("vq_vae", _vq_vae),
    ("ladder_vae", _ladder),
    ("inpaint_vae", _inpaint),
    ("miwae", _miwae),
    ("gain", _gain),
    ("aae", _adversarial(aae, {"adversarial": 1.0, "beta": None}, {"stochastic": True})),
    ("vae_gan", _adversarial(vae_gan, {"similarity": 0.01}, binarization=Binarization.NONE)),
    ("refined_vae", _adversarial(refined_vae, {"adversarial": 1.0})),
    ("ali", lambda o: _bigan(o, stochastic=True)),
]  # fmt: skip

"""Generative adversarial networks (Goodfellow et al. 2014): two players, two phases.

The discriminator moves `n_critic` times, each on its own minibatch, then the generator once. The game is given by an
`AdversarialLoss`; what else published GANs differ in is handed over as parts (see `gan_parts`).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from gen_jax.core import axis, keys
from gen_jax.core.errors import UserError
from gen_jax.core.phases import compose
from gen_jax.core.players import Player, adam, apply
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, SharedForward, State, Weights
from gen_jax.models.gan_parts import Adapt, Augment, Auxiliary, Controller, Penalty, Unroll, View, normal_latents
from gen_jax.objectives import statistics
from gen_jax.objectives.adversarial import AdversarialLoss
from gen_jax.objectives.packing import pack


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    loss: AdversarialLoss,
    shape: tuple[int, ...],
    latent_size: int,
    hyper: Mapping[str, float],
    classes: int | None = None,
    n_critic: int = 1,
    share_fakes: bool = False,
    fresh_reals: bool = False,
    packing: int = 1,
    latents: Callable[[Array, int], Array] | None = None,
    adapt: Adapt | None = None,
    augment: Augment | None = None,
    penalties: tuple[Penalty, ...] = (),
    generator_penalties: tuple[Penalty, ...] = (),
    auxiliary: Auxiliary | None = None,
    controllers: tuple[Controller, ...] = (),
    unroll: Unroll | None = None,
    project: Callable[[Any, Mapping[str, Array]], Any] | None = None,
    optimizers: Mapping[str, Callable] | None = None,
) -> Algorithm:
    """A GAN as an `Algorithm`.

    generator: (latents [B, latent_size], label?) -> images [B, *shape]. discriminator: (images, label?) -> logits [B].
    hyper: needs lr_generator, lr_discriminator, b1, b2 and every weight that a part names; with `ema_decay`, samples
    come from the generator's average; with `clip_norm`, gradients are clipped.
    classes: with it both players get the label. share_fakes: both players see one fake batch, made once; otherwise
    each phase draws its own, as in the paper's algorithm 1. fresh_reals: the generator's phase gets real examples of
    its own (only relativistic losses look at them). packing: the discriminator judges that many examples at once.
    latents: (key, count) -> latents [count, latent_size], standard normal by default. adapt, augment, penalties,
    auxiliary, controllers, unroll: see `gan_parts`; published ones are in `gan_terms` and `gan_heads`.
    project: applied to the discriminator's parameters after each step (weight clipping).
    Raises UserError for combinations that cannot work together.
    """
    _check(n_critic, share_fakes, packing, classes, augment, auxiliary)
    draw = latents or normal_latents(latent_size)
    chosen = {"generator": adam("lr_generator"), "discriminator": adam("lr_discriminator"), **(optimizers or {})}
    clip = "clip_norm" if "clip_norm" in hyper else None
    label_example = () if classes is None else (jax.ShapeDtypeStruct((2,), jnp.int32),)
    codes = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
    seen = jax.ShapeDtypeStruct((2, *shape[:-1], shape[-1] * packing), jnp.float32)
    average = "ema_decay" if "ema_decay" in hyper else None
    players = {
        "generator": Player(generator, (codes, *label_example), chosen["generator"], ema=average, clip=clip),
        "discriminator": Player(
            discriminator, (seen, *label_example), chosen["discriminator"], clip=clip, project=project
        ),
    }

    def labels(batch: Batch) -> tuple[Array, ...]:
        return () if classes is None else (batch["label"],)

    def generate(params: Players, context: Context) -> tuple[dict[str, Array], Players]:
        """A fake batch with its latents, and the generator's new statistics."""
        noise = draw(keys.named(context.key, "latents"), context.batch["x"].shape[0])
        key = keys.named(context.key, "generator")
        fake, stats = apply(
            players["generator"],
            params["generator"],
            context.stats["generator"],
            noise,
            *labels(context.batch),
            train=True,
            key=key,
        )
        return {"fake": fake, "latents": noise}, {"generator": stats}

    def fakes(params: Players, context: Context) -> tuple[dict[str, Array], Players]:
        return (context.shared, {}) if share_fakes else generate(params, context)

    def judge(params: Players, stats: Any, images: Array, context: Context, purpose: str):
        """((logits, extra), new statistics) of (packed) images as the discriminator sees them."""
        key = keys.named(context.key, purpose)
        images = augment(images, keys.named(key, "augment"), context) if augment else images
        given = labels(context.batch)
        answer, stats = apply(
            players["discriminator"], params["discriminator"], stats, images, *given, train=True, key=key
        )
        return (answer if auxiliary else (answer, None)), stats

    def game(params: Players, context: Context, made: dict[str, Array]):
        """The discriminator on real and fake: (view, extras, new statistics of the discriminator)."""
        real, fake = pack(context.batch["x"], packing), pack(made["fake"], packing)
        fixed = context.stats["discriminator"]
        (real_logits, real_extra), stats = judge(params, fixed, real, context, "real")
        (fake_logits, fake_extra), stats = judge(params, stats, fake, context, "fake")

        def critic(images: Array) -> Array:
            return judge(params, fixed, images, context, "penalty")[0][0]

        view = View(critic, real, fake, real_logits, fake_logits, made["latents"], params, context, context.key)
        return view, (real_extra, fake_extra), stats

    def charge(terms: tuple[Penalty, ...], view: View) -> tuple[Array, dict[str, Array]]:
        total, metrics = jnp.float32(0.0), {}
        for term in terms:
            value = term.function(view._replace(key=keys.named(view.key, term.weight)))
            metrics[f"penalty/{term.weight}"] = value
            total += view.context.hyper[term.weight] * value
        return total, metrics

    def discriminator_loss(params: Players, context: Context, made: dict[str, Array]):
        view, extras, stats = game(params, context, made)
        rules = adapt(loss, context) if adapt else loss
        value = rules.discriminator(view.real_logits, view.fake_logits)
        metrics = {
            "loss/discriminator": value,
            "logits/real": view.real_logits.mean(),
            "logits/fake": view.fake_logits.mean(),
            **statistics.of_logits(view.real_logits, view.fake_logits),
        }
        if auxiliary:
            metrics["auxiliary/discriminator"] = auxiliary.discriminator(*extras, view)
            value += context.hyper[auxiliary.weight] * metrics["auxiliary/discriminator"]
        extra, more = charge(penalties, view)
        return value + extra, (view, stats, metrics | more)

    def discriminator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        made, generator_stats = fakes(params, context)
        value, (view, stats, metrics) = discriminator_loss(params, context, jax.lax.stop_gradient(made))
        moved = {c.name: c.update(context.aux[c.name], view) for c in controllers}
        metrics |= {
            "/".join(["aux", name, *(str(step.key) for step in path)]): leaf.astype(jnp.float32)
            for name, after in moved.items()
            for path, leaf in jax.tree.leaves_with_path(after)
        }
        return value, Aux({"discriminator": stats, **generator_stats}, metrics, jax.lax.stop_gradient(moved))

    def look_ahead(params: Players, context: Context, made: dict[str, Array]) -> Players:
        """The players with the discriminator `unroll.steps` optimizer steps on, differentiable in the fakes."""
        assert unroll is not None
        optimizer = players["discriminator"].optimizer(context.hyper)

        def one(carry, _):
            ahead, opt = carry
            slope = jax.grad(lambda p: discriminator_loss({**params, "discriminator": p}, context, made)[0])(ahead)
            slope = axis.pmean(slope)  # the engine's steps follow the whole batch, and so do these
            # An unused weight has slope 0, where the root that Adam divides by has no derivative.
            slope = jax.tree.map(lambda g: jnp.where(g == 0, 1e-12, g), slope)
            updates, opt = optimizer.update(slope, opt, ahead)
            return (jax.tree.map(jnp.add, ahead, updates), opt), None

        start = (params["discriminator"], context.opt["discriminator"])
        (ahead, _), _ = jax.lax.scan(one, start, None, length=unroll.steps)
        return {**params, "discriminator": ahead}

    def generator_objective(params: Players, context: Context) -> tuple[Array, Aux]:
        made, generator_stats = fakes(params, context)
        faced = look_ahead(params, context, made) if unroll else params
        # Only relativistic losses use the real logits; for the others XLA drops that forward pass as dead code.
        view, extras, _ = game(faced, context, made)
        rules = adapt(loss, context) if adapt else loss
        value = rules.generator(view.real_logits, view.fake_logits)
        metrics = {"loss/generator": value}
        if auxiliary:
            metrics["auxiliary/generator"] = auxiliary.generator(*extras, view)
            value += context.hyper[auxiliary.weight] * metrics["auxiliary/generator"]
        extra, more = charge(generator_penalties, view)
        return value + extra, Aux(generator_stats, metrics | more)

    phases = (
        Phase(("discriminator",), discriminator_objective, repeats=n_critic),
        Phase(("generator",), generator_objective, fresh=fresh_reals),
    )
    shared = SharedForward(("generator",), generate) if share_fakes else None
    algorithm = compose(players, phases, hyper, aux={c.name: c.initial for c in controllers}, shared=shared)

    def decode(weights: Weights, codes: Array, label: Array | None = None) -> Array:
        given = () if classes is None else (label,)
        params, stats = weights.params["generator"], weights.stats["generator"]
        return apply(players["generator"], params, stats, codes, *given, train=False)[0]

    def prior(weights: Weights, key: Array, count: int) -> Array:
        return draw(keys.named(key, "latents"), count)

    def sample(weights: Weights, key: Array, count: int, label: Array | None = None) -> Array:
        return decode(weights, prior(weights, key, count), label)

    def answer(weights: Weights, images: Array, batch: Batch):
        params, stats = weights.params["discriminator"], weights.stats["discriminator"]
        given = () if classes is None else (batch["label"],)
        return apply(players["discriminator"], params, stats, images, *given, train=False)[0]

    def logits(weights: Weights, images: Array, batch: Batch) -> Array:
        """Of each example; a packing discriminator sees the example m times over."""
        found = answer(weights, jnp.concatenate([images] * packing, axis=-1), batch)
        return found[0] if auxiliary else found

    def evaluate(weights: Weights, hyper: Mapping[str, Array], batch: Batch, key: Array) -> dict[str, Array]:
        """The game on held-out data, an example at a time: losses, logits, and how often D calls each side right."""
        fake = decode(weights, prior(weights, key, batch["x"].shape[0]), batch.get("label"))
        real_logits, fake_logits = logits(weights, batch["x"], batch), logits(weights, fake, batch)
        pairs = real_logits[:, None], fake_logits[:, None]
        return {
            "loss/discriminator": jax.vmap(loss.discriminator)(*pairs),
            "loss/generator": jax.vmap(loss.generator)(*pairs),
            "logits/real": real_logits,
            "logits/fake": fake_logits,
            "accuracy/real": (real_logits > 0).astype(jnp.float32),
            "accuracy/fake": (fake_logits < 0).astype(jnp.float32),
        }

    def score(weights: Weights, batch: Batch, key: Array) -> Array:
        """Anomaly score: the negative logit of the discriminator."""
        return -logits(weights, batch["x"], batch)

    def probe(state: State, batch: Batch, key: Array) -> dict[str, Array]:
        """The discriminator's slope at real and fake examples, and how the fakes vary, with the raw weights.

        The fakes are those of training (batch statistics); the slopes are under running statistics, where rows do not
        answer for one another.
        """
        now, real = Weights(state.params, state.stats), batch["x"]
        codes, own = draw(keys.named(key, "latents"), real.shape[0]), keys.named(key, "generator")
        params, stats = state.params["generator"], state.stats["generator"]
        fake, _ = apply(players["generator"], params, stats, codes, *labels(batch), train=True, key=own)

        def critic(images: Array) -> Array:
            return logits(now, images, batch)

        found = {"slope/real": statistics.slope(critic, real), "slope/fake": statistics.slope(critic, fake)}
        found |= statistics.diversity(real, fake)
        if len(shape) == 3:
            found["high_frequency/samples"] = statistics.high_frequency_ratio(fake, real)
        return found

    return algorithm._replace(prior=prior, decode=decode, sample=sample, evaluate=evaluate, score=score, probe=probe)


def _check(
    n_critic: int, share_fakes: bool, packing: int, classes: int | None, augment: Any, auxiliary: Auxiliary | None
) -> None:
    if n_critic < 1:
        raise UserError(f"n_critic is {n_critic}; the discriminator takes 1 step a round or more")
    if share_fakes and n_critic > 1:
        raise UserError(f"share_fakes makes one fake batch a round, but n_critic is {n_critic}; use n_critic 1")
    if packing > 1 and classes is not None:
        raise UserError("packing judges several examples at once, which have several labels; use packing 1 here")
    if packing > 1 and augment is not None:
        raise UserError("augmentations act on single images, and a packing discriminator sees stacks; use packing 1")
    if packing > 1 and auxiliary is not None:
        raise UserError(
            "a second head answers for single images, and a packing discriminator sees stacks; use packing 1"
        )


def need_labels(classes: int | None, model: str, name: str) -> int:
    """The number of classes. Raises UserError where a conditional model meets unlabelled data."""
    if classes is None:
        raise UserError(f"{model} needs labels, and {name} has none; use labelled data such as mnist5k, or dcgan")
    return classes


def need_whole_packs(packing: int, batch_size: int, devices: int = 1) -> int:
    """The packing. Raises UserError where a device's share of the batch is not a whole number of packs."""
    if packing < 1:
        raise UserError(f"packing {packing}: the discriminator judges 1 example at a time or more")
    if batch_size % (packing * devices):
        unit = packing * devices
        whole = f"{batch_size // unit * unit} or {-(-batch_size // unit) * unit}" if batch_size > unit else str(unit)
        on = f" on each of {devices} devices" if devices > 1 else ""
        raise UserError(f"packing {packing} does not divide a batch of {batch_size}{on}; try --batch-size {whole}")
    return packing

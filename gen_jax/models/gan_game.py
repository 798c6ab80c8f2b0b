"""The game of a GAN (Goodfellow et al. 2014): the generator's fakes, the discriminator on both kinds, and what each
player minimises."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from gen_jax.core import axis, keys, returned
from gen_jax.core.compose import descend
from gen_jax.core.norms import euclidean
from gen_jax.core.players import Call, Player, apply
from gen_jax.core.types import Array, Aux, Context, Players, Tree
from gen_jax.models.conditions import values_of
from gen_jax.models.gan_parts import Latents, Parts, Penalty, View
from gen_jax.objectives import statistics
from gen_jax.objectives.adversarial import AdversarialLoss
from gen_jax.objectives.logits import need_logits, with_extra
from gen_jax.objectives.packing import pack

Made = dict[str, Array]  # a fake batch, "fake" [B, *shape], and the "latents" [B, size] that it was made from
Extras = tuple[Tree, Tree]  # what a second head says of the real and of the fake batch


class Game(NamedTuple):
    """Who plays, by which rules."""

    players: dict[str, Player]  # "generator" and "discriminator"
    call: Call
    loss: AdversarialLoss
    latents: Latents
    given: tuple[str, ...]
    parts: Parts


def generate(game: Game, params: Players, context: Context) -> tuple[Made, Players]:
    """A fake batch with its latents, and the generator's new statistics."""
    noise = game.latents.draw(keys.named(context.key, "latents"), context.batch["x"].shape[0])
    given = values_of(context.batch, game.given)
    fake, stats = game.call("generator", params, context.stats, noise, *given, train=True, key=context.key)
    return {"fake": fake, "latents": noise}, {"generator": stats}


def fakes(game: Game, params: Players, context: Context) -> tuple[Made, Players]:
    """The fake batch that phases share, where they do; else one of this phase's own."""
    return generate(game, params, context) if context.shared is None else (context.shared, {})


def judge(
    game: Game, params: Players, stats: Tree, images: Array, context: Context, purpose: str
) -> tuple[tuple[Array, Tree], Tree]:
    """((logits, extra), new statistics) of (packed) images as the discriminator sees them."""
    key = keys.named(context.key, purpose)
    images = game.parts.augmented(images, keys.named(key, "augment"), context)
    player, own, given = game.players["discriminator"], params["discriminator"], values_of(context.batch, game.given)
    answer, stats = apply(player, own, stats, images, *given, train=True, key=key)
    return (with_extra(answer, images) if game.parts.head else (need_logits(answer, images), None)), stats


def play(game: Game, params: Players, context: Context, made: Made) -> tuple[View, Extras, Tree]:
    """The discriminator on real and fake: (view, what its second head says, its new statistics)."""
    real, fake = pack(context.batch["x"], game.parts.packing), pack(made["fake"], game.parts.packing)
    fixed = context.stats["discriminator"]
    (real_logits, real_extra), stats = judge(game, params, fixed, real, context, "real")
    (fake_logits, fake_extra), stats = judge(game, params, stats, fake, context, "fake")

    def critic(images: Array) -> Array:
        return judge(game, params, fixed, images, context, "penalty")[0][0]

    view = View(critic, real, fake, real_logits, fake_logits, made["latents"], params, context, context.key)
    return view, (real_extra, fake_extra), stats


def charge(penalties: tuple[Penalty, ...], view: View) -> tuple[Array, dict[str, Array], dict[str, Tree]]:
    """(the sum of the penalties times their weights, each penalty without its weight, the controllers they move)."""
    total, metrics, moved = jnp.float32(0.0), {}, {}
    for penalty in penalties:
        value = penalty.function(view._replace(key=keys.named(view.key, penalty.weight)))
        if isinstance(value, tuple) and len(value) == 2:
            value, after = value
            moved |= after
        returned.scalar(value, f"penalty {penalty.weight}: what it returns")
        metrics[f"penalty/{penalty.weight}"] = value
        total += view.context.hyper[penalty.weight] * value
    return total, metrics, jax.lax.stop_gradient(moved)


def discriminator_loss(
    game: Game, params: Players, context: Context, made: Made
) -> tuple[Array, tuple[View, Tree, dict[str, Array]]]:
    """What the discriminator minimises on these fakes, and (view, its new statistics, metrics)."""
    view, extras, stats = play(game, params, context, made)
    value = game.parts.adapted(game.loss, context).discriminator(view.real_logits, view.fake_logits)
    returned.scalar(value, "the discriminator's loss")
    metrics = {
        "loss/discriminator": value,
        "logits/real": view.real_logits.mean(),
        "logits/fake": view.fake_logits.mean(),
    }
    if not axis.bound(axis.EXAMPLE_AXIS):  # an example alone has no spread (`gradients.private`)
        metrics |= statistics.of_logits(view.real_logits, view.fake_logits)
    if head := game.parts.head:
        metrics["auxiliary/discriminator"] = head.discriminator(*extras, view)
        returned.scalar(metrics["auxiliary/discriminator"], f"head {head.weight}: the discriminator's loss")
        value += context.hyper[head.weight] * metrics["auxiliary/discriminator"]
    extra, more, _ = charge(game.parts.penalties, view)
    return value + extra, (view, stats, metrics | more)


def discriminator_objective(game: Game, params: Players, context: Context) -> tuple[Array, Aux]:
    """The discriminator's phase: its loss on fakes that are constants, after which the controllers move."""
    made, generator_stats = fakes(game, params, context)
    value, (view, stats, metrics) = discriminator_loss(game, params, context, jax.lax.stop_gradient(made))
    moved = {c.name: c.update(context.aux[c.name], view) for c in game.parts.controllers if c.update}
    stats = {"discriminator": stats, **generator_stats}
    return value, Aux(stats, metrics | told(context, moved), jax.lax.stop_gradient(moved))


def told(context: Context, moved: dict[str, Tree]) -> dict[str, Array]:
    """Controllers as metrics, a number each. Raises UserError for one that is no number, nor made of numbers; and for
    one whose next value is not of the make of the one before."""
    returned.moved(context.aux, moved, "controller")
    found = {}
    for name, after in moved.items():
        for path, leaf in jax.tree.leaves_with_path(after):
            what = f"controller {name}{jax.tree_util.keystr(path)}: its value"
            returned.scalar(leaf, what, "of several numbers make a dict, a number each")
            parts = jax.tree_util.keystr(path, simple=True, separator="/")
            found["/".join(["aux", name, *([parts] if parts else [])])] = jnp.asarray(leaf, jnp.float32)
    return found


def generator_objective(game: Game, params: Players, context: Context) -> tuple[Array, Aux]:
    """The generator's phase, against the discriminator as it is or, unrolled, as it would become."""
    made, generator_stats = fakes(game, params, context)
    faced = look_ahead(game, params, context, made) if game.parts.unroll else params
    # Only relativistic losses use the real logits; for the others XLA drops that forward pass as dead code.
    view, extras, _ = play(game, faced, context, made)
    value = game.parts.adapted(game.loss, context).generator(view.real_logits, view.fake_logits)
    returned.scalar(value, "the generator's loss")
    metrics = {"loss/generator": value}
    if head := game.parts.head:
        metrics["auxiliary/generator"] = head.generator(*extras, view)
        returned.scalar(metrics["auxiliary/generator"], f"head {head.weight}: the generator's loss")
        value += context.hyper[head.weight] * metrics["auxiliary/generator"]
    extra, more, moved = charge(game.parts.generator_penalties, view)
    return value + extra, Aux(generator_stats, metrics | more | told(context, moved), moved)


def look_ahead(game: Game, params: Players, context: Context, made: Made) -> Players:
    """The players with the discriminator `unroll` optimizer steps on, differentiable in the fakes (Metz et al. 2017).

    The steps are the engine's: over the whole batch, clipped and projected as the discriminator's own are.
    """
    player = game.players["discriminator"]

    def one(carry: tuple[Tree, Tree], _: None) -> tuple[tuple[Tree, Tree], None]:
        ahead, opt = carry
        slope = jax.grad(lambda p: discriminator_loss(game, {**params, "discriminator": p}, context, made)[0])(ahead)
        # An unused weight has slope 0, where the root that Adam divides by has no derivative.
        slope = jax.tree.map(lambda g: jnp.where(g == 0, 1e-12, g), axis.pmean(slope))
        return descend(player, context.hyper, ahead, opt, slope, euclidean(slope)), None

    start = (params["discriminator"], context.opt["discriminator"])
    (ahead, _), _ = jax.lax.scan(one, start, None, length=game.parts.unroll)
    return {**params, "discriminator": ahead}

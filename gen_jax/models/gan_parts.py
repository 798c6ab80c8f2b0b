"""The optional parts of a GAN: what they see, and where they enter the game.

Published GANs differ in these and in their networks, not in the game. A `Term` carries every part that one idea needs
(ADA: an augmentation and the controller that moves its probability), so that none can be forgotten; `gan` takes a
sequence of terms, in which order matters as in optax.chain.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import jax

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Code, Context, Hyper, Players, Tree
from gen_jax.objectives.adversarial import AdversarialLoss


class Latents(NamedTuple):
    """What fakes are made from: `draw(key, count)` gives [count, size]."""

    size: int
    draw: Callable[[Array, int], Array]
    normal: bool = False  # whether they are N(0, I)
    codes: tuple[Code, ...] = ()  # what of them means something beside noise


def normal_latents(size: int) -> Latents:
    """Standard normal latents."""
    return Latents(size, lambda key, count: keys.normal(key, count, size), normal=True)


def uniform_latents(size: int) -> Latents:
    """Latents uniform on [-1, 1)."""
    return Latents(size, lambda key, count: keys.uniform(key, count, size, minval=-1.0, maxval=1.0))


class View(NamedTuple):
    """What a part sees of one objective's forward pass. Under packing images and logits are packed already."""

    # images [B, ...] -> logits [B]: the discriminator as it stands, statistics fixed, under augmentations of its own
    # draw (StyleGAN2-ADA and R3GAN penalise the slope of the pass that the logits come from: same law, other draw)
    critic: Callable[[Array], Array]
    real: Array
    fake: Array
    real_logits: Array
    fake_logits: Array
    latents: Array  # that the fakes were made from, [B, ...]
    params: Players  # differentiable in the phase's own player
    context: Context
    key: Array  # own to the part


class Penalty(NamedTuple):
    """A further term of a player's loss: hyper[weight] * function(view).

    The function may give (value, {name of a controller: its next value}), where only the penalty knows how it moves.
    """

    weight: str
    function: Callable[[View], Array | tuple[Array, dict[str, Tree]]]


class Head(NamedTuple):
    """A second head of the discriminator (AC-GAN's classifier, InfoGAN's Q): hyper[weight] times a loss each.

    The discriminator then returns (logits, extra); `extra` may be any pytree. Losses are
    (real_extra, fake_extra, view) -> scalar.
    """

    weight: str
    discriminator: Callable[[Any, Any, View], Array]
    generator: Callable[[Any, Any, View], Array]
    groups: int = 0  # the first so many of what it says are the logits of groups that no label named


class Controller(NamedTuple):
    """A value in `State.aux` that follows the discriminator's logits: ADA's probability, BEGAN's balance.

    `update(value, view)` gives the next value after each discriminator step; None where a penalty moves it.
    """

    name: str
    initial: Tree
    update: Callable[[Tree, View], Tree] | None


# Changes the game by what only a step knows (annealed top-k, BEGAN's balance): (loss, context) -> loss.
Adapt: TypeAlias = Callable[[AdversarialLoss, Context], AdversarialLoss]
# What the discriminator sees in place of an image, in both phases: (images, key, context) -> images.
Augment: TypeAlias = Callable[[Array, Array, Context], Array]
# Applied to the discriminator's parameters after each of its steps: (parameters, hyper) -> parameters.
Project: TypeAlias = Callable[[Tree, Hyper], Tree]


class Term(NamedTuple):
    """All that one idea adds to a GAN; published ones are in `gan_terms` and `gan_heads`."""

    penalty: Penalty | None = None  # of the discriminator
    generator_penalty: Penalty | None = None
    augment: Augment | None = None
    adapt: Adapt | None = None
    head: Head | None = None
    controller: Controller | None = None
    project: Project | None = None
    unroll: int = 0  # optimizer steps that the generator sees the discriminator ahead (Metz et al. 2017)
    packing: int = 1  # examples that the discriminator judges at once (PacGAN)


class Parts(NamedTuple):
    """The parts of all terms by kind, in the order of the terms."""

    penalties: tuple[Penalty, ...]
    generator_penalties: tuple[Penalty, ...]
    augments: tuple[Augment, ...]
    adapts: tuple[Adapt, ...]
    head: Head | None
    controllers: tuple[Controller, ...]
    projects: tuple[Project, ...]
    unroll: int
    packing: int

    def adapted(self, loss: AdversarialLoss, context: Context) -> AdversarialLoss:
        """The game as this step plays it."""
        for adapt in self.adapts:
            loss = adapt(loss, context)
        return loss

    def augmented(self, images: Array, key: Array, context: Context) -> Array:
        """Images as the discriminator sees them; every augmentation has a key of its own."""
        for number, augment in enumerate(self.augments):
            images = augment(images, jax.random.fold_in(key, number), context)
        return images

    def projected(self, params: Tree, hyper: Hyper) -> Tree:
        """The discriminator's parameters where they may be."""
        for project in self.projects:
            params = project(params, hyper)
        return params


def chain(terms: Iterable[Term], given: Mapping[str, object] = {}) -> Parts:
    """The parts of all terms.

    Raises UserError for terms that cannot stand together: two heads, two controllers of a name, two penalties of a
    player under one weight; and packing beside what acts on, or is known of, single images.
    """
    terms = tuple(terms)
    parts = Parts(
        penalties=tuple(t.penalty for t in terms if t.penalty),
        generator_penalties=tuple(t.generator_penalty for t in terms if t.generator_penalty),
        augments=tuple(t.augment for t in terms if t.augment),
        adapts=tuple(t.adapt for t in terms if t.adapt),
        head=next((t.head for t in terms if t.head), None),
        controllers=tuple(t.controller for t in terms if t.controller),
        projects=tuple(t.project for t in terms if t.project),
        unroll=max((t.unroll for t in terms), default=0),
        packing=max((t.packing for t in terms), default=1),
    )
    _refuse_twice("a second head", [t.head.weight for t in terms if t.head], same=False)
    _refuse_twice("unrolling", [str(t.unroll) for t in terms if t.unroll], same=False)
    _refuse_twice("packing", [str(t.packing) for t in terms if t.packing > 1], same=False)
    _refuse_twice("a controller", [controller.name for controller in parts.controllers])
    _refuse_twice("a penalty", [penalty.weight for penalty in parts.penalties])
    _refuse_twice("a penalty of the generator", [penalty.weight for penalty in parts.generator_penalties])
    if parts.packing > 1:
        _refuse_packed(parts, given)
    return parts


def _refuse_twice(what: str, names: list[str], same: bool = True) -> None:
    """Names may not repeat; with `same` False there may be no second at all."""
    twice = [name for name, count in Counter(names).items() if count > 1] if same else names[1:]
    if twice:
        raise UserError(f"two terms bring {what} ({', '.join(names)}); a GAN takes one{' of a name' if same else ''}")


def _refuse_packed(parts: Parts, given: Mapping[str, object]) -> None:
    if given:
        raise UserError(
            f"packing judges several examples at once, which have several {', '.join(given)}s; use packing 1 here"
        )
    if parts.augments:
        raise UserError("augmentations act on single images, and a packing discriminator sees stacks; use packing 1")
    if parts.head:
        raise UserError(
            "a second head answers for single images, and a packing discriminator sees stacks; use packing 1"
        )

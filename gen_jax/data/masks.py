"""Which cells are hidden: mechanisms of missing data, for training, completing and scoring. 1: observed, 0: hidden.

A `Family` draws one mask of one example: (key, x) -> bool, [H, W] of an image, [D] of a row of a table. `draw` makes a
batch of them. What hides at random looks at the shape alone; `above` looks at the values, too.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.core.errors import UserError
from gen_jax.core.near import near

Family: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]
FAMILIES = "random, random:SHARE, half, quarter, square, everything, above or any"


def draw(family: Family, key: jax.Array, x: jax.Array) -> jax.Array:
    """A mask for each example, whatever the layout: images [B, H, W, C] -> float32 [B, H, W, 1], tables [B, D] ->
    [B, D]. A cell without a value (NaN) is never observed.
    """
    found = jax.vmap(family)(keys.per_example(keys.named(key, "mask"), x.shape[0]), x)
    return jnp.where(jnp.isnan(x), 0.0, found) if x.ndim == 2 else found.astype(jnp.float32)[..., None]


def for_scores(family: Family, key: jax.Array, x: jax.Array) -> jax.Array:
    """`draw`, with at least one observed cell an example where it has any: the first, where the family hides all."""
    mask = draw(family, key, x)
    flat = mask.reshape(x.shape[0], -1)
    known = ~jnp.isnan(x) if x.ndim == 2 else jnp.ones(flat.shape, bool)
    first = (jnp.arange(flat.shape[1]) == jnp.argmax(known, axis=1)[:, None]) & known
    nothing = flat.sum(axis=1, keepdims=True) == 0
    return jnp.where(nothing & first, 1.0, flat).reshape(mask.shape)


# ---- families --------------------------------------------------------------------------------------------------------
def at_random(low: float = 0.2, high: float = 0.9) -> Family:
    """Each cell hidden with one chance an example, drawn evenly from low to high (MCAR)."""

    def family(key: jax.Array, x: jax.Array) -> jax.Array:
        chance, cells = jax.random.split(key)
        share = jax.random.uniform(chance, (), minval=low, maxval=high) if high > low else low
        return jax.random.uniform(cells, _cells(x)) >= share

    return family


def half(key: jax.Array, x: jax.Array) -> jax.Array:
    """One of the four halves of an image observed."""
    rows, columns, flags = *_grid(x, "half"), jax.random.bernoulli(key, 0.5, (3,))
    upper, left = (rows < rows.size // 2) ^ flags[0], (columns < columns.size // 2) ^ flags[1]
    return jnp.broadcast_to(jnp.where(flags[2], upper, left), _cells(x))


def quarter(key: jax.Array, x: jax.Array) -> jax.Array:
    """One quarter of an image observed alone, or hidden alone."""
    rows, columns, flags = *_grid(x, "quarter"), jax.random.bernoulli(key, 0.5, (3,))
    upper, left = (rows < rows.size // 2) ^ flags[0], (columns < columns.size // 2) ^ flags[1]
    return (upper & left) ^ flags[2]


def square(key: jax.Array, x: jax.Array) -> jax.Array:
    """A square of a quarter to three quarters of the shorter side hidden, anywhere."""
    rows, columns = _grid(x, "square")
    size_key, top, left = jax.random.split(key, 3)
    smaller = min(rows.size, columns.size)
    size = jax.random.randint(size_key, (), max(smaller // 4, 1), max(3 * smaller // 4, 1) + 1)
    row = jax.random.randint(top, (), 0, rows.size - size + 1)
    column = jax.random.randint(left, (), 0, columns.size - size + 1)
    return ~((rows >= row) & (rows < row + size) & (columns >= column) & (columns < column + size))


def everything(key: jax.Array, x: jax.Array) -> jax.Array:
    """Nothing observed."""
    return jnp.zeros(_cells(x), bool)


def above(key: jax.Array, x: jax.Array) -> jax.Array:
    """Missing not at random: what lies above the mean (0 in the units of a table) is hidden, in the first half of the
    columns (Ipsen et al. 2021, not-MIWAE, arXiv:2006.12871, section 4.1). For tables."""
    if x.ndim != 1:
        raise UserError(
            "mask above: values hide themselves in tables, and these are images; use random, half or square"
        )
    return (jnp.arange(x.size) >= x.size // 2) | (x <= 0)


def one_of(*families: Family) -> Family:
    """One of these, drawn evenly an example."""

    def family(key: jax.Array, x: jax.Array) -> jax.Array:
        chosen, own = jax.random.split(key)
        found = jnp.stack([each(jax.random.fold_in(own, number), x) for number, each in enumerate(families)])
        return found[jax.random.randint(chosen, (), 0, len(families))]

    return family


# ---- by name ---------------------------------------------------------------------------------------------------------
def named(*texts: str) -> Family:
    """What a person calls families: of `FAMILIES`, one or several to draw from. "any": all that suit the data (at
    random and everything for tables; halves, quarters and squares, too, for images). Raises UserError.
    """
    found = [_named(text) for text in texts]
    return found[0] if len(found) == 1 else one_of(*found)


def _named(text: str) -> Family:
    plain = {
        "random": at_random(), "half": half, "quarter": quarter, "square": square, "everything": everything,
        "above": above, "any": any_that_suits,
    }  # fmt: skip
    name, colon, argument = text.partition(":")
    if not colon and name in plain:
        return plain[name]
    if name == "random":
        try:
            share = float(argument)
        except ValueError:
            share = -1.0
        if not 0 < share < 1:
            raise UserError(f"mask {text}: give the share of hidden cells, above 0 and below 1, as in random:0.5")
        return at_random(share, share)
    close = near(name, plain)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UserError(f"there is no mask {text!r}; {hint}there are {FAMILIES}")


def any_that_suits(key: jax.Array, x: jax.Array) -> jax.Array:
    """Of every family that suits an example of this shape."""
    shapes = (half, quarter, square) if x.ndim == 3 else ()
    return one_of(at_random(), everything, *shapes)(key, x)


def _cells(x: jax.Array) -> tuple[int, ...]:
    return x.shape[:2] if x.ndim == 3 else x.shape


def _grid(x: jax.Array, name: str) -> tuple[jax.Array, jax.Array]:
    """Row numbers [H, 1] and column numbers [1, W]. Raises UserError for what has none."""
    if x.ndim != 3:
        raise UserError(f"mask {name}: it hides a part of an image, and these are points; use random or random:0.5")
    return jnp.arange(x.shape[0])[:, None], jnp.arange(x.shape[1])[None, :]

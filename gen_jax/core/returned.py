"""What the functions of a phase returned, held against what the engine needs of it while it is traced: a mistake of an
own loss, penalty, controller or network is said in one line, and by its name."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Aux, Tree


def written(value: Any) -> str:
    """What an array is, as JAX writes it, "float32[64, 1]"; of anything else the type: "a tuple"."""
    found = _type(value)
    return f"a {type(value).__name__}" if found is None else f"{found.dtype}{list(found.shape)}"


MEAN = "take the mean over the batch, such as jnp.mean(…)"


def scalar(value: Any, what: str, instead: str = MEAN) -> None:
    """Raises UserError where a value, called `what`, is no single number; of an array with what to do `instead`."""
    found = _type(value)
    if found is None or found.shape != () or jnp.issubdtype(found.dtype, jnp.complexfloating):
        hint = f"; {instead}" if found is not None and found.shape else ""
        raise UserError(f"{what} is {written(value)}, and it must be one number, float32[]{hint}")


def by_objective(found: Any, moving: Sequence[str]) -> tuple[Array, Aux]:
    """What the objective of the phase that moves these players returned. Raises UserError where it is not a loss, one
    float, with an `Aux` of single numbers as metrics."""
    phase = f"the phase that moves {' and '.join(moving)}"
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[1], Aux):
        raise UserError(f"{phase}: its objective returned {written(found)}, and it must return (loss, Aux(…))")
    loss, aux = found
    scalar(loss, f"{phase}: its loss")
    if not jnp.issubdtype(jnp.result_type(loss), jnp.floating):
        raise UserError(f"{phase}: its loss is {written(loss)}, which has no gradient; it must be float32[]")
    for name, value in aux.metrics.items():
        scalar(value, f"{phase}: its metric {name}")
    return loss, aux


def same(before: Tree, after: Tree, what: str) -> None:
    """Raises UserError where the next value of `what` has other parts, shapes or dtypes than the one before: a state
    keeps its make, or the program could not go on with it."""
    if jax.tree.structure(before) != jax.tree.structure(after):
        raise UserError(
            f"{what}: its next value is {_parts(after)}, and before it was {_parts(before)}; both must be alike"
        )
    for (path, old), new in zip(jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if _make(old) != _make(new):
            where = f"{what}{jax.tree_util.keystr(path)}"
            raise UserError(
                f"{where}: its next value is {written(new)}, and before it was {written(old)}; both must be alike"
            )


def moved(before: Mapping[str, Tree], after: Mapping[str, Tree], what: str) -> None:
    """`same`, of the new values of some of these controllers or statistics. Raises UserError for others, too."""
    if unknown := sorted(set(after) - set(before)):
        raise UserError(
            f"{what} {unknown[0]}: it is given a new value, and there is none; there are {', '.join(before)}"
        )
    for name, value in after.items():
        same(before[name], value, f"{what} {name}")


def stepped(player: str, before: tuple[Tree, Tree], after: tuple[Tree, Tree]) -> tuple[Tree, Tree]:
    """What a step makes of a player's (params, opt). Raises UserError where these are of another make than before."""
    try:
        for what, old, new in zip(("parameters", "optimizer's state"), before, after, strict=True):
            same(old, new, f"a step of {player}: its {what}")
    except UserError:
        for path, leaf in jax.tree.leaves_with_path(before[0]):
            if leaf.dtype != jnp.float32:  # why, in most cases
                raise UserError(
                    f"{player}: its parameter {jax.tree_util.keystr(path)} is {written(leaf)}, and parameters are "
                    "float32 at every --precision; leave the layers' param_dtype alone, dtype is what they compute in"
                ) from None
        raise
    return after


def _type(value: Any) -> Any:
    try:
        return jax.typeof(value)
    except TypeError:
        return None


def _make(value: Any) -> tuple[Any, Any] | None:
    found = _type(value)
    return None if found is None else (found.shape, found.dtype)


def _parts(tree: Tree) -> str:
    leaves = jax.tree.leaves_with_path(tree)
    return ", ".join(f"{jax.tree_util.keystr(path)} {written(leaf)}".strip() for path, leaf in leaves) or "empty"

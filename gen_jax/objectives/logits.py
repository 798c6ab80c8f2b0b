"""What a discriminator must return, and what to say where it does not."""

from typing import Any

from gen_jax.core import returned
from gen_jax.core.errors import UserError
from gen_jax.core.types import Array, Tree


def need_logits(found: Any, x: Array) -> Array:
    """The logits [B] that a discriminator returned of x [B, ...]. Raises UserError for anything else: [B, 1] beside [B]
    would broadcast to [B, B], and train on the wrong numbers."""
    rows = x.shape[0]
    if getattr(found, "shape", None) != (rows,):
        hint = "; take the column, as in x[:, 0]" if getattr(found, "shape", None) == (rows, 1) else ""
        raise UserError(
            f"a discriminator must return one logit a row, [{rows}]; this one gave {returned.written(found)}{hint}"
        )
    return found


def with_extra(found: Any, x: Array) -> tuple[Array, Tree]:
    """(logits, what the second head says), of a discriminator that has one. Raises UserError for anything else."""
    if not isinstance(found, tuple) or len(found) != 2:
        raise UserError(
            f"a discriminator with a second head must return (logits, extra); this one gave {returned.written(found)}"
        )
    return need_logits(found[0], x), found[1]

"""What kinds of x there are: how each is drawn, described and compared. A further kind is a file here and no branch.

The tools of the project ask a `Source` for its `kind` and the kind for what they need; what is of images alone asks
`need_images`.
"""

from typing import Protocol

from gen_jax.core.errors import UserError
from gen_jax.data.kinds.images import IMAGES as IMAGES
from gen_jax.data.kinds.kind import Kind as Kind
from gen_jax.data.kinds.points import POINTS as POINTS
from gen_jax.data.kinds.tables import MIXED as MIXED
from gen_jax.data.kinds.tables import TABLES as TABLES
from gen_jax.data.kinds.tables import of_columns as of_columns


class OfAKind(Protocol):
    """As much of a `Source` as is asked here."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...


def of(shape: tuple[int, ...]) -> Kind:
    """What examples of a shape are where nobody says it: [H, W, C] images, [D] points."""
    return IMAGES if len(shape) == 3 else POINTS


def need_images(source: OfAKind, what: str, instead: str) -> None:
    """Raises UserError, with what to do `instead`, where the data are no images."""
    if source.kind is not IMAGES:
        raise UserError(f"{what} is for images, and {source.name} has {source.kind.name}; {instead}")

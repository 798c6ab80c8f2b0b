"""What networks of images say to data that are none."""

from gen_jax.core.errors import UserError

INSTEAD = "for points there are experiments/gan.py and vae_points.py, for tables ctgan.py and tvae.py"


def need_images(shape: tuple[int, ...], what: str) -> None:
    """Raises UserError, with the scripts that take them, where examples of this `shape` are rows of numbers."""
    if len(shape) == 1:
        raise UserError(f"{what} of images, not of points or rows of {shape[0]} numbers; {INSTEAD}")

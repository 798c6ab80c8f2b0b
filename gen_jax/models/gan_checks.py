"""What a script of a GAN asks of its data and settings before it builds anything."""

from gen_jax.core.errors import UserError


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

"""What a GAN asks of its data and settings before anything is built; and what private training cannot have."""

from gen_jax.core.errors import UserError
from gen_jax.models.gan_parts import Parts
from gen_jax.objectives.adversarial import AdversarialLoss, relativistic_discriminator


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


def refuse_mixing(parts: Parts, loss: AdversarialLoss, share_fakes: bool) -> None:
    """Raises UserError where a discriminator's gradient of one example depends on others, or a controller follows them:
    no such GAN can be trained privately."""
    found = {
        "packing judges several examples at once": parts.packing > 1,
        "ADA and its like follow what the discriminator says of real examples": bool(parts.controllers),
        "what a step knows of its batch changes the loss (top-k, BEGAN)": bool(parts.adapts),
        "unrolled steps of the discriminator see data": parts.unroll > 0,
        "this loss takes means over the batch": loss.of_batch,
        "a relativistic loss pairs the generator with real examples": loss.discriminator is relativistic_discriminator,
        "shared fakes are made once for the whole batch": share_fakes,
        "penalties of the generator may look at real examples": bool(parts.generator_penalties),
    }
    if reasons := [reason for reason, holds in found.items() if holds]:
        raise UserError(f"--private: {reasons[0]}; leave it out of a private run")

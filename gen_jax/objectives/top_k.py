"""Top-k training of GANs (Sinha et al. 2020): the generator learns only from the k fakes that the critic likes best.

k may be traced (it is annealed), so nothing is sliced: rows outside the best k get weight zero. The best k are those of
the global batch, so each instance of a mapped program weighs its own rows by their rank among all.
"""

import jax
import jax.numpy as jnp

from gen_jax.core import axis
from gen_jax.core.errors import UserError
from gen_jax.objectives import adversarial
from gen_jax.objectives.adversarial import AdversarialLoss


def top_k_weights(fake_logits: jax.Array, k: int | float | jax.Array) -> jax.Array:
    """Weights [B] with global mean 1: global B / k for the k largest logits of the global batch, else 0.

    Exactly k rows count: ties go to the earlier row. `k` is clipped to [1, global B]; no gradient flows.
    """
    everyone = axis.gather(jax.lax.stop_gradient(fake_logits))
    count = everyone.shape[0]
    best_first = jnp.argsort(-everyone, stable=True)
    rank = jnp.zeros(count, jnp.int32).at[best_first].set(jnp.arange(count, dtype=jnp.int32))
    k = jnp.clip(jnp.floor(jnp.asarray(k, fake_logits.dtype)), 1, count)
    return jnp.where(rank[axis.rows(fake_logits.shape[0])] < k, count / k, 0.0).astype(fake_logits.dtype)


def top_k_mean(values: jax.Array, fake_logits: jax.Array, k: int | float | jax.Array) -> jax.Array:
    """Mean of `values` [B] over the k rows with the largest `fake_logits` [B]; its pmean is the global one."""
    return jnp.mean(top_k_weights(fake_logits, k) * values)


def top_k(loss: AdversarialLoss, k: int | float | jax.Array) -> AdversarialLoss:
    """`loss` with a generator that averages over its k best fakes only; the discriminator is unchanged.

    The generator's loss must be a mean of one term a row: UserError for relativistic_average, whose rows interact.
    """
    if loss.generator is adversarial.relativistic_average_generator:
        raise UserError("top-k training needs a loss with one term an example: use any but relativistic_average")

    def generator(real_logits: jax.Array, fake_logits: jax.Array) -> jax.Array:
        reals = real_logits if real_logits.shape == fake_logits.shape else jnp.zeros_like(fake_logits)
        terms = jax.vmap(lambda real, fake: loss.generator(real[None], fake[None]))(reals, fake_logits)
        return top_k_mean(terms, fake_logits, k)

    return loss._replace(generator=generator)


def annealed_k(
    step: jax.Array, batch_size: int, interval: int, decay: float = 0.99, fraction: float = 0.5
) -> jax.Array:
    """k at `step`: batch_size * decay^(step // interval), floored at `fraction` of the batch (section 4; both in rows).

    The paper multiplies by .99 once an epoch (`interval` steps) down to between a half and three quarters of the batch.
    """
    elapsed = jnp.asarray(step // interval, jnp.float32)
    return jnp.maximum(jnp.floor(batch_size * decay**elapsed), jnp.floor(fraction * batch_size))

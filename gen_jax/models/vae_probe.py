"""What is worth knowing of a VAE every so many steps, and too dear for every one: for the diagnosis of runs."""

from collections.abc import Callable

from gen_jax.core.types import Array, Batch, State, Weights, given_of
from gen_jax.objectives import divergences, statistics


def vae_probe(
    encode: Callable[..., dict[str, Array]],
    decode: Callable[..., Array],
    given: tuple[str, ...],
    analytic: bool,
    shape: tuple[int, ...],
) -> Callable[[State, Batch, Array], dict[str, Array]]:
    """(state, batch, key) -> activity of the latent units, their KL to N(0, I) where that is the prior (`analytic`),
    and of images how sharp reconstructions of the posterior's mean are. Raw weights."""

    def probe(state: State, batch: Batch, key: Array) -> dict[str, Array]:
        now, real = Weights(state.params, state.stats), batch["x"]
        code = encode(now, batch)
        kl = divergences.kl_standard_normal(code["mean"], code["log_variance"]) if analytic else None
        found = statistics.of_latents(code["mean"], kl)
        if len(shape) == 3:
            again = decode(now, code["mean"], given_of(batch, given))
            found["high_frequency/reconstructions"] = statistics.high_frequency_ratio(again, real)
        return found

    return probe

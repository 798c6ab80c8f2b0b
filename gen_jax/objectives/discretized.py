"""Likelihoods of 8-bit levels: discretized logistic, its mixture with coupled channels, and a 256-way softmax.

An image in [-1, 1] stands for the levels round((x + 1) 127.5) in 0..255, each 2/255 wide; the first and last levels
take the tails (Kingma et al. 2016, IAF, appendix; Salimans et al. 2017, PixelCNN++, section 2.1). All sum to 1.
"""

import jax
import jax.numpy as jnp

from gen_jax.core import keys
from gen_jax.objectives.likelihoods import HALF_RANGE, Likelihood

MIN_LOG_SCALE, MAX_LOG_SCALE = -7.0, 10.0  # PixelCNN++'s floor: far narrower than a level; the top keeps widths above 0
LEVELS = 256


def _to_level(image: jax.Array) -> jax.Array:
    return jnp.clip(jnp.round((image + 1.0) * HALF_RANGE), 0, LEVELS - 1)


def _to_grid(values: jax.Array) -> jax.Array:
    """The nearest of the 256 levels, as an image in [-1, 1]."""
    return _to_level(values) / HALF_RANGE - 1.0


def _level_log_prob(image: jax.Array, location: jax.Array, log_scale: jax.Array) -> jax.Array:
    """log P(level) = log(F(upper edge) - F(lower edge)) for a logistic, elementwise; the tails belong to the ends.

    In the interior σ(b) - σ(a) = σ(b) σ(-a) (1 - e^{a-b}), whose log has no cancellation: exact in the far tails too,
    where PixelCNN++ falls back on the density at the centre.
    """
    level = _to_level(image)
    centred = level / HALF_RANGE - 1.0 - location
    inverse_scale = jnp.exp(-log_scale)
    lower = (centred - 0.5 / HALF_RANGE) * inverse_scale
    upper = (centred + 0.5 / HALF_RANGE) * inverse_scale
    width = inverse_scale / HALF_RANGE  # upper - lower, before rounding
    interior = jax.nn.log_sigmoid(upper) + jax.nn.log_sigmoid(-lower) + jnp.log(-jnp.expm1(-width))
    first, last = jax.nn.log_sigmoid(upper), jax.nn.log_sigmoid(-lower)
    return jnp.where(level == 0, first, jnp.where(level == LEVELS - 1, last, interior))


def _clipped_mean(location: jax.Array, log_scale: jax.Array) -> jax.Array:
    """E[clip(X, -1, 1)] for a logistic X: 1 - ∫F over [-1, 1]. The mean over levels, to a fraction of a level."""
    scale = jnp.exp(log_scale)
    area = jax.nn.softplus((1.0 - location) / scale) - jax.nn.softplus((-1.0 - location) / scale)
    return 1.0 - scale * area


def _logistic(uniforms: jax.Array) -> jax.Array:
    inside = jnp.clip(uniforms, 1e-6, 1.0 - 1e-6)
    return jnp.log(inside) - jnp.log1p(-inside)


def discretized_logistic() -> Likelihood:
    """A logistic for each pixel and channel: outputs [..., location C | log-scale C] (P = 2C)."""

    def split(outputs):
        location, log_scale = jnp.split(outputs, 2, axis=-1)
        return location, jnp.clip(log_scale, MIN_LOG_SCALE, MAX_LOG_SCALE)

    def log_prob(outputs, image):
        return _level_log_prob(image, *split(outputs))

    def sample(outputs, key):
        location, log_scale = split(outputs)
        uniforms = keys.uniform(keys.named(key, "likelihood"), location.shape[0], *location.shape[1:])
        return _to_grid(location + jnp.exp(log_scale) * _logistic(uniforms))

    return Likelihood(
        "discretized_logistic", lambda c: 2 * c, log_prob, lambda o: _clipped_mean(*split(o)), sample, LEVELS
    )


def _pairs(channels: int) -> int:
    return channels * (channels - 1) // 2


def discretized_logistic_mixture(components: int = 10) -> Likelihood:
    """PixelCNN++ mixture of K logistics, channels coupled: given the component, green's location is linear in red,
    blue's in red and green (Salimans et al. 2017, eq. 3).

    Outputs [..., logits K | locations C K | log-scales C K | couplings C(C-1)/2 K], so P = 10 K for colour and 3 K for
    grey; the mixture weight is shared by a pixel's channels and couplings pass through tanh. A pixel's channels have
    one probability together: `log_prob` is [B, ..., 1]. `mean` puts the channels'
    means (not their draws) into the coupling: exact for grey, and for colour wherever clipping plays no part.
    """

    def parameters(channels: int) -> int:
        return components * (1 + 2 * channels + _pairs(channels))

    def split(outputs):
        per_component = outputs.shape[-1] // components  # 1 + 2C + C(C-1)/2, which grows with C
        channels = max(c for c in range(per_component) if 1 + 2 * c + _pairs(c) <= per_component)
        logits, rest = outputs[..., :components], outputs[..., components:]
        rest = rest.reshape(*rest.shape[:-1], -1, components)
        locations, log_scales = rest[..., :channels, :], rest[..., channels : 2 * channels, :]
        return (
            logits,
            locations,
            jnp.clip(log_scales, MIN_LOG_SCALE, MAX_LOG_SCALE),
            jnp.tanh(rest[..., 2 * channels :, :]),
        )

    def shifted(locations, couplings, channel, earlier):
        """The channel's location given the earlier channels' values, each [..., K]."""
        start = _pairs(channel)
        shifts = [couplings[..., start + i, :] * value for i, value in enumerate(earlier)]
        return locations[..., channel, :] + sum(shifts)

    def log_prob(outputs, image):
        logits, locations, log_scales, couplings = split(outputs)
        values = [_to_grid(image[..., c, None]) for c in range(image.shape[-1])]
        total = jax.nn.log_softmax(logits, axis=-1)
        for c, value in enumerate(values):
            location = shifted(locations, couplings, c, values[:c])
            total = total + _level_log_prob(value, location, log_scales[..., c, :])
        return jax.nn.logsumexp(total, axis=-1, keepdims=True)

    def mean(outputs):
        logits, locations, log_scales, couplings = split(outputs)
        channel_means = []
        for c in range(locations.shape[-2]):
            location = shifted(locations, couplings, c, channel_means)
            channel_means.append(_clipped_mean(location, log_scales[..., c, :]))
        weights = jax.nn.softmax(logits, axis=-1)
        return jnp.stack([jnp.sum(weights * m, axis=-1) for m in channel_means], axis=-1)

    def sample(outputs, key):
        logits, locations, log_scales, couplings = split(outputs)
        key = keys.named(key, "likelihood")
        gumbel = keys.draw(
            keys.named(key, "component"), logits.shape[0], lambda k: jax.random.gumbel(k, logits.shape[1:])
        )
        chosen = jax.nn.one_hot(jnp.argmax(logits + gumbel, axis=-1), components, dtype=logits.dtype)
        locations, log_scales, couplings = (
            jnp.sum(p * chosen[..., None, :], axis=-1, keepdims=True) for p in (locations, log_scales, couplings)
        )
        noise = _logistic(keys.uniform(key, logits.shape[0], *locations.shape[1:-1]))
        values: list[jax.Array] = []
        for c in range(locations.shape[-2]):
            location = shifted(locations, couplings, c, values)
            values.append(_to_grid(location + jnp.exp(log_scales[..., c, :]) * noise[..., c, None]))
        return jnp.concatenate(values, axis=-1)

    return Likelihood(f"discretized_logistic_mixture{components}", parameters, log_prob, mean, sample, LEVELS)


def categorical256() -> Likelihood:
    """A free distribution over the 256 levels of each pixel and channel: outputs [..., C x 256] logits (P = 256 C)."""

    def split(outputs):
        return outputs.reshape(*outputs.shape[:-1], -1, LEVELS)

    def log_prob(outputs, image):
        log_probs = jax.nn.log_softmax(split(outputs), axis=-1)
        chosen = _to_level(image).astype(jnp.int32)[..., None]
        return jnp.take_along_axis(log_probs, chosen, axis=-1)[..., 0]

    def mean(outputs):
        grid = jnp.arange(LEVELS) / HALF_RANGE - 1.0
        return jax.nn.softmax(split(outputs), axis=-1) @ grid.astype(outputs.dtype)

    def sample(outputs, key):
        logits = split(outputs)
        draws = keys.draw(
            keys.named(key, "likelihood"), logits.shape[0], lambda k: jax.random.gumbel(k, logits.shape[1:])
        )
        return jnp.argmax(logits + draws, axis=-1) / HALF_RANGE - 1.0

    return Likelihood("categorical256", lambda c: LEVELS * c, log_prob, mean, sample, LEVELS)

"""A GAN of two small perceptrons on eight Gaussians on a ring: bound by overhead everywhere but in one program."""

from benchmarks.races import Race

WIDTH, DEPTH = 128, 3  # of the ring's WGAN-GP and of most published toy GANs

RACES = [
    Race(
        "ring-gan",
        f"MLP GAN on a ring, {DEPTH} × {WIDTH}, batch 100",
        "gan",
        {"data": "ring8", "batch_size": 100, "width": WIDTH, "depth": DEPTH, "steps_per_call": 200},
        "mlp.ring_gan",
        {"batch_size": 100, "width": WIDTH, "depth": DEPTH},
        0.5,
    )
]

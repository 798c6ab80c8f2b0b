"""WGAN-GP on DCGAN's networks at 32 pixels: five critic steps a round, each with a double backward pass."""

from benchmarks.races import Race

RACES = [
    Race(
        "wgan-gp-32",
        "WGAN-GP, DCGAN 32×32×3, width 64, batch 64, 5 critic steps",
        "wgan_gp",
        {"image_size": 32, "channels": 3, "batch_size": 64, "width": 64, "n_critic": 5, "steps_per_call": 5},
        "dcgan.wgan_gp",
        {"batch_size": 64, "width": 64, "size": 32, "n_critic": 5},
        0.9,
        note="torch.compile cannot differentiate twice: its critic step stays eager.",
    )
]

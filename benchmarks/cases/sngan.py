"""SNGAN's ResNets at 32 pixels in their published widths (4.3 M and 1.1 M parameters), five critic steps a round."""

from benchmarks.races import Race


def _race(name: str, width: int, critic_width: int, bar: float | None) -> Race:
    return Race(
        name,
        f"SNGAN-ResNet 32×32×3, widths {width} and {critic_width}, batch 64, 5 critic steps",
        "sngan",
        {
            "image_size": 32,
            "channels": 3,
            "batch_size": 64,
            "width": width,
            "critic_width": critic_width,
            "n_critic": 5,
            "steps_per_call": 2,
        },
        "sngan.gan",
        {"batch_size": 64, "width": width, "critic_width": critic_width, "n_critic": 5},
        bar,
    )


RACES = [_race("sngan-32", 256, 128, 1.0), _race("sngan-32-narrow", 64, 32, None)]

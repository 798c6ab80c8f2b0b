"""DCGAN at 32 and 64 pixels, width 64, batch 64, one fake batch for both players as in PyTorch's example."""

from benchmarks.races import Race


def _race(size: int, bar: float) -> Race:
    return Race(
        f"dcgan-{size}",
        f"DCGAN {size}×{size}×3, width 64, batch 64",
        "dcgan",
        {"image_size": size, "channels": 3, "batch_size": 64, "width": 64, "share_fakes": True, "steps_per_call": 10},
        "dcgan.gan",
        {"batch_size": 64, "width": 64, "size": size},
        bar,
    )


RACES = [_race(32, 0.9), _race(64, 0.9)]

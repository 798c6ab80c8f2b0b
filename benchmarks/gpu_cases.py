"""The races of `benchmarks.gpu`: those of `cases`, in a GPU's precision and with enough rounds a call."""

from typing import Any, NamedTuple

from benchmarks.cases import RACES
from benchmarks.races import Race

FOUR = ("eager", "compiled", "graph", "compiled_graph")
THREE = ("eager", "graph", "compiled_graph")  # `torch.compile`'s own graphs were never the best: told of two races


class Case(NamedTuple):
    """One race on a GPU. `bar`: images/s, ours to those of PyTorch's best way."""

    race: Race
    title: str
    settings: dict[str, Any]
    peer_settings: dict[str, Any]
    bfloat16: bool
    bar: float | None
    ways: tuple[str, ...] = THREE
    deterministic: bool = False

    @property
    def name(self) -> str:
        return self.race.name

    @property
    def per_call(self) -> int:
        return self.settings["steps_per_call"]


def scaled(value: int, scale: float, least: int = 8) -> int:
    return value if scale == 1 else max(least, int(value * scale) // 8 * 8)


def cases(scale: float) -> list[Case]:
    """In order of what it would cost to lose them."""
    batch, width = scaled(64, scale), scaled(64, scale)
    wide, narrow = scaled(256, scale), scaled(128, scale)
    size, critics = (64, 5) if scale == 1 else (32, 2)
    calls = (lambda count: count) if scale == 1 else (lambda count: 2)
    return [
        _case("dcgan-64", True, 1.1, calls(100), {"batch_size": batch, "width": width, "image_size": size}, True),
        _case("ring-gan", False, 1.5, calls(500), {}, True),
        _case(
            "sngan-32",
            True,
            1.8,
            calls(20),
            {"batch_size": batch, "width": wide, "critic_width": narrow, "n_critic": critics},
        ),
        _case("wgan-gp-32", True, 1.3, calls(40), {"batch_size": batch, "width": width, "n_critic": critics}),
        _case("mlp-vae-20", False, 1.5, calls(500), {}),
    ]


def _case(name: str, bfloat16: bool, bar: float, per_call: int, chosen: dict[str, Any], closely: bool = False) -> Case:
    race = RACES[name]
    theirs = {("size" if key == "image_size" else key): value for key, value in chosen.items()}
    precision = {"precision": "bfloat16" if bfloat16 else "float32", "steps_per_call": per_call}
    return Case(
        race,
        f"{race.title}, {'bfloat16' if bfloat16 else 'float32'}",
        race.settings | chosen | precision,
        race.peer_settings | theirs,
        bfloat16,
        bar,
        FOUR if closely else THREE,
        closely,
    )

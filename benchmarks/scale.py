"""What a run moves between devices: the collectives of its compiled program, and what they would cost on real links.

`python -m benchmarks.scale [EXPERIMENT …]` compiles one round of each, sharded over four CPU devices as on accelerators
(`--backend sharded`), and prints a line of JSON: collectives a round, and bytes. `simulated` is arithmetic.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DEVICES = 4
WIDTH = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4, "s64": 8, "f64": 8}
KINDS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute"
_OPERATION = re.compile(rf"^\s*(?:ROOT )?\S+ = (.*?) ({KINDS})(?:-start)?\(")
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.-]+) \(.*\{$")
_LOOP = re.compile(r" while\(.*body=%?([\w.-]+)")
_TIMES = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


class Link(NamedTuple):
    """A network: GB/s of one device in one direction, and seconds a message."""

    name: str
    bandwidth: float
    latency: float


LINKS = (
    Link("NVLink 4 within a machine (H100: 450 GB/s)", 450e9, 5e-6),
    Link("400 Gb/s InfiniBand a GPU (50 GB/s)", 50e9, 10e-6),
    Link("100 Gb/s Ethernet a GPU (12.5 GB/s)", 12.5e9, 30e-6),
    Link("10 Gb/s Ethernet a GPU (1.25 GB/s)", 1.25e9, 50e-6),
)


def collectives(text: str) -> Iterator[tuple[str, int, int]]:
    """(kind, bytes of the result, how often a round) of every collective in a compiled program's text. A loop of known
    length (the repeats of a phase) counts as often as it goes round; the loop over rounds is of no known length."""
    inside, lines, loops = "", list[tuple[str, str]](), list[tuple[str, str, int]]()
    for line in text.splitlines():
        if opened := _COMPUTATION.match(line):
            inside = opened[1]
        elif looped := _LOOP.search(line):
            times = _TIMES.search(line)
            loops.append((inside, looped[1], int(times[1]) if times else 1))
        if _OPERATION.search(line):
            lines.append((inside, line))
    times = {body: (outer, count) for outer, body, count in loops}

    def often(name: str) -> int:
        outer, count = times.get(name, ("", 1))
        return count * often(outer) if outer else count

    for inside, line in lines:
        found = _OPERATION.search(line)
        assert found is not None
        arrays = _ARRAY.findall(found[1])
        yield found[2], sum(WIDTH.get(kind, 4) * _size(shape) for kind, shape in arrays), often(inside)


def _size(shape: str) -> int:
    total = 1
    for side in filter(None, shape.split(",")):
        total *= int(side)
    return total


def simulated(compute: float, moved: float, count: int, devices: int, link: Link) -> float:
    """Seconds of a round on so many devices: what one computes, and `count` all-reduces of `moved` bytes in all, as a
    ring passes them (2 (N - 1) / N of the bytes over each link) and none of it hidden behind the computing."""
    if devices == 1:
        return compute
    steps = 2 * (devices - 1).bit_length()  # of a tree, which small messages go by
    return compute + 2 * (devices - 1) / devices * moved / link.bandwidth + count * steps * link.latency


def measure(experiment: str, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Collectives and bytes of one round."""
    from benchmarks import ours
    from gen_jax.core import parallel
    from gen_jax.core.players import count_parameters

    settings = {"backend": "sharded", "devices": DEVICES, "steps_per_call": 1, **chosen}
    model = ours.build(experiment, settings)
    steps = parallel.many_steps(model.algorithm.update, model.feed.fetch, model.where, 1, model.feed.streamed)
    count = parallel.place_count(1, model.where)
    text = steps.lower(model.state, model.feed.example(), count).compile().as_text()  # pyright: ignore
    counts, sizes = Counter[str](), Counter[str]()
    for kind, size, often in collectives(text):
        counts[kind] += often
        sizes[kind] += size * often
    return {
        "experiment": experiment,
        "parameters": sum(count_parameters(model.state.params).values()),
        "collectives": dict(counts),
        "bytes": dict(sizes),
    }


CASES = {
    "dcgan": {"data": "digits", "image_size": 32, "width": 16, "batch_size": 64},
    "wgan_gp": {"data": "digits", "image_size": 32, "batch_size": 64},
    "vae": {"data": "digits", "batch_size": 64},
}


def main() -> None:
    """The command."""
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={DEVICES}"
    for name in sys.argv[1:] or CASES:
        print(json.dumps(measure(name, CASES[name])), flush=True)


if __name__ == "__main__":
    main()

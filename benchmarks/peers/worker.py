"""A process that runs one PyTorch peer when told to: `python -m benchmarks.peers.worker '{"peer": "dcgan.gan", ...}'`.

Specification: peer (module.function), settings (its arguments), data (npz with the training images, or null: random
ones of `shape`), way, bfloat16, device, threads. See `benchmarks.protocol` for what goes back and forth.
"""

import importlib
import json
import os
import sys

import numpy as np
import torch

from benchmarks import protocol
from benchmarks.peers import parts


def main() -> None:
    spec = json.loads(sys.argv[1])
    lines = protocol.Lines()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.set_flush_denormal(True)  # XLA does so too
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = spec.get("tf32", False)
    torch.backends.cudnn.benchmark = True
    device = torch.device(spec.get("device", "cpu"))
    torch.manual_seed(0)
    images = torch.from_numpy(np.load(spec["data"])["image"]).to(device)
    setting = parts.Setting(images, spec["way"], spec.get("bfloat16", False))
    module, function = spec["peer"].split(".")
    began = protocol.clock()
    peer = getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)(setting, **spec["settings"])
    step, wait = peer.step, torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    if setting.graphed:
        step = captured(step)
    for _ in range(spec.get("warm_up", 2)):
        step()
    wait()
    protocol.reset_peak()
    lines.ready(
        compile_seconds=protocol.clock() - began,
        parameters={name: sum(p.numel() for p in m.parameters()) for name, m in peer.players.items()},
        versions={"torch": torch.__version__},
        matmul=matmul_rate(device, setting.bfloat16, wait),
    )

    def run(count: int) -> float:
        start = protocol.clock()
        for _ in range(count):
            step()
        wait()
        return protocol.clock() - start

    memory = (lambda: torch.cuda.max_memory_allocated() / 2**20) if device.type == "cuda" else protocol.peak_mib
    lines.serve(run, memory)


def captured(step):
    """The whole step as one CUDA graph, after some on a side stream, as PyTorch's documentation asks."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def matmul_rate(device: torch.device, bfloat16: bool, wait) -> float:
    """FLOP/s of a square matrix product, the best of five."""
    size = 8192 if device.type == "cuda" else 2048
    a = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bfloat16 else torch.float32)
    best = float("inf")
    for _ in range(6):
        start = protocol.clock()
        a @ a
        wait()
        best = min(best, protocol.clock() - start)
    return 2 * size**3 / best


if __name__ == "__main__":
    main()

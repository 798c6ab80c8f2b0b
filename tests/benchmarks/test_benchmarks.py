"""The benchmark's cases: what they name exists, FLOPs are counted right, and peers are the same networks as ours."""

import importlib
import json
import subprocess
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from benchmarks import flops, gpu_cases, gpu_races, gpu_report, races, report
from benchmarks.__main__ import find_torch
from benchmarks.cases import MEASURES, RACES
from benchmarks.protocol import ROOT

COUNT = """
import importlib, json, sys
import torch
from benchmarks.peers import parts
found = {}
for name, (peer, settings, shape) in json.loads(sys.argv[1]).items():
    module, function = peer.split(".")
    images = torch.zeros(2, *shape, dtype=torch.uint8 if len(shape) == 3 else torch.float32)
    make = getattr(importlib.import_module(f"benchmarks.peers.{module}"), function)
    players = make(parts.Setting(images, "eager", False), **settings).players
    found[name] = {player: sum(p.numel() for p in m.parameters()) for player, m in players.items()}
print(json.dumps(found))
"""


def test_cases_name_what_is_there():
    for race in RACES.values():
        assert (ROOT / "experiments" / f"{race.experiment}.py").is_file()
        module, function = race.peer.split(".")
        assert f"def {function}(" in (ROOT / "benchmarks" / "peers" / f"{module}.py").read_text()
    for name in MEASURES:
        module = importlib.import_module(f"benchmarks.cases.{name}")
        assert module.TITLE
        assert callable(module.measure)


def test_flops_of_products_convolutions_and_loops():
    a, b = jnp.ones((3, 4)), jnp.ones((4, 5))
    assert flops.count(lambda a, b: a @ b, a, b) == 2 * 3 * 4 * 5
    # The gradient of a scalar of a product in both arguments is two products of that size, and the product is unused.
    assert flops.count(jax.grad(lambda a, b: (a @ b).sum(), (0, 1)), a, b) == 2 * 2 * 3 * 4 * 5
    assert flops.count(lambda a, b: (a + 1, a @ b)[0], a, b) == 0
    assert flops.count(lambda a: jax.lax.scan(lambda c, _: (c @ c, None), a, length=7)[0], jnp.ones((3, 3))) == 7 * 54
    from gen_jax.nets.conv import conv, conv_transpose

    x, kernel = jnp.ones((2, 8, 8, 3)), jnp.ones((4, 4, 3, 5))
    a_conv = 2 * (2 * 4 * 4) * (4 * 4 * 3 * 5)
    assert flops.count(lambda x, k: conv(x, k, 2), x, kernel) == a_conv
    assert flops.count(jax.grad(lambda x, k: (conv(x, k, 2) ** 2).sum(), (0, 1)), x, kernel) == 3 * a_conv
    assert flops.count(lambda x, k: conv_transpose(x, k, 2), jnp.ones((2, 4, 4, 5)), kernel) == a_conv


def test_results_become_a_document(tmp_path):
    facts = {"compile_seconds": 1.0, "matmul": 2e11, "versions": {}, "parameters": {"generator": 7}, "flops": 1e9}
    facts |= {"examples": 64, "start_up_seconds": 2.0}
    sides = [races.Side("gen_jax", 0.01, [0.01, 0.02], 300.0, facts), races.Side("eager", 0.02, [0.02], 300.0, facts)]
    outcome = races.Outcome(RACES["dcgan-64"], sides, {"compiled": "no compiler"})
    assert outcome.ratio == 0.5
    result = report.of_race(outcome)
    machine = {"cores": 2, "of": 2, "processor": "a processor", "memory_gib": 8, "system": "Linux", "python": "3.11"}
    result |= {"date": "2026-11-21", "commit": "abc", "repeats": 2, "command": "python -m benchmarks dcgan-64"}

    def with_jax(version):
        return result | {"machine": machine | {"versions": {"jax": version}, "load": 0.0, "clock": "wall"}}

    for name, version in (("dcgan-64", "0.11.2"), ("dcgan-64", "0.9.1"), ("dcgan-64", "0.11.0"), ("ring-gan", "0.9.1")):
        report.write(tmp_path / "performance.md", {name: with_jax(version)})
    text = (tmp_path / "performance.md").read_text()
    assert "**0.50**" in text
    assert "no compiler" in text
    assert text.count("a processor") == 3  # 0.11.0 in the place of 0.11.2
    assert text.index("(JAX 0.9)") < text.index("(JAX 0.11)")  # by number, not letter by letter


def test_a_gpus_results_become_a_section(tmp_path):
    case = gpu_cases.cases(1.0)[0]
    sides = {"gen_jax": 0.001, "gen_jax, deterministic": 0.002, "graph": 0.0015, "eager": 0.01}
    race = {"title": case.title, "bar": 1.1, "seconds": sides, "compile_seconds": dict.fromkeys(sides, 9.0)}
    race |= {
        "profile": {"kernels": 240.0, "busy_ms": 0.9, "dearest": []},
        "versions": {"jax": "0.11"},
        "device": "a card",
    }
    outside = {"steps": 2000, "round_ms": 0.5, "seconds": 1.1, "outside": 0.09}
    machine = {"cores": 2, "of": 2, "processor": "a processor", "memory_gib": 8, "system": "Linux", "python": "3.11"}
    machine |= {"versions": {}, "load": 0.0, "clock": "wall"}
    found = {
        "machine": machine,
        "date": "2026-11-27",
        "commit": "abc",
        "results": {"dcgan-64": race, "events": outside},
    }
    (tmp_path / "gpu.json").write_text(json.dumps(found))
    gpu_report.main(str(tmp_path / "gpu.json"), str(tmp_path / "performance.md"))
    text = (tmp_path / "performance.md").read_text()
    for words in ("**1.50** | 1.1 | 240 | 90%", "2.00 times", "9% outside", "a card"):
        assert words in text


def test_a_gpus_cases_say_how_many_rounds_a_call_has():
    for case in (*gpu_cases.cases(1.0), *gpu_cases.cases(0.125)):
        assert case.per_call >= 2
        assert set(case.ways) <= set(gpu_report.WAYS)
        assert case.race.name in RACES


@pytest.mark.parametrize(
    ("name", "took", "rounds"),
    [("gen_jax", 1e-3, 500), ("gen_jax", 1e-4, 3000), ("gen_jax", 0.1, 3), ("gen_jax", 0.4, 2), ("graph", 1e-3, 300)],
)
def test_a_turn_lasts_as_long_as_was_asked_whatever_a_round_takes(name, took, rounds):
    worker = SimpleNamespace(ready=lambda: None, run=lambda count: count * took)
    case = gpu_cases.cases(1.0)[1]
    assert case.per_call == 500
    side: Any = gpu_races.Side(case, name, worker)  # pyright: ignore[reportArgumentType]
    assert gpu_races.rounds_a_turn(side, 0.3) == rounds


@pytest.mark.science
def test_peers_are_the_same_networks():
    from benchmarks import ours
    from gen_jax.core.players import count_parameters

    torch = find_torch(None)
    if torch is None:
        pytest.skip("no interpreter with PyTorch here; `make bench` installs one")
    counts, wanted = {}, {}
    for name, race in RACES.items():
        if name == "sngan-32":  # the narrow one is the same code, and 40 times smaller
            continue
        model = ours.build(race.experiment, race.settings)
        counts[name] = count_parameters(model.state.params)
        wanted[name] = (race.peer, race.peer_settings, model.source.shape)
    done = subprocess.run([torch, "-c", COUNT, json.dumps(wanted)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == counts

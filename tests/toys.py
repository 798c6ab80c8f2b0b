"""A run of two steps that takes no time: an autoencoder of a few numbers, its script with a module and a package beside
it, and pictures in folders by class. For tests of what becomes of a run, not of what it learns.
"""

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gen_jax.runs import executing, local_code, scripts
from gen_jax.runs.train import train

SCRIPT = '''"""A toy."""
from __future__ import annotations
from dataclasses import dataclass, field
import parts
from gen_jax import experiment
from mine.deep import SIZE


@dataclass(frozen=True, kw_only=True)
class Hyper:
    lr: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    width: int = SIZE
    hyper: Hyper = Hyper()


def build(config, data):
    return parts.autoencoder(config, data)


if __name__ == "__main__":
    experiment.main(Config, build)
'''
PARTS = """import jax.numpy as jnp
from flax import linen as nn
from gen_jax.core.compose import compose
from gen_jax.core.phases import Phase
from gen_jax.core.players import Player, caller, sgd
from gen_jax.core.types import Aux


class Net(nn.Module):
    features: int

    @nn.compact
    def __call__(self, x, train):
        return nn.Dense(self.features)(x.reshape(len(x), -1))


def autoencoder(config, data):
    size = data.shape[0] * data.shape[1] * data.shape[2]
    players = {
        "encoder": Player(Net(config.width), (jnp.zeros((1, size)),), sgd("lr")),
        "decoder": Player(Net(size), (jnp.zeros((1, config.width)),), sgd("lr")),
    }
    call = caller(players)

    def again(params, stats, x):
        code, _ = call("encoder", params, stats, x, train=False)
        return call("decoder", params, stats, code, train=False)[0].reshape(x.shape)

    def loss(params, context):
        error = jnp.mean((again(params, context.stats, context.batch["x"]) - context.batch["x"]) ** 2)
        return error, Aux(metrics={"loss/error": error})

    def evaluate(weights, batch, key):
        errors = (again(weights.params, weights.stats, batch["x"]) - batch["x"]) ** 2
        return {"error": errors.reshape(len(errors), -1).mean(axis=1)}

    return compose(players, [Phase(("encoder", "decoder"), loss)], {"lr": config.hyper.lr})._replace(evaluate=evaluate)
"""
ASKED = {"batch_size": 4, "steps": 2, "log_every": 1, "sample_every": 0, "evaluate_every": 0, "checkpoint_every": 1}


@dataclasses.dataclass
class Bench:
    """A folder with the script, the data and the run in it."""

    folder: Path

    @property
    def script(self) -> Path:
        return self.folder / "toy.py"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def pictures(self) -> Path:
        return self.folder / "pictures"

    def config(self, **changes: Any) -> tuple[Any, Any]:
        """`Config()` of the script as it is now, and its build."""
        code = local_code.of(self.script)
        executing.importable(code, live=True)
        module = scripts.load(self.script, code)
        asked = {"data": f"folder:{self.pictures}", "run_dir": self.run, **ASKED, **changes}
        hyper = {"hyper": module.Hyper(**asked.pop("hyper"))} if "hyper" in asked else {}
        return module.Config(**asked, **hyper), module.build

    def train(self, **changes: Any) -> Path:
        return train(*self.config(**changes), self.script)

    def contents(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.run.rglob("*") if path.is_file()}

    def copy(self, folder: Path) -> "Bench":
        """The same elsewhere: what its files say of where it lies follows."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        for path in folder.rglob("*.json"):
            if str(self.folder) in (text := path.read_text()):
                path.write_text(text.replace(str(self.folder), str(folder)))
        return Bench(folder)


def make(folder: Path) -> Bench:
    """The script, its modules and 24 pictures of three classes, without a run."""
    bench = Bench(folder)
    (folder / "mine").mkdir(parents=True)
    for name, text in {
        "toy.py": SCRIPT,
        "parts.py": PARTS,
        "mine/__init__.py": "",
        "mine/deep.py": "SIZE = 3\n",
    }.items():
        (folder / name).write_text(text)
    for number in range(24):
        picture(bench.pictures / "abc"[number % 3] / f"{number}.png", number)
    return bench


def picture(path: Path, number: int) -> None:
    """A picture of 4×4 pixels, another for each number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(number).integers(0, 255, (4, 4), np.uint8)).save(path)


def within(folder: Path, function: Any) -> Any:
    """What a function returns in another working directory."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        return function()
    finally:
        os.chdir(before)

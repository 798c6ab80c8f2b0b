"""Tables at published strength on one GPU, a few minutes at a time: calls the scripts beside this one and continues.

    python experiments/papers/gpu.py --data-dir ~/tensorflow_datasets           # six minutes of it
    python experiments/papers/gpu.py --data-dir ~/tensorflow_datasets           # the next six
    python experiments/papers/gpu.py --dry                                      # what it would do, and what is done

Claim: that of every script that is called; the arXiv: numbers stand there. In this order: the stability map of 1,024
runs, eight losses on Fashion-MNIST and MNIST (16 seeds of each as one program), Stacked MNIST with PacGAN's networks
and the two-by-two, IWAE's stages, and, with --cifar, SNGAN and R3GAN on CIFAR-10 as JPEG.
Scaled down: each is, by what its table says. A call ends after --minutes with the script in hand stopped by SIGTERM,
which saves it; the same call goes on. Needs `prepare mnist` and `prepare fashion_mnist`; on a CPU it takes days.
"""

import json
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from gen_jax.core.domains import Positive, Seeds
from gen_jax.core.errors import UserError
from gen_jax.runs.files import atomic_write_json
from gen_jax.studies import papers

HERE = Path(__file__).parent
GRACE = 60.0  # seconds that a script has to save itself


@dataclass(frozen=True, kw_only=True)
class Config:
    minutes: Positive = 6.0
    """of this call; what is not done then goes on at the next one"""
    data_dir: Path | None = None
    """where TFDS data sets are, as for every experiment"""
    cifar: Path | None = None
    """a folder of CIFAR-10's pictures, train/CLASS/*.jpg and test/CLASS/*.jpg; without it what needs it is left out"""
    seeds: Seeds = 16
    study_dir: Path = Path("studies/papers")
    """where every script has its folder, and this one gpu.json"""
    out: Path | None = None
    """a Markdown file that gets every table as a section, such as docs/reproductions.md"""
    dry: bool = False
    """only say what would be done"""


class Task(NamedTuple):
    """A call of a script; `name` is that of its folder."""

    name: str
    script: Path
    arguments: tuple[str, ...]


def tasks(config: Config) -> list[Task]:
    """What there is to do, cheapest and strongest first."""
    data = ("--data-dir", str(config.data_dir)) if config.data_dir else ()
    seeds, out = ("--seeds", str(config.seeds)), ("--out", str(config.out)) if config.out else ()

    def table(name: str, script: str, *arguments: str) -> Task:
        place = ("--study-dir", str(config.study_dir / name))
        return Task(name, HERE / f"{script}.py", (*arguments, *place, *out))

    found = [
        table("stability_map", "stability_map"),
        table("gan_losses", "gan_losses", *data, *seeds, "--steps", "20000"),
        table("gan_losses_mnist", "gan_losses", "--data", "tfds:mnist", *data, *seeds, "--steps", "20000"),
        table("stacked_mnist", "stacked_mnist", *data, *seeds),
        table("iwae_k", "iwae_k", "--data", "tfds:mnist", *data, "--stages", "4"),
    ]
    if config.cifar is not None:
        pictures = ("--data", f"folder:{config.cifar}")
        often = ("--steps-per-call", "500", "--checkpoint-every", "500", "--sample-every", "2000")
        often += ("--evaluate-every", "2000", "--track", "fd")
        networks = {
            "sngan": ("--width", "256", "--critic-width", "128", "--steps", "10000", "--decay-steps", "10000"),
            "r3gan": ("--widths", "256", "256", "256", "256", "--hyper.gamma", "0.05", "--steps", "10000"),
        }
        for name, how in networks.items():
            place = ("--run-dir", str(config.study_dir / f"{name}_cifar10_jpeg"))
            found.append(Task(name, HERE.parent / f"{name}.py", (*pictures, *how, *often, *place)))
    return found


def stopped(task: Task, seconds: float) -> bool:
    """Run it for so long; whether it was stopped before its end. Raises UserError where it failed."""
    child = subprocess.Popen([sys.executable, str(task.script), *task.arguments])
    try:
        status = child.wait(timeout=max(seconds, 1.0))
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        return True
    except KeyboardInterrupt:  # which the child has got, too
        child.wait()
        raise
    if status:
        raise UserError(f"{task.script.name} ended with status {status}; what it says stands above")
    return False


def main(config: Config) -> None:
    papers.need_page(config.out)
    saved = config.study_dir / "gpu.json"
    try:
        done: dict[str, list[str]] = json.loads(saved.read_text(encoding="utf-8")) if saved.exists() else {}
    except ValueError as error:
        raise UserError(f"{saved} is damaged ({error}); delete it: what is finished is found again") from None
    began = time.perf_counter()
    for task in tasks(config):
        finished = done.get(task.name) == list(task.arguments)
        print(f"{'done: ' if finished else ''}{shlex.join([task.script.name, *task.arguments])}", flush=True)
        if finished or config.dry:
            continue
        left = 60 * config.minutes - (time.perf_counter() - began)
        if left <= 0 or stopped(task, left):
            print(f"{config.minutes:g} minutes are over; the same command goes on with {task.name}")
            return
        done[task.name] = list(task.arguments)
        config.study_dir.mkdir(parents=True, exist_ok=True)
        atomic_write_json(saved, done)


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

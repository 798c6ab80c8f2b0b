"""The gallery: one picture of every family, chosen by nothing but the seed, with its command, time and score.

    python -m experiments.gallery                             # about two hours of CPU time
    python -m experiments.gallery --only vae cvae             # some of it; the rest of the page stays as it is
    python -m experiments.gallery --data tfds:mnist --data-dir DIR
    python -m experiments.gallery --only colour_dcgan --colour-data folder:cifar10-jpeg     # wants a GPU

Each row of the table below is trained (or continued) in its own folder, measured by `evaluate`, and drawn: the picture
is the run's own, of its newest step. What is trained already is not trained again. Writes docs/gallery.md, and what
it stands on into docs/gallery.json.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from gen_jax.core.errors import UserError
from gen_jax.runs import command, manifest
from gen_jax.runs.exits import exit_with
from gen_jax.runs.files import atomic_write_bytes, atomic_write_json, atomic_write_text

ROOT = Path(__file__).parents[2]
FILE = "gallery.json"


class Row(NamedTuple):
    """An experiment with the flags that it is shown with. `verb`, with its flags, draws the picture; "": samples."""

    family: str
    flags: str = ""
    verb: str = ""
    shows: str = "64 samples"
    script: str = ""
    """the experiment where the row's own name is not it"""
    colour: bool = False
    """of --colour-data, and made where it is named only"""


ROWS = {
    "gan": Row("GAN, perceptrons"),
    "dcgan": Row("GAN", "--width 32 --steps 3000"),
    "wgan": Row("GAN, Wasserstein, clipped weights"),
    "wgan_gp": Row(
        "GAN, Wasserstein",
        "--n-critic 2 --hyper.lr-generator 3e-4 --hyper.lr-discriminator 3e-4 --hyper.ema-decay 0.995 --steps 3500",
    ),
    "sngan": Row("GAN, residual", "--n-critic 1 --hyper.lr-discriminator 4e-4"),
    "r3gan": Row(
        "GAN, relativistic with R1 and R2",
        "--batch-size 32 --hyper.lr-generator 5e-4 --hyper.lr-discriminator 5e-4 --steps 2600",
    ),
    "cgan": Row("GAN, conditional", "--width 32 --hyper.ema-decay 0.999 --steps 6000", shows="classes in turn"),
    "infogan": Row("GAN, codes", verb="traverse", shows="a code varied along each row"),
    "vae": Row("VAE", "--steps 2000"),
    "cvae": Row("VAE, conditional", shows="classes in turn"),
    "vae2d": Row("VAE, two dimensions", verb="latents", shows="held-out codes by class"),
    "vq_vae": Row("VAE, discrete codes"),
    "ladder_vae": Row("VAE, hierarchical"),
    "inpaint_vae": Row(
        "VAE, completion", "--steps 800", verb="complete --mask half", shows="observed halves, completed"
    ),
    "flow_vae": Row("VAE, flow prior"),
    "vae_gan": Row("Hybrid"),
    "aae": Row("Hybrid of codes"),
    "wae": Row("VAE, codes matched by MMD"),
    "flow_matching": Row("A neighbour, for comparison"),
    "colour_dcgan": Row("in colour: GAN", "--width 64 --steps 20000", script="dcgan", colour=True),
    "colour_sngan": Row(
        "in colour: GAN, residual",
        "--width 256 --critic-width 128 --n-critic 2 --precision bfloat16 --steps 8000 --decay-steps 8000",
        script="sngan",
        colour=True,
    ),
    "colour_r3gan": Row(
        "in colour: GAN, relativistic with R1 and R2",
        "--widths 128 128 128 128 --hyper.gamma 0.05 --precision bfloat16 --horizon 8000 --steps 8000",
        script="r3gan",
        colour=True,
    ),
    "colour_vae": Row("in colour: VAE", "--width 64 --steps 10000", script="conv_vae", colour=True),
    "colour_vq_vae": Row("in colour: VAE, discrete codes", "--steps 10000", script="vq_vae", colour=True),
    "colour_vae_gan": Row("in colour: hybrid", "--width 64 --steps 10000", script="vae_gan", colour=True),
    "colour_flow_matching": Row(
        "in colour: a neighbour, for comparison", "--width 64 --steps 10000", script="flow_matching", colour=True
    ),
}
PICTURES = {"traverse": "traversal.png", "latents": "latents.png", "complete": "completions.png"}


@dataclass(frozen=True)
class Settings:
    only: tuple[str, ...] = ()
    """rows to make; all but those in colour by default"""
    data: str = "mnist5k"
    """what all are trained on, but those in colour"""
    colour_data: str = "tfds:cifar10"
    """what those in colour are trained on"""
    data_dir: Path | None = None
    """where TFDS data sets are"""
    seed: int = 0
    """of weights, data order, noise and samples"""
    folder: Path = Path("runs/gallery")
    """where the runs go"""
    docs: Path = ROOT / "docs"
    """where the page and its pictures go"""


def main(settings: Settings) -> None:
    """Train, measure, draw, and write the page."""
    names = settings.only or tuple(name for name, row in ROWS.items() if not row.colour)
    if unknown := set(names) - set(ROWS):
        raise UserError(f"the gallery has no {', '.join(sorted(unknown))}; it has {', '.join(ROWS)}")
    path = settings.docs / FILE
    made: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        made[name] = _made(name, ROWS[name], settings)
        atomic_write_json(path, made)
        atomic_write_text(settings.docs / "gallery.md", page(made))


def _made(name: str, row: Row, settings: Settings) -> dict[str, Any]:
    run = settings.folder / f"{name}-seed{settings.seed}"
    data, script = settings.colour_data if row.colour else settings.data, row.script or name
    given = ["--data", data, "--seed", str(settings.seed)]
    given += ["--data-dir", str(settings.data_dir)] if settings.data_dir else []
    _call(f"experiments/{script}.py", *given, *shlex.split(row.flags), "--run-dir", str(run))
    _call("-m", "gen_jax", "evaluate", str(run), "--metrics", "fd")
    if row.verb:
        verb, *flags = row.verb.split()
        _call("-m", "gen_jax", verb, str(run), *flags)
        picture = run / "pictures" / PICTURES[verb]
    else:
        picture = max((run / "samples").glob("step_*.png"))
    target = settings.docs / "images" / f"gallery_{name}.png"
    atomic_write_bytes(target, picture.read_bytes())
    scores = {one["name"]: one for one in json.loads((run / "evaluation.json").read_text())["results"]}
    score = next((one for title, one in scores.items() if title.startswith("FD-")), None)
    record = manifest.read(run) or {}
    sittings = record.get("sittings", [])
    return {
        "command": " ".join(filter(None, [f"experiments/{script}.py", row.flags])),
        "data": data,
        "seed": settings.seed,
        "seconds": sum(each["run_seconds"] or 0.0 for each in sittings),
        "machine": _machine(sittings[-1]["platform"]) if sittings else "",
        "score": score and {"name": score["name"], "value": score["value"], "interval": score["interval"]},
    }


def _machine(platform: Mapping[str, Any]) -> str:
    """What trained a run: the accelerator where there was one, the processor otherwise."""
    return platform["cpu"] if platform["jax_backend"] == "cpu" else platform["devices"][0]


def _call(*words: str) -> None:
    print(shlex.join(words), file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise UserError(f"{shlex.join(words)} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")


def page(made: Mapping[str, Mapping[str, Any]]) -> str:
    """docs/gallery.md of what has been made so far, in the order of the rows."""
    lines = [
        "# Gallery", "",
        "One picture of every family that was made so far, chosen by nothing but the seed: each is the last of a run. "
        "`python -m experiments.gallery` makes the page; the command stands below each picture. FD-LeNet is that of "
        "`evaluate` by its default protocol; lower is better, and it compares rows of the same "
        "data on this page only (MNIST's train digits against its test digits: 0.5).", "",
    ]  # fmt: skip
    for name, row in ROWS.items():
        if name not in made:
            continue
        one = made[name]
        score = one["score"]
        low, high = (score or {}).get("interval") or (None, None)
        told = f"{score['name']} {score['value']:.3g}" if score else "no score"
        told += f" ({low:.3g} to {high:.3g})" if low is not None and high is not None else ""
        spent = manifest.duration(one["seconds"])
        time = f"{spent} on {one['machine']}, which others used too" if one["machine"] else f"{spent} of processor time"
        lines += [
            f"## {row.family}: `{name}`", "",
            f"![{row.shows} of {name}](images/gallery_{name}.png)", "",
            f"{row.shows[0].upper()}{row.shows[1:]}, {one['data']}, seed {one['seed']}; {told}; trained for "
            f"{time}.", "",
            "```", f".venv/bin/python {one['command']} --data {one['data']} --seed {one['seed']}", "```", "",
        ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    with exit_with():
        main(command.read(Settings, description=__doc__ or ""))

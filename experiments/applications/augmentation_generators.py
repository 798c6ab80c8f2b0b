"""The generators of augmentation.py: what each may see, its run, its diagnosis and its images."""

import io
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zipfile import BadZipFile

import numpy as np

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line, say
from gen_jax.data.labelled import STREAM, few_labels
from gen_jax.data.source import Arrays, Source, digest, evenly, whole
from gen_jax.metrics.features import as_uint8
from gen_jax.runs import drawing, shapes
from gen_jax.runs.files import atomic_write_bytes
from gen_jax.studies import papers

DIAGNOSIS = {"findings": [{"rule": str, "until": (int, None)}]}
WATCHED = 500  # further training images, at most, that the diagnosis of a generator sees
GENERATORS: dict[str, tuple[str, dict[str, Any]]] = {  # the script of each, and its settings
    "cgan": ("cgan", {"augment": "diffaugment"}),
    "plain_cgan": ("cgan", {}),
    "cvae": ("cvae", {}),
}


class Asked(Protocol):
    """The settings of augmentation.py."""

    @property
    def gan_steps(self) -> int: ...
    @property
    def vae_steps(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def study_dir(self) -> Path: ...


def drawn(data: Source, n: int, draw: int) -> Arrays:
    """n training images of each class with their labels: those of `--labels-per-class n --seed draw`."""
    return whole(few_labels(data, n, draw).split(STREAM))


def generator_data(data: Source, n: int, draw: int, folder: Path) -> str:
    """A file of what a generator may see, as `--data` takes it: the drawn images to learn from, and in the place of the
    held-out ones other training images, for its diagnosis. None is of the test split.

    Raises UserError where n images a class leave none to diagnose by.
    """
    path = (folder / f"{n}-a-class-draw{draw}-{data.fingerprint[:8]}.npz").absolute()
    if not path.exists():
        real, train = drawn(data, n, draw), whole(data.train)
        chosen = {image.tobytes() for image in real["x"]}
        others = [row for row in range(data.train.size) if train["x"][row].tobytes() not in chosen]
        if not others:
            raise UserError(
                f"--per-class {n}: that is all of {data.name}, and leaves nothing to diagnose generators by"
            )
        watched = np.asarray(others)[evenly(len(others), WATCHED)]
        saved(
            path,
            train_images=real["x"],
            train_labels=real["label"],
            test_images=train["x"][watched],
            test_labels=train["label"][watched],
        )
    return f"npz:{path}"


def saved(path: Path, **arrays: Any) -> None:
    """Whole, or not at all."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(path, file.getvalue())


class Made(NamedTuple):
    """Images of one generator, how many images it had seen, and what its diagnosis found to the end."""

    images: Arrays
    saw: int
    signs: tuple[str, ...]


def made(config: Asked, data: Source, name: str, cell: tuple[int, int, int], count: int) -> Made:
    """`count` images, classes in turn, of a generator that learnt n images a class of a draw, by a seed (the cell).

    It is trained, and diagnosed, where that has not been done; its images are kept beside its run.
    """
    n, draw, seed = cell
    script, own = GENERATORS[name]
    steps = config.vae_steps if script == "cvae" else config.gan_steps
    settings = {"seed": seed, "steps": steps, "width": config.width, **own,
                "batch_size": min(config.batch_size, n * (data.classes or 1)), "log_every": max(steps // 20, 1),
                "evaluate_every": max(steps // 4, 1), "sample_every": 0, "checkpoint_every": 0}  # fmt: skip
    key = digest(data.fingerprint, sorted(settings.items()))[:8]
    folder = config.study_dir / "generators" / f"{name}-{n}-draw{draw}-seed{seed}-{key}"
    file = folder.with_name(f"{folder.name}-{count}.npz")
    if (there := images_in(file)) is None:
        spec = generator_data(data, n, draw, config.study_dir / "data")
        run = gen_jax.train(papers.experiments() / f"{script}.py", {"data": spec, **settings}, run_dir=folder)
        diagnosis = shapes.read(folder / "diagnosis.json", DIAGNOSIS)
        if diagnosis is None:
            raise UserError(f"{folder} has no diagnosis.json; delete the folder, and the generator is trained again")
        signs = [each["rule"] for each in diagnosis["findings"] if each["until"] is None]
        samples = drawing.draw(run.opened, run.weights, count, seed)
        labels, saw = np.asarray(samples.given["label"], np.int32), run.opened.source.train.size
        saved(file, x=as_uint8(samples.x), label=labels, saw=saw, signs=np.array(signs, str))
        print(f"{name}, {n} a class, draw {draw}, seed {seed}: saw {saw:,} images; {', '.join(signs) or 'healthy'}")
        there = Made({"x": as_uint8(samples.x), "label": labels}, saw, tuple(signs))
    return there


def images_in(file: Path) -> Made | None:
    """What was kept of a generator; None where nothing was, or a damaged file, which is said: it is made again."""
    if not file.exists():
        return None
    try:
        with np.load(file) as kept:
            return Made({"x": kept["x"], "label": kept["label"]}, int(kept["saw"]), tuple(kept["signs"].tolist()))
    except (BadZipFile, OSError, ValueError, KeyError, EOFError) as error:
        say(f"{file} is damaged ({one_line(error)}); it is made again")
        return None

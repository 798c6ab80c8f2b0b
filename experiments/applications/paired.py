"""Pictures from pictures: the mean absolute error alone, and with an adversarial term (pix2pix, Isola et al. 2017).

    python experiments/applications/paired.py                                             # 7×7 -> 28×28 on mnist5k
    python experiments/applications/paired.py --data tfds:fashion_mnist --data-dir DIR
    python experiments/applications/paired.py --task edges --data tfds:fashion_mnist      # outlines -> pictures
    python experiments/applications/paired.py --task membranes --pictures DIR             # DIR/image, DIR/label
    python experiments/applications/paired.py --seeds 2 --steps 200 --width 8             # a glance

Super-resolution and outlines: PSNR and SSIM of the luma without a border of 4 pixels (none for outlines), and FD-LeNet,
which sees what the error does not (the perception-distortion trade-off, Blau & Michaeli 2018). The floor is the bicubic
filter. Claims: the error alone is 1.5 dB above the floor; the adversarial term halves FD-LeNet and costs 2 dB at most.

Membranes (ISBI 2012): the first 20 pictures by number cut into squares to train on, five to watch, the last five,
whole, to score: Dice of what is no membrane and the adapted Rand error of the regions. What the adversarial term adds
is reported with its interval, whatever it is.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from gen_jax.core.domains import Count, Interval, NonNegative, Size
from gen_jax.core.errors import UserError
from gen_jax.core.lines import one_line
from gen_jax.data import derived, load
from gen_jax.data.source import digest
from gen_jax.metrics.ssim import WINDOW
from gen_jax.runs.config import Config as RunConfig
from gen_jax.studies import measures, papers
from gen_jax.studies.claims import Claim, Values, Word
from gen_jax.studies.page import beside

TRAIN, WATCH, TEST = 20, 5, 5
SIDES = ("image", "label")
TITLES = {
    "floor": "bicubic filter",
    "bar": "bicubic filter and 1.5 dB",
    "l1": "mean absolute error",
    "adversarial": "and the adversarial term",
    "half": "half the FD of the error alone",
    "less": "the error alone, less 2 dB",
}
IMAGES = (papers.Column("psnr", "PSNR, dB"), papers.Column("ssim", "SSIM", 3), papers.Column("fd", "FD-LeNet", 1))
CELLS = (papers.Column("dice", "Dice", 3), papers.Column("rand", "adapted Rand error", 3))


@dataclass(frozen=True, kw_only=True)
class Config(papers.Config):
    task: Literal["shrunk", "edges", "membranes"] = "shrunk"
    """enlarging, outlines to pictures, or micrographs to their membranes"""
    data: str = "mnist5k"
    data_dir: Path | None = None
    """where TFDS data sets are"""
    pictures: Path | None = None
    """of membranes: a folder with image/ and label/"""
    square: Annotated[int, Interval(16, 512)] = 64
    """pixels of the squares that membranes are cut into"""
    steps: Count = 2000
    batch_size: Size = 32
    width: Size = 16
    l1: NonNegative = 20.0
    """weight of the mean absolute error beside the adversarial term"""


def cut(pictures: Path, side: int, root: Path) -> str:
    """The squares of the pictures as `pairs:` data: those of the first 20 to train on, of the next five to watch. In a
    folder of their own, by what they are of, so that no other pictures' lie among them; whole, or not at all."""
    from PIL import Image

    names = named(pictures, side)
    content = [(pictures / of / name).read_bytes() for name in names for of in SIDES]
    final = root / f"squares-{side}-{digest(names, *content)[:8]}"
    if final.exists():
        return f"pairs:{final}"
    folder = final.with_name(f"{final.name}.tmp")
    shutil.rmtree(folder, ignore_errors=True)  # of a call that was stopped
    for split, part in (("train", names[:TRAIN]), ("test", names[TRAIN : TRAIN + WATCH])):
        for name in part:
            for ours, theirs in zip(("x", "y"), SIDES, strict=True):
                pixels = np.asarray(Image.open(pictures / theirs / name).convert("L"))
                (folder / split / ours).mkdir(parents=True, exist_ok=True)
                for top in range(0, pixels.shape[0] - side + 1, side):
                    for left in range(0, pixels.shape[1] - side + 1, side):
                        square = pixels[top : top + side, left : left + side]
                        file = folder / split / ours / f"{Path(name).stem}_{top}_{left}.png"
                        Image.fromarray(square).save(file)
    folder.rename(final)
    return f"pairs:{final}"


def named(pictures: Path, side: int) -> list[str]:
    """The pictures by number. UserError where there are fewer than 30, where one has no label of its size, and where
    one has no room for a square: before anything is trained on any of them."""
    from PIL import Image, UnidentifiedImageError

    names = sorted((p.name for p in (pictures / "image").glob("*.png")), key=lambda n: (len(n), n))
    if len(names) < TRAIN + WATCH + TEST:
        raise UserError(f"{pictures}/image holds {len(names)} pictures (PNG); {TRAIN + WATCH + TEST} are split 20/5/5")
    names = names[: TRAIN + WATCH + TEST]
    for name in names:
        try:
            sizes = [Image.open(pictures / of / name).convert("L").size for of in SIDES]  # to their last bytes
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(
                f"--pictures {pictures}: {name} has to be a picture in image/ and in label/ ({one_line(error)})"
            ) from None
        if sizes[0] != sizes[1]:
            (width, height), (other, high) = sizes
            raise UserError(f"{pictures}/label/{name} is {other}×{high} and its image {width}×{height}; mend either")
        if min(sizes[0]) < side:
            width, height = sizes[0]
            raise UserError(f"--square {side}: {pictures}/image/{name} is {width}×{height}, and holds no such square")
    return names


def seen(run: measures.Trained) -> dict[str, float]:
    """PSNR, SSIM and FD-LeNet."""
    found = {}
    for metric in ("psnr", "ssim", "fd"):
        found[metric] = next(iter(measures.measured(run, metric).values()))["value"]
    return found


def segmented(pictures: Path, side: int):
    """A measurement: Dice and the adapted Rand error, means over the whole test pictures."""

    def measure(run: measures.Trained) -> dict[str, float]:
        from gen_jax.metrics import pairs

        scores = []
        for _, label, made in whole_pictures(run, pictures, side, TEST):
            found, cells = made > 0, label > 127
            error = pairs.adapted_rand(pairs.segments(found), pairs.segments(cells)).error
            scores.append((float(pairs.dice(found[None], cells[None])[0]), error))
        return dict(zip(("dice", "rand"), np.mean(scores, axis=0).tolist(), strict=True))

    return measure


def whole_pictures(run: measures.Trained, pictures: Path, side: int, count: int) -> Iterator[tuple[np.ndarray, ...]]:
    """The last `count` pictures: (given uint8, wanted uint8, made float32 in [-1, 1]), each [H, W]."""
    import jax
    from PIL import Image

    from gen_jax.core.types import weights
    from gen_jax.data.source import to_float

    draw = jax.jit(run.algorithm.samplers["prior"].draw, static_argnums=2)
    for name in named(pictures, side)[-count:]:
        given, label = (np.asarray(Image.open(pictures / s / name).convert("L")) for s in ("image", "label"))
        batch = {"input": to_float(given[None, :, :, None])}
        yield given, label, np.asarray(draw(weights(run.state), jax.random.key(0), 1, batch))[0, :, :, 0]


def picture(runs: Iterable[measures.Trained], pictures: Path, side: int, path: Path) -> None:
    """The last test picture as PNG: given, wanted, and what each of the runs makes of it."""
    from gen_jax.metrics.features import as_uint8
    from gen_jax.runs import figures

    tiles: list[np.ndarray] = []
    for run in runs:
        ((given, label, made),) = whole_pictures(run, pictures, side, 1)
        tiles = [*(tiles or [given, label]), as_uint8(made[None, :, :, None])[0, :, :, 0]]
    figures.save_png(path, np.concatenate(tiles, axis=1), scale=1)


def first_runs(studies: Mapping[str, Any]) -> Iterator[measures.Trained]:
    """The first seed of each arm."""
    from gen_jax.studies import ablation
    from gen_jax.studies.study import open_study

    for study in studies.values():
        for group in ablation.groups(open_study(Path(study.study_dir))):
            yield measures.open_trained(sorted(group.runs.items())[0][1])


def need_room(config: Config) -> None:
    """Raises UserError, before anything is trained, for pictures in which SSIM's window finds no place."""
    shape = load.of(RunConfig(data=config.data, data_dir=config.data_dir)).shape
    least = WINDOW + (2 * derived.FACTOR if config.task == "shrunk" else 0)
    if len(shape) == 3 and min(shape[:2]) < least:
        raise UserError(
            f"--data {config.data}: {shape[1]}×{shape[0]} pixels leave SSIM's window of {WINDOW} no place; "
            f"--task {config.task} needs {least} each way, such as mnist5k's 28"
        )


def need_pictures(config: Config) -> Path | None:
    """Where the micrographs are; None for the other tasks. Raises UserError where there are none, and where the
    settings of one task are given with another."""
    if config.task != "membranes":
        if config.pictures is not None or config.square != Config.square:
            raise UserError(f"--pictures and --square are of --task membranes, and --task is {config.task}")
        return None
    if config.data != Config.data:
        raise UserError("--data is of the other tasks; membranes are those of --pictures")
    if config.pictures is None or not all((config.pictures / of).is_dir() for of in SIDES):
        raise UserError("--task membranes needs --pictures DIR, with the folders image/ and label/ in it")
    return config.pictures


def main(config: Config) -> None:
    membranes = config.task == "membranes"
    pictures = need_pictures(config)
    if not membranes:
        need_room(config)
    name = beside(f"paired_{config.task}", config.data, Config.data)
    root = config.study_dir or Path("studies/papers") / name
    data = cut(pictures, config.square, root) if pictures else f"{config.task}:{config.data}"
    common: dict[str, Any] = {
        "data": data, "batch_size": config.batch_size, "width": config.width,
        "skip": config.task == "shrunk", "evaluate_every": 0, "sample_every": 0, "checkpoint_every": 0,
        "log_every": 100, "hyper.l1": config.l1,
    }  # fmt: skip
    if membranes:
        common |= {"multipliers": (1, 2, 4, 4), "channels": 1}
    if config.data_dir is not None:
        common["data_dir"] = str(config.data_dir)
    arms: dict[str, dict[str, Any]] = {"l1": {"adversarial": False}, "adversarial": {"patch_width": 2 * config.width}}
    studies = {
        arm: papers.study(config, name, arm, "pix2pix", settings=common | own | {"steps": config.steps})
        for arm, own in arms.items()
    }
    if config.task == "shrunk":  # untrained, the U-Net adds nothing to what it is given: the filter, measured alike
        still = {"steps": 1, "adversarial": False, "hyper.lr_generator": 0.0}
        studies["floor"] = papers.study(config, name, "floor", "pix2pix", settings=common | still)
    columns = CELLS if membranes else IMAGES
    whose = f"ISBI 2012, 20/5/5, squares of {config.square}" if membranes else data
    protocol = (
        f"{whose}, {config.steps:,} steps of {config.batch_size}, U-Net of width {config.width}, "
        f"L1 weight {config.l1:g}; averaged weights of the last step"
    )
    measure = segmented(pictures, config.square) if pictures else seen
    outcome = papers.measured(studies, measure, protocol, collected=config.collected)
    if pictures and not config.collected:
        drawn = root / "membranes.png"
        picture(first_runs(studies), pictures, config.square, drawn)
        print(f"{drawn}: given, wanted, {', '.join(TITLES[arm] for arm in studies)}")
    paper = papers.Paper(name, "Pictures from pictures", columns, {}, "published", TITLES)
    papers.publish(config, paper, "applications/paired.py", outcome, said(outcome.values, config), protocol)


def said(values: Values, config: Config) -> list[Claim]:
    """The claims, and the arms that they are measured by, which are added to `values`."""

    def arm(name: str, of: str, column: str, change) -> None:
        if of in values:
            values[name] = {column: {seed: change(value) for seed, value in values[of][column].items()}}

    if config.task == "membranes":
        words: dict[Word, str] = {"held": "lower", "not decided": "no difference found", "reversed": "higher"}
        return [Claim("adapted Rand error with the adversarial term", "rand", "adversarial", "l1", words=words)]
    arm("bar", "floor", "psnr", lambda value: value + 1.5)
    arm("half", "l1", "fd", lambda value: value / 2)
    arm("less", "l1", "psnr", lambda value: value - 2.0)
    claims = [
        Claim("the error alone: 1.5 dB above the filter", "psnr", "bar", "l1"),
        Claim("the adversarial term halves FD-LeNet", "fd", "adversarial", "half"),
        Claim("at a cost of 2 dB at most", "psnr", "less", "adversarial"),
    ]
    return [claim for claim in claims if {claim.lower, claim.higher} <= values.keys()]


if __name__ == "__main__":
    papers.run(Config, main, __doc__)

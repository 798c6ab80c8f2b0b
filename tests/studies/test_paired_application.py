"""The table of paired images: how membranes are cut and scored, and that its claims say what they are called."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.applications import paired
from gen_jax.core.errors import UserError
from gen_jax.core.types import Sampler
from gen_jax.studies.claims import judge


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Thirty of 32×32: regions parted by a dark line, which the pictures show as they are."""
    root = tmp_path_factory.mktemp("membranes")
    for side in ("image", "label"):
        (root / side).mkdir()
        for number in range(30):
            cells = np.full((32, 32), 255, np.uint8)
            cells[:, 10 + number % 8] = 0
            Image.fromarray(cells).save(root / side / f"{number}.png")
    return root


def test_pictures_are_split_by_number_and_cut_without_overlap(pictures, tmp_path):
    assert paired.named(pictures, 16)[-1] == "29.png"
    assert counts(paired.cut(pictures, 16, tmp_path)) == {"train/x": 80, "train/y": 80, "test/x": 20, "test/y": 20}


def counts(spec):
    folder = Path(spec.removeprefix("pairs:"))
    return {f"{s}/{side}": len(list((folder / s / side).iterdir())) for s in ("train", "test") for side in "xy"}


def test_squares_of_other_pictures_sizes_and_stopped_calls_are_none_of_these(pictures, tmp_path):
    """In one study folder: each is cut into a folder of its own, and anew where a call was stopped."""
    other = tmp_path / "other"
    shutil.copytree(pictures, other)
    for side in paired.SIDES:
        (other / side / "3.png").rename(other / side / "31.png")
    specs = [paired.cut(of, side, tmp_path / "study") for of in (pictures, other) for side in (16, 32)]
    assert len(set(specs)) == 4
    half = Path(specs[0].removeprefix("pairs:")).rename(Path(f"{specs[0].removeprefix('pairs:')}.tmp"))
    (half / "train" / "x" / "of_a_stopped_call.png").write_bytes(b"")
    assert paired.cut(pictures, 16, tmp_path / "study") == specs[0]
    assert [counts(spec)["train/x"] for spec in specs] == [80, 20, 80, 20]


SPOILED = {
    "no label": (lambda root: (root / "label" / "29.png").unlink(), "29.png has to be a picture"),
    "another size": (
        lambda root: Image.new("L", (32, 31)).save(root / "label" / "29.png"),
        "label/29.png is 32×31 and its image 32×32"
    ),
    "no picture": (lambda root: (root / "image" / "4.png").write_text("x"), "4.png has to be a picture"),
    "half a picture": (
        lambda root: (root / "image" / "5.png").write_bytes((root / "image" / "5.png").read_bytes()[:-30]),
        "5.png has to be a picture",
    ),
    "too small": (
        lambda root: [Image.new("L", (15, 40)).save(root / side / "7.png") for side in paired.SIDES],
        "--square 16: .*7.png is 15×40",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILED)
def test_pictures_that_do_not_fit_are_told_before_anything_is_trained(how, pictures, tmp_path):
    spoil, words = SPOILED[how]
    shutil.copytree(pictures, tmp_path / "own")
    spoil(tmp_path / "own")
    with pytest.raises(UserError, match=words):
        paired.main(paired.Config(task="membranes", pictures=tmp_path / "own", square=16, study_dir=tmp_path / "study"))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"square": 32}, "of --task membranes"),
        ({"pictures": Path("somewhere")}, "of --task membranes"),
        ({"task": "membranes", "data": "digits", "pictures": Path("somewhere")}, "--data is of the other tasks"),
        ({"task": "membranes"}, "needs --pictures DIR"),
    ],
)
def test_settings_of_another_task_are_refused(settings, words):
    with pytest.raises(UserError, match=words):
        paired.main(paired.Config(**settings))


def trained(made):
    """A run whose model makes of a picture what `made` does."""
    sampler = Sampler(lambda weights, key, count, given: made(given["input"]), ("input",))
    state = SimpleNamespace(params={}, stats={}, ema={}, ema_stats={})
    return SimpleNamespace(algorithm=SimpleNamespace(samplers={"prior": sampler}), state=state)


@pytest.mark.parametrize(("made", "dice", "rand"), [(lambda x: x, 1.0, 0.0), (jnp.ones_like, 62 / 63, 1 / 3)])
def test_whole_pictures_are_scored(pictures, made, dice, rand):
    """Perfectly, and where two regions are taken for one."""
    found = paired.segmented(pictures, 16)(trained(made))
    assert found["dice"] == pytest.approx(dice, abs=0.002)
    assert found["rand"] == pytest.approx(rand, abs=0.06)


def test_the_last_picture_is_drawn_beside_what_each_arm_makes_of_it(pictures, tmp_path):
    paired.picture([trained(lambda x: x), trained(lambda x: -x)], pictures, 16, tmp_path / "drawn.png")
    given, wanted, same, negative = np.split(np.asarray(Image.open(tmp_path / "drawn.png").convert("L")), 4, axis=1)
    last = np.asarray(Image.open(pictures / "image" / "29.png"))
    for found, true in ((given, last), (wanted, last), (same, last), (negative, 255 - last)):
        np.testing.assert_array_equal(found, true)


def test_claims_hold_where_their_words_are_true():
    def values(floor, l1, adversarial):
        arms = {"floor": floor, "l1": l1, "adversarial": adversarial}
        return {
            arm: {
                column: {seed: value + 0.01 * (number + seed) ** 2 for seed in range(3)}
                for column, value in own.items()
            }
            for number, (arm, own) in enumerate(arms.items())
        }

    def words(psnrs, fds):
        found = values(*({"psnr": p, "fd": f} for p, f in zip(psnrs, fds, strict=True)))
        return [judge(found, claim)[0] for claim in paired.said(found, paired.Config())]

    assert words((20, 22, 21), (90, 80, 30)) == ["held", "held", "held"]
    assert words((20, 21, 18), (90, 80, 50)) == ["reversed", "reversed", "reversed"]


def test_too_few_pictures(pictures, tmp_path):
    (tmp_path / "image").mkdir()
    with pytest.raises(UserError, match="20/5/5"):
        paired.named(tmp_path, 16)


@pytest.mark.parametrize(("task", "least"), [("shrunk", 19), ("edges", 11)])
def test_pictures_without_room_for_a_score_are_refused_before_training(task, least, tmp_path):
    with pytest.raises(UserError, match=f"8×8 pixels .* needs {least} each way"):
        paired.main(paired.Config(task=task, data="digits", study_dir=tmp_path / "study"))
    assert not list(tmp_path.iterdir())

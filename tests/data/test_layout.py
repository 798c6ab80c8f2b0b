"""What a folder of pictures is read as: a table of trees, and for each the splits, classes and words, or the one line.

A tree is written as words: "a/3" puts three pictures into a/, "b/.x/2" two into a hidden folder of b/, "a/notes.txt" a
file that is no picture, "c -> a" a link.
"""

import os

import numpy as np
import pytest
from PIL import Image

from gen_jax.core.errors import UserError
from gen_jax.data import reading
from gen_jax.data.load import load

TREES = [
    # ---- splits by their usual names, in any case --------------------------------------------------------------------
    ("train/a/4 train/b/4 val/a/2 val/b/2", (8, 4), ["a", "b"], "held out is val/"),
    ("Train/a/4 Train/b/4 Test/a/2 Test/b/2", (8, 4), ["a", "b"], "held out is Test/"),
    ("training/a/4 TESTING/a/2", (4, 2), ["a"], "held out is TESTING/"),
    ("train/a/4 valid/a/2", (4, 2), ["a"], "held out is valid/"),
    ("train/a/4 validation/a/2", (4, 2), ["a"], "held out is validation/"),
    ("train/a/4 dev/a/2", (4, 2), ["a"], "held out is dev/"),
    ("train/a/4 eval/a/2", (4, 2), ["a"], "held out is eval/"),
    ("train/5 val/2", (5, 2), None, "trained on train/, held out is val/"),
    (
        "train/a/4 train/b/4 val/a/2 test/a/3 test/b/1",
        (8, 4),
        ["a", "b"],
        "held out is test/; val/ (2 images) not used",
    ),
    ("train/a/20 train/b/20", None, ["a", "b"], "trained on train/; a tenth held out"),
    ("train/a/20 train/b/20 test/9", None, ["a", "b"], "test/ (9 images) not used, for it has no class folders"),
    ("train/a/4 val/b/2", "different sub-folders: a is in the first alone, b in the second"),
    (
        "train/good/8 test/good/2 test/crack/3 test/scratch/1",
        (8, 6),
        ["crack", "good", "scratch"],
        "no train images of",
    ),
    ("train/4 val/a/2", "val/ has class folders (a) and train/ has none"),
    ("train/a/4 train/b/4 val/a/2", (8, 2), ["a", "b"], "no test images of b"),
    ("train/a/4 test/a/2 extra/7", (4, 2), ["a"], "extra/ not used"),
    ("train/a/4 Training/a/4", "two folders for one split"),
    ("val/a/4 val/b/4", "has val/ and no train/"),
    ("trainA/4 trainB/4 testA/2 testB/2", "testA, testB, trainA, trainB: two domains"),
    ("a/train/4 a/val/2 b/train/4 b/val/2", "a/ holds train/, and splits stand above classes"),
    ("data/train/4 data/test/2", "give --data folder:"),
    ("train/a/4 boat/5", "has train/, with folders in it, beside boat: a split or a class?"),
    ("train/15 boat/15 car/15", None, ["boat", "car", "train"], ""),  # the vehicle
    # ---- what other programs leave is no data ------------------------------------------------------------------------
    ("a/20 b/20 .ipynb_checkpoints/6", None, ["a", "b"], "left out: .ipynb_checkpoints/ (6 images)"),
    ("a/20 b/20 a/.ipynb_checkpoints/1", None, ["a", "b"], "left out: .ipynb_checkpoints/ (1 image)"),
    ("20 .ipynb_checkpoints/1", None, None, "left out: .ipynb_checkpoints/ (1 image)"),
    ("a/20 b/20 a/@eaDir/x/3 @eaDir/3", None, ["a", "b"], "left out: @eaDir/ (6 images)"),
    ("a/20 lost+found/3", None, ["a"], "left out: lost+found/ (3 images)"),
    ("a/20 __MACOSX/a/3", None, ["a"], "left out: __MACOSX/ (3 images)"),
    ("a/20 .Trash-1000/3 .thumbnails/3 .git/3 $RECYCLE.BIN/1", None, ["a"], "left out: "),
    ("a/20 cache/3", None, ["a"], "left out: cache/ (3 images)"),
    ("a/20 wheel/3 wheel/CACHEDIR.TAG", None, ["a"], "left out: wheel/ (3 images)"),
    ("train/a/4 test/a/2 train/.ipynb_checkpoints/2", (4, 2), ["a"], "left out: .ipynb_checkpoints/ (2 images)"),
    ("a/20 a/notes.txt a/x.npy", None, ["a"], "left out: 2 files of other kinds (.npy, .txt)"),
    (".hidden/9", "left out: .hidden/ (9 images)"),
    # ---- classes -----------------------------------------------------------------------------------------------------
    ("0/9 1/9 2/9 10/9 11/9", None, ["0", "1", "2", "10", "11"], ""),
    ("x/20", None, ["x"], ""),
    ("x/a/9 x/b/9", None, ["x"], "its folders a, b are read as one class"),
    ("many/60 one/1", None, ["many", "one"], " images of one"),
    # ---- links -------------------------------------------------------------------------------------------------------
    ("store/more/40 data/a/20 data/b/20 data/a/linked -> store/more data/c -> store/more", 120, ["a", "b", "c"], ""),
    ("data/a/20 data/a/back -> data data/b/20", 40, ["a", "b"], "left out: links to folders above"),
    ("data/a/20 data/a/self -> data/a data/b/20", 40, ["a", "b"], "left out: links to folders above"),
    ("data/a/20 data/up -> . data/b/20", 40, ["a", "b"], "left out: links to folders above"),
    ("data/a/20 data/b -> nowhere", "data/b is a link to nothing"),
    ("data/a/20 data/a/x.png -> nowhere.png", "x.png is a link to nothing"),
]


def picture(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(number)
    Image.fromarray(random.randint(0, 256, (4, 4, 3)).astype(np.uint8)).save(path)


def plant(root, tree):
    number, words = 0, tree.split()
    while words:
        word = words.pop(0)
        if words[:1] == ["->"]:
            (root / word).symlink_to(root / words[1])
            words = words[2:]
        elif (count := word.rpartition("/")[2]).isdigit():
            for _ in range(int(count)):
                picture(root / word.rpartition("/")[0] / f"{number}.png", number)
                number += 1
        else:
            (root / word).parent.mkdir(parents=True, exist_ok=True)
            (root / word).write_text("no picture")


@pytest.mark.parametrize("row", TREES, ids=[row[0][:60] for row in TREES])
def test_a_tree_is_read_as_it_looks_or_refused(tmp_path, row):
    plant(tmp_path, row[0])
    root = tmp_path / "data" if (tmp_path / "data" / "a").is_dir() else tmp_path
    if len(row) == 2:
        with pytest.raises(UserError) as caught:
            load(f"folder:{root}")
        assert row[1] in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    _, sizes, names, words = row
    data = load(f"folder:{root}")
    if isinstance(sizes, tuple):
        assert (data.train.size, data.test.size) == sizes
    elif sizes:
        assert data.train.size + data.test.size == sizes
    assert data.test.size >= 1
    assert (None if data.names is None else list(data.names)) == names
    assert data.classes == (None if names is None else len(names))
    line = reading.line(data)
    assert words in line
    assert "\n" not in line


def test_labels_follow_the_names(tmp_path):
    for label, name in enumerate(("1", "2", "10")):
        for number in range(12):
            path = tmp_path / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.full((4, 4), 50 + 50 * label, np.uint8)).save(path)
    data = load(f"folder:{tmp_path}")
    assert np.array_equal(data.train.arrays["x"][:, 0, 0, 0], 50 + 50 * data.train.arrays["label"])


def test_names_that_are_no_utf_8(tmp_path):
    for name in (b"caf\xe9", b"plain"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        for number in range(20):
            with open(os.path.join(folder, b"\xff%d.png" % number), "wb") as file:
                Image.fromarray(np.full((4, 4), 100 + number, np.uint8)).save(file, "PNG")
    data = load(f"folder:{tmp_path}")
    assert data.train.size + data.test.size == 40
    assert r"caf\xe9" in reading.line(data)
    assert reading.class_number(data, r"caf\xe9") == 0
    reading.line(data).encode()


def test_a_pipe_is_not_waited_for(tmp_path):
    for number in range(3):
        picture(tmp_path / f"{number}.png", number)
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(UserError, match="x.png is a pipe or a device"):
        load(f"folder:{tmp_path}")


def test_a_folder_that_cannot_be_opened(tmp_path):
    picture(tmp_path / "a" / "0.png", 0)
    (tmp_path / "b").mkdir(mode=0)
    if os.access(tmp_path / "b", os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UserError, match="b cannot be read"):
        load(f"folder:{tmp_path}")

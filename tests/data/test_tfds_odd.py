"""TFDS data sets of odd make: labels that are missing, splits of other names and sizes, alpha, damage, strange code."""

import json
import sys

import numpy as np
import pytest
from prepared_data import examples, write

from gen_jax.core.errors import UserError
from gen_jax.data import load, reading, source
from gen_jax.runs.config import Config

library = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")


def labelled(count, labels, seed=0):
    return examples(count, seed=seed)[0], np.resize(np.array(labels), count)


def read(root, name="tiny", **settings):
    return load.of(Config(data=f"tfds:{name}", data_dir=root, **settings))


SPLITS = [
    # what is written, (train, test) sizes, classes, what is said
    ({"train": (12, [0, 1, 2, 3]), "val": (4, [0])}, (12, 4), 4, "held out is val"),
    ({"train": (12, [0]), "dev": (4, [0])}, (12, 4), 4, "held out is dev"),
    ({"train": (12, [0]), "validation": (4, [0]), "test": (3, [0])}, (12, 3), 4, "splits not used: validation"),
    ({"train": (12, [0]), "Testing": (3, [0])}, (12, 3), 4, "held out is Testing"),
    ({"train": (12, [0]), "extra": (9, [0]), "test": (3, [0])}, (12, 3), 4, "splits not used: extra"),
    ({"train": (20, [0, 1]), "test": (0, [0])}, (18, 2), 4, "test is empty; a tenth held out"),
    ({"train": (20, [0]), "test": (0, [0]), "validation": (4, [0])}, (20, 4), 4, "held out is validation"),
    ({"train": (20, [0, -1]), "test": (5, [0])}, (10, 5), 4, "10 examples of train without a label left out"),
    ({"train": (20, [0]), "test": (6, [0, 1, -1])}, (20, 4), 4, "2 examples of test without a label left out"),
    ({"train": (20, [-1]), "test": (6, [-1])}, (20, 6), None, "no example of train has a label"),
    ({"train": (20, [-1]), "test": (6, [1])}, (20, 6), None, "no example of train has a label"),
    ({"train": (20, [1]), "test": (6, [-1])}, (18, 2), 4, "test has no labels and is not used"),
    ({"train": (20, [2]), "test": (1, [2])}, (20, 1), 4, "no test images of 0, 1, 3"),
    ({"train": (2, [2])}, (1, 1), 4, "a tenth held out"),
]


@pytest.mark.parametrize(
    "row", SPLITS, ids=[" ".join(f"{k} {v[0]} {v[1]}" for k, v in row[0].items()) for row in SPLITS]
)
def test_splits_of_odd_make(tmp_path, row):
    splits, sizes, classes, note = row
    write(tmp_path, {name: labelled(count, labels) for name, (count, labels) in splits.items()})
    data = read(tmp_path)
    assert (data.train.size, data.test.size, data.classes) == (*sizes, classes)
    assert note in reading.line(data)
    for split in (data.train, data.test):
        assert ("label" in split.arrays) == (classes is not None)
        assert classes is None or (split.arrays["label"] >= 0).all()


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": (1, [0])}, "tfds:tiny holds one example; at least 2 are needed"),
        ({"train": (1, [0]), "test": (0, [0])}, "holds one example"),
        ({"train": (0, [0]), "test": (4, [0])}, "its split train has no examples"),
        ({"test": (4, [0])}, "no split called train, only test"),
    ],
)
def test_splits_that_make_no_data(tmp_path, splits, message):
    write(tmp_path, {name: labelled(count, labels) for name, (count, labels) in splits.items()})
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_missing_labels_are_found_in_what_is_read_as_needed(tmp_path, monkeypatch):
    write(tmp_path, {"train": labelled(20, [0, -1]), "test": labelled(5, [1])})
    eager = read(tmp_path)
    monkeypatch.setattr(source, "IN_MEMORY_BYTES", 1)
    lazy = read(tmp_path)
    assert lazy.train.arrays is None
    assert np.array_equal(source.whole(lazy.train)["x"], eager.train.arrays["x"])
    assert lazy.counts is None


def test_names_of_classes_are_kept(tmp_path):
    kinds = library.features
    features = kinds.FeaturesDict(
        {"image": kinds.Image(shape=(6, 5, 3)), "label": kinds.ClassLabel(names=["cat", "dog", "owl", "elk"])}
    )
    write(tmp_path, {"train": labelled(12, [0, 1]), "test": labelled(3, [0])}, features=features)
    data = read(tmp_path)
    assert data.names == ("cat", "dog", "owl", "elk")
    assert data.counts == (6, 6, 0, 0)
    assert data.present == 2
    assert "cat: 6, dog: 6, owl: 0, elk: 0" in reading.line(data)


def test_alpha_lies_on_the_background(tmp_path):
    pixels, labels = np.random.RandomState(0).randint(0, 256, (9, 6, 5, 4)).astype(np.uint8), np.arange(9) % 4
    write(tmp_path, {"train": (pixels, labels), "test": (pixels, labels)}, shape=(6, 5, 4))
    share = pixels[..., 3:] / 255
    for background, below in (("white", 255), ("black", 0)):
        data = read(tmp_path, background=background)
        assert data.shape == (6, 5, 3)
        assert np.abs(data.train.arrays["x"] - (pixels[..., :3] * share + below * (1 - share))).max() <= 0.51
        assert f"transparency on {background}" in data.notes


def test_few_levels_are_asked_about(tmp_path):
    pixels, labels = np.random.RandomState(0).randint(0, 2, (9, 6, 5, 3)).astype(np.uint8), np.arange(9) % 4
    write(tmp_path, {"train": (pixels, labels), "test": (pixels, labels)})
    with pytest.raises(UserError, match="give --levels 2 if 1 is white"):
        read(tmp_path)
    assert np.array_equal(read(tmp_path, levels=2).train.arrays["x"], 255 * pixels)


# ---- strange and damaged folders -------------------------------------------------------------------------------------
def named(folder, name):
    """features.json with the class of the label renamed."""
    path = folder / "features.json"
    text = path.read_text()
    ours = "tensorflow_datasets.core.features.class_label_feature.ClassLabel"
    assert ours in text
    path.write_text(text.replace(ours, name))


def legacy(folder, name):
    """The same in the older form of the file."""
    (folder / "features.json").write_text(json.dumps({"type": name, "content": "{}"}))


def nested(folder, name):
    """The same in the JSON that features.json may hold as text."""
    inner = json.dumps({"type": "tensorflow_datasets.core.features.features_dict.FeaturesDict", "x": {"type": name}})
    outer = {"pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict"}
    (folder / "features.json").write_text(json.dumps({**outer, "jsonFeature": {"json": inner}}))


@pytest.mark.parametrize("how", [named, legacy, nested])
@pytest.mark.parametrize(
    "name", ["strange_module.Feature", "tensorflow_datasets.core.features.strange.Feature", "os.path.Image"]
)
def test_no_module_is_imported_that_a_data_set_names(tmp_path, monkeypatch, how, name):
    folder = write(tmp_path / "data", {"train": labelled(12, [0]), "test": labelled(3, [0])})
    (tmp_path / "strange_module.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    how(folder, name)
    with pytest.raises(UserError, match="nothing that a data set names is imported"):
        read(tmp_path / "data")
    assert not (tmp_path / "imported").exists()
    assert "strange_module" not in sys.modules


@pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", b"3", b"{", b"\xff\xfe", b'{"a": ' * 3000, b'{"splits": 3}']
)
def test_damaged_descriptions(tmp_path, file, content):
    folder = write(tmp_path, {"train": labelled(12, [0]), "test": labelled(3, [0])})
    (folder / file).write_bytes(content)
    with pytest.raises(UserError, match=r"remove the folder and prepare it anew|not array_record") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_features_records_and_halves(tmp_path):
    folder = write(tmp_path, {"train": labelled(12, [0]), "test": labelled(3, [0])})
    whole = (folder / "features.json").read_text()
    (folder / "features.json").unlink()
    with pytest.raises(UserError, match="features.json cannot be read"):
        read(tmp_path)
    (folder / "features.json").write_text(whole)
    record = next(folder.glob("*train.array_record*"))
    content = record.read_bytes()
    for broken in (content[: len(content) // 2], b"", b"x" * len(content)):
        record.write_bytes(broken)
        with pytest.raises(UserError) as caught:
            read(tmp_path)
        assert "\n" not in str(caught.value)
    record.unlink()
    with pytest.raises(UserError):
        read(tmp_path)


@pytest.mark.parametrize("pattern", ["../../{SPLIT}", "/etc/{SPLIT}", "a/{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"])
def test_records_lie_in_the_folder(tmp_path, pattern):
    folder = write(tmp_path, {"train": labelled(12, [0]), "test": labelled(3, [0])})
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["filepathTemplate"] = pattern
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(UserError, match="names records elsewhere"):
        read(tmp_path)


@pytest.mark.parametrize(
    "name", ["../other/tiny", "..", "tiny/../tiny", "/etc", "tiny/a/b", "tiny:1", "tiny:../1.0.0", ""]
)
def test_names_stay_inside_the_data_folder(tmp_path, name):
    write(tmp_path / "other", {"train": labelled(12, [0]), "test": labelled(3, [0])})
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match="is no name of a data set|there is no data set"):
        read(tmp_path / "data", name)

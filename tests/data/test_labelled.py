"""Few labels: which they are, that nobody sees the others, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from gen_jax.core.errors import UserError
from gen_jax.data import source
from gen_jax.data.labelled import UNKNOWN, few_labels


def made(classes=4, size=40, test=12, read_lazily=False):
    """Images whose only pixel is the example's number, labels in turn."""
    parts = []
    for count in (size, test):
        numbers = np.arange(count, dtype=np.uint8)
        parts.append({"x": numbers.reshape(-1, 1, 1, 1), "label": (numbers % classes).astype(np.int32)})
    data = source.from_arrays("numbers", *parts, classes)
    if not read_lazily:
        return data
    lazy = [source.lazy(s.size, s.read, data.shape, labels=True) for s in (data.train, data.test)]
    return source.Source("numbers", data.shape, classes, data.fingerprint, *lazy)


@pytest.mark.parametrize("lazily", [False, True])
@pytest.mark.parametrize("per_class", [1, 3, 10])
def test_so_many_of_each_class_with_their_own_labels(per_class, lazily):
    data = few_labels(made(read_lazily=lazily), per_class, seed=0)
    known = source.whole(data.split("labelled"))
    assert data.split("labelled").size == 4 * per_class
    assert np.array_equal(np.bincount(known["label"]), np.full(4, per_class))
    numbers = known["x"].reshape(-1)
    assert np.array_equal(known["label"], numbers % 4)  # images and labels belong together
    assert len(set(numbers.tolist())) == len(numbers)


@pytest.mark.parametrize("lazily", [False, True])
def test_train_keeps_its_examples_and_tells_no_label(lazily):
    """By every way to read it: what a model must not see is not there."""
    whole, data = made(read_lazily=lazily), few_labels(made(read_lazily=lazily), 2, seed=0)
    assert (data.train.size, data.train.nbytes) == (whole.train.size, whole.train.nbytes)
    for seen in (source.whole(data.train), data.train.read(np.arange(40)), data.train.arrays or {}):
        for name, values in seen.items():
            assert (values == UNKNOWN).all() if name == "label" else (values.reshape(-1) == np.arange(40)).all()
    assert data.train.read(np.array([3, 1]))["label"].dtype == np.int32


def test_test_is_untouched():
    whole, data = made(), few_labels(made(), 2, seed=0)
    for name, values in source.whole(whole.test).items():
        assert np.array_equal(values, source.whole(data.test)[name])
    assert (data.classes, data.shape, data.name) == (whole.classes, whole.shape, whole.name)


def test_the_seed_decides_and_the_fingerprint_tells():
    def chosen(seed, per_class=3):
        data = few_labels(made(), per_class, seed)
        return tuple(source.whole(data.split("labelled"))["x"].reshape(-1).tolist()), data.fingerprint

    assert chosen(5) == chosen(5)
    assert len({chosen(seed)[0] for seed in range(6)}) == 6
    prints = [chosen(5), chosen(6), chosen(5, 4)]
    assert len({made().fingerprint, *(fingerprint for _, fingerprint in prints)}) == 4


def test_more_labels_keep_the_fewer():
    few, more = (source.whole(few_labels(made(), n, 1).split("labelled"))["x"].reshape(-1) for n in (2, 5))
    assert set(few.tolist()) < set(more.tolist())


def test_every_example_may_be_labelled_by_some_seed():
    seen = {int(x) for seed in range(60) for x in source.whole(few_labels(made(), 1, seed).split("labelled"))["x"].flat}
    assert seen == set(range(40))


def test_mistakes():
    data = made()
    unlabelled = source.from_arrays("plain", {"x": data.train.arrays["x"]}, {"x": data.test.arrays["x"]}, None)
    with pytest.raises(UserError, match="plain has no labels; use labelled data such as mnist5k"):
        few_labels(unlabelled, 1, 0)
    with pytest.raises(UserError, match="0 labels a class: ask for 1 or more"):
        few_labels(data, 0, 0)
    with pytest.raises(UserError, match="has 10 train examples of class 0, fewer than the 11 .*ask for 10 or fewer"):
        few_labels(data, 11, 0)
    arrays = {**data.train.arrays, "label": np.minimum(data.train.arrays["label"], data.classes - 2)}
    bare = source.from_arrays("bare", arrays, data.test.arrays, data.classes)
    with pytest.raises(UserError, match=f"no train examples of class {data.classes - 1} to label: add some, or leave"):
        few_labels(bare, 1, 0)
    with pytest.raises(UserError, match="numbers has no examples called 'pairs'; it has train, test, labelled"):
        few_labels(data, 1, 0).split("pairs")


def test_a_model_that_reads_a_label_of_train_reads_nothing():
    """The NaN check of labels: what depends on the label of a train example depends on `UNKNOWN` alone."""
    whole = made()
    shuffled = {"x": whole.train.arrays["x"], "label": whole.train.arrays["label"][::-1].copy()}
    other = source.from_arrays("numbers", shuffled, whole.test.arrays, 4)
    first, second = (source.whole(few_labels(data, 2, 0).train) for data in (whole, other))
    assert jnp.array_equal(first["label"], second["label"])

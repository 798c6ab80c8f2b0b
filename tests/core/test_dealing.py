"""Batches dealt out to devices are those of one device, bit for bit; and what comes of a turn of several processes."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from gen_jax.core import dealing, keys, turns
from gen_jax.core.errors import UserError

ROWS = 6


def sample(weights, key, count, given):
    """Noise through a product, and what is given."""
    made = keys.normal(key, count, 5) @ weights["w"] + given["x"]
    return {"made": jnp.tanh(made), "labels": given.get("label"), "total": made.sum()}


def weights():
    return {"w": jax.random.normal(jax.random.key(1), (5, 4))}


def asked(numbers):
    for number in numbers:
        yield jax.random.fold_in(jax.random.key(0), number), ROWS, {"x": np.float32(number)}


def equal(left, right):
    return jax.tree.structure(left) == jax.tree.structure(right) and all(
        np.array_equal(a, b) and a.dtype == b.dtype
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )


@pytest.fixture(scope="module")
def run():
    return dealing.by_device(sample, static=(2,))


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_batches_of_four_devices_are_those_of_one(run, count):
    one, four = ([*run(view, asked(range(count)))] for view in (weights(), dealing.on_all(weights())))
    assert len(dealing.devices(dealing.on_all(weights()))) == jax.device_count() == 4
    assert len(one) == len(four) == count
    assert all(equal(*pair) for pair in zip(one, four, strict=True))
    assert not equal(one[0], one[-1]) or count == 1


def test_four_devices_make_four_batches_in_one_call(monkeypatch):
    calls, before = [], dealing._mapped

    def counted(function, mesh, fixed):
        compiled = before(function, mesh, fixed)
        return lambda *given: calls.append(given) or compiled(*given)

    monkeypatch.setattr(dealing, "_mapped", counted)
    found = [*dealing.by_device(sample, static=(2,))(dealing.on_all(weights()), asked(range(9)))]
    assert len(found) == 9
    assert len(calls) == 3
    for _, (_, given) in calls:
        assert {shard.data.shape[0] for shard in given["x"].addressable_shards} == {1}


def test_a_batch_is_read_while_the_one_before_is_computed_and_no_further(run):
    read = []
    found = run(weights(), (read.append(number) or next(asked([number])) for number in range(5)))
    next(found)
    assert read == [0, 1]
    assert len([*found]) == 4


def test_one_process_makes_all_and_nothing_before_it_is_looked_at():
    made = []
    found = dealing.over_processes(3, lambda numbers: (made.append(number) or number for number in numbers))
    assert made == []
    assert [*found] == made == [0, 1, 2]
    assert turns.by_leader(lambda: "seen") == "seen"
    assert turns.anyone(True) is not turns.anyone(False)
    assert turns.ended(None) is None


# ---- turns -----------------------------------------------------------------------------------------------------------
def part(failed=None, **more):
    return {"kind": "part", **turns._complaint(failed), **more}


def end(failed=None):
    return {"kind": "end", **turns._complaint(failed)}


def other(*words):
    return turns._other(turns._verdict([dict(word) for word in words]))


def test_what_fails_on_one_process_is_heard_by_all():
    assert other(part(made="a"), part(made="a")) is None
    heard = other(part(made="a"), part(ValueError("broken")), part(made="a"))
    assert isinstance(heard, turns.Elsewhere)
    assert str(heard) == "process 1: ValueError: broken"
    asked = other(part(made="a"), part(UserError("no images")))
    assert isinstance(asked, UserError)
    assert str(asked) == "process 1: no images"
    # Who has only heard of a failure is not named for it, though it comes first.
    assert str(other(end(heard), end(ValueError("broken")))) == "process 1: ValueError: broken"


def test_who_failed_on_the_way_answers_for_the_parts_that_it_does_not_come_to():
    words = [part(made="a"), end(ValueError("broken"))]
    assert str(other(*words)) == "process 1: ValueError: broken"
    assert not turns._verdict(words)["over"]
    assert turns._verdict([end(), end(ValueError("broken"))])["over"]
    assert other(end(), end()) is None


def test_processes_that_do_different_things_do_not_wait_for_each_other():
    assert str(other(part(made="a"), end())) == "process 1: it does something else than the others"
    assert str(other(part(made="a"), part(made="b"))) == "process 1: it does something else than the others"
    assert str(other(part(flag=True), part(made="b"))) == "process 1: it does something else than the others"


def test_flags_and_the_leaders_value_are_of_all():
    verdict = turns._verdict([part(flag=False, value=[1.5]), part(flag=True, value=None)])
    assert (verdict["flag"], verdict["value"]) == (True, [1.5])


def test_what_json_cannot_hold_is_a_failure_that_all_hear_of(monkeypatch):
    """Not one that process 0 has between two turns, while the others wait for its word."""
    said = []
    monkeypatch.setattr(turns.processes, "together", lambda: True)
    monkeypatch.setattr(turns, "take", lambda failed, **word: said.append(failed) or word)
    turns.by_leader(lambda: np.float32(1))
    assert turns.by_leader(lambda: (1, 2)) == [1, 2]
    assert [type(failed) for failed in said] == [TypeError, type(None)]


def test_turns_of_different_kinds_are_told_apart(monkeypatch):
    """Or who asks for a flag would get the answer to another question."""
    said = []

    def heard(failed, **word):
        said.append(part(failed, **word))
        return {"value": None, "flag": False}

    monkeypatch.setattr(turns.processes, "together", lambda: True)
    monkeypatch.setattr(turns, "take", heard)
    for ask in (turns.by_leader, turns.by_all, turns.after_leader):
        ask(lambda: 1)
    turns.anyone(True)
    for left in said:
        for right in said:
            assert (other(left, right) is None) == (left is right)


def test_batches_of_several_shapes_are_refused_where_they_would_be_gathered(monkeypatch):
    said = []
    monkeypatch.setattr(turns.processes, "together", lambda: True)
    monkeypatch.setattr(turns, "take", lambda failed, **word: said.append(failed))
    monkeypatch.setattr(dealing, "_in_order", lambda *_: [])
    dealing.over_processes(3, lambda numbers: (np.zeros(2) for _ in numbers))
    dealing.over_processes(3, lambda numbers: (np.zeros(2 + number) for number in numbers))
    assert said[0] is None
    assert "several shapes" in str(said[1])

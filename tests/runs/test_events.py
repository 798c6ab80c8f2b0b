"""The table of what happens beside the rounds: what is due, in which order, and how far a call may run."""

from gen_jax.runs.watching.events import Event, due, rounds_until


def table():
    nothing = lambda state, step: None  # noqa: E731
    return {
        "evaluate": Event((4,), nothing),
        "sample": Event((6,), nothing),
        "look": Event((4, 6), nothing, when_stopped=True),
        "save": Event((0,), nothing, when_stopped=True),
        "never": Event((0,), nothing, at_the_end=False),
    }


def names(step, last=False, stopped=False):
    rows = table()
    found = due(list(rows.values()), step, last, stopped)
    return [name for name, event in rows.items() if any(event is each for each in found)]


def test_each_comes_by_its_rhythm_in_the_order_of_the_table():
    assert [names(step) for step in (1, 4, 6, 12)] == [
        [], ["evaluate", "look"], ["sample", "look"], ["evaluate", "sample", "look"],
    ]  # fmt: skip


def test_the_end_and_a_stop_have_events_of_their_own():
    assert names(5, last=True) == ["evaluate", "sample", "look", "save"]
    assert names(5, stopped=True) == ["look", "save"]
    assert names(4, stopped=True) == ["evaluate", "look", "save"]


def test_a_call_ends_where_the_next_event_is():
    rows = list(table().values())
    assert [rounds_until(rows, step, 100) for step in (0, 3, 4, 5, 11)] == [4, 1, 2, 1, 1]
    assert rounds_until(rows, 0, 3) == 3
    assert rounds_until([], 7, 3) == 3

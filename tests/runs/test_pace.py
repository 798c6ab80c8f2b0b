"""Calls last seconds, whatever a round takes, by a clock that the test turns."""

import pytest

from gen_jax.runs import pace


class Clock:
    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now)


def calls(own, clock, seconds_a_round, count):
    """The lengths of the first calls of a run whose rounds take so long."""
    found = []
    for _ in range(count):
        rounds = own.rounds
        clock.now += rounds * seconds_a_round
        own.done(rounds)
        found.append(rounds)
    return found


@pytest.mark.parametrize(
    ("seconds_a_round", "lengths"),
    [
        (0.001, [1, 4, 16, 50, 50]),  # four times as many until all fit
        (1.0, [1, 4, 10, 10, 10]),
        (60.0, [1, 1, 1, 1, 1]),  # one is the least
    ],
)
def test_a_call_takes_ten_seconds_at_most(monkeypatch, seconds_a_round, lengths):
    clock = Clock(monkeypatch)
    assert calls(pace.Pace(50, 10.0), clock, seconds_a_round, 5) == lengths


def test_what_stands_between_calls_is_no_part_of_them(monkeypatch):
    clock = Clock(monkeypatch)
    own = pace.Pace(50, 10.0)
    assert calls(own, clock, 0.1, 4)[-1] == 50
    clock.now += 1000.0  # an evaluation
    own.begin()
    clock.now += 5.0
    own.done(50)
    assert own.rounds == 50


def test_runs_that_share_a_pace_make_calls_of_one_length(monkeypatch):
    """The second to say that a call is over says so at once, which is no measure of how long it took."""
    clock = Clock(monkeypatch)
    own = pace.Pace(50, 10.0)
    for expected in (1, 4, 11, 11):
        assert own.rounds == expected
        clock.now += expected * 0.9
        for run in "abc":
            own.done(expected, run)
            clock.now += 1e-3


def test_when_the_first_of_them_ends_the_others_go_on(monkeypatch):
    """A run that stands far before the others, and is through after one call."""
    clock = Clock(monkeypatch)
    own = pace.Pace(50, 10.0)
    for runs in ("ab", "b", "b", "b", "b"):
        rounds = own.rounds
        clock.now += rounds * 1e-3
        for run in runs:
            own.done(rounds, run)
    assert own.rounds == 50


@pytest.mark.parametrize(("variable", "seconds"), [(None, pace.CALL_SECONDS), ("SLURM_JOB_ID", pace.PREEMPTED_SECONDS)])
def test_a_scheduler_waits_less_long_than_a_person(monkeypatch, variable, seconds):
    for name in pace.SCHEDULERS:
        monkeypatch.delenv(name, raising=False)
    if variable is not None:
        monkeypatch.setenv(variable, "7")
    clock = Clock(monkeypatch)
    assert calls(pace.own(10_000), clock, 0.5, 8)[-1] == seconds / 0.5

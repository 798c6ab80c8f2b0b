"""Processes that are killed, stopped, told to stop, or that do not agree: an end with one line that names it."""

import json
import signal

import crowd
import pytest
import toys

from gen_jax.core import processes, starting
from gen_jax.core.errors import UserError
from gen_jax.runs import shared

KILLS = 20


def begun(tmp_path, count, **asked):
    """A crowd that has trained for a while and would go on for hours."""
    bench = toys.make(tmp_path / "toy")
    words = crowd.words(bench, **{"steps": 10**7, "log_every": 50, "checkpoint_every": 0, **asked})
    started = crowd.Crowd(words, count)
    crowd.wait_for(lambda: crowd.logged(bench.run) >= 50 or started.started[0].poll() is not None)
    return bench, started


def last(ends):
    return ends[0][2].strip().splitlines()[-1]


@pytest.mark.science
@pytest.mark.parametrize("victim", [0, 3])
def test_a_signal_to_any_process_saves_one_step_on_all(victim, tmp_path):
    bench, started = begun(tmp_path, 4)
    started.send(victim, signal.SIGTERM)
    ends = started.ends(60)
    crowd.sane(ends, 143)
    (step,) = crowd.steps(bench.run)
    assert last(ends).startswith(f"interrupted: saved step {step} in ")


@pytest.mark.science
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_stopped_process_ends_the_others_with_a_line_that_names_it(how, tmp_path):
    bench, started = begun(tmp_path, 2)
    started.send(1, how)
    crowd.wait_for(lambda: started.started[0].poll() is not None, 60)
    started.started[1].kill()
    ends = started.ends(10)
    assert ends[0][0] == 1
    assert last(ends).startswith("error: process 1 (on ")
    assert "was killed, or stands still" in last(ends)
    assert json.loads((bench.run / "manifest.json").read_text())["status"] == "failed"


@pytest.mark.science
def test_a_leader_that_stands_still_is_named_by_process_1(tmp_path):
    _, started = begun(tmp_path, 2)
    started.send(0, signal.SIGSTOP)
    crowd.wait_for(lambda: started.started[1].poll() is not None, 60)
    started.started[0].kill()
    status, _, err = started.ends(10)[1]
    assert status == 1
    assert err.startswith("error: process 0, at 127.0.0.1:")


@pytest.mark.science
def test_killed_at_any_moment_and_continued_by_any_number_it_is_the_same_run(tmp_path):
    """Twenty kills of one process by SIGKILL; five sittings are of another number of processes. A fifth of the kills
    falls on imports and compilation, the others fall on rounds, saves and lines."""
    import random
    import time

    chance, killed = random.Random(0), 0
    asked = {"steps": 5000, "steps_per_call": 5, "checkpoint_every": 20, "log_every": 20}
    straight, bench = toys.make(tmp_path / "straight"), toys.make(tmp_path / "killed")
    assert crowd.alone(crowd.words(straight, **asked), 4).returncode == 0
    while killed < KILLS:
        count, devices = (4, 1) if killed % 4 else ((2, 2), (1, 4))[killed % 8 // 4]
        started = crowd.Crowd(crowd.words(bench, **asked), count, devices, GEN_JAX_WAIT="30")
        before = crowd.steps(bench.run)[-1:]
        over = started.started[0].poll
        if killed % 5:
            crowd.wait_for(lambda before=before, over=over: crowd.steps(bench.run)[-1:] > before or over() is not None)
        time.sleep(chance.uniform(0, 0.5 if killed % 5 else 6.0))
        victim = chance.randrange(count)
        started.send(victim, signal.SIGKILL)
        crowd.wait_for(lambda s=started: all(p.poll() is not None for p in s.started), 120)
        ends = started.ends(5)
        assert ends[victim][0] == -signal.SIGKILL, ends  # it was there to be killed
        killed += 1
    assert crowd.steps(bench.run)[-1] < asked["steps"]
    crowd.sane(crowd.Crowd(crowd.words(bench, **asked), 4).ends())
    assert crowd.digest(bench.run) == crowd.digest(straight.run)
    assert crowd.lines(bench.run) == crowd.lines(straight.run)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((False, "host:1", None, None), "together"),
        ((False, None, 2, 0), "together"),
        ((False, "host", 2, 0), "HOST:PORT"),
        ((False, "host:none", 2, 0), "HOST:PORT"),
        ((False, "host:70000", 2, 0), "HOST:PORT"),
        ((False, "host:4321", 2, 2), "give 0 to 1"),
        ((True, "host:4321", None, None), "by itself"),
    ],
)
def test_half_a_start_is_refused(given, said, monkeypatch):
    for name in (starting.COORDINATOR, starting.PROCESSES, starting.PROCESS):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match=said):
        starting.asked(*given)
    assert starting.asked(False, None, None, None) is None
    monkeypatch.setenv(starting.PROCESS, "one")
    with pytest.raises(UserError, match="whole number"):
        starting.asked(False, "host:4321", 2, None)


DIFFERENT = {
    "another setting": (
        ["--hyper.lr", "0.3"],
        "process 1 has another configuration than process 0 (hyper: lr: 0.3 there",
    ),
    "other data": (["--data", "digits"], "process 1 has another configuration than process 0 (data: digits there"),
    "data that do not fit": (["--levels", "2"], "process 1: "),
    "another folder": (["--run-dir", "elsewhere"], "process 1 has another configuration"),
    "other code": ([], "process 1 has another code than process 0 (code/parts.py: "),
}


@pytest.mark.science
@pytest.mark.parametrize("how", DIFFERENT)
def test_processes_that_disagree_end_with_one_line(how, tmp_path):
    more, said = DIFFERENT[how]
    bench = toys.make(tmp_path / "toy")
    common = crowd.words(bench)
    other = [*common, *more]
    if how == "other code":
        copy = bench.copy(tmp_path / "copy")
        (copy.folder / "parts.py").write_text((copy.folder / "parts.py").read_text() + "\nMORE = 1\n")
        other[0] = str(copy.script)
    _, _, err = crowd.sane(crowd.Crowd([common, other], 2).ends(), 2)
    found = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(found) == 1, err
    assert found[0].startswith(f"error: {said}"), err
    assert not bench.run.exists()


def words_of(**changes):
    """What a process says of itself at the beginning."""
    of = {
        "settings": {"seed": 0},
        "code": {"script": "1"},
        "data": dict.fromkeys(("name", "fingerprint", "train"), "a"),
    }
    of["data"]["test"] = 3
    return {**of, **changes}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"data": {**words_of()["data"], "fingerprint": "b"}},
            "another data than process 0 (fingerprint: b there, a here)",
        ),
        (
            {"code": {"script": "2"}},
            "another code than process 0 (script: 2 there, 1 here); the script and its modules",
        ),
        ({"settings": {"seed": 1}}, "another configuration than process 0 (seed: 1 there, 0 here)"),
        ({}, ""),
    ],
    ids=["data", "code", "configuration", "nothing"],
)
def test_what_is_compared_at_the_beginning(changes, said, monkeypatch):
    """Data of one name and path that are others on another machine, and the like, which one machine cannot have."""
    store = {}
    monkeypatch.setattr(processes, "_group", processes._Group(None, 0, 2, "here:1"))
    monkeypatch.setattr(processes, "put", lambda key, value: store.update({key: json.loads(json.dumps(value))}))
    monkeypatch.setattr(processes, "get", lambda key, seconds=0: store[key])
    versions = {"jax": "1"}
    monkeypatch.setattr(processes, "index", lambda: 1)
    monkeypatch.setattr(processes, "leader", lambda: False)
    store["beginning-verdict"] = ""
    shared.agree(words_of(**changes), versions, continues=False)
    monkeypatch.setattr(processes, "index", lambda: 0)
    monkeypatch.setattr(processes, "leader", lambda: True)
    if not said:
        shared.agree(words_of(), versions, continues=False)
        return
    with pytest.raises(UserError) as told:
        shared.agree(words_of(), versions, continues=False)
    assert str(told.value).startswith(f"process 1 has {said}")
    assert store["beginning-verdict"] == str(told.value)  # which the others read, and end with


@pytest.mark.science
def test_a_coordinator_that_does_not_answer_is_named(tmp_path):
    bench = toys.make(tmp_path / "toy")
    at = {starting.COORDINATOR: "127.0.0.1:9", starting.PROCESSES: "2", starting.PROCESS: "1", "GEN_JAX_WAIT": "1"}
    done = crowd.alone(crowd.words(bench), 1, **at)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the coordinator 127.0.0.1:9 does not answer for 1 s")
    assert len(done.stderr.splitlines()) == 1
    assert not bench.run.exists()


@pytest.mark.science
def test_processes_that_do_not_all_come_are_told_of(tmp_path):
    bench = toys.make(tmp_path / "toy")
    started = crowd.Crowd(crowd.words(bench), 2, GEN_JAX_WAIT="8")
    started.started[1].kill()
    status, _, err = started.ends()[0]
    assert status == 2, err
    assert err.startswith("error: of 2 processes not all came to 127.0.0.1:"), err
    assert len(err.splitlines()) == 1, err
    assert not bench.run.exists()

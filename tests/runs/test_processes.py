"""One run in several processes: the same bits, one writer, and an end with one line, whoever breaks down."""

import json
import shutil
import signal
import stat

import crowd
import jax
import pytest
import toys
from commands import ROOT
from jax import numpy as jnp

from gen_jax.core import parallel, processes, starting
from gen_jax.core.errors import UserError
from gen_jax.runs import shared

LAYOUTS = ((2, 2), (4, 1))  # processes, devices of each
KILLS = 20


def digest(run, step=None):
    from gen_jax.runs.checkpoint import open_checkpoints

    with open_checkpoints(run, writable=False) as checkpoints:
        return checkpoints.digest(step)


def sane(ends, status=0):
    """All ended with this status, and the others than process 0 said nothing."""
    assert [end[0] for end in ends] == [status] * len(ends), ends
    assert all(not out and not err for _, out, err in ends[1:]), ends
    return ends[0]


def lines(run):
    read = (json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name not in ("seconds", "crc32")} for line in read]


def names(run):
    """What is in a run's folder but for the names that Orbax and TensorBoard choose by chance."""
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    return {name for name in found if "/d/" not in name and "events" not in name}


def written_by_others(run):
    """The files and folders of a run that another process than process 0 made (see `crowd`)."""
    return [str(path.relative_to(run)) for path in run.rglob("*") if path.stat().st_mode & stat.S_IWGRP]


def test_two_processes_give_the_bits_lines_and_files_of_one(tmp_path):
    """Resident and streamed: the second begins with one process of two devices, and two go on. Held-out examples are of
    three batches: two of process 0, and one of process 1."""
    one, two = toys.make(tmp_path / "one"), toys.make(tmp_path / "two")
    for bench in (one, two):
        for number in range(24, 60):
            toys.picture(bench.pictures / "abc"[number % 3] / f"{number}.png", number)
        crowd.before_it_runs(
            bench.script, "from gen_jax.runs.watching import heldout\nheldout.evaluator.__defaults__ = (3,)\n"
        )
        crowd.counting(bench.script)
    asked = {"steps": 4, "checkpoint_every": 2, "evaluate_every": 2}
    assert crowd.alone(crowd.words(one, **asked), 2).returncode == 0
    sane(crowd.Crowd(crowd.words(two, **asked), 2).ends())
    assert [digest(two.run, step) for step in (2, 4)] == [digest(one.run, step) for step in (2, 4)]
    assert lines(two.run) == lines(one.run)
    assert names(two.run) == names(one.run)
    assert written_by_others(two.run) == []
    sitting = json.loads((two.run / "manifest.json").read_text())["sittings"][-1]
    assert (sitting["processes"], sitting["devices"]) == (2, 2)
    assert [crowd.shares(bench.script, number)[0] for bench, number in ((one, 0), (two, 0), (two, 1))] == [
        "0 1 2 of 3", "0 2 of 3", "1 of 3",
    ]  # fmt: skip
    # ---- on from there, streamed, by as many processes as it was not -------------------------------------------------
    more = {**asked, "steps": 6, "resident_gib": 0}
    assert crowd.alone(crowd.words(two, **more), 2).returncode == 0
    sane(crowd.Crowd(crowd.words(one, **more), 2).ends())
    assert digest(two.run) == digest(one.run)


@pytest.mark.science
def test_an_evaluation_is_that_of_one_process_with_one_device(tmp_path):
    """Of weights that do not move, since another number of devices trains with another rounding. Held-out values are of
    two batches, signs of eight, the followed distance of three, its reference of one."""
    common = ["--data", "digits", "--steps", "2", "--evaluate-every", "1", "--hyper.lr", "1e-30", "--sample-every", "0"]
    common += ["--track", "fd", "--track-features", "pca:8", "--track-samples", "600", "--run-dir"]
    layouts, evaluated = {"one": (1, 1), "four": (4, 1), "two": (2, 2)}, {}
    for name, (count, devices) in layouts.items():
        script = tmp_path / name / "vae.py"
        script.parent.mkdir()
        shutil.copy(ROOT / "experiments" / "vae.py", script)
        crowd.counting(script)
        words, run = [str(script), *common, str(tmp_path / name / "run")], tmp_path / name / "run"
        cache = {"GEN_JAX_CACHE": str(tmp_path / name / "cache")}
        if count == 1:
            assert crowd.alone(words, devices, **cache).returncode == 0
        else:
            sane(crowd.Crowd(words, count, devices, **cache).ends())
        assert written_by_others(run) == []
        evaluated[name] = [line for line in lines(run) if any("held_out" in name for name in line)]
        deals = ["0 1 of 2", "0 1 2 3 4 5 6 7 of 8", "0 of 1", "0 1 2 of 3"]
        for process in range(count):
            parts = [deal.partition(" of ") for deal in deals]
            own = [[n for n in asked.split() if int(n) % count == process] for asked, _, _ in parts]
            dealt = [" ".join([*(mine or ["0"]), "of", of]) for mine, (_, _, of) in zip(own, parts, strict=True)]
            assert sorted(crowd.shares(script, process)) == sorted([*dealt, *dealt[:2], *dealt[3:]])  # of two steps
    assert {"tracked/FD-PCA", "held_out/elbo", "samples/distance"} <= evaluated["one"][-1].keys()
    assert [line["step"] for line in evaluated["four"]] == [1, 2]
    for name in ("four", "two"):
        for left, right in zip(evaluated["one"], evaluated[name], strict=True):
            assert right == pytest.approx(left, rel=1e-6, abs=1e-9)


BROKEN = {  # (what fails, on process 1 alone or on both) -> what is told of it, once
    "a share, of process 1": ("PARTS", "process 1: ValueError: broken"),
    "a share, of all": ("PARTS", "ValueError: broken"),
    "on the way to it, process 1": ("SIGNS", "process 1: ValueError: broken"),
    "what process 0 alone looks at": ("LEADER", "ValueError: broken"),
}
BREAK = """
from gen_jax.core import dealing as d, processes as p
from gen_jax.runs.watching import observe as o, heldout as h
def broken(*given):
    raise ValueError("broken")
"""
BREAKS = {
    "PARTS": "own = h.in_batches\nh.in_batches = lambda f, *a, **k: own(broken if {fails} else f, *a, **k)\n",
    "SIGNS": "own = o.observer\no.observer = lambda *a: broken if {fails} else own(*a)\n",
    "LEADER": "own = d.by_leader\nd.by_leader = lambda make: own(broken)\n",
}


@pytest.mark.science
@pytest.mark.parametrize("how", BROKEN)
def test_an_evaluation_that_fails_on_one_process_or_on_all_is_told_and_the_run_goes_on(how, tmp_path):
    what, told = BROKEN[how]
    bench = toys.make(tmp_path / "toy")
    fails = "True" if how.endswith("all") else "p.index() == 1"
    crowd.before_it_runs(bench.script, BREAK + BREAKS[what].format(fails=fails))
    asked = {"steps": 4, "checkpoint_every": 2, "evaluate_every": 2}
    _, _, err = sane(crowd.Crowd(crowd.words(bench, **asked), 2).ends(120))
    lost = [line for line in err.splitlines() if "failed" in line]
    assert [line.partition("; ")[0] for line in lost] == [
        f"step {step}: the evaluation failed ({told})" for step in (2, 4)
    ]
    assert crowd.steps(bench.run) == [2, 4]


@pytest.mark.science
def test_a_process_that_hangs_in_its_share_is_named(tmp_path):
    bench = toys.make(tmp_path / "toy")
    code = BREAK.replace('raise ValueError("broken")', "import time; time.sleep(1000)")
    crowd.before_it_runs(bench.script, code + BREAKS["PARTS"].format(fails="p.index() == 1"))
    started = crowd.Crowd(crowd.words(bench, evaluate_every=2), 2, GEN_JAX_LATE="5")
    crowd.wait_for(lambda: started.started[0].poll() is not None)
    started.started[1].kill()
    status, _, err = started.ends(10)[0]
    assert status == 1
    assert err.splitlines()[-1].startswith("error: process 1 (on ")
    assert "it hangs" in err.splitlines()[-1]


@pytest.mark.science
def test_an_error_of_an_evaluation_that_a_person_has_to_mend_ends_all(tmp_path):
    bench = toys.make(tmp_path / "toy")
    code = BREAK.replace("ValueError", "p.UserError") + BREAKS["PARTS"].format(fails="p.index() == 1")
    crowd.before_it_runs(bench.script, code)
    _, _, err = sane(crowd.Crowd(crowd.words(bench, evaluate_every=2), 2).ends(120), 2)
    assert err.splitlines()[-1] == "error: process 1: broken"
    assert crowd.steps(bench.run) == [1, 2]  # what was due besides happened nevertheless


EXPERIMENTS = {
    "dcgan": ("--width", "8", "--image-size", "16"),
    "vae": (),
    "wgan_gp": ("--width", "8", "--image-size", "16"),
    "vq_vae": ("--width", "8"),
    "biggan": ("--width", "8", "--image-size", "32"),
}


@pytest.mark.science
@pytest.mark.parametrize("resident", ["2", "0"], ids=["resident", "streamed"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_layouts_of_four_devices_agree(name, resident, tmp_path):
    common = [str(ROOT / "experiments" / f"{name}.py"), *EXPERIMENTS[name], "--data", "digits", "--batch-size", "16"]
    common += ["--steps", "4", "--checkpoint-every", "2", "--evaluate-every", "0", "--sample-every", "0"]
    common += ["--resident-gib", resident, "--run-dir"]
    done = crowd.alone([*common, str(tmp_path / "one")], 4)
    assert done.returncode == 0, done.stderr
    for count, devices in LAYOUTS:
        run = tmp_path / f"{count}x{devices}"
        sane(crowd.Crowd([*common, str(run)], count, devices).ends(600))
        assert digest(run) == digest(tmp_path / "one")
        assert lines(run) == lines(tmp_path / "one")


# ---- a state that is split -------------------------------------------------------------------------------------------


def test_a_split_state_is_the_same_run_and_another_layout_goes_on(tmp_path):
    """On four devices of this process: up to rounding what one device does, and its checkpoint is anyone's."""
    split, whole = toys.make(tmp_path / "split"), toys.make(tmp_path / "whole")
    asked = {"steps": 3, "backend": "sharded", "devices": 4, "evaluate_every": 3}
    split.train(**asked, shard_state=True)
    whole.train(**asked)
    for left, right in zip(lines(split.run), lines(whole.run), strict=True):
        assert left == pytest.approx(right, rel=1e-4, abs=1e-6)
    whole.train(**{**asked, "steps": 4}, shard_state=True)
    assert crowd.steps(whole.run)[-1] == 4


def test_each_leaf_is_split_along_its_largest_side_that_the_devices_divide():
    where = parallel.layout("sharded", 4, shard_state=True)
    shapes = {(6, 8, 16): 2, (16, 8): 0, (3, 12): 1, (3, 5): None, (): None, (0, 4): 1}
    for shape, side in shapes.items():
        spec = where.of(jax.ShapeDtypeStruct(shape, jnp.float32)).spec
        assert (list(spec).index("data") if "data" in spec else None) == side
    assert where.of(jax.random.key(0)).is_fully_replicated
    split = parallel.put(jnp.ones((8, 3)), where.of(jnp.ones((8, 3))))
    assert {shard.data.shape for shard in split.addressable_shards} == {(2, 3)}
    with pytest.raises(UserError, match="--backend sharded"):
        parallel.layout("shard_map", 4, shard_state=True)


@pytest.mark.science
def test_a_state_that_is_split_over_processes_goes_on_in_one(tmp_path):
    """Each process writes its own shards and nothing else, and reads them again."""
    several, one = toys.make(tmp_path / "several"), toys.make(tmp_path / "one")
    asked = {"steps": 3, "backend": "sharded", "evaluate_every": 3}
    sharded = [*crowd.words(several, **asked), "--shard-state"]
    sane(crowd.Crowd(sharded, 2, 2).ends())
    others = written_by_others(several.run)
    assert any("/state/ocdbt.process_1/d/" in name for name in others)
    # Beside its shards, what Orbax has a process say of them.
    assert all("/state/ocdbt.process_1" in name or name.endswith("/array_metadatas/process_1") for name in others)
    one.train(**asked, devices=4)
    for left, right in zip(lines(several.run), lines(one.run), strict=True):
        assert left == pytest.approx(right, rel=1e-4, abs=1e-6)
    several.train(**{**asked, "steps": 4}, devices=4, shard_state=True)
    sane(crowd.Crowd([*crowd.words(several, **{**asked, "steps": 5}), "--shard-state"], 2, 2).ends())
    sane(crowd.Crowd([*crowd.words(several, **{**asked, "steps": 6}), "--shard-state"], 4).ends())
    several.train(**{**asked, "steps": 7}, devices=1)
    assert crowd.steps(several.run)[-1] == 7


@pytest.mark.science
def test_damage_that_one_process_finds_is_everyones(tmp_path):
    """Both fall back to the same older checkpoint, though the damaged shard is one's own."""
    bench = toys.make(tmp_path / "toy")
    asked = {"steps": 4, "backend": "sharded", "evaluate_every": 0, "checkpoint_every": 2, "width": 4096}
    sane(crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends())
    kept = digest(bench.run, 4)
    for shard in (bench.run / "checkpoints/4/state/ocdbt.process_1").rglob("*"):
        if shard.is_file():
            written = shard.read_bytes()
            shard.write_bytes(written[: len(written) // 2].ljust(len(written), b"\0"))
    ends = crowd.Crowd([*crowd.words(bench, **asked), "--shard-state"], 2, 2).ends()
    assert "the checkpoint of step 4 is damaged" in sane(ends)[2]
    assert digest(bench.run, 4) == kept


# ---- what breaks down ------------------------------------------------------------------------------------------------


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
    sane(ends, 143)
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
    sane(crowd.Crowd(crowd.words(bench, **asked), 4).ends())
    assert digest(bench.run) == digest(straight.run)
    assert lines(bench.run) == lines(straight.run)


# ---- what is refused -------------------------------------------------------------------------------------------------


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
    _, _, err = sane(crowd.Crowd([common, other], 2).ends(), 2)
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

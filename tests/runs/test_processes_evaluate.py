"""An evaluation of several processes: the numbers of one device, each with its share, and a failure heard by all."""

import shutil

import crowd
import pytest
import toys
from commands import ROOT


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
            crowd.sane(crowd.Crowd(words, count, devices, **cache).ends())
        assert crowd.written_by_others(run) == []
        evaluated[name] = [line for line in crowd.lines(run) if any("held_out" in name for name in line)]
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
from gen_jax.core import processes as p, turns as t
from gen_jax.runs.watching import observe as o, heldout as h
def broken(*given):
    raise ValueError("broken")
"""
BREAKS = {
    "PARTS": "own = h.in_batches\nh.in_batches = lambda f, *a, **k: own(broken if {fails} else f, *a, **k)\n",
    "SIGNS": "own = o.observer\no.observer = lambda *a: broken if {fails} else own(*a)\n",
    "LEADER": "own = t.by_leader\nt.by_leader = lambda make: own(broken)\n",
}


@pytest.mark.science
@pytest.mark.parametrize("how", BROKEN)
def test_an_evaluation_that_fails_on_one_process_or_on_all_is_told_and_the_run_goes_on(how, tmp_path):
    what, told = BROKEN[how]
    bench = toys.make(tmp_path / "toy")
    fails = "True" if how.endswith("all") else "p.index() == 1"
    crowd.before_it_runs(bench.script, BREAK + BREAKS[what].format(fails=fails))
    asked = {"steps": 4, "checkpoint_every": 2, "evaluate_every": 2}
    _, _, err = crowd.sane(crowd.Crowd(crowd.words(bench, **asked), 2).ends(120))
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
    _, _, err = crowd.sane(crowd.Crowd(crowd.words(bench, evaluate_every=2), 2).ends(120), 2)
    assert err.splitlines()[-1] == "error: process 1: broken"
    assert crowd.steps(bench.run) == [1, 2]  # what was due besides happened nevertheless


UNLIKE = """
import time
from pathlib import Path
from gen_jax.core import processes
from gen_jax.runs.evaluation import extractors
own = extractors._pca
def made(source, components):
    with (Path({folder!r}) / "made").open("a") as file:
        print(processes.index(), file=file, end=" ")
    time.sleep(0 if processes.index() else 2)
    found = own(source, components)
    with (Path({folder!r}) / "made").open("a") as file:
        print(processes.index(), file=file, end=" ")
    return found._replace(stamp={{**found.stamp, "weights": f"of {{processes.index()}}"}})
extractors._pca = made
"""


@pytest.mark.science
def test_features_that_differ_between_processes_are_refused(tmp_path):
    """Each embeds its share; and what process 0 makes (a LeNet, say), the others make after it, who may find it."""
    script = tmp_path / "vae.py"
    shutil.copy(ROOT / "experiments" / "vae.py", script)
    crowd.before_it_runs(script, UNLIKE.format(folder=str(tmp_path)))
    words = [str(script), "--data", "digits", "--steps", "1", "--track", "fd", "--track-features", "pca:8"]
    words += ["--run-dir", str(tmp_path / "run")]
    _, _, err = crowd.sane(crowd.Crowd(words, 2).ends(120), 2)
    assert "process 1 has another set of features than process 0 (weights: of 1 there, of 0 here)" in err
    assert "GEN_JAX_CACHE" in err.splitlines()[-1]
    assert (tmp_path / "made").read_text().split() == ["0", "0", "1", "1"]
    assert not (tmp_path / "run").exists()

"""One run in several processes: the same bits, and one writer."""

import json

import crowd
import pytest
import toys
from commands import ROOT

LAYOUTS = ((2, 2), (4, 1))  # processes, devices of each


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
    crowd.sane(crowd.Crowd(crowd.words(two, **asked), 2).ends())
    assert [crowd.digest(two.run, step) for step in (2, 4)] == [crowd.digest(one.run, step) for step in (2, 4)]
    assert crowd.lines(two.run) == crowd.lines(one.run)
    assert crowd.names(two.run) == crowd.names(one.run)
    assert crowd.written_by_others(two.run) == []
    sitting = json.loads((two.run / "manifest.json").read_text())["sittings"][-1]
    assert (sitting["processes"], sitting["devices"]) == (2, 2)
    assert [crowd.shares(bench.script, number)[0] for bench, number in ((one, 0), (two, 0), (two, 1))] == [
        "0 1 2 of 3", "0 2 of 3", "1 of 3",
    ]  # fmt: skip
    # ---- on from there, streamed, by as many processes as it was not -------------------------------------------------
    more = {**asked, "steps": 6, "resident_gib": 0}
    assert crowd.alone(crowd.words(two, **more), 2).returncode == 0
    crowd.sane(crowd.Crowd(crowd.words(one, **more), 2).ends())
    assert crowd.digest(two.run) == crowd.digest(one.run)


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
        crowd.sane(crowd.Crowd([*common, str(run)], count, devices).ends(600))
        assert crowd.digest(run) == crowd.digest(tmp_path / "one")
        assert crowd.lines(run) == crowd.lines(tmp_path / "one")

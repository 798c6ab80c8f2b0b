"""A study is of one data set and one code, and no run's folder keeps the others from their end."""

import shutil

import pytest
import toys

from gen_jax.core.errors import UserError
from gen_jax.runs import folder, manifest
from gen_jax.studies import ablation, execute, launch, study


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two arms of one seed, at their end."""
    bench = toys.make(tmp_path_factory.mktemp("studied"))
    run(bench)
    return bench


@pytest.fixture
def bench(done, tmp_path):
    return done.copy(tmp_path / "bench")


def run(bench, said=None, **settings):
    asked = {"data": f"folder:{bench.pictures}", **toys.ASKED, **settings}
    return ablation.run(
        ablation.Ablation(
            experiment=bench.script, study_dir=bench.folder / "study", grid={"width": [2, 3]}, seeds=1, settings=asked,
            metrics=["loss/error"],
        ),
        (said if said is not None else []).append,
    )  # fmt: skip


def arm(bench, width):
    return bench.folder / "study" / "runs" / f"width={width}" / "seed0"


CHANGES = {
    "data": (lambda b: toys.picture(b.pictures / "a" / "0.png", 99), "is of other data"),
    "code": (lambda b: (b.folder / "mine/deep.py").write_text("SIZE = 1 + 2\n"), "of other code: mine/deep.py is"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_changed_under_a_study_is_refused_and_can_be_allowed(kind, bench, monkeypatch):
    change, words = CHANGES[kind]
    change(bench)
    before = {path: path.read_bytes() for path in (bench.folder / "study").rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=words):
        run(bench, steps=3)
    assert before == {path: path.read_bytes() for path in (bench.folder / "study").rglob("*") if path.is_file()}
    run(bench, steps=3, allow_changed=(kind,))
    for width in (2, 3):
        assert [change["kind"] for change in manifest.read(arm(bench, width))["changed"]] == [kind]


def test_a_study_is_worked_on_from_anywhere_with_its_own_modules(bench, tmp_path):
    for name in ("toy.py", "parts.py", "mine"):
        path = bench.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(arm(bench, 2))
    said = []
    job = launch.Job(str(bench.folder / "study"), ("width=2",), "auto", None)
    toys.within(tmp_path, lambda: launch.work(job, said.append))
    assert manifest.read(arm(bench, 2))["status"] == "complete"


def shell(bench):
    """As a process leaves a run that is killed in its first second."""
    opened = study.open_study(bench.folder / "study")
    shutil.rmtree(arm(bench, 2))
    (arm(bench, 2) / "checkpoints").mkdir(parents=True)
    folder.write_config(arm(bench, 2), opened.config(opened.arms[0], 0))


def damage(name, content):
    return lambda bench: (arm(bench, 2) / name).write_bytes(content)


def lose_checkpoints(bench):
    for path in (arm(bench, 2) / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")


FOLDERS = {
    "a shell": (shell, None),
    "a manifest that is none": (damage("manifest.json", b"{"), "manifest.json is not valid JSON"),
    "settings that are none": (damage("config.json", b"[]"), "config.json is damaged"),
    "no sound checkpoint": (lose_checkpoints, "no sound one is left"),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_keeps_no_other_run_from_its_end(name, bench):
    spoil, words = FOLDERS[name]
    spoil(bench)
    said = []
    run(bench, said, steps=3)
    assert manifest.read(arm(bench, 3))["sittings"][-1]["from_step"] == 2
    told = [line for line in said if line.startswith("failed: width=2 seed 0")]
    if words is None:
        assert not told
        return
    assert len(told) == 1
    assert words in told[0]
    shutil.rmtree(arm(bench, 2))  # mended, in one of the ways that there are: the next call makes it again
    said.clear()
    rows = run(bench, said, steps=3)
    assert not [line for line in said if line.startswith("failed")]
    assert [row.seeds for row in rows] == [1, 1]


def test_a_smaller_length_is_no_table_of_longer_runs(bench):
    run(bench, steps=3)
    before = (bench.folder / "study" / "table.md").read_text()
    with pytest.raises(UserError, match="its runs have 3 steps there and 2 here"):
        run(bench, steps=2)
    assert (bench.folder / "study" / "table.md").read_text() == before


def test_a_run_that_another_process_has_finished_is_no_failure(bench):
    """Two processes work on one study: the slower one is refused the folder of a run that is complete by then."""
    opened = study.open_study(bench.folder / "study")
    first = opened.arms[0]

    def too_late():
        raise UserError("another process has just trained in it")

    assert execute.attempt(opened, first, 0, too_late) == "skipped"
    assert not opened.failure_file(first, 0).exists()
    study.record_failure(opened, first, 0, study.REFUSED, "left by the slower one, before the other's end")
    said = []
    rows = run(bench, said)
    assert not [line for line in said if line.startswith("failed")]
    assert [(row.seeds, row.failed) for row in rows] == [(1, 0), (1, 0)]
    shutil.rmtree(arm(bench, 2))
    assert execute.attempt(opened, first, 0, too_late) == "failed"
    assert study.failures(opened)[0][2]["kind"] == study.REFUSED

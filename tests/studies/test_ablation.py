"""A study in one process: programs shared, arms paired, runs the same as alone, failures recorded, tables written."""

import csv
import json
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy import stats

from gen_jax.core.errors import UserError
from gen_jax.data import load
from gen_jax.runs import checkpoint, log
from gen_jax.runs.train import train
from gen_jax.studies import ablation, batched, execute, plan, program, results, sameness, study
from gen_jax.studies.ablation import Ablation

ROOT = Path(__file__).parents[2]
GAN = ROOT / "experiments" / "gan.py"
GRID = {"loss": ["non_saturating", "hinge"], "hyper.lr_discriminator": [1e-4, 1e-3]}
SETTINGS = {
    "data": "digits", "steps": 8, "width": 4, "depth": 1, "latent_size": 4, "batch_size": 16, "backend": "jit",
    "devices": 1, "steps_per_call": 4, "log_every": 2, "sample_every": 0, "evaluate_every": 4, "checkpoint_every": 4,
}  # fmt: skip


def ask(folder, **changes):
    values = {"experiment": GAN, "study_dir": folder, "grid": GRID, "seeds": 2, "settings": SETTINGS}
    return Ablation(**{**values, **changes})


def quiet(line):
    pass


@pytest.fixture
def compilations():
    """Names of what XLA compiled."""
    names = []

    def listen(name, seconds, **more):
        if name.endswith("backend_compile_duration"):
            names.append(more.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished 2 × 2 × 2 study: (folder, rows, what was said, names of compiled functions)."""
    folder, said, names = tmp_path_factory.mktemp("studies") / "study", [], []

    def listen(name, seconds, **more):
        if name.endswith("backend_compile_duration"):
            names.append(more.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(listen)
    rows = ablation.run(ask(folder), said.append)
    jax.monitoring.unregister_event_duration_listener(listen)
    return folder, rows, said, names


def stream(run):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in log.read_lines(run)]


def digest(run):
    with checkpoint.open_checkpoints(run, writable=False) as checkpoints:
        return checkpoints.digest()


def test_one_compilation_a_structure(finished):
    *_, said, names = finished
    assert sum(name == "jit(steps)" for name in names) == 2  # the losses; not the learning rates, not the seeds
    assert sum(name == "jit(init)" for name in names) == 2
    assert "8 runs finished, 0 failed; 2 programs compiled" in "\n".join(said)


def test_the_plan_is_told_first(finished):
    said = finished[2]
    assert "4 arms × 2 seeds = 8 runs of 8 steps, 2 programs to compile" in said[0]
    assert "loss=hinge: 2 arms × 2 seeds one after another" in said[0]
    assert "KiB of states and data" in said[0]


def test_an_arm_is_bit_for_bit_the_run_alone(finished, tmp_path):
    arm = "loss=hinge,lr_discriminator=0.001"  # the last of its program, which the first has compiled
    opened = study.open_study(finished[0])
    config = plan.replace(opened.config(opened.arm(arm), 1), {"run_dir": tmp_path / "alone"})
    alone = train(config, opened.build, GAN)
    run = opened.run_dir(opened.arm(arm), 1)
    assert digest(run) == digest(alone)
    assert stream(run) == stream(alone)
    assert len(stream(run)) == 6  # four of training, two of evaluation
    for name in ("step_00000000.png", "step_00000008.png"):
        assert (run / "samples" / name).read_bytes() == (alone / "samples" / name).read_bytes()
    there, here = (json.loads((each / "config.json").read_text()) for each in (run, alone))
    assert {**there, "run_dir": ""} == {**here, "run_dir": ""}
    assert (run / "experiment.py").read_bytes() == GAN.read_bytes()
    assert sameness.fields([run])[0]["script"] == sameness.fields([alone])[0]["script"] == "gan"
    with pytest.raises(UserError, match="are the same arm and seed"):
        results.groups_of_runs([run, alone])


def test_arms_of_a_seed_start_alike(finished):
    opened = study.open_study(finished[0])
    source = load.load("digits", None, None, None)
    first = {}
    for seed in opened.seeds:
        states = [opened.build(opened.config(arm, seed), source).init(jax.random.key(seed)) for arm in opened.arms]
        leaves = [jax.tree.leaves(state.params) for state in states]
        for other in leaves[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(leaves[0], other, strict=True))
        first[seed] = np.concatenate([np.ravel(leaf) for leaf in leaves[0]])
        # The same latents through the same weights: one picture.
        grids = {(opened.run_dir(a, seed) / "samples" / "step_00000000.png").read_bytes() for a in opened.arms}
        assert len(grids) == 1
    assert not np.array_equal(first[0], first[1])


def test_the_table_is_that_of_the_metrics_on_disk(finished):
    folder, rows, *_ = finished
    name = "held_out/loss/generator"
    finals = {}
    for arm in study.open_study(folder).arms:
        values = [
            [line[name] for line in log.read_lines(folder / "runs" / arm.name / f"seed{seed}") if name in line]
            for seed in (0, 1)
        ]
        finals[arm.name] = [v[-1] for v in values]
    base = finals["loss=non_saturating,lr_discriminator=0.0001"]
    table = list(csv.DictReader((folder / "table.csv").open()))
    assert len(table) == len(rows) == 4 * 8
    for row in table:
        if row["metric"] != name:
            continue
        final = finals[row["arm"]]
        assert (row["better"], row["best"]) == ("", "")  # a player's loss says how its game stands, not how good it is
        assert float(row["final"]) == pytest.approx(np.mean(final))
        low, high = stats.t.interval(0.95, 1, np.mean(final), stats.sem(final))
        assert (float(row["t_low"]), float(row["t_high"])) == pytest.approx((low, high))
        if "hinge" in row["arm"]:  # another game's loss
            assert row["p"] == row["difference"] == ""
        elif final is not base:
            assert float(row["p"]) == pytest.approx(stats.ttest_rel(final, base).pvalue)
            assert float(row["p_holm"]) >= float(row["p"])


def test_all_four_formats_and_a_page_without_outside_parts(finished):
    folder = finished[0]
    for kind in ("html", "md", "tex", "csv"):
        text = (folder / f"table.{kind}").read_text()
        assert text.count("hinge") >= (2 if kind == "tex" else 12)
        assert "baseline" in text or kind in ("csv", "tex")
    latex = (folder / "table.tex").read_text()
    assert "\\toprule" in latex
    assert "held\\_out\\\\loss\\\\generator" in latex
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 8
    assert page.count("<svg") == 8
    assert 'src="http' not in page
    assert "<script" not in page


def test_doing_it_again_does_nothing(finished, compilations):
    folder = finished[0]
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    said = []
    ablation.run(ask(folder), said.append)
    assert "all runs are there" in said
    assert "jit(steps)" not in compilations
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_another_study_is_refused_and_nothing_touched(finished):
    folder = finished[0]
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    for changes, words in [
        ({"settings": {**SETTINGS, "width": 8}}, "width is 4 there and 8 here"),
        ({"grid": {"loss": ["hinge"]}}, "the grid is over loss, hyper.lr_discriminator there and loss here"),
        ({"seeds": 1}, "2 seeds there and 1 here"),
        ({"grid": {**GRID, "loss": ["hinge", "wasserstein"]}}, "loss='?non_saturating'? there"),
        ({"seeds": 0}, "--seeds 0: give a whole number from 1"),
        ({"baseline": "loss=hinge"}, "no arm is called loss=hinge"),
        ({"launcher": "local:0"}, "local:N"),
        ({"settings": {**SETTINGS, "widht": 8}}, "did you mean width"),
    ]:
        with pytest.raises(UserError, match=words):
            ablation.run(ask(folder, **changes), quiet)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.science
def test_more_seeds_continue_a_study(finished, tmp_path):
    import shutil

    folder = tmp_path / "study"
    shutil.copytree(finished[0], folder)
    said = []
    rows = ablation.run(ask(folder, seeds=3, metrics=["held_out/logits/real:highest"]), said.append)
    assert "4 runs finished" in "\n".join(said)
    assert {row.seeds for row in rows} == {3}
    assert all(row.metric.better == "highest" for row in rows)


def test_a_failed_arm_does_not_stop_the_others(tmp_path):
    said = []
    # A learning rate near the largest number: the first step is finite, the weights after it are not.
    request = ask(
        tmp_path / "study",
        grid={"hyper.lr_generator": [1e38, 1e-4]},
        settings={**SETTINGS, "max_nonfinite": 2},
        seeds=2,
    )
    rows = ablation.run(request, said.append)
    by_arm = {row.arm: row for row in rows}
    assert (by_arm["lr_generator=1e+38"].seeds, by_arm["lr_generator=1e+38"].failed) == (0, 2)
    assert by_arm["lr_generator=0.0001"].seeds == 2
    assert "failed: lr_generator=1e+38 seed 1: diverged" in "\n".join(said)
    assert "lr_generator=1e+38, seed 0" in (tmp_path / "study" / "report.html").read_text()
    assert "0 (2 failed)" in (tmp_path / "study" / "table.md").read_text()


def test_out_of_memory_is_recorded_and_other_errors_are_not_hidden(tmp_path, monkeypatch):
    real = execute.drive
    calls = []

    def drive(rounds):
        calls.append(None)
        if len(calls) == 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes")
        return real(rounds)

    monkeypatch.setattr(execute, "drive", drive)
    rows = ablation.run(ask(tmp_path / "study", grid={}, seeds=3), quiet)
    assert (rows[0].arm, rows[0].seeds, rows[0].failed) == ("base", 2, 1)
    record = json.loads((tmp_path / "study" / "failures" / "base" / "seed1.json").read_text())
    assert record["kind"] == "out of memory"

    def broken(rounds):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(execute, "drive", broken)
    with pytest.raises(jax.errors.JaxRuntimeError):
        ablation.run(ask(tmp_path / "other", grid={}, seeds=1), quiet)


def test_an_arm_that_cannot_be_built_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="arm batch_size=99999: .*larger than"):
        ablation.run(ask(tmp_path / "study", grid={"batch_size": [16, 99999]}), quiet)
    assert not (tmp_path / "study").exists()


@pytest.mark.science
def test_a_hyperparameter_that_decides_structure_gets_its_own_program(tmp_path):
    script = tmp_path / "sly.py"
    text = GAN.read_text().replace("loss=config.loss.value,", "loss=(config.loss if config.hyper.b1 < 0.5 else "
                                   "type(config.loss).hinge).value,")  # fmt: skip
    script.write_text(text)
    said = []
    ablation.run(ask(tmp_path / "study", experiment=script, grid={"hyper.b1": [0.0, 0.1, 0.5]}, seeds=1), said.append)
    assert "3 runs finished, 0 failed; 2 programs compiled" in "\n".join(said)


def test_batched_runs_agree_with_runs_alone(finished, tmp_path, compilations):
    """And a small memory limit splits the batch: here to waves of two."""
    said = []
    opened = study.open_study(finished[0])
    arms = opened.arms[:2]
    other = opened._replace(folder=tmp_path / "study")
    other.folder.mkdir()
    source = program.source_of(opened.base, {})
    algorithm = opened.build(arms[0].config, source)
    shared = program.Program(algorithm, source, "", {}, {})
    config = other.config(arms[0], 0)
    two, three = (batched.memory_of(shared, config, size) for size in (2, 3))
    assert two < three
    limit = (two + three) / 2 / batched.GIB
    tally = execute.execute(other, arms, "batched", limit, said.append)
    assert tally.runs == {"complete": 4, "failed": 0, "skipped": 0}
    assert [line.split(":")[0] for line in said] == ["2 runs at once"] * 2
    for arm in arms:
        for seed in opened.seeds:
            one, many = (log.read_metrics(each.run_dir(arm, seed)) for each in (opened, other))
            assert one.keys() == many.keys()
            for name in one:
                np.testing.assert_array_equal(one[name].steps, many[name].steps)
                np.testing.assert_allclose(one[name].values, many[name].values, rtol=1e-3, atol=1e-4, err_msg=name)
            assert {p.name for p in other.run_dir(arm, seed).iterdir()} >= {
                "config.json", "manifest.json", "experiment.py", "metrics.jsonl", "checkpoints", "samples"
            }  # fmt: skip


@pytest.mark.science
def test_a_batch_goes_on_without_the_run_that_diverged(tmp_path):
    request = ask(
        tmp_path / "study", grid={"hyper.lr_generator": [1e-3, 1e38]}, seeds=2, mode="batched",
        settings={**SETTINGS, "max_nonfinite": 2},
    )  # fmt: skip
    rows = ablation.run(request, quiet)
    assert [(row.seeds, row.failed) for row in rows[:2]] == [(2, 0), (0, 2)]


@pytest.mark.science
def test_memory_that_runs_out_in_a_batch_halves_it(tmp_path, monkeypatch):
    real = batched._together

    def small(program, requests):
        if len(requests) > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return real(program, requests)

    monkeypatch.setattr(batched, "_together", small)
    said = []
    request = ask(tmp_path / "study", grid={"hyper.b1": [0.0, 0.5]}, seeds=2, mode="batched", memory_gib=100.0)
    rows = ablation.run(request, said.append)
    assert "out of memory: on with 2 at once" in said
    assert {row.seeds for row in rows} == {2}


def test_verbs_read_an_arm_like_any_run(finished, capsys):
    from gen_jax.verbs.info import info
    from gen_jax.verbs.sample import sample

    run = finished[0] / "runs" / "loss=hinge,lr_discriminator=0.001" / "seed0"
    info(run, digest=True)
    assert capsys.readouterr().out.strip() == digest(run)
    sample(run, count=4)
    assert (run / "pictures" / "samples.png").exists()
    (run / "pictures" / "samples.png").unlink()
    (run / "pictures").rmdir()

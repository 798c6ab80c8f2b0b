"""Every number that a command line takes, at, below and beyond the bounds of its domain, of every experiment and verb.

The calls are made of the declared domains themselves. A wrong one ends with exit status 2 and one line that names the
flag and what would work, before data are read or anything is written.
"""

import contextlib
import dataclasses
import importlib
import math
import runpy
import sys
import typing
from pathlib import Path

import pytest

from gen_jax.core import domains
from gen_jax.core.domains import Interval
from gen_jax.core.errors import UserError
from gen_jax.runs import command, scripts
from gen_jax.runs.config import Config
from gen_jax.studies import plan

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    path
    for path in (ROOT / "experiments").rglob("*.py")
    if "experiment.main(Config, build)" in path.read_text() or "class Config(experiment.Config)" in path.read_text()
)
COMMANDS = [  # the others are arms of a paper's studies, or make their data before anything else
    path for path in SCRIPTS if "main(Config, build)" in path.read_text() and "import few" not in path.read_text()
]
PAPERS = sorted((ROOT / "experiments" / "papers").glob("*.py"))
VERBS = {
    "sample": ("RUN",),
    "interpolate": ("RUN",),
    "traverse": ("RUN",),
    "latents": ("RUN",),
    "evaluate": ("RUN",),
    "score": ("RUN",),
    "audit": ("RUN",),
    "complete": ("RUN",),
    "reconstruct": ("RUN",),
    "reproduce": ("RUN",),
    "info": ("RUN", "--digest"),
    "export": ("RUN", "--out", "there"),
}


def inside(domain: Interval, whole: bool) -> list[float]:
    """Values at the bounds: the bound itself where it is closed, the next number where it is open."""
    low = -1.0 if domain.low is None else domain.low
    high = max(2.0 * abs(low), 1.0) if domain.high is None else domain.high
    if whole:
        return [int(low), int(high)]
    return [math.nextafter(low, math.inf) if domain.low_open else float(low),
            math.nextafter(high, -math.inf) if domain.high_open else float(high)]  # fmt: skip


def outside(domain: Interval, whole: bool) -> list[float]:
    """Values below and beyond the bounds, and what is no number at all."""
    found: list[float] = []
    if whole:
        found += [] if domain.low is None else [int(domain.low) - 1, -(10**30)]
        found += [] if domain.high is None else [int(domain.high) + 1, 10**30]
        return found
    if domain.low is not None:
        found.append(float(domain.low) if domain.low_open else math.nextafter(domain.low, -math.inf))
    if domain.high is not None:
        found.append(float(domain.high) if domain.high_open else math.nextafter(domain.high, math.inf))
    return [*found, math.nan, math.inf, -math.inf, 1e39]


def fields(kind: type, prefix: str = "") -> dict[str, tuple[Interval, bool, bool]]:
    """Dotted name to (domain, whether whole, whether several)."""
    found = {}
    own = domains.of_class(kind)
    for name, hint in domains.hints(kind).items():
        if dataclasses.is_dataclass(hint):
            found |= fields(typing.cast(type, hint), f"{prefix}{name}.")
        elif name in own:
            found[prefix + name] = own[name], domains.number(hint) is int, "tuple" in str(hint)
    return found


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def assert_one_line(line: str, name: str, domain: Interval) -> None:
    assert "\n" not in line
    assert flag(name) in line
    assert "give a" in line
    assert str(domain) in line


# ---- the domains themselves ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def configs():
    """Script to its class of settings."""
    return {path: scripts.load(path).Config for path in SCRIPTS}


def test_every_field_of_every_experiment_at_below_and_beyond_its_bounds(configs):
    wrong = 0
    for config_type in configs.values():
        base = config_type()
        domains.check(base)  # the defaults
        for name, (domain, whole, several) in fields(config_type).items():
            assert domain not in domains.UNSAID, f"{name} of {config_type.__module__} has no domain of its own"
            for value in inside(domain, whole):
                domains.check(plan.replace(base, {name: (value,) if several else value}))
            for value in outside(domain, whole):
                wrong += 1
                with pytest.raises(UserError, match=flag(name)) as refused:
                    domains.check(plan.replace(base, {name: (value,) if several else value}))
                assert_one_line(str(refused.value), name, domain)
    assert wrong >= 300


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_experiment_reads_the_precision(script):
    assert "config.dtype" in script.read_text()


def test_a_grid_is_checked_cell_by_cell_before_the_first_run(configs):
    for config_type in configs.values():
        for name, (domain, whole, several) in fields(config_type).items():
            if name in plan.REFUSED or several:
                continue
            good = inside(domain, whole)[0]
            plan.check_grid(config_type, {name: [good]})
            with pytest.raises(UserError, match=f"--grid {name}"):
                plan.check_grid(config_type, {name: [good, outside(domain, whole)[0]]})


# ---- command lines ---------------------------------------------------------------------------------------------------
def refused(script: Path | None, arguments: list[str], monkeypatch, capsys) -> str:
    """The one line of a call that exits with 2; nothing on standard output."""
    monkeypatch.setattr(sys, "argv", [str(script or "gen_jax"), *arguments])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__") if script else runpy.run_module("gen_jax", run_name="__main__")
    said = capsys.readouterr()
    assert end.value.code == 2, said.err
    lines = [line for line in said.err.splitlines() if line.strip()]
    assert len(lines) == 1, said.err
    assert lines[0].startswith("error: ")
    assert not said.out
    return lines[0]


def wrong_calls(script: Path, config_type: type, common: bool) -> list[tuple[str, Interval, list[str]]]:
    """(field, domain, arguments): a wrong value of each field, another way wrong at each; `common` fields, too."""
    shared = {field.name for field in dataclasses.fields(Config)}
    found = []
    for number, (name, (domain, whole, _)) in enumerate(fields(config_type).items()):
        if common or name not in shared:
            values = outside(domain, whole)
            found.append((name, domain, [flag(name), str(values[number % len(values)])]))
    return found


@pytest.mark.parametrize("script", COMMANDS, ids=lambda path: path.stem)
def test_an_experiment_refuses_a_wrong_value_of_each_of_its_settings(script, configs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(script.parent)
    (name, domain, arguments), *more = wrong_calls(script, configs[script], common=script.stem in ("gan", "vae"))
    assert_one_line(refused(script, arguments, monkeypatch, capsys), name, domain)
    for name, domain, arguments in more:  # as `experiment.main` reads them, without the script around it
        with pytest.raises(UserError) as wrong:
            command.read(configs[script], arguments)
        assert_one_line(f"error: {wrong.value}", name, domain)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_refuses_a_wrong_value_of_each_of_its_numbers(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    function = getattr(importlib.import_module(f"gen_jax.verbs.{verb}"), verb)
    hints = typing.get_type_hints(function)
    seen = 0
    for name, domain in domains.of_function(function).items():
        assert domain not in domains.UNSAID, f"--{name} of {verb} has no domain of its own"
        for value in outside(domain, domains.number(hints[name]) is int):
            seen += 1
            line = refused(None, [verb, *VERBS[verb], flag(name), str(value)], monkeypatch, capsys)
            assert_one_line(line, name, domain)
    assert seen
    assert not list(tmp_path.iterdir())


def test_every_verb_with_numbers_is_in_the_table():
    files = [path.stem for path in (ROOT / "gen_jax" / "verbs").glob("*.py")]
    for name in files:
        function = getattr(importlib.import_module(f"gen_jax.verbs.{name}"), name, None)
        if function is not None and name != "ablate" and domains.of_function(function):
            assert name in VERBS


def test_ablate_refuses_its_own_numbers_and_those_of_the_experiment(configs, tmp_path, monkeypatch, capsys):
    from gen_jax.verbs.ablate import Options

    monkeypatch.chdir(tmp_path)
    gan = ROOT / "experiments" / "gan.py"
    call = ["ablate", str(gan), "--study-dir", "study"]
    for kind in (Options, configs[gan]):
        for number, (name, (domain, whole, _)) in enumerate(fields(kind).items()):
            values = outside(domain, whole)
            line = refused(None, [*call, flag(name), str(values[number % len(values)])], monkeypatch, capsys)
            assert_one_line(line, name, domain)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script", PAPERS, ids=lambda path: path.stem)
def test_a_paper_refuses_a_wrong_value_of_each_of_its_settings(script, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(script), run_name="gen_jax_paper")
    for number, (name, (domain, whole, _)) in enumerate(fields(names.get("Table", names["Config"])).items()):
        values = outside(domain, whole)
        line = refused(script, [flag(name), str(values[number % len(values)])], monkeypatch, capsys)
        assert_one_line(line, name, domain)
    assert not list(tmp_path.iterdir())


@pytest.mark.science
@pytest.mark.parametrize("script", [path for path in COMMANDS if path.parent.name != "papers"], ids=lambda p: p.stem)
def test_odd_sizes_are_built_or_refused_in_one_line(script, configs, monkeypatch):
    """Whole numbers that are inside their domains and fit nothing else: 1, 3 and 7 of each."""
    from gen_jax.core import parallel
    from gen_jax.data import load
    from gen_jax.runs import rehearsal

    monkeypatch.syspath_prepend(script.parent)
    kind, build = configs[script], scripts.load(script).build
    data = kind().data if kind().data in ("ring8", "grid25") else "digits"
    base = kind(data=data, batch_size=16)
    own = set(fields(kind)) - {field.name for field in dataclasses.fields(Config)}
    base = dataclasses.replace(base, **{name: 4 for name in own if name.endswith("width")})
    for name in sorted(own):
        domain, whole, several = fields(kind)[name]
        for value in {domain.low, 3, 7} if whole else ():
            config = plan.replace(base, {name: (value,) * 3 if several else value})
            with contextlib.suppress(UserError):  # of one line: see `runs.exits`
                rehearsal.rehearse(config, build, load.of(config), parallel.layout("jit", 1), script, new=True)

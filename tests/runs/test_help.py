"""Help is in groups and has a word for each flag; what is written wrong is answered by what may have been meant."""

import contextlib
import dataclasses
import importlib
import re
from pathlib import Path

import pytest
from commands import ROOT

from gen_jax.core import domains
from gen_jax.core.errors import UserError
from gen_jax.runs import command, help
from gen_jax.runs.config import Config

SCRIPTS = sorted(path.stem for path in (ROOT / "experiments").glob("*.py") if path.stem != "__init__")

STUDIES = sorted(
    f"{folder}.{path.stem}"
    for folder in ("applications", "papers")
    for path in (ROOT / "experiments" / folder).glob("*.py")
    if "\nclass Config" in path.read_text() and path.stem != "__init__"
)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_flag_of_every_experiment_has_a_word(script):
    module = importlib.import_module(f"experiments.{script}")
    text = help.of_experiment(module.Config, "About it.", 100)
    assert max(map(len, text.splitlines())) <= 100 or "|" in text
    for name, (flag, words) in help.rows(module.Config):
        plain = words.partition(" (default")[0]
        assert plain != name.rpartition(".")[2].replace("_", " "), f"{script}: {name} needs a line under it"
        assert flag.split()[0] in text
    assert all(f"\n{title}\n" in text for title in help.GROUPS)
    assert "\nMore\n" not in text


def test_groups_hold_the_settings_that_all_have():
    listed = [name for names in help.GROUPS.values() for name in names]
    assert sorted(listed) == sorted(field.name for field in dataclasses.fields(Config))


def test_a_line_says_values_default_and_domain():
    from experiments.dcgan import Config as Dcgan

    text = " ".join(help.of_experiment(Dcgan, "", 300).split())
    for words in (
        "--augment none|diffaugment|ada of everything the discriminator sees, without leaking into the samples",
        "--latent-size N numbers in a latent (default 100; 1 or more)",
        "--dropout X in the discriminator (default 0; from 0 and below 1)",
        "--hyper.lr-generator X the generator's learning rate (default 0.0002; 0 or more)",
        "--[no-]batch-norm in the discriminator (default on)",
        "--run-dir PATH",
        "--loss",
        "--steps N rounds to train in all",
    ):
        assert words in text, words


VERBS = {"sample": lambda: None, "evaluate": lambda: None}


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["smaple", "x"], "there is no verb smaple; did you mean sample? there are sample, evaluate"),
        (["evalaute"], "did you mean evaluate?"),
        (["quantum"], "there is no verb quantum; there are sample, evaluate"),
    ],
)
def test_a_wrong_verb_is_told_the_nearest(words, answer):
    def sample():
        """Draw."""

    def evaluate():
        """Measure."""

    with pytest.raises(UserError) as caught:
        command.verb((sample, evaluate), words, prog="gen-jax")
    assert answer in str(caught.value)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("--widht 3", "--widht is not understood here; did you mean --width?"),
        ("--hyper.lr-genrator 3", "did you mean --hyper.lr-generator?"),
        ("--batchsize 3", "did you mean --batch-size?"),
        ("--nothing-like-it 3", "--nothing-like-it is not understood here; --help says what there is"),
    ],
)
def test_a_wrong_flag_is_told_the_nearest(words, answer):
    from experiments.gan import Config as Gan

    with pytest.raises(UserError) as caught:
        command.read(Gan, words.split())
    assert answer in str(caught.value)
    assert len(str(caught.value)) < 160


def test_verbs_are_listed_by_what_they_are_for(capsys, monkeypatch):
    from gen_jax.__main__ import GROUPS, _run

    monkeypatch.setenv("COLUMNS", "100")
    _run(["--help"])
    text = capsys.readouterr().out
    assert all(f"\n{title}\n" in text for title in GROUPS)
    assert "\nMore\n" not in text
    listed = re.findall(r"^  ([a-z-]+) {2,}\S", text, re.MULTILINE)
    there = {path.stem.replace("_", "-") for path in Path(ROOT, "gen_jax", "verbs").glob("*.py")} - {
        "--init--",
        "common",
    }
    assert set(listed) == there
    assert max(map(len, text.splitlines())) <= 100


def test_every_verb_has_its_help_in_one_form(capsys, monkeypatch):
    from gen_jax.__main__ import GROUPS, _run

    monkeypatch.setenv("COLUMNS", "100")
    for verb in (name for names in GROUPS.values() for name in names):
        with contextlib.suppress(SystemExit):
            _run([verb, "--help"])
        text = capsys.readouterr().out
        assert text.startswith(f"usage: python -m gen_jax {verb} ")
        assert not re.search(r"\{None\}|default: |default none|\[\[|╭|\bSTR\b", text)
        assert "--option" not in text  # a field that verbs fill, not people
        assert (" RUN" in text.splitlines()[0]) == (verb not in ("ablate", "launch", "prepare", "convert-inception"))
        assert max(map(len, text.splitlines())) <= 100
        for name, words in re.findall(r"^  (?:--)?([a-z-]+|[A-Z]+)\b.*?(?: {2,}|\n +)(.*)$", text, re.MULTILINE):
            assert words.strip() != name.replace("-", " "), f"{verb}: {name} needs a word"


def test_the_version(capsys):
    from gen_jax import __version__
    from gen_jax.__main__ import _run

    _run(["--version"])
    assert capsys.readouterr().out == f"{__version__}\n"


def test_words_stand_for_settings_that_are_there():
    used = {field for script in (*SCRIPTS, *STUDIES) for field in _names(script)}
    assert not (unused := set(help.WORDS) - used), unused


def _names(script):
    module = importlib.import_module(f"experiments.{script}")
    return {name.rpartition(".")[2] for name in domains.of_all(module.Config)} | {
        name.rpartition(".")[2] for name, _ in help.rows(module.Config)
    }


@pytest.mark.parametrize("script", STUDIES)
def test_every_setting_of_every_study_has_a_word_and_every_number_a_domain(script):
    kind = importlib.import_module(f"experiments.{script}").Config
    known = domains.of_class(kind)
    for name, (flag, words) in help.rows(kind):
        assert re.split(r" \((default|from|above|\d)", words)[0] != name.replace("_", " "), f"{name}: no word"
        number = any(each in flag.split()[1:] for each in ("N", "X"))
        assert not number or "." in name or known.get(name) not in (None, *domains.UNSAID), f"{name}: no domain"

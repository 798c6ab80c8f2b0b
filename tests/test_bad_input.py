"""A person's mistake gets one clear line, exit status 2, and leaves the run folder byte for byte as it was."""

import os
from pathlib import Path

import commands
import numpy as np
import pytest

from gen_jax.runs.checkpoint import open_checkpoints

SMALL = ["--data", "digits", "--width", "4", "--batch-size", "16", "--steps", "4", "--log-every", "2",
         "--sample-every", "0", "--evaluate-every", "0", "--checkpoint-every", "2"]  # fmt: skip


def call(*arguments):
    return commands.run(*arguments, XLA_FLAGS=os.environ["XLA_FLAGS"])  # on this process's four devices


def experiment(run_dir, *more, script="gan"):
    """argparse keeps the last of a repeated flag, so `more` overrides SMALL."""
    chosen = dict(zip(SMALL[::2], SMALL[1::2], strict=True)) | ({"--depth": "1"} if script == "gan" else {})
    chosen |= dict(zip(more[::2], more[1::2], strict=True))
    flags = [word for pair in chosen.items() for word in pair]
    return call(f"experiments/{script}.py", "--run-dir", run_dir, *flags)


def contents(path: Path):
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()} if path.exists() else None


def assert_refused(done, *words):
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small finished run."""
    path = tmp_path_factory.mktemp("runs") / "gan"
    done = experiment(path)
    assert done.returncode == 0, done.stderr
    return path


def bad_folder(tmp_path, kind):
    folder = tmp_path / kind
    folder.mkdir()
    if kind == "corrupt":
        from PIL import Image

        for name in ("b.png", "c.png"):
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / name)
        (folder / "a.png").write_bytes(b"not a picture")
    return f"folder:{folder}"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data", "mnist"], ["no data set 'mnist'", "give tfds:mnist or mnist5k"]),
        (["--data", "tfds:fashion_mnist", "--data-dir", "/nowhere"], ["python -m gen_jax prepare fashion_mnist"]),
        (["--data", "folder:/nowhere/at/all"], ["/nowhere/at/all"]),
        (["--data", "npz:/nowhere.npz"], ["/nowhere.npz"]),
        (["--batch-size", "5000"], ["5000", "train examples"]),
        (["--batch-size", "18", "--devices", "4"], ["18", "4 devices", "16 or 20"]),
        (["--devices", "64"], ["--devices 64", "4 cpu devices", "1 to 4"]),
        (["--backend", "jit", "--devices", "2"], ["sharded"]),
    ],
)
def test_a_new_run_is_refused_before_it_leaves_a_trace(flags, words, tmp_path):
    assert_refused(experiment(tmp_path / "run", *flags), *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("kind", "word"), [("empty", "no images"), ("corrupt", "a.png")])
def test_empty_and_corrupt_folders(kind, word, tmp_path):
    assert_refused(experiment(tmp_path / "run", "--data", bad_folder(tmp_path, kind)), word)
    assert not (tmp_path / "run").exists()


def test_wrong_shape_and_channels(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((40, 9, 8, 5), np.uint8))
    assert_refused(experiment(tmp_path / "run", "--data", f"npz:{tmp_path / 'a.npz'}"), "a.npz", "channels")
    np.savez(tmp_path / "b.npz", images=np.full((40, 9, 8, 1), 200, np.uint8))
    assert_refused(experiment(tmp_path / "run", "--data", f"npz:{tmp_path / 'b.npz'}", script="dcgan"), "square")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--width", "8"], ["another configuration", "width is 4 there and 8 here"]),
        (["--loss", "minimax", "--seed", "1"], ["loss is 'non_saturating' there", "seed is 0 there and 1 here"]),
    ],
)
def test_another_configuration_leaves_the_folder_as_it_was(run, flags, words):
    before = contents(run)
    assert_refused(experiment(run, *flags), *words)
    assert contents(run) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "/nowhere"], ["no run folder"]),
        (["sample", "RUN", "--count", "0"], ["--count 0"]),
        (["sample", "RUN", "--label", "10"], ["10 classes"]),
        (["sample", "RUN", "--step", "3"], ["no checkpoint of step 3"]),
        (["reconstruct", "RUN"], ["encode"]),
        (["interpolate", "RUN", "--frames", "1"], ["--frames 1"]),
        (["traverse", "RUN", "--example", "100000"], ["--example 100000"]),
        (["prepare", "no_such_data_set"], ["no_such_data_set"]),
    ],
)
def test_verbs_refuse_in_one_line(run, arguments, words):
    before = contents(run)
    assert_refused(call("-m", "gen_jax", *[run if word == "RUN" else word for word in arguments]), *words)
    assert contents(run) == before


def test_unknown_flags_and_verbs_exit_2(tmp_path):
    for arguments in (["experiments/gan.py", "--no-such-flag", "1"], ["-m", "gen_jax", "no-such-verb"]):
        done = call(*arguments)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert experiment(tmp_path / "run", "--loss", "no_such_loss").returncode == 2
    assert not (tmp_path / "run").exists()


def test_a_damaged_checkpoint_falls_back_and_says_so(tmp_path):
    assert experiment(tmp_path / "run").returncode == 0
    newest = tmp_path / "run" / "checkpoints" / "4"
    # Every data file: one alone may be a node of OCDBT's tree that a later commit replaced and nothing reads.
    for part in newest.glob("state/**/d/*"):
        part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    done = experiment(tmp_path / "run", "--steps", "6")
    assert done.returncode == 0, done.stderr
    assert "checkpoint of step 4 is damaged" in done.stderr
    assert experiment(tmp_path / "straight", "--steps", "6").returncode == 0
    digests = set()
    for name in ("run", "straight"):
        with open_checkpoints(tmp_path / name, writable=False) as checkpoints:
            digests.add(checkpoints.digest())
    assert len(digests) == 1


def test_a_diverging_run_stops_with_a_reason_and_keeps_its_checkpoint(tmp_path):
    done = experiment(tmp_path / "run", "--steps", "400", "--hyper.lr-generator", "1e38", "--max-nonfinite", "5")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "were not finite" in done.stderr
    assert "exploding gradients" in done.stderr
    assert "--clip-norm" in done.stderr


def test_a_full_disk_is_one_line(run, tmp_path):
    """A file-size limit stands for the disk: writing past it fails as a full disk does."""
    script = tmp_path / "limited.py"
    script.write_text(f"""
import resource, runpy, signal, sys
import jax
jax.config.update("jax_enable_compilation_cache", False)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.argv = ["gan.py", "--run-dir", "{tmp_path / "run"}", *{SMALL!r}, "--width", "64"]
runpy.run_path("experiments/gan.py", run_name="__main__")
""")
    done = commands.run(script)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "space" in done.stderr or "cannot write" in done.stderr

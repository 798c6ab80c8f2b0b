"""What a person sees while a run trains fits the terminal, is there while it compiles, and says what to expect."""

import io
import json
import re
import subprocess
import sys
from typing import Any

import jax
import pytest
from commands import ROOT
from flax import linen as nn

from gen_jax.core import parallel, platform
from gen_jax.nets import layers
from gen_jax.runs import opening, progress

STEERING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
METRICS = {"accuracy/real": 0.5, "logits/real": 3.0, "loss/discriminator": 1.2345678, "loss/generator": 0.7}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drawn(stream):
    """The lines of what a terminal was sent."""
    return [line.strip() for line in re.split(r"[\r\n]+", STEERING.sub("", stream.getvalue())) if line.strip()]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_bar_fits_the_terminal(width, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    stream = Terminal()
    with progress.Progress(20_000, 0, 64, stream=stream) as shown:
        shown.update(12_345, METRICS)
    lines = drawn(stream)
    assert max(map(len, lines)) <= width
    assert lines[-1].startswith("12345/20000")
    assert ("loss: discriminator 1.235, generator 0.7" in lines[-1]) == (width >= 80)
    assert ("examples/s" in lines[-1]) == (width >= 200)


def test_what_matters_most_stays_longest():
    parts = [progress.Part("x" * 5, 0), progress.Part("y" * 30, 3), progress.Part("z" * 4, 1), progress.Part("w", 4)]
    kept = {width: "".join(part.text[0] for part in progress.fitting(parts, width)) for width in (3, 5, 11, 14, 99)}
    assert kept == {3: "x", 5: "x", 11: "xz", 14: "xzw", 99: "xyzw"}


@pytest.mark.parametrize(
    ("metrics", "shown"),
    [
        (["accuracy/real", "gradient_norm/generator", "loss/generator"], "loss/generator 1  accuracy/real 1"),
        (["beta", "kl", "nonfinite/total", "reconstruction", "elbo"], "elbo 1  kl 1"),
        (["kl/level_0", "bound", "reconstruction"], "bound 1  reconstruction 1"),
        (["gradient_norm/x"], "gradient_norm/x 1"),
        ([], ""),
    ],
)
def test_what_one_watches_comes_first(metrics, shown):
    assert progress._losses(dict.fromkeys(metrics, 1.0), 2) == shown


def test_a_terminal_shows_that_something_is_compiled(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with progress.waiting("compiling", stream):
        pass
    assert "compiling  0 s" in " ".join(drawn(stream))
    silent = io.StringIO()
    with progress.waiting("compiling", silent):
        pass
    assert silent.getvalue() == ""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(platform, "user_cache", lambda: tmp_path)
    return tmp_path / opening.FILE


def test_the_first_line_says_where_how_large_and_how_long(cache, tmp_path, capsys):
    traced = jax.jit(lambda x: jax.lax.scan(lambda c, _: (c * 2 + 1, None), x, length=3)[0]).trace(1.0)

    def told():
        opened = opening.Opening(traced, parallel.layout("jit", 1))
        opened.tell(tmp_path / "run", {"generator": 1234, "critic": 56}, 0)
        with opened.compiling():
            pass
        opened.remember()
        (line,) = capsys.readouterr().err.splitlines()
        return line.removeprefix(f"{tmp_path / 'run'}: ")

    sizes = "jit on 1 × cpu, generator 1,234 and critic 56 parameters; compiling"
    assert told() == f"{sizes} (usually 1 s, 1 s next time)"
    (program,) = json.loads(cache.read_text())
    cache.write_text(json.dumps({program: [30.0, 30.0]}))
    assert told() == f"{sizes} (30 s the first time, less now)"
    cache.write_text(json.dumps({program: [30.0, 2.0]}))
    assert told() == f"{sizes} (2 s last time)"
    assert json.loads(cache.read_text())[program][0] == 30.0


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"x": 1, "y": [1, "2"], "z": [-1, 2]}', "null"])
def test_a_damaged_memory_of_times_costs_an_estimate(content, cache):
    cache.write_text(content)
    assert opening.expected("x", 5000).startswith("usually 20 s")


def test_a_study_says_nothing(cache, tmp_path, capsys):
    opened = opening.Opening(None, parallel.layout("jit", 1))
    opened.tell(tmp_path, {"generator": 1}, 0)
    with opened.compiling():
        pass
    opened.remember()
    assert capsys.readouterr().err == ""
    assert not cache.exists()


def test_a_program_is_known_again_by_its_size_and_shapes():
    def program(length, count):
        return opening.program_of(
            jax.make_jaxpr(lambda x: sum(x * i for i in range(length)))(jax.numpy.ones(count)).jaxpr
        )

    assert program(3, 4) == program(3, 4)
    assert len({program(*sizes)[0] for sizes in ((3, 4), (4, 4), (3, 5))}) == 3


def convolved(module):
    """A training step of a network, traced."""
    x = jax.ShapeDtypeStruct((64, 28, 28, 1), "float32")
    params = jax.eval_shape(lambda x: module.init(jax.random.key(0), x, train=True), x)
    return jax.jit(jax.grad(lambda p, x: (module.apply(p, x, train=True) ** 2).sum())).trace(params, x)


class Net(nn.Module):
    layer: Any
    width: int = 16

    @nn.compact
    def __call__(self, x, *, train):
        for _ in range(2):
            x = self.layer(x, self.width, train)
        return x


@pytest.mark.parametrize(
    ("layer", "width", "told"),
    [
        (lambda x, width, train: nn.Conv(width, (3, 3))(x), 16, True),
        (lambda x, width, train: nn.ConvTranspose(width, (3, 3))(x), 16, True),
        (lambda x, width, train: nn.Conv(width, (1, 1))(x), 1, False),  # next to nothing
        (lambda x, width, train: layers.Conv(width, 3)(x, train=train), 16, False),
        (lambda x, width, train: nn.Dense(width)(x), 16, False),
    ],
)
def test_plain_convolutions_are_spoken_of_where_they_are_met(layer, width, told, cache, tmp_path, capsys):
    opened = opening.Opening(convolved(Net(layer, width)), parallel.layout("jit", 1))
    opened.tell(tmp_path, {"critic": 1}, 0)
    assert (opening.SLOW in capsys.readouterr().err) == told


BUSY = """
import os, signal, sys, threading, time
import numpy as np
from gen_jax.runs import answering
from gen_jax.runs.signals import Signals
phase, sent, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
if phase != "notebook":
    answering.as_command()

def send():
    for _ in range(sent):
        time.sleep(0.1 + 2 * answering.SOON)
        os.kill(os.getpid(), signal.SIGINT)

matrix = np.ones((size, size))
with Signals() as signals, answering.Answers(signals) as answers:
    if phase == "rounds":
        answers.nothing_is_lost = None
    threading.Thread(target=send, daemon=True).start()
    while signals.received is None:
        np.linalg.svd(matrix)  # without Python, for as long as its size asks for
print("the end was reached", signals.received)
"""


def busy(phase, sent, size):
    words = [sys.executable, "-c", BUSY, phase, str(sent), str(size)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("phase", "sent", "words"),
    [("compiling", 1, ["before a round was done"]), ("rounds", 2, ["stopping after this call", "interrupted: ended"])],
)
def test_ctrl_c_is_answered_while_python_cannot_look(phase, sent, words):
    status, out, err = busy(phase, sent, 6000)  # minutes
    assert (status, out) == (130, "")
    assert all(each in err for each in words), err


def test_a_notebook_is_told_and_goes_on():
    status, out, err = busy("notebook", 1, 600)
    assert (status, out.strip()) == (0, "the end was reached 2")
    assert err == "stopping as soon as this is compiled\n"

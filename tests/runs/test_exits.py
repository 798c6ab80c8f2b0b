"""What goes wrong ends as one line with the right status, whatever the streams are; defects keep their traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from endings import assert_one_line, ending

from gen_jax.core.errors import SystemFault, UserError
from gen_jax.core.lines import one_line, visible
from gen_jax.runs import exits, files

ROOT = Path(__file__).parents[2]


class JaxRuntimeError(RuntimeError):
    """Called as JAX calls its own."""


def raising(error):
    def call():
        raise error

    return call


def failing(number, filename="/some/file"):
    return OSError(number, os.strerror(number), filename)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("no such data"), 2, ["no such data"]),
        (SystemFault("no space left to write x"), 1, ["no space left"]),
        (MemoryError("Unable to allocate 9. PiB for an array"), 1, ["out of memory", "9. PiB", "--batch-size"]),
        (MemoryError(), 1, ["out of memory"]),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 12 bytes.\nmore"), 1, ["out of memory"]),
        *[(failing(number), 2, ["/some/file", os.strerror(number), "cannot use"]) for number in (
            errno.EACCES, errno.EPERM, errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG,
            errno.ELOOP, errno.EBUSY, errno.ETXTBSY, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.ENOTEMPTY,
        )],
        *[(failing(number), 1, ["/some/file", os.strerror(number)]) for number in (
            errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENODEV, errno.ESTALE,
        )],
        *[(failing(number), 1, ["no space left", "/some/file"]) for number in (
            errno.ENOSPC, errno.EDQUOT, errno.EFBIG,
        )],
        (failing(errno.EROFS), 2, ["cannot write", "/some/file"]),
        (OSError(errno.ECONNRESET, "Connection reset by peer"), 2, ["Connection reset"]),
    ],
    ids=lambda value: f"{type(value).__name__}{getattr(value, 'errno', '')}" if isinstance(value, Exception) else "",
)  # fmt: skip
def test_errors_end_as_one_line(error, status, words, capsys):
    ended, out, err = ending(raising(error), capsys)
    assert out == ""
    assert_one_line(ended, err, *words, expected=status)


def test_other_ends(capsys):
    assert ending(raising(exits.Diverged("too many")), capsys)[::2] == (1, "stopped: too many\n")
    assert ending(raising(exits.Interrupted("saved", 143)), capsys)[::2] == (143, "interrupted: saved\n")
    assert ending(raising(KeyboardInterrupt()), capsys)[::2] == (130, "interrupted\n")
    assert ending(raising(BrokenPipeError()), capsys)[::2] == (0, "")
    assert ending(raising(SystemExit(3)), capsys)[::2] == (3, "")


@pytest.mark.parametrize("error", [ValueError("a defect"), OSError("without a number"), JaxRuntimeError("INTERNAL: x")])
def test_defects_keep_their_traceback(error, capsys):
    with pytest.raises(type(error)):
        ending(raising(error), capsys)


def test_the_traceback_behind_a_line_can_be_had(capsys, monkeypatch):
    monkeypatch.setenv(exits.TRACEBACKS, "1")
    with pytest.raises(PermissionError):
        ending(raising(failing(errno.EACCES)), capsys)


def test_a_read_that_fails_is_never_a_write_that_failed(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"x" * 9)
    os.mkfifo(tmp_path / "pipe")
    cases = {
        "none": "No such file", "folder": "Is a directory", "loop": "symbolic links", "file/below": "Not a directory",
        "pipe": "is a pipe", "n" * 300: "too long", "file": "9 bytes",
    }  # fmt: skip
    for name, words in cases.items():
        with pytest.raises(UserError, match=f"cannot read .*{words}"):
            files.read_bytes(tmp_path / name, 8)
    with pytest.raises(UserError, match="cannot write .*Not a directory|cannot write .*File exists"):
        files.atomic_write_text(tmp_path / "file" / "below", "")
    with pytest.raises(SystemFault, match="no space left"), files.writing("x"):
        raise failing(errno.EDQUOT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü × −", "plain ü × −"),
        ("a\x1b[2Jb\x07", r"a\x1b[2Jb\x07"),
        ("x\x9b31m\x7f", r"x\x9b31m\x7f"),
        ("evil\u202egnp.exe", r"evil\u202egnp.exe"),
        ("name\udcff", r"name\xff"),
        ("two\nlines", r"two\x0alines"),
    ],
)
def test_nothing_in_a_name_steers_the_terminal(text, shown):
    assert visible(text) == shown
    assert one_line("two\n  lines\n") == "two lines"


PRINTS = """
import sys
from gen_jax.runs.exits import exit_with
from gen_jax.core.errors import UserError
with exit_with():
    print("2 \\u00d7 3 \\u2212 1 \\u00b1 0.5 \\u2191 \\udcff \\u00fc")
    {then}
"""


def shell(redirect, then="raise UserError('a \\u00d7 b')", **variables):
    """The program under a shell's redirection: (status, standard output, standard error)."""
    command = f'"{sys.executable}" -c "$PROGRAM" {redirect}'
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PROGRAM": PRINTS.format(then=then), **variables}
    done = subprocess.run(["bash", "-c", command], env=env, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=lambda v: next(iter(v)),
)
def test_an_ascii_terminal_gets_ascii(variables):
    assert shell("", **variables) == (2, "2 x 3 - 1 +- 0.5 higher \\xff \\xfc\n", "error: a x b\n")


OUTPUT = "error: no space left to write standard output (No space left on device); free some, then run again"


@pytest.mark.parametrize(
    ("redirect", "then", "ends"),
    [
        ("2>&-", "raise UserError('x')", (2, "")),  # closed, as daemons have it
        ("2>/dev/full", "raise UserError('x')", (2, "")),
        ("2>/dev/full", "sys.stderr.write('x' * 99999); sys.stderr.flush()", (0, "")),
        (">/dev/full", "pass", (1, OUTPUT)),
        (">/dev/full", "print('x' * 99999)", (1, OUTPUT)),
        (">&-", "pass", (0, "")),
        (">&- 2>&-", "raise UserError('x')", (2, "")),
        ("<&- >&- 2>&-", "assert open('/dev/null').fileno() > 2", (0, "")),
        ("| head -c 1", "print('x' * 999999)", (0, "")),
        ("2>/dev/full >/dev/full", "pass", (1, "")),
    ],
)
def test_streams_that_fail_cost_what_was_said_there(redirect, then, ends):
    status, _, err = shell(redirect + ("; exit ${PIPESTATUS[0]}" if "|" in redirect else ""), then)
    assert (status, err.split("; what was saved")[0].rstrip("\n")) == ends

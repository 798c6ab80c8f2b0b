"""How a command ends, in this process: its exit status and what it says."""

from pathlib import Path

from gen_jax.runs.exits import exit_with


def ending(call, capsys):
    """(status, standard output, standard error) of `call()` as a command."""
    capsys.readouterr()
    status = 0
    try:
        with exit_with():
            call()
    except SystemExit as end:
        status = end.code or 0
    told = capsys.readouterr()
    return status, told.out, told.err


def assert_one_line(status, err, *words, expected=2):
    """It ended as asked, with one line that has these words."""
    assert status == expected, err
    assert "Traceback" not in err
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    for word in words:
        assert word in lines[0], lines[0]


def contents(path: Path):
    """Every file below a folder, by name."""
    return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()} if path.exists() else None

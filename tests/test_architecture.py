"""docs/architecture.md says what is there: the paths that it names, and lists all the rooms."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()


def test_every_path_it_names_is_there():
    words = re.findall(r"(?<![\w/])((?:gen_jax|experiments|tests|docs)/[\w./*-]*)", PAGE)
    assert len(words) > 40
    missing = [word for word in words if not list(ROOT.glob(word.rstrip("./") or "."))]
    assert not missing


def test_the_drawing_names_files_of_each_room():
    for room in ("core", "runs"):
        line = next(line for line in PAGE.splitlines() if line.startswith(f"  gen_jax/{room}/"))
        names = re.findall(r"[·/]\s+(\w+)", line)
        assert len(names) > 4
        assert all((ROOT / "gen_jax" / room / f"{name}.py").exists() for name in names), (room, names)


def test_the_rooms_are_those_there():
    listed = set(re.findall(r"^\| `gen_jax/(\w+)/` \|", PAGE, re.M))
    there = {path.name for path in (ROOT / "gen_jax").iterdir() if (path / "__init__.py").exists()}
    assert listed == there

"""Which gen_jax computes: its version, and a mark of the source files that a number can come from.

A version alone is the same before and after an edit, and so is a commit with uncommitted changes; a run that was
trained by one text of the package and is measured by another would go by in silence.
"""

import functools
import hashlib
from importlib import metadata
from pathlib import Path

import gen_jax

NAME = "gen_jax"
WITHOUT = ("verbs", "studies")  # what prints, and what calls the rest many times: no number of a run comes from there


def version(name: str) -> str:
    """The version of an installed package; of gen_jax with the mark of its source: "0.2.0 (source 1f0a9c2e)".

    Raises importlib.metadata.PackageNotFoundError for a package that is not installed.
    """
    return f"{metadata.version(name)} (source {mark()})" if name == NAME else metadata.version(name)


@functools.cache
def mark(folder: Path | None = None) -> str:
    """Eight hex digits of the SHA-256 over names and bytes of the package's Python files, wherever it lies."""
    folder = folder or Path(gen_jax.__file__).parent
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if inside.parts[0] not in WITHOUT and not hidden and path.is_file():  # and no link to what is gone
            content = path.read_bytes()
            found.update(f"{inside.as_posix()} {len(content)}\n".encode())
            found.update(content)
    return found.hexdigest()[:8]

"""Whose code a run folder holds: a script in it is executed only where this user is known to have run it before.

A folder that somebody else made may hold any program under the name experiment.py. Its bytes are believed where they
are those of a script of this checkout (`experiments/`), or where this user has trained with them here: their SHA-256 is
then an empty file in `scripts/` of the user's cache. Everything else takes `--trust`. Names, owners and dates of the
folder say nothing, since whoever makes a folder can choose them.
"""

import contextlib
import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.platform import user_cache
from gen_jax.runs.files import read_bytes

FLAG = "--trust"
CODE = 4 << 20  # bytes that a script or a module of one may have
_HERE: set[str] = set()  # what this process ran itself: known even where no cache can be written


def record(contents: Iterable[bytes]) -> None:
    """Remember these scripts and modules as the user's own. Where the cache cannot be written that costs a line."""
    hashes = {_hash(content) for content in contents} - _of_checkout() - _HERE
    if not hashes:
        return
    _HERE.update(hashes)
    folder = user_cache() / "scripts"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for each in hashes:
            if not (folder / each).exists():
                (folder / each).touch(mode=0o600)
    except OSError as error:
        say(
            f"the cache {folder} cannot be written ({error.strerror}), so verbs will not know this script as yours and "
            f"ask for {FLAG}"
        )


def require(run_dir: Path, files: Iterable[Path], trusted: bool = False) -> list[bytes]:
    """The contents of these files of a run folder, which are about to be executed.

    Raises UserError, naming the file, for one that is neither of this checkout nor recorded as this user's, unless
    `trusted`. Execute what is returned, not the file read again: it may have been replaced meanwhile.
    """
    found = []
    for path in files:
        content = read_bytes(path, CODE)
        if not (trusted or known(content)):
            raise UserError(
                f"{path} would be executed, and is neither a script of this checkout nor one that you trained with "
                f"here; read it, then add {FLAG} to run what {run_dir} holds"
            )
        found.append(content)
    return found


def known(content: bytes) -> bool:
    """True for the bytes of a script of this checkout, and of one that this user has trained with."""
    found = _hash(content)
    return found in _HERE or found in _of_checkout() or _recorded(found)


def _recorded(found: str) -> bool:
    folder = user_cache() / "scripts"
    with contextlib.suppress(OSError):
        state = folder.stat()
        # Another user who could write here could have put his hash there.
        own = state.st_uid == os.geteuid() and not state.st_mode & 0o022
        return own and (folder / found).is_file()
    return False


@functools.cache
def _of_checkout() -> frozenset[str]:
    """Hashes of the scripts that came with this checkout; none where gen_jax is installed without them."""
    root = Path(gen_jax.__file__).parents[1] / "experiments"
    found = set()
    for path in root.rglob("*.py"):
        with contextlib.suppress(OSError, UserError):
            found.add(_hash(read_bytes(path, CODE)))
    return frozenset(found)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refuse_links(run_dir: Path, names: Iterable[str]) -> None:
    """Raises UserError where one of these entries of a run folder is a link: what is written or deleted there would be
    somebody's files elsewhere.
    """
    for name in names:
        if (run_dir / name).is_symlink():
            raise UserError(
                f"{run_dir / name} is a link to {os.readlink(run_dir / name)}, where files would be written and "
                f"deleted; put the folder itself there (a whole run folder may be linked)"
            )

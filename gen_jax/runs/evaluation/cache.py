"""What evaluations share between runs: feature networks and reference statistics, on disk, found by fingerprint.

GEN_JAX_CACHE names the folder; by default ~/.cache/gen_jax (XDG_CACHE_HOME is respected). It can be deleted at any
time: everything in it is made again.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gen_jax.core import turns
from gen_jax.core.errors import UserError
from gen_jax.core.lines import say
from gen_jax.core.platform import user_cache
from gen_jax.runs.files import atomic_write_bytes, plain


def cache_dir() -> Path:
    """The folder; it need not exist yet."""
    chosen = os.environ.get("GEN_JAX_CACHE")
    return Path(os.path.expanduser(chosen)) if chosen else user_cache()


def inception_path() -> Path:
    """Where `convert-inception` puts the weights and `--features inception` looks for them."""
    return cache_dir() / "inception-2015-12-05.npz"


def key_of(value: Any) -> str:
    """16 hexadecimal digits of a JSON-like value: equal values, equal keys, whatever the order of their fields."""
    return hashlib.sha256(json.dumps(plain(value), sort_keys=True).encode()).hexdigest()[:16]


def remembered(
    kind: str, identity: Mapping[str, Any], make: Callable[[], dict[str, np.ndarray]], dealt: bool = False
) -> dict[str, np.ndarray]:
    """`make()`, once for each identity; later calls read the arrays back. A damaged file is made again; a cache that
    cannot be written costs a line. `dealt`: `make` is something that all processes do together (`core.dealing`), and do
    where one of them does not have the arrays."""
    path = cache_dir() / kind / f"{key_of(identity)}.npz"
    found = _kept(path)
    missing = turns.anyone(found is None) if dealt else found is None
    if found is not None and not missing:
        return found
    arrays = make()
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    try:
        atomic_write_bytes(path, content.getvalue())
    except UserError as error:
        say(f"the cache costs time and nothing else: {error}")
    return arrays


def _kept(path: Path) -> dict[str, np.ndarray] | None:
    if os.path.isfile(path):
        with contextlib.suppress(Exception), np.load(path, allow_pickle=False) as file:  # anything: make it again
            return {name: file[name] for name in file.files}
    return None

"""What a score finds strangest, and what least: examples to look at, before its numbers are believed."""

import numpy as np

from gen_jax.data.source import to_float
from gen_jax.runs.scores.table import Scored

SHOWN = 12  # in a row


def of(found: Scored) -> tuple[np.ndarray, list[str]]:
    """Rows of a picture for each score, float32 [R, F, *event], and their names: the strangest of all, and below them
    the least strange, each from its own end. Where there are few examples, F is half of them, so that no example stands
    in both rows, but for a single one."""
    shown = max(1, min(SHOWN, len(found.rows) // 2))
    rows, names = [], []
    for name, values in found.scores.items():
        order = np.argsort(-values, kind="stable")
        for said, chosen in (("strangest", order[:shown]), ("least strange", order[::-1][:shown])):
            rows.append(to_float(found.examples.read(found.places[chosen])["x"]))
            names.append(f"{name.replace('_', ' ')}:\n{said} of {len(order):,}")
    return np.stack(rows), names

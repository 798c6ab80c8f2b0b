"""`info RUN`: what a run is, and with --digest the SHA-256 of its latest state."""

from pathlib import Path

import tyro

from gen_jax.core.domains import Whole
from gen_jax.verbs.common import HERE, Elsewhere, Trust, open_state, show


def info(
    run: tyro.conf.Positional[Path],
    digest: bool = False,
    step: Whole | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Say what a run is and how far it is.

    Args:
        run: the run folder
        digest: print the SHA-256 over every leaf of the newest checkpoint's state
        step: of this checkpoint in place of the newest
        json: print JSON
    """
    if digest:
        from gen_jax.runs.checkpoint import digest as digest_of

        opened = open_state(run, step, trust, access)
        value = digest_of(opened.state)
        if json:
            show("", [("digest", value), ("step", opened.step)], json)
        else:
            print(value)
        return
    from gen_jax.runs import folder, manifest
    from gen_jax.runs.settings import flatten

    config = folder.read_config(run)
    kept = folder.kept_steps(run)
    rows = [("step", kept[-1]), ("checkpoints", ", ".join(map(str, kept)))] if kept else [("step", 0)]
    show(f"{run}", [*rows, *manifest.summary(run), *flatten(config).items()], json)

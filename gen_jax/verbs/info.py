"""`info RUN`: what a run is, and with --digest the SHA-256 of its latest state."""

from pathlib import Path

import tyro

from gen_jax.verbs.common import Trust, open_state, show


def info(
    run: tyro.conf.Positional[Path],
    digest: bool = False,
    step: int | None = None,
    trust: Trust = False,
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

        opened = open_state(run, step, trust)
        value = digest_of(opened.state)
        if json:
            show("", [("digest", value), ("step", opened.step)], json)
        else:
            print(value)
        return
    from gen_jax.runs import folder, manifest
    from gen_jax.runs.settings import flatten

    config = folder.read_config(run)
    show(f"{run}", [*manifest.summary(run), *flatten(config).items()], json)

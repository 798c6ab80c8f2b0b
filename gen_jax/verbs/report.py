"""`report RUN`: one self-contained page of what a run did."""

from pathlib import Path

import tyro

from gen_jax.verbs.common import show


def report(run: tyro.conf.Positional[Path], json: bool = False) -> None:
    """Write report.html: samples, curves, evaluation, settings and the manifest, in one file.

    Args:
        run: the run folder
        json: print JSON
    """
    from gen_jax.runs import folder
    from gen_jax.runs.report import write_report

    folder.read_config(run)
    show(f"{run}", [("report", write_report(run))], json)

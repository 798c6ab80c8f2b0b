"""`reproduce RUN`: execute a run again from its own folder, and say whether it came out the same."""

import sys
from pathlib import Path

import tyro

from gen_jax.core.domains import NonNegative
from gen_jax.verbs.common import HERE, Elsewhere, Trust, show


def reproduce(
    run: tyro.conf.Positional[Path],
    metric: str | None = None,
    tolerance: NonNegative = 0.0,
    keep: Path | None = None,
    trust: Trust = False,
    access: Elsewhere = HERE,
    json: bool = False,
) -> None:
    """Train a run again and compare state and metrics: bit for bit, or how far apart and what differs.

    Exits 0 if it came out the same (with --metric: if that metric did, within the tolerance), else 1.

    Args:
        run: the run folder, which is only read
        metric: check the final value of this one alone
        tolerance: how far it may be off
        keep: where to keep the new run; by default it is removed
        json: print JSON
    """
    from gen_jax.core.errors import UserError
    from gen_jax.core.platform import configure
    from gen_jax.runs import folder, log
    from gen_jax.runs.reproduce import reproduce as again

    # Before the script makes an array.
    configure(folder.read_config(run).get("deterministic", False), run / "experiment.py")
    if metric is not None and metric not in (known := log.read_metrics(run)):
        raise UserError(f"{run} has no metric {metric}; it has {', '.join(known) or 'none'}")
    if tolerance < 0 or (tolerance > 0 and metric is None):
        raise UserError(f"--tolerance {tolerance}: give 0 or more, and a --metric that it is for")
    if keep is not None and keep.exists() and not (keep.is_dir() and not any(keep.iterdir())):
        raise UserError(f"--keep {keep}: there is something already; give a new folder")
    verdict = again(run, keep, trust, access)
    rows = [("steps", verdict.step)]
    if metric is None:
        same = verdict.bitwise
        rows += [
            ("verdict", "bitwise equal" if same else "differs"),
            ("state", "the same digest" if verdict.same_digest else "another digest"),
            ("metrics", "the same stream" if verdict.same_stream else "another stream"),
        ]
    else:
        before, now = verdict.finals.get(metric, (float("nan"),) * 2)
        same = abs(now - before) <= tolerance
        rows += [
            ("verdict", f"within {tolerance:g}" if same else f"off by more than {tolerance:g}"),
            (f"{metric} there", before),
            (f"{metric} here", now),
            ("difference", now - before),
        ]
    if not verdict.bitwise:
        rows += [("different", line) for line in verdict.places] or [("different", "nothing in platform and versions")]
        causes = [line for line in verdict.leaves if line.startswith("hyper/")]
        shown = causes or verdict.leaves[:5]
        rows += [("different", line) for line in shown]
        if len(verdict.leaves) > len(shown):
            rows.append(("different", f"{len(verdict.leaves) - len(shown)} more arrays of the state"))
        rows += [(f"largest deviation of {name}", value) for name, value in verdict.deviations.items() if value]
    show(f"{run}", rows, json, verdict._asdict() | {"bitwise": verdict.bitwise} if json else None)
    if not same:
        sys.exit(1)

"""`score RUN`: how strange each example of a data set is to a run's model, one row an example."""

import os
from pathlib import Path
from typing import Annotated, Literal

import tyro

from gen_jax.core.domains import Sample, Seed, Whole
from gen_jax.runs.access import AccessBeside
from gen_jax.runs.scores.names import SAID
from gen_jax.verbs.common import Trust, Which, open_state, picture_path, show

SCORES = "names with commas between; by default model. " + "; ".join(f"{name}: {said}" for name, said in SAID.items())


def score(
    run: tyro.conf.Positional[Path],
    scores: Annotated[str, tyro.conf.arg(help=SCORES)] = "model",
    data: str | None = None,
    split: str | None = None,
    out: Path | None = None,
    count: Sample | None = None,
    background: Path | None = None,
    weights: Which = "ema",
    seed: Seed = 0,
    step: Whole | None = None,
    trust: Trust = False,
    run_data: str | None = None,
    data_dir: Path | None = None,
    allow_changed: tuple[Literal["data", "code"], ...] = (),
    json: bool = False,
) -> None:
    """Write a CSV of anomaly scores: higher is stranger, and a score depends on its example alone. Of images, a picture
    of the strangest and of the least strange as well: RUN/pictures/strangest.png.

    Args:
        run: the run folder
        data: the data to score, such as folder:PATH or npz:PATH, of the run's shape; by default the run's own
        split: which of their examples: all, test, train, or strange (what --normal-class left out); by default all of
            --data, and test of the run's own, since it was trained on the others
        out: the CSV to write; by default RUN/scores.csv
        count: how many examples, spread evenly over the split; by default all
        background: the other run of the score ratio
        weights: averaged (ema) or raw weights
        seed: of noise, the same for every example
        step: which checkpoint; the newest by default
        run_data: where the run's own data are now, where they have moved
        data_dir: where TFDS data sets are
        allow_changed: score by other data, or by other code, than the run's
        json: print JSON
    """
    from gen_jax.runs import outputs

    split = split or ("test" if data is None else "all")
    path = outputs.own(run / "scores.csv") if out is None else outputs.file(out, "--out", ".csv")
    opened = open_state(run, step, trust, AccessBeside(run_data, data_dir, allow_changed))
    outputs.not_over({"--out": path}, opened.config, data, run_data)
    # The picture is the run's own, wherever the table goes; a run that can only be read has none.
    shown = opened.source.kind.name == "images" and (out is None or os.access(run, os.W_OK))
    picture = picture_path(run, "strangest", None) if shown else None
    from gen_jax.core import dealing
    from gen_jax.core.types import weights as weights_of
    from gen_jax.runs.evaluation.subject import Options, Subject
    from gen_jax.runs.scores import extremes, table
    from gen_jax.runs.watching import pictures

    options = Options(seed=seed, background=background)
    view = dealing.on_all(weights_of(opened.state, averaged=weights == "ema"))
    subject = Subject(opened.algorithm, view, opened.source, opened.config, options, run)
    found = table.measure(subject, table.requested(scores), data, split, count)
    table.write(path, found)
    rows = [("examples", f"{len(found.rows)} of {found.data}, {split}"), ("step", opened.step), ("scores", path)]
    if picture is not None:
        pictures.save_rows(picture, *extremes.of(found), opened.source)
        rows.append(("picture", picture))
    show(f"{run}", rows + [(name, table.summary(values)) for name, values in found.scores.items()], json)

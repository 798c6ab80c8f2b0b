"""Runs from Python, for notebooks and scripts: what the command line does, with arrays in place of files.

    import gen_jax

    run = gen_jax.load("runs/cgan-mnist5k-seed0")
    digits = run.sample(16, label=3)  # float32 [16, 28, 28, 1] in [-1, 1]
    run.picture(digits)  # shows itself in a notebook
    run.evaluate("fd,coverage")["FD-LeNet"]["value"]
    run = gen_jax.train("experiments/vae.py", {"steps": 2000, "hyper.beta": 4})

Mistakes raise `UserError`, with the line that the command line would have printed.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gen_jax.core.errors import UserError as UserError
from gen_jax.runs import command

if TYPE_CHECKING:  # this module stays light: JAX comes with the first run
    import numpy as np

    from gen_jax.runs.log import Series
    from gen_jax.runs.opened import Opened


class Run:
    """A run at one of its checkpoints. `averaged`: use the moving average of the weights where there is one."""

    def __init__(self, opened: "Opened", averaged: bool = True):
        self.opened, self.averaged = opened, averaged
        self._compiled: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"Run({str(self.opened.path)!r}, step {self.step}, {self.opened.source.name})"

    @property
    def step(self) -> int:
        return self.opened.step

    @property
    def path(self) -> Path:
        return self.opened.path

    @property
    def weights(self):
        """Parameters and statistics (`core.types.Weights`), for calling `opened.algorithm`'s functions."""
        from gen_jax.core.types import weights

        return weights(self.opened.state, self.averaged)

    # ---- what a model does -------------------------------------------------------------------------------------------
    def sample(
        self, count: int = 64, *, label: int | str | None = None, seed: int = 0, sampler: str = "prior", **given: Any
    ) -> "np.ndarray":
        """Samples, float32 [count, *event]: those of `python -m gen_jax sample` with the same seed.

        label: the class, by number or name, of a conditional model's samples; by default all classes in turn.
        sampler: its name, with options where it has some ("truncated:0.7"). given: whatever else the sampler is given,
        [count, ...] each.
        """
        from gen_jax.runs.drawing import draw

        return draw(self.opened, self.weights, count, seed, label, sampler, given).x

    def encode(self, x: Any, **given: Any) -> dict[str, "np.ndarray"]:
        """{"mean": [N, d], "log_variance"?: [N, d]} of x: uint8 as the data are, or float32 as the model sees them."""
        function = self._ability("encode")
        return self._numpy(self._jit("encode", function)(self.weights, self._batch(x, given)))

    def decode(self, latents: Any, **given: Any) -> "np.ndarray":
        """x, float32 [N, *event], of latents [N, d]."""
        import numpy as np

        told = self._given(given, len(latents))
        return np.asarray(self._jit("decode", self._ability("decode"))(self.weights, np.asarray(latents), told))

    def reconstruct(self, x: Any, **given: Any) -> "np.ndarray":
        """x, encoded and decoded again."""
        return self.decode(self.encode(x, **given)["mean"], **given)

    def score(self, x: Any, *, seed: int = 0, score: str = "model", **given: Any) -> "np.ndarray":
        """An anomaly score of each x, [N]; higher is stranger, and depends on that x alone.

        score: one of those of `python -m gen_jax score`; by default the model's own.
        """
        import numpy as np

        from gen_jax.data.source import in_memory
        from gen_jax.runs.evaluation.subject import Options, Subject
        from gen_jax.runs.scores import named
        from gen_jax.runs.scores.score import of_rows

        opened, found = self.opened, named.score(score)
        subject = Subject(opened.algorithm, self.weights, opened.source, opened.config, Options(seed=seed), self.path)
        found.check(subject)
        rank = self._compiled.setdefault(("score", score, seed), None) or found.make(subject)
        self._compiled["score", score, seed] = rank
        batch = self._batch(x, given)
        return of_rows(found, rank, in_memory(batch), np.arange(len(batch["x"])), subject.devices)

    def classify(self, x: Any) -> "np.ndarray":
        """Logits of the classes, [N, classes]."""
        import numpy as np

        return np.asarray(self._jit("classify", self._ability("classify"))(self.weights, self._batch(x, {})))

    # ---- what is known of it -----------------------------------------------------------------------------------------
    def evaluate(self, metrics: str | Sequence[str] | None = None, **options: Any) -> dict[str, dict[str, Any]]:
        """Scores by name: value, interval, unit and the protocol that made it. What is in evaluation.json is not
        measured again.

        metrics, options: those of `python -m gen_jax evaluate` (features, samples, repeats, seed, ...).
        """
        from gen_jax.core import dealing
        from gen_jax.runs.evaluation import protocol
        from gen_jax.runs.evaluation.subject import Options, Subject

        if unknown := sorted(options.keys() - set(Options._fields)):
            raise UserError(f"evaluate has no option {unknown[0]}; it has {', '.join(Options._fields)}")
        opened = self.opened
        algorithm, source, config = opened.algorithm, opened.source, opened.config
        view = dealing.on_all(self.weights)
        subject = Subject(algorithm, view, source, config, Options(**options), self.path)
        names = protocol.requested(
            metrics if metrics is None or isinstance(metrics, str) else ",".join(metrics), subject
        )
        kind = "ema" if self.averaged and opened.state.ema else "raw"
        found = protocol.run(subject, names, protocol.model_of(subject, self.step, kind), self.path / protocol.FILE)
        return {result["name"]: result for result in found["results"]}

    def metrics(self) -> dict[str, "Series"]:
        """What the run logged: (steps, values) by name."""
        from gen_jax.runs.log import read_metrics

        return read_metrics(self.path)

    def examples(self, count: int = 64, split: str = "test") -> dict[str, "np.ndarray"]:
        """The first examples of a split, as they are stored: "x" uint8 images or float32 points, "label", ..."""
        import numpy as np

        found = self.opened.source.split(split)
        return dict(found.read(np.arange(min(count, found.size))))

    def picture(self, x: Any, columns: int | None = None):
        """Samples [N, *event] as one picture (PIL), the way that the run's own pictures are drawn."""
        import numpy as np
        from PIL import Image

        from gen_jax.data.source import to_float

        kind = self.opened.source.kind
        real = to_float(self.examples(kind.samples)["x"])
        return Image.open(io.BytesIO(kind.picture(to_float(np.asarray(x)), real, columns).png))

    # ---- how ---------------------------------------------------------------------------------------------------------
    def _ability(self, name: str):
        from gen_jax.runs.abilities import need

        return need(self.opened.algorithm, name, name)

    def _jit(self, key: Any, function: Any):
        import jax

        if key not in self._compiled:
            self._compiled[key] = jax.jit(function)
        return self._compiled[key]

    def _given(self, given: Mapping[str, Any], count: int) -> dict[str, Any]:
        import numpy as np

        wanted = self.opened.algorithm.given
        if set(given) != set(wanted):
            told = f"give it {', '.join(wanted)} ([{count}, …] each)" if wanted else "it is given nothing beside x"
            raise UserError(f"this model got {', '.join(given) or 'nothing'} beside x; {told}")
        return {name: np.asarray(value) for name, value in given.items()}

    def _batch(self, x: Any, given: Mapping[str, Any]) -> dict[str, Any]:
        import numpy as np

        from gen_jax.data.source import to_float

        x, shape = np.asarray(x), self.opened.source.shape
        if x.shape[1:] != shape:
            raise UserError(f"x is {list(x.shape)}; this run's data are [N, {', '.join(map(str, shape))}]")
        if x.dtype != np.uint8:
            x = x.astype(np.float32)
        return {"x": to_float(x), **self._given(given, len(x))}

    def _numpy(self, tree: Mapping[str, Any]) -> dict[str, "np.ndarray"]:
        import numpy as np

        return {name: np.asarray(value) for name, value in tree.items()}


def load(
    run: str | Path,
    step: int | None = None,
    *,
    averaged: bool = True,
    trust: bool = False,
    data: str | None = None,
    allow_changed: Sequence[Literal["data", "code"]] = (),
) -> Run:
    """The run in a folder, at its newest checkpoint or that of `step`.

    Its script is executed: of another user's run only with `trust` (see SECURITY.md). data: where its data are now,
    where they have moved. Raises UserError for a folder that holds no run, for data that are not there, and for data or
    code that are not the run's, unless that is in `allow_changed`.
    """
    from gen_jax.core import platform

    platform.configure()
    from gen_jax.runs.access import Access
    from gen_jax.runs.opened import open_state

    access = Access(data, allow_changed=tuple(allow_changed))
    return Run(open_state(Path(run), step, trusted=trust, access=access), averaged)


def train(script: str | Path, settings: Mapping[str, Any] = {}, run_dir: str | Path | None = None) -> Run:
    """Train an experiment script to its end, or continue it, and load the run.

    settings: what would be flags, with dots: {"steps": 500, "hyper.lr": 1e-3, "batch_norm": False}. Raises UserError
    for a script or setting that is wrong, `runs.exits.Diverged` where training broke down.
    """
    from gen_jax.runs import scripts

    script = Path(script)
    module = scripts.load_live(script)
    chosen = {**settings, **({} if run_dir is None else {"run_dir": str(run_dir)})}
    config = command.read(module.Config, _flags(chosen), prog=script.name)
    from gen_jax.core import platform

    platform.configure(config.deterministic, script)
    from gen_jax.runs.train import train as train_

    return load(train_(config, module.build, script.resolve()))


def _flags(settings: Mapping[str, Any]) -> list[str]:
    """Settings as the command line would have them."""
    found = []
    for name, value in settings.items():
        group, _, field = name.replace("_", "-").rpartition(".")
        if isinstance(value, bool):
            found.append("--" + (f"{group}." if group else "") + ("" if value else "no-") + field)
            continue
        values = value if isinstance(value, (tuple, list)) else [value]
        found += ["--" + name.replace("_", "-"), *(getattr(each, "name", str(each)) for each in values)]
    return found

"""What a model promises of its outputs (`core.types.Algorithm`), held against the data on shapes alone: nothing is
computed, and a broken promise is one line before a run begins, not a traceback in a verb after it."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax

from gen_jax.core import returned
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Batch, Sampler, State, given_of, weights
from gen_jax.data.source import Source
from gen_jax.runs import feeding

OF_BATCHES = ("encode", "classify", "cluster")
WIDE = (*OF_BATCHES, "features")  # what gives [B, n]; the others give [B]


class Asked(NamedTuple):
    """What a model's functions are asked with. Shapes."""

    name: str  # of the data
    state: State
    first: Batch  # of training examples, as a probe sees them
    batch: Batch  # of held-out examples
    given: Batch  # the same, and what tools make for samplers beside

    @property
    def rows(self) -> int:
        return self.batch["x"].shape[0]


def asked_of(source: Source, rows: int, state: State) -> Asked:
    """The questions about batches of so many examples of these data, in a state of this make."""
    batch = feeding.one(source, rows, "test")
    shape = batch["x"].shape
    # What no data hold: which cells a model that completes is shown, and the number of a category.
    mask = jax.ShapeDtypeStruct((*shape[:-1], 1) if len(shape) > 2 else shape, "float32")
    made: Any = {"mask": mask, "condition": jax.ShapeDtypeStruct(shape[:1], "int32")}
    return Asked(source.name, state, feeding.one(source, rows, "train"), batch, {**made, **batch})


def check_x(algorithm: Algorithm, asked: Asked) -> None:
    """Raises UserError where what the model makes in the place of x is of another shape than the data: what samplers
    draw, what the prior's latents are decoded to, and reconstructions."""
    view = weights(asked.state)
    # The others draw by the same networks, and tracing a long way to a sample takes seconds.
    _check_samplers(list(algorithm.samplers.items())[:1], asked)
    if algorithm.decode is None or not set(algorithm.given) <= set(asked.given):
        return
    told = given_of(asked.given, algorithm.given)
    codes: dict[Any, str] = {}  # by shape and dtype: what is decoded alike is traced once
    if algorithm.prior is not None:
        codes[_drawn(algorithm.prior, algorithm.given, asked)] = "the prior's latents"
    if algorithm.encode is not None:
        codes.setdefault(jax.eval_shape(algorithm.encode, view, asked.batch)["mean"], "what encode gives")
    for code, words in codes.items():
        _need_x(f"decode, of {words},", jax.eval_shape(algorithm.decode, view, code, told), asked)


def _check_samplers(samplers: Iterable[tuple[str, Sampler]], asked: Asked) -> None:
    for name, sampler in samplers:
        if set(sampler.given) <= set(asked.given):  # else these data have nothing to give it, and `sample` says so
            _need_x(f"sampler {name}", _drawn(sampler.draw, sampler.given, asked), asked)


def _drawn(function: Any, names: tuple[str, ...], asked: Asked) -> Any:
    view, told = weights(asked.state), given_of(asked.given, names)
    key = jax.random.key(0)
    return jax.eval_shape(lambda view, key, told: function(view, key, asked.rows, told), view, key, told)


def check_round(after: State, metrics: Mapping[str, Any], asked: Asked) -> None:
    """Raises UserError where a round changes the make of the state, or has a metric that is no number."""
    returned.same(asked.state, after, "a round's state")
    for name, value in metrics.items():
        returned.scalar(value, f"a round's metric {name}")


def check_rows(algorithm: Algorithm, asked: Asked) -> None:
    """Raises UserError where what the model says of examples is not a value a row, [B], or several, [B, n]; and where
    its probe gives what is no number."""
    if algorithm.probe is not None:
        for name, value in jax.eval_shape(algorithm.probe, asked.state, asked.first, jax.random.key(0)).items():
            returned.scalar(value, f"probe: its {name}")
    view, key = weights(asked.state), jax.random.key(0)
    # What training looks at, and what is traced soon.
    told = {"evaluate": (view, asked.batch, key), **dict.fromkeys(OF_BATCHES, (view, asked.batch))}
    _check_rows(algorithm, told, asked)


def check_rest(algorithm: Algorithm, asked: Asked) -> None:
    """The same of what only verbs ask for, some of which takes seconds to trace: the other samplers, bounds by
    importance samples, scores and features."""
    _check_samplers(list(algorithm.samplers.items())[1:], asked)
    view, key = weights(asked.state), jax.random.key(0)
    told: dict[str, tuple[Any, ...]] = {
        "likelihood": (view, asked.batch, key, 1),
        "score": (view, asked.batch, key),
        "features": (view, asked.batch, asked.batch["x"]),
    }
    if algorithm.encode is not None:
        code = jax.eval_shape(algorithm.encode, view, asked.batch)
        if "log_variance" in code:
            told["elbo_under"] = (view, asked.batch, code, key, 1)
    _check_rows(algorithm, told, asked)


def _check_rows(algorithm: Algorithm, told: Mapping[str, tuple[Any, ...]], asked: Asked) -> None:
    for name, arguments in told.items():
        if (function := getattr(algorithm, name)) is None:
            continue
        arrays = [each for each in arguments if not isinstance(each, int)]
        counts = [each for each in arguments if isinstance(each, int)]  # of samples: shapes depend on them
        found, wide = jax.eval_shape(partial(_call, function, counts), *arrays), name in WIDE
        for part, value in found.items() if isinstance(found, Mapping) else [("", found)]:
            shape = getattr(value, "shape", ())
            if shape[:1] != (asked.rows,) or len(shape) != (2 if wide else 1):
                what = f"{name}: its {part}" if part else name
                wanted = f"[{asked.rows}, n]" if wide else f"[{asked.rows}]"
                raise UserError(f"{what} gives {returned.written(value)} of {asked.rows} examples; it must be {wanted}")


def _call(function: Any, counts: list[int], *arrays: Any) -> Any:
    return function(*arrays, *counts)


def _need_x(what: str, found: Any, asked: Asked) -> None:
    wanted = asked.batch["x"].shape
    if getattr(found, "shape", None) != wanted:
        raise UserError(
            f"{what} gives {returned.written(found)} of {asked.rows} examples; of {asked.name}, whose examples are "
            f"{list(wanted[1:])}, it must be {list(wanted)}"
        )

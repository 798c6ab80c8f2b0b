"""A run on shapes alone, before anything is written: what cannot be built, traced, fed or held is found here."""

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax

from gen_jax.core import domains, parallel
from gen_jax.core.errors import UserError
from gen_jax.core.lines import in_bytes
from gen_jax.core.types import Algorithm, State
from gen_jax.data import feed
from gen_jax.data.source import Source
from gen_jax.runs import feeding, listening, memory, promises, settings, trackers
from gen_jax.runs.abilities import need_values
from gen_jax.runs.config import Config

PROBES = 5  # settings tried to find one that fits: each is built and traced


class Rehearsed(NamedTuple):
    """What a rehearsal found out."""

    algorithm: Algorithm  # its update keeps the trace, which the program of many rounds then takes instead of its own
    template: State  # shapes
    traced: Any  # the first round, as jax.jit(update).trace gives it

    @property
    def metrics(self) -> tuple[str, ...]:
        """Of every round, by name."""
        return tuple(self.traced.out_info[1])


Trace = Callable[[Config], tuple[Rehearsed, float]]  # of a run with these settings: `_trace`


def check(config: Config) -> None:
    """What can be said of settings before data are read. Raises UserError for a number outside its domain, for a value
    that config.json cannot keep, for images of which no batch fits, and for a tracker that is not there."""
    domains.check(config)
    settings.check_kept(config)
    trackers.names(config.log)
    if config.image_size is not None:
        # A batch and its copy, float32, one channel: the least that training holds.
        most = memory.host()
        if 8.0 * config.batch_size * config.image_size**2 > most:
            side = memory.rounded((most / (8.0 * config.batch_size)) ** 0.5)
            raise UserError(
                f"--image-size {config.image_size}: a batch of {config.batch_size} such images does not fit into "
                f"{in_bytes(most)}; --image-size {side} might"
            )


def rehearse(
    config: Config, build: Callable[..., Algorithm], source: Source, where: parallel.Layout, script: Path, new: bool
) -> Rehearsed:
    """Build a run and trace its first round. `new`: refuse settings that its build does not read, too.

    Raises UserError for what cannot be fed or held, for outputs that are not as the model promises them, for a setting
    that nothing reads and, by `compose`, for a hyper that nothing reads.
    """
    with listening.listening(config) as seen:
        trace = partial(_trace, build, source, where)
        try:
            traced, need = trace(config)
        except MemoryError:  # a mask or a table that is made at once
            raise _too_large(config, trace, float("inf")) from None
        if need > memory.machine() * (where.size if where.shards else 1):
            raise _too_large(config, trace, need)
        need_values(traced.algorithm, source)
        asked = promises.asked_of(source, config.batch_size, traced.template)
        after, metrics = traced.traced.out_info
        promises.check_round(after, metrics, asked)
        promises.check_rows(traced.algorithm, asked)
    if config.labels_per_class is not None and "label" in traced.algorithm.given:
        raise UserError(
            f"--labels-per-class {config.labels_per_class} hides labels of {source.name} that {script.name} is given; "
            "leave it out, or use a model that learns from few, such as m2 or feature_matching"
        )
    feeding.check(source, config.batch_size, traced.algorithm.minibatches, where.size)
    if new and listening.unread(config, seen):  # which another sampler may read, or what a verb asks for
        with listening.listening(config) as more:
            promises.check_rest(traced.algorithm, asked)
        listening.refuse_unread(config, seen | more, script.name)
    return traced


def _trace(
    build: Callable[..., Algorithm], source: Source, where: parallel.Layout, config: Config
) -> tuple[Rehearsed, float]:
    """What was built, and the bytes that its training needs, at least."""
    algorithm = build(config, source)
    template = jax.eval_shape(algorithm.init, jax.random.key(0))
    # Before the round: a generator of another shape is a traceback there, of a discriminator that cannot read it.
    promises.check_x(algorithm, promises.asked_of(source, config.batch_size, template))
    batches = feeding.shapes(source, config.batch_size, algorithm.minibatches)
    update = jax.jit(algorithm.update, inline=True)  # leaves nothing of the call in the program that it becomes part of
    # The trace is found again for arguments of the same shapes on the same mesh.
    traced = update.trace(*jax.tree.map(partial(_on, where), (template, batches)))
    _, metrics = traced.out_info
    need = memory.of(template) + memory.at_work(traced.jaxpr) + _of_calls(config, algorithm, source, batches, metrics)
    return Rehearsed(algorithm._replace(update=update), template, traced), need


def _on(where: parallel.Layout, leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where.replicated)


def _of_calls(config: Config, algorithm: Algorithm, source: Source, batches: Any, metrics: Any) -> float:
    """Bytes of the metrics of a compiled call, and of its batches where they are streamed."""
    fits = feed.fits(source, int(config.resident_gib * memory.GIB), algorithm.minibatches)
    return config.steps_per_call * (memory.of(metrics) + (0.0 if fits else memory.of(batches)))


def _too_large(config: Config, trace: Trace, need: float) -> UserError:
    """What to say where `need` is more than the machine has: the setting to blame, and a value of it that fits."""
    most = memory.machine()
    much = f"at least {in_bytes(need)}" if need < float("inf") else "more than there is"
    head = f"training needs {much}, and this machine has {in_bytes(most)}"
    defaults = {field.name: field.default for field in dataclasses.fields(config) if field.init}
    for name in filter(defaults.__contains__, domains.of_class(type(config))):
        value, usual = getattr(config, name), defaults[name]
        if isinstance(value, int) and isinstance(usual, int) and value > usual > 0:
            found = _largest(config, trace, name, usual, most)
            if found is not None:
                flag = domains.flag(name)
                return UserError(f"--{flag} {value}: {head}; try --{flag} {found}")
    return UserError(f"{head}; ask for less: smaller networks, or a smaller --batch-size")


def _largest(config: Config, trace: Trace, name: str, low: int, most: float) -> int | None:
    """A value of this setting from `low` on that fits, close to the largest that does; None where `low` does not."""

    def fits(value: int) -> bool:
        try:
            return trace(dataclasses.replace(config, **{name: value}))[1] <= most
        except (UserError, MemoryError):
            return False

    high = getattr(config, name)
    if not fits(low):
        return None
    for _ in range(PROBES):
        middle = max(low, memory.rounded((low * high) ** 0.5))
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low

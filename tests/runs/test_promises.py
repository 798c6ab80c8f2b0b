"""The outputs that a model promises, against the data: found in a rehearsal, before anything is written."""

from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.types import Sampler
from gen_jax.data import load
from gen_jax.runs import rehearsal, scripts

ROOT = Path(__file__).parents[2]
SMALL = {"width": 4, "batch_size": 6, "data": "digits"}


def rehearse(name, change):
    return rehearse_with(name, lambda config, made: change(made))


def rehearse_with(name, change, **late):
    """Of `change(settings, model)`. late: settings that the experiment does not have itself."""
    module = scripts.load(ROOT / "experiments" / f"{name}.py")

    @dataclass(frozen=True, kw_only=True)
    class Config(module.Config):
        late: float = 1.0

    config = Config(**SMALL, **late)
    build = lambda config, data: change(config, module.build(config, data))  # noqa: E731
    where = parallel.layout("jit", 1)
    return rehearsal.rehearse(config, build, load.of(config), where, Path(f"{name}.py"), new=True)


def after(function, change):
    return lambda *args, **options: change(function(*args, **options))


def of(name, change):
    """The same model, whose function `name` gives what `change` makes of it."""
    return lambda made: made._replace(**{name: after(getattr(made, name), change)})


def sampler(name, change):
    return lambda made: made._replace(
        samplers={**made.samplers, name: Sampler(after(made.samplers["prior"].draw, change))}
    )


def small(x):
    return x[:, ::2, ::2]


def flat(x):
    return x.reshape(len(x), -1)


def state(change):
    return lambda found: (change(found[0]), found[1])


def key(name, change):
    return lambda found: {**found, name: change(found.get(name))}


X = "of digits, whose examples are [8, 8, 1], it must be [6, 8, 8, 1]"
CASES = {
    "nothing": ("vae", lambda made: made, None),
    "a small sampler": ("vae", sampler("prior", small), ["sampler prior gives float32[6, 4, 4, 1]", X]),
    "a flat sampler": ("gan", sampler("prior", flat), ["sampler prior gives float32[6, 64]", X]),
    "two pictures": ("gan", sampler("prior", lambda x: (x, x)), ["sampler prior gives a tuple", X]),
    "one picture": ("gan", sampler("prior", lambda x: x[:1]), ["sampler prior gives float32[1, 8, 8, 1]", X]),
    "a small decoder": ("vae", of("decode", small), ["decode, of the prior's latents, gives float32[6, 4, 4, 1]", X]),
    "a reconstruction": (
        "vae", lambda made: of("decode", small)(made._replace(prior=None)), ["decode, of what encode gives,", X]),
    "a held-out mean": (
        "gan", of("evaluate", key("own", lambda _: jnp.float32(0))), ["evaluate: its own gives float32[]", "[6]"]),
    "a probe of rows": ("gan", of("probe", key("own", lambda _: jnp.zeros(3))), ["probe: its own is float32[3]"]),
    "a metric of rows": (
        "gan", of("update", lambda found: (found[0], {**found[1], "own": jnp.zeros(3)})), ["metric own is float32[3]"]),
    "a state that changes": (
        "gan", of("update", state(lambda s: s.replace(step=s.step + 0.5))),
        ["a round's state.step: its next value is float32[], and before it was int32[]"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_promise_that_is_broken_is_one_line(name):
    model, change, words = CASES[name]
    if words is None:
        assert rehearse(model, change).metrics
        return
    with pytest.raises(UserError) as refused:
        rehearse(model, change)
    assert "\n" not in str(refused.value)
    for word in words:
        assert word in str(refused.value)


def test_what_only_a_verb_asks_for_is_left_to_it():
    def refuse(_):
        raise UserError("there are no features of it")

    assert rehearse("gan", of("features", refuse)).metrics
    with pytest.raises(UserError, match="no features of it"):
        rehearse("gan", of("evaluate", refuse))


def late(name):
    """A model that reads its setting `late` when this is asked of it, and not before."""

    def change(config, made):
        times = lambda found: jax.tree.map(lambda x: x * config.late, found)  # noqa: E731
        if name not in made.samplers and name not in made._fields:
            return made._replace(samplers={**made.samplers, name: Sampler(after(made.samplers["prior"].draw, times))})
        return of(name, times)(made)

    return change


@pytest.mark.parametrize(
    ("model", "name"),
    [("gan", "cooled"), ("vae", "likelihood"), ("vae", "score"), ("gan", "features"), ("vae", "elbo_under")],
)
def test_a_setting_that_a_verb_alone_reads_is_read(model, name):
    assert rehearse_with(model, late(name), late=2.0).metrics
    with pytest.raises(UserError, match=f"--late 2.0: {model}.py does not read it"):
        rehearse_with(model, lambda config, made: made, late=2.0)


@pytest.mark.parametrize(
    ("model", "change", "words"),
    [
        ("gan", sampler("cooled", small), ["sampler cooled gives float32[6, 4, 4, 1]", X]),
        ("vae", of("likelihood", key("value", lambda _: jnp.zeros(()))), ["likelihood: its value gives float32[]"]),
        ("vae", of("score", lambda x: x[:, None]), ["score gives float32[6, 1] of 6", "must be [6]"]),
        ("gan", of("features", lambda x: x[0]), ["features gives float32[", "must be [6, n]"]),
    ],
)
def test_what_is_traced_for_such_a_setting_keeps_its_promises(model, change, words):
    with pytest.raises(UserError) as refused:
        rehearse_with(model, lambda config, made: change(made), late=2.0)
    for word in words:
        assert word in str(refused.value)

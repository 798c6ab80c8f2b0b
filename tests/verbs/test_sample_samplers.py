"""`sample --sampler`: the samplers that a model declares, with their options, and one line for all others."""

import jax
import numpy as np
import pytest

from experiments import flow_matching, stylegan2, vae
from gen_jax.core.errors import UserError
from gen_jax.core.types import weights
from gen_jax.data import load
from gen_jax.runs import drawing
from gen_jax.runs.evaluation import samplers
from gen_jax.runs.opened import Opened

SCRIPTS = {
    "flow_matching": (flow_matching, {"width": 8, "multipliers": (1, 1)}),
    "stylegan2": (stylegan2, {"widths": (4, 4)}),
    "vae": (vae, {"width": 8}),
}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """name -> (a run that has learnt nothing, its weights), made once each; of shapes alone but for flow matching."""
    made, data = {}, load.load("few:8:digits")

    def of(name):
        if name not in made:
            script, settings = SCRIPTS[name]
            config = script.Config(data="few:8:digits", batch_size=8, **settings)
            algorithm = script.build(config, data)
            init = jax.jit(algorithm.init) if name == "flow_matching" else lambda k: jax.eval_shape(algorithm.init, k)
            run = Opened(tmp_path_factory.mktemp(name), config, data, algorithm, init(jax.random.key(0)), 0)
            made[name] = run, weights(run.state)
        return made[name]

    return of


@pytest.mark.parametrize(
    ("model", "sampler", "says"),
    [
        ("flow_matching", "nosuch", "it has prior, truncated, euler, heun"),
        ("flow_matching", "Euler:20", "it has prior, truncated, euler, heun"),
        ("flow_matching", "euler:steps=20", "euler has no option 'steps'; it has evaluations"),
        ("flow_matching", "euler:many", "'many' is no number; write it as in euler:50"),
        ("flow_matching", "euler:evaluations=", "'' is no number"),
        ("flow_matching", "euler:20,20.5", "evaluations: give a whole number"),
        ("flow_matching", "euler:0", "evaluations: give a whole number"),
        ("flow_matching", "heun:7", "evaluations: give a multiple of 2"),
        ("flow_matching", "heun:nan", "evaluations: give a multiple of 2"),
        ("flow_matching", "prior:3", "prior has no options; use --sampler prior"),
        ("stylegan2", "truncated:inf", "a finite part of their way"),
        ("stylegan2", "truncated:phi=0.5", "it has psi"),
        ("stylegan2", "heun:20", "prior, truncated"),
        ("vae", "euler:20", "a sampler 'euler', and this one has not"),
        ("vae", "posterior", "needs held-out examples"),
    ],
)
def test_what_a_model_does_not_have(opened, model, sampler, says):
    run, view = opened(model)
    with pytest.raises(UserError, match=says) as caught:
        drawing.draw(run, view, 2, 0, sampler=sampler)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "sampler", "meaning"),
    [
        ("flow_matching", "euler", "euler:50"),
        ("flow_matching", "heun:evaluations=20", "heun:20"),
        ("flow_matching", "prior", "prior"),
        ("stylegan2", "truncated", "truncated:0.7"),
        ("stylegan2", "truncated:psi=.5", "truncated:0.5"),
    ],
)
def test_what_it_means(opened, model, sampler, meaning):
    assert str(samplers.read(sampler, opened(model)[0].algorithm)) == meaning


def test_each_draws_in_its_own_way(opened):
    """From the same noise: other solvers and other numbers of evaluations end elsewhere, and the same in the same."""
    run, view = opened("flow_matching")
    view = jax.tree.map(lambda leaf: leaf + 0.05, view)  # an untrained field is 0
    found = [drawing.draw(run, view, 2, 0, sampler=name).x for name in ("euler:2", "euler:3", "heun:2", "euler:2")]
    assert found[0].shape == (2, 8, 8, 1)
    assert np.isfinite(found).all()
    assert not np.allclose(found[0], found[1])
    assert not np.allclose(found[0], found[2])
    np.testing.assert_array_equal(found[0], found[3])

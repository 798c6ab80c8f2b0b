"""What a network must accept, and what is said to one that does not."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.core.players import Player, init, sgd
from gen_jax.models.vae_body import vae_body
from gen_jax.nets import mlp
from gen_jax.objectives import likelihoods

X, LABEL = jax.ShapeDtypeStruct((2, 4), jnp.float32), jax.ShapeDtypeStruct((2,), jnp.int32)


class Plain(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1)(x)


class Deaf(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        return nn.Dense(1)(x)


class Told(nn.Module):
    @nn.compact
    def __call__(self, x, *given, train=False):
        return nn.Dense(1)(x)


@pytest.mark.parametrize(
    ("module", "inputs"), [(Plain(), (X,)), (Plain(), (X, LABEL)), (Deaf(), (X, LABEL)), (nn.Dense(1), (X,))]
)
def test_a_network_that_cannot_be_called_so_is_told_what_to_write(module, inputs):
    with pytest.raises(UserError, match=r"write def __call__\(self, x.*, \*, train\)") as found:
        init(Player(module, inputs, sgd("lr")), jax.random.key(0))
    assert type(module).__name__ in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(("module", "inputs"), [(Deaf(), (X,)), (Told(), (X,)), (Told(), (X, LABEL))])
def test_a_network_that_can_is_made(module, inputs):
    params, _ = init(Player(module, inputs, sgd("lr")), jax.random.key(0))
    assert params["Dense_0"]["kernel"].shape == (4, 1)


def test_an_encoder_is_told_so_too():
    with pytest.raises(UserError, match="Plain.__call__"):
        vae_body(Plain(), mlp.Decoder((4,)), likelihood=likelihoods.gaussian(1.0), shape=(4,), hyper={"lr": 1e-3})

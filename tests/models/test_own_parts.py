"""Own losses, terms and networks of a GAN that give what the game cannot use: one line that names them."""

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from gen_jax.core.errors import UserError
from gen_jax.models.gan import gan
from gen_jax.models.gan_parts import Controller, Head, Penalty, Term, normal_latents
from gen_jax.nets import mlp
from gen_jax.objectives import adversarial
from gen_jax.objectives.adversarial import AdversarialLoss

SHAPE = (4, 4, 1)
HYPER = {"lr_generator": 0.1, "lr_discriminator": 0.1, "b1": 0.5, "b2": 0.9, "ema_decay": 0.9}


class Judge(nn.Module):
    column: bool = False
    extra: Any = None

    @nn.compact
    def __call__(self, x, *, train):
        logits = nn.Dense(1)(x.reshape(len(x), -1))
        logits = logits if self.column else logits[:, 0]
        return logits if self.extra is None else (logits, self.extra)


def traced(term=None, weight=None, judge=Judge(), loss=adversarial.non_saturating):
    hyper = {**HYPER, **({weight: 1.0} if weight else {})}
    terms = [term] if term else []
    made = gan(
        mlp.Generator(SHAPE, widths=(4,)), judge, loss=loss, shape=SHAPE, latents=normal_latents(2), hyper=hyper,
        terms=terms,
    )  # fmt: skip
    batch = {"train": {"x": jnp.zeros((1, 6, *SHAPE))}}
    jax.eval_shape(lambda: made.update(made.init(jax.random.key(0)), batch))


def penalty(function):
    return {"term": Term(penalty=Penalty("own", function)), "weight": "own"}


def controller(initial, update):
    return {"term": Term(controller=Controller("own", initial, update))}


def head(discriminator, generator):
    return {"term": Term(head=Head("own", discriminator, generator)), "weight": "own", "judge": Judge(extra=1.0)}


def soft(real, fake):
    return jax.nn.softplus(-fake)


def mean(real, fake):
    return soft(real, fake).mean()


CASES = {
    "a loss a row": ({"loss": AdversarialLoss(mean, soft)}, "the generator's loss is float32[6]"),
    "a loss of D a row": ({"loss": AdversarialLoss(soft, mean)}, "the discriminator's loss is float32[6]"),
    "a penalty a row": (penalty(lambda v: v.fake_logits**2), "penalty own: what it returns is float32[6]"),
    "a penalty of three": (penalty(lambda v: (1.0, 2.0, 3.0)), "penalty own: what it returns is a tuple"),
    "a penalty": (penalty(lambda v: (v.fake_logits**2).mean()), None),
    "three numbers": (controller(jnp.zeros(3), lambda v, view: v + 1), "controller own: its value is float32[3]"),
    "a dict of numbers": (controller({"a": 0.0, "b": 1}, lambda v, view: v), None),
    "another dtype": (controller(0, lambda v, view: v + 0.5), "controller own: its next value is float32[]"),
    "another shape": (controller(0.0, lambda v, view: view.fake_logits), "own: its next value is float32[6]"),
    "a column": ({"judge": Judge(column=True)}, "one logit a row, [6]; this one gave float32[6, 1]; take the column"),
    "two heads unasked": ({"judge": Judge(extra=1.0)}, "one logit a row, [6]; this one gave a tuple"),
    "a head": (head(lambda r, f, v: 0.0, lambda r, f, v: 0.0), None),
    "a head's loss": (head(lambda r, f, v: 0.0, lambda r, f, v: v.fake_logits), "head own: the generator's loss is"),
    "a head that is not there": (
        {**head(lambda r, f, v: 0.0, lambda r, f, v: 0.0), "judge": Judge()}, "must return (logits, extra); this one"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_the_game_cannot_use_is_one_line(name):
    options, words = CASES[name]
    if words is None:
        traced(**options)
        return
    with pytest.raises(UserError) as refused:
        traced(**options)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)

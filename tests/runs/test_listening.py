"""A setting that a build does not read is refused, wherever it stands and however its default is declared."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from gen_jax import experiment
from gen_jax.core.errors import UserError
from gen_jax.runs.listening import listening, refuse_unread


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True, slots=True)
class Net:
    width: int = 8
    depth: int = 2
    inner: Inner = Inner()


@dataclass(frozen=True, kw_only=True)
class Config(experiment.Config):
    need: int
    plain: int = 1
    old: bool = True
    depths: tuple[int, ...] = field(default_factory=lambda: (64, 64))
    net: Net = Net()
    made: Net = field(default_factory=lambda: Net(depth=3))


def nothing(config):
    assert config.need


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"plain": 2}, "--plain 2"),
        ({"old": False}, "--no-old"),
        ({"depths": (3, 3)}, "--depths 3 3"),
        ({"net": Net(depth=5)}, "--net.depth 5"),
        ({"net": Net(inner=Inner(0.25))}, "--net.inner.rate 0.25"),
        ({"made": Net(depth=2)}, "--made.depth 2"),
        ({"precision": "bfloat16"}, "--precision bfloat16"),
    ],
)
@pytest.mark.parametrize("passes", [False, True], ids=["never", "one level up"])
def test_what_is_not_read_is_refused(given, flag, passes):
    config = Config(need=1, **given)
    heard, seen = listening(config)
    nothing(heard)
    if passes and "net" in given:  # that its dataclass was looked at says nothing of a field in it
        assert heard.net.width
        assert heard.net.inner
    with pytest.raises(UserError, match=f"^{flag}: own.py does not read it"):
        refuse_unread(config, seen, "own.py")


def test_what_must_be_given_must_be_read():
    config = Config(need=3)
    _, seen = listening(config)
    with pytest.raises(UserError, match="^--need 3: own.py does not read it"):
        refuse_unread(config, seen, "own.py")


@pytest.mark.parametrize(
    "read",
    [
        lambda config: [config.need, config.depths, config.net.depth],
        lambda config: [config.need, config.depths, dataclasses.asdict(config.net)],
        lambda config: [vars(config), dataclasses.astuple(config.net)],
        lambda config: [config.need, config.depths, config.net == Net()],
        lambda config: [config.need, config.depths, {config.net: 1}],
        lambda config: dataclasses.replace(config, net=dataclasses.replace(config.net, width=3)),
    ],
)
def test_whoever_takes_all_of_it_may_use_any(read):
    config = Config(need=1, depths=(3,), net=Net(depth=5))
    heard, seen = listening(config)
    read(heard)
    refuse_unread(config, seen, "own.py")


def test_what_is_listened_to_is_what_it_was():
    config = Config(need=1, net=Net(depth=5))
    heard, _ = listening(config)
    assert heard == config
    assert config == heard
    assert heard.net == Net(depth=5)
    assert heard.net != Net()
    assert isinstance(heard.net, Net)
    assert hash(heard.net) == hash(config.net)
    assert repr(heard.net) == repr(config.net)
    other = dataclasses.replace(heard, net=Net(depth=6), need=2)
    assert (other.net.depth, other.need, other == config, heard.need) == (6, 2, False, 1)
    assert dataclasses.asdict(heard) == dataclasses.asdict(config)

"""A setting that a build does not read is refused, wherever it stands and however its default is declared."""

import dataclasses
import pickle
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
    double: int = field(init=False, default=2)

    def __post_init__(self):
        object.__setattr__(self, "double", 2 * self.plain)


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
    with listening(config) as seen:
        nothing(config)
        if passes and "net" in given:  # that its dataclass was looked at says nothing of a field in it
            assert config.net.width
            assert config.net.inner
    with pytest.raises(UserError, match=f"^{flag}: own.py does not read it"):
        refuse_unread(config, seen, "own.py")


def test_what_must_be_given_must_be_read():
    config = Config(need=3)
    with listening(config) as seen:
        pass
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
    with listening(config) as seen:
        read(config)
    refuse_unread(config, seen, "own.py")


def test_what_is_listened_to_is_what_it_was():
    config, same = (Config(need=1, net=Net(depth=5)) for _ in range(2))
    text = repr(config.net)
    with listening(config):
        assert config == same
        assert same == config
        assert config.net == Net(depth=5)
        assert config.net != Net()
        assert {Net: "net"}[type(config.net)] == "net"
        assert pickle.loads(pickle.dumps(config.net)) == config.net
        assert hash(config.net) == hash(same.net)
        assert repr(config.net) == text
        other = dataclasses.replace(config, net=Net(depth=6), need=2)
        assert (other.net.depth, other.need, other == same, config.need) == (6, 2, False, 1)
        assert dataclasses.asdict(config) == dataclasses.asdict(same)
    for kind in (Config, Net, Inner):
        assert "__getattribute__" not in vars(kind)


@dataclass(frozen=True, kw_only=True)
class Made(experiment.Config):
    width: int = 8

    def __post_init__(self):
        object.__setattr__(self, "twice", 2 * self.width)


def test_what_is_made_of_settings_may_use_any():
    config = Made(width=9)
    with listening(config) as seen:
        assert config.twice == 18
    refuse_unread(config, seen, "own.py")
    with listening(config) as seen:
        assert config.seed == 0
    with pytest.raises(UserError, match="^--width 9: own.py does not read it"):
        refuse_unread(config, seen, "own.py")

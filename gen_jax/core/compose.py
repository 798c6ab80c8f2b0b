"""The engine: what every GAN, VAE and hybrid shares, done once.

`compose` turns players and phases into `init` and `update`. A round runs the phases in order; each phase takes its
gradient with respect to its own players only, refuses non-finite steps, clips, steps optax and carries the
statistics. Averages (EMA) move once a round.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gen_jax.core import keys, returned
from gen_jax.core import players as players_
from gen_jax.core.errors import UserError
from gen_jax.core.gradients import Pullback, mean_of
from gen_jax.core.norms import euclidean
from gen_jax.core.phases import Phase, SharedForward, offsets
from gen_jax.core.players import Player
from gen_jax.core.types import Algorithm, Array, Batch, Context, Players, Round, State, Tree


def without(names: Sequence[str]) -> UserError:
    """What to say where hyperparameters that a model reads have no value."""
    it, has = ("it", "it has") if len(names) == 1 else ("them", "they have")
    return UserError(
        f"hyper {', '.join(names)}: this model reads {it}, and {has} no value; hand {it} to the model by hyper=, and "
        f"where that is the script's Hyper, give it the field and set --hyper.{names[0]}"
    )


class _Recorded(Mapping):
    """Hyperparameters that remember which of them were looked at while a round was traced. One that is not there is a
    UserError in one line, whoever reads it: a loss, a term, an optimizer."""

    def __init__(self, values: Mapping[str, Array], seen: set[str]):
        self._values, self._seen = values, seen

    def __getitem__(self, name: str) -> Array:
        if name not in self._values:
            raise without([name])
        self._seen.add(name)
        return self._values[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self._values else default

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def compose(
    players: Mapping[str, Player],
    phases: Sequence[Phase],
    hyper: Mapping[str, float],
    *,
    aux: Mapping[str, Tree] | None = None,
    shared: SharedForward | None = None,
) -> Algorithm:
    """An `Algorithm` with `init` and `update`; the model adds what else it can do with `_replace`.

    players: by name. phases: a round, in order. hyper: initial scalar values. aux: initial controller state.
    shared: a forward pass computed once a round (see `SharedForward`); its phases must not repeat.
    Raises ValueError where a phase names an unknown player, where a shared forward meets a repeated phase, and where a
    player with parameters is moved by no phase. `update` raises UserError, as it is traced, for a hyper nobody reads.
    """
    for phase in phases:
        if missing := set(phase.players) - set(players):
            raise ValueError(f"a phase moves unknown players {sorted(missing)}; there are {sorted(players)}")
        if shared is not None and phase.repeats > 1:
            raise ValueError("a shared forward pass holds one minibatch; a phase with repeats > 1 needs its own")
    starts, minibatches = offsets(phases)

    def init(key: Array) -> State:
        values = {name: jnp.float32(value) for name, value in hyper.items()}
        told = _Recorded(values, set())
        made = {name: players_.init(p, keys.named(keys.named(key, "init"), name)) for name, p in players.items()}
        params = {name: made[name][0] for name in players}
        return State(
            step=jnp.int32(0),
            key=key,
            params=params,
            stats={name: made[name][1] for name in players},
            opt={name: p.optimizer(told).init(params[name]) for name, p in players.items()},
            # A copy: the average and the parameters may be donated together, so they must not share a buffer.
            ema={name: jax.tree.map(jnp.copy, params[name]) for name, p in players.items() if p.ema},
            hyper=values,
            aux={"nonfinite": {"total": jnp.int32(0), "in_a_row": jnp.int32(0)}, **(aux or {})},
            ema_stats={
                name: jax.tree.map(jnp.copy, made[name][1]) for name, p in players.items() if p.ema and p.ema_statistics
            },
        )

    def update(state: State, batches: Round) -> tuple[State, dict[str, Array]]:
        seen: set[str] = set()
        after, metrics = play(state, batches, _Recorded(state.hyper, seen))
        if unread := sorted(set(hyper) - seen):
            raise UserError(
                f"hyper {', '.join(unread)}: nothing in this model reads {'it' if len(unread) == 1 else 'them'}; it "
                f"reads {', '.join(sorted(seen))}; leave out what is not there, or choose the option that uses it"
            )
        return after, metrics

    def play(state: State, batches: Round, values: Mapping[str, Array]) -> tuple[State, dict[str, Array]]:
        round_key = jax.random.fold_in(state.key, state.step)
        before = state
        outputs, pullback, metrics = None, None, {}
        sound = jnp.bool_(True)
        if shared is not None:
            context = _context(state, values, _minibatch(batches["train"], 0), keys.named(round_key, "shared"))
            state, outputs, pullback = _forward(shared, state, context)
        for number, phase in enumerate(phases):
            key, start = jax.random.fold_in(round_key, number), starts[number]
            streams = [(phase.draws, start), *((stream, 0) for stream in phase.beside)]

            def step(state: State, inputs, phase=phase):
                (minibatch, *beside), key = inputs
                context = _context(state, values, minibatch, key, outputs)
                context = context._replace(beside=dict(zip(phase.beside, beside, strict=True)))
                return _step(players, phase, context, state, pullback)

            if phase.repeats == 1:
                own = [_minibatch(batches[stream], first) for stream, first in streams]
                state, (logged, finite) = step(state, (own, jax.random.fold_in(key, 0)))
            else:
                own = [
                    {name: leaf[first : first + phase.repeats] for name, leaf in batches[stream].items()}
                    for stream, first in streams
                ]
                repeat_keys = jax.vmap(lambda repeat, key=key: jax.random.fold_in(key, repeat))(
                    jnp.arange(phase.repeats)
                )
                state, (logged, finite) = jax.lax.scan(step, state, (own, repeat_keys))
                logged = {name: jnp.mean(value) for name, value in logged.items()}
            metrics |= logged
            sound &= jnp.all(finite)
        state = _count_nonfinite(_average(players, state, values), before, sound)
        counts = {f"nonfinite/{name}": count.astype(jnp.float32) for name, count in state.aux["nonfinite"].items()}
        return state, {**metrics, **counts}

    _refuse_idle(players, phases, init)
    return Algorithm(init=init, update=update, minibatches=minibatches, hyper=dict(hyper))


def _refuse_idle(players: Mapping[str, Player], phases: Sequence[Phase], init: Callable[[Array], State]) -> None:
    moved = {name for phase in phases for name in phase.players}
    if not set(players) - moved:
        return
    params = jax.eval_shape(init, jax.random.key(0)).params
    if idle := sorted(name for name in set(players) - moved if jax.tree.leaves(params[name])):
        raise ValueError(f"no phase moves {', '.join(idle)}; the phases move {', '.join(sorted(moved))}")


def _minibatch(batch: Batch, number: int) -> Batch:
    return {name: leaf[number] for name, leaf in batch.items()}


def _context(state: State, values: Mapping[str, Array], minibatch: Batch, key: Array, outputs: Tree = None) -> Context:
    return Context(
        stats=state.stats,
        hyper=values,
        aux=state.aux,
        ema=state.ema,
        step=state.step,
        batch=minibatch,
        key=key,
        opt=state.opt,
        shared=outputs,
    )


def _forward(shared: SharedForward, state: State, context: Context) -> tuple[State, Tree, Pullback]:
    def function(moving: Players) -> tuple[Tree, Players]:
        return shared.function({**state.params, **moving}, context)

    moving = {name: state.params[name] for name in shared.players}
    outputs, pullback, stats = jax.vjp(function, moving, has_aux=True)
    return state.replace(stats={**state.stats, **mean_of(stats)}), outputs, Pullback(shared.players, pullback)


def _step(
    players: Mapping[str, Player], phase: Phase, context: Context, state: State, pullback: Pullback | None
) -> tuple[State, tuple[dict[str, Array], Array]]:
    """One optimizer step of one phase: the new state, and (metrics, whether the step was finite)."""
    loss, grads, aux = phase.gradient(phase.objective, state.params, phase.players, context, pullback)
    returned.moved(state.stats, aux.stats, "the statistics of")
    returned.moved(state.aux, aux.aux, "controller")
    norms = {name: euclidean(grads[name]) for name in phase.players}
    finite = jnp.isfinite(loss)
    for norm in norms.values():
        finite &= jnp.isfinite(norm)
    if_finite = {name: (state.params[name], state.opt[name], grads[name], norms[name]) for name in phase.players}
    stepped = _if(
        finite,
        lambda mine: {
            name: returned.stepped(name, own[:2], descend(players[name], context.hyper, *own))
            for name, own in mine.items()
        },
        lambda mine: {name: (params, opt) for name, (params, opt, _, _) in mine.items()},
        if_finite,
    )
    params = {**state.params, **{name: stepped[name][0] for name in phase.players}}
    opt = {**state.opt, **{name: stepped[name][1] for name in phase.players}}
    small = _keep(
        finite, ({**state.stats, **aux.stats}, {**state.aux, **aux.aux}), (dict(state.stats), dict(state.aux))
    )
    kept = state.replace(params=params, opt=opt, stats=small[0], aux=small[1])
    metrics = {**aux.metrics, **{f"gradient_norm/{name}": norm for name, norm in norms.items()}}
    return kept, (metrics, finite)


def descend(
    player: Player, hyper: Mapping[str, Array], params: Tree, opt: Tree, grads: Tree, norm: Array
) -> tuple[Tree, Tree]:
    """One optimizer step of a player down `grads`, of global norm `norm`, clipped and projected: (params, opt)."""
    if player.clip is not None:
        scale = jnp.minimum(1.0, hyper[player.clip] / jnp.maximum(norm, 1e-12))
        grads = jax.tree.map(lambda g: g * scale, grads)
    updates, opt = player.optimizer(hyper).update(grads, opt, params)
    params = optax.apply_updates(params, updates)
    return (player.project(params, hyper) if player.project else params), opt


def _if(finite: Array, step: Callable[[Tree], Tree], stay: Callable[[Tree], Tree], operand: Tree) -> Tree:
    """`step(operand)` where finite, else `stay(operand)`.

    A branch on CPU: selecting between old and new doubles the time of an optimizer's pass over the weights, a third of
    a small model's round. A selection elsewhere: an accelerator's launches should not wait for the answer.
    """

    def select(operand: Tree) -> Tree:
        return _keep(finite, step(operand), stay(operand))

    def branch(operand: Tree) -> Tree:
        return jax.lax.cond(finite, step, stay, operand)

    return jax.lax.platform_dependent(operand, cpu=branch, default=select)


def _keep(finite: Array, new: Tree, old: Tree) -> Tree:
    return jax.tree.map(lambda n, o: n if n is o else jnp.where(finite, n, o), new, old)


def _average(players: Mapping[str, Player], state: State, values: Mapping[str, Array]) -> State:
    """Move the averages. The decay is warmed up, min(decay, (1 + t) / (10 + t)), or early samples show the noise of
    initialisation for 1 / (1 - decay) rounds. Counters among the statistics are copied."""
    ema, ema_stats = dict(state.ema), dict(state.ema_stats)
    early = (1.0 + state.step) / (10.0 + state.step)
    for name in ema:
        decay = jnp.minimum(values[players[name].ema or ""], early)

        def move(mean: Array, new: Array, d: Array = decay) -> Array:
            return d * mean + (1.0 - d) * new if jnp.issubdtype(new.dtype, jnp.floating) else new

        ema[name] = jax.tree.map(move, ema[name], state.params[name])
        if name in ema_stats:
            ema_stats[name] = jax.tree.map(move, ema_stats[name], state.stats[name])
    return state.replace(ema=ema, ema_stats=ema_stats)


def _count_nonfinite(state: State, before: State, sound: Array) -> State:
    counts = before.aux["nonfinite"]
    bad = jnp.int32(~sound)
    nonfinite = {"total": counts["total"] + bad, "in_a_row": (counts["in_a_row"] + bad) * bad}
    return state.replace(step=state.step + 1, aux={**state.aux, "nonfinite": nonfinite})

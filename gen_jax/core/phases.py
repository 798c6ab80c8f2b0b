"""The engine: what every GAN, VAE and hybrid shares, done once.

`compose` turns players and phases into `init` and `update`. A round runs the phases in order; each phase
differentiates its objective with respect to its own players only, averages over the data axis, refuses non-finite
steps, clips, steps optax and carries the statistics. Averages (EMA) move once a round.
"""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import optax

from gen_jax.core import axis, keys
from gen_jax.core import players as players_
from gen_jax.core.norms import euclidean
from gen_jax.core.players import Player
from gen_jax.core.types import Algorithm, Array, Aux, Batch, Context, Phase, Players, SharedForward, State, Tree


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
    Raises ValueError where a phase names an unknown player, or where a shared forward meets a repeated phase.
    """
    for phase in phases:
        if missing := set(phase.players) - set(players):
            raise ValueError(f"a phase moves unknown players {sorted(missing)}; there are {sorted(players)}")
        if shared is not None and phase.repeats > 1:
            raise ValueError("a shared forward pass holds one minibatch; a phase with repeats > 1 needs its own")
    pool = max([phase.repeats for phase in phases if not phase.fresh], default=0)
    offsets, total = _offsets(phases, pool)

    def init(key: Array) -> State:
        values = {name: jnp.float32(value) for name, value in hyper.items()}
        made = {name: players_.init(p, keys.named(keys.named(key, "init"), name)) for name, p in players.items()}
        params = {name: made[name][0] for name in players}
        return State(
            step=jnp.int32(0),
            key=key,
            params=params,
            stats={name: made[name][1] for name in players},
            opt={name: p.optimizer(values).init(params[name]) for name, p in players.items()},
            # A copy: the average and the parameters may be donated together, so they must not share a buffer.
            ema={name: jax.tree.map(jnp.copy, params[name]) for name, p in players.items() if p.ema},
            hyper=values,
            aux={"nonfinite": {"total": jnp.int32(0), "in_a_row": jnp.int32(0)}, **(aux or {})},
        )

    def update(state: State, batch: Batch) -> tuple[State, dict[str, Array]]:
        round_key = jax.random.fold_in(state.key, state.step)
        before = state
        outputs, pullback, metrics = None, None, {}
        sound = jnp.bool_(True)
        if shared is not None:
            context = _context(state, _minibatch(batch, 0), keys.named(round_key, "shared"))
            state, outputs, pullback = _forward(shared, state, context)
        for number, phase in enumerate(phases):
            key = jax.random.fold_in(round_key, number)

            def step(state: State, inputs, phase=phase):
                minibatch, key = inputs
                return _step(players, phase, state, _context(state, minibatch, key, outputs), shared, pullback)

            start = offsets[number]
            if phase.repeats == 1:
                state, (values, finite) = step(state, (_minibatch(batch, start), jax.random.fold_in(key, 0)))
            else:
                own = {name: leaf[start : start + phase.repeats] for name, leaf in batch.items()}
                repeat_keys = jax.vmap(lambda repeat, key=key: jax.random.fold_in(key, repeat))(
                    jnp.arange(phase.repeats)
                )
                state, (values, finite) = jax.lax.scan(step, state, (own, repeat_keys))
                values = {name: jnp.mean(value) for name, value in values.items()}
            metrics |= values
            sound &= jnp.all(finite)
        state = _count_nonfinite(_average(players, state), before, sound)
        counts = {f"nonfinite/{name}": count.astype(jnp.float32) for name, count in state.aux["nonfinite"].items()}
        return state, {**metrics, **counts}

    return Algorithm(init=init, update=update, minibatches=total, hyper=dict(hyper))


def _offsets(phases: Sequence[Phase], pool: int) -> tuple[list[int], int]:
    """Where each phase's minibatches start: shared phases at 0, fresh ones behind one another after the pool."""
    offsets, end = [], pool
    for phase in phases:
        offsets.append(end if phase.fresh else 0)
        end += phase.repeats if phase.fresh else 0
    return offsets, end


def _minibatch(batch: Batch, number: int) -> Batch:
    return {name: leaf[number] for name, leaf in batch.items()}


def _context(state: State, minibatch: Batch, key: Array, outputs: Tree = None) -> Context:
    return Context(
        stats=state.stats,
        hyper=state.hyper,
        aux=state.aux,
        ema=state.ema,
        step=state.step,
        batch=minibatch,
        key=key,
        opt=state.opt,
        shared=outputs,
    )


def _forward(shared: SharedForward, state: State, context: Context) -> tuple[State, Tree, Callable]:
    def function(moving: Players) -> tuple[Tree, Players]:
        return shared.function({**state.params, **moving}, context)

    moving = {name: state.params[name] for name in shared.players}
    outputs, pullback, stats = jax.vjp(function, moving, has_aux=True)
    return state.replace(stats={**state.stats, **_mean(stats)}), outputs, pullback


def _step(
    players: Mapping[str, Player],
    phase: Phase,
    state: State,
    context: Context,
    shared: SharedForward | None,
    pullback: Callable | None,
) -> tuple[State, tuple[dict[str, Array], Array]]:
    """One optimizer step of one phase: the new state, and (metrics, whether the step was finite)."""

    def objective(moving: Players, outputs: Tree) -> tuple[Array, Aux]:
        return phase.objective({**state.params, **moving}, context._replace(shared=outputs))

    moving = {name: state.params[name] for name in phase.players}
    if shared is not None and pullback is not None and set(phase.players) & set(shared.players):
        differentiate = jax.value_and_grad(objective, argnums=(0, 1), has_aux=True)
        (loss, aux), (grads, cotangents) = differentiate(moving, context.shared)
        (pulled,) = pullback(cotangents)
        for name in set(phase.players) & set(shared.players):
            grads[name] = jax.tree.map(jnp.add, grads[name], pulled[name])
    else:
        (loss, aux), grads = jax.value_and_grad(objective, has_aux=True)(moving, context.shared)
    # One reduction for everything: the loss travels along so that all instances judge finiteness alike.
    loss, grads, aux = _mean((loss, grads, aux))

    norms = {name: euclidean(grads[name]) for name in phase.players}
    finite = jnp.isfinite(loss)
    for norm in norms.values():
        finite &= jnp.isfinite(norm)
    if_finite = {name: (state.params[name], state.opt[name], grads[name], norms[name]) for name in phase.players}
    stepped = _if(
        finite,
        lambda mine: {name: _descend(players[name], state.hyper, *mine[name]) for name in mine},
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


def _descend(
    player: Player, hyper: Mapping[str, Array], params: Tree, opt: Tree, grads: Tree, norm: Array
) -> tuple[Tree, Tree]:
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


def _mean(tree: Tree) -> Tree:
    """The mean over the data axis of floating leaves; counters are the same everywhere already."""
    return jax.tree.map(lambda x: axis.pmean(x) if jnp.issubdtype(jnp.asarray(x).dtype, jnp.floating) else x, tree)


def _average(players: Mapping[str, Player], state: State) -> State:
    """Move the averages. The decay is warmed up, min(decay, (1 + t) / (10 + t)), or early samples show the noise of
    initialisation for 1 / (1 - decay) rounds."""
    ema = dict(state.ema)
    early = (1.0 + state.step) / (10.0 + state.step)
    for name in ema:
        decay = jnp.minimum(state.hyper[players[name].ema or ""], early)
        ema[name] = jax.tree.map(lambda mean, new, d=decay: d * mean + (1.0 - d) * new, ema[name], state.params[name])
    return state.replace(ema=ema)


def _count_nonfinite(state: State, before: State, sound: Array) -> State:
    counts = before.aux["nonfinite"]
    bad = jnp.int32(~sound)
    nonfinite = {"total": counts["total"] + bad, "in_a_row": (counts["in_a_row"] + bad) * bad}
    return state.replace(step=state.step + 1, aux={**state.aux, "nonfinite": nonfinite})

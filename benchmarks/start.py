"""Processor seconds of this thread from a model to its compiled program, with a run's rehearsal before it or without.

    python -m benchmarks.start gan with

The rehearsal traces a round, and the program takes that trace instead of one of its own: what a rehearsal costs is the
difference between two processes, and shows in neither of them alone.
"""

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import jax

from gen_jax.core import parallel
from gen_jax.core.platform import configure
from gen_jax.data import load
from gen_jax.runs import feeding, rehearsal, train

ROOT = Path(__file__).parents[1]


def script_of(name: str) -> tuple[Path, ModuleType]:
    """An experiment's script, and the module that it is."""
    script = ROOT / "experiments" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return script, module


def main(name: str, how: str) -> None:
    script, module = script_of(name)
    configure(script=script)
    config = module.Config()
    source = load.of(config)
    where = parallel.layout(config.backend, config.devices)
    began = time.thread_time()
    if how == "with":
        algorithm = rehearsal.rehearse(config, module.build, source, where, script, new=True).algorithm
    else:
        algorithm = module.build(config, source)
        jax.eval_shape(algorithm.init, jax.random.key(0))
    state = parallel.initial(algorithm.init, jax.random.key(0), where)
    state = state.replace(hyper=parallel.place(train.hyper_values(algorithm), where))
    train.compile_steps(algorithm, feeding.make(source, config, algorithm.minibatches, where, 0), where, config, state)
    print(time.thread_time() - began)


if __name__ == "__main__":
    main(*sys.argv[1:])

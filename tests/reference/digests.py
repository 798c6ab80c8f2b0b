"""Digests of short reference runs of every experiment: what a change of the code must not change, unless it means to.

    python tests/reference/digests.py                  # compare all with digests.json, two at a time on one core each
    python tests/reference/digests.py dcgan vae        # these alone
    python tests/reference/digests.py --write dcgan    # write down new values, for changes that are meant

Each run is 30 rounds of a script's own defaults on the CPU, on the 8×8 digits where the script's data are images of no
special kind, else on its own. The digest is SHA-256 over the leaves of parameters, statistics, optimizer states,
averages and controllers, each as dtype, shape and bytes, in the order of their own hashes: names may move, values may
not. Bits differ between kinds of processor and versions of jaxlib, which stand beside the values.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("digests.json")
STEPS = 30
OTHERS = {  # in place of larger data, or of files that have to be made
    "mnist5k": "digits",
    "stacked:mnist5k": "stacked:digits",
    "tfds:fashion_mnist": "digits",
    "few:20:mnist5k": "digits",
    "few:64:digits": "digits",
}


def scripts() -> dict[str, Path]:
    """Every experiment by name: those with a `build` of their own."""
    found = sorted(path for path in (ROOT / "experiments").rglob("*.py") if "def build(" in path.read_text())
    return {"/".join(path.relative_to(ROOT / "experiments").with_suffix("").parts): path for path in found}


def settings_of(config_type: type):
    """The script's defaults, shortened."""
    own = config_type().data
    data = OTHERS.get(own, own)
    quiet = {"sample_every": 0, "evaluate_every": 0, "checkpoint_every": 0, "log_every": STEPS}
    return dataclasses.replace(config_type(), data=data, steps=STEPS, devices=1, **quiet)


def run(name: str) -> str:
    """The digest of one reference run, made in this process."""
    os.environ["JAX_PLATFORMS"] = "cpu"
    sys.path.insert(0, str(ROOT))
    from gen_jax.core import platform
    from gen_jax.core.errors import UserError

    platform.configure()
    from gen_jax.runs.train import train
    from gen_jax.studies.study import load_script

    script = scripts()[name]
    config_type, build = load_script(script)
    config = settings_of(config_type)
    with tempfile.TemporaryDirectory() as folder:
        try:
            train(dataclasses.replace(config, run_dir=Path(folder) / "run"), build, script)
        except UserError:
            if config.data != "digits":
                raise
            config = dataclasses.replace(config, data="mnist5k")  # networks that want larger images
            train(dataclasses.replace(config, run_dir=Path(folder) / "larger"), build, script)
            return digest_of(Path(folder) / "larger")
        return digest_of(Path(folder) / "run")


def digest_of(run_dir: Path) -> str:
    import jax
    import numpy as np

    from gen_jax.verbs.common import open_state

    state = open_state(run_dir).state
    leaves = []
    for leaf in jax.tree.leaves((state.params, state.stats, state.opt, state.ema, state.aux, state.ema_stats)):
        array = np.asarray(leaf)
        leaves.append(hashlib.sha256(f"{array.dtype} {array.shape}".encode() + array.tobytes()).hexdigest())
    return hashlib.sha256("".join(sorted(leaves)).encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="experiments; by default all")
    parser.add_argument("--write", action="store_true", help="write the values down in place of comparing them")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print("digest", run(options.names[0]))
        return 0
    known = json.loads(FILE.read_text()) if FILE.exists() else {}
    cores = sorted(os.sched_getaffinity(0))[:2]

    def one(item: tuple[int, str]) -> tuple[str, str]:
        number, name = item
        core = str(cores[number % len(cores)])
        command = ["taskset", "-c", core, sys.executable, __file__, "--here", name]
        done = subprocess.run(command, capture_output=True, text=True)
        words = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("digest ")]
        return name, words[0] if words else f"failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}"

    changed = 0
    with ThreadPoolExecutor(len(cores)) as pool:
        for name, digest in pool.map(one, enumerate(options.names or scripts())):
            same = digest == known.get(name)
            changed += not same
            print(f"{name}: {'same' if same else f'{digest} (was {known.get(name)})'}", flush=True)
            if options.write and not digest.startswith("failed"):
                known[name] = digest
                FILE.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return int(changed > 0 and not options.write)


if __name__ == "__main__":
    sys.exit(main())

"""`convert-inception FILE`: the published FID weights, once, in the form that `evaluate --features inception` reads."""

from pathlib import Path

import tyro

from gen_jax.runs import outputs
from gen_jax.verbs.common import show


def convert_inception(
    file: tyro.conf.Positional[Path], out: tyro.conf.Positional[Path | None] = None, json: bool = False
) -> None:
    """Convert the PyTorch weight file of the 2015-12-05 Inception network. Nothing is downloaded: give the file.

    Args:
        file: weights-inception-2015-12-05-6726825d.pth (or pt_inception-2015-12-05-6726825d.pth) as published
        out: the .npz to write; by default in the cache, where evaluate finds it
        json: print JSON
    """
    from gen_jax.core.platform import configure
    from gen_jax.runs.evaluation.cache import inception_path
    from gen_jax.runs.files import writing

    if out is not None:
        outputs.file(out, "OUT", ".npz")
    configure()
    from gen_jax.metrics import inception, lenet

    params = inception.load(file)
    path = out or inception_path()
    with writing(path):
        inception.save(params, path)
    show("", [("weights", path), ("hash", lenet.weight_hash(params))], json)

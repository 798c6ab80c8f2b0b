"""Exported models: reloaded by a process that cannot import this package, they compute what the run computes."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import gen_jax
from gen_jax.core.errors import UserError
from gen_jax.runs import export
from gen_jax.verbs.export import export as export_verb

TINY = {"data": "digits", "batch_size": 16, "steps": 1, "sample_every": 0, "evaluate_every": 0, "width": 8}
ALONE = """
import sys
sys.modules["gen_jax"] = None  # an import of it fails
from pathlib import Path
import numpy as np
from jax import export
from safetensors.numpy import load_file
folder = Path(sys.argv[1])
given = np.load(folder / "inputs.npz")
found = {}
for name in sys.argv[2:]:
    program = export.deserialize((folder / (name + ".jax_export")).read_bytes())
    assert program.platforms == ("cpu", "cuda"), program.platforms
    inputs = [given[key] for key in sorted(given.files) if key.startswith(name)]
    result = program.call(*inputs)
    found[name] = np.asarray(result["mean"] if isinstance(result, dict) else result)
assert all(np.isfinite(a).all() for a in load_file(folder / "weights.safetensors").values())
np.savez(folder / "found.npz", **found)
"""


BOTH, DECODER = ["decode", "encode"], ["decode"]
FAMILIES = [  # all others, a script each
    ("gan", {}, DECODER), ("cgan", {}, DECODER), ("acgan", {}, DECODER), ("infogan", {}, DECODER),
    ("sngan", {"image_size": 16}, DECODER), ("biggan", {"image_size": 16}, DECODER), ("wgan_gp", {}, DECODER),
    ("vae", {}, BOTH), ("sigma_vae", {}, BOTH), ("iwae", {}, BOTH), ("beta_vae", {}, BOTH), ("wae", {}, BOTH),
    ("rae", {}, BOTH), ("aae", {}, BOTH), ("bigan", {}, BOTH), ("vae_gan", {}, BOTH), ("vamp_vae", {}, BOTH),
    ("flow_vae", {}, BOTH), ("two_stage_vae", {}, BOTH), ("refined_vae", {}, BOTH), ("factor_vae", {}, BOTH),
    ("vq_vae", {}, BOTH), ("ladder_vae", {"image_size": 16}, BOTH),
]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "more", "names"),
    [
        pytest.param("cvae", {}, BOTH, marks=pytest.mark.science),
        ("dcgan", {"image_size": 16}, DECODER),
        *[pytest.param(*row, marks=pytest.mark.science, id=row[0]) for row in FAMILIES],
    ],
)
def test_a_process_without_the_package_gets_the_same(script, more, names, tmp_path):
    run = gen_jax.train(f"experiments/{script}.py", TINY | more, tmp_path / "run")
    out = tmp_path / "out"
    export_verb(run.path, out)
    held = run.examples(7)
    given = {"label": held["label"]} if run.opened.algorithm.given else {}
    size = 7  # no batch size that anything was made for
    latents = np.asarray(run.opened.algorithm.prior(run.weights, jax.random.key(0), size, given))
    inputs = {"decode0": latents, "encode0": (held["x"] / 127.5 - 1).astype(np.float32)}
    inputs |= {f"{name}1": given["label"] for name in names if given}
    np.savez(out / "inputs.npz", **inputs)
    ended = subprocess.run([sys.executable, "-c", ALONE, out, *names], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr[-1500:]
    found = np.load(out / "found.npz")
    np.testing.assert_allclose(found["decode"], run.decode(latents, **given), atol=1e-4)
    if "encode" in names:
        np.testing.assert_allclose(found["encode"], run.encode(held["x"], **given)["mean"], atol=1e-4)
    readme = (out / "README.md").read_text()
    assert all(f"{name}.jax_export" in readme for name in names)


def test_a_folder_of_a_run_is_not_written_into(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match="run"):
        export_verb(tmp_path, tmp_path)


def test_a_model_with_neither_is_told(monkeypatch):
    monkeypatch.setattr(export, "_faces", lambda *_: {})
    with pytest.raises(UserError, match="nothing to export"):
        export.export(type("Opened", (), {"algorithm": None, "source": None}), None, None)

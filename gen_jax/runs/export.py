"""A run's networks as files that need no gen_jax: StableHLO programs by `jax.export`, and weights as safetensors.

Programs hold their weights, run on CPU and on NVIDIA GPUs, take any batch size, and are called with arrays alone.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export as jax_export

from gen_jax.core import portable
from gen_jax.core.errors import UserError
from gen_jax.core.types import Algorithm, Weights
from gen_jax.data.source import Source, to_float
from gen_jax.runs.files import atomic_write_bytes, atomic_write_json, atomic_write_text
from gen_jax.runs.given import in_turn
from gen_jax.runs.opened import Opened

PLATFORMS = ("cpu", "cuda")
PROGRAM = ".jax_export"


class Face(NamedTuple):
    """A function to export: `call(*inputs)` over arrays whose first axis is the batch; shapes without it."""

    call: Callable[..., Any]
    inputs: dict[str, jax.ShapeDtypeStruct]
    note: str


def export(opened: Opened, weights: Weights, out: Path) -> list[Path]:
    """Write what the model has of decode.jax_export and encode.jax_export, weights.safetensors, model.json and
    README.md into a folder. Raises UserError where it has neither, or a program cannot be made for any batch size.
    """
    from safetensors.numpy import save

    faces = _faces(opened.algorithm, weights, opened.source)
    if not faces:
        raise UserError("this model can neither decode latents nor encode examples, so there is nothing to export")
    programs = {name: _program(name, face) for name, face in faces.items()}
    arrays = {
        "/".join(map(_key, path)): np.asarray(leaf) for path, leaf in jax.tree.leaves_with_path(weights._asdict())
    }
    out.mkdir(parents=True, exist_ok=True)
    written = [atomic_write_bytes(out / f"{name}{PROGRAM}", bytes(each.serialize())) for name, each in programs.items()]
    written.append(atomic_write_bytes(out / "weights.safetensors", save(arrays)))
    facts = {
        "run": str(opened.path), "step": opened.step, "data": opened.source.name,
        "data_fingerprint": opened.source.fingerprint, "jax": jax.__version__, "platforms": PLATFORMS,
        "programs": {name: _signature(each) for name, each in programs.items()},
    }  # fmt: skip
    written.append(atomic_write_json(out / "model.json", facts))
    written.append(atomic_write_text(out / "README.md", _readme(opened, faces, facts)))
    return written


def _faces(algorithm: Algorithm, weights: Weights, source: Source) -> dict[str, Face]:
    given = _shapes(in_turn(algorithm.given, source, 1)) if algorithm.given else {}
    faces: dict[str, Face] = {}
    if algorithm.decode and algorithm.prior:
        decode, prior = algorithm.decode, algorithm.prior
        told = {name: jnp.zeros((1, *each.shape), each.dtype) for name, each in given.items()}
        latents = jax.eval_shape(lambda: prior(weights, jax.random.key(0), 1, told))
        law = "draw them from N(0, I)" if algorithm.normal_prior else "their prior is not N(0, I): see the run's script"
        faces["decode"] = Face(
            lambda z, *rest: decode(weights, z, dict(zip(given, rest, strict=True))),
            {"latents": jax.ShapeDtypeStruct(latents.shape[1:], latents.dtype), **given},
            f"latents -> x, images in [-1, 1], NHWC; {law}",
        )
    if algorithm.encode:
        encode = algorithm.encode
        x = jax.ShapeDtypeStruct(source.shape, jnp.float32)
        faces["encode"] = Face(
            lambda x, *rest: encode(weights, {"x": x, **dict(zip(given, rest, strict=True))}),
            {"x": x, **given},
            "x (pixels 0..255 as x / 127.5 - 1) -> its code: mean, and log_variance where q(z|x) is that normal",
        )
    return faces


def _program(name: str, face: Face) -> jax_export.Exported:
    (batch,) = jax_export.symbolic_shape("b")
    shapes = [jax.ShapeDtypeStruct((batch, *each.shape), each.dtype) for each in face.inputs.values()]
    try:
        with portable.tracing():
            return jax_export.export(jax.jit(face.call), platforms=PLATFORMS)(*shapes)
    except (TypeError, ValueError, NotImplementedError) as error:  # a size that must be known, and its kin
        raise UserError(
            f"`{name}` of this model cannot be exported for any batch size: {str(error).splitlines()[0]}"
        ) from error


def _shapes(batch: Mapping[str, Any]) -> dict[str, jax.ShapeDtypeStruct]:
    return {name: jax.ShapeDtypeStruct(a.shape[1:], to_float(np.zeros(0, a.dtype)).dtype) for name, a in batch.items()}


def _key(entry: Any) -> str:
    return str(getattr(entry, "key", getattr(entry, "name", getattr(entry, "idx", entry))))


def _signature(program: jax_export.Exported) -> dict[str, list[str]]:
    return {"inputs": [str(a) for a in program.in_avals], "outputs": [str(a) for a in program.out_avals]}


def _readme(opened: Opened, faces: Mapping[str, Face], facts: Mapping[str, Any]) -> str:
    lines = [f"# {opened.path.name}, step {opened.step}", ""]
    lines += [f"Trained on {opened.source.name} ({opened.source.fingerprint[:16]}); see model.json.", ""]
    for name, face in faces.items():
        signature = facts["programs"][name]
        pairs = zip(face.inputs, signature["inputs"], strict=True)
        inputs = ", ".join(f"`{each}` {shape}" for each, shape in pairs)
        lines += [f"**{name}{PROGRAM}**: {face.note}. Inputs, in order: {inputs}. "
                  f"Outputs: {', '.join(signature['outputs'])}. `b` is any batch size.", ""]  # fmt: skip
    first = next(iter(faces))
    lines += ["They need jax alone (CPU or NVIDIA GPU; forward only):", "", "```python", "from pathlib import Path",
              "from jax import export", "", f'program = export.deserialize(Path("{first}{PROGRAM}").read_bytes())',
              f"result = program.call({', '.join(faces[first].inputs)})", "```", ""]  # fmt: skip
    lines += ["**weights.safetensors**: the same weights by name (`safetensors.numpy.load_file`), kernels NHWC/HWIO."]
    made = f"Made by jax {facts['jax']}; later versions read it as long as jax promises for exports."
    lines += ["", made, "", "```json", json.dumps(facts["programs"], indent=1), "```"]  # fmt: skip
    return "\n".join(lines) + "\n"

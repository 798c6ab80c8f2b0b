"""Make weights_zip.pth and weights_stream.pth: one small state dict in PyTorch's two file formats. Needs torch."""

from collections import OrderedDict
from pathlib import Path


def main() -> None:
    """Write both files beside this script."""
    import torch

    whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = OrderedDict(
        whole=whole,
        turned=whole.T,  # shares its storage, with other strides
        part=whole[1:3, 2:],  # and with an offset
        half=torch.tensor([0.5, -2.0], dtype=torch.float16),
        parameter=torch.nn.Parameter(torch.tensor([1.5])),
        count=torch.tensor(7),
    )
    folder = Path(__file__).parent
    torch.save(state, folder / "weights_zip.pth")
    torch.save(state, folder / "weights_stream.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()

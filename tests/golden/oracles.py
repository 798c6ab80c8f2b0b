"""Import torch-fidelity, clean-fid and disent where torchvision is missing or broken: they need none of it here."""

import importlib.machinery
import sys
from unittest.mock import MagicMock


def without_torchvision() -> None:
    """Let `import torchvision` (and its submodules) succeed with a stand-in; call before importing an oracle."""
    names = ["torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"]
    names += ["torchvision.models", "torchvision.io", "torchvision.utils", "torchvision.transforms.v2"]
    for name in names:
        stand_in = MagicMock()
        stand_in.__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules[name] = stand_in

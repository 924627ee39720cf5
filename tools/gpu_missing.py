"""What this Python lacks to train, as pip calls it; with nothing but Python itself.

python tools/gpu_missing.py gpu        or cpu, where torch need not be able to use a GPU
"""

from __future__ import annotations

import importlib.util
import sys

NEEDED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "lightning_fabric": "lightning-fabric",
    "torchmetrics": "torchmetrics",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "onnx": "onnx",
    "pydantic": "pydantic",
}


def missing(gpu: bool) -> list[str]:
    """Returns what pip has to install."""
    names = [pip for module, pip in NEEDED.items() if importlib.util.find_spec(module) is None]
    if gpu and "torch" not in names:
        import torch

        if torch.version.cuda is None:  # torchvision is built for one torch
            names = ["torch", "torchvision", *(name for name in names if name != "torchvision")]
    return names


if __name__ == "__main__":
    print(*missing(sys.argv[1:] == ["gpu"]))

"""VGG16 features for perceptual losses (Simonyan and Zisserman 2015; Gatys et al. 2016).

The weights are not part of pleinair: a recipe names a file. It is a state dict with torchvision's
names (``features.0.weight`` ...). Its input is normalised as in torchvision (RGB, ImageNet mean and
deviation) or as in the original Caffe network (BGR, 0..255 minus the mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import TrainingError
from ..networks.checkpoint import load_state

# Convolutions of VGG16 up to conv4_3 as (index in torchvision's `features`, in, out); "M" pools.
_LAYERS: tuple[tuple[int, int, int] | str, ...] = (
    (0, 3, 64), (2, 64, 64), "M",
    (5, 64, 128), (7, 128, 128), "M",
    (10, 128, 256), (12, 256, 256), (14, 256, 256), "M",
    (17, 256, 512), (19, 512, 512), (21, 512, 512),
)  # fmt: skip
_NAMES = ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "4_1", "4_2", "4_3")
HALF = "/2"  # suffix of a layer's name: on the picture at half its size
CHANNELS = {f"relu{name}": 64 * 2 ** (int(name[0]) - 1) for name in _NAMES}


def channels_of(layer: str) -> int:
    """Returns a layer's number of channels."""
    channels: int = CHANNELS[layer.removesuffix(HALF)]
    return channels


class VGG16(nn.Module):
    """The first convolutions of VGG16, frozen.

    Args:
        weights: A state dict saved with ``torch.save``; float16 is widened.
        layers: Which activations to return, e.g. ``("relu1_2", "relu2_2/2")``. With ``/2`` the
            network sees the picture at half its size: texture twice as large, for a quarter of
            the computation.
        custom: The normalisation that the weights expect.
    """

    def __init__(
        self,
        weights: Path,
        layers: Sequence[str],
        custom: Literal["torchvision", "caffe"] = "caffe",
    ) -> None:
        super().__init__()
        self.at_full = [name for name in layers if not name.endswith(HALF)]
        self.at_half = [name.removesuffix(HALF) for name in layers if name.endswith(HALF)]
        depth = max(_depth(name) for name in self.at_full + self.at_half)
        self.features = nn.ModuleDict()
        convolutions = 0
        for layer in _LAYERS:
            if isinstance(layer, tuple) and convolutions < depth:
                index, cin, cout = layer
                self.features[str(index)] = nn.Conv2d(cin, cout, 3, padding=1)
                convolutions += 1
        self._load(weights)
        if custom == "caffe":
            mean, std = torch.tensor([123.68, 116.779, 103.939]), torch.ones(3)
        else:
            mean, std = (
                torch.tensor([123.675, 116.28, 103.53]),
                torch.tensor([58.395, 57.12, 57.375]),
            )
        self.bgr = custom == "caffe"
        self.register_buffer("mean", mean.view(1, 3, 1, 1))
        self.register_buffer("std", std.view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()

    def _load(self, path: Path) -> None:
        if not path.exists():
            raise TrainingError(
                f"feature network {path} does not exist; set loss.vgg to a VGG16 state dict,"
                " or set loss.projected, style and content to 0"
            )
        state = load_state(path)
        wanted = self.state_dict()
        missing = sorted(set(wanted) - set(state))
        if missing:
            raise TrainingError(f"{path} is no VGG16 state dict: {missing[0]} is not in it")
        try:
            self.load_state_dict({k: state[k].float() for k in wanted})
        except (AttributeError, RuntimeError) as error:
            raise TrainingError(f"{path} is no VGG16 state dict: other shapes") from error

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Returns the chosen activations of pictures (B, 3, H, W) in [-1, 1] by their names."""
        seen = self._look(x, self.at_full)
        half = self._look(nn.functional.avg_pool2d(x, 2), self.at_half)
        return seen | {name + HALF: value for name, value in half.items()}

    def _look(self, x: Tensor, wanted: Sequence[str]) -> dict[str, Tensor]:
        h = ((x + 1) * 127.5 - self.get_buffer("mean")) / self.get_buffer("std")
        if self.bgr:
            h = h.flip(1)
        seen: dict[str, Tensor] = {}
        names = iter(_NAMES)
        for layer in _LAYERS:
            if len(seen) == len(wanted):
                break
            if isinstance(layer, str):
                h = nn.functional.max_pool2d(h, 2)
                continue
            h = nn.functional.relu(self.features[str(layer[0])](h))
            name = f"relu{next(names)}"
            if name in wanted:
                seen[name] = h
        return seen


def _depth(layer: str) -> int:
    """Returns the number of convolutions up to a layer."""
    return 1 + _NAMES.index(layer.removeprefix("relu"))

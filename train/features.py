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
from torchvision.models import vgg16

from ..errors import TrainingError
from ..networks.checkpoint import load_state

# Convolutions of VGG16 up to conv4_3; each is followed by a ReLU.
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
        last = max(_NAMES.index(one.removeprefix("relu")) for one in self.at_full + self.at_half)
        with torch.device("meta"):  # allocates nothing, least of all the classifier
            features = vgg16().features
        activations = [i for i, layer in enumerate(features) if isinstance(layer, nn.ReLU)]
        self.features = features[: activations[last] + 1]
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
                " or set loss.projected, style and content to 0 and plan_importance to false"
            )
        state = load_state(path)
        wanted = self.state_dict()
        missing = sorted(set(wanted) - set(state))
        if missing:
            raise TrainingError(f"{path} is no VGG16 state dict: {missing[0]} is not in it")
        try:
            self.load_state_dict({k: state[k].float() for k in wanted}, assign=True)
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
        for layer in self.features:
            if len(seen) == len(wanted):
                break
            h = layer(h)
            if isinstance(layer, nn.ReLU) and (name := f"relu{next(names)}") in wanted:
                seen[name] = h
        return seen

"""Sample grids: originals above, paintings of the averaged generators below."""

from __future__ import annotations

import contextlib
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn
from torchvision.utils import save_image

from ..networks.painter import Paint, painter
from ..pictures import Pixels, middle, spread
from .data.domains import UnreadablePicture
from .data.folders import find_pictures, sample_folder
from .data.held_out import read_for
from .recipe import DataSection
from .trainer import Trainer

SIDE = 256  # of each picture's middle


def save_samples(trainer: Trainer, path: Path, count: int = 8) -> None:
    """Writes the grid; a reverse generator adds two rows."""
    data = trainer.recipe.data
    there = painter(trainer.averages[trainer.exported].module)
    rows = _rows(some_pictures(data, count), there, count)
    if "reverse" in trainer.averages:
        back = painter(trainer.averages["reverse"].module)
        rows += _rows(some_pictures(data, count, reverse=True), back, count)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(rows, path, nrow=count)


def some_pictures(data: DataSection, count: int, reverse: bool = False) -> list[Pixels]:
    """Reads at most ``count`` pictures, spread over a folder, without unreadable ones."""
    read = []
    for path in spread(find_pictures(sample_folder(data, reverse)), count):
        with contextlib.suppress(UnreadablePicture):
            read.append(read_for(data, reverse, path))
    return read


def _rows(pictures: list[Pixels], paint: Paint, count: int) -> list[Tensor]:
    blank = [torch.ones(3, SIDE, SIDE)] * (count - len(pictures))
    cut = [_middle(picture) for picture in pictures]
    return [*map(_onto_canvas, cut), *blank, *(_onto_canvas(paint(p)) for p in cut), *blank]


def _middle(picture: Pixels) -> Pixels:
    """Returns the middle of a picture; large ones are scaled down somewhat first."""
    scale = 1.5 * SIDE / min(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return middle(picture, SIDE, SIDE)


def _onto_canvas(picture: Pixels) -> Tensor:
    height, width = picture.shape[:2]
    x = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    return nn.functional.pad(x, (0, SIDE - width, 0, SIDE - height), value=1.0)

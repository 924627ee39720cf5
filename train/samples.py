"""Sample grids: pictures above, what the averaged generators make of them below."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.utils import save_image

from ..pictures import Pixels
from .domains import UnreadablePicture, find_pictures, load_source, load_target, target_folder
from .trainer import Trainer
from .transforms import to_range

SIDE = 256  # of what is shown of each picture


def painter(generator: nn.Module, device: torch.device) -> Callable[[Pixels], Pixels]:
    """Returns a function that paints uint8 RGB [H, W, 3] of any size with a generator."""
    stride = int(generator.stride)  # type: ignore[arg-type]

    @torch.no_grad()
    def paint(picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        x = to_range(torch.from_numpy(picture).permute(2, 0, 1))[None].to(device)
        x = nn.functional.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")
        painted = (generator(x)[0, :, :height, :width].float() + 1) * 127.5
        pixels: Pixels = painted.round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
        return pixels

    return paint


def save_samples(trainer: Trainer, path: Path, count: int = 8) -> None:
    """Writes the grid; a generator of the way back adds two rows of its own."""
    data, device = trainer.recipe.data, trainer.fabric.device
    there = painter(trainer.averages[trainer.exported].module, device)
    shown = some_pictures(
        data.root / (data.samples or data.source), count, partial(load_source, data=data)
    )
    rows = _rows(shown, there, count)
    if "reverse" in trainer.averages:
        back = painter(trainer.averages["reverse"].module, device)
        shown = some_pictures(target_folder(data), count, partial(load_target, data=data))
        rows += _rows(shown, back, count)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(rows, path, nrow=count)


def some_pictures(folder: Path, count: int, load: Callable[[Path], Tensor]) -> list[Pixels]:
    """Reads at most ``count`` pictures, spread over a folder; unreadable ones are left out."""
    paths, read = find_pictures(folder), []
    for path in paths[:: max(1, len(paths) // count)][:count]:
        with contextlib.suppress(UnreadablePicture):
            read.append(load(path).permute(1, 2, 0).contiguous().numpy())
    return read


def _rows(pictures: list[Pixels], paint: Callable[[Pixels], Pixels], count: int) -> list[Tensor]:
    blank = [torch.ones(3, SIDE, SIDE)] * (count - len(pictures))
    cut = [picture[:SIDE, :SIDE] for picture in pictures]
    return [*map(_onto_canvas, cut), *blank, *(_onto_canvas(paint(p)) for p in cut), *blank]


def _onto_canvas(picture: Pixels) -> Tensor:
    height, width = picture.shape[:2]
    x = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
    return nn.functional.pad(x, (0, SIDE - width, 0, SIDE - height), value=1.0)

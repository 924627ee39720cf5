"""Finds what a painter takes for heads in pictures that have none.

    python tools/heads/mistakes.py DATA BEFORE NOW mistakes.json [--labels labels.json]

BEFORE and NOW are a painter's weights from before it learned heads, and after. What asks for fine
marks now and did not before is a mistake, because the labels say which pictures have no heads.
``tiles.py`` cuts tiles around these places, to learn heads once more.

The file holds ``[[path, [[left, top, right, bottom], ...]], ...]``, in shares of width and height.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from pleinair.canvas.layout import CELL
from pleinair.networks.strokes import StrokeGenerator
from pleinair.networks.weights import read_weights
from pleinair.tools.heads.tiles import ROWS, Pixels, without_heads

HAND = "monet"
MOST_COLUMNS = 1440
MANY, FEW = 0.6, 0.4  # needs above which fine marks are shown, and below which they are not
SMALLEST = 12  # cells of a mistake


def network_of(weights: Path) -> torch.nn.Module:
    """Loads the network that plans."""
    painter = StrokeGenerator(HAND).eval().requires_grad_(False)
    painter.load_state_dict(read_weights(weights)[0])
    return painter.network


def need_of(network: torch.nn.Module, picture: Pixels) -> Pixels:
    """Returns the need of fine marks, float32 [rows, columns] of cells."""
    height, width = picture.shape[:2]
    below, right = -height % 32, -width % 32
    whole = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE)
    x = torch.from_numpy(cv2.cvtColor(whole, cv2.COLOR_BGR2RGB)).permute(2, 0, 1)[None]
    plan = network(x.float() / 127.5 - 1)
    need: Pixels = plan.unflatten(1, (8, -1))[0, 5, -1].numpy()
    return need[: height // CELL, : width // CELL]


def mistakes_in(
    picture: Pixels, before: torch.nn.Module, now: torch.nn.Module
) -> list[list[float]]:
    """Returns the boxes of what is painted finely now only."""
    scale = min(ROWS / picture.shape[0], MOST_COLUMNS / picture.shape[1], 2.0)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
    wrong = (need_of(now, picture) > MANY) & (need_of(before, picture) < FEW)
    closed = cv2.morphologyEx(wrong.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, found, _ = cv2.connectedComponentsWithStats(closed)
    rows, columns = wrong.shape
    return [
        [round(float(at), 3) for at in (x / columns, y / rows, (x + w) / columns, (y + h) / rows)]
        for x, y, w, h, cells in found[1:]
        if cells >= SMALLEST
    ]


def main() -> None:
    """Looks through all pictures without heads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("before", type=Path)
    parser.add_argument("now", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--labels", type=Path, default=Path(__file__).with_name("labels.json"))
    given = parser.parse_args()
    before, now = network_of(given.before), network_of(given.now)
    found = []
    for path in without_heads(given.data, json.loads(given.labels.read_text())):
        picture = cv2.imread(str(path))
        if picture is not None and (boxes := mistakes_in(picture, before, now)):
            found.append([path.relative_to(given.data).as_posix(), boxes])
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in found)
    given.out.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{sum(len(boxes) for _, boxes in found)} mistakes in {len(found)} pictures")


if __name__ == "__main__":
    main()

"""What two generators paint beside the photographs: a sheet at viewing size, a few scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pleinair.evaluation.border import border
from pleinair.evaluation.change import content, stroke_strength
from pleinair.evaluation.raggedness import raggedness
from pleinair.evaluation.viewing_size import at_viewing_size
from pleinair.networks.load import load_generator
from pleinair.networks.painter import painter
from pleinair.pictures import Pixels, list_pictures, read_picture, write_picture

GAP = 8  # pixels between pictures
MEASURES = {
    "content": content,
    "stroke_strength": stroke_strength,
    "border": border,
    "raggedness": raggedness,
}

Scores = dict[str, float]


def show(
    folder: Path,
    before: Path,
    after: Path,
    sheet: Path,
    device: str = "cpu",
    most: int | None = None,
) -> dict[str, Scores]:
    """Writes a sheet of photographs, each with what two generators paint of it; returns scores.

    Args:
        folder: Of photographs.
        before: A generator's checkpoint.
        after: Another.
        sheet: The picture to write, full size.
        device: Where they paint.
        most: At most so many photographs.
    """
    photographs = [at_viewing_size(read_picture(p)[0]) for p in list_pictures(folder)[:most]]
    columns, scores = [photographs], {}
    for name, path in (("before", before), ("after", after)):
        paint = painter(load_generator(path).generator.to(device))
        columns.append([paint(photograph) for photograph in photographs])
        scores[name] = _score(photographs, columns[-1])
    write_picture(sheet, _sheet(list(zip(*columns, strict=True))))
    return scores


def _score(photographs: list[Pixels], paintings: list[Pixels]) -> Scores:
    """Means over the pictures that a measure can tell something of."""
    scores = {}
    for name, measure in MEASURES.items():
        found = [measure(*pair) for pair in zip(photographs, paintings, strict=True)]
        told = [value for value in found if value is not None]
        if told:
            scores[name] = round(float(np.mean(told)), 4)
    return scores


def _sheet(rows: list[tuple[Pixels, ...]]) -> Pixels:
    """Lays pictures out in rows on white."""
    width = max(sum(picture.shape[1] + GAP for picture in row) for row in rows) - GAP
    bands = []
    for row in rows:
        band = np.full((max(picture.shape[0] for picture in row) + GAP, width, 3), 255, np.uint8)
        left = 0
        for picture in row:
            band[: picture.shape[0], left : left + picture.shape[1]] = picture
            left += picture.shape[1] + GAP
        bands.append(band)
    return np.vstack(bands)

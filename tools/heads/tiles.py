"""Cuts the tiles that teach a painter where heads are: pictures, and masks that are white on heads.

    python tools/heads/tiles.py DATA OUT [--tiles 10000] [--labels FILE] [--mistakes FILE]

DATA holds the pictures that the labels name. OUT gets ``photos`` and ``masks``, the two folders of
a recipe with ``loss.plan_heads``. A quarter of the tiles shows heads where they are, a quarter has
them laid on another picture in a light of their own, and half has none. Where something is laid on
something says nothing about heads, because an eighth of the tiles has a piece of any picture laid
on. Another quarter shows what a painter took for heads: see ``mistakes.py``.

The labels: ``{"pictures": {path: {"width": w, "heads": [[left, top, right, bottom], ...]}},
"without": [pattern, ...], "never": [path, ...]}``: ``w`` is the width at which they were written
down, ``small`` and ``animals`` are further lists like ``heads``; ``without`` are pictures without
people, but for those in ``never``.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
Heads = npt.NDArray[np.float64]  # [n, 4]: left, top, right, bottom

SIDE = 256
HEIGHT = (38, 230)  # of the head that a tile is cut around, in pixels
LARGEST = 3.2  # enlargement: more shows nothing but blur
SMALLEST = 24  # pixels; heads that are lower hold no fine mark
ROWS = 720  # other pictures are scaled to so many


class Tiles:
    """Draws tiles; the same seed draws the same ones."""

    def __init__(
        self, data: Path, labels: dict[str, Any], mistakes: list[Any], seed: int = 0
    ) -> None:
        self.rng = np.random.default_rng(seed)
        self.mistakes = [(data / path, box) for path, boxes in mistakes for box in boxes]
        self.labelled = [
            _labelled(data / path, entry) for path, entry in labels["pictures"].items()
        ]
        self.others = without_heads(data, labels)
        self.choices = [(i, j) for i, (_, heads, n) in enumerate(self.labelled) for j in range(n)]
        share = np.array([1 / math.sqrt(self.labelled[i][2]) for i, _ in self.choices])
        self.share = share / share.sum()

    def draw(self, k: int) -> tuple[Pixels, Pixels]:
        """Returns the k-th tile and its mask, uint8."""
        nothing = np.zeros((SIDE, SIDE), np.float32)
        if k % 4 == 0:
            tile, mask = self._around_head()
        elif k % 4 == 2:
            tile, mask = self._around_head()
            wider = np.ones((1 + 2 * int(self.rng.integers(0, 14)),) * 2)
            soft = self.rng.uniform(1, 5)
            tile = self._in_another_light(tile)
            tile = _lay(tile, cv2.dilate(mask, wider), self._elsewhere(), soft)
        elif k % 8 == 1:
            tile, mask = _lay(self._elsewhere(), self._oval(), self._elsewhere(), 3), nothing
        elif k % 4 == 3:
            tile, mask = self._mistaken(), nothing
        else:
            tile, mask = self._elsewhere(), nothing
        return self._in_another_light(tile), (mask * 255).round().astype(np.uint8)

    def _around_head(self) -> tuple[Pixels, Pixels]:
        """Cuts a tile around a head, turned and scaled."""
        rng = self.rng
        i, j = self.choices[rng.choice(len(self.choices), p=self.share)]
        picture, heads, _ = self.labelled[i]
        left, top, right, bottom = heads[j]
        wanted = math.exp(rng.uniform(*np.log(HEIGHT)))
        scale = float(np.clip(wanted / (bottom - top), 0.25, LARGEST))
        angle = rng.uniform(-25, 25) if rng.random() < 0.5 else 0.0
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        size = np.array(picture.shape[1::-1])
        place = rng.uniform(0.15, 0.85, 2) * SIDE
        place = place.clip(SIDE - (size - centre) * scale, centre * scale)  # within the picture
        turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), angle, scale)
        turn[:, 2] += place - centre
        if scale < 0.7:  # sampling alone would alias
            picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale)
        tile = cv2.warpAffine(
            picture, turn, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return tile, _mask(heads, turn, scale, angle)

    def _elsewhere(self) -> Pixels:
        """Cuts a tile from a picture without heads."""
        while True:
            picture = cv2.imread(str(self.others[self.rng.integers(len(self.others))]))
            if picture is not None:
                break
        scale = ROWS / picture.shape[0] * math.exp(self.rng.uniform(math.log(0.5), math.log(1.6)))
        return self._cut(picture, scale, self.rng.uniform(0, 1, 2))

    def _mistaken(self) -> Pixels:
        """Cuts a tile around something that was taken for a head."""
        rng = self.rng
        path, (left, top, right, bottom) = self.mistakes[rng.integers(len(self.mistakes))]
        picture = _read(path)
        scale = ROWS / picture.shape[0] * math.exp(rng.uniform(math.log(0.6), math.log(1.4)))
        return self._cut(picture, scale, ((left + right) / 2, (top + bottom) / 2))

    def _cut(self, picture: Pixels, scale: float, at: Any) -> Pixels:
        """Cuts a tile around a place, given in shares of the width and the height."""
        scale = max(min(scale, 2.0), SIDE / min(picture.shape[:2]))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
        place = np.array(at) * picture.shape[1::-1] - SIDE * self.rng.uniform(0.2, 0.8, 2)
        left, top = place.clip(0, np.array(picture.shape[1::-1]) - SIDE).astype(int)
        return picture[top : top + SIDE, left : left + SIDE]

    def _oval(self) -> Pixels:
        """Draws a mask of the size of a head."""
        radii = np.exp(self.rng.uniform(math.log(15), math.log(110), 2))
        centre = self.rng.uniform(0.1, 0.9, 2) * SIDE
        y, x = np.mgrid[:SIDE, :SIDE]
        away = np.hypot((x - centre[0]) / radii[0], (y - centre[1]) / radii[1])
        oval: Pixels = np.clip((1.2 - away) / 0.35, 0, 1).astype(np.float32)
        return oval

    def _in_another_light(self, tile: Pixels) -> Pixels:
        """Changes exposure, saturation, contrast and the light's colour."""
        rng = self.rng
        x = np.power(tile.astype(np.float32) / 255, np.exp(rng.normal(0, 0.3)))
        grey = x.mean(2, keepdims=True)
        x = grey + (x - grey) * np.exp(rng.normal(-0.05, 0.25))
        x = (x - 0.5) * np.exp(rng.normal(0, 0.12)) + 0.5
        x = x * np.exp(rng.normal(0, 0.06, (1, 1, 3))) + rng.normal(0, 0.03)
        lit: Pixels = (x.clip(0, 1) * 255).round().astype(np.uint8)
        return lit


def without_heads(data: Path, labels: dict[str, Any]) -> list[Path]:
    """Lists the pictures that show no heads."""
    never = {data / path for path in (*labels["never"], *labels["pictures"])}
    return sorted({path for pattern in labels["without"] for path in data.glob(pattern)} - never)


def _read(path: Path) -> Pixels:
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path} cannot be read")
    return picture


def _labelled(path: Path, entry: dict[str, Any]) -> tuple[Pixels, Heads, int]:
    """Reads a picture: its pixels, its heads, and around how many of these tiles are cut."""
    picture = _read(path)
    first = [*entry.get("heads", []), *entry.get("animals", [])]
    heads = np.array([*first, *entry.get("small", [])], np.float64)
    return picture, heads * (picture.shape[1] / entry["width"]), len(first)


def _mask(heads: Heads, turn: Pixels, scale: float, angle: float) -> Pixels:
    """Draws an oval a little larger than each head, with soft edges; float32 in 0..1."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    for left, top, right, bottom in heads:
        if (bottom - top) * scale < SMALLEST:
            continue
        at = turn @ ((left + right) / 2, (top + bottom) / 2, 1)
        across = ((x - at[0]) * cosine - (y - at[1]) * sine) / ((right - left) * scale * 0.55)
        along = ((x - at[0]) * sine + (y - at[1]) * cosine) / ((bottom - top) * scale * 0.55)
        mask = np.maximum(mask, np.clip((1.15 - np.hypot(across, along)) / 0.3, 0, 1))
    return mask


def _lay(above: Pixels, mask: Pixels, below: Pixels, soft: float) -> Pixels:
    """Lays one tile over another where the mask is white."""
    share = cv2.GaussianBlur(mask, (0, 0), soft)[..., None]
    laid: Pixels = (above * share + below * (1 - share)).clip(0, 255).round().astype(np.uint8)
    return laid


def _numbered(count: int) -> Iterator[tuple[int, str]]:
    return ((k, f"{k:05}") for k in range(count))


def main() -> None:
    """Cuts the tiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiles", type=int, default=10000)
    parser.add_argument("--labels", type=Path, default=Path(__file__).with_name("labels.json"))
    parser.add_argument("--mistakes", type=Path, default=Path(__file__).with_name("mistakes.json"))
    given = parser.parse_args()
    labels, mistakes = (
        json.loads(file.read_text(encoding="utf-8")) for file in (given.labels, given.mistakes)
    )
    tiles = Tiles(given.data, labels, mistakes)
    for folder in ("photos", "masks"):
        (given.out / folder).mkdir(parents=True, exist_ok=True)
    for k, name in _numbered(given.tiles):
        tile, mask = tiles.draw(k)
        cv2.imwrite(str(given.out / "photos" / f"{name}.jpg"), tile, [cv2.IMWRITE_JPEG_QUALITY, 95])
        cv2.imwrite(str(given.out / "masks" / f"{name}.png"), mask)
    print(f"{given.tiles} tiles of {len(tiles.choices)} heads and {len(tiles.others)} pictures")


if __name__ == "__main__":
    main()

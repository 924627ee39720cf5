"""Make the two small picture folders of ``tests/data``: photographs and "paintings".

Both are cut from the freely licensed photographs listed in ``CREDITS.md``, from different parts
of them, so the folders are unpaired. The paintings are made here by a Kuwahara filter, brush
relief and a warm palette. Photographs come from the Debian package ``lomiri-wallpapers-16.04``
(``apt-get download`` and ``dpkg -x``, as for the demonstration clip) and from the installed
scikit-image and scikit-learn::

    python assets/make_test_pictures.py --wallpapers wallpapers
"""

from __future__ import annotations

import argparse
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

WALLPAPERS = (
    "aitzgorri_by_Aitzol_Berasategi.jpg",
    "seeding_by_Clements_Engelhardt.jpg",
    "picosdeeuropa_by_Aitzol_Berasategi.jpg",
    "life_by_Aitzol_Berasategi.jpg",
    "sunset_by_Aitzol_Berasategi.jpg",
)
PACKAGED = (
    ("sklearn.datasets.images", "china.jpg"),
    ("skimage.data", "chelsea.png"),
    ("skimage.data", "coffee.png"),
)
# Quarters of each photograph, as (row, column): the two folders share none.
PHOTO_QUARTERS = ((0, 0), (1, 1))
PAINTING_QUARTERS = ((0, 1), (1, 0))
SIZES = ((192, 160), (160, 120), (128, 128), (176, 144), (96, 96), (144, 160), (160, 160))
JPEG_QUALITY = 85
PAINT_SCALE = 2  # paintings are painted at this many times their size
BRUSH_RADIUS = 4


def read(path: Path) -> Picture:
    """Read a picture, BGR.

    Raises:
        FileNotFoundError: If it cannot be read.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(path)
    return np.asarray(picture, np.uint8)


def load_photographs(wallpapers: Path) -> list[Picture]:
    """Read all photographs, those under ``wallpapers`` and those of installed packages."""
    pictures = [read(next(wallpapers.rglob(name), wallpapers / name)) for name in WALLPAPERS]
    for package, name in PACKAGED:
        with as_file(files(package) / name) as path:
            pictures.append(read(path))
    return pictures


def cut(picture: Picture, quarter: tuple[int, int], size: tuple[int, int]) -> Picture:
    """Return the largest centred window of a quarter that has the shape of ``size``, resized.

    Args:
        picture: The whole photograph.
        quarter: Row and column of the quarter, each 0 or 1.
        size: Width and height of the result.

    Returns:
        The crop, exactly ``size`` large.
    """
    rows, columns = picture.shape[0] // 2, picture.shape[1] // 2
    scale = min(columns / size[0], rows / size[1])
    width, height = int(size[0] * scale), int(size[1] * scale)
    top = quarter[0] * rows + (rows - height) // 2
    left = quarter[1] * columns + (columns - width) // 2
    window = picture[top : top + height, left : left + width]
    return np.asarray(cv2.resize(window, size, interpolation=cv2.INTER_AREA), np.uint8)


def kuwahara(picture: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Replace each pixel by the mean of whichever of its four corner squares varies least."""
    square = (radius + 1, radius + 1)
    brightness = picture.mean(axis=2)
    best = np.full(brightness.shape, np.inf, np.float32)
    result = picture.copy()
    for anchor in ((0, 0), (radius, 0), (0, radius), (radius, radius)):
        mean = cv2.boxFilter(picture, -1, square, anchor=anchor)
        level = cv2.boxFilter(brightness, -1, square, anchor=anchor)
        spread = cv2.boxFilter(brightness**2, -1, square, anchor=anchor) - level**2
        chosen = spread < best
        best[chosen] = spread[chosen]
        result[chosen] = mean[chosen]
    return result


def brush_relief(picture: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return bristle marks around 0: noise smeared along the outlines of the picture."""
    rows, columns = picture.shape[:2]
    smooth = cv2.GaussianBlur(picture.mean(axis=2), (0, 0), 4)
    across, down = cv2.Sobel(smooth, -1, 1, 0), cv2.Sobel(smooth, -1, 0, 1)
    length = np.hypot(across, down) + 1e-4
    x_grid, y_grid = np.meshgrid(
        np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
    )
    noise = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    marks = np.zeros_like(noise)
    for step in range(-6, 7):
        x_map, y_map = x_grid - step * down / length, y_grid + step * across / length
        marks += cv2.remap(noise, x_map, y_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(marks / marks.std(), np.float32)


def warm_palette(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shift colours (BGR, 0..1) towards a warm, lively palette with soft darks."""
    lab = cv2.cvtColor(picture, cv2.COLOR_BGR2Lab)
    lab[..., 0] = 14.0 + 0.86 * lab[..., 0]
    lab[..., 1] = 1.25 * lab[..., 1] + 3.0
    lab[..., 2] = 1.25 * lab[..., 2] + 9.0
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_Lab2BGR), np.float32)


def paint(crop: Picture, size: tuple[int, int], seed: int) -> Picture:
    """Turn a crop into a "painting" of the given width and height."""
    canvas = np.asarray(crop, np.float32) / np.float32(255.0)
    for _ in range(2):
        canvas = kuwahara(canvas, BRUSH_RADIUS)
    canvas = warm_palette(canvas)
    canvas += 0.035 * brush_relief(canvas, seed)[..., None]
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small * 255.0 + 0.5, 0, 255), np.uint8)


def write(picture: Picture, folder: Path, index: int) -> None:
    """Write one numbered JPEG."""
    folder.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    if not cv2.imwrite(str(folder / f"{index:02d}.jpg"), picture, options):
        raise OSError(f"cannot write to {folder}")


def main() -> None:
    """Read the command line and make both folders."""
    parser = argparse.ArgumentParser(description="Make the test pictures.")
    parser.add_argument(
        "--wallpapers", type=Path, required=True, help="folder of the unpacked Debian package"
    )
    default = Path(__file__).resolve().parents[1] / "tests" / "data"
    parser.add_argument("--output", type=Path, default=default)
    arguments = parser.parse_args()
    index = 0
    for picture in load_photographs(arguments.wallpapers):
        for photo, painting in zip(PHOTO_QUARTERS, PAINTING_QUARTERS, strict=True):
            size = SIZES[index % len(SIZES)]
            write(cut(picture, photo, size), arguments.output / "photos", index)
            large = (size[0] * PAINT_SCALE, size[1] * PAINT_SCALE)
            painted = paint(cut(picture, painting, large), size, seed=index)
            write(painted, arguments.output / "paintings", index)
            index += 1


if __name__ == "__main__":
    main()

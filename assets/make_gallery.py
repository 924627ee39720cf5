"""Paint the gallery of ``docs/gallery``: photographs, and what the shipped painters make of them.

The photographs are those listed in ``CREDITS.md``. They come from the Debian package
``lomiri-wallpapers-16.04`` (``apt-get download`` and ``dpkg -x``, as for the demonstration clip)
and from the installed scikit-image and scikit-learn::

    python assets/make_gallery.py --wallpapers wallpapers
"""

from __future__ import annotations

import argparse
from importlib.resources import as_file, files
from pathlib import Path

import cv2
import numpy as np
import pleinair
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

ROOT = Path(__file__).parents[1]
HANDS = ("van-gogh", "seurat", "pastel")
WALLPAPERS = {
    "mountains": "aitzgorri_by_Aitzol_Berasategi.jpg",
    "stream": "life_by_Aitzol_Berasategi.jpg",
    "sunset": "sunset_by_Aitzol_Berasategi.jpg",
    "meadow": "seeding_by_Clements_Engelhardt.jpg",
    "snow": "picosdeeuropa_by_Aitzol_Berasategi.jpg",
}
PACKAGED = {
    "pavilion": ("sklearn.datasets.images", "china.jpg"),
    "coffee": ("skimage.data", "coffee.png"),
    "face": ("skimage.data", "astronaut.png"),
    "night": ("skimage.data", "rocket.jpg"),
    "cat": ("skimage.data", "chelsea.png"),
}
SHOWN = "pavilion"  # by all hands
ROWS, COLUMNS = 720, 640  # of what is shown of each picture: its middle, at full size
JPEG_QUALITY = 82


def photographs(wallpapers: Path) -> dict[str, Picture]:
    """Reads all photographs, BGR, scaled to ``ROWS``."""
    found = {}
    for name, file in WALLPAPERS.items():
        found[name] = read(next(wallpapers.rglob(file), wallpapers / file))
    for name, (package, file) in PACKAGED.items():
        with as_file(files(package) / file) as path:
            found[name] = read(path)
    return found


def read(path: Path) -> Picture:
    """Reads a picture and scales it.

    Raises:
        FileNotFoundError: It cannot be read.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(path)
    scale = ROWS / picture.shape[0]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how))


def middle(picture: Picture) -> Picture:
    """Cuts the middle out of a picture."""
    left = max(0, picture.shape[1] - COLUMNS) // 2
    return picture[:, left : left + COLUMNS]


def main() -> None:
    """Writes for each photograph its middle and monet's of it; of one, all hands' as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wallpapers", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    quality = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    monet = pleinair.load("monet", precision="int8")
    hands = {name: pleinair.load(name, precision="int8") for name in HANDS}
    for name, photograph in photographs(options.wallpapers).items():
        row = np.hstack([middle(photograph), middle(monet(photograph))])
        cv2.imwrite(str(options.out / f"{name}.jpg"), row, quality)
        for hand, paint in hands.items() if name == SHOWN else ():
            row = np.hstack([middle(photograph), middle(paint(photograph))])
            cv2.imwrite(str(options.out / f"{hand}.jpg"), row, quality)


if __name__ == "__main__":
    main()

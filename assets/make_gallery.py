"""Paint the gallery of ``docs/gallery``: photographs, and what each shipped model makes of them.

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
MODELS = ("monet", "monet-fine")
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
}
LONGER = 480  # pixels
JPEG_QUALITY = 85


def photographs(wallpapers: Path) -> dict[str, Picture]:
    """Reads all photographs, BGR, scaled to a longer side of ``LONGER``."""
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
    scale = LONGER / max(picture.shape[:2])
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def main() -> None:
    """Writes one picture for each photograph: it, then each model's painting, side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wallpapers", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "gallery")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    paints = [pleinair.load(name, precision="int8") for name in MODELS]
    for name, photograph in photographs(options.wallpapers).items():
        row = np.hstack([photograph, *(paint(photograph) for paint in paints)])
        quality = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
        cv2.imwrite(str(options.out / f"{name}.jpg"), row, quality)


if __name__ == "__main__":
    main()

"""Make ``docs/hero.webp``, ten seconds on top of the README: the demonstration clip, half painted.

The clip of this folder is painted by ``translate`` with the shipped ``monet``. Left of a line that
moves is the original, right of it the painting::

    python assets/make_hero.py
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pleinair
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

ROOT = Path(__file__).parents[1]
CLIP, HERO = ROOT / "assets/demo.mp4", ROOT / "docs/hero.webp"
EVERY = 3  # of 30 frames a second
SIZE = (768, 432)  # about what a README is wide
QUALITIES = range(80, 20, -5)
LARGEST = 3_000_000  # bytes


def main() -> None:
    """Paints the clip and writes the best quality that is small enough."""
    with tempfile.TemporaryDirectory() as folder:
        painted = Path(folder) / "painted.mp4"
        pleinair.translate(CLIP, painted)
        pairs = list(zip(frames(CLIP), frames(painted), strict=True))
    shown = [
        divided(before, after, 0.4 - 0.35 * math.sin(2 * math.pi * k / len(pairs)))
        for k, (before, after) in enumerate(pairs)
    ]
    animation = cv2.Animation()
    animation.frames = shown
    animation.durations = np.full(len(shown), 1000 * EVERY // 30)
    for quality in QUALITIES:
        cv2.imwriteanimation(str(HERO), animation, [cv2.IMWRITE_WEBP_QUALITY, quality])
        if HERO.stat().st_size <= LARGEST:
            break
    print(f"{HERO}: {len(shown)} frames, quality {quality}, {HERO.stat().st_size:,} bytes")


def frames(path: Path) -> Iterator[Picture]:
    """Yields every third frame of a video, BGR, in the size that is shown."""
    video = cv2.VideoCapture(str(path))
    for number in range(10**6):
        there, frame = video.read()
        if not there:
            return
        if number % EVERY == 0:
            yield cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA)


def divided(before: Picture, after: Picture, part: float) -> Picture:
    """Returns the left part of one picture and the rest of another, with a white line between."""
    at = round(part * before.shape[1])
    both = np.hstack([before[:, :at], after[:, at:]])
    both[:, max(0, at - 1) : at + 1] = 255
    return both


if __name__ == "__main__":
    main()

"""How much paint flickers with what holds it still, clip by clip.

    python tools/video_flicker.py MODEL CLIP ... [--frames 48] [--start 30] [--sheets FOLDER]
    python tools/video_flicker.py MODEL CLIP --pan 4.37 --frames 20      # over its first frame

Paints each clip with strokes that neither stand still nor follow the camera, with each of both,
with both, with both and held where things move (which is what live and translate do), and with
``Steady`` on top. Flicker is that of ``evaluation/flicker.py``. Sharpness is the mean of the
Laplacian to that of plain paintings, for what is blurred does not flicker. Milliseconds are of one
core, without the painting itself. Sheets show crops of consecutive frames, the originals first,
then a row for each way.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from pleinair.evaluation.flicker import flicker
from pleinair.pictures import Pixels, write_picture
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.steady import Steady
from pleinair.runtime.strokes.easel import Easel, Laid
from pleinair.runtime.strokes.still import Still
from pleinair.runtime.stylizer import load

Way = Callable[[Pixels], Pixels]


class Unstilled(Easel):
    """An easel that follows the camera and smooths nothing."""

    def prepare(self, rgb: Pixels, skipped: bool = False) -> Laid:
        """Lays a frame as it is."""
        laid = super().prepare(rgb, skipped)
        return laid._replace(picture=laid.torus.lay(rgb, laid.place))


def main() -> None:
    """Measures each clip and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--start", type=int, default=30, help="the first frame")
    parser.add_argument("--rows", type=int, default=480, help="height that clips are reduced to")
    parser.add_argument("--sheets", type=Path, help="write sheets into this folder")
    parser.add_argument("--pan", type=float, help="pixels a frame to move over the first frame")
    options = parser.parse_args()
    plain, wrapping = (load(options.model, color="rgb", wrap=wrap) for wrap in (False, True))
    print("| clip | way | flicker | sharpness | ms beside painting |\n|---|---|---|---|---|")
    for clip in options.clips:
        if options.pan is None:
            frames = read(clip, options.start, options.frames, options.rows)
        else:
            frames = pan(read(clip, 0, 1, 720)[0], options.pan, options.frames)
        measure(Path(clip).stem, frames, ways(plain, wrapping), options.sheets)


def ways(plain: Way, wrapping: Way) -> dict[str, Callable[[Callable[[Way], Way]], Way]]:
    """Makes what paints, from what notes the time that a painter takes."""
    paint = wrapping.paint  # type: ignore[attr-defined]

    def stillness(timed: Callable[[Way], Way]) -> Way:
        still, painted = Still(), timed(plain)
        return lambda rgb: painted(still(rgb))

    def steady(timed: Callable[[Way], Way]) -> Way:
        easel, steady = Easel(timed(paint)), Steady()
        return lambda rgb: steady(rgb, easel(rgb))

    return {
        "neither": lambda timed: timed(plain),
        "stillness": stillness,
        "following": lambda timed: Unstilled(timed(paint), hold=False),
        "both": lambda timed: Easel(timed(paint), hold=False),
        "held": lambda timed: Easel(timed(paint)),
        "held, steady": steady,
    }


def measure(
    name: str,
    frames: list[Pixels],
    painters: dict[str, Callable[[Callable[[Way], Way]], Way]],
    sheets: Path | None,
) -> None:
    """Paints one clip in each way, and prints a row for each."""
    rows, sharp = [], 0.0
    for way, make in painters.items():
        inside = [0.0]

        def timed(paint: Way, inside: list[float] = inside) -> Way:
            def call(rgb: Pixels) -> Pixels:
                start = time.thread_time()
                painted = paint(rgb)
                inside[0] += time.thread_time() - start
                return painted

            return call

        painter = make(timed)
        start = time.thread_time()
        painted = [painter(frame) for frame in frames]
        beside = (time.thread_time() - start - inside[0]) / len(frames) * 1000
        sharp = sharp or sharpness(painted)
        found = flicker(zip(frames, painted, strict=True))
        print(f"| {name} | {way} | {found:.2f} | {sharpness(painted) / sharp:.2f} | {beside:.1f} |")
        rows.append(crops(painted))
    if sheets:
        write_picture(sheets / f"{name}.png", np.vstack([crops(frames), *rows]))


def read(clip: str, start: int, count: int, rows: int) -> list[Pixels]:
    """Reads frames, reduced to some height."""
    with open_source(clip) as source:
        frames = [frame.rgb for frame in itertools.islice(source.frames(), start, start + count)]
    height, width = frames[0].shape[:2]
    if height <= rows:
        return frames
    size = (round(width * rows / height), rows)
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]


def pan(picture: Pixels, pixels: float, count: int) -> list[Pixels]:
    """What a camera with noise of 2.3 grey levels sees that turns over half of a picture."""
    random, (height, width) = np.random.default_rng(0), picture.shape[:2]
    frames = []
    for index in range(count):
        moved = np.array([[1, 0, -index * pixels - 60], [0, 1, -index * pixels / 7 - 100]])
        seen = cv2.warpAffine(picture, moved, (width // 2, height // 2), flags=cv2.INTER_LINEAR)
        frames.append((seen + random.normal(0, 2.3, seen.shape)).clip(0, 255).astype(np.uint8))
    return frames


def sharpness(painted: list[Pixels]) -> float:
    """Mean of the absolute Laplacian, of frames after the first few."""
    grey = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in painted[4:])
    return float(np.mean([np.abs(cv2.Laplacian(one, cv2.CV_32F)).mean() for one in grey]))


def crops(painted: list[Pixels], count: int = 5, side: int = 240) -> Pixels:
    """The same crop of the last few frames, side by side at full resolution."""
    height, width = painted[0].shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return np.hstack([rgb[top : top + side, left : left + side] for rgb in painted[-count:]])


if __name__ == "__main__":
    main()

"""What it costs to make RGB of a frame's planes, and planes of RGB, in several ways.

    python tools/plane_speed.py [CLIP]

Processor milliseconds of one thread a frame, medians of 60; and how far each is from the exact RGB.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from pleinair.pictures import Pixels
from pleinair.runtime.colour import SWSCALE_DOWN, SWSCALE_UP, Colour
from pleinair.runtime.memory import keep_memory
from pleinair.runtime.planes import planes_of, rgb_of
from pleinair.runtime.sources.demo_clip import DEMO_CLIP

_TIMES = 60


def main() -> None:
    """Measures one frame of a clip."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO_CLIP))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    keep_memory()
    with av.open(options.clip) as container:
        frame = next(container.decode(video=0))
    meant = Colour.of(frame)
    rgb = rgb_of(frame, meant.matrix, meant.range)
    i420 = frame.to_ndarray(format="yuv420p")
    ways: dict[str, Callable[[], object]] = {
        "swscale, to RGB": lambda: up.reformat(
            frame, format="rgb24", src_colorspace=meant.matrix, interpolation=SWSCALE_UP
        ),
        "swscale, from RGB": lambda: down.reformat(
            packed, format="yuv420p", dst_colorspace=meant.matrix, interpolation=SWSCALE_DOWN
        ),
        "OpenCV's I420, to RGB": lambda: cv2.cvtColor(i420, cv2.COLOR_YUV2RGB_I420),
        "OpenCV's I420, from RGB": lambda: cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420),
        "planes.py, to RGB": lambda: rgb_of(frame, meant.matrix, meant.range),
        "planes.py, from RGB": lambda: planes_of(rgb, meant.matrix, meant.range),
    }
    up, down = VideoReformatter(), VideoReformatter()
    packed = av.VideoFrame.from_numpy_buffer(rgb, format="rgb24")
    for name, work in ways.items():
        print(f"{name:28} {_core_ms(work):.2f} core-ms")
    swscaled: Pixels = up.reformat(
        frame, format="rgb24", src_colorspace=meant.matrix, interpolation=SWSCALE_UP
    ).to_ndarray()
    apart = np.abs(rgb.astype(int) - swscaled)
    print(f"swscale and planes.py are apart by {apart.max()} grey levels at most", end="")
    print(f", {apart.mean():.2f} on average")


def _core_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_TIMES):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    main()

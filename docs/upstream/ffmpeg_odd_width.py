"""PyAV: threads of FFmpeg that convert a frame of odd width write into each other's rows.

With the default interpolation, and from RGBA to ``yuva444p10le``.
"""

from __future__ import annotations

import av
import numpy as np

TIMES = 2000


def converted(threads: int) -> bytes:
    """Returns the alpha of an opaque picture of odd width, converted for ProRes."""
    picture = av.VideoFrame.from_ndarray(np.full((49, 65, 4), 255, np.uint8), format="rgba")
    frame = picture.reformat(format="yuva444p10le", threads=threads)
    plane = frame.planes[3]
    rows = np.frombuffer(memoryview(plane), np.uint16).reshape(-1, plane.line_size // 2)
    return rows[:49, :65].tobytes()


if __name__ == "__main__":
    right = converted(1)
    wrong = sum(converted(0) != right for _ in range(TIMES))
    print(f"PyAV {av.__version__}: {wrong} of {TIMES} frames have wrong alpha with several threads")

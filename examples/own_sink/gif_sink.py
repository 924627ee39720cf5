"""A sink of one's own: `pleinair live --sink gif:painted.gif` writes an animated GIF.

The entry point in pyproject.toml names a function. It gets what stands behind the colon, and the
source, and returns a Sink.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from pleinair.errors import UsageError
from pleinair.runtime.frame import Frame
from pleinair.runtime.sinks.sink import Sink
from pleinair.runtime.sources.source import Source

MOST = 300  # frames that are kept in memory


class GifSink(Sink):
    """Keeps every second frame, and writes them when it is finished."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self.frames: list[Image.Image] = []

    def write(self, frame: Frame) -> bool:
        """Takes one frame, RGB [H, W, 3]; False ends the show."""
        if frame.index % 2 == 0:
            self.frames.append(Image.fromarray(frame.rgb).quantize(128))
        return len(self.frames) < MOST

    def finish(self) -> None:
        """Writes the file; without frames there is none."""
        if self.frames:
            first, *others = self.frames
            pause = round(2000 / self.fps)
            first.save(self.path, save_all=True, append_images=others, duration=pause, loop=0)


def open_gif(address: str, source: Source) -> GifSink:
    """Opens the sink."""
    if not address.endswith(".gif"):
        raise UsageError(f"--sink gif:{address} is no name of a GIF; write gif:painted.gif")
    return GifSink(Path(address), float(source.fps or 30))

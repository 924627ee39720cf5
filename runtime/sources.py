"""Where frames come from: a picture, a folder, a video file, a camera, a URL.

``open_source("clip.mp4")`` returns a ``Source``; it is a context manager and yields ``Frame``s.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import MediaError, UsageError
from ..pictures import Pixels, is_picture, list_pictures
from .frame import Frame
from .picture_files import read_picture


class Source:
    """Frames, and what is known of them before the first one.

    Attributes:
        label: How messages name it.
        live: Frames arrive at their own pace; whoever is late loses some.
        size: (width, height), if it is the same for all frames.
        fps: Frames a second, if known.
        count: How many frames there should be, if known.
        problems: What went wrong along the way without ending it all.
    """

    label = ""
    live = False
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    count: int | None = None

    def __init__(self) -> None:
        self.problems: list[str] = []

    def frames(self) -> Iterator[Frame]:
        """Yields every frame once, in order."""
        raise NotImplementedError

    def close(self) -> None:
        """Frees the device or file."""

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PictureSource(Source):
    """One picture or several; what cannot be decoded is a problem, not the end."""

    def __init__(self, paths: list[Path], label: str) -> None:
        super().__init__()
        self.paths, self.label, self.count = paths, label, len(paths)

    def frames(self) -> Iterator[Frame]:
        """Yields the pictures; each keeps its file's name."""
        for index, path in enumerate(self.paths):
            try:
                rgb, alpha = read_picture(path)
            except MediaError as error:
                self.problems.append(str(error))
                continue
            yield Frame(rgb, index, name=path.name, alpha=alpha)


class VideoSource(Source):
    """A video file or stream, decoded by FFmpeg (PyAV).

    Args:
        path: A file or URL.
        realtime: Yield a file's frames at the pace at which a camera would.
    """

    def __init__(self, path: str, realtime: bool = False) -> None:
        super().__init__()
        self.label = self.path = path
        self.is_url = "://" in path
        self.live = self.is_url or realtime
        options = {"rw_timeout": "10000000", "timeout": "10000000"} if self.is_url else {}
        try:
            self.container = av.open(path, options=options, timeout=10 if self.is_url else None)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(_why_not_opened(path, error)) from error
        if not self.container.streams.video:
            self.container.close()
            raise MediaError(f"{path} has no video stream")
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.fps = self.stream.average_rate or self.stream.guessed_rate
        self.count = self.stream.frames or None
        self.size = (self.stream.width, self.stream.height)

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the end, or until nothing more can be decoded."""
        index, started = 0, time.perf_counter()
        first: float | None = None  # time of the first frame
        try:
            for decoded in self.container.decode(self.stream):
                if self.live and not self.is_url and decoded.time is not None:
                    first = decoded.time if first is None else first
                    time.sleep(max(0.0, started + decoded.time - first - time.perf_counter()))
                captured = time.perf_counter()
                rgb = upright(decoded.to_ndarray(format="rgb24"), decoded.rotation)
                yield Frame(rgb, index, decoded.pts, decoded.time_base, captured=captured)
                index += 1
        except (av.error.FFmpegError, OSError) as error:
            if index == 0:
                raise MediaError(f"{self.path} cannot be decoded: {error}") from error
            self.problems.append(f"{self.path} is damaged after frame {index}: {error}")
            return
        if index == 0:
            raise MediaError(f"{self.path} holds no frame that can be decoded")
        if self.count and index < self.count:
            self.problems.append(
                f"{self.path} is truncated: {index} of {self.count} frames could be decoded"
            )

    def close(self) -> None:
        """Closes the file or stream."""
        self.container.close()


class CameraSource(Source):
    """A camera by its index, through OpenCV."""

    live = True

    def __init__(self, index: int) -> None:
        super().__init__()
        self.label = f"camera {index}"
        self.capture = cv2.VideoCapture(index)
        if not self.capture.isOpened():
            raise MediaError(
                f"camera {index} cannot be opened: it is not there, in use, or not permitted;"
                " try another --source index"
            )
        self.capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        self.capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are delay
        width = int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = (width, height)

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the camera stops giving any."""
        index = 0
        while True:
            good, bgr = self.capture.read()
            if not good:
                self.problems.append(f"{self.label} stopped after {index} frames")
                return
            yield Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), index)
            index += 1

    def close(self) -> None:
        """Releases the camera."""
        self.capture.release()


def open_source(spec: str, realtime: bool = False) -> Source:
    """Opens a source by its spelling.

    Args:
        spec: A camera's index (``"0"``), a URL, or the path of a picture, folder or video.
        realtime: Give a file's frames at the pace at which a camera would.

    Raises:
        UsageError: There is no such file.
        MediaError: It is there but cannot be used.
    """
    if spec.isdigit() and not Path(spec).exists():
        return CameraSource(int(spec))
    if "://" in spec:
        return VideoSource(spec)
    path = Path(spec)
    if not path.exists():
        raise UsageError(f"{path} does not exist")
    if path.is_dir():
        pictures = list_pictures(path)
        if not pictures:
            raise MediaError(f"folder {path} holds no pictures")
        return PictureSource(pictures, str(path))
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty")
    if is_picture(path):
        return PictureSource([path], str(path))
    return VideoSource(str(path), realtime)


def upright(rgb: Pixels, rotation: int) -> Pixels:
    """Turns a decoded picture as its stream's display matrix says (degrees, counter-clockwise)."""
    turns = round(rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _why_not_opened(path: str, error: Exception) -> str:
    reason = str(error)
    with contextlib.suppress(AttributeError):
        reason = error.strerror or reason  # type: ignore[attr-defined]
    if isinstance(error, av.error.InvalidDataError):
        reason = "it is no video that can be read, or it is cut off before its index"
    return f"{path} cannot be opened: {reason}"

"""Where painted frames go: a picture, a folder, a window, nowhere; videos have their own room.

A sink is a context manager. What it writes appears under its final name only when it is closed
without an error, and never half.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import cv2

from ..errors import MediaError
from ..pictures import Pixels, write_picture
from .frame import Frame


class Sink:
    """Takes painted frames in order."""

    def write(self, frame: Frame) -> bool:
        """Takes one frame; returns False to ask for the end."""
        raise NotImplementedError

    def finish(self) -> None:
        """Makes what was written final."""

    def discard(self) -> None:
        """Leaves nothing of it behind."""

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


class NullSink(Sink):
    """Takes frames and forgets them."""

    def write(self, frame: Frame) -> bool:
        """Takes one frame."""
        return True


class PictureSink(Sink):
    """Writes one picture."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, frame: Frame) -> bool:
        """Writes the picture."""
        write_picture(self.path, frame.rgb, frame.alpha)
        return True


class FolderSink(Sink):
    """Writes each picture under its own name.

    Args:
        folder: Where to; names may have folders in them.
        written: Called with each picture's name when it is complete.
    """

    def __init__(self, folder: Path, written: Callable[[str], None] = lambda name: None) -> None:
        self.folder, self.written = folder, written
        self.is_new = not folder.exists()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"folder {folder} cannot be made: {error.strerror}") from error

    def write(self, frame: Frame) -> bool:
        """Writes one picture; frames without a name are numbered."""
        name = frame.name or f"{frame.index:06d}.png"
        write_picture(self.folder / name, frame.rgb, frame.alpha)
        self.written(name)
        return True

    def finish(self) -> None:
        """Keeps the pictures that were written, but no empty folder."""
        if self.is_new:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    discard = finish


class WindowSink(Sink):
    """Shows frames in a window; q, Escape or closing the window ends it."""

    def __init__(self, title: str) -> None:
        if sys.platform == "linux" and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise MediaError("there is no display for a window; give --sink a file, or null")
        self.title = title
        self.opened = False

    def write(self, frame: Frame) -> bool:
        """Shows one frame."""
        try:
            if not self.opened:
                cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
                cv2.resizeWindow(self.title, frame.rgb.shape[1], frame.rgb.shape[0])
                self.opened = True
            cv2.imshow(self.title, cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
            key = cv2.waitKey(1) & 0xFF
            return key not in (ord("q"), 27) and self._visible()
        except cv2.error as error:
            raise MediaError(
                f"OpenCV cannot show a window here ({error.err}); give --sink a file, or null"
            ) from error

    def _visible(self) -> bool:
        return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1

    def finish(self) -> None:
        """Closes the window."""
        if self.opened:
            cv2.destroyAllWindows()

    discard = finish


def frame_like(frame: Frame, rgb: Pixels) -> Frame:
    """Returns a frame with other pixels and everything else the same."""
    return replace(frame, rgb=rgb)

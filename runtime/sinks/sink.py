"""Where painted frames go: a picture, a folder, nowhere; others have modules of their own.

A sink is a context manager. What it writes appears under its final name only when it is closed
without an error, and never partially.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType

from ...errors import MediaError, os_errors_as
from ...pictures import write_picture
from ..colour import WHITE
from ..frame import Frame
from ..yuv import Picture, Yuv


class Sink(ABC):
    """Takes painted frames in order."""

    @abstractmethod
    def write(self, frame: Frame) -> bool:
        """Takes one frame; returns False to ask for the end."""

    def finish(self) -> None:  # noqa: B027  # not all keep what they are given
        """Makes what was written final."""

    def discard(self) -> None:  # noqa: B027  # nor has anything to take back
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

    def __init__(
        self, path: Path, ground: tuple[int, int, int] = WHITE, replace: bool = True
    ) -> None:
        self.path, self.ground, self.replace = path, ground, replace

    def write(self, frame: Frame) -> bool:
        """Writes the picture."""
        rgb, alpha, profile = frame.rgb, frame.alpha, frame.profile
        write_picture(self.path, rgb, alpha, self.ground, self.replace, profile=profile)
        return True


class FolderSink(Sink):
    """Writes each picture under its own name.

    Args:
        folder: The output folder; names may include folders.
        ready: Called with each picture's name and its complete file, just before that gets the
            name.
        ground: What transparent pictures are laid over in formats without alpha.
        replace: Whether existing files may be replaced.
    """

    def __init__(
        self,
        folder: Path,
        ready: Callable[[str, Path], None] = lambda name, temporary: None,
        ground: tuple[int, int, int] = WHITE,
        replace: bool = True,
    ) -> None:
        self.folder, self.ready, self.ground, self.replace = folder, ready, ground, replace
        self.is_new = not folder.exists()
        with os_errors_as(MediaError, f"folder {folder} cannot be made"):
            folder.mkdir(parents=True, exist_ok=True)

    def write(self, frame: Frame) -> bool:
        """Writes one picture; frames without a name are numbered."""
        name = frame.name or f"{frame.index:06d}.png"
        ready, path = partial(self.ready, name), self.folder / name
        rgb, alpha, profile = frame.rgb, frame.alpha, frame.profile
        write_picture(path, rgb, alpha, self.ground, self.replace, ready, profile)
        return True

    def finish(self) -> None:
        """Keeps the pictures, but no empty folder."""
        if self.is_new:
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    discard = finish


def frame_like(frame: Frame, picture: Picture) -> Frame:
    """Returns a frame with other pixels and everything else the same."""
    if isinstance(picture, Yuv):
        return replace(frame, yuv=picture)
    return replace(frame, rgb=picture, yuv=None)


class SeveralSinks(Sink):
    """Gives each frame to all sinks; when one asks for the end, it ends for all.

    Args:
        sinks: The first to be written to first.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = sinks

    def write(self, frame: Frame) -> bool:
        """Takes one frame; a sink may change the one that it gets."""
        wanted = [sink.write(replace(frame)) for sink in self.sinks]  # all of them get it
        return all(wanted)

    def finish(self) -> None:
        """Finishes all, also where one of them fails."""
        self._end(discard=False)

    def discard(self) -> None:
        """Leaves nothing of any of them behind."""
        self._end(discard=True)

    def _end(self, discard: bool) -> None:
        failed: BaseException | None = None
        for sink in self.sinks:
            try:
                sink.discard() if discard or failed else sink.finish()
            except BaseException as error:
                failed = failed or error
        if failed:
            raise failed

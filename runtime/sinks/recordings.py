"""Snapshots and recordings that a viewer of a live picture asks for."""

from __future__ import annotations

import contextlib
import itertools
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ...errors import BusyError, MediaError, PleinairError
from ...owners import Owner
from ...pictures import write_picture
from ...progress import Say
from ..controls import Controls
from ..frame import Frame
from ..sources.source import EmptySource, Source
from ..yuv import rgb_of
from .video import VideoSink, WriteOptions


class Recordings:
    """Writes what the controls ask for, while frames are shown.

    Args:
        source: What the frames come from, for its rate.
        controls: The requests; messages with names of files go back to them.
        folder: Where files are written, with date and time as their names.
        say: Called with a line for each file.
    """

    def __init__(
        self,
        source: Source,
        controls: Controls,
        folder: Path | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self.controls, self.folder, self.say = controls, folder or Path.cwd(), say
        self.clock = EmptySource()  # a recording has the clock's time, and no sound
        self.clock.live, self.clock.fps = True, source.fps or Fraction(30)
        self.video: VideoSink | None = None
        self.owner: Owner | None = None  # of the recording's name

    def note(self, frame: Frame) -> None:
        """Takes a frame that is shown."""
        controls = self.controls
        try:
            if controls.snapshot:
                controls.snapshot = False
                with self._new(".jpg") as owner:
                    write_picture(owner.output, rgb_of(frame.picture), replace=False)
                self._tell(owner.output)
            if controls.recording:
                if self.video is None:
                    self.owner = self._new(".mp4")
                    self.video = VideoSink(
                        self.owner.output, self.clock, writing=WriteOptions(replace=False)
                    )
                self.video.write(replace(frame, pts=None))
            else:
                self.close()
        except PleinairError as error:  # the picture goes on
            controls.message, controls.recording = str(error), False
            if self.video:
                self.video.discard()
                self.video = None
            self._release()

    def close(self) -> None:
        """Ends a recording."""
        if self.video is not None:
            video, self.video = self.video, None
            try:
                video.finish()
            finally:
                self._release()
            self._tell(video.path)

    def _tell(self, written: Path) -> None:
        self.controls.message = f"wrote {written.name}"
        self.say(f"wrote {written}")

    def _release(self) -> None:
        if self.owner:
            self.owner.release()
            self.owner = None

    def _new(self, suffix: str) -> Owner:
        """Claims a name that neither a file nor another process has."""
        stem = time.strftime("pleinair-%Y%m%d-%H%M%S")
        for number in itertools.count(1):
            name = stem if number == 1 else f"{stem}-{number}"
            path = self.folder / f"{name}{suffix}"
            if path.exists():
                continue
            with contextlib.suppress(BusyError):
                owner = Owner(path, failing=MediaError)
                if not path.exists():  # it may have been written just before
                    return owner
                owner.release()
        raise AssertionError("numbers do not end")

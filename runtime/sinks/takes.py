"""Snapshots and recordings that a viewer asks for while a picture is live."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from ...errors import MediaError
from ...pictures import write_picture
from ..controls import Controls
from ..frame import Frame
from ..sources.source import EmptySource, Source
from .video import VideoSink


class Takes:
    """Writes what the controls ask for, beside what is shown.

    Args:
        source: What the frames come from, for its rate.
        controls: Who asks; they get the names of the files as messages.
        folder: Where files are written, with date and time as their names.
    """

    def __init__(self, source: Source, controls: Controls, folder: Path | None = None) -> None:
        self.controls, self.folder = controls, folder or Path.cwd()
        self.clock = EmptySource()  # a recording has the time of the clock, and no sound
        self.clock.live, self.clock.fps = True, source.fps or Fraction(30)
        self.video: VideoSink | None = None

    def note(self, frame: Frame) -> None:
        """Takes in a frame that is shown."""
        controls = self.controls
        try:
            if controls.snapshot:
                controls.snapshot = False
                write_picture(path := self._path(".jpg"), frame.rgb)
                controls.message = f"wrote {path.name}"
            if controls.recording:
                self.video = self.video or VideoSink(self._path(".mp4"), self.clock)
                self.video.write(replace(frame, pts=None))
            else:
                self.close()
        except MediaError as error:  # the picture goes on
            controls.message, controls.recording = str(error), False
            if self.video:
                self.video.discard()
                self.video = None

    def close(self) -> None:
        """Ends a recording."""
        if self.video is not None:
            video, self.video = self.video, None
            video.finish()
            self.controls.message = f"wrote {video.path.name}"

    def _path(self, suffix: str) -> Path:
        stem = time.strftime("pleinair-%Y%m%d-%H%M%S")
        path, number = self.folder / f"{stem}{suffix}", 1
        while path.exists():
            number += 1
            path = self.folder / f"{stem}-{number}{suffix}"
        return path

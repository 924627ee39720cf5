"""A window with figures over the picture, and keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import cv2

from ...errors import MediaError
from ...pictures import Pixels
from ..controls import Controls
from ..frame import Frame
from .meter import Meter
from .overlay import draw
from .recordings import Recordings
from .sink import Sink

_ELSEWHERE = "give --sink http for a page in a browser, a file, or null"


def check_display() -> None:
    """Raises ``MediaError`` where no window can be shown."""
    shown_by = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not shown_by:
        raise MediaError(f"there is no display for a window; {_ELSEWHERE}")


class WindowSink(Sink):
    """Shows frames in a window; q, Escape or closing the window ends it, h shows the keys.

    Args:
        title: Of the window.
        controls: What the keys change.
        recordings: Snapshots and recordings.
        what: Returns model, backend and precision, for the figures.
    """

    def __init__(
        self, title: str, controls: Controls, recordings: Recordings, what: Callable[[], str]
    ) -> None:
        check_display()
        self.title, self.controls, self.recordings, self.what = title, controls, recordings, what
        self.meter = Meter()
        self.opened = False

    def write(self, frame: Frame) -> bool:
        """Shows one frame and does what a key asks for."""
        self.meter.note(frame)
        self.recordings.note(frame)
        try:
            self._show(draw(frame.rgb, self.controls, self.meter, self.what()))
            key = cv2.waitKey(1) & 0xFF
            if key < 128:
                self.controls.press(chr(key))
            return not self.controls.quit and self._visible()
        except cv2.error as error:
            raise MediaError(
                f"OpenCV cannot show a window here ({error.err}); {_ELSEWHERE}"
            ) from error

    def _show(self, rgb: Pixels) -> None:
        if not self.opened:
            cv2.namedWindow(self.title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self.title, rgb.shape[1], rgb.shape[0])
            self.opened = True
        cv2.imshow(self.title, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))

    def _visible(self) -> bool:
        return cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1

    def finish(self) -> None:
        """Ends a recording, saves the settings, closes the window."""
        self.recordings.close()
        self.controls.save()
        if self.opened:
            cv2.destroyAllWindows()

    discard = finish

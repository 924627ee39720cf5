"""A window with figures over the picture, and keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import cv2

from ...errors import MediaError
from ...pictures import Pixels
from ..controls import KEYS, Controls
from ..frame import Frame
from ..yuv import rgb_of
from .meter import Meter
from .recordings import Recordings
from .sink import Sink

_ELSEWHERE = "give --sink http for a page in a browser, a file, or null"
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _RED = (255, 255, 255), (230, 40, 40)
_DARKER = 0.4  # the brightness of the picture behind text, for legibility


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
            self._show(draw(rgb_of(frame.picture), self.controls, self.meter, self.what()))
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


def draw(rgb: Pixels, controls: Controls, meter: Meter, what: str) -> Pixels:
    """Returns a copy of uint8 RGB [H, W, 3] with figures drawn on it.

    Args:
        rgb: The picture.
        controls: The state to show.
        meter: Of the frames shown.
        what: Model, backend and precision.
    """
    rgb = rgb.copy()
    height, width = rgb.shape[:2]
    size = max(0.35, height / 900)
    line = int(34 * size)
    state = " paused" if controls.paused else ""
    figures = (
        f"{meter.fps:.0f} fps  {meter.delay_ms:.0f} ms  {width}x{height}  {what}"
        f"  strength {controls.strength:.1f}{state}"
    )
    coming = f"loading {Path(controls.loading).name} ..." if controls.loading else ""
    lines = [figures, coming or controls.message or "h: help"]
    if controls.help:
        lines += [f"{key:>6}  {does}" for key, does in KEYS.items()]
    behind = rgb[: len(lines) * line + line // 2]
    cv2.convertScaleAbs(behind, behind, _DARKER)
    for number, text in enumerate(lines, 1):
        cv2.putText(rgb, text, (line // 2, number * line), _FONT, size, _WHITE, 1, cv2.LINE_AA)
    if controls.recording:
        cv2.circle(rgb, (width - line, line), line // 3, _RED, -1, cv2.LINE_AA)
    return rgb

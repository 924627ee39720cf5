"""What is drawn over a live picture: figures, a message, the help."""

from __future__ import annotations

from pathlib import Path

import cv2

from ...pictures import Pixels
from ..controls import KEYS, Controls
from .meter import Meter

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_WHITE, _RED = (255, 255, 255), (230, 40, 40)
_DARKER = 0.4  # the brightness of the picture behind text, for legibility


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

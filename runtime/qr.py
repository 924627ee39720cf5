"""An address as a QR code, for a phone's camera: in a terminal, and as a picture for a page."""

from __future__ import annotations

import cv2
import numpy as np

from ..pictures import Pixels

_QUIET = 2  # light modules around the code, in addition to the two that OpenCV leaves
_SCALE = 6  # pixels per module


def _modules(text: str) -> Pixels:
    """The code, uint8 [N, N]: 0 is dark, 255 light."""
    code = cv2.QRCodeEncoder.create().encode(text)
    return cv2.copyMakeBorder(
        code, _QUIET, _QUIET, _QUIET, _QUIET, cv2.BORDER_CONSTANT, value=(255,)
    )


def qr_text(text: str) -> str:
    """Returns the code as lines of half blocks, light on the dark of a terminal."""
    light = _modules(text) > 0
    if len(light) % 2:
        light = np.vstack([light, np.ones_like(light[:1])])
    blocks = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    rows = zip(light[::2].tolist(), light[1::2].tolist(), strict=True)
    return "\n".join("".join(blocks[pair] for pair in zip(*two, strict=True)) for two in rows)


def qr_png(text: str) -> bytes:
    """Returns the code as a PNG."""
    large = _modules(text).repeat(_SCALE, 0).repeat(_SCALE, 1)
    return cv2.imencode(".png", large)[1].tobytes()

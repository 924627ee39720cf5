"""A camera that Zoom, Meet or OBS can choose: pyvirtualcam, an extra of its own (GPL-2)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ...errors import MediaError
from ...progress import Say
from ..frame import Frame
from ..sources.source import Source
from ..yuv import rgb_of
from .sink import Sink

INSTALL = 'pip install "pleinair[virtual-camera]"'
# Without exclusive_caps browsers do not list the device.
MODPROBE = "sudo modprobe v4l2loopback devices=1 card_label=Pleinair exclusive_caps=1"
_NEEDS = {  # what pyvirtualcam needs
    "linux": f"load the kernel module: {MODPROBE}",
    "darwin": "install OBS and start its virtual camera once",
    "win32": "install OBS",
}


def find_library() -> Any:
    """Returns pyvirtualcam; raises ``MediaError`` if it is not here."""
    try:
        import pyvirtualcam
    except ImportError as error:
        raise MediaError(f"the virtual camera is not installed; run: {INSTALL}") from error
    return pyvirtualcam


class VirtualCameraSink(Sink):
    """Gives frames to a virtual camera, which has the size of the first one.

    Args:
        source: For the frame rate that the camera announces.
        say: Called with the name that calls list it under.

    Raises:
        MediaError: pyvirtualcam is not installed.
    """

    def __init__(self, source: Source, say: Say = lambda sentence: None) -> None:
        self.library, self.fps = find_library(), float(source.fps or 30)
        self.say = say
        self.camera: Any = None

    def write(self, frame: Frame) -> bool:
        """Sends one frame; the pipeline limits the frame rate, not the library."""
        rgb = rgb_of(frame.picture)
        height, width = rgb.shape[:2]
        if self.camera is None:
            self.camera = self._open(width, height)
        if (width, height) != (self.camera.width, self.camera.height):
            size = (self.camera.width, self.camera.height)
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        self.camera.send(np.ascontiguousarray(rgb))
        return True

    def _open(self, width: int, height: int) -> Any:
        import sys

        try:
            camera = self.library.Camera(
                width=width, height=height, fps=self.fps, fmt=self.library.PixelFormat.RGB
            )
        except RuntimeError as error:
            remedy = _NEEDS.get(sys.platform, "see pyvirtualcam's page")
            raise MediaError(f"no virtual camera can be opened ({error}); {remedy}") from error
        self.say(f"choose the camera {camera.device} in the call: {width}x{height}")
        return camera

    def finish(self) -> None:
        """Closes the camera."""
        if self.camera is not None:
            self.camera.close()

    discard = finish

"""Which cameras are here, by index, name, size and rate, and what can be asked of one."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2

_DEVICES = Path("/sys/class/video4linux")
_MOST = 8  # indices that are tried where the system does not list them


@dataclass(frozen=True)
class CameraMode:
    """What is asked of a camera, which gives the nearest that it can; its own choice if none."""

    size: tuple[int, int] | None = None  # (width, height)
    fps: float | None = None


AS_IT_IS: Final = CameraMode()


@dataclass(frozen=True)
class Camera:
    """A camera that gives pictures."""

    index: int
    name: str
    size: tuple[int, int]  # (width, height)
    fps: float  # as the driver says, which is not always so


def list_cameras() -> list[Camera]:
    """Opens each camera for a moment and says what it gives; one in use by others is left out."""
    found = []
    for index, name in _candidates():
        capture = cv2.VideoCapture(index)
        try:
            if capture.isOpened() and capture.read()[0]:
                size = (
                    int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
                    int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
                )
                found.append(Camera(index, name, size, round(capture.get(cv2.CAP_PROP_FPS), 2)))
        finally:
            capture.release()
    return found


def _candidates() -> list[tuple[int, str]]:
    """Indices with names, where the system gives any."""
    if sys.platform == "linux":
        devices = [path for path in _DEVICES.glob("video*") if path.name[5:].isdecimal()]
        return sorted((int(path.name[5:]), _name(path)) for path in devices)
    try:
        import cv2_enumerate_cameras as listing
    except ModuleNotFoundError:
        return [(index, f"camera {index}") for index in range(_MOST)]
    # Systems count cameras each in their own way: that counts which OpenCV tries first.
    known = listing.supported_backends
    first = next(api for api in cv2.videoio_registry.getCameraBackends() if api in known)
    return sorted((found.index, found.name) for found in listing.enumerate_cameras(first))


def names_missing() -> str:
    """Says how to get the names of cameras where that takes another library; empty elsewhere."""
    if sys.platform == "linux" or importlib.util.find_spec("cv2_enumerate_cameras"):
        return ""
    return 'for the names of cameras run: pip install "pleinair[cameras]"'


def _name(device: Path) -> str:
    try:
        return (device / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return device.name

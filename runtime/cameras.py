"""Which cameras are here: index, name, size and rate."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

_DEVICES = Path("/sys/class/video4linux")
_MOST = 8  # indices that are tried where the system does not list them


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
    if sys.platform != "linux":
        return [(index, f"camera {index}") for index in range(_MOST)]
    devices = [path for path in _DEVICES.glob("video*") if path.name[5:].isdecimal()]
    return sorted((int(path.name[5:]), _name(path)) for path in devices)


def _name(device: Path) -> str:
    try:
        return (device / "name").read_text(encoding="utf-8").strip()
    except OSError:
        return device.name

"""Option values with a syntax of their own: times, sizes, ranges."""

from __future__ import annotations

import math
import re
from pathlib import Path

from ..errors import UsageError, shown


def check_file(option: str, path: Path | None) -> None:
    """Checks that a file can have this name before the work is done."""
    if path and (path.is_dir() or not path.parent.is_dir()):
        raise UsageError(f"{option} {path} is not a file in an existing folder")


def parse_time(option: str, text: str | None) -> float | None:
    """Seconds of ``12.5``, ``1:02`` or ``1:02:03``."""
    if text is None:
        return None
    parts = text.split(":")
    if len(parts) > 3 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise UsageError(
            f"{option} {shown(text)!r} is not a time; write seconds, 1:02 or 1:02:03.5"
        )
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + float(part)
    return seconds


def parse_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """Width and height of ``640x360``."""
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and width.strip("0") and height.strip("0")):
        raise UsageError(f"{option} {shown(text)!r} is not of the form WxH, e.g. 640x360")
    if max(len(width), len(height)) > 6 or max(int(width), int(height)) > 16384:
        raise UsageError(f"{option} {shown(text)!r} is more than 16384 pixels a side")
    return int(width), int(height)


def parse_range(text: str | None) -> tuple[float, float] | None:
    """Black and white of ``0,255``."""
    if text is None:
        return None
    try:
        black, white = map(float, text.split(","))
        if not (math.isfinite(black) and math.isfinite(white) and black != white):
            raise ValueError(text)
    except ValueError:
        raise UsageError(
            f"--input-range {text!r} is not of the form BLACK,WHITE, e.g. 0,255"
        ) from None
    return black, white

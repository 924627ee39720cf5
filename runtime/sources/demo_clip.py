"""The clip that comes with pleinair, so that everybody can see and measure the same."""

from __future__ import annotations

import itertools
from pathlib import Path

from ...pictures import Pixels
from .opening import open_source

DEMO_CLIP = Path(__file__).parents[2] / "assets" / "demo.mp4"
_STILL = 20  # mountains, trees and grass


def demo_still() -> Pixels:
    """Returns the frame of the clip that stills show, uint8 [720, 1280, 3]."""
    with open_source(str(DEMO_CLIP)) as clip:
        return next(itertools.islice(clip.frames(), _STILL, None)).rgb

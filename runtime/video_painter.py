"""A stylizer for video: each frame on its own, or as what was before asks for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from ..pictures import Pixels
from .steady import Steady
from .strokes.easel import Easel, Laid, part_of
from .stylizer import Stylizer, blended

Array = npt.NDArray[Any]


class Prepared(NamedTuple):
    """A frame on its way."""

    rgb: Pixels
    strength: float
    laid: Laid | None  # on the easel's canvas


class VideoPainter:
    """Paints a video's frames; a ``Painter`` for the pipeline, which paints several at once.

    Where the stylizer paints strokes on canvases that go on over their borders, frames are laid on
    an ``Easel``.

    Args:
        stylizer: Paints RGB.
        steady: Whether to blend paintings along the video's optical flow, see ``Steady``.
    """

    def __init__(self, stylizer: Stylizer, steady: bool = False) -> None:
        self.stylizer = stylizer
        multiple = stylizer.bundle.manifest.frame.multiple_of
        self.easel = Easel(stylizer.paint, multiple) if stylizer.wraps else None
        self.steady = Steady() if steady else None

    def __call__(self, rgb: Pixels) -> Pixels:
        """Paints one frame after the other."""
        prepared = self.prepare(rgb)
        return self.finish(prepared, self.paint(prepared))

    def prepare(self, rgb: Pixels) -> Prepared:
        """Takes the next frame, uint8 [H, W, 3]."""
        laid = self.easel.prepare(rgb) if self.easel else None
        return Prepared(rgb, self.stylizer.strength, laid)

    def paint(self, prepared: Prepared) -> Pixels:
        """Paints it; may be called from several threads."""
        if prepared.laid is None:
            return self.stylizer(prepared.rgb)
        if prepared.strength == 0:
            return prepared.laid.picture
        return self.stylizer.paint(prepared.laid.picture)

    def finish(self, prepared: Prepared, painted: Pixels) -> Pixels:
        """Returns what to show; in the order of the frames."""
        rgb, strength, laid = prepared
        if self.easel and laid and strength:
            painted = blended(self.easel.finish(laid, painted), rgb, strength)
        elif self.easel and laid:
            self.easel.skip(laid)
            painted = rgb.copy()
        return self.steady(rgb, painted) if self.steady else painted

    def state(self) -> dict[str, Array]:
        """Returns all that goes on after the frame that was finished last."""
        state = dict(self.easel.state()) if self.easel else {}
        if self.steady:
            state |= {f"steady.{name}": value for name, value in self.steady.state().items()}
        return state

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        if self.easel:
            self.easel.restore(state)
        if self.steady:
            self.steady.restore(part_of(state, "steady"))

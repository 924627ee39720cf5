"""A stylizer for video: each frame on its own, or as what was before asks for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy.typing as npt

from ..pictures import Pixels
from .steady import Steady
from .strokes.easel import Easel, Laid, part_of
from .strokes.late import Coming, Late
from .stylizer import Stylizer, blended
from .yuv import Picture, mapped, parts_of, rgb_of

Array = npt.NDArray[Any]


class Prepared(NamedTuple):
    """A frame on its way."""

    picture: Picture
    strength: float
    laid: Laid | None  # on the easel's canvas
    coming: Coming | None = None  # its painting, if a later frame shows it


class VideoPainter:
    """Paints a video's frames; a ``Painter`` for the pipeline, which paints several at once.

    Where the stylizer paints strokes on canvases that go on over their borders, frames are laid on
    an ``Easel``.

    Args:
        stylizer: Paints RGB.
        steady: Whether to blend paintings along the video's optical flow, see ``Steady``.
        late: Whether to show frames before they are painted, where moved paint serves: see
            ``Coming``. What is shown then depends on how long painting takes.
    """

    def __init__(self, stylizer: Stylizer, steady: bool = False, late: bool = False) -> None:
        self.stylizer = stylizer
        multiple = stylizer.bundle.manifest.frame.multiple_of
        turns = stylizer.turns
        self.easel: Easel | None = None
        if stylizer.wraps:
            self.easel = Easel(stylizer.paint, multiple, True, turns, Late() if late else None)
        self.steady = Steady() if steady else None

    @property
    def takes_planes(self) -> bool:
        """Whether frames may be planes; what is shown of them are planes, too."""
        return self.easel is not None and self.steady is None and self.stylizer.paints_planes

    def __call__(self, picture: Picture) -> Picture:
        """Paints one frame after the other."""
        prepared = self.prepare(picture)
        is_painted = self.is_painted(prepared)
        return self.finish(prepared, partial(self.paint, prepared) if is_painted else None)

    def prepare(self, picture: Picture) -> Prepared:
        """Takes the next frame."""
        strength = self.stylizer.strength
        if self.easel is None:
            return Prepared(picture, strength, None)
        laid, late = self.easel.prepare(picture, skipped=strength == 0), self.easel.late
        prepared, renewed = Prepared(picture, strength, laid), laid.motion.renewed
        if late and self.is_painted(prepared) and renewed is not None:
            return prepared._replace(coming=late.begin(partial(self._paint, laid), renewed))
        return prepared

    def is_painted(self, prepared: Prepared) -> bool:
        """Whether it has to be painted: see ``Watch``, and there is no paint at strength 0."""
        laid, coming = prepared.laid, prepared.coming
        return laid is None or (bool(prepared.strength) and laid.motion.painted and not coming)

    def paint(self, prepared: Prepared) -> Picture:
        """Paints it; may be called from several threads."""
        laid = prepared.laid
        if laid is None:
            return self.stylizer(rgb_of(prepared.picture))
        return self._paint(laid, laid.motion.renewed)

    def _paint(self, laid: Laid, needed: Pixels | None) -> Picture:
        return self.stylizer.paint(laid.picture, needed, laid.turn)

    def finish(self, prepared: Prepared, painting: Callable[[], Picture] | None) -> Picture:
        """Returns what to show, of a painting if there is one; in the order of the frames."""
        picture, strength, laid, coming = prepared
        if self.easel and laid and strength:
            shown = _through(self.easel.finish(laid, painting, coming), picture, strength)
        elif self.easel and laid:
            self.easel.skip(laid)
            shown = mapped(picture, lambda part, share: part.copy())
        else:
            assert painting is not None
            shown = painting()
        return self.steady(rgb_of(picture), rgb_of(shown)) if self.steady else shown

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


def _through(painted: Picture, picture: Picture, strength: float) -> Picture:
    """Lets a picture show through its painting."""
    original = iter(parts_of(picture))
    return mapped(painted, lambda part, share: blended(part, next(original)[0], strength))

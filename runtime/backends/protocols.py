"""What a backend's ``load`` returns: an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ...canvas.layout import Piece
    from ...pictures import Frames, Pixels
    from ..strokes.canvases import Plans
    from ..strokes.torus import Turn
    from ..yuv import Yuv


class Engine(Protocol):
    """A loaded artifact. Safe to call from several threads at once.

    If its library measures time, ``library_ms`` is the time that it reports for this thread's last
    frame: the figure of a benchmark of the library alone.
    """

    def prepare(self, height: int, width: int) -> None:
        """Prepares for many frames of one size, if that makes them faster."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]; H and W multiples of the bundle's stride."""
        ...


@runtime_checkable
class StrokeEngine(Engine, Protocol):
    """An engine that paints strokes."""

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        ...

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan of a frame, from which strokes are laid."""
        ...


@runtime_checkable
class PartEngine(Protocol):
    """An engine that can leave out what is not needed of a painting."""

    paints_parts: bool

    def __call__(
        self, frames: Frames, *, needed: Pixels | None = None, turn: Turn = (0, 0)
    ) -> Frames:
        """Paints uint8 RGB [1, H, W, 3] where ``needed``, uint8 [H, W], is 255."""
        ...


@runtime_checkable
class PlaneEngine(Protocol):
    """An engine that can paint planes instead of RGB."""

    paints_planes: bool

    def planes(self, picture: Yuv, needed: Pixels | None = None, turn: Turn = (0, 0)) -> Yuv:
        """Paints planes where ``needed``, uint8 [H, W], is 255."""
        ...

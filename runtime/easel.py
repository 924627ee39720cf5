"""Video for a painter with strokes: paint stays where nothing moves, and with what does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..pictures import Pixels
from .follow import Follow
from .still import Still
from .torus import Place, Torus

Array = npt.NDArray[Any]


class Laid(NamedTuple):
    """A frame that has been laid on the canvas."""

    picture: Pixels  # of the whole canvas
    place: Place
    torus: Torus
    state: dict[str, Array]  # after it


class Easel:
    """Lays frames on a canvas that follows the camera, and has them painted there.

    ``prepare`` and ``finish`` take frames in their order, each its own; ``paint`` may be called
    from several threads.

    Args:
        painter: Paints uint8 [H, W, 3] of the canvas's size, on a canvas that goes on over its
            borders.
        multiple: What the sides of what it paints must be multiples of.
    """

    def __init__(self, painter: Callable[[Pixels], Pixels], multiple: int = 32) -> None:
        self.painter, self.multiple = painter, multiple
        self.follow, self.still = Follow(), Still()
        self.torus: Torus | None = None
        self.finished: dict[str, Array] = {}

    def __call__(self, rgb: Pixels) -> Pixels:
        """Paints one frame after the other."""
        laid = self.prepare(rgb)
        return self.finish(laid, self.paint(laid))

    def prepare(self, rgb: Pixels) -> Laid:
        """Lays a frame uint8 [H, W, 3] on the canvas."""
        height, width = rgb.shape[:2]
        if self.torus is None or self.torus.frame != (height, width):
            self.torus = Torus(height, width, self.multiple)
            self.follow, self.still = Follow(), Still()
        place = self.follow(rgb)
        picture = self.still(self.torus.lay(rgb, place))
        return Laid(picture, place, self.torus, self._state())

    def paint(self, laid: Laid) -> Pixels:
        """Paints the whole canvas."""
        return self.painter(laid.picture)

    def finish(self, laid: Laid, painted: Pixels) -> Pixels:
        """Cuts the painting of the frame out."""
        self.finished = laid.state
        return laid.torus.cut(painted, laid.place)

    def state(self) -> dict[str, Array]:
        """Returns all that goes on after the frame that was finished last."""
        return self.finished

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        if not state:
            return
        height, width = (int(side) for side in state["frame"])
        self.torus, self.finished = Torus(height, width, self.multiple), state
        for name, part in (("follow", self.follow), ("still", self.still)):
            part.restore(part_of(state, name))

    def _state(self) -> dict[str, Array]:
        assert self.torus is not None
        state = {"frame": np.array(self.torus.frame)}
        for name, part in (("follow", self.follow), ("still", self.still)):
            state |= {f"{name}.{key}": value for key, value in part.state().items()}
        return state


def part_of(state: dict[str, Array], name: str) -> dict[str, Array]:
    """Returns what of a state begins with a name and a dot, without that."""
    begin = f"{name}."
    return {key.removeprefix(begin): state[key] for key in state if key.startswith(begin)}

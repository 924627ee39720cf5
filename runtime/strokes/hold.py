"""Calm where things move: paint goes along with them, and is renewed a few patches at a time.

Marks stand on the canvas. What moves over it would be painted with other marks in every frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy.typing as npt

from ..yuv import Picture, kept, mapped, parts_of, restored, shrunk
from .late import Coming
from .moved import moved
from .torus import Turn, turned
from .watch import Motion

Array = npt.NDArray[Any]


class Hold:
    """Shows the paint of the frame before, moved to where things are now.

    What is shown goes along with what it was painted from: where that is not what is there now,
    it is painted anew at once, so nothing ghosts. Elsewhere it is painted anew patch by patch, each
    after a few frames. Where ``Watch`` asks for no painting, all of it is moved paint. Nothing is
    blended. Paintings have to come in their order.
    """

    def __init__(self) -> None:
        # Arrays are never changed in place: they are part of a state that others write down.
        self.shown: Picture | None = None
        self.coming: Coming | None = None

    def __call__(
        self,
        motion: Motion,
        painting: Callable[[], Picture] | None,
        coming: Coming | None = None,
    ) -> Picture:
        """Returns what to show instead of a painting; it must not be written to.

        Args:
            motion: What ``Watch`` found.
            painting: Waits for the painting, of which what ``motion`` asks for is shown; None for
                nothing. Paint is moved first: meanwhile the other goes on.
            coming: The painting, if nobody waits for it: a later frame shows it.
        """
        if self.shown is None or motion.flow is None:
            assert painting is not None
            self.shown, self.coming = painting(), None
            return self.shown
        if self.coming and self.coming.is_ready:
            self.shown, self.coming = self.coming.over(self.shown), None
        if self.coming:  # which moves on in its own thread
            self.coming.steps.append(motion.flow)
        self.coming = coming or self.coming
        shown = moved(self.shown, motion.flow)
        if coming and coming.is_ready:  # already
            shown, self.coming = coming.over(shown), None
        elif motion.under:
            shown = motion.under.over(shown)
        if painting:
            assert motion.renewed is not None
            if shown is self.shown:
                shown = mapped(shown, lambda part, share: part.copy())
            paint = parts_of(painting())
            for (anew, share), (part, _) in zip(paint, parts_of(shown), strict=True):
                cv2.copyTo(anew, shrunk(motion.renewed, share), part)
        self.shown = shown
        return shown

    def turn(self, by: Turn) -> None:
        """Goes on with pictures of a canvas that is turned further."""
        if self.shown is not None:
            self.shown = turned(self.shown, by)
        if self.coming:
            self.coming.steps.append(by)

    def forget(self) -> None:
        """Holds nothing any longer."""
        self.shown = self.coming = None

    def state(self) -> dict[str, Array]:
        """Returns all that the next frame depends on; nothing before the first."""
        return {} if self.shown is None else kept("shown", self.shown)

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        self.shown = restored("shown", state)

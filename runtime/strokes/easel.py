"""Video for a painter with strokes: paint stays where nothing moves, and goes with what does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..yuv import Picture, Yuv
from .follow import Follow
from .hold import Hold
from .late import Coming, Late
from .shift import Place, loops
from .still import Still
from .torus import Torus, Turn
from .watch import Motion, Watch

Array = npt.NDArray[Any]


class Laid(NamedTuple):
    """A frame that has been laid on the canvas."""

    picture: Picture  # of the whole canvas
    place: Place
    turn: Turn  # of the canvas
    torus: Torus
    motion: Motion
    state: dict[str, Array]  # after it, but for what is held


class Easel:
    """Lays frames on a canvas that follows the camera, and has them painted there.

    ``prepare`` and ``finish`` take frames in their order, each its own; ``paint`` may be called
    from several threads.

    Args:
        painter: Paints pictures of the canvas's size, on a canvas that goes on over its borders.
        multiple: What the sides of what it paints must be multiples of.
        hold: Whether paint is held where things move, see ``Hold``.
        turns: Whether the painter paints on canvases that are turned, too; it takes ``turn`` then.
        late: Has frames painted that are shown before, if any are. ``finish`` is told of them.
    """

    def __init__(
        self,
        painter: Callable[..., Picture],
        multiple: int = 32,
        hold: bool = True,
        turns: bool = False,
        late: Late | None = None,
    ) -> None:
        self.painter, self.multiple, self.turns, self.late = painter, multiple, turns, late
        self.turn = self.finished_turn = (0, 0)  # of the frames prepared last, and finished last
        self.follow, self.still, self.watch = Follow(), Still(), Watch()
        self.hold = Hold() if hold else None
        self.torus: Torus | None = None
        self.finished: dict[str, Array] = {}
        loops()  # compiled now, and not while frames wait

    def __call__(self, picture: Picture) -> Picture:
        """Paints one frame after the other."""
        laid = self.prepare(picture)
        return self.finish(laid, partial(self.paint, laid) if laid.motion.painted else None)

    def prepare(self, picture: Picture, skipped: bool = False) -> Laid:
        """Lays a frame on the canvas; one to be skipped is shown unpainted."""
        height, width = picture.shape[:2]
        is_other = isinstance(self.still.kept, Yuv) != isinstance(picture, Yuv)
        if self.torus is None or self.torus.frame != (height, width) or is_other:
            self.torus = Torus(height, width, self.multiple)
            self.follow, self.still, self.watch = Follow(), Still(), Watch()
        cuts, place = self.follow.cuts, self.follow(picture)
        if self.late and self.follow.cuts != cuts:
            self.watch.forget()  # paint of another scene serves nobody
        before, self.turn = self.turn, self._turn(place)
        for part in (self.still, self.watch):
            part.turn(_further(before, self.turn))
        picture = self.still(self.torus.lay(picture, place, self.turn))
        motion = Motion(None)
        if self.hold:
            is_able = self.late is None or self.late.is_idle
            motion = self.watch(self.still.reduced(), self.late is not None, is_able)
        if skipped:
            self.watch.forget()
        return Laid(picture, place, self.turn, self.torus, motion, self._state())

    def paint(self, laid: Laid) -> Picture:
        """Paints the whole canvas."""
        if self.turns:
            return self.painter(laid.picture, turn=laid.turn)
        return self.painter(laid.picture)

    def finish(
        self, laid: Laid, painting: Callable[[], Picture] | None, coming: Coming | None = None
    ) -> Picture:
        """Cuts what is shown of the frame out.

        Args:
            laid: It.
            painting: Waits for its painting, beside which paint is moved; None if its motion asks
                for none.
            coming: See ``Hold``.
        """
        if self.hold:
            self.hold.turn(_further(self.finished_turn, laid.turn))
            shown = self.hold(laid.motion, painting, coming)
        else:
            assert painting is not None
            shown = painting()
        self._finish(laid)
        return laid.torus.cut(shown, laid.place, laid.turn)

    def skip(self, laid: Laid) -> None:
        """Takes note of a frame that is shown unpainted, and was prepared as such."""
        if self.hold:
            self.hold.forget()
        self._finish(laid)

    def state(self) -> dict[str, Array]:
        """Returns all that goes on after the frame that was finished last."""
        return self.finished

    def restore(self, state: dict[str, Array]) -> None:
        """Goes on from a state, in another process say."""
        if not state:
            return
        height, width = (int(side) for side in state["frame"])
        self.torus, self.finished = Torus(height, width, self.multiple), state
        for name, part in self._parts().items():
            part.restore(part_of(state, name))
        if self.hold:
            self.hold.restore(part_of(state, "hold"))
        self.turn = self.finished_turn = self._turn(
            (float(self.follow.place[0]), float(self.follow.place[1]))
        )

    def _turn(self, place: Place) -> Turn:
        return self.torus.turn(place) if self.torus and self.turns else (0, 0)

    def _parts(self) -> dict[str, Follow | Still | Watch]:
        parts: dict[str, Follow | Still | Watch] = {"follow": self.follow, "still": self.still}
        return parts | ({"watch": self.watch} if self.hold else {})

    def _finish(self, laid: Laid) -> None:
        held, self.finished_turn = self.hold.state() if self.hold else {}, laid.turn
        self.finished = laid.state | {f"hold.{key}": value for key, value in held.items()}

    def _state(self) -> dict[str, Array]:
        assert self.torus is not None
        state = {"frame": np.array(self.torus.frame)}
        for name, part in self._parts().items():
            state |= {f"{name}.{key}": value for key, value in part.state().items()}
        return state


def _further(before: Turn, turn: Turn) -> Turn:
    return turn[0] - before[0], turn[1] - before[1]


def part_of(state: dict[str, Array], name: str) -> dict[str, Array]:
    """Returns what of a state begins with a name and a dot, without that."""
    begin = f"{name}."
    return {key.removeprefix(begin): state[key] for key in state if key.startswith(begin)}

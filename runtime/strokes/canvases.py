"""The canvases of a painter with strokes: laid for each size that comes, kept for the last few."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...bundle.bundle import Bundle
from ...bundle.manifest import Strokes
from ...canvas.hand import Hand
from ...canvas.layout import (
    Canvas,
    Inputs,
    Piece,
    canvas_inputs,
    lay_canvas,
    lay_torus,
    scale_of,
    slots,
)
from ...errors import BackendError, BundleError, UsageError
from .torus import GAP

Arrays = Mapping[str, npt.NDArray[Any]]
Plans = npt.NDArray[np.float32]  # [1, 8 * layers, H/4, W/4]

KEPT = 4  # canvases: a live picture that adapts goes to and fro between a few sizes

_TURN = threading.Lock()


class Levels(NamedTuple):
    """What numbers of a plan stand for: ``scale`` times what they are above ``zero``."""

    zero: np.float32 = np.float32(0)
    scale: np.float32 = np.float32(1)


class Canvases:
    """Lays canvases by what a bundle says.

    Args:
        strokes: What the manifest says.
        label: How messages name the bundle.
        stroke: Size of marks; the bundle's if empty.
        wrap: Whether canvases go on over their borders, for ``Torus``.
    """

    def __init__(self, strokes: Strokes, label: str, stroke: str = "", wrap: bool = False) -> None:
        self.strokes, self.label, self.wrap = strokes, label, wrap
        self.stroke = stroke or strokes.stroke
        scale_of(720, self.stroke)  # refuses now what it does not know

    @classmethod
    def of(cls, bundle: Bundle, stroke: str = "", wrap: bool = False) -> Canvases | None:
        """Returns those of a bundle, or None if it does not paint with strokes.

        Raises:
            UsageError: It does not, but a size of strokes is asked for, or there is no such size.
        """
        strokes = bundle.manifest.strokes
        if strokes is None and stroke:
            raise UsageError(f"{bundle.label} paints without strokes; leave --stroke out")
        return cls(strokes, bundle.label, stroke, wrap) if strokes else None

    def key(self) -> str:
        """Returns all that a canvas depends on beside its size."""
        return f"{self.strokes.model_dump_json()} {self.stroke} {self.wrap}"

    def inputs(self, stacked: bool = False) -> Inputs:
        """Returns what graphs take of a canvas, see ``canvas_inputs``."""
        return canvas_inputs(len(self.strokes.hand.layers), self.strokes.step, stacked)

    def lay(self, height: int, width: int, piece: Piece | None = None, keep: bool = True) -> Canvas:
        """Returns the canvas for frames of a size, in pixels, or for a piece of that size.

        Args:
            height: Rows.
            width: Columns.
            piece: What of a larger picture it is for, if it is.
            keep: Whether the next who asks for it will find it laid.

        Raises:
            BackendError: There is no memory for it.
        """
        what = self._what(height, width, piece)
        with _within_memory(height, width):
            if piece:  # which is painted once, and large
                return lay_canvas(*what, piece)
            with _TURN:  # who comes second finds it laid
                return (_lay if keep else _lay.__wrapped__)(self.wrap, *what)

    def __call__(self, height: int, width: int, piece: Piece | None = None) -> Arrays:
        """Returns what a graph takes beside frames of a size, by the names of its inputs.

        Raises:
            BackendError: There is no memory for it.
        """
        with _within_memory(height, width):
            if piece:
                return self.lay(height, width, piece).arrays()
            with _TURN:
                return _arrays(self.wrap, *self._what(height, width, None))

    def _what(
        self, height: int, width: int, piece: Piece | None
    ) -> tuple[Hand, int, int, int, float, int]:
        strokes = self.strokes
        rows = height
        if piece:
            rows = piece.of[0]
        elif self.wrap:
            rows = height - GAP - 16  # of the frame, about
        scale = scale_of(rows, self.stroke)
        return strokes.hand, height, width, strokes.step, scale, strokes.seed


@contextmanager
def _within_memory(height: int, width: int) -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise BackendError(
            f"there is not enough memory for the canvas of {width}x{height} pixels; paint smaller"
            " pictures, or let other programs go"
        ) from error


def check_inputs(
    path: Path, inputs: Mapping[str, Sequence[Any]], canvases: Canvases | None
) -> None:
    """Checks that a graph takes the canvas that it will be given.

    Args:
        path: The graph.
        inputs: The shapes of what it takes, by name; only whole numbers in them count.
        canvases: What lays the canvas, if anything.

    Raises:
        BundleError: It does not; says what differs.
    """
    takes = {name: shape for name, shape in inputs.items() if name != "frame"}
    if canvases is None:
        if takes and "frame" in inputs:
            raise BundleError(
                f"{path} paints on a canvas, but nothing says on which, for its manifest has no"
                " strokes; export the bundle again"
            )
        return
    given = canvases.inputs(stacked="candidates" in takes)
    for name in dict.fromkeys((*given, *takes)):
        if name not in given or name not in takes or not _fit(given[name][1], takes[name]):
            raise BundleError(
                f"{canvases.label}: the strokes in its manifest do not fit {path.name}, which takes"
                f" another {name}; export or download the bundle again"
            )


def paints_alike(inputs: Iterable[str]) -> bool:
    """Whether a graph that takes these inputs paints strokes as ``Brush`` does; old ones do not."""
    return slots(0)[0] in inputs


def _fit(given: Sequence[Any], taken: Sequence[Any]) -> bool:
    """Whether two shapes agree in all sides that both know."""
    return len(given) == len(taken) and all(
        a == b
        for a, b in zip(given, taken, strict=True)
        if isinstance(a, int) and isinstance(b, int)
    )


@functools.lru_cache(maxsize=KEPT)
def _lay(wrap: bool, *what: Any) -> Canvas:
    return lay_torus(*what) if wrap else lay_canvas(*what)


@functools.lru_cache(maxsize=KEPT)
def _arrays(wrap: bool, *what: Any) -> Arrays:
    return _lay(wrap, *what).arrays()

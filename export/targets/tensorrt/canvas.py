"""The range of sizes of a canvas and its parts: engines are built for a range."""

from __future__ import annotations

from ....canvas.layout import lay_canvas
from ....runtime.strokes.canvases import Canvases

Size = tuple[int, int]  # (height, width)
Shapes = tuple[tuple[int, ...], ...]  # the smallest, the usual and the largest

_SCALES = (0.375, 3.0)  # the smallest and largest scale of marks, see ``scale_of``
_DENSE = 384  # rows of the picture with the most marks for its width
_AGAIN = 2  # a canvas that wraps around has at most so many times as many marks


def canvas_shapes(canvases: Canvases, least: Size, usual: Size, most: Size) -> dict[str, Shapes]:
    """Returns the shapes of a canvas's parts by the names of the graph's inputs.

    Args:
        canvases: Lays the canvas.
        least: Height and width of the smallest frame.
        usual: Of the frames that the engine is fastest with.
        most: Of the largest.
    """
    strokes = canvases.strokes
    hand, step, side = strokes.hand, strokes.step, least[0]
    small, large = (lay_canvas(hand, side, side, step, scale) for scale in _SCALES)
    dense = lay_canvas(hand, _DENSE, most[1], step, _SCALES[0])
    first = canvases.lay(*usual)
    free = [
        _sides(least, step) | {"marks": 1, "texels": small.texels.shape[1]},
        _sides(usual, step) | {"marks": len(first.cell), "texels": first.texels.shape[1]},
        _sides(most, step) | {"marks": _AGAIN * len(dense.cell), "texels": large.texels.shape[1]},
    ]
    return {
        name: tuple(
            tuple(sides[length] if isinstance(length, str) else length for length in shape)
            for sides in free
        )
        for name, (_, shape) in canvases.inputs().items()
    }


def _sides(size: Size, step: int) -> dict[str, int]:
    rows, columns = (side // step for side in size)
    plan = {"plan_rows": size[0] // 4, "plan_columns": size[1] // 4}
    return plan | {"rows": rows, "columns": columns, "samples": rows * columns}

"""Huge pictures in bounded memory: painted by tiles, with a margin that the network sees.

What a generator paints at a pixel depends on the pixels within half its receptive field. A tile is
painted with that margin and only its core is kept. So there are no seams: the picture is the same
as painted whole. (Instance normalisation depends on the whole picture; its tiles differ a little.)
"""

from __future__ import annotations

from collections.abc import Iterator

WHOLE = 24_000_000  # maximum pixels of a picture that is painted in one piece
_CORE = 2048  # rows and columns of a tile's core

Span = tuple[int, int, int, int]  # begin and end of what is painted, begin and end of what is kept


def margin_of(receptive_field: int, multiple: int) -> int:
    """Returns a tile's margin: half the receptive field, in whole strides."""
    return -(-(receptive_field // 2 + 1) // multiple) * multiple


def spans(length: int, margin: int, multiple: int, core: int = _CORE) -> Iterator[Span]:
    """Cuts rows or columns into tiles.

    Every tile begins at a multiple of the stride, so that the network's grid is the same.

    Args:
        length: Rows or columns of the picture.
        margin: As of ``margin_of``.
        multiple: The generator's stride.
        core: Rows or columns to keep of a tile, at most.
    """
    core = max(multiple, core // multiple * multiple)
    for begin in range(0, length, core):
        end = min(length, begin + core)
        yield max(0, begin - margin), min(length, end + margin), begin, end

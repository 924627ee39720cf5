"""Huge pictures in bounded memory: painted tile by tile, with as much around as the network sees.

What a generator paints at a pixel depends on the pixels within half its receptive field. A tile is
painted with that much around it and only its core is kept, so there is no seam to hide: the picture
is the one that would have been painted whole. (A generator with instance normalisation looks at the
whole picture at once; its tiles differ a little.)
"""

from __future__ import annotations

from collections.abc import Iterator

WHOLE = 24_000_000  # pixels up to which a picture is painted in one piece
_CORE = 2048  # rows and columns of a tile that are kept

Span = tuple[int, int, int, int]  # begin and end of what is painted, begin and end of what is kept


def margin_of(receptive_field: int, multiple: int) -> int:
    """Returns how much must be around a tile: half the receptive field, in whole strides."""
    return -(-(receptive_field // 2 + 1) // multiple) * multiple


def spans(length: int, margin: int, multiple: int, core: int = _CORE) -> Iterator[Span]:
    """Cuts rows or columns into tiles.

    Every tile begins at a multiple of the stride, or the network's grid would lie otherwise in it.

    Args:
        length: Rows or columns of the picture.
        margin: Of ``margin_of``.
        multiple: The generator's stride.
        core: Rows or columns to keep of a tile, at most.
    """
    core = max(multiple, core // multiple * multiple)
    for begin in range(0, length, core):
        end = min(length, begin + core)
        yield max(0, begin - margin), min(length, end + margin), begin, end

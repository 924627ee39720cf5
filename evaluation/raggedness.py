"""Raggedness: how far painted outlines wander from those of the original.

The painting's luminance is sampled across strong, long edges of the original. The levels far to
both sides define dark and light; the share of light between them gives the position of the step.
This works for blurred edges, and for streaks next to them. Points where the painting has no edge do
not count.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .. import metrics
from ..pictures import Pixels

_Array = npt.NDArray[Any]
_SIGMA = 2.0  # pixels, of the blur before edges are sought
_LOW, _HIGH = 40, 100  # Canny's thresholds; a step of 63 grey levels just reaches the upper one
_LONG = 60  # pixels, the shortest edge that counts
_EVERY = 3  # pixels of an edge, of which one is measured
_REACH = 8  # pixels to both sides that are read
_SIDE = 3  # pixels at both ends that say what dark and light are
_LOST = 0.33  # of the original's step: with less of it an edge is lost
_FEW = 15  # points: an edge with fewer says nothing


def raggedness(original: Pixels, painted: Pixels) -> float | None:
    """Returns the standard deviation of painted edges across their direction, in pixels.

    Offsets are relative to each edge's median, so an edge that is displaced as a whole is not
    ragged. The deviation is half the width of the middle 68 %, which ignores outliers; edges are
    weighted by length.

    Args:
        original: uint8 RGB [H, W, 3].
        painted: The same size.

    Returns:
        0 if edges are unchanged; None if the original has no strong edges, or the painting keeps
        none of them.
    """
    light, strokes = metrics.luminance(original), metrics.luminance(painted)
    edge, y, x, normal = _edge_points(light)
    if not len(edge):
        return None
    before, step = _where(_across(light, y, x, normal))
    after, kept = _where(_across(strokes, y, x, normal))
    found = (step > 0) & (kept > _LOST * step)
    return _mean_spread(edge[found], (after - before)[found])


def _edge_points(light: _Array) -> tuple[_Array, _Array, _Array, _Array]:
    """Points on strong, long edges: number of the edge, row, column, unit normal [N, 2] (x, y)."""
    smooth = cv2.GaussianBlur(light, (0, 0), _SIGMA)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    edges = cv2.Canny(np.rint(dx).astype(np.int16), np.rint(dy).astype(np.int16), _LOW, _HIGH)
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(edges, connectivity=8)
    long = stats[:, cv2.CC_STAT_AREA] >= _LONG
    long[0] = False  # what is no edge
    y, x = np.nonzero(long[numbers])
    y, x = y[::_EVERY], x[::_EVERY]
    slope = np.stack([dx[y, x], dy[y, x]], 1)
    return numbers[y, x], y, x, slope / (np.linalg.norm(slope, axis=1, keepdims=True) + 1e-6)


def _across(light: _Array, y: _Array, x: _Array, normal: _Array) -> _Array:
    """Luminance along the normals, from the dark side to the light one, [N, 2 * reach * 2 + 1]."""
    t = np.linspace(-_REACH, _REACH, 4 * _REACH + 1)
    at_x, at_y = x[:, None] + t * normal[:, :1], y[:, None] + t * normal[:, 1:]
    places = (at_x.astype(np.float32), at_y.astype(np.float32))
    return cv2.remap(light, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _where(profiles: _Array) -> tuple[_Array, _Array]:
    """Returns the position of the step, in pixels from the middle, and its height."""
    ends = 2 * _SIDE  # two samples a pixel
    dark, bright = np.median(profiles[:, :ends], 1), np.median(profiles[:, -ends:], 1)
    height = bright - dark
    share = (profiles - dark[:, None]) / np.where(height > 0, height, 1)[:, None]
    return _REACH * (1 - 2 * np.clip(share, 0, 1).mean(1)), height


def _mean_spread(edge: _Array, offset: _Array) -> float | None:
    """Spread of offsets in each edge, averaged by how many points it has."""
    order = np.argsort(edge, kind="stable")
    pieces = np.split(offset[order], np.flatnonzero(np.diff(edge[order])) + 1)
    pieces = [piece for piece in pieces if len(piece) >= _FEW]
    if not pieces:
        return None
    spreads = [np.subtract(*np.percentile(piece, [84, 16])) / 2 for piece in pieces]
    return float(np.average(spreads, weights=[len(piece) for piece in pieces]))

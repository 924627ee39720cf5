"""Brush marks as small pictures of cover and relief.

They are computed in float64 with sums, products, quotients and square roots only, which IEEE 754
defines exactly: marks are the same on every machine and in every language.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .hand import DIRECTIONS, Layer
from .randoms import uniform

Array = npt.NDArray[Any]

VARIANTS = 6  # marks of a layer and direction that differ in angle, size and grain
_FINE = 3  # samples along each side of a pixel
_SURE = 1e-6  # margin for rounding
_LIGHT = (-0.53, -0.85)  # x, y: light comes from the upper left
# Cosine and sine of k/8 half-turns.
AXES = np.array(
    [
        (1.0, 0.0),
        (0.9238795325112867, 0.3826834323650898),
        (0.7071067811865476, 0.7071067811865476),
        (0.3826834323650898, 0.9238795325112867),
        (0.0, 1.0),
        (-0.3826834323650898, 0.9238795325112867),
        (-0.7071067811865476, 0.7071067811865476),
        (-0.9238795325112867, 0.3826834323650898),
    ]
)
_TURN = 0.07  # tangent of half the largest rotation: 8 degrees


@dataclass(frozen=True)
class Stamps:
    """The marks of one layer.

    Attributes:
        cover: uint8 [marks, side, side]: 255 where a pixel is fully covered.
        relief: uint8 [marks, side, side]: 128 is flat, more is lit, less is in shade.
    """

    cover: Array
    relief: Array


@functools.lru_cache(maxsize=12)
def draw_stamps(layer: Layer, scale: float, seed: int) -> Stamps:
    """Draws the marks of a layer: ``VARIANTS`` of each direction, in the order of directions.

    Args:
        layer: Their parameters.
        scale: Pixels for each pixel of a picture with 720 rows.
        seed: Other seeds give other marks.
    """
    side = side_of(layer, scale)
    marks = DIRECTIONS * VARIANTS
    cover = np.empty((marks, side, side), np.uint8)
    relief = np.empty((marks, side, side), np.uint8)
    for mark in range(marks):
        k, variant = divmod(mark, VARIANTS)
        random = uniform(seed, mark, np.arange(512))
        turn = ((variant + random[0]) / VARIANTS * 2 - 1) * _TURN
        cosine, sine = _turned(AXES[k], turn)
        middle = variant // (VARIANTS // 2) - 0.5, variant % 2 - 0.5
        cover[mark], relief[mark] = _draw(layer, scale, side, middle, cosine, sine, random)
    return Stamps(cover, relief)


def side_of(layer: Layer, scale: float) -> int:
    """Returns the even side of the square that any mark of a layer fits into, in pixels."""
    reach = scale * (layer.length * (1 + layer.bend) / 2 + layer.rough + layer.soft)
    return 2 * int(reach + 2)


def _turned(axis: Array, turn: float) -> tuple[float, float]:
    """Turns a unit vector by twice the angle whose tangent is ``turn``, without trigonometry."""
    norm = 1 + turn * turn
    c, s = (1 - turn * turn) / norm, 2 * turn / norm
    return axis[0] * c - axis[1] * s, axis[0] * s + axis[1] * c


def _draw(
    layer: Layer,
    scale: float,
    side: int,
    middle: tuple[float, float],
    cosine: float,
    sine: float,
    random: Array,
) -> tuple[Array, Array]:
    """Draws one mark; returns cover, 0..255, and relief around 128.

    ``middle`` is the offset of its centre from the square's, in pixels. Half of the marks lie one
    pixel from the others: otherwise their grain would show as a lattice on samples of 2x2 pixels.
    """
    size = layer.shortest + (1 - layer.shortest) * random[1]
    half = size * layer.length * scale / 2
    wide = (0.72 + 0.28 * random[2]) * layer.width * scale / 2
    half = max(half, wide)
    bend = (random[3] * 2 - 1) * layer.bend * 2 * half
    soft = layer.soft * max(scale, 0.5)
    # There is no paint beyond these.
    end = 1 + soft / (2 * half) + _SURE
    beside = 1.02 * wide + (layer.rough * scale + soft) / 2 + _SURE
    aside = beside + abs(bend) * max(1 / 3, end * end - 1 / 3)
    down, across = ((np.arange(side * _FINE) + 0.5) / _FINE - side / 2 - at for at in middle)
    rows = _span(down, end * half * abs(sine) + aside * abs(cosine))
    columns = _span(across, end * half * abs(cosine) + aside * abs(sine))
    x, y = across[None, columns], down[rows, None]
    t = (x * cosine + y * sine) / half  # -1..1 from the mark's beginning to its end
    off = y * cosine - x * sine - bend * (1 / 3 - t * t)
    near = (np.abs(t) <= end) & (np.abs(off) <= beside)
    alpha, height = np.zeros(t.shape), np.zeros(t.shape)
    alpha[near], height[near] = _paint(layer, scale, t[near], off[near], half, wide, random)
    cover, relief = np.zeros((side, side), np.uint8), np.full((side, side), 128, np.uint8)
    pixels = tuple(slice(one.start // _FINE, one.stop // _FINE) for one in (rows, columns))
    cover[pixels], relief[pixels] = _seen(layer, alpha, height)
    return cover, relief


def _span(at: Array, most: float) -> slice:
    """Returns the range of coordinates within a distance of 0, in whole pixels plus a margin."""
    first = int(np.searchsorted(at, -most)) // _FINE - 1
    last = -(-int(np.searchsorted(at, most)) // _FINE) + 1
    return slice(max(0, first) * _FINE, min(len(at) // _FINE, last) * _FINE)


def _paint(
    layer: Layer, scale: float, t: Array, off: Array, half: float, wide: float, random: Array
) -> tuple[Array, Array]:
    """Returns cover, 0..1, and thickness of paint at some points of a mark.

    Args:
        layer: Its parameters.
        scale: Pixels for each pixel of a picture with 720 rows.
        t: Position along the mark, -1..1.
        off: Distance from its axis, in pixels.
        half: Half its length.
        wide: Half its width.
        random: Of this mark.
    """
    sides = _noise(random[16:80], t * 3.0) * layer.rough * scale
    outline = wide * _outline(t, wide / half)
    s = off / wide
    lanes = _noise(random[80:144], s * (2.2 + 0.35 * wide))
    ends = 1 - layer.ragged * (0.5 + lanes) * 2
    inside = outline + sides - np.abs(off)
    lengthwise = (ends - np.abs(t)) * half
    # The brush is lifted towards the end, where paint breaks into bristle tracks.
    lifted = np.clip((t - 0.1) / 0.9, 0.0, 1.0) * layer.dry
    torn = (lanes + 0.5 - lifted * (0.6 + 0.4 * _noise(random[144:208], t * 5.0))) * wide + 1.0
    depth = np.minimum(np.minimum(inside, lengthwise), torn * 1.5)
    alpha = np.clip(depth / (layer.soft * max(scale, 0.5)) + 0.5, 0.0, 1.0)
    return alpha, _height(layer, s, t, lanes, depth / wide) * scale


def _seen(layer: Layer, alpha: Array, height: Array) -> tuple[Array, Array]:
    """Returns cover, 0..255, and relief around 128 of each pixel."""
    rise_x = (height[:, 2:] - height[:, :-2]) * (_FINE / 2)
    rise_y = (height[2:] - height[:-2]) * (_FINE / 2)
    slope = np.zeros_like(height)
    slope[:, 1:-1] += rise_x * _LIGHT[0]
    slope[1:-1] += rise_y * _LIGHT[1]
    cover = _mean(alpha) * layer.opaque
    lit = _mean(slope * (alpha > 0)) / np.maximum(_mean((alpha > 0).astype(float)), 1e-3)
    return (
        np.floor(cover * 255 + 0.5).astype(np.uint8),
        np.floor(np.clip(128 - lit * 127, 0, 255) + 0.5).astype(np.uint8),
    )


def _outline(t: Array, blunt: float) -> Array:
    """Half the width along a mark, 0..1: round at the beginning, thinner to the end."""
    end = np.clip(1 - t * t, 0.0, 1.0)
    wide: Array = np.sqrt(np.clip(end / min(1.0, 3.2 * blunt), 0.0, 1.0)) * (0.9 - 0.12 * t)
    return wide


def _height(layer: Layer, s: Array, t: Array, lanes: Array, depth: Array) -> Array:
    """Returns the thickness of paint: bristle tracks, a rim along the sides, a heap at the end."""
    edge = np.clip(depth * 2.5, 0.0, 1.0)
    ridge = edge * (1 + layer.rim * np.clip(s * s, 0.0, 1.0))
    thick: Array = ridge + layer.relief * lanes * edge * (1.2 - 0.4 * t)
    return thick


def _noise(values: Array, at: Array) -> Array:
    """Smooth noise in -0.5..0.5 along one coordinate: random values, joined without corners."""
    at = at + len(values) / 2
    whole = np.floor(at)
    part = at - whole
    part = part * part * (3 - 2 * part)
    first = whole.astype(np.int64) & (len(values) - 1)  # the remainder: they are a power of two
    low, rise = values[first], (np.roll(values, -1) - values)[first]
    noise: Array = low + rise * part - 0.5
    return noise


def _mean(fine: Array) -> Array:
    """Means of the samples of each pixel, summed one after the other."""
    total = np.zeros((fine.shape[0] // _FINE, fine.shape[1] // _FINE))
    for row in range(_FINE):
        for column in range(_FINE):
            total = total + fine[row::_FINE, column::_FINE]
    mean: Array = total / (_FINE * _FINE)
    return mean

"""A canvas that goes on over its borders."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from pleinair.canvas.hand import DIRECTIONS, MONET
from pleinair.canvas.layout import CELL, Canvas, lay_canvas, lay_torus
from pleinair.canvas.stamps import VARIANTS, side_of
from pleinair.networks.plan_by_hand import make_plan
from pleinair.networks.stroke_head import CanvasTensors, StrokeHead

CASES = [(64, 96, 2, 0.5), (64, 32, 1, 0.375), (32, 32, 2, 0.5)]  # the last: marks are longer


def samples_of(canvas: Canvas) -> tuple[np.ndarray, ...]:
    """Layer, slot, row, column and number of each candidate there is."""
    layer, slot, y, x = np.nonzero(canvas.candidates)
    return layer, slot, y, x, canvas.candidates[layer, slot, y, x]


def cover_of(canvas: Canvas) -> np.ndarray:
    """How much of a sample each texel covers."""
    return canvas.texels[: canvas.step**2].mean(0)


def identities(canvas: Canvas) -> np.ndarray:
    """A number for each mark, which what was laid again of it has, too."""
    values = np.concatenate([canvas.cell[None].astype(np.float32), canvas.marks]).T
    return np.unique(values, axis=0, return_inverse=True)[1].ravel()


@pytest.mark.parametrize(("height", "width", "step", "scale"), CASES)
def test_a_mark_lies_in_one_place_of_the_torus(height, width, step, scale) -> None:
    canvas = lay_torus(MONET, height, width, step, scale)
    _, _, y, x, number = samples_of(canvas)
    texel = canvas.origin[number] + y * canvas.pitch + x
    assert (cover_of(canvas)[texel] > 0).all()
    # The corner of the mark's stamp, where it lies on the torus, is the same for all its samples.
    row, column = np.divmod(texel, canvas.pitch)
    corner = (y - row) % (height // step), (x - column) % (width // step)
    mark = identities(canvas)[number]
    for at in corner:
        least, most = np.full(mark.max() + 1, 1 << 30), np.zeros(mark.max() + 1, int)
        np.minimum.at(least, mark, at)
        np.maximum.at(most, mark, at)
        assert (least[mark] == most[mark]).all()
    assert len(np.unique(mark)) < len(np.unique(number))  # some lie on both sides


@pytest.mark.parametrize(("height", "width", "step", "scale"), CASES)
def test_no_part_of_a_mark_is_missing(height, width, step, scale) -> None:
    """Wherever a stamp covers a sample, its mark lies there, or one that is above it."""
    canvas = lay_torus(MONET, height, width, step, scale)
    samples, first = (height // step, width // step), 0
    layers, slots, rows, columns, numbers = samples_of(canvas)
    for index, layer in enumerate(MONET.layers):
        reach, pitch = side_of(layer, scale) // step, canvas.pitch
        marks = DIRECTIONS * VARIANTS
        cover = cover_of(canvas)[first : first + marks * reach * pitch]
        cover = cover.reshape(marks, reach, pitch)
        chosen = layers == index
        _, at = np.unique(identities(canvas)[numbers[chosen]], return_index=True)
        for slot, y, x, number in zip(
            *(values[chosen][at] for values in (slots, rows, columns, numbers)), strict=True
        ):
            texel = canvas.origin[number] + y * pitch + x - first
            stamp, row = divmod(texel // pitch, reach)
            down, across = np.nonzero(cover[stamp] >= 0.51)
            there = (y - row + down) % samples[0], (x - texel % pitch + across) % samples[1]
            above = canvas.candidates[index, slot][there]
            lowest = number - 8  # what is laid again follows the mark itself
            assert (above >= lowest).all()
        first += marks * reach * pitch


def test_patches_of_the_ground_are_near_what_they_read() -> None:
    height, width, step = 96, 128, 2
    canvas = lay_torus(MONET, height, width, step, 0.5)
    cell = canvas.cell[canvas.ground]
    for at, side, places in (
        (cell // (width // CELL), height, np.arange(height // step)[:, None]),
        (cell % (width // CELL), width, np.arange(width // step)[None]),
    ):
        apart = np.abs(at * CELL + CELL / 2 - places * step)
        assert np.minimum(apart, side - apart).max() < 24
    assert np.bincount(canvas.ground.ravel()).max() < 120  # none is of two sides far apart


@pytest.mark.parametrize("axis", [1, 2])
def test_the_painting_has_no_seam(axis: int) -> None:
    """Marks that lie across the border go on beyond it."""
    plan = make_plan(torch.full((1, 3, 128, 128), 0.5), MONET)
    layers = len(MONET.layers)
    plan[:, -2 * layers : -layers] = -1.0 if axis == 1 else 1.0  # upright, or level
    seams = {True: 0.0, False: 0.0}
    for wrap, seed in product(seams, range(4)):
        canvas = (lay_torus if wrap else lay_canvas)(MONET, 128, 128, 2, 0.5, seed)
        painted = StrokeHead(MONET)(plan, CanvasTensors.of(canvas))[0].numpy()
        apart = np.abs(painted - np.roll(painted, 2, axis)).mean((0, 3 - axis))
        seams[wrap] += apart[:2].mean() / apart[2:].mean() / 4
    assert seams[True] < 1.5  # edges of marks are not smoothed over the border itself
    assert seams[False] > 3

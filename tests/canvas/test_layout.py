"""Canvases: what a graph takes of one, pieces of a larger one, which marks a plan shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pleinair.canvas.hand import HANDS, MONET
from pleinair.canvas.layout import Canvas, Piece, canvas_inputs, lay_canvas, pixels, slots
from pleinair.canvas.winners import plan_error, winners
from pleinair.networks.stroke_head import CanvasTensors, StrokeHead

SIZE, PIECE = (320, 384), Piece(96, 128, (320, 384))
MARGIN = 32  # pixels: more than a mark of this scale reaches


def looks(canvas: Canvas, top: int = 0, left: int = 0) -> np.ndarray:
    """What is seen of each candidate, [values, layers, directions, h, w], in whole coordinates."""
    height, width = canvas.ground.shape
    rows, columns = np.mgrid[0:height, 0:width]
    texel = canvas.origin[canvas.candidates] + rows * canvas.pitch + columns
    down, across = canvas.rest.shape[1:]
    row, column = np.divmod(canvas.cell % (down * across), across)
    read = np.stack([row + top // 4, column + left // 4])[:, canvas.candidates]
    seen = np.stack([*canvas.marks[:, canvas.candidates], texel, *read])
    return np.where(canvas.candidates > 0, seen, 0)


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("hand", [MONET, HANDS["seurat"]], ids=lambda hand: hand.name)
def test_a_piece_has_the_marks_of_the_whole(hand, step):
    whole = lay_canvas(hand, *SIZE, step, 0.375)
    piece = lay_canvas(hand, 192, 224, step, 0.375, piece=PIECE)
    inside = slice(MARGIN // step, (192 - MARGIN) // step), slice(MARGIN // step, 192 // step)
    there = tuple(
        slice(part.start + at // step, part.stop + at // step)
        for part, at in zip(inside, PIECE[:2], strict=True)
    )
    mine, theirs = looks(piece, *PIECE[:2])[..., *inside], looks(whole)[..., *there]
    assert np.array_equal(mine, theirs)
    grounds = piece.marks[:, piece.ground[inside]], whole.marks[:, whole.ground[there]]
    assert np.array_equal(*grounds)
    # What lies on top in the one does so in the other.
    pairs = np.stack([piece.candidates[..., *inside], whole.candidates[..., *there]]).reshape(2, -1)
    ranks = np.unique(pairs, axis=1)
    assert (np.diff(ranks[1]) > 0).all()


def test_a_piece_at_the_border_ends_where_the_whole_does():
    whole = lay_canvas(MONET, *SIZE, 2, 0.375)
    corner = lay_canvas(MONET, *SIZE, 2, 0.375, piece=Piece(0, 0, SIZE))
    for name in ("candidates", "ground", "cell", "marks", "origin", "texels", "rest"):
        assert np.array_equal(getattr(whole, name), getattr(corner, name))


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("size", [(64, 64), (32, 160)])  # smaller than a mark, and than most
def test_a_graph_gets_what_it_takes(size, step):
    canvas = lay_canvas(MONET, *size, step, 1.0)
    arrays = canvas.arrays()
    for name, (kind, shape) in canvas_inputs(len(MONET.layers), step).items():
        array = arrays[name]
        assert array.dtype == kind
        assert array.flags.c_contiguous
        assert len(shape) == array.ndim
        assert all(a == b for a, b in zip(array.shape, shape, strict=True) if isinstance(b, int))
    assert np.array_equal(arrays[slots(2)[5]], canvas.candidates[2, 5].ravel())
    relief, cover = np.modf([arrays[pixel] for pixel in pixels(step)])
    texels = np.concatenate([cover / 255, (256 * relief - 128) / 127])
    assert np.allclose(texels, canvas.texels, atol=1e-6)
    assert canvas.candidates.max() < len(arrays["origin"]) == len(arrays["cell"])
    assert arrays["cell"].max() < 3 * arrays["rest"][0].size


@pytest.mark.parametrize("hand", HANDS.values(), ids=lambda hand: hand.name)
def test_winners_are_the_heads(hand):
    rng = torch.Generator().manual_seed(3)
    plan = torch.rand(24, 24, 32, generator=rng)
    plan[:9] = 0.4 + plan[:9] / 8  # of one mass, with contours
    plan[:9, 8:16] += 0.3
    plan[15:18] = plan[15:18] * 2 - 0.5
    plan[18:] = plan[18:] * 2 - 1
    canvas = lay_canvas(hand, 96, 128, 2, 0.375)
    seen = {}

    class Head(StrokeHead):
        def _flat(self, *given):
            flat, seen["top"] = super()._flat(*given)
            return flat, seen["top"]

    Head(hand).paint(plan, CanvasTensors.of(canvas))
    mine = winners(plan.numpy(), canvas, hand.spill)
    assert mine.shape == (48, 64)
    assert (mine.ravel() != seen["top"].numpy()).mean() < 1e-3  # rounding, where marks fade in
    assert (mine > 0).mean() > 0.5


def test_the_error_of_a_plan_is_in_parts_of_each_kinds_range():
    plan = np.zeros((24, 2, 2), np.float32)
    colours, needs = plan.copy(), plan.copy()
    colours[:3], needs[15:18] = 0.1, 0.2  # a tenth of their range
    assert plan_error(plan, plan) == 0
    assert plan_error(plan, colours) == pytest.approx(0.01 / 8, rel=1e-5)
    assert plan_error(plan, needs) == pytest.approx(0.01 / 8, rel=1e-5)

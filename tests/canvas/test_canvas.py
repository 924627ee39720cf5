"""A canvas: the same on every machine, and made so that marks are whole."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from pleinair.canvas.hand import DIRECTIONS, HANDS, MONET, Hand, find_hand
from pleinair.canvas.layout import Canvas, lay_canvas, scale_of
from pleinair.canvas.randoms import bits, uniform
from pleinair.canvas.stamps import VARIANTS, draw_stamps
from pleinair.errors import UsageError
from pydantic import ValidationError


def digest(canvas: Canvas) -> str:
    """A hash of every bit of a canvas."""
    names = ("candidates", "ground", "cell", "marks", "origin", "texels", "rest")
    parts = b"".join(np.ascontiguousarray(getattr(canvas, name)).tobytes() for name in names)
    return hashlib.sha256(parts).hexdigest()[:16]


@pytest.mark.parametrize(
    ("hand", "known"), [("monet", "d5e1f8a07e363159"), ("seurat", "406f23f1d6a50e90")]
)
def test_a_canvas_has_the_same_bits_everywhere(hand: str, known: str) -> None:
    canvas = lay_canvas(find_hand(hand), 64, 96, 2, 0.5, seed=3)
    assert digest(canvas) == known


def test_random_numbers_follow_from_their_place() -> None:
    assert bits(1, 2, 3, 4) == 2959643506
    values = uniform(7, 1, np.arange(4000))
    assert abs(values.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.05
    assert (uniform(7, 1, np.arange(10)) != uniform(8, 1, np.arange(10))).all()


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("name", HANDS)
def test_a_candidate_owns_its_sample(name: str, step: int) -> None:
    canvas = lay_canvas(HANDS[name], 64, 96, step, 0.5)
    layer, _, y, x = np.nonzero(canvas.candidates)
    number = canvas.candidates[np.nonzero(canvas.candidates)]
    cover = canvas.texels[: step * step].mean(0)
    opaque = np.array([one.opaque for one in HANDS[name].layers])[layer]
    owned = {1: 0.39, 2: 0.24}[step]
    assert (cover[canvas.origin[number] + y * canvas.pitch + x] >= owned * opaque).all()


def test_what_shows_from_the_least_need_lies_on_top() -> None:
    """Else a mark that does not show would cut a hole into one that does."""
    canvas = lay_canvas(MONET, 64, 96, 2, 0.5)
    for layer in canvas.candidates:
        numbers = np.unique(layer)[1:]
        assert (np.diff(canvas.marks[0, numbers]) <= 0).all()


def test_marks_read_the_plan_where_they_lie() -> None:
    height, width = 64, 96
    canvas = lay_canvas(MONET, height, width, 2, 0.5)
    cells = height // 4 * (width // 4)
    for index, layer in enumerate(canvas.candidates):
        _, y, x = np.nonzero(layer)
        number = layer[np.nonzero(layer)]
        cell = canvas.cell[number] - index * cells
        assert ((cell >= 0) & (cell < cells)).all()
        row, column = np.divmod(cell, width // 4)
        reach = 0.5 * MONET.layers[index].length
        assert (np.hypot(row * 4 + 2 - 2 * y, column * 4 + 2 - 2 * x) < reach + 6).all()


def test_other_seeds_and_sizes_have_other_layouts() -> None:
    first, second = (lay_canvas(MONET, 64, 64, 2, 0.5, seed=seed) for seed in (0, 1))
    assert (first.candidates != second.candidates).mean() > 0.5
    wider = lay_canvas(MONET, 64, 96, 2, 0.5)
    assert wider.candidates.shape == (3, DIRECTIONS, 32, 48)


def test_every_place_has_a_ground_and_nearly_every_one_a_broad_mark() -> None:
    canvas = lay_canvas(MONET, 96, 128, 2, 0.5)
    assert (canvas.ground > 0).all()
    shown = (canvas.candidates[0] > 0).mean((1, 2))
    assert shown.min() > 0.75  # in whatever direction


def test_stamps_are_brush_marks() -> None:
    stamps = draw_stamps(MONET.layers[1], 1.0, 2)
    assert len(stamps.cover) == DIRECTIONS * VARIANTS
    for k, angle in ((0, 0.0), (2, 45.0), (4, 90.0)):
        cover = stamps.cover[k * VARIANTS].astype(float)
        rows, columns = np.indices(cover.shape) - cover.shape[0] / 2
        second = np.cov(np.stack([columns.ravel(), rows.ravel()]), aweights=cover.ravel())
        values, vectors = np.linalg.eigh(second)
        found = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180
        assert min(abs(found - angle), 180 - abs(found - angle)) < 12
        assert values[1] > 4 * values[0]  # twice as long as wide at least
    border = [
        stamps.cover[:, 0],
        stamps.cover[:, -1],
        stamps.cover[:, :, 0],
        stamps.cover[:, :, -1],
    ]
    assert not any(edge.any() for edge in border)


def test_scales_are_shared_by_sizes_nearby() -> None:
    assert scale_of(720) == 1.0
    assert scale_of(736) == scale_of(720)
    assert scale_of(360) == 0.5
    assert scale_of(16) == 0.375
    assert scale_of(8000) == 3.0
    assert scale_of(720, "fine") < scale_of(720) < scale_of(720, "large")
    with pytest.raises(UsageError, match="unknown stroke 'tiny'"):
        scale_of(720, "tiny")


def test_a_hand_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown hand 'manet'; did you mean 'monet'"):
        find_hand("manet")
    values = MONET.model_dump()
    for change in ({"layers": []}, {"body": 2.0}, {"layerz": 1}):
        with pytest.raises(ValidationError):
            type(MONET).model_validate({**values, **change})


def test_a_spill_ends_after_it_fades() -> None:
    with pytest.raises(ValidationError, match=r"ends at 0.2, before or where it begins to fade"):
        Hand.model_validate({**MONET.model_dump(), "spill": (0.2, 0.2)})

"""Scores say what was done to the pictures, the same every time."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pleinair.bundle.manifest import Training
from pleinair.errors import UsageError
from pleinair.evaluation.features import load_features
from pleinair.evaluation.scores import Evaluator, Scores


@pytest.fixture(scope="module")
def evaluator(mean_colour, read_all) -> Evaluator:
    return Evaluator(read_all("photos"), read_all("paintings"), load_features(mean_colour))


def test_a_painter_that_paints_nothing(evaluator):
    scores = evaluator.score(lambda picture: picture)
    assert (scores.pictures, scores.targets, evaluator.dimensions) == (16, 16, 3)
    assert scores.kid == scores.kid_photographs > 0
    assert scores.fid == scores.fid_photographs > 0
    assert (scores.kid_ratio, scores.ssim, scores.delta_e, scores.strength) == (1, 1, 0, 0)
    assert (scores.checkerboard, scores.flicker) == (1, None)


def test_a_painter_of_the_targets_colour(evaluator, read_all):
    photos, paintings = (
        np.mean([picture.mean((0, 1)) for picture in read_all(name)], axis=0)
        for name in ("photos", "paintings")
    )

    def paint(picture):
        return np.clip(picture + (paintings - photos), 0, 255).astype(np.uint8)

    scores = evaluator.score(paint)
    assert scores.kid < scores.kid_photographs
    assert scores.kid_ratio == pytest.approx(scores.kid / scores.kid_photographs, abs=1e-3)
    assert scores.fid < scores.fid_photographs
    assert 0.5 < scores.ssim < 0.99
    assert scores.delta_e > 3
    assert scores.strength > 10


def test_a_painter_with_faults(evaluator, read_all):
    rng = np.random.default_rng(0)
    dots = np.zeros((8, 8, 1))
    dots[0, 0] = 30

    def paint(picture):
        height, width = picture.shape[:2]
        grid = np.tile(dots, (-(-height // 8), -(-width // 8), 1))[:height, :width]
        return np.clip(picture + grid + rng.normal(0, 4), 0, 255).astype(np.uint8)

    photo = read_all("photos")[14]
    clip = [photo[y : y + 100, :128] for y in range(4)]
    scores = evaluator.score(paint, clip)
    assert scores.checkerboard > 1.5
    assert scores.flicker > 1.5


def test_the_same_every_time_and_chance_untouched(evaluator):
    before = torch.get_rng_state()
    first = evaluator.score(lambda picture: 255 - picture)
    torch.rand(3)
    assert evaluator.score(lambda picture: 255 - picture) == first
    torch.set_rng_state(before)
    evaluator.score(lambda picture: 255 - picture)
    assert torch.equal(torch.get_rng_state(), before)


def test_they_fit_into_a_manifest(evaluator):
    scores = evaluator.score(lambda picture: picture // 2)
    assert Scores.model_validate(json.loads(scores.model_dump_json())) == scores
    kept = scores.model_dump(exclude_none=True)
    training = Training(
        dataset="x", steps=1, seed=0, recipe={}, checkpoint_sha256="0" * 64, scores=kept
    )
    assert training.scores["kid"] == scores.kid
    assert "flicker" not in training.scores


def test_few_pictures(mean_colour, read_all):
    photos, paintings, features = (
        read_all("photos"),
        read_all("paintings"),
        load_features(mean_colour),
    )
    scores = Evaluator(photos[:3], paintings[:2], features).score(lambda picture: picture)
    assert (scores.fid, scores.fid_photographs) == (None, None)
    with pytest.raises(UsageError, match="at least 2 pictures and 2 targets, got 1 and 16"):
        Evaluator(photos[:1], paintings, features)


def test_no_ratio_where_the_originals_are_there_already(mean_colour, read_all):
    photos = read_all("photos")
    evaluator = Evaluator(photos, photos, load_features(mean_colour))
    scores = evaluator.score(lambda picture: 255 - picture)
    assert scores.kid_photographs <= 0
    assert scores.kid_ratio is None


def test_progress(mean_colour, read_all):
    seen = []
    photos = read_all("photos")[:3]
    evaluator = Evaluator(
        photos, photos[:2], load_features(mean_colour), lambda *done: seen.append(done)
    )
    assert seen == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    seen.clear()
    evaluator.score(lambda picture: picture, progress=lambda *done: seen.append(done))
    assert seen == [(1, 3), (2, 3), (3, 3)]

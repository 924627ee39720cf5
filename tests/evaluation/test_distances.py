"""The numbers are those of the papers' formulas; chance stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from pleinair.evaluation.distances import fid, kid


def draw(n: int, mean: float = 0.0, dimensions: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, (n, dimensions)).astype(np.float32)


def formula(a: np.ndarray, b: np.ndarray) -> float:
    def k(x, y):
        return (x.astype(float) @ y.T.astype(float) / x.shape[1] + 1) ** 3

    def apart(x):
        return (k(x, x).sum() - np.trace(k(x, x))) / (len(x) * (len(x) - 1))

    return apart(a) + apart(b) - 2 * k(a, b).mean()


def test_kid_of_equal_numbers_is_the_formula():
    a, b = draw(40), draw(40, 0.5, seed=1)
    assert kid(a, b) == pytest.approx(formula(a, b))
    assert kid(a, b) > 0.5
    assert abs(kid(a, draw(40, seed=2))) < 0.2


def test_kid_of_unequal_numbers_is_near_the_formula_and_always_the_same():
    a, b = draw(30), draw(90, 0.5, seed=1)
    torch.manual_seed(1)
    first = kid(a, b)
    torch.manual_seed(2)
    assert kid(a, b) == first
    assert first == pytest.approx(formula(a, b), rel=0.1)


def test_kid_does_not_draw_from_the_global_generator():
    torch.manual_seed(5)
    before, random_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    kid(draw(10), draw(20))
    fid(draw(20), draw(20))
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == random_before).all()


def test_fid_is_the_formula():
    a, b = draw(50), draw(60, 0.5, seed=1) * [1, 2, 1, 1, 3, 1, 1, 1]
    b = b.astype(np.float32)
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert fid(a, b) == pytest.approx(expected, rel=1e-4)
    assert fid(a, a) == pytest.approx(0, abs=1e-6)


def test_no_fid_with_fewer_pictures_than_features():
    assert fid(draw(8), draw(50)) is None
    assert fid(draw(50), draw(8)) is None
    assert fid(draw(9), draw(9)) is not None

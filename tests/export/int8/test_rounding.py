"""Weights are rounded block by block as they would be one by one."""

from __future__ import annotations

import numpy as np
import pytest
from pleinair.export.int8 import rounding


@pytest.mark.parametrize("inputs", [5, rounding.BLOCK, 3 * rounding.BLOCK + 7])
@pytest.mark.parametrize("has_bias", [True, False])
def test_blocks_change_nothing(monkeypatch, inputs, has_bias):
    random = np.random.default_rng(inputs)
    seen = np.maximum(random.normal(size=(400, inputs)) @ random.normal(size=(inputs, inputs)), 0)
    seen = np.hstack([seen, np.ones((400, 1))])
    weight = random.normal(size=(6, inputs, 1, 1)).astype(np.float32)
    bias = random.normal(size=6).astype(np.float32) if has_bias else None
    scale = np.abs(weight).reshape(6, -1).max(1) / 64
    given = (weight, bias, scale, 64, seen.T @ seen / 400)
    stored, moved = rounding.round_weights(*given)
    monkeypatch.setattr(rounding, "BLOCK", 1)
    expected, bias_after = rounding.round_weights(*given)
    assert (stored == expected).all()
    assert (moved is None) == (bias is None)
    assert not has_bias or np.allclose(moved, bias_after, rtol=1e-6)
    nearest = rounding.round_weights(*given[:4], None)[0]
    assert (stored != nearest).any()

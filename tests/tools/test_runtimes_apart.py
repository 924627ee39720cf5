"""Runtimes of one INT8 artifact are compared in strokes, and choose the same."""

from __future__ import annotations

import numpy as np
import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.pictures import read_picture
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.tools.runtimes_apart import LIBRARIES, apart, planners_of

# Their coarsest cells are 24, 30, 15 and 4: OpenCV has blocks of 8.
SIZES = [(128, 192), (160, 192), (160, 96), (64, 64)]


@pytest.mark.parametrize("name", ["monet", "van-gogh"])
def test_all_runtimes_of_an_artifact_choose_the_same_strokes(photos, name):
    pytest.importorskip("openvino")
    bundle = Bundle.open(name)
    canvases, artifact = Canvases.of(bundle), bundle.find("onnx", "int8")
    assert canvases and artifact
    photo, _ = read_picture(photos / "00.jpg")
    planners = planners_of(bundle.path(artifact), canvases)
    assert {*planners} == {*LIBRARIES, "as written"}
    for height, width in SIZES:
        frame = np.ascontiguousarray(photo[None, :height, :width])
        plans = {name: [plan(frame)] for name, plan in planners.items()}
        shares = [share for row in apart(plans, canvases) for share in row[1:] if share]
        assert len(shares) == 12
        assert max(float(share.rstrip("%")) for share in shares) <= 1

"""Two runtimes of one INT8 artifact are compared in strokes, and what sets them apart is known."""

from __future__ import annotations

import numpy as np
import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.pictures import read_picture
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.tools.runtimes_apart import apart, planners_of


def test_openvino_differs_by_the_roundings_that_it_leaves_out(photos):
    pytest.importorskip("openvino")
    bundle = Bundle.open("monet")
    canvases, artifact = Canvases.of(bundle), bundle.find("onnx", "int8")
    assert canvases and artifact
    frame = np.ascontiguousarray(read_picture(photos / "00.jpg")[0][None, :192, :256])
    planners = planners_of(bundle.path(artifact), canvases)
    plans = {name: [plan(frame)] for name, plan in planners.items()}
    names = list(plans)
    shares = {row[0]: dict(zip(names, row[1:], strict=True)) for row in apart(plans, canvases)}
    far, near = (
        float(shares["openvino"][name].rstrip("%")) for name in ("as written", "sums not rounded")
    )
    assert near < far / 2

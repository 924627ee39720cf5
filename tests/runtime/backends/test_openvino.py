"""One compiled model for each size, and few of them kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from pleinair.bundle.bundle import Bundle
from pleinair.pictures import Frames, read_picture
from pleinair.runtime.backends.openvino.engine import KEPT, OpenVinoEngine

SIZES = [(64 + 8 * n, 96) for n in range(KEPT + 2)]


@pytest.fixture
def frame(photos: Path) -> Frames:
    return read_picture(sorted(photos.iterdir())[0])[0][None]


@pytest.fixture
def engine() -> OpenVinoEngine:
    bundle = Bundle.open("monet-conv")
    artifact = bundle.find("onnx", "int8")
    assert artifact
    return OpenVinoEngine(bundle.path(artifact), in_flight=2, way="streams")


def test_sizes_that_come_in_turn_from_several_threads(
    engine: OpenVinoEngine, frame: Frames
) -> None:
    frames = [np.ascontiguousarray(frame[:, :height, :width]) for height, width in SIZES]
    with ThreadPoolExecutor(2) as threads:
        first, second, third = (list(threads.map(engine, frames)) for _ in range(3))
    for size, one, two, three in zip(SIZES, first, second, third, strict=True):
        assert one.shape == (1, *size, 3)
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_the_last_sizes_stay_compiled(engine: OpenVinoEngine) -> None:
    for size in SIZES:
        engine.prepare(*size)
        engine.prepare(*SIZES[0])
    assert list(engine.compiled) == [*SIZES[-KEPT + 1 :], SIZES[0]]

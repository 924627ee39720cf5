"""Small runs of the benchmark, and results made by hand."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

QUICK = {
    "seconds": 0.2,
    "frames": 4,
    "rounds": 2,
    "warmup": 0.0,
    "settle": 1,
    "roof": 0.1,
    "pictures": 2,
    "clip_frames": 2,
}


@pytest.fixture(scope="session")
def quick(photos):
    """Measures with the least effort; returns the results."""
    from pleinair.benchmarks.run import Request, bench
    from pleinair.benchmarks.settings import Settings

    def run(bundle: str | Path, out: Path, **request: Any) -> dict[str, Any]:
        settings = Settings(**QUICK | request.pop("settings", {}))
        request = {
            "sizes": [(64, 48)],
            "scenarios": ["single-stream"],
            "pictures": photos,
        } | request
        return bench(Request(str(bundle), out, settings=settings, **request), lambda done, of: None)

    return run


@pytest.fixture(scope="session")
def mean_colour(tmp_path_factory):
    """A feature network that knows the mean colour of a picture."""
    taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, 32, 32))
    nodes = [
        helper.make_node("Constant", [], ["white"], value_float=255.0),
        helper.make_node("Div", ["picture", "white"], ["scaled"]),
        helper.make_node("GlobalAveragePool", ["scaled"], ["features"]),
    ]
    given = helper.make_empty_tensor_value_info("features")
    model = helper.make_model(
        helper.make_graph(nodes, "features", [taken], [given]),
        ir_version=8,
        opset_imports=[helper.make_opsetid("", 18)],
    )
    path = tmp_path_factory.mktemp("features") / "mean.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def measured(once_a_run, quick, photos, mean_colour):
    """The folder and results of one small run of everything that the shipped bundle can do."""

    def fill(folder: Path) -> None:
        results = quick(
            "monet-conv",
            folder / "out",
            backends=["onnxruntime"],
            precisions=["int8", "fp32"],
            scenarios=["single-stream", "offline", "live"],
            features=mean_colour,
            targets=photos.parent / "paintings",
        )
        (folder / "returned").write_bytes(pickle.dumps(results))  # beside what was written

    folder = once_a_run("measured", fill)
    return folder / "out", pickle.loads((folder / "returned").read_bytes())


@pytest.fixture
def results(measured) -> dict[str, Any]:
    """A copy of the results, to be changed."""
    return copy.deepcopy(measured[1])

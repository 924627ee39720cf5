"""Small feature networks, made here: the mean colour of a picture is all they know."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper


@pytest.fixture(scope="session")
def save_onnx() -> Callable[..., Path]:
    """Writes an ONNX file that scales a picture (1, 3, S, S) to 0..1 and applies one operator."""

    def save(path: Path, operator: str = "GlobalAveragePool", shape: Any = (1, 3, 32, 32)) -> Path:
        nodes = [
            helper.make_node("Constant", [], ["white"], value_float=255.0),
            helper.make_node("Div", ["picture", "white"], ["scaled"]),
            helper.make_node(operator, ["scaled"], ["features"]),
        ]
        taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)
        given = helper.make_empty_tensor_value_info("features")
        graph = helper.make_graph(nodes, "features", [taken], [given])
        opset = [helper.make_opsetid("", 18)]
        onnx.save(helper.make_model(graph, ir_version=8, opset_imports=opset), path)
        return path

    return save


@pytest.fixture(scope="session")
def mean_colour(tmp_path_factory, save_onnx) -> Path:
    return save_onnx(tmp_path_factory.mktemp("onnx") / "mean.onnx")


@pytest.fixture(scope="session")
def save_torchscript() -> Callable[..., Path]:
    def save(path: Path, network: torch.nn.Module) -> Path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is a newer format
            torch.jit.save(torch.jit.script(network), path)
        return path

    return save

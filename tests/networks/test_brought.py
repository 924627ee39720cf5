"""Generators of other projects as ONNX files: sizes that are computed, NHWC, their own ranges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper
from pleinair.errors import ExportError
from pleinair.export.sources.source import load_source
from torch import Tensor, nn


class Anime(nn.Module):
    """What is particular to AnimeGANv2: group norm, and sizes taken from other tensors."""

    def __init__(self, width: int = 8, groups: int = 1) -> None:
        super().__init__()

        def layer(takes: int, gives: int, stride: int = 1) -> nn.Module:
            return nn.Sequential(
                nn.ReflectionPad2d((0, 1, 0, 1) if stride == 2 else 1),
                nn.Conv2d(takes, gives, 3, stride, bias=False),
                nn.GroupNorm(groups, gives),
                nn.LeakyReLU(0.2),
            )

        self.a = nn.Sequential(layer(3, width), layer(width, 2 * width, 2))
        self.b = layer(2 * width, 2 * width, 2)
        self.c, self.d = layer(2 * width, width), layer(width, width)
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        made = self.a(x)
        half = made.shape[-2:]
        made = F.interpolate(self.b(made), half, mode="bilinear", align_corners=True)
        made = F.interpolate(self.c(made), x.shape[-2:], mode="bilinear", align_corners=True)
        return torch.tanh(self.out(self.d(made)))


class ChannelsLast(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class OfBytes(nn.Module):
    def __init__(self, inner: nn.Module, black: float, white: float) -> None:
        super().__init__()
        self.inner, self.black, self.white = inner, black, white

    def forward(self, x: Tensor) -> Tensor:
        half = (self.white - self.black) / 2
        return (self.inner((x - self.black) / half - 1) + 1) * half + self.black


def save(module: nn.Module, path: Path, opset: int, last: bool = False) -> Path:
    """Writes a module with an open height and width; opset 0 is the new exporter's own."""
    shape = (1, 32, 48, 3) if last else (1, 3, 32, 48)
    high, wide = (1, 2) if last else (2, 3)
    names = {"input_names": ["x"], "output_names": ["y"]}
    if opset:
        axes = {high: "height", wide: "width"}
        torch.onnx.export(
            module.eval(),
            (torch.zeros(shape),),
            path,
            dynamo=False,
            opset_version=opset,
            dynamic_axes={"x": axes, "y": axes},
            **names,
        )
    else:
        open_ = dict.fromkeys((high, wide), torch.export.Dim.DYNAMIC)
        torch.onnx.export(
            module.eval(),
            (torch.zeros(shape),),
            path,
            dynamo=True,
            dynamic_shapes=(open_,),
            verbose=False,
            **names,
        )
    return path


def difference(path: Path, module: nn.Module) -> float:
    """The most by which what was loaded paints otherwise than the module, at two sizes."""
    generator = load_source(str(path)).generator.eval()
    most = 0.0
    for size in ((32, 64), (80, 48)):
        x = torch.rand(1, 3, *size) * 2 - 1
        with torch.no_grad():
            most = max(most, float((generator(x) - module(x)).abs().max()))
    return most


@pytest.mark.parametrize("opset", [11, 12, 17, 0])
@pytest.mark.parametrize("groups", [1, 4])
def test_sizes_that_are_computed(tmp_path: Path, opset: int, groups: int) -> None:
    torch.manual_seed(0)
    module = Anime(groups=groups)
    path = save(module, tmp_path / "anime.onnx", opset)
    assert load_source(str(path)).generator.stride == 4
    assert difference(path, module) < 1e-3


class Padded(nn.Module):
    """Pads a picture to a multiple of four, and cuts what it made."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        high, wide = x.shape[2:]
        whole = F.pad(x, (0, (4 - wide % 4) % 4, 0, (4 - high % 4) % 4), mode="replicate")
        return torch.tanh(self.b(F.silu(self.a(whole))))[:, :, :high, :wide]


def test_a_file_of_one_size_takes_others(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, path = Anime().eval(), tmp_path / "fixed.onnx"
    torch.onnx.export(module, (torch.zeros(1, 3, 64, 96),), path, dynamo=False, opset_version=13)
    assert load_source(str(path)).generator.stride == 4
    assert difference(path, module) < 1e-3


def test_what_pads_to_a_multiple_gets_it(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Padded()
    path = save(module, tmp_path / "padded.onnx", 17)
    assert load_source(str(path)).generator.stride == 4
    assert difference(path, module) < 1e-3


@pytest.mark.parametrize("opset", [12, 17])
def test_channels_last(tmp_path: Path, opset: int) -> None:
    torch.manual_seed(0)
    module = Anime()
    path = save(ChannelsLast(module), tmp_path / "last.onnx", opset, last=True)
    assert difference(path, module) < 1e-3


@pytest.mark.parametrize(("black", "white"), [(0, 255), (-1, 1), (0, 1)])
def test_the_range_is_told_by_what_is_painted(tmp_path: Path, black: float, white: float) -> None:
    torch.manual_seed(0)
    module = Anime()
    path = save(OfBytes(module, black, white), tmp_path / "range.onnx", 17)
    generator = load_source(str(path)).generator
    assert (generator.low, generator.high, generator.assumed) == (black, white, True)
    assert difference(path, module) < 1e-3
    given = load_source(str(path), (0.0, 2.0)).generator
    assert (given.low, given.high, given.assumed) == (0, 2, False)


def test_what_cannot_be_folded_is_named(tmp_path: Path) -> None:
    """A size that is no factor of the picture's."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Mul", ["shape", "shape"], ["squared"]),
        helper.make_node("Div", ["squared", "by"], ["sizes"]),
        helper.make_node("Resize", ["x", "", "", "sizes"], ["large"], name="grow"),
        helper.make_node("Resize", ["large", "", "", "shape"], ["y"], name="shrink"),
    ]
    by = helper.make_tensor("by", TensorProto.INT64, [4], [1, 3, 32, 32])
    shape = [1, 3, "height", "width"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    graph = helper.make_graph(nodes, "odd", ends[:1], ends[1:], [by])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ExportError, match=r"operation Resize \(grow\) .*write the ONNX file again"):
        load_source(str(tmp_path / "odd.onnx"))


def test_a_plain_file_is_as_before(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Tanh())
    path = save(module, tmp_path / "plain.onnx", 17)
    assert difference(path, module) < 1e-5
    assert np.isclose(load_source(str(path)).generator.high, 1)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("Range", [0.0, 1e12, 1e-3], "makes more than 16777216 numbers of constants"),
        ("Range", [0.0, 1.0, 0.0], "fails: "),
        ("Resize", [1.0, 1.0, float("nan"), 1.0], "fails: "),
        ("Resize", [1.0, 1.0, 0.0, 0.0], "is refused by ONNX Runtime"),
    ],
)
def test_values_that_make_no_sense_are_named(tmp_path, kind, values, message) -> None:
    shape = [1, 3, "height", "width"]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    kernel = helper.make_tensor("w", TensorProto.FLOAT, [3, 3, 1, 1], [0.1] * 9)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"])]
    if kind == "Range":
        names = zip(("v0", "v1", "v2"), values, strict=True)
        given = [helper.make_tensor(name, TensorProto.FLOAT, [], [v]) for name, v in names]
        nodes += [
            helper.make_node("Range", ["v0", "v1", "v2"], ["r"]),
            helper.make_node("Add", ["c", "r"], ["y"]),
        ]
    else:
        given = [helper.make_tensor("v", TensorProto.FLOAT, [4], values)]
        nodes.append(helper.make_node("Resize", ["c", "", "v"], ["y"]))
    graph = helper.make_graph(nodes, "odd", ends[:1], ends[1:], [kernel, *given])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ExportError, match=message):
        load_source(str(tmp_path / "odd.onnx"))

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pleinair.errors import ExportError
from pleinair.export.targets.coreml.mil.evaluator import Evaluator
from pleinair.export.targets.coreml.mil.program import OPERATIONS, source
from pleinair.export.targets.coreml.package import save_package
from pleinair.export.targets.coreml.tools import ct, silent
from torch import Tensor, nn

mb = pytest.importorskip("coremltools.converters.mil").mil.Builder
rng = np.random.default_rng(0)
X = (rng.normal(size=(1, 4, 6, 8)) * 3).astype(np.float32)
POSITIVE = np.abs(X) + 0.1
HALVES = np.arange(-4, 4, dtype=np.float32).reshape(1, 2, 2, 2) / 2


def save(module: nn.Module, path: Path, half: bool = False, side: int = 16) -> Path:
    """Saves a module of pictures [1, 3, H, W] as a package."""
    picture = torch.zeros(1, 3, side, side)
    with silent(), torch.no_grad():
        model = ct.convert(
            torch.jit.trace(module.eval(), picture),
            inputs=[ct.ImageType("frame", shape=picture.shape)],
            outputs=[ct.ImageType("painted")],
            minimum_deployment_target=ct.target.iOS17,
            compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
            skip_model_load=True,
        )
    save_package(model, path)
    return path


class Layers(nn.Module):
    """Every kind of convolution, pool and norm."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d((1, 2, 3, 0)),
            nn.Conv2d(3, 8, (3, 5), padding="same"),
            nn.InstanceNorm2d(8, affine=True),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, dilation=2, groups=2),
            nn.PReLU(8),
            nn.BatchNorm2d(8),
            nn.ReplicationPad2d(1),
            nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1, bias=False),
            nn.InstanceNorm2d(8),
            nn.ZeroPad2d((0, 1, 2, 1)),
            nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, groups=2),
            nn.GELU(),
            nn.MaxPool2d(3, 1, 1),
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            nn.AvgPool2d((1, 3), 1, (0, 1)),
            nn.Conv2d(4, 3, 1),
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d) and module.affine:
                nn.init.normal_(module.weight, 1.0, 0.5)
                nn.init.normal_(module.bias)
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x / 64 - 2)


class Shapes(nn.Module):
    """Everything that moves values around."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.pixel_unshuffle(x / 255, 2)
        x = torch.cat([x[:, 3:9], x[:, ::2], x - x.mean((2, 3), keepdim=True)], 1)
        x = F.pixel_shuffle(x, 2)
        half = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        full = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
        x = half + full - F.interpolate(x, scale_factor=2.0)
        x = x.reshape(1, -1, 16, 2, 32).permute(0, 1, 3, 2, 4).reshape(1, -1, 16, 32)
        return F.silu(x[:, 1:4]) + torch.sigmoid(x[:, -3:]).clamp(0.1, 0.7)


@pytest.mark.parametrize("module", [Layers, Shapes])
def test_a_saved_program_computes_what_torch_does(
    module: Callable[[], nn.Module], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    made = module()
    evaluator = Evaluator(save(made, tmp_path / "m.mlpackage"))
    picture = torch.randint(0, 256, (1, 3, 16, 16)).float()
    with torch.no_grad():
        expected, got = made(picture), evaluator.run(picture)
    assert got.shape == expected.shape
    assert expected.std() > 0.05
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


# coremltools itself computes operations on constants, to fold them; ours must agree.
KNOWN = [
    ("add", {"x": X, "y": X[..., :1]}),
    ("sub", {"x": X, "y": 0.3}),
    ("mul", {"x": X, "y": X}),
    ("real_div", {"x": X, "y": POSITIVE}),
    ("maximum", {"x": X, "y": 0.5}),
    ("minimum", {"x": X, "y": X[..., :1]}),
    ("pow", {"x": POSITIVE, "y": 1.5}),
    ("abs", {"x": X}),
    ("exp", {"x": X}),
    ("sqrt", {"x": POSITIVE}),
    ("rsqrt", {"x": POSITIVE, "epsilon": 0.5}),
    ("square", {"x": X}),
    ("floor", {"x": X}),
    ("ceil", {"x": X}),
    ("round", {"x": HALVES}),
    ("identity", {"x": X}),
    ("relu", {"x": X}),
    ("relu6", {"x": X * 3}),
    ("sigmoid", {"x": X}),
    ("tanh", {"x": X}),
    ("leaky_relu", {"x": X, "alpha": 0.3}),
    ("prelu", {"x": X, "alpha": np.array([0.1, 0.2, 0.3, 0.4], np.float32)}),
    ("clip", {"x": X, "alpha": -1.0, "beta": 2.0}),
    ("cast", {"x": X, "dtype": "int32"}),
    ("pad", {"x": X, "pad": [1, 0, 2, 1], "mode": "constant", "constant_val": 7.0}),
    ("pad", {"x": X, "pad": [0, 0, 0, 0, 2, 1, 1, 3], "mode": "reflect"}),
    ("concat", {"values": [X, X[:, :1]], "axis": 1}),
    (
        "slice_by_index",
        {
            "x": X,
            "begin": [0, 1, -3, 0],
            "end": [1, 2, 6, 7],
            "stride": [1, 1, 1, 3],
            "end_mask": [True, False, False, False],
            "squeeze_mask": [False, True, False, False],
        },
    ),
    ("transpose", {"x": X, "perm": [0, 2, 3, 1]}),
    ("reshape", {"x": X, "shape": [2, 2, -1]}),
    ("expand_dims", {"x": X[0], "axes": [0, -1]}),
    ("squeeze", {"x": X[..., :1], "axes": [0, 3]}),
    ("reduce_mean", {"x": X, "axes": [2, 3], "keep_dims": True}),
    ("quantize", {"input": X, "scale": 0.02, "output_dtype": "int8"}),
    (
        "quantize",
        {"input": X, "scale": 0.04, "output_dtype": "uint8", "zero_point": np.uint8(100)},
    ),
]


@pytest.mark.parametrize(("kind", "inputs"), KNOWN, ids=[kind for kind, _ in KNOWN])
def test_operations_agree_with_coremltools(kind: str, inputs: dict[str, Any]) -> None:
    with silent():

        @mb.program(input_specs=[mb.TensorSpec(shape=(1,))], opset_version=ct.target.iOS17)
        def program(unused: Any) -> Any:
            return getattr(mb, kind)(**inputs, name="wanted")

    operation = program.functions["main"].find_ops(op_type=kind)[0]
    expected = operation.outputs[0].val
    assert expected is not None, "coremltools does not compute this operation"
    given = {key: source(var) for key, var in operation.inputs.items() if var is not None}
    got = OPERATIONS[kind](**given)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_depth_to_space_is_in_tensorflow_s_order() -> None:
    x = torch.arange(12.0).reshape(1, 12, 1, 1)
    spread = OPERATIONS["depth_to_space"](x, block_size=2)
    # Of three colours in blocks of four, the first block's first colour is channel 0, its second 1.
    assert spread[0, :, 0, 0].tolist() == [0, 1, 2]
    assert spread[0, 0].tolist() == [[0, 3], [6, 9]]
    assert torch.equal(OPERATIONS["space_to_depth"](spread, block_size=2), x)


def test_every_result_is_rounded_to_the_type_that_the_program_names(tmp_path: Path) -> None:
    class Steps(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * 0.1 + 1000) * 0.3 - x * x

    evaluator = Evaluator(save(Steps(), tmp_path / "m.mlpackage", half=True))
    x = torch.randint(0, 256, (1, 3, 16, 16)).float()
    half = [torch.tensor(value, dtype=torch.float16) for value in (0.1, 1000, 0.3)]
    expected = (x.half() * half[0] + half[1]) * half[2] - x.half() * x.half()
    assert torch.equal(evaluator.run(x).half(), expected)
    assert not torch.equal(expected.float(), Steps()(x))


def test_what_half_precision_cannot_hold_overflows_and_shows(tmp_path: Path) -> None:
    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * x * 4).sqrt() / 2

    evaluator = Evaluator(save(Square(), tmp_path / "m.mlpackage", half=True))
    frame = np.full((1, 16, 16, 3), 100, np.uint8)
    frame[0, 0, 0] = 200
    assert evaluator.run(torch.from_numpy(frame).permute(0, 3, 1, 2).float())[0, 0, 0, 0].isinf()
    painted = evaluator(frame)
    assert painted[0, 0, 0].tolist() == [255, 255, 255]
    assert painted[0, 1, 1].tolist() == [100, 100, 100]


def test_an_unknown_operation_is_an_error_that_names_it(tmp_path: Path) -> None:
    class Mirror(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flip(3)

    path = save(Mirror(), tmp_path / "m.mlpackage")
    with pytest.raises(ExportError, match=r"operation 'reverse' \(.*\) of fp32 is unknown"):
        Evaluator(path)


def test_pictures_are_expected(tmp_path: Path) -> None:
    with silent():
        model = ct.convert(
            torch.jit.trace(nn.ReLU(), torch.zeros(1, 3, 16, 16)),
            inputs=[ct.TensorType("numbers", shape=(1, 3, 16, 16))],
            skip_model_load=True,
        )
    save_package(model, tmp_path / "m.mlpackage")
    with pytest.raises(ExportError, match="takes or returns numbers; one RGB picture is expected"):
        Evaluator(tmp_path / "m.mlpackage")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(Layers(), tmp_path_factory.mktemp("whole") / "m.mlpackage")


WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"


@pytest.mark.parametrize(
    "damage",
    [
        shutil.rmtree,
        lambda path: (path / "Manifest.json").unlink(),
        lambda path: (path / "Manifest.json").write_text("{"),
        lambda path: (path / MODEL).unlink(),
        lambda path: (path / MODEL).write_bytes((path / MODEL).read_bytes()[:3000]),
        lambda path: (path / MODEL).write_bytes(b""),
        lambda path: (path / WEIGHTS).unlink(),
        lambda path: (path / WEIGHTS).write_bytes((path / WEIGHTS).read_bytes()[:600]),
        lambda path: (path / WEIGHTS).write_bytes(bytes(9000)),
    ],
)
def test_a_damaged_package_is_a_clear_error(
    whole: Path, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    path = Path(shutil.copytree(whole, tmp_path / "m.mlpackage"))
    damage(path)
    with pytest.raises(ExportError, match=r"m\.mlpackage ") as raised:
        Evaluator(path)
    assert "\n" not in str(raised.value)

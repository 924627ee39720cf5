from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from pleinair import __version__
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, bytes_of, sha256_of
from pleinair.errors import ExportError
from pleinair.export.calibration import load_frames
from pleinair.export.drift import difference, reference_pictures
from pleinair.export.graph_store import GraphStore
from pleinair.export.sources.source import load_source
from pleinair.export.targets import Built, find_target
from pleinair.metrics import DriftLimits
from pleinair.networks.generators import create_generator
from pleinair.pictures import Frames
from pleinair.runtime.backends import find_backend

from ..conftest import assert_fewest_float_layers

pytest.importorskip("coremltools")
ON_A_MAC = sys.platform == "darwin"
PRECISIONS = ("fp16", "w8", "int8")


@pytest.fixture(scope="module")
def coreml(tmp_path_factory: pytest.TempPathFactory, run: Path, photos: Path) -> Path:
    """The run, exported for Core ML in every precision."""
    out, temporary = tmp_path_factory.mktemp("out") / "tiny", tmp_path_factory.mktemp("temporary")
    said = {"licence": "CC0-1.0", "description": "For tests."}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        export(run, out, targets=["coreml"], calibration=photos, **said)
    assert list(temporary.glob("*.mlpackage")) == []
    return out


def build(generator: torch.nn.Module, precision: str, frames: Sequence[Frames], to: Path) -> Built:
    store = GraphStore(generator, frames, {"name": "tiny"}, to)
    (built,) = find_target("coreml").build(store, precision, to)
    return built


# With these, untrained generators change a picture by about as much as a trained one.
LIVELY = {"edge_m": 0.03, "edge_l": 0.02}


def lively(name: str, **options: Any) -> torch.nn.Module:
    """An untrained generator whose every part matters."""
    torch.manual_seed(0)
    generator = create_generator(name, **options).eval()
    for key, value in generator.named_parameters():
        if name in LIVELY and ("conv2.weight" in key or "up_full.weight" in key):
            torch.nn.init.normal_(value, std=LIVELY[name])
    return generator


def description(path: Path) -> Any:
    from pleinair.export.targets.coreml.package import load_model

    return load_model(path)


def operations(path: Path) -> list[Any]:
    (function,) = description(path).mlProgram.functions.values()
    return list(function.block_specializations[function.opset].operations)


def test_every_precision_is_built_and_measured(coreml: Path) -> None:
    bundle = Bundle.open(coreml)
    assert [a.precision for a in bundle.manifest.artifacts] == list(PRECISIONS)
    least = {"fp16": 55, "w8": 38, "int8": 38}
    for artifact in bundle.manifest.artifacts:
        assert artifact.drift.psnr_db >= least[artifact.precision]
        assert artifact.drift.verdict == "holds"
        assert artifact.drift.runner == ("coreml" if ON_A_MAC else "evaluator")
        assert not artifact.dynamic
        assert artifact.tool_versions["coremltools"]
        assert sha256_of(bundle.path(artifact)) == artifact.sha256


def test_integers_make_packages_small(coreml: Path) -> None:
    weights = {p: bytes_of(coreml / f"{p}.mlpackage" / "Data") for p in PRECISIONS}
    assert weights["w8"] < 0.65 * weights["fp16"]  # the smallest generator: names count
    assert weights["int8"] < 0.75 * weights["fp16"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_pictures_go_in_and_out(coreml: Path, precision: str) -> None:
    model = description(coreml / f"{precision}.mlpackage")
    assert model.specificationVersion == 8  # iOS 17, macOS 14
    (source,), (target,) = model.description.input, model.description.output
    assert (source.name, target.name) == ("frame", "painted")
    rgb = source.type.imageType.RGB
    assert source.type.imageType.colorSpace == target.type.imageType.colorSpace == rgb
    sizes = {(s.height, s.width) for s in source.type.imageType.enumeratedSizes.sizes}
    assert {(256, 256), (720, 1280), (1280, 720), (1080, 1920)} <= sizes
    assert model.description.metadata.userDefined["pleinair.architecture"] == "edge_s"
    assert not [key for key in model.description.metadata.userDefined if "date" in key]
    assert [o.type for o in operations(coreml / f"{precision}.mlpackage")].count("round") == 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_xcode_shows_what_it_is(coreml: Path, precision: str) -> None:
    said = description(coreml / f"{precision}.mlpackage").description
    about = said.metadata
    assert (about.author, about.license) == (f"made with pleinair {__version__}", "CC0-1.0")
    assert (about.shortDescription, about.versionString) == ("Tiny. For tests.", __version__)
    (source,), (target,) = said.input, said.output
    assert source.shortDescription.startswith("The picture, in RGB: 256x256, 640x360,")
    assert source.shortDescription.endswith("1920x1080.")
    assert target.shortDescription == "Its painting, of the same size."


def test_a_recipe_names_its_author(run: Path, photos: Path, tmp_path: Path) -> None:
    state = torch.load(run / "generator.pt", weights_only=True)
    state["recipe"]["about"] = {"description": "Paints.", "author": "Ada"}
    torch.save(state, tmp_path / "generator.pt")
    out = tmp_path / "out"
    export(
        tmp_path / "generator.pt", out, targets=["coreml"], precisions=["fp16"], calibration=photos
    )
    about = description(out / "fp16.mlpackage").description.metadata
    assert (about.author, about.shortDescription) == ("Ada", "Tiny. Paints.")


def test_coremltools_reads_what_was_saved(coreml: Path) -> None:
    from pleinair.export.targets.coreml.tools import ct

    for precision in PRECISIONS:
        model = ct.models.MLModel(str(coreml / f"{precision}.mlpackage"), skip_model_load=True)
        assert model.get_spec().WhichOneof("Type") == "mlProgram"


def test_int8_convolutions_read_integers_and_nothing_else_does(coreml: Path) -> None:
    made = {o.outputs[0].name: o for o in operations(coreml / "int8.mlpackage")}
    convolutions = [o for o in made.values() if o.type == "conv"]
    read = Counter()
    for convolution in convolutions:
        x, weight = (made[convolution.inputs[key].arguments[0].name] for key in ("x", "weight"))
        assert (x.type, weight.type) == ("dequantize", "constexpr_affine_dequantize")
        read[x.outputs[0].name] += 1
    sums = [o for o in made.values() if o.type == "add"]
    assert len(convolutions) == 12
    for each in sums:
        assert not {a.arguments[0].name for a in each.inputs.values()} & set(read)


def test_w8_computes_in_half_precision_with_integer_weights(coreml: Path) -> None:
    made = {o.outputs[0].name: o for o in operations(coreml / "w8.mlpackage")}
    kinds = Counter(o.type for o in made.values())
    assert kinds["constexpr_affine_dequantize"] == kinds["conv"] == 12
    assert not kinds["quantize"]


# The search


@pytest.fixture(scope="module")
def plain_psnr(coreml: Path) -> float:
    artifact = Bundle.open(coreml).find("coreml", "int8")
    assert artifact is not None
    return artifact.drift.psnr_db


@pytest.fixture(scope="module")
def held(
    tmp_path_factory: pytest.TempPathFactory, run: Path, photos: Path, plain_psnr: float
) -> Path:
    """The run, with a budget that plain INT8 misses."""
    out = tmp_path_factory.mktemp("held") / "b"
    budget = [f"psnr={plain_psnr + 1.5}"]
    export(run, out, targets=["coreml"], precisions=["int8"], calibration=photos, max_drift=budget)
    return out


def test_without_a_budget_all_is_int8_and_noted(coreml: Path) -> None:
    records = {a.precision: a.quantization for a in Bundle.open(coreml).manifest.artifacts}
    record = records.pop("int8")
    assert not any(records.values())
    assert record is not None
    assert (record.ranges, record.int8_macs, record.layers) == ("min-max", 1, [])


def test_a_budget_leaves_the_fewest_layers_in_half_precision(held: Path, plain_psnr: float) -> None:
    (artifact,) = Bundle.open(held).manifest.artifacts
    assert artifact.drift.verdict == "holds"
    assert artifact.drift.psnr_db >= plain_psnr + 1.5
    record = artifact.quantization
    assert record is not None
    floats = assert_fewest_float_layers(record)
    assert len(record.layers) == 12
    assert "up_full" in (held / "MODEL_CARD.md").read_text()
    assert sorted(half_convolutions(held / "int8.mlpackage")) == sorted(floats)


def half_convolutions(path: Path) -> list[str]:
    """Names the convolutions that read half precision alone; the others read integers alone."""
    made = {o.outputs[0].name: o for o in operations(path)}
    half = []
    for convolution in (o for o in made.values() if o.type == "conv"):
        x, weight = (made[convolution.inputs[key].arguments[0].name] for key in ("x", "weight"))
        restored = x.type == "dequantize"
        assert weight.type == ("constexpr_affine_dequantize" if restored else "const")
        if not restored:
            name = re.match(r"body_generator_(\w+?)(_\d)?_weight_to_fp16", weight.outputs[0].name)
            assert name
            half.append(re.sub(r"_(\d)_", r".\1.", name[1]))
    return half


def test_a_rounding_is_for_int8_layers_alone(photos: Path) -> None:
    """The picture goes to ``soften`` and to ``stem``."""
    from pleinair.export.graphs.image import image_graph
    from pleinair.export.targets.coreml.calibrate import Calibrated

    calibrated = Calibrated(image_graph(lively("edge_s")), load_frames(photos, 8, 2))
    float_layers = {
        "none": [],
        "one": ["generator.soften"],
        "both": ["generator.soften", "generator.stem"],
        "all": calibrated.layers,
    }
    graphs = {
        name: calibrated.quantized(layers).body.graph for name, layers in float_layers.items()
    }
    reads = {
        name: {str(n.target): str(n.args[0]) for n in graph.nodes if n.op == "call_module"}
        for name, graph in graphs.items()
    }
    picture = {name: (r["generator.soften"], r["generator.stem"]) for name, r in reads.items()}
    assert picture["none"][0] == picture["none"][1] == "dequantize"
    assert picture["one"] == ("x", "dequantize")
    assert picture["both"] == ("x", "x")
    roundings = {
        name: sum(n.target is torch.quantize_per_tensor for n in graph.nodes)
        for name, graph in graphs.items()
    }
    assert roundings["none"] == roundings["one"] == roundings["both"] + 1
    assert roundings["all"] == 0


def test_a_budget_that_cannot_be_met_keeps_nothing(run: Path, photos: Path, tmp_path: Path) -> None:
    said = r"INT8 for coreml cannot.*every convolution in float.*misses PSNR \d+\.\d+ dB < 98"
    with pytest.raises(ExportError, match=said):
        export(
            run,
            tmp_path / "b",
            targets=["coreml"],
            precisions=["int8"],
            calibration=photos,
            max_drift=["psnr=98"],
        )
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_layers_to_spare_says_so(run: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"coreml w8 misses.*no layers that could stay float"):
        export(
            run,
            tmp_path / "b",
            targets=["coreml"],
            precisions=["w8"],
            calibration=photos,
            max_drift=["psnr=98"],
        )


def test_transposed_layers_are_int8_too_and_can_be_spared(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = torch.nn.Sequential(
        torch.nn.ReflectionPad2d(1),
        torch.nn.Conv2d(3, 8, 3, stride=2),
        torch.nn.InstanceNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1, output_padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 3, 7, padding=3),
        torch.nn.Tanh(),
    ).eval()
    generator.stride = 4  # type: ignore[assignment]
    frames = [f[:, :64, :64] for f in load_frames(photos, 4, 4)]
    expected = reference_pictures(generator, frames)
    plain = difference(build(generator, "int8", frames, tmp_path).paint, frames, expected)
    budget = DriftLimits(psnr=plain.psnr_db + 1)
    store = GraphStore(
        generator,
        frames,
        {},
        tmp_path,
        budget,
        lambda paint: budget.margin(difference(paint, frames, expected)),
    )
    (built,) = find_target("coreml").build(store, "int8", tmp_path)
    assert difference(built.paint, frames, expected).psnr_db >= plain.psnr_db + 1
    record = built.quantization
    assert record is not None
    assert {layer.name for layer in record.layers} == {"1", "4", "7"}
    assert sum(layer.macs for layer in record.layers) == pytest.approx(1, abs=0.001)
    float_layers = sum(layer.float for layer in record.layers)
    kinds = [o.type for o in operations(built.path)]
    assert (kinds.count("conv"), kinds.count("conv_transpose")) == (2, 1)
    assert kinds.count("constexpr_affine_dequantize") == 3 - float_layers < 3


def test_exporting_twice_gives_the_same_package(coreml: Path, run: Path, photos: Path) -> None:
    again = coreml.parent / "again"
    said = {"licence": "CC0-1.0", "description": "For tests."}
    manifest = export(
        run, again, targets=["coreml"], calibration=photos, precisions=["int8"], **said
    )
    (artifact,) = manifest.artifacts
    assert artifact.sha256 == sha256_of(coreml / "int8.mlpackage")


@pytest.mark.parametrize(
    ("name", "options", "least"),
    [
        ("resnet_6blocks", {"ngf": 8}, {"w8": 38, "int8": 28}),
        ("unet_128", {"ngf": 8}, {"fp16": 55, "int8": 38}),
        pytest.param("edge_m", {}, {"fp16": 55, "w8": 38, "int8": 38}, marks=pytest.mark.slow),
        pytest.param("edge_l", {}, {"fp16": 55, "w8": 38, "int8": 38}, marks=pytest.mark.slow),
        pytest.param(
            "unet_256", {"ngf": 16}, {"fp16": 55, "w8": 38, "int8": 38}, marks=pytest.mark.slow
        ),
        pytest.param(
            "unet_128",
            {"norm": "instance", "ngf": 8},
            {"fp16": 50, "w8": 34, "int8": 28},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_generator(
    name: str, options: dict[str, Any], least: dict[str, float], tmp_path: Path, photos: Path
) -> None:
    generator = lively(name, **options)
    side = {"unet_256": 256, "unet_128": 128}.get(name, 64)
    frames = [cv2.resize(f[0], (side, side))[None] for f in load_frames(photos, 4, 4)]
    expected = reference_pictures(generator, frames)
    for precision, psnr in least.items():
        built = build(generator, precision, frames, tmp_path)
        assert difference(built.paint, frames, expected).psnr_db >= psnr


def test_sizes_are_multiples_of_the_stride() -> None:
    from pleinair.export.targets.coreml.convert import sizes_for

    assert sizes_for(8)[:3] == [(256, 256), (360, 640), (640, 360)]
    up = sizes_for(256)
    assert up[0] == (256, 256)
    assert len(set(up)) == len(up)
    assert all(height % 256 == width % 256 == 0 for height, width in up)
    assert (1280, 2048) in up


def test_norms_are_computed_wide_only_where_half_precision_overflows(
    tmp_path: Path, photos: Path
) -> None:
    frames = load_frames(photos, 4, 2)
    torch.manual_seed(0)
    norm, last = torch.nn.InstanceNorm2d(8), torch.nn.Conv2d(8, 3, 3, padding=1)
    generator = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), norm, last).eval()
    generator.stride = 4  # type: ignore[assignment]
    assert norm_types(build(generator, "fp16", frames, tmp_path).path) == {"FLOAT16"}
    with torch.no_grad():
        generator[0].weight *= 1000
    expected = reference_pictures(generator, frames)
    built = build(generator, "fp16", frames, tmp_path)
    assert norm_types(built.path) == {"FLOAT32"}
    assert difference(built.paint, frames, expected).psnr_db > 45


def norm_types(path: Path) -> set[str]:
    from coremltools.proto.MIL_pb2 import DataType

    norms = [o for o in operations(path) if o.type == "instance_norm"]
    return {DataType.Name(o.outputs[0].type.tensorType.dataType) for o in norms}


def test_without_coremltools_the_install_line_is_said(
    run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "coremltools" else find_spec(name)
    )
    with pytest.raises(ExportError, match=r'needs coremltools; run: pip install "pleinair\[coreml'):
        export(run, tmp_path / "b", targets=["coreml"], calibration=photos)
    assert not (tmp_path / "b").exists()


def test_a_generator_that_cannot_be_converted_is_a_clear_error(
    tmp_path: Path, photos: Path
) -> None:
    class Odd(torch.nn.Module):
        stride = 8

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(x)

    with pytest.raises(ExportError, match=r"cannot convert the generator: .*bessel"):
        build(Odd(), "fp16", load_frames(photos, 8, 2), tmp_path)


@pytest.mark.skipif(not ON_A_MAC, reason="needs Core ML, which only a Mac has")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_evaluator_paints_what_core_ml_paints(
    coreml: Path, run: Path, photos: Path, precision: str
) -> None:
    from pleinair.export.targets.coreml.mil.evaluator import Evaluator

    path = coreml / f"{precision}.mlpackage"
    frames = load_frames(photos, load_source(str(run)).generator.stride, 4)
    evaluator, engine = Evaluator(path), find_backend("coreml").load(path)
    found = difference(evaluator, frames, [engine(frame) for frame in frames])
    assert found.psnr_db >= 50
    assert found.p99_abs <= 1

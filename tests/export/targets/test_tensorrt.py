from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, sha256_of
from pleinair.bundle.manifest import Artifact
from pleinair.errors import BackendError, ExportError
from pleinair.export.calibration import load_frames
from pleinair.export.graph_store import GraphStore
from pleinair.export.int8.quantize import TENSORRT
from pleinair.export.sources.source import load_source
from pleinair.export.targets import find_target
from pleinair.export.targets.tensorrt.build import CAPABILITIES
from pleinair.export.targets.tensorrt.engine import Sizes, build_engine
from pleinair.export.targets.tensorrt.graph import tensorrt_graph
from pleinair.export.targets.tensorrt.trtexec import command_lines
from pleinair.runtime.backends import find_backend
from pleinair.runtime.backends.tensorrt import nvidia
from pleinair.runtime.backends.tensorrt.engine_file import read_engine
from pleinair.runtime.verify import verify

from ..conftest import Norms

needs_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None, reason="needs tensorrt-rtx"
)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, run: Path, photos: Path) -> GraphStore:
    frames = load_frames(photos, 8, 3)
    return GraphStore(load_source(str(run)).generator, frames, {}, tmp_path_factory.mktemp("edge"))


@pytest.fixture(scope="module")
def norms(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> GraphStore:
    torch.manual_seed(0)
    frames = load_frames(photos, 8, 3)
    return GraphStore(Norms(), frames, {}, tmp_path_factory.mktemp("norms"))


@pytest.fixture(scope="module")
def graphs(
    edge: GraphStore, norms: GraphStore, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Graphs as TensorRT takes them, by generator and precision."""
    folder = tmp_path_factory.mktemp("graphs")
    paths = {}
    for name, store in (("edge", edge), ("norms", norms)):
        for precision, source in sources(store).items():
            path = paths[f"{name} {precision}"] = folder / f"{name}-{precision}.onnx"
            tensorrt_graph(source, path, halve=precision == "int8")
    return paths


def sources(store: GraphStore) -> dict[str, Path]:
    graphs = {"int8": store.int8_graph(TENSORRT).path}
    if not isinstance(store.generator, Norms):
        graphs["fp16"] = store.float_graph(torch.float16)
    return graphs


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, run: Path, photos: Path) -> Path:
    """A bundle for TensorRT only."""
    pytest.importorskip("tensorrt_rtx")
    out = tmp_path_factory.mktemp("out") / "tiny"
    export(run, out, targets=["tensorrt"], calibration=photos)
    return out


def gpu() -> str:
    try:
        return nvidia.gpu()
    except BackendError:
        return ""


def paint(path: Path, frame: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"frame": frame})[0].astype(int)


def types_of(path: Path) -> tuple[onnx.ModelProto, dict[str, int]]:
    model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True)
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    types = {v.name: v.type.tensor_type.elem_type for v in values}
    return model, types | {t.name: t.data_type for t in model.graph.initializer}


# The graph


@pytest.mark.parametrize("name", ["edge", "norms"])
def test_the_graph_paints_the_same(
    name: str, graphs: dict[str, Path], request: pytest.FixtureRequest
) -> None:
    store: GraphStore = request.getfixturevalue(name)
    frame = store.calibration[0]
    source = sources(store)
    if "fp16" in source:  # only bytes are cast elsewhere
        assert np.array_equal(paint(source["fp16"], frame), paint(graphs[f"{name} fp16"], frame))
    expected = paint(store.float_graph(), frame)
    paintings = (paint(path, frame) for path in (source["int8"], graphs[f"{name} int8"]))
    before, after = (np.square(painted - expected).mean() for painted in paintings)
    assert 0 < after < 1.1 * before  # float16 rounds so finely that integers hide it


@pytest.mark.parametrize("name", ["edge", "norms"])
def test_int8_graphs_are_float16_between_convolutions_and_float32_around(
    name: str, graphs: dict[str, Path]
) -> None:
    model, types = types_of(graphs[f"{name} int8"])
    nodes = list(model.graph.node)
    convolutions = [i for i, n in enumerate(nodes) if n.op_type in ("Conv", "ConvTranspose")]
    for index in convolutions:
        assert {types[x] for x in nodes[index].input} == {TensorProto.FLOAT16}
    after = {x for n in nodes[convolutions[-1] + 1 :] for x in n.output}
    assert TensorProto.FLOAT16 not in {types[x] for x in after}
    between = [n for n in nodes if n.op_type in ("Relu", "Pad", "DepthToSpace")]
    assert {types[n.output[0]] for n in between} <= {TensorProto.FLOAT16, TensorProto.FLOAT}
    relu = next(n for n in nodes if n.op_type == "Relu")
    assert types[relu.output[0]] == TensorProto.FLOAT16
    for node in nodes:
        if node.op_type == "InstanceNormalization":
            assert types[node.input[0]] == types[node.output[0]] == TensorProto.FLOAT


def test_bytes_are_at_the_ends_only(graphs: dict[str, Path]) -> None:
    for path in graphs.values():
        model, types = types_of(path)
        small = {name for name, kind in types.items() if kind == TensorProto.UINT8}
        assert small == {"frame", "painted"}
        onnx.checker.check_model(model, full_check=True)


def test_the_same_graph_is_written_twice(
    edge: GraphStore, graphs: dict[str, Path], tmp_path
) -> None:
    tensorrt_graph(edge.int8_graph(TENSORRT).path, tmp_path / "again.onnx", halve=True)
    assert (tmp_path / "again.onnx").read_bytes() == graphs["edge int8"].read_bytes()


def handmade(path: Path, nodes: list[Any], constants: dict[str, np.ndarray]) -> Path:
    shape = [1, "rows", "columns", 3]
    graph = helper.make_graph(
        nodes,
        "handmade",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("painted", TensorProto.UINT8, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path


def test_sums_of_squares_do_not_overflow(tmp_path: Path) -> None:
    """A norm in small operations: the frame times 100, over its root mean square."""
    node = helper.make_node
    source = handmade(
        tmp_path / "norm.onnx",
        [
            node("Cast", ["frame"], ["numbers"], to=TensorProto.FLOAT),
            node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
            node("Conv", ["planes", "hundred"], ["big"]),
            node("Mul", ["big", "big"], ["squares"]),
            node("ReduceMean", ["squares", "sides"], ["mean"], keepdims=1),
            node("Sqrt", ["mean"], ["root"]),
            node("Div", ["big", "root"], ["normed"]),
            node("Conv", ["normed", "hundred"], ["out"]),
            node("Transpose", ["out"], ["pixels"], perm=[0, 2, 3, 1]),
            node("Clip", ["pixels", "black", "white"], ["clipped"]),
            node("Cast", ["clipped"], ["painted"], to=TensorProto.UINT8),
        ],
        {
            "hundred": (100 * np.eye(3, dtype=np.float32))[..., None, None],
            "sides": np.array([2, 3]),
            "black": np.array(0, np.float32),
            "white": np.array(255, np.float32),
        },
    )
    frame = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8)
    tensorrt_graph(source, tmp_path / "half.onnx", halve=True)
    expected, found = paint(source, frame), paint(tmp_path / "half.onnx", frame)
    assert expected.std() > 20
    assert np.abs(expected - found).max() <= 1


def test_no_scale_becomes_zero(tmp_path: Path) -> None:
    node = helper.make_node
    source = handmade(
        tmp_path / "scale.onnx",
        [
            node("Cast", ["frame"], ["numbers"], to=TensorProto.FLOAT),
            node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2]),
            node("DequantizeLinear", ["stored", "scale", "zero"], ["weight"], axis=0),
            node("Conv", ["planes", "weight"], ["out"]),
            node("Transpose", ["out"], ["pixels"], perm=[0, 2, 3, 1]),
            node("Cast", ["pixels"], ["painted"], to=TensorProto.UINT8),
        ],
        {
            "stored": np.full((3, 3, 1, 1), 63, np.int8),
            "scale": np.array([1e-9, 1e-5, 1e-2], np.float32),
            "zero": np.zeros(3, np.int8),
        },
    )
    tensorrt_graph(source, tmp_path / "half.onnx", halve=True)
    stored = {t.name: t for t in onnx.load(tmp_path / "half.onnx").graph.initializer}
    scale = numpy_helper.to_array(stored["scale_float16"])
    assert scale.dtype == np.float16
    assert (scale > 0).all()
    assert scale[1:] == pytest.approx([1e-5, 1e-2], rel=0.01)


# Engines, built for real


@dataclass
class Layer:
    """A line of the builder's report; the inspector needs a GPU, the report does not."""

    kind: str
    inputs: list[str]
    constants: list[str]

    @classmethod
    def all_in(cls, report: str) -> Iterator[Layer]:
        pattern = r"^Name: .*?, LayerType: (\w+), Inputs: \[(.*?)\], Constants: \[(.*?)\], Outp"
        for kind, *tensors in re.findall(pattern, report, re.MULTILINE):
            yield cls(kind, *(re.findall(r"Datatype: (\w+)", text) for text in tensors))


@pytest.fixture(scope="module")
def report(graphs: dict[str, Path]):
    """Builds for sm86; returns what TensorRT-RTX says of the layers that it made."""
    library = pytest.importorskip("tensorrt_rtx")

    def build(name: str) -> str:
        log = nvidia.log_of(library)
        before, log.level = log.level, library.ILogger.VERBOSE
        try:
            sizes = Sizes.of(graphs[name], 8)
            assert len(build_engine(library, graphs[name], sizes, "sm86")) > 10_000
            return next(text for text in log.messages if text.startswith("Layers:"))
        finally:
            log.level = before

    return build


@pytest.mark.parametrize(
    ("name", "inputs"), [("edge fp16", "Half"), ("edge int8", "Int8"), ("norms int8", "Int8")]
)
def test_convolutions_compute_in_the_precision_asked_for(report, name: str, inputs: str) -> None:
    layers = [layer for layer in Layer.all_in(report(name)) if layer.kind == "correlation"]
    assert len(layers) == {"edge": 13, "norms": 3}[name.split(maxsplit=1)[0]]
    for layer in layers:
        assert layer.inputs[0] == layer.constants[0] == inputs


def test_what_is_not_quantized_is_half(report) -> None:
    layers = [layer for layer in Layer.all_in(report("norms int8")) if layer.kind == "deconv"]
    assert [(layer.inputs[0], layer.constants[0]) for layer in layers] == [("Half", "Half")]


def test_engines_take_and_return_bytes_of_many_sizes(report) -> None:
    said = report("edge int8")
    frame, painted = re.findall(r"^ Name: (\w+), IOMode: \w+, DataType: (\w+),.*$", said, re.M)
    assert (frame, painted) == (("frame", "UInt8"), ("painted", "UInt8"))
    shapes = re.search(r"MinShape: (\S+), OptShape: (\S+), MaxShape: (\S+),", said)
    assert shapes
    assert shapes.groups() == ("[1,16,16,3]", "[1,720,1280,3]", "[1,1920,1920,3]")


@needs_rtx
def test_an_engine_for_each_capability_named_hashed_and_measured(exported: Path) -> None:
    bundle = Bundle.open(exported)
    for precision in ("fp16", "int8"):
        artifacts = [a for a in bundle.manifest.artifacts if a.precision == precision]
        assert [a.device for a in artifacts][:5] == ["trtexec", *CAPABILITIES]
        for artifact in artifacts:
            assert sha256_of(bundle.path(artifact)) == artifact.sha256
            assert artifact.drift.images == 8
            if artifact.device != gpu():
                assert artifact.drift.verdict.startswith("built, not run here; its graph: ")
                assert artifact.drift.runner == "onnxruntime"
            if artifact.device != "trtexec":
                assert artifact.path == f"{precision}.{artifact.device}.engine.gz"
                assert set(artifact.tool_versions) >= {"tensorrt_rtx", "torch"}
        elsewhere = [a.drift.psnr_db for a in artifacts if a.device != gpu()]
        assert len(set(elsewhere)) == 1  # all of one graph
    psnr = {a.precision: a.drift.psnr_db for a in bundle.manifest.artifacts}
    assert psnr["fp16"] >= 55
    assert psnr["int8"] >= 34


@needs_rtx
def test_engines_are_whole_and_each_for_its_own_capability(exported: Path) -> None:
    import tensorrt_rtx as trt

    runtime = trt.Runtime(nvidia.log_of(trt))
    malformed = int(trt.EngineInvalidityDiagnostics.MALFORMED_ENGINE)
    seen = set()
    for path in exported.glob("*.engine.gz"):
        data = read_engine(path)
        assert not runtime.get_engine_validity(data)[1] & malformed
        assert runtime.get_engine_validity(data[::-1])[1] & malformed
        seen.add(data)
    assert len(seen) == 2 * len(find_devices(exported))


def find_devices(exported: Path) -> set[str]:
    return {path.name.split(".")[1] for path in exported.glob("*.engine.gz")}


@needs_rtx
def test_the_bundle_verifies_on_this_machine(exported: Path) -> None:
    found = verify(exported, count=1)
    assert found["ok"]
    assert {row["hash"] for row in found["artifacts"]} == {"ok"}


@needs_rtx
def test_a_fixed_size_stays_fixed(graphs: dict[str, Path], tmp_path: Path) -> None:
    import tensorrt_rtx as trt

    model = onnx.load(graphs["norms int8"])
    for value in (*model.graph.input, *model.graph.output):
        for axis, side in ((1, 64), (2, 96)):
            value.type.tensor_type.shape.dim[axis].dim_value = side
    onnx.save(model, tmp_path / "fixed.onnx")
    sizes = Sizes.of(tmp_path / "fixed.onnx", 2)
    assert sizes.shapes == [(1, 64, 96, 3)] * 3
    assert not sizes.dynamic
    assert len(build_engine(trt, tmp_path / "fixed.onnx", sizes, "sm89")) > 10_000


@pytest.mark.gpu
@pytest.mark.skipif(not gpu(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_engine_paints_what_its_graph_does(exported: Path, edge: GraphStore, precision) -> None:
    engine = find_backend("tensorrt").load(exported / f"{precision}.{gpu()}.engine.gz")
    for frame in edge.calibration:
        expected = paint(exported / f"{precision}.tensorrt" / "graph.onnx", frame)
        assert np.percentile(np.abs(engine(frame).astype(int) - expected), 99.9) <= 3


# trtexec


def options(line: str) -> dict[str, str]:
    program, *words = shlex.split(line)
    assert program == "trtexec"
    return {key: value for key, _, value in (word.partition("=") for word in words)}


@pytest.mark.parametrize("stride", [4, 8, 256])
def test_the_lines_for_trtexec(stride: int) -> None:
    sizes = sizes_of(stride)
    ten, eleven, timing = lines(command_lines("int8", sizes))
    assert options(ten) == options(eleven) | {"--stronglyTyped": ""}
    assert options(eleven)["--onnx"] == "graph.onnx"
    assert options(timing)["--loadEngine"] == options(eleven)["--saveEngine"]
    for key, shape in zip(("--minShapes", "--optShapes", "--maxShapes"), sizes.shapes, strict=True):
        assert options(eleven)[key] == "frame:" + "x".join(map(str, shape))
        assert not any(side % stride for side in shape[1:3])
    assert sizes.least == (2 * stride, 2 * stride)  # what small pictures are padded to
    assert sizes.usual >= (720, 1280)


def sizes_of(stride: int) -> Sizes:
    from unittest.mock import patch

    graph = helper.make_graph(
        [], "", [helper.make_tensor_value_info("frame", 2, [1, "rows", "columns", 3])], []
    )
    with patch("onnx.load", return_value=helper.make_model(graph)):
        return Sizes.of(Path("any.onnx"), stride)


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


def test_a_fixed_size_needs_no_shapes_in_the_lines() -> None:
    for line in lines(command_lines("fp16", Sizes((64, 96), (64, 96), (64, 96)))):
        assert "hapes" not in line


@needs_rtx
def test_the_lines_lie_beside_their_graph(exported: Path) -> None:
    for precision in ("fp16", "int8"):
        folder = exported / f"{precision}.tensorrt"
        assert {path.name for path in folder.iterdir()} == {"graph.onnx", "trtexec.txt"}
        sizes = Sizes.of(folder / "graph.onnx", 8)
        assert (folder / "trtexec.txt").read_text() == command_lines(precision, sizes)


# What goes wrong


@needs_rtx
def test_the_parsers_own_words(edge: GraphStore, tmp_path: Path) -> None:
    import tensorrt_rtx as trt

    graph = edge.float_graph(torch.float16)  # moves bytes inside, which TensorRT does not
    sizes = Sizes.of(graph, 8)
    said = r"cannot read \S+\.onnx: node \S+ \(Cast\): .*UINT8"
    with pytest.raises(ExportError, match=said) as caught:
        build_engine(trt, graph, sizes, "sm86")
    assert "\n" not in str(caught.value)
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(ExportError, match=r"cannot read text\.onnx: .*ONNX"):
        build_engine(trt, tmp_path / "text.onnx", sizes, "sm86")


@needs_rtx
def test_the_builders_own_words(graphs: dict[str, Path]) -> None:
    import tensorrt_rtx as trt

    wrong = Sizes((64, 64), (32, 32), (128, 128))
    with pytest.raises(ExportError, match=r"cannot build for sm86: .*MIN<=OPT<=MAX"):
        build_engine(trt, graphs["edge fp16"], wrong, "sm86")
    sizes = Sizes.of(graphs["edge fp16"], 8)
    with pytest.raises(ExportError, match="cannot build for sm42"):
        build_engine(trt, graphs["edge fp16"], sizes, "sm42")


def test_without_a_library(edge: GraphStore, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    target = find_target("tensorrt")
    assert not target.available
    with pytest.raises(ExportError, match=r'tensorrt_rtx or tensorrt; run: pip install "pleinair'):
        list(target.build(edge, "fp16", tmp_path))
    assert not list(tmp_path.iterdir())


@needs_rtx
@pytest.mark.skipif(bool(gpu()), reason="there is a GPU")
def test_tensorrt_itself_needs_a_gpu(edge: GraphStore, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(nvidia, "libraries", lambda: [SimpleNamespace(__name__="tensorrt")])
    with pytest.raises(ExportError, match=r"no NVIDIA GPU.*without a GPU, run: pip install"):
        list(find_target("tensorrt").build(edge, "fp16", tmp_path))
    assert not list(tmp_path.iterdir())


class AsTensorRt:
    """TensorRT-RTX under TensorRT's name: the same API, so the other way through our code runs."""

    __name__ = "tensorrt"

    def __getattr__(self, name: str) -> Any:
        import tensorrt_rtx

        return getattr(tensorrt_rtx, name)


@needs_rtx
@pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")
def test_tensorrt_keeps_its_timings(graphs: dict[str, Path], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    library, graph = AsTensorRt(), graphs["edge fp16"]
    sizes = Sizes.of(graph, 8)
    assert len(build_engine(library, graph, sizes, "sm87")) > 10_000
    (kept,) = (tmp_path / "pleinair").iterdir()
    assert re.fullmatch(r"tensorrt-[\d.]+-sm87\.timings", kept.name)
    kept.write_bytes(b"damaged")  # then it times again
    assert len(build_engine(library, graph, sizes, "sm87")) > 10_000
    assert kept.read_bytes() != b"damaged"


@pytest.mark.filterwarnings("ignore:Use Deprecated in TensorRT-RTX")
def test_what_is_built_on_a_device_is_for_it(edge: GraphStore, tmp_path: Path, monkeypatch) -> None:
    """With TensorRT itself: one engine, and its drift is its own."""
    pytest.importorskip("tensorrt_rtx")
    loaded = []

    class Engine:
        def __init__(self, path: Path) -> None:
            loaded.append(path)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(nvidia, "libraries", lambda: [AsTensorRt()])
    monkeypatch.setattr(nvidia, "gpu", lambda: "sm87")
    monkeypatch.setattr(
        "pleinair.runtime.backends.tensorrt.engine.load", lambda path, in_flight: Engine(path)
    )
    folder = tmp_path / "staged"
    folder.mkdir()
    source, built = find_target("tensorrt").build(edge, "fp16", folder)
    assert (source.device, source.runs_here) == ("trtexec", False)
    assert (built.device, built.runs_here, built.runner) == ("sm87", True, "tensorrt")
    assert built.path.name == "fp16.sm87.engine.gz"
    assert isinstance(built.paint, Engine)
    assert loaded == [built.path]
    assert built.versions["tensorrt"]


def test_a_bundle_says_what_runs_where(exported: Path) -> None:
    found: list[Artifact] = []
    bundle = Bundle.open(exported)
    for device in CAPABILITIES:
        artifact = bundle.find("tensorrt", "int8", device.__eq__)
        assert artifact
        found.append(artifact)
    assert [a.device for a in found] == list(CAPABILITIES)
    assert bundle.find("tensorrt", "int8") is None  # nothing that any device runs

"""Loops paint what the graph paints, and only what is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.manifest import Strokes
from pleinair.canvas.hand import HANDS, MONET
from pleinair.canvas.layout import Piece
from pleinair.pictures import read_picture
from pleinair.runtime.backends import find_backend
from pleinair.runtime.backends.onnxruntime.engine import OnnxRuntimeEngine
from pleinair.runtime.onnx_parts import inputs_of, plan_part
from pleinair.runtime.planes import planes_of, yuv_of
from pleinair.runtime.strokes.canvases import Canvases

pytest.importorskip("numba", reason="loops are compiled by numba")
from pleinair.runtime.strokes.brush import Brush
from pleinair.runtime.strokes.laid import FILES, FOLDER, LaidCanvases

SIZE = 96, 128


class Planned:
    """A planner that knows what it will be asked."""

    def __init__(self, plan):
        self.made, self.asked = plan, None

    def prepare(self, height, width):
        """Nothing to do."""

    def __call__(self, frames):
        self.asked = frames
        return self.made


class Planner(Planned):
    """Plans by a graph that also paints."""

    def __call__(self, frames):
        return self.made.plan(frames)


@pytest.fixture(scope="module")
def frame(photos):
    return np.ascontiguousarray(read_picture(photos / "00.jpg")[0][None, :96, :128])


@pytest.fixture(scope="module")
def artifact(stroke_bundle):
    bundle = Bundle.open(stroke_bundle)
    return bundle, bundle.path(bundle.find("onnx", "int8"))


@pytest.mark.parametrize("wrap", [False, True])
def test_it_paints_what_the_graph_paints(artifact, frame, wrap):
    bundle, path = artifact
    canvases = Canvases.of(bundle, wrap=wrap)
    graph = OnnxRuntimeEngine(path, 1, "cpu", canvases)
    painted = Brush(Planned(graph.plan(frame)), canvases, 1)(frame)
    apart = np.abs(painted.astype(int) - graph(frame))
    assert (apart > 0).mean() < 0.0001
    assert apart.max() <= 1


def test_a_piece_has_the_marks_of_the_whole(artifact, frame):
    bundle, path = artifact
    canvases, piece = Canvases.of(bundle), Piece(32, 64, (512, 640))
    graph = OnnxRuntimeEngine(path, 1, "cpu", canvases)
    painted = Brush(Planned(graph.plan(frame)), canvases, 1)(frame, piece)
    assert np.abs(painted.astype(int) - graph(frame, piece)).max() <= 2


def test_a_canvas_is_turned_and_the_plan_is_made_of_what_is_seen(artifact, frame):
    bundle, path = artifact
    canvases, turn = Canvases.of(bundle, wrap=True), (32, 64)
    graph = OnnxRuntimeEngine(path, 1, "cpu", canvases)
    painted = Brush(Planner(graph), canvases, 1)(frame, turn=turn)
    plan = np.roll(graph.plan(frame), [at // 4 for at in turn], (2, 3))
    laid = Brush(Planned(plan), canvases, 1)(frame)
    assert np.array_equal(painted, np.roll(laid, [-at for at in turn], (1, 2)))


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_backends_paint_with_it_and_leave_out_what_is_not_needed(artifact, frame, backend):
    bundle, path = artifact
    canvases = Canvases.of(bundle)
    engine = find_backend(backend).load(path, canvases=canvases)
    assert isinstance(engine, Brush)
    whole = engine(frame)
    needed = np.zeros(SIZE, np.uint8)
    needed[17:40, 3:77] = needed[-1, -1] = 255
    part = engine(frame, needed=needed)
    assert np.array_equal(part[0][needed > 0], whole[0][needed > 0])
    assert not np.array_equal(part, whole)


@pytest.fixture(scope="module", params=[1, 2], ids=["pixels", "blocks"])
def kind(request):
    """How a hand paints, by step, and PyTorch's painting of a plan."""
    torch = pytest.importorskip("torch")
    from pleinair.networks.stroke_head import CanvasTensors, StrokeHead

    hand = {1: HANDS["seurat"], 2: MONET}[request.param]
    canvases = Canvases(Strokes(hand=hand, step=request.param), "a test")
    laid: dict[tuple[int, int], CanvasTensors] = {}

    def expected(plan, size):
        if size not in laid:
            laid[size] = CanvasTensors.of(canvases.lay(*size))
        painted = StrokeHead(hand)(torch.from_numpy(plan), laid[size])
        return painted[0].permute(1, 2, 0).numpy().clip(0, 1) * 255

    return canvases, expected


@settings(max_examples=12, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1), threads=st.integers(1, 3))
def test_any_plan_on_any_size(kind, data, seed, threads):
    canvases, expected = kind
    size = tuple(data.draw(st.sampled_from([16, 40, 64])) for _ in range(2))
    shape = 1, 8, len(canvases.strokes.hand.layers), size[0] // 4, size[1] // 4
    random = np.random.default_rng(seed)
    plan = random.random(shape, np.float32)
    plan[:, 6:] = 2 * plan[:, 6:] - 1
    plan *= np.float32(data.draw(st.sampled_from([0, 0.5, 1, 1.5])))
    plan = plan.reshape(1, -1, *shape[3:])
    frame = np.zeros((1, *size, 3), np.uint8)
    painted = Brush(Planned(plan), canvases, threads)(frame)
    apart = np.abs(painted[0] - expected(plan, size))
    assert np.quantile(apart, 0.99) < 0.52  # a contour may fall on either side of a rounding error
    needed = (random.random(size) < 0.1).astype(np.uint8) * np.uint8(255)
    by_cells = np.ascontiguousarray(plan.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    part = Brush(Planned(by_cells), canvases, 1)(frame, needed=needed)
    assert np.array_equal(part[0][needed > 0], painted[0][needed > 0])


@pytest.mark.parametrize("range_", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("threads", [1, 2])
def test_planes_are_those_of_the_rgb_that_it_paints(artifact, frame, threads, range_):
    bundle, path = artifact
    canvases, meant = Canvases.of(bundle), (Colorspace.ITU709, range_)
    plan = OnnxRuntimeEngine(path, 1, "cpu", canvases).plan(frame)
    brush = Brush(Planned(plan), canvases, threads)
    assert brush.paints_planes
    expected = yuv_of(planes_of(brush(frame)[0], *meant), *meant)
    found = brush.planes(expected)
    assert np.abs(brush.planner.asked[0].astype(int) - expected.rgb()).max() <= 1
    needed = np.zeros(SIZE, np.uint8)
    needed[16:40, 4:76] = 255
    part = brush.planes(expected, needed)
    for one, whole, other in zip(part[:2], found[:2], expected[:2], strict=True):
        assert np.abs(whole.astype(int) - other).max() <= 1
        share = SIZE[0] // len(one)
        inside = needed[::share, ::share] > 0
        assert np.array_equal(one[inside], whole[inside])


def test_without_numba_the_graph_paints(artifact, frame, monkeypatch):
    bundle, path = artifact
    canvases = Canvases.of(bundle)
    for backend in ("onnxruntime", "openvino"):
        row = find_backend(backend)
        loops = row.load(path, canvases=canvases)
        with monkeypatch.context() as patch:
            module = f"pleinair.runtime.backends.{backend}.engine.any_installed"
            patch.setattr(module, lambda libraries: False)
            graph = row.load(path, canvases=canvases)
        assert not isinstance(graph, Brush)
        assert np.abs(graph(frame).astype(int) - loops(frame)).max() <= 2
        assert np.array_equal(graph.plan(frame), loops.plan(frame))


def test_the_part_that_plans_is_a_graph_of_its_own(artifact, frame, tmp_path):
    onnx = pytest.importorskip("onnx")
    _, path = artifact
    part = onnx.load_from_string(plan_part(path))
    onnx.checker.check_model(part, full_check=True)
    assert [value.name for value in (*part.graph.input, *part.graph.output)] == ["frame", "plan"]
    assert len(part.graph.node) < len(onnx.load(path).graph.node) / 2
    assert inputs_of(path)["frame"] == [1, None, None, 3]


def test_canvases_are_kept_for_the_next_start(artifact, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "pleinair" / FOLDER
    LaidCanvases(Canvases.of(artifact[0]))(*SIZE)
    assert not folder.exists()  # it may be of one picture alone
    canvases = Canvases.of(artifact[0], wrap=True)
    laid = LaidCanvases(canvases)(*SIZE)
    (file,) = folder.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(canvases, "lay", lambda *_, **__: pytest.fail("laid again"))
        assert same(LaidCanvases(canvases)(*SIZE), laid)
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], whole[:200] + b"\0" + whole[201:]):
        file.write_bytes(damaged)
        assert same(LaidCanvases(canvases)(*SIZE), laid)
        assert file.read_bytes() == whole
    laying = LaidCanvases(canvases)
    for rows in range(FILES + 1):
        laying(64 + 8 * rows, 64)
    assert len(list(folder.iterdir())) == FILES


def test_a_cache_that_cannot_be_written_only_takes_time(artifact, tmp_path, monkeypatch):
    blocked: Path = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert LaidCanvases(Canvases.of(artifact[0], wrap=True))(*SIZE).layers == 3


def test_a_full_disk_only_takes_time(monkeypatch):
    caching = pytest.importorskip("numba.core.caching")
    from pleinair.runtime.strokes.loops.compiling import outer

    def full(*_):
        raise OSError(28, "No space left on device")

    def twice(number):
        return 2 * number

    for name in ("save", "load"):
        with monkeypatch.context() as patch:
            patch.setattr(caching.IndexDataCacheFile, name, full)
            assert outer(twice)(3) == 6


def test_a_torn_loop_is_compiled_again(artifact, tmp_path):
    code = """if True:
        import sys
        from pleinair.bundle.bundle import Bundle
        from pleinair.runtime.backends import find_backend
        from pleinair.runtime.strokes.canvases import Canvases
        bundle = Bundle.open(sys.argv[1])
        path = bundle.path(bundle.find("onnx", "int8"))
        find_backend("onnxruntime").load(path, canvases=Canvases.of(bundle)).prepare(64, 64)
        from pleinair.runtime.strokes.loops.blocks import paint_blocks
        print(len(paint_blocks.stats.cache_hits), len(paint_blocks.stats.cache_misses))
    """
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}

    def start():
        command = [sys.executable, "-c", code, str(artifact[0].root)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=True
        )
        return done.stdout.split()

    assert start() == ["0", "1"]
    assert start() == ["1", "0"]
    (torn,) = (tmp_path / "pleinair" / "loops").rglob("*paint_blocks*.nbc")
    torn.write_bytes(torn.read_bytes()[:-1000])
    assert start() == ["0", "1"]
    assert start() == ["1", "0"]


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

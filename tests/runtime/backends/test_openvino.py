"""One compiled model for each size, and few of them kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino", reason="OpenVINO is not installed")

from pleinair.bundle.bundle import Bundle
from pleinair.pictures import Frames, read_picture
from pleinair.runtime.backends.openvino.compiled import FOLDER
from pleinair.runtime.backends.openvino.compiled import KEPT as FILES
from pleinair.runtime.backends.openvino.engine import KEPT, OpenVinoEngine
from pleinair.runtime.strokes.canvases import Canvases

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


@pytest.mark.parametrize("model", ["monet", "monet-fine", "van-gogh"])
def test_layers_of_an_int8_plan_hand_on_bytes(model: str, frame: Frames) -> None:
    """All but those that are added to others, whose rounding would be left out."""
    bundle = Bundle.open(model)
    artifact = bundle.find("onnx", "int8")
    assert artifact
    planner = OpenVinoEngine(
        bundle.path(artifact), 1, "cores", Canvases.of(bundle, wrap=True), plans=True
    )
    plan = planner(frame)
    assert plan.dtype == np.uint8
    assert plan.shape[2:] == tuple(side // 4 for side in frame.shape[1:3])
    layers = planner.compiled[frame.shape[1], frame.shape[2]].get_runtime_model().get_ordered_ops()
    told = [{key: value.get() for key, value in dict(layer.rt_info).items()} for layer in layers]
    kinds = [layer["layerType"] for layer in told]
    made = [layer["outputPrecisions"] for layer in told if layer["layerType"] == "Convolution"]
    assert len(made) == 18
    assert set(made) == {"u8", "f32"}
    assert made.count("f32") == 5  # the last of each block, and of the skip
    assert kinds.count("Subgraph") <= 9  # sums and shuffles; none before the first convolution
    assert "Convolution" in kinds[: 8 + kinds.count("Const")]


def test_the_last_sizes_stay_compiled(engine: OpenVinoEngine) -> None:
    for size in SIZES:
        engine.prepare(*size)
        engine.prepare(*SIZES[0])
    assert list(engine.compiled) == [*SIZES[-KEPT + 1 :], SIZES[0]]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "pleinair" / FOLDER


@pytest.fixture
def strokes(stroke_bundle: Path) -> Callable[..., OpenVinoEngine]:
    """Makes engines of a small painter with strokes."""
    bundle = Bundle.open(stroke_bundle)
    artifact = bundle.find("onnx", "int8")
    assert artifact

    def make(stroke: str = "", wrap: bool = False) -> OpenVinoEngine:
        canvases = Canvases.of(bundle, stroke, wrap)
        return OpenVinoEngine(bundle.path(artifact), 1, "cores", canvases)

    return make


def test_what_was_compiled_is_found_again_and_paints_the_same(
    cache: Path, strokes: Callable[..., OpenVinoEngine], frame: Frames, monkeypatch
) -> None:
    frame = np.ascontiguousarray(frame[:, :96, :128])
    painted, planned = (getattr(strokes(), way)(frame) for way in ("__call__", "plan"))
    (file,) = cache.iterdir()
    monkeypatch.setattr(OpenVinoEngine, "_compile", lambda *_: pytest.fail("compiled again"))
    np.testing.assert_array_equal(strokes()(frame), painted)
    np.testing.assert_array_equal(strokes().plan(frame), planned)
    assert list(cache.iterdir()) == [file]


def test_another_canvas_or_limit_is_compiled_for_itself(
    cache: Path, strokes: Callable[..., OpenVinoEngine], monkeypatch
) -> None:
    for number, made in enumerate(({}, {"stroke": "large"}, {"wrap": True}), 1):
        strokes(**made).prepare(96, 128)
        assert len(list(cache.iterdir())) == number
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    strokes().prepare(96, 128)
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("damage", [b"", b"x" * 100, None], ids=["empty", "other", "a bit"])
def test_a_damaged_file_is_made_anew(
    cache: Path,
    engine: OpenVinoEngine,
    frame: Frames,
    damage: bytes | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = np.ascontiguousarray(frame[:, :64, :96])
    painted = engine(frame)
    (file,) = cache.iterdir()
    bad = bytearray(file.read_bytes())
    bad[len(bad) // 2] ^= 1
    file.write_bytes(bytes(bad) if damage is None else damage)
    again = OpenVinoEngine(engine.path, in_flight=2, way="streams")
    np.testing.assert_array_equal(again(frame), painted)
    assert again.note == f"{file} was damaged and is made anew, which takes some seconds"
    assert not engine.note
    monkeypatch.setattr(OpenVinoEngine, "_compile", lambda *_: pytest.fail("compiled again"))
    found = OpenVinoEngine(engine.path, in_flight=2, way="streams")
    np.testing.assert_array_equal(found(frame), painted)
    assert not found.note


def test_a_cache_that_cannot_be_written_only_takes_time(
    tmp_path: Path, engine: OpenVinoEngine, frame: Frames, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert engine(np.ascontiguousarray(frame[:, :64, :96])).shape == (1, 64, 96, 3)
    assert blocked.read_bytes() == b""
    assert "cannot be kept in" in engine.note
    assert str(blocked) in engine.note


def test_few_files_are_kept(cache: Path, engine: OpenVinoEngine) -> None:
    for n in range(FILES + 2):
        engine.prepare(64, 64 + 8 * n)
    assert len(list(cache.iterdir())) == FILES

"""The backends of what phones run: each by the Python package of its runtime."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from pleinair.errors import BackendError
from pleinair.export.calibration import load_frames
from pleinair.export.drift import difference, reference_pictures
from pleinair.export.graph_store import GraphStore
from pleinair.export.targets import TARGETS, Built
from pleinair.networks.edge import EdgeGenerator, EdgeSize
from pleinair.runtime.backends import BACKENDS

PHONES = {"litert": "fp16", "executorch": "fp32", "ncnn": "fp16", "ort": "fp32"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> GraphStore:
    """A generator as small as they get, that changes pictures visibly."""
    torch.manual_seed(0)
    generator = EdgeGenerator(EdgeSize(quarter=4, width=8, blocks=1, detail=1, half=4)).eval()
    torch.nn.init.normal_(generator.up_full.weight, std=0.1)
    return GraphStore(generator, load_frames(photos, 8, 4), {}, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module", params=PHONES)
def built(
    request: pytest.FixtureRequest, store: GraphStore, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """An artifact of each target."""
    target = TARGETS[request.param]
    if not target.available:
        pytest.skip(f"needs {target.library}: {target.install}")
    folder = tmp_path_factory.mktemp(target.name)
    (artifact,) = target.build(store, PHONES[target.name], folder)
    return artifact


def test_it_paints_frames_of_any_size_as_pytorch_does(built: Built, store: GraphStore) -> None:
    """Larger and smaller ones than it was made with, each after the other."""
    random = np.random.default_rng(0)
    sizes = [(16, 16), (64, 200), (256, 256), (304, 40), (16, 24)]
    frames = [random.integers(0, 256, (1, *size, 3), np.uint8) for size in sizes]
    engine = BACKENDS[built.runner].load(built.path)
    found = difference(engine, frames, reference_pictures(store.generator, frames))
    assert found.psnr_db >= 55
    assert found.max_abs <= 1
    assert not all(np.array_equal(engine(frame), frame) for frame in frames)


def test_threads_get_the_same_picture(built: Built) -> None:
    random = np.random.default_rng(0)
    frames = [random.integers(0, 256, (1, 16, 16 + 8 * i, 3), np.uint8) for i in range(3)] * 3
    engine = BACKENDS[built.runner].load(built.path, in_flight=3)
    expected = [engine(frame) for frame in frames]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(engine, frames))
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize("name", [name for name in PHONES if name != "ort"])
def test_what_is_no_program_is_refused(tmp_path: Path, name: str, capfd) -> None:
    backend = BACKENDS[name]
    if not backend.available:
        pytest.skip(backend.missing)
    for file in ("256x256.tflite", "model.ncnn.param", "model.ncnn.bin"):
        (tmp_path / file).write_bytes(b"no program at all, but some bytes")
    path = tmp_path / "256x256.tflite" if name == "executorch" else tmp_path
    with pytest.raises(BackendError, match=f"^{name} failed to load") as caught:
        backend.load(path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_programs_is_refused(tmp_path: Path) -> None:
    if importlib.util.find_spec("ai_edge_litert") is None:
        pytest.skip("needs ai-edge-litert")
    with pytest.raises(BackendError, match="holds no WIDTHxHEIGHT"):
        BACKENDS["litert"].load(tmp_path)
    (tmp_path / "large.tflite").touch()
    with pytest.raises(BackendError, match=r"large\.tflite is not named WIDTHxHEIGHT"):
        BACKENDS["litert"].load(tmp_path)


@pytest.mark.parametrize("name", ["litert", "executorch", "ncnn"])
def test_a_missing_library_is_said_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(BackendError, match=f"backend '{name}' is not installed; run: pip install"):
        BACKENDS[name].load(tmp_path)

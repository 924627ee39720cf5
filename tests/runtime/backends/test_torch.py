"""Checkpoints and bundles painted by PyTorch, through the public surface."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pleinair
import pytest
import torch
from pleinair.bundle.manifest import Strokes
from pleinair.errors import BackendError, TrainingError, UsageError
from pleinair.networks.checkpoint import save_atomically
from pleinair.networks.generators import create_generator
from pleinair.networks.painter import painter
from pleinair.pictures import list_pictures, read_picture, write_picture
from pleinair.runtime.backends import BACKENDS
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.runtime.stylizer import load


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder with a generator that changes colours visibly."""
    folder = tmp_path_factory.mktemp("run")
    generator = create_generator("edge_s")
    with torch.no_grad():
        generator.up_full.bias.copy_(torch.linspace(-0.5, 0.5, 12))
    state = {"format": "pleinair-generator-1", "architecture": "edge_s", "options": {}}
    state |= {"recipe": {"name": "tiny"}, "step": 7, "state": generator.state_dict()}
    save_atomically(state, folder / "generator.pt")
    return folder


@pytest.fixture
def photo(photos: Path) -> Any:
    return read_picture(list_pictures(photos)[0])[0]


@pytest.mark.parametrize("backend", ["auto", "torch", "torch:eager"])
def test_a_checkpoint_paints_before_any_export(run: Path, photo: Any, backend: str) -> None:
    for source in (run, run / "generator.pt"):
        paint = pleinair.load(source, backend, color="rgb")
        assert (paint.choice.backend, paint.choice.precision) == ("torch", "fp32")
        generator = create_generator("edge_s")
        state = torch.load(run / "generator.pt", weights_only=True)["state"]
        generator.load_state_dict(state)
        expected = painter(generator.eval())(photo)
        painted = paint(photo)
        assert np.abs(painted.astype(int) - expected).max() <= 1
        assert np.abs(painted.astype(int) - photo).mean() > 10


@pytest.mark.parametrize("precision", ["int8", "fp16", "fp32"])
def test_a_bundle_is_painted_as_onnx_runtime_does(photo: Any, precision: str) -> None:
    ours = pleinair.load("monet-conv", "torch", precision)(photo)
    theirs = pleinair.load("monet-conv", "onnxruntime", precision)(photo)
    off = np.abs(ours.astype(int) - theirs)
    assert off.mean() < {"int8": 0.5, "fp16": 0.1, "fp32": 0.01}[precision]


def test_translate_and_live_take_checkpoints(
    run: Path, photos: Path, tmp_path: Path, make_video: Any, cli: Any
) -> None:
    done = cli("translate", photos / "00.jpg", tmp_path / "out.png", "--model", run)
    assert done.code == 0, done.err
    assert (tmp_path / "out.png").exists()
    clip = make_video(tmp_path / "in.mp4", frames=5)
    result = pleinair.translate(clip, tmp_path / "out.mp4", run, backend="torch")
    assert (result.report.frames, result.stats()["backend"]) == (5, "torch")
    shown = cli("live", "--source", clip, "--sink", "null", "--model", run / "generator.pt")
    assert shown.code == 0, shown.err


@pytest.mark.slow
@pytest.mark.skipif(
    "compiled" not in BACKENDS["torch"].ways(), reason="no compiler that torch.compile could use"
)
def test_compiled_paints_the_same(run: Path, photo: Any) -> None:
    photo = np.ascontiguousarray(photo[:64, :96])
    eager, compiled = (pleinair.load(run, f"torch:{way}")(photo) for way in ("eager", "compiled"))
    assert np.abs(eager.astype(int) - compiled).max() <= 1


def test_auto_leaves_it_alone_where_something_quicker_is_there() -> None:
    assert not BACKENDS["torch"].in_auto


def test_what_cannot_be_painted_with(run: Path, tmp_path: Path) -> None:
    (tmp_path / "text.pt").write_text("no checkpoint")
    for model, backend, kind, said in (
        (tmp_path / "none.pt", "auto", UsageError, "does not exist"),
        (tmp_path / "text.pt", "auto", TrainingError, "not a readable checkpoint"),
        (run, "onnxruntime", BackendError, "it has: checkpoint fp32"),
        (run, "torch:tpu", UsageError, "known: .*eager"),
    ):
        with pytest.raises(kind, match=said):
            pleinair.load(model, backend)


def test_without_torch_it_says_how_to_get_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"pip install \"pleinair\[train\]\""):
        pleinair.load(run)


def test_a_checkpoint_of_any_name(run: Path, tmp_path: Path, photos: Path) -> None:
    shutil.copy(run / "generator.pt", tmp_path / "a:b ü.pt")
    write_picture(tmp_path / "in.png", read_picture(photos / "00.jpg")[0][:32, :32])
    pleinair.translate(tmp_path / "in.png", tmp_path / "out.png", tmp_path / "a:b ü.pt")
    assert (tmp_path / "out.png").exists()


def test_strokes_are_painted_on_the_canvas_that_is_asked_for(tmp_path: Path) -> None:
    generator = create_generator("strokes").eval()
    state = {"format": "pleinair-generator-1", "architecture": "strokes", "options": {}}
    state |= {"recipe": {"name": "tiny"}, "step": 1, "state": generator.state_dict()}
    save_atomically(state, tmp_path / "generator.pt")
    frame = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    paintings = []
    for wrap in (True, False):
        paintings.append(
            load(tmp_path / "generator.pt", "torch", color="rgb", wrap=wrap).paint(frame)
        )
        strokes = Strokes(hand=generator.hand, step=generator.step)
        generator.lay = Canvases(strokes, "test", wrap=wrap).lay
        generator._canvases.clear()
        expected = painter(generator)(frame)
        assert np.abs(paintings[-1].astype(int) - expected).max() <= 1
    assert not np.array_equal(*paintings)

"""The backend ``torch``: a run's generator before any export, or a bundle's graph, in PyTorch.

The rest of the runtime knows only its name and never needs PyTorch. It reads checkpoints of
training; a checkpoint is opened as a bundle with one artifact, itself.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from .... import __version__
from ....bundle.bundle import Bundle, sha256_of
from ....bundle.manifest import Artifact, Drift, FrameFormat, Generator, Manifest, Training
from ....bundle.resolve import Kind, resolve
from ....canvas.layout import Piece
from ....errors import BackendError
from ....networks.describe import describe, strokes_of
from ....networks.frames import FrameGraph, in_torch, to_picture
from ....networks.load import load_generator
from ....networks.strokes import StrokeGenerator
from ....pictures import Frames
from ...strokes.canvases import Arrays, Canvases, Plans
from ..library import mapped_errors
from ..protocols import Engine
from ..row import CHECKPOINT

_ITSELF = Drift(
    reference="FP32 PyTorch",
    images=0,
    psnr_db=99,
    ssim=1,
    delta_e=0,
    max_abs=0,
    p99_abs=0,
    verdict="is the reference itself",
)


class TorchEngine:
    """A frame graph on the fastest device that PyTorch finds, which paints one frame at a time.

    Args:
        path: A generator's checkpoint, a .pt2 program, or an .onnx file.
        compiled: Whether it goes through ``torch.compile``; that takes a while at each new size.
        canvases: What a painter with strokes paints on.
    """

    def __init__(self, path: Path, compiled: bool, canvases: Canvases | None = None) -> None:
        with mapped_errors("torch", f"load {path}"):
            module: Any = _module(path, canvases)
            self.generator: Any = getattr(module, "generator", None)
            module = module.to(device(), memory_format=torch.channels_last)
            self.module = torch.compile(module) if compiled else module
            self.paint = in_torch(self.module, device())
        # A program takes its canvas beside the frame; a checkpoint's generator lays its own.
        self.canvases = canvases if path.suffix == ".pt2" else None
        self.canvas: tuple[Arrays, tuple[Tensor, ...]] = ({}, ())  # the last canvas, on the device
        self.turn = threading.Lock()

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: a module takes any size."""

    def __call__(self, frames: Frames, piece: Piece | None = None) -> Frames:
        """Paints uint8 RGB [1, H, W, 3], which may be a piece of a larger picture."""
        doing = f"paint a {frames.shape[2]}x{frames.shape[1]} frame"
        with self.turn, mapped_errors("torch", doing):
            if self.canvases:
                painted: Frames = self._with_canvas(frames, piece)[0]
                return painted
            if isinstance(self.generator, StrokeGenerator):
                self.generator.piece = piece
            return self.paint(frames)

    def plan(self, frames: Frames) -> Plans:
        """Returns the plan that a painter with strokes makes of a frame."""
        with self.turn, mapped_errors("torch", "plan a frame"):
            if self.canvases:
                plan: Plans = self._with_canvas(frames, None)[1]
                return plan
            return in_torch(lambda x: self.generator.network(to_picture(x)), device())(frames)

    def _with_canvas(self, frames: Frames, piece: Piece | None) -> list[Any]:
        """The painting of a frame, and its plan."""
        assert self.canvases
        height, width = frames.shape[1:3]
        canvas = self.canvases(height, width, piece)
        if self.canvas[0] is not canvas:
            taken = self.canvases.inputs(stacked=True)
            tensors = tuple(torch.from_numpy(canvas[name]).to(device()) for name in taken)
            self.canvas = canvas, tensors
        with torch.inference_mode():
            made = self.module(torch.from_numpy(frames).to(device()), *self.canvas[1])
            return [one.contiguous().cpu().numpy() for one in made]


def _module(path: Path, canvases: Canvases | None) -> nn.Module:
    """Returns a frame graph, ready to paint."""
    if path.suffix == ".pt2":
        return move_to_device_pass(torch.export.load(path), device()).module()
    if path.suffix != ".onnx":
        generator = load_generator(path).generator
        if canvases:
            assert isinstance(generator, StrokeGenerator)
            generator.lay = canvases.lay
        return FrameGraph(generator).eval()
    if importlib.util.find_spec("onnx") is None:
        raise BackendError('onnx is not installed; run: pip install "pleinair[export]"')
    from ....networks.onnx_module import load_module

    return load_module(path).eval()


def device() -> str:
    """Returns the kind of device that is used: CUDA, a Mac's GPU, or the CPU."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def ways(in_flight: int) -> list[str]:
    """Names the ways that work here: compiling needs a C++ compiler for a CPU, Triton for a GPU."""
    usual = "clang++" if sys.platform == "darwin" else "cl" if sys.platform == "win32" else "g++"
    has_compiler = shutil.which(os.environ.get("CXX", usual)) is not None
    if device() == "cuda":
        has_compiler = importlib.util.find_spec("triton") is not None
    return ["eager", *(["compiled"] if has_compiler else [])]


def load(path: Path, in_flight: int, way: str = "", canvases: Canvases | None = None) -> Engine:
    """Loads a generator's checkpoint, a .pt2 program or an .onnx file."""
    return TorchEngine(path, way == "compiled", canvases)


def open_checkpoint(source: Path) -> Bundle:
    """Opens a run's folder or a generator's checkpoint as a bundle with one artifact.

    Raises:
        UsageError: There is no such file.
        TrainingError: It is not a generator of pleinair.
    """
    path = resolve(source, Kind.RUN, Kind.CHECKPOINT).checkpoint
    loaded = load_generator(path)
    what, digest, status = describe(loaded.generator), sha256_of(path), path.stat()
    recipe = loaded.recipe
    artifact = Artifact.model_construct(  # the user's name, which a bundle might not be allowed
        target=CHECKPOINT,
        precision="fp32",
        path=path.name,
        sha256=digest,
        bytes=status.st_size,
        drift=_ITSELF,
    )
    strokes = strokes_of(loaded.generator)
    manifest = Manifest(
        schema_version=2 if strokes else 1,
        name="checkpoint",
        title=str(recipe.get("title") or recipe.get("name") or path.stem),
        licence="",
        description=f"the checkpoint {path}",
        created=datetime.fromtimestamp(status.st_mtime, UTC),
        pleinair_version=__version__,
        generator=Generator(architecture=loaded.architecture, **asdict(what)),
        training=Training(
            dataset="",
            steps=loaded.step,
            processes=loaded.processes,
            seed=0,
            recipe=recipe,
            checkpoint_sha256=digest,
        ),
        frame=FrameFormat(multiple_of=what.stride),
        strokes=strokes,
        artifacts=[artifact],
    )
    return Bundle(path.parent, manifest, str(source))

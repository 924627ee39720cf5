"""Adds engines that trtexec built on a device to the bundle, and measures their drift there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ...bundle.bundle import Bundle, bytes_of, sha256_of, write_bundle
from ...bundle.manifest import Artifact, Drift
from ...bundle.resolve import Kind, resolve
from ...errors import BundleError, UsageError
from ...files import staging
from ...metrics import drift_limits
from ...runtime.backends import Backend, find_backend
from ...runtime.sources.demo_clip import DEMO_CLIP
from ...runtime.strokes.canvases import Canvases
from ...runtime.strokes.drift import Painted, painted_errors
from ...runtime.verify import frames_of, paint_all

TARGET = "tensorrt"
TRTEXEC = "trtexec"  # the device of graphs that trtexec is to build from
COUNT = 12  # pictures to measure drift with


def graph_for(bundle: Bundle, precision: str) -> Artifact | None:
    """Returns the folder of a bundle that trtexec builds from."""
    found = (bundle.find(t, precision, TRTEXEC.__eq__) for t in ("jetson", TARGET))
    return next(filter(None, found), None)


def take_engines(
    model: Path, engines: Sequence[Path], pictures: str | Path = DEMO_CLIP
) -> list[Artifact]:
    """Adds engines to a bundle, in place of those of the same precision and device.

    Args:
        model: The bundle's folder.
        engines: ``int8.engine``, ``fp16.engine``: built on this device of the bundle's graphs.
        pictures: What to measure with: a folder of pictures or a video.

    Returns:
        The bundle's rows for them. Their drift is from the bundle's FP32 graph in ONNX Runtime.

    Raises:
        UsageError: An engine is not a file, or the bundle has no graph that it was built from.
        BundleError: The bundle is damaged, has no FP32 graph, or cannot be written.
        BackendError: TensorRT or the GPU is missing, or refuses an engine.
    """
    if (
        model.is_file() or resolve(model, Kind.BUNDLE).path != model
    ):  # a shipped model's name is not
        raise UsageError(f"{model} is not a folder; engines are added to a bundle's folder")
    bundle, backend = Bundle.open(model), find_backend(TARGET)
    graphs = {path: _graph_of(bundle, path) for path in engines}
    reference_artifact = bundle.find("onnx", "fp32")
    if reference_artifact is None:
        raise BundleError(f"{model} has no onnx fp32 artifact to measure drift from; export one")
    device = backend.device()
    frames = list(frames_of(pictures, COUNT))
    reference = paint_all(bundle, reference_artifact, find_backend("onnxruntime"), frames)
    with staging(model, failing=BundleError) as staged:
        shutil.copytree(model, staged, dirs_exist_ok=True, symlinks=True)
        taken = []
        for path, graph in graphs.items():
            artifact = _artifact(path, graph, backend, device, staged)
            painted = paint_all(Bundle(staged, bundle.manifest), artifact, backend, frames)
            drift = _drift(bundle, graph, reference, painted)
            taken.append(artifact.model_copy(update={"drift": drift}))
        names = {artifact.path for artifact in taken}
        kept = [a for a in bundle.manifest.artifacts if a.path not in names]
        manifest = bundle.manifest.model_copy(update={"artifacts": [*kept, *taken]})
        write_bundle(manifest, staged, model, overwrite=True)
    return taken


def _graph_of(bundle: Bundle, engine: Path) -> Artifact:
    """The graph that an engine was built from, by the engine's name."""
    if not engine.is_file():
        raise UsageError(f"{engine} does not exist or is not a file")
    graph = graph_for(bundle, engine.stem)
    if graph is None:
        raise UsageError(
            f"{engine} does not have the name of a graph for trtexec in {bundle.label};"
            " name it int8.engine or fp16.engine"
        )
    return graph


def _artifact(
    engine: Path, graph: Artifact, backend: Backend, device: str, folder: Path
) -> Artifact:
    """Copies an engine into the folder; returns its row, with the graph's drift for now."""
    path = folder / f"{graph.precision}.{device}.engine"
    path.unlink(missing_ok=True)  # a link in its place is not followed
    shutil.copyfile(engine, path)
    return graph.model_copy(
        update={
            "target": TARGET,
            "path": path.name,
            "sha256": sha256_of(path),
            "bytes": bytes_of(path),
            "device": device,
            "tool_versions": graph.tool_versions | {TARGET: backend.version or "unknown"},
            "seconds": 0.0,
        }
    )


def _drift(
    bundle: Bundle, graph: Artifact, reference: list[Painted], painted: list[Painted]
) -> Drift:
    limits = drift_limits(graph.precision, bundle.manifest.strokes is not None)
    found = painted_errors(zip(reference, painted, strict=True), Canvases.of(bundle))
    return Drift.of(found, limits, "onnxruntime fp32", runner=TARGET)

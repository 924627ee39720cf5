"""Checks a bundle on this machine: schema, hashes, graphs and drift."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import cv2

from .. import metrics
from ..bundle.bundle import Bundle, RefusedArtifact
from ..bundle.manifest import Artifact, Drift
from ..errors import BackendError, BundleError, MediaError, first_line
from ..pictures import Pixels
from ..progress import Progress, Say
from .backends import BACKENDS, Backend
from .probe import probe
from .sources.demo_clip import DEMO_CLIP
from .sources.opening import spread_frames
from .strokes.canvases import Canvases
from .strokes.drift import Painted, painted_errors
from .stylizer import Choice, Stylizer

_ROWS = 360  # of pictures, at most


class VerifiedArtifact(TypedDict):
    """The findings about one artifact."""

    target: str
    precision: str
    path: str  # in the bundle
    hash: str  # "ok", or what is wrong
    graph: str  # "ok", what is wrong, or "" if it is unknown
    manifest: dict[str, Any]  # the drift in its manifest
    measured: list[dict[str, Any]]  # the drift here, by each backend that runs it


class Verification(TypedDict):
    """The findings of ``verify``: the object that ``verify --json`` prints."""

    bundle: str  # its name
    ok: bool  # whether there are no problems
    problems: list[str]
    notes: list[str]
    artifacts: list[VerifiedArtifact]


@dataclass
class _Pictures:
    """Pictures that are gone through once for each painter; ``progress`` hears of each."""

    frames: list[Pixels]
    total: int  # of all times
    progress: Progress
    done: int = 0

    def __iter__(self) -> Iterator[Pixels]:
        for frame in self.frames:
            yield frame
            self.done += 1
            self.progress(self.done, self.total)


def verify(
    model: str | Path,
    pictures: str | Path = DEMO_CLIP,
    count: int = 12,
    progress: Progress = lambda done, total: None,
    say: Say = lambda sentence: None,
) -> Verification:
    """Checks every artifact and, with each backend here that can run it, its drift.

    The reference is the bundle's own FP32 artifact in ONNX Runtime, so no PyTorch is needed; it is
    what drift was measured against at the export, and is not measured again.

    Args:
        model: A shipped model's name, or a bundle's folder or zip.
        pictures: A folder of pictures or a video to measure with; by default the demo clip.
        count: How many pictures to measure with.
        progress: Called with how many paintings are done and how many there will be.
        say: Called with a sentence on what is painted.

    Returns:
        The findings. If several backends run an artifact, all but the first have their distance
        from it in ``beside``. A problem is a hash that differs, a graph that is no
        frame graph, a backend that fails, or an error that is visible and more than twice as large
        as the manifest says. With a backend that ``auto`` does not take while another runs the
        artifact, as OpenCV, such an error is a note.

    Raises:
        UsageError: There is no such model or picture.
        BundleError: The manifest is damaged.
    """
    bundle = Bundle.open(model)
    frames = list(frames_of(pictures, count))
    if not frames:
        raise MediaError(f"{pictures} holds no picture to measure with")
    fp32 = bundle.find("onnx", "fp32")
    painters = sum(len(_runners(bundle, one)) for one in bundle.manifest.artifacts) + bool(fp32)
    say(f"{len(frames)} x {painters} paintings: each picture with each artifact in each backend")
    through = _Pictures(frames, len(frames) * painters, progress)
    reference = None
    if fp32:
        with contextlib.suppress(BundleError, BackendError):  # reported below, in its row
            reference = paint_all(bundle, fp32, BACKENDS["onnxruntime"], through)
    rows, problems, notes = [], _weights_problems(bundle), list[str]()
    for artifact in bundle.manifest.artifacts:
        row, is_whole = _row_of(bundle, artifact, problems)
        rows.append(row)
        if not is_whole:
            continue
        for backend, found in _measure(bundle, artifact, through, reference):
            row["measured"] += [found] if len(found) > 1 else []
            fails = "error" in found or _may_be_chosen(backend, artifact)
            said = problems if fails else notes
            said += _differs(artifact, found)
    return {
        "bundle": bundle.manifest.name,
        "ok": not problems,
        "problems": problems,
        "notes": notes,
        "artifacts": rows,
    }


def _row_of(
    bundle: Bundle, artifact: Artifact, problems: list[str]
) -> tuple[VerifiedArtifact, bool]:
    """Returns an artifact's row with hash and graph checked, and whether it can be measured."""
    row: VerifiedArtifact = {
        "target": artifact.target,
        "precision": artifact.precision,
        "path": artifact.path,
        "hash": "ok",
        "graph": "",
        "manifest": artifact.drift.model_dump(),
        "measured": [],
    }
    try:
        path = bundle.path(artifact)
    except BundleError as error:
        row["graph" if isinstance(error, RefusedArtifact) else "hash"] = str(error)
        problems.append(str(error))
        return row, False
    row["graph"] = _check_graph(path)
    if row["graph"] not in ("ok", ""):
        problems.append(f"{artifact.path}: {row['graph']}; export it again")
    return row, True


def _weights_problems(bundle: Bundle) -> list[str]:
    """Returns what is wrong with the file of the generator's weights, if there is one."""
    try:
        bundle.weights()
    except BundleError as error:
        return [str(error)]
    return []


def _differs(artifact: Artifact, found: dict[str, Any]) -> list[str]:
    """Yields the backends that fail, or drift visibly more than the manifest says."""
    if "error" in found:
        return [found["error"]]
    expected = artifact.drift.psnr_db
    if "psnr_db" in found and metrics.is_worse(found["psnr_db"], expected):
        return [
            f"{artifact.target} {artifact.precision} with {found['backend']} is further from FP32"
            f" here, {found['psnr_db']:.1f} dB, than the manifest says, {expected:.1f} dB;"
            " use another --backend or --precision on this machine"
        ]
    return []


def _may_be_chosen(backend: Backend, artifact: Artifact) -> bool:
    """Whether ``auto`` may use it for this artifact, or nothing else runs that."""
    others = (row for row in BACKENDS.values() if artifact.target in row.targets and row.in_auto)
    return backend.in_auto or not any(others)


def _check_graph(path: Path) -> str:
    """Returns what is wrong with an .onnx file; ``ok`` if nothing is, empty if it is unknown."""
    if path.suffix != ".onnx" or importlib.util.find_spec("onnx") is None:
        return ""
    import onnx

    try:
        onnx.checker.check_model(path, full_check=True)
        graph = onnx.load(path).graph
    except Exception as error:  # protobuf's types, onnx's and the system's
        return first_line(error)
    for value in (*graph.input[:1], *graph.output[:1]):  # canvas and plan follow
        tensor = value.type.tensor_type
        if tensor.elem_type != onnx.TensorProto.UINT8 or len(tensor.shape.dim) != 4:
            return f"{value.name} is not a frame, uint8 [1, H, W, 3]"
    return "ok"


def _runners(bundle: Bundle, artifact: Artifact) -> list[Backend]:
    """Returns the backends here that run an artifact; PyTorch reads others than its own slowly."""
    return [
        row
        for row in BACKENDS.values()
        if row.available
        and row.runs(artifact.device)
        and (row.name != "torch" or artifact.target == "pt2")
        and artifact.target in row.takes(bundle)
    ]


def _measure(
    bundle: Bundle, artifact: Artifact, frames: _Pictures, reference: list[Painted] | None
) -> Iterator[tuple[Backend, dict[str, Any]]]:
    """Yields a row for each backend here that runs an artifact: its drift, or what failed.

    The second and later ones are also compared with the first: runtimes of the same artifact.
    """
    first: tuple[str, list[Painted]] | None = None
    for backend in _runners(bundle, artifact):
        row: dict[str, Any] = {"backend": backend.name}
        try:
            painted = paint_all(bundle, artifact, backend, frames)
        except BackendError as error:
            yield backend, row | {"error": str(error)}
            continue
        if reference is not None:
            row |= _drift(bundle, reference, painted, "onnxruntime fp32")
        if first and reference is not None:
            beside, theirs = first
            row["beside"] = _drift(bundle, theirs, painted, f"the same by {beside}")
        first = first or (backend.name, painted)
        yield backend, row


def _drift(
    bundle: Bundle, reference: list[Painted], painted: list[Painted], measured_from: str
) -> dict[str, Any]:
    """One row of how far paintings are from others."""
    pairs = zip(reference, painted, strict=True)
    found = painted_errors(pairs, Canvases.of(bundle))
    drift = Drift.of(found, metrics.DriftLimits(), measured_from)
    return drift.model_dump(exclude={"runner", "verdict"}, exclude_none=True)


def paint_all(
    bundle: Bundle, artifact: Artifact, backend: Backend, frames: Iterable[Pixels]
) -> list[Painted]:
    """Paints pictures with an artifact and a backend; returns the plans, too, if it has strokes.

    Raises:
        BundleError: The artifact is missing or was changed.
        BackendError: The backend fails.
    """
    paint = _painter(bundle, artifact, backend)
    plan = paint.plan if bundle.manifest.strokes else lambda _: None
    return [Painted(paint(frame), plan(frame)) for frame in frames]


def _painter(bundle: Bundle, artifact: Artifact, backend: Backend) -> Stylizer:
    probe(backend, bundle, artifact)
    engine = backend.load(bundle.path(artifact), canvases=Canvases.of(bundle))
    return Stylizer(bundle, engine, Choice(backend.name, artifact.precision), "rgb")


def frames_of(pictures: str | Path, count: int) -> Iterator[Pixels]:
    """Up to ``count`` frames spread over a source, scaled down to about 360 rows if larger."""
    for frame in spread_frames(str(pictures), count):
        yield _at_most(frame.rgb, _ROWS)


def _at_most(picture: Pixels, rows: int) -> Pixels:
    """A picture scaled down by a whole factor; each pixel is the mean of its block."""
    step = -(-picture.shape[0] // rows)
    size = (max(1, picture.shape[1] // step), max(1, picture.shape[0] // step))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if step > 1 else picture

"""A kit for NVIDIA's Jetsons: the bundle, scripts that build its engines, and what runs it.

bundle/              the model: graphs for the CPU, and graphs that TensorRT builds engines from
pleinair-*.whl       this pleinair
requirements*.txt    what it needs, by version
install.sh build.sh  run once on the Jetson
*.service csi.sh     the live filter as a service, and the camera at the CSI port
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from ... import __version__
from ...bundle.bundle import Bundle, check_out, copy_artifact, move_folder, write_bundle
from ...bundle.manifest import Artifact, Manifest
from ...bundle.resolve import EXPORTABLE, Kind, resolve
from ...errors import ExportError
from ...export.exporter import export_bundle
from ...export.model_card import write_card
from ...export.options import ExportOptions
from ...export.request import plan_of
from ...export.targets.tensorrt.engine import Sizes
from ...export.targets.tensorrt.trtexec import GRAPH, shape_options
from ...files import staging
from ...markdown_tables import markdown_table
from ...progress import Say
from ...runtime.strokes.canvases import Canvases
from ..wheel import build_wheel
from . import MARK
from .engines import graph_for

TARGET = "jetson"
PRECISIONS = ("int8", "fp16")
ON_ARM = ("onnx", "openvino")  # targets of a bundle that a Jetson's processor runs
BUNDLE = "bundle"
_TEMPLATES = Path(__file__).with_name("kit")


@dataclass(frozen=True)
class Kit:
    """What was written."""

    path: Path
    manifest: Manifest
    files: list[str]  # paths inside, in order


def write_kit(
    source: str,
    out: Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008  # it is frozen
    *,
    overwrite: bool = False,
    wait: bool = False,
    progress: Say = lambda _: None,
) -> Kit:
    """Writes a kit.

    Args:
        source: What ``export`` takes: a shipped model's name, a bundle, a run, a checkpoint. A
            bundle's artifacts that a Jetson can run are copied as they are.
        out: The kit's folder; it appears only when it is complete.
        options: As for an export. Its precisions are those of the graphs for TensorRT: ``int8``,
            ``fp16``, or both, which is the default.
        overwrite: Whether an existing folder may be replaced.
        wait: Whether to wait while another process writes ``out``.
        progress: Called with a line per step.

    Raises:
        UsageError: ``out`` exists, or there is no such source or precision.
        BusyError: Another process writes ``out``.
        ExportError: The graphs or the wheel cannot be built, or nothing can be written.
        BundleError: The bundle is damaged.
    """
    asked = {precision for _, precision in plan_of([TARGET], options.precisions)}
    precisions = [precision for precision in PRECISIONS if precision in asked]
    options = replace(options, targets=[TARGET], precisions=precisions)
    try:
        with staging(out, wait, ExportError) as staged:
            check_out(out, overwrite, MARK, "kit")
            manifest = _write_bundle(source, staged / BUNDLE, options, _graphs(out), progress)
            progress("building the wheel of this pleinair")
            wheel = build_wheel(staged)
            _write_templates(staged, manifest, wheel.name)
            files = sorted(
                p.relative_to(staged).as_posix() for p in staged.rglob("*") if p.is_file()
            )
            move_folder(staged, out, overwrite, MARK)
    except OSError as error:
        raise ExportError(f"kit {out} cannot be written: {error}") from error
    return Kit(out, manifest, files)


def _graphs(out: Path) -> Path:
    """Where a kit's graphs are exported: beside it, so that the next run finds what is finished."""
    return out.with_name(f".{out.name}.graphs")


def _write_bundle(
    source: str, folder: Path, options: ExportOptions, made: Path, progress: Say
) -> Manifest:
    """Writes the kit's bundle: what runs on the processor, and the graphs for TensorRT.

    Args:
        source: As in ``write_kit``.
        folder: The bundle to write.
        options: Of the graphs for TensorRT.
        made: The bundle that is exported on the way there.
        progress: Called with a line per step.
    """
    is_bundle = resolve(source, *EXPORTABLE).kind is Kind.BUNDLE
    found = Bundle.open(source) if is_bundle else None
    if found is None or not found.find("onnx", "fp32"):
        ours = ["fp32", *options.precisions]
        both = replace(options, targets=["onnx", TARGET], precisions=ours)
        manifest = export_bundle(source, made, both, overwrite=True, progress=progress)
        made.rename(folder)
        return manifest
    graphs = found
    if not all(graph_for(found, precision) for precision in options.precisions):
        export_bundle(source, made, options, overwrite=True, progress=progress)
        graphs = Bundle.open(made)
    staged = folder.with_name("staged")
    staged.mkdir()
    artifacts = [a for a in found.manifest.artifacts if a.target in ON_ARM]
    for artifact in artifacts:
        copy_artifact(found.path(artifact), staged / artifact.path)
    for artifact in filter(None, (graph_for(graphs, one) for one in options.precisions)):
        copy_artifact(graphs.path(artifact), staged / artifact.path)
        artifacts.append(artifact)
    if weights := found.weights():
        copy_artifact(weights, staged / weights.name)
    manifest = found.manifest.model_copy(
        update={"artifacts": artifacts, "skipped": graphs.manifest.skipped}
    )
    write_card(staged, manifest)
    write_bundle(manifest, staged, folder)
    if graphs is not found:
        shutil.rmtree(graphs.root)
    return manifest


def _write_templates(folder: Path, manifest: Manifest, wheel: str) -> None:
    """Copies the scripts, services and notes, and fills in what is this kit's."""
    bundle = Bundle(folder / BUNDLE, manifest)
    graphs = [a for a in (graph_for(bundle, precision) for precision in PRECISIONS) if a]
    words = {
        "name": manifest.name,
        "title": manifest.title,
        "version": __version__,
        "wheel": wheel,
        "builds": "\n".join(_build_line(bundle, graph) for graph in graphs),
        "drift": _drift_table(graphs),
    }
    for template in sorted(_TEMPLATES.iterdir()):
        text = template.read_text(encoding="utf-8")
        for key, word in words.items():
            text = text.replace(f"{{{{{key}}}}}", word)
        path = folder / template.name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if template.suffix == ".sh" else 0o644)


def _build_line(bundle: Bundle, graph: Artifact) -> str:
    """Calls the function ``build`` of build.sh."""
    path = Path(BUNDLE, graph.path, GRAPH)
    sizes = Sizes.of(
        bundle.root.parent / path, bundle.manifest.frame.multiple_of, Canvases.of(bundle)
    )
    return shlex.join(["build", graph.precision, path.as_posix(), *shape_options(sizes)])


def _drift_table(graphs: list[Artifact]) -> str:
    heads = graphs[0].drift.figures() if graphs else {}
    rows = ((g.precision, *g.drift.figures().values(), g.drift.verdict) for g in graphs)
    return markdown_table(("precision", *heads, "verdict"), rows, range(1, len(heads) + 1))

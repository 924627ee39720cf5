"""A bundle's own ONNX graphs become a site: nothing is built again, and torch is not needed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

from .... import __version__
from ....bundle.bundle import Bundle, check_out, write_bundle
from ....bundle.manifest import Artifact, Manifest
from ....bundle.resolve import EXPORTABLE, Kind, resolve
from ....errors import ExportError
from ....files import staging
from ....pictures import Pixels, middle
from ....runtime.backends import find_backend
from ....runtime.sources.demo_clip import demo_still
from ....runtime.strokes.canvases import Canvases
from ...model_card import write_card
from ...options import ExportOptions
from . import onnxruntime_web
from .site import TARGET, write_site

PRECISIONS = ("fp32", "fp16", "int8")
CHECKED = 256  # pixels a side of the photograph that browsers check their painting with


def export_site(
    source: str,
    out: Path,
    options: ExportOptions = ExportOptions(),  # noqa: B008  # it is frozen
    *,
    overwrite: bool = False,
    wait: bool = False,
) -> Manifest | None:
    """Exports a bundle to a site with the graphs that it has and their measured drift.

    Arguments and errors are those of ``pleinair.export``. Precisions are some of ``PRECISIONS``, by
    default FP32, INT8, and FP16 if the bundle has it.

    Returns:
        The site's manifest; None if the source is not a bundle with these graphs: they must be
        built.
    """
    if resolve(source, *EXPORTABLE).kind is not Kind.BUNDLE:
        return None
    bundle = Bundle.open(source)
    # Painters with strokes are shipped without FP16; WebGPU then takes FP32.
    usual = [one for one in PRECISIONS if one != "fp16" or bundle.find("onnx", one)]
    found = [bundle.find("onnx", precision) for precision in options.precisions or usual]
    graphs = [graph for graph in found if graph]
    reference = bundle.find("onnx", "fp32")
    if len(graphs) < len(found) or not reference:
        return None
    check_out(out, overwrite)
    onnxruntime_web.fetch()
    manifest = _manifest(bundle, graphs, options)
    try:
        with staging(out, wait, ExportError) as staged:
            check_out(out, overwrite)  # another process may have written it meanwhile
            for graph, artifact in zip(graphs, manifest.artifacts, strict=True):
                shutil.copyfile(bundle.path(graph), staged / artifact.path)
            write_card(staged, manifest)
            photograph = check_photograph(manifest.generator.stride)
            canvases = Canvases.of(bundle)
            paint = find_backend("onnxruntime").load(bundle.path(reference), canvases=canvases)
            write_site(staged, manifest, photograph, paint(photograph[None])[0])
            write_bundle(manifest, staged, out, overwrite)
    except OSError as error:
        raise ExportError(f"site {out} cannot be written: {error}") from error
    return manifest


def _manifest(bundle: Bundle, graphs: list[Artifact], options: ExportOptions) -> Manifest:
    """Returns the manifest of a bundle's site."""
    said = bundle.manifest
    return said.model_copy(
        update={
            "licence": options.licence or said.licence,
            "description": options.description or said.description,
            "created": datetime.now(UTC).replace(microsecond=0),
            "pleinair_version": __version__,
            "artifacts": [_for_browsers(graph) for graph in graphs],
            "skipped": [],
            "weights": None,  # a browser has no use for them
        }
    )


def check_photograph(stride: int) -> Pixels:
    """Returns the photograph that browsers check their painting with, uint8 [H, W, 3]."""
    side = max(CHECKED, 2 * stride)
    return middle(demo_still(), side, side)


def _for_browsers(graph: Artifact) -> Artifact:
    return graph.model_copy(
        update={
            "target": TARGET,
            "path": f"{graph.precision}.web.onnx",
            "tool_versions": graph.tool_versions | {"onnxruntime-web": onnxruntime_web.VERSION},
            "seconds": 0.0,
            "drift": graph.drift.of_its_graph(),
        }
    )

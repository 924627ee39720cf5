"""``pleinair.export``: a site of a bundle's own graphs, or a bundle of a generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..bundle.manifest import Manifest
from ..errors import needs
from ..export.options import ExportOptions
from ..export.request import check_paths, parse_budget, plan_of
from ..progress import Say


def export(
    source: str | Path,
    out: str | Path,
    *,
    targets: Sequence[str] = (),
    precisions: Sequence[str] = (),
    calibration: str | Path | None = None,
    max_drift: Sequence[str] = (),
    input_range: tuple[float, float] | None = None,
    fine: bool = False,
    licence: str = "",
    description: str = "",
    overwrite: bool = False,
    wait: bool = False,
    progress: Say = lambda line: None,
) -> Manifest:
    """Exports a generator to each target in FP32, FP16 and INT8, the drift of each measured.

    Half of the calibration photographs set the INT8 ranges, the other half measure drift. What
    cannot be built, or cannot hold ``max_drift``, is listed in the manifest with the reason, and
    does not stop the rest. A bundle's own graphs become a site without PyTorch.

    Args:
        source: A run's folder, a ``generator.pt``, a shipped model's name, a bundle, or a float
            ``.onnx``.
        out: The bundle's folder; it appears when everything in it is complete. If it is the source
            itself, what is built is added to what it has.
        targets: E.g. ``["onnx", "openvino"]``; none builds all that are usual and can be built.
        precisions: Some of ``fp32``, ``fp16``, ``w8`` and ``int8``; none builds all.
        calibration: A folder of real photographs, or a video; by default the recipe's pictures,
            and for a source without a recipe the demo clip.
        max_drift: What INT8 must hold, e.g. ``["psnr=38"]``: layers stay float until it does.
        input_range: Black and white of a float ``.onnx``; told by what it paints if none.
        fine: Of a painter with strokes: decide for each pixel which one is on top.
        licence: Of the weights; the source's if empty.
        description: A sentence or two, for the manifest.
        overwrite: Whether an existing bundle may be replaced.
        wait: Whether to wait while another process writes ``out``.
        progress: Called with a line per step, warnings among them.

    Returns:
        The bundle's manifest: artifacts with their drift, and what could not be built.

    Raises:
        UsageError: Something asked for does not exist.
        BusyError: Another process writes ``out``.
        ExportError: Nothing of what was asked for can be built.
        BundleError: ``out`` exists or cannot be written.
    """
    out, photographs = Path(out), Path(calibration) if calibration else None
    plan_of(targets, precisions)  # what is wrong is said before torch is imported
    parse_budget(max_drift)
    options = ExportOptions(
        targets,
        precisions,
        photographs,
        max_drift,
        input_range,
        fine,
        licence,
        description,
    )
    check_paths(source, out, options, overwrite)
    if list(targets) == ["web"] and not (calibration or max_drift or input_range or fine):
        from ..export.targets.web.own_graphs import export_site

        site = export_site(str(source), out, options, overwrite=overwrite, wait=wait)
        if site:
            return site
    with needs("export"):
        from ..export.exporter import export_bundle

    return export_bundle(source, out, options, overwrite=overwrite, wait=wait, progress=progress)

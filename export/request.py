"""What is asked of an export, checked before PyTorch is imported or anything takes time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import metrics
from ..bundle.bundle import check_out
from ..bundle.resolve import EXPORTABLE, Kind, resolve
from ..errors import ExportError, MediaError, UsageError, unknown_name
from ..metrics import DriftLimits
from ..pictures import is_picture, list_pictures
from ..runtime.sources.opening import open_source
from .options import ExportOptions
from .targets import TARGETS, Target, find_target

PRECISIONS = ("fp32", "fp16", "w8", "int8")
# The measures that a budget may limit, each with a value beyond its range.
_MOST = {"psnr": metrics.IDENTICAL_DB, "ssim": 1.0, "delta_e": 100.0, "strokes": 1.0}


def check_paths(source: str | Path, out: Path, options: ExportOptions, overwrite: bool) -> None:
    """Checks that an export's paths can be read or written.

    Raises:
        UsageError: The source or the calibration is missing or of another kind, or ``out`` is
            taken.
        ExportError: The calibration holds nothing that can be read.
    """
    found = resolve(source, *EXPORTABLE)
    check_out(out, overwrite or found.is_bundle_in(out))
    if options.input_range and found.kind is not Kind.ONNX:
        raise UsageError(f"--input-range is for a float .onnx; {source} is none")
    check_calibration(options.calibration)


def check_calibration(calibration: Path | None) -> None:
    """Checks that there are photographs, or a video, to calibrate with.

    Raises:
        UsageError: There is no such file or folder, or it is one picture.
        ExportError: There is nothing in it that can be read.
    """
    if calibration is None:
        return
    if not calibration.exists():
        raise UsageError(f"--calibration {calibration} does not exist")
    if calibration.is_dir():
        if not list_pictures(calibration):
            raise ExportError(
                f"--calibration {calibration} holds 0 usable photographs; 2 are needed and 600 are"
                " good"
            )
    elif is_picture(calibration):
        raise UsageError(
            f"--calibration {calibration} is one picture; give a folder of some hundred, or a video"
        )
    else:
        try:
            open_source(str(calibration)).close()
        except MediaError as error:
            raise ExportError(f"--calibration {calibration} cannot be used: {error}") from error


def plan_of(targets: Sequence[str], precisions: Sequence[str]) -> list[tuple[Target, str]]:
    """Returns what to build: the named targets and precisions, or all usual ones.

    Raises:
        UsageError: There is no such target or precision, or no such pair.
    """
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UsageError(unknown_name("precision", precision, PRECISIONS))
    usual = [row.name for row in TARGETS.values() if row.by_default]
    rows = [find_target(name) for name in targets or usual]
    plan = [(row, p) for row in rows for p in precisions or PRECISIONS if p in row.precisions]
    if not plan:
        named = f"{' and '.join(targets)} in {' or '.join(precisions)}"
        has = "; ".join(f"{row.name} has {', '.join(row.precisions)}" for row in rows)
        raise UsageError(f"there is no {named}; {has}")
    return plan


def parse_budget(texts: Iterable[str]) -> DriftLimits | None:
    """Parses ``psnr=38``, ``ssim=0.98``, ``delta_e=1``, ``strokes=8%``; None if there are none.

    Raises:
        UsageError: A text has another form, or its value is out of range.
    """
    limits: dict[str, float] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not value:
            raise UsageError(f"--max-drift {text} is not of the form MEASURE=NUMBER, e.g. psnr=38")
        if name not in _MOST:
            raise UsageError(unknown_name("measure of drift", name, _MOST))
        try:
            limits[name] = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
        except ValueError:
            raise UsageError(f"--max-drift {text} is not of the form {name}=NUMBER") from None
        most = _MOST[name]
        if not 0 < limits[name] < most:
            raise UsageError(f"--max-drift {text}: {name} is more than 0 and less than {most:g}")
    return DriftLimits(**limits) if limits else None

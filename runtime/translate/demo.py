"""The demo: the bundled clip painted with the bundled model, and a before/after still."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...pictures import write_picture
from ..sources.demo_clip import DEMO_CLIP, demo_still
from .translate import Progress, Translation, translate


def run_demo(
    out: Path,
    model: str,
    backend: str,
    precision: str,
    overwrite: bool,
    progress: Progress,
    stroke: str = "",
    wait: bool = False,
) -> tuple[Translation, Path]:
    """Paints the demo clip to ``out`` and puts a still beside it; returns what was done."""
    still = out.with_suffix(".jpg")
    if still.exists() and not overwrite:
        raise UsageError(f"{still} exists; add --overwrite to replace it")
    result = translate(
        DEMO_CLIP,
        out,
        model,
        backend=backend,
        precision=precision,
        overwrite=overwrite,
        wait=wait,
        progress=progress,
        stroke=stroke,
    )
    before = demo_still()
    assert result.stylizer is not None
    after = result.stylizer(before)
    middle = before.shape[1] // 2
    together = np.hstack([before[:, :middle], after[:, middle:]])
    together[:, middle - 1 : middle + 1] = 255  # the divider
    write_picture(still, together)
    return result, still

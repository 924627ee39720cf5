"""The demo: the bundled clip painted with the bundled model, and a before/after still."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...pictures import write_picture
from ...progress import Progress
from ..sources.demo_clip import DEMO_CLIP, demo_still
from .options import PaintOptions
from .translate import translate
from .work import Translation, check_free


def run_demo(
    out: Path,
    model: str,
    options: PaintOptions,
    overwrite: bool,
    wait: bool,
    progress: Progress,
) -> tuple[Translation, Path]:
    """Paints the demo clip to ``out`` and puts a still beside it; returns what was done."""
    still = out.with_suffix(".jpg")
    check_free([still], overwrite)
    result = translate(
        DEMO_CLIP,
        out,
        model,
        **options.keywords(),
        overwrite=overwrite,
        wait=wait,
        progress=progress,
    )
    before = demo_still()
    assert result.stylizer is not None
    after = result.stylizer(before)
    middle = before.shape[1] // 2
    together = np.hstack([before[:, :middle], after[:, middle:]])
    together[:, middle - 1 : middle + 1] = 255  # the divider
    write_picture(still, together)
    return result, still

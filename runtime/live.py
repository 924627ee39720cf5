"""The live filter: a camera, stream or clip, painted as it comes; the newest frame wins."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import MediaError, UsageError
from ..pictures import Pixels
from .adaptive import AdaptivePainter
from .opening import open_sink
from .pipeline import Pipeline, Report
from .sources import open_source
from .steady import Steady
from .stylizer import Stylizer, load
from .video_sink import VIDEO_SUFFIXES


@dataclass(frozen=True)
class Look:
    """What the viewer sees beside the painting itself."""

    size: tuple[int, int] | None = None  # (width, height) to paint at; none keeps the source's
    mirror: bool = False
    side_by_side: bool = False  # the original to the left
    steady: bool = False  # keep the paint from trembling
    target_fps: float | None = None  # paint as small as this needs; what is shown keeps its size

    def painter(self, stylizer: Stylizer) -> Callable[[Pixels], Pixels]:
        """Returns the function that the pipeline calls for each frame, in their order."""
        steady = Steady() if self.steady else None

        def stylize(rgb: Pixels) -> Pixels:
            painted = stylizer(rgb)
            return steady(rgb, painted) if steady else painted

        fitted: Callable[[Pixels], Pixels] = stylize
        if self.target_fps:
            fitted = AdaptivePainter(stylize, stylizer.prepare, self.target_fps)

        def paint(rgb: Pixels) -> Pixels:
            if self.size and self.size != (rgb.shape[1], rgb.shape[0]):
                rgb = cv2.resize(rgb, self.size, interpolation=cv2.INTER_AREA)
            if self.mirror:
                rgb = np.ascontiguousarray(rgb[:, ::-1])
            painted = fitted(rgb)
            return np.hstack([rgb, painted]) if self.side_by_side else painted

        return paint


@dataclass(frozen=True)
class LiveResult:
    """What was shown."""

    report: Report
    stylizer: Stylizer
    problems: list[str]

    def stats(self) -> dict[str, Any]:
        """The object that ``live --json`` prints."""
        report = self.report
        p50, p90, p99 = (
            np.percentile(report.delays, [50, 90, 99]) * 1000 if report.delays else (0, 0, 0)
        )
        return {
            "frames": report.frames,
            "seconds": round(report.seconds, 3),
            "fps": round(report.fps, 2),
            "dropped": report.dropped,
            "latency_ms": {
                "p50": round(float(p50), 2),
                "p90": round(float(p90), 2),
                "p99": round(float(p99), 2),
            },
            "size": list(report.size or (0, 0)),
            "backend": self.stylizer.choice.backend,
            "precision": self.stylizer.choice.precision,
        }


def live(
    source: str = "0",
    sink: str = "window",
    model: str | Path = "monet",
    *,
    backend: str = "auto",
    precision: str = "auto",
    strength: float = 1.0,
    look: Look = Look(),
    duration: float | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> LiveResult:
    """Paints a live source until it ends, the viewer quits or ``duration`` seconds are over.

    Args:
        source: A camera's index, a URL, or a file (played at its own pace).
        sink: ``"window"``, ``"null"``, or a video file to record to.
        model: A shipped model's name, or a bundle's folder or zip.
        backend: ``"auto"`` or a backend's name.
        precision: ``"auto"``, ``int8``, ``fp16`` or ``fp32``.
        strength: 1 is the painting, 0 the original.
        look: Size, mirror, side by side, steadiness, frame rate to hold.
        duration: Seconds.
        overwrite: Whether an existing recording may be replaced.
        progress: Called after each frame.

    Raises:
        UsageError: The request does not fit together.
        MediaError: The source or sink cannot be used.
    """
    if duration is not None and not duration >= 0:
        raise UsageError(f"duration must be a number of seconds, got {duration}")
    if sink not in ("window", "null"):
        _check_recording(sink, source, overwrite)
    with open_source(source, realtime=True) as opened:
        size = look.size or opened.size
        stylizer = load(
            model, backend, precision, "rgb", strength, size=(size[1], size[0]) if size else None
        )
        pipeline = Pipeline(opened, look.painter(stylizer))
        title = f"pleinair: {stylizer.bundle.manifest.title}"
        with open_sink(sink, opened, title) as out:
            # Ctrl-C is how one ends a recording that has no other end; it is kept.
            with contextlib.suppress(KeyboardInterrupt):
                pipeline.run(out, duration, progress)
            if not pipeline.report.frames and opened.problems:
                raise MediaError("; ".join(opened.problems))
    return LiveResult(pipeline.report, stylizer, opened.problems)


def _check_recording(sink: str, source: str, overwrite: bool) -> None:
    path = Path(sink)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        known = f"window, null, or a video file ({', '.join(sorted(VIDEO_SUFFIXES))})"
        raise UsageError(f"sink {sink!r} is none of {known}")
    if path.is_dir():
        raise UsageError(f"sink {sink} is a folder; give the name of a video")
    if path.exists():
        if path.resolve() == Path(source).resolve():
            raise UsageError(f"output {sink} is the input; give another name")
        if not overwrite:
            raise UsageError(f"{sink} exists; add --overwrite to replace it")

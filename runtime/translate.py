"""Files to files: a picture, a folder of pictures or a video, painted without losing anything."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import MediaError, UsageError
from ..pictures import is_picture
from .pipeline import Pipeline, Report
from .sinks import VIDEO_SUFFIXES, open_file_sink
from .sources import PictureSource, Source, open_source
from .steady import Steady
from .stylizer import Stylizer, load

Progress = Callable[[int, int | None], None]  # frames done, frames in all if known


@dataclass(frozen=True)
class Translation:
    """What was done, and what went wrong along the way."""

    report: Report
    stylizer: Stylizer
    problems: list[str]

    def stats(self) -> dict[str, Any]:
        """The object that ``translate --stats`` writes."""
        report = self.report
        return {
            "frames": report.frames,
            "seconds": round(report.seconds, 3),
            "fps": round(report.fps, 2),
            "size": list(report.size or (0, 0)),
            "backend": self.stylizer.choice.backend,
            "precision": self.stylizer.choice.precision,
            "stages": {
                "decode_ms": round(report.decode.mean_ms, 3),
                "infer_ms": round(report.infer.mean_ms, 3),
                "encode_ms": round(report.encode.mean_ms, 3),
            },
            "dropped": report.dropped,
        }


def translate(
    source: str | Path,
    out: str | Path,
    model: str | Path = "monet",
    *,
    backend: str = "auto",
    precision: str = "auto",
    strength: float = 1.0,
    steady: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda done, total: None,
) -> Translation:
    """Paints a picture, a folder of pictures or a video.

    Args:
        source: What to paint. A folder's pictures are painted one by one, names kept.
        out: Where to: a file of the same kind, or a folder to put it into.
        model: A shipped model's name, or a bundle's folder or zip.
        backend: ``"auto"`` or a backend's name.
        precision: ``"auto"``, ``int8``, ``fp16`` or ``fp32``.
        strength: 1 is the painting, 0 the original.
        steady: Whether a video's paint is kept from trembling, see ``Steady``; it takes time.
        overwrite: Whether existing files may be replaced.
        progress: Called after each frame.

    Raises:
        UsageError: The request does not fit together.
        MediaError: Nothing could be read, or the output cannot be written.
    """
    if str(source).isdecimal() and not Path(source).exists():
        raise UsageError(f"{source} does not exist; to paint a camera use live")
    with open_source(str(source)) as opened:
        target = _check_target(opened, Path(source), Path(out), overwrite)
        in_flight = 1 if isinstance(opened, PictureSource) else os.cpu_count() or 1
        size = (opened.size[1], opened.size[0]) if opened.size else None
        stylizer = load(model, backend, precision, "rgb", strength, in_flight, size)
        moving = steady and not isinstance(opened, PictureSource)
        pipeline = Pipeline(opened, stylizer, in_flight, Steady() if moving else None)
        with open_file_sink(target, opened) as sink:
            report = pipeline.run(sink, progress=lambda done: progress(done, opened.count))
            if report.frames == 0:
                raise MediaError("; ".join(opened.problems) or f"{source} holds no frames")
    return Translation(report, stylizer, opened.problems)


def _check_target(opened: Source, source: Path, out: Path, overwrite: bool) -> Path:
    """Returns the file or folder to write, or says why it cannot be that one."""
    kind = _kind(opened, source)
    if kind != "folder" and out.is_dir():
        out = out / source.name
    if out.exists() and source.exists() and out.resolve() == source.resolve():
        raise UsageError(f"output {out} is the input; give another name")
    if kind == "folder":
        assert isinstance(opened, PictureSource)
        looks_like_file = is_picture(out) or out.suffix.lower() in VIDEO_SUFFIXES
        if out.is_file() or (looks_like_file and not out.is_dir()):
            raise UsageError(f"{source} is a folder, so the output must be one too, not {out}")
        written = [out / path.name for path in opened.paths]
    else:
        fits = is_picture(out) if kind == "picture" else out.suffix.lower() in VIDEO_SUFFIXES
        if not fits:
            suffixes = ".jpg, .png ..." if kind == "picture" else ", ".join(sorted(VIDEO_SUFFIXES))
            raise UsageError(
                f"{source} is read as a {kind}, so the output must end in {suffixes}: {out}"
            )
        if out.is_dir():
            raise UsageError(f"output {out} is a folder; give another name")
        written = [out]
    taken = [path for path in written if path.exists()]
    if taken and not overwrite:
        more = f" (and {len(taken) - 1} more)" if len(taken) > 1 else ""
        raise UsageError(f"{taken[0]}{more} exists; add --overwrite to replace it")
    return out


def _kind(opened: Source, source: Path) -> Literal["folder", "picture", "video"]:
    if not isinstance(opened, PictureSource):
        return "video"
    return "folder" if source.is_dir() else "picture"

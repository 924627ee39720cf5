"""Paints files to files: pictures, folders and videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import MediaError, UsageError
from ...owners import Owner
from ...picture_size import MOST
from ...progress import Progress, Say
from ..models import open_model
from ..sinks.encoding import DEFAULT, Encoding
from ..sinks.output import plan_output
from ..sources.remarks import remarks
from ..strokes.canvases import Canvases
from .folders import foresee, paint_folder
from .options import Look, PaintOptions
from .pictures import paint_pictures
from .plan import Plan, make_plan, without_existing
from .videos import open_video, paint_video
from .work import Translation, Work


def translate(
    source: str | Path,
    out: str | Path,
    model: str | Path = "monet",
    *,
    backend: str = "auto",
    precision: str = "auto",
    strength: float = 1.0,
    steady: bool = False,
    follow: bool = True,
    start: float | None = None,
    end: float | None = None,
    stroke: str = "",
    background: str = "white",
    keep_location: bool = False,
    keep_profile: bool = False,
    encoding: Encoding = DEFAULT,
    overwrite: bool = False,
    skip_existing: bool = False,
    wait: bool = False,
    max_pixels: int = MOST,
    progress: Progress = lambda done, total: None,
    say: Say = lambda sentence: None,
) -> Translation:
    """Paints a picture, a video, a folder of both, or what fits a pattern such as ``"*.jpg"``.

    An interrupted job resumes from its last segment of 96 frames when the same is asked for again,
    and gives the same bits.

    Args:
        source: What to paint.
        out: A file of the same kind, or a folder, in which names and structure are kept.
        model: A shipped model's name, a bundle's folder or zip, or a checkpoint.
        backend: ``"auto"`` or a backend's name.
        precision: ``"auto"``, ``int8``, ``fp16`` or ``fp32``.
        strength: 1 is the painting, 0 the original.
        steady: Whether a video's flicker is reduced, see ``Steady``; it is slower.
        follow: Whether strokes follow what a video shows, with models that have them.
        start: Where in videos to begin, in seconds.
        end: Where in videos to end.
        stroke: Stroke size, ``fine``, ``medium`` or ``large``; the model's if empty.
        background: ``white``, ``black``, ``grey`` or ``#rrggbb``, under transparent parts if the
            output format has none.
        keep_location: Whether a video's output keeps the place where it was taken.
        keep_profile: Whether pictures keep their own colour profile, in place of sRGB.
        encoding: How videos are encoded.
        overwrite: Whether existing files may be replaced.
        skip_existing: Whether to leave existing files as they are and paint the others: for a
            folder that grew.
        wait: Whether to wait while another process writes the same output.
        max_pixels: How large pictures and frames may be; larger ones are refused by their headers.
        progress: Called after each frame.
        say: Called with a sentence about what is left out or changed, before painting.

    Raises:
        UsageError: The request does not fit together.
        BusyError: Another process writes the same output.
        MediaError: Nothing could be read, or the output cannot be written.
    """
    if overwrite and skip_existing:
        raise UsageError("existing files are either replaced or left; give one of the two options")
    plan, there = make_plan(source, out), 0
    if skip_existing:
        plan, there = without_existing(plan)
    if encoding.hardware:
        _ = encoding.encoder  # fails now if there is none
    kept = (keep_location, keep_profile)
    look = Look(strength, steady, follow, start, end, stroke, background, *kept)
    bundle = open_model(model)
    Canvases.of(bundle, stroke)  # fails now if there is no such stroke size
    options = PaintOptions(backend, precision, look, encoding)
    work = Work(bundle, options, overwrite, wait, max_pixels, progress, say)
    if there:
        files = "1 file is" if there == 1 else f"{there} files are"
        work.tell([f"{files} in {out} already, left as before"])
    if plan.items:
        _paint(work, plan)
    if not (work.result.report.frames or work.result.kept or there):
        raise MediaError("; ".join(work.result.problems) or f"{source} holds no frames")
    return work.result


def _paint(work: Work, plan: Plan) -> None:
    work.tell(plan.notes)
    if plan.folder:
        paint_folder(work, plan.items, plan.folder)
        return
    (item,) = plan.items
    with Owner(item.target, work.wait, MediaError):
        if item.is_video:
            paint_video(work, item)
        else:
            work.check_free([item.target])
            foresee(work, [item])
            paint_pictures(work, [item])


def preview(
    source: str | Path,
    out: str | Path,
    look: Look = Look(),  # noqa: B008  # it is frozen
    encoding: Encoding = DEFAULT,
    max_pixels: int = MOST,
    say: Say = lambda sentence: None,
) -> list[dict[str, Any]]:
    """Returns what ``translate`` would paint, a row each, and paints nothing.

    ``say`` is called with what is left out of a folder, as by ``translate``.

    A row has ``source``, ``target``, ``kind`` (picture or video), ``exists`` (the target does) and
    ``notes`` (what is left out or changed); for videos ``frames``, ``size`` and ``fps``, where the
    file says them, ``media`` (all that is known of it) and ``plan`` (what the output will be), or
    ``problem``.
    """
    rows, plan = [], make_plan(source, out)
    for note in plan.notes:
        say(note)
    for item in plan.items:
        row: dict[str, Any] = {
            "source": str(item.source),
            "target": str(item.target),
            "kind": "video" if item.is_video else "picture",
            "exists": item.target.exists(),
        }
        try:
            if not item.is_video:
                row["notes"] = remarks(item.source, item.target if look.keep_profile else None)
                rows.append(row)
                continue
            with open_video(item.source, look, max_pixels) as video:
                row |= {"frames": video.count, "size": list(video.size or ())}
                row["fps"] = round(float(video.fps), 3) if video.fps else None
                made = plan_output(video, item.target, encoding, look.keep_location)
                row |= {"notes": list(made.notes), "media": video.info.as_dict()}
                row["plan"] = made.as_dict()
        except MediaError as error:
            row["problem"] = str(error)
        rows.append(row)
    return rows

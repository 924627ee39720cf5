"""Pictures to pictures: one, or many of a folder, with one painter."""

from __future__ import annotations

from pathlib import Path

from ..job import Job, stamp
from ..pipeline import Pipeline
from ..sinks.sink import FolderSink, PictureSink
from ..sources.pictures import PictureSource
from .plan import Item
from .work import Work


def paint_pictures(
    work: Work, items: list[Item], folder: Path | None = None, job: Job | None = None
) -> None:
    """Paints one picture, or those of a folder, each of which is noted in the folder's job."""
    look = work.options.look
    of_name = {str(i.target.relative_to(folder)): i for i in items} if folder else {}
    source = PictureSource(
        [item.source for item in items],
        str(folder or items[0].source),
        list(of_name) or None,
        work.max_pixels,
        look.keep_profile,
    )
    stylizer = work.options.load(work.bundle)
    work.tell([stylizer.note])

    def note(name: str, temporary: Path) -> None:
        assert job
        job.mark(str(of_name[name].target), stamp(temporary))

    sink = (
        FolderSink(folder, note, look.ground, work.overwrite)
        if folder
        else PictureSink(items[0].target, look.ground, work.overwrite)
    )
    with source, sink:
        pipeline = Pipeline(source, stylizer)
        report = pipeline.run(sink, progress=lambda n: work.progress(n, len(items)))
        work.add(report, stylizer)
        work.result.pictures += report.frames
        work.result.problems += source.problems

"""Many pictures and videos into a folder; an interrupted run continues with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import BusyError, MediaError, PleinairError, UsageError
from ...owners import Owner
from ..job import Job, clear, folder_job, identity, job_folder
from ..sinks.video import AGAIN
from ..sources.opening import open_source
from ..sources.remarks import remarks
from .pictures import paint_pictures
from .plan import Item
from .videos import job_of, open_item, paint_video
from .work import Work, is_done


def paint_folder(work: Work, items: list[Item], folder: Path) -> None:
    """Paints what no earlier run of the same request has painted."""
    sources = [identity(item.source) for item in items]
    with folder_job(folder, work.request() | {"sources": sources}, work.wait) as job:
        done = job.done() if job.resumed else {}
        left = [item for item in items if not is_done(item, done)]
        for item in items:
            if item.is_video and item not in left:  # interrupted just before its notes were removed
                clear(job_folder(item.target))
        _check_left(work, left, done)
        work.result.kept = work.result.finished = len(items) - len(left)
        left = foresee(work, left)
        job.begin({})
        try:
            _paint_all(work, left, folder, job)
        except BaseException as error:
            if not job.done():
                job.remove()
            elif isinstance(error, KeyboardInterrupt) and not str(error):
                raise KeyboardInterrupt(AGAIN) from None
            raise
        done = job.done()
        if all(is_done(item, done) for item in items) or not done:
            job.remove()  # otherwise the same command tries again what failed


def foresee(work: Work, items: list[Item]) -> list[Item]:
    """Says what will be left out of each item; returns those that can be painted."""
    good = []
    for item in items:
        try:
            if item.is_video:
                with open_item(work, item):
                    pass
            else:
                keep_profile = work.options.look.keep_profile
                work.tell(remarks(item.source, item.target if keep_profile else None))
        except MediaError as error:
            if item.is_video:
                work.result.problems.append(str(error))
                continue
        good.append(item)
    return good


def _check_left(work: Work, left: list[Item], done: dict[str, Any]) -> None:
    """Refuses outputs of others; one that is noted but torn is removed."""
    for item in left:
        if str(item.target) in done and not work.overwrite and _is_torn(item):
            item.target.unlink(missing_ok=True)
    videos = [i for i in left if i.is_video and job_of(work, i).resumed]  # may be complete
    work.check_free(item.target for item in left if item not in videos)


def _paint_all(work: Work, items: list[Item], folder: Path, job: Job) -> None:
    pictures = [item for item in items if not item.is_video]
    if pictures:
        paint_pictures(work, pictures, folder, job)
    for item in items:
        if item.is_video:
            try:
                with Owner(item.target, work.wait, MediaError):
                    paint_video(work, item, job)
            except (MediaError, BusyError) as error:
                if _ends_all(error):
                    raise
                work.result.problems.append(str(error))  # the others can be painted


def _is_torn(item: Item) -> bool:
    """Whether an item's output cannot be read."""
    try:
        with open_source(str(item.target)) as source:
            return next(source.frames(), None) is None
    except (MediaError, UsageError):
        return True


def _ends_all(error: PleinairError) -> bool:
    """Whether all files would fail: a full disk, say, and not a damaged video."""
    return isinstance(error.__cause__, OSError) and "cannot be written" in str(error)

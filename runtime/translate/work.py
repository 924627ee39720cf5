"""A translation in progress: its options, and its result so far."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import av

from ...bundle.bundle import Bundle
from ...cores import allowed_cores
from ...errors import UsageError, already_exists
from ...progress import Progress, Say
from ..job import stamp
from ..pipeline import Report
from ..sinks.segments import LENGTH
from ..stylizer import Choice, Stylizer
from .options import PaintOptions
from .plan import Item


@dataclass
class Translation:
    """What was painted, and what went wrong.

    Attributes:
        report: Times and counts of this run.
        stylizer: The painter.
        pictures: How many this run painted.
        videos: How many this run painted, or the rest of them.
        kept: Files that an interrupted run had finished, and frames of those that it had begun.
        finished: The files among these.
        problems: Files that could not be read, or only in part.
        notes: What was left out on purpose.
    """

    report: Report = field(default_factory=Report)
    stylizer: Stylizer | None = None
    pictures: int = 0
    videos: int = 0
    kept: int = 0
    finished: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def stats(self) -> dict[str, Any]:
        """The object that ``translate --stats`` writes."""
        report = self.report
        choice = self.stylizer.choice if self.stylizer else Choice("", "")
        return {
            "frames": report.frames,
            "seconds": round(report.seconds, 3),
            "fps": round(report.fps, 2),
            "size": list(report.size or (0, 0)),
            "backend": choice.backend,
            "precision": choice.precision,
            "stages": {
                "decode_ms": round(report.decode.mean_ms, 3),
                "infer_ms": round(report.infer.mean_ms, 3),
                "encode_ms": round(report.encode.mean_ms, 3),
            },
            "dropped": report.dropped,
            "kept": self.kept,
            "finished": self.finished,
            "pictures": self.pictures,
            "videos": self.videos,
        }


@dataclass
class Work:
    """The state that pictures, videos and folders of one translation share."""

    bundle: Bundle
    options: PaintOptions
    overwrite: bool
    wait: bool
    max_pixels: int
    progress: Progress
    say: Say
    result: Translation = field(default_factory=Translation)

    def tell(self, notes: Iterable[str]) -> None:
        """Says what is left out or changed, each sentence once."""
        for note in filter(None, notes):
            if note not in self.result.notes:
                self.result.notes.append(note)
                self.say(note)

    def add(self, report: Report, stylizer: Stylizer) -> None:
        """Notes what was painted."""
        self.result.report.add(report)
        self.result.stylizer = stylizer

    def check_free(self, targets: Iterable[Path]) -> None:
        """Refuses outputs that exist, unless they may be replaced.

        Raises:
            UsageError: One exists.
        """
        check_free(targets, self.overwrite)

    def request(self) -> dict[str, Any]:
        """All that the output depends on, besides the source."""
        from ... import __version__

        return {
            "pleinair": __version__,
            "av": av.__version__,
            "cores": len(allowed_cores()),  # FFmpeg's encoders start as many threads
            "segment": LENGTH,
            "model": sorted(artifact.sha256 for artifact in self.bundle.manifest.artifacts),
            **asdict(self.options),
        }


def check_free(targets: Iterable[Path], overwrite: bool) -> None:
    """Refuses outputs that exist, unless they may be replaced.

    Raises:
        UsageError: One exists.
    """
    refuse_existing([str(path) for path in targets if os.path.lexists(path)], overwrite)


def refuse_existing(taken: list[str], overwrite: bool) -> None:
    """Raises ``UsageError`` for outputs that are there, unless they may be replaced."""
    if taken and not overwrite:
        raise UsageError(already_exists(taken[0], len(taken) - 1))


def is_done(item: Item, done: dict[str, Any]) -> bool:
    """Whether an item is noted, and is still what was noted."""
    try:
        return bool(done[str(item.target)][:2] == stamp(item.target))
    except (KeyError, TypeError, OSError):
        return False

"""The options of a translation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...bundle.bundle import Bundle
from ...errors import UsageError, shown
from ..colour import parse_colour
from ..sinks.encoding import DEFAULT, Encoding
from ..stylizer import Stylizer, load

LONGEST = 10**8  # seconds of a video: three years


@dataclass(frozen=True)
class Look:
    """How a translation looks, besides the model."""

    strength: float = 1.0  # 1 is the painting, 0 the original
    steady: bool = False  # whether a video's flicker is reduced, see ``Steady``
    follow: bool = True  # whether strokes follow what a video shows, see ``Easel``
    start: float | None = None  # where in videos to begin, in seconds
    end: float | None = None  # where in videos to end, in seconds
    stroke: str = ""  # stroke size: fine, medium or large; the model's if empty
    background: str = "white"  # under transparent parts, if the output format has none
    keep_location: bool = False  # whether a video's output keeps the place where it was taken
    keep_profile: bool = False  # whether pictures keep their own colour profile

    def __post_init__(self) -> None:
        parse_colour(self.background)
        start = 0.0 if self.start is None else self.start
        if not start >= 0:
            raise UsageError(f"start must not be negative, got {start:g}")
        if start > LONGEST:
            raise UsageError(f"start is more than {LONGEST} seconds, got {shown(start)}")
        if self.end is not None and not self.end > start:
            raise UsageError(f"end must be after the start, {start:g} seconds; got {self.end:g}")

    @property
    def ground(self) -> tuple[int, int, int]:
        """The background's RGB."""
        return parse_colour(self.background)


@dataclass(frozen=True)
class PaintOptions:
    """How every picture and video of a translation is painted and written."""

    backend: str = "auto"
    precision: str = "auto"
    look: Look = Look()
    encoding: Encoding = DEFAULT  # of videos

    def keywords(self) -> dict[str, Any]:
        """Returns them as the keywords of ``translate``."""
        own = {"backend": self.backend, "precision": self.precision, "encoding": self.encoding}
        return own | asdict(self.look)

    def load(self, model: str | Path | Bundle) -> Stylizer:
        """Loads the model that paints pictures."""
        look = self.look
        return load(model, self.backend, self.precision, "rgb", look.strength, stroke=look.stroke)

    def load_for_video(
        self, model: str | Path | Bundle, in_flight: int, size: tuple[int, int]
    ) -> Stylizer:
        """Loads the model that paints a video, several frames of one (height, width) at once."""
        look = self.look
        return load(
            model,
            self.backend,
            self.precision,
            "rgb",
            look.strength,
            in_flight,
            size,
            look.stroke,
            wrap=look.follow,
        )

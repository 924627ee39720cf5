"""Pictures as a source: one, or those of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import MediaError
from ...icc import own_profile
from ...picture_size import MOST
from ...pictures import read_picture
from ..frame import Frame
from .source import Source


class PictureSource(Source):
    """One picture or several; what cannot be decoded is a problem, not the end.

    Args:
        paths: The files.
        label: How messages name them.
        names: What each is called in a folder of outputs; its file's name if none.
        max_pixels: How large they may be.
        keep_profile: Whether each frame has the picture's own profile, to be written in.
    """

    def __init__(
        self,
        paths: list[Path],
        label: str,
        names: list[str] | None = None,
        max_pixels: int = MOST,
        keep_profile: bool = False,
    ) -> None:
        super().__init__()
        self.max_pixels, self.keep_profile = max_pixels, keep_profile
        self.paths, self.label, self.count = paths, label, len(paths)
        self.names = names or [path.name for path in paths]

    def frames(self) -> Iterator[Frame]:
        """Yields the pictures; each keeps its name."""
        for index, (path, name) in enumerate(zip(self.paths, self.names, strict=True)):
            try:
                rgb, alpha = read_picture(path, self.max_pixels)
                profile = own_profile(path.read_bytes())[0] if self.keep_profile else b""
            except (MediaError, OSError) as error:
                self.problems.append(str(error))
                continue
            yield Frame(rgb, index, name=name, alpha=alpha, profile=profile)

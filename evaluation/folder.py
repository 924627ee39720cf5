"""The pictures of a folder that an evaluation works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import overload

from ..errors import UsageError
from ..pictures import Pixels, list_pictures, read_picture, spread


def named_folders(
    root: Path | None, source: str, target: str, count: int
) -> tuple[PictureFolder, PictureFolder]:
    """Returns originals and targets where no recipe names them.

    Raises:
        UsageError: They are not named, or not there.
    """
    if root is None:
        raise UsageError("no pictures are named; give --data, and --source and --target in it")
    source, target = source or "testB", target or "trainA"
    return PictureFolder(root / source, count), PictureFolder(root / target, count)


class PictureFolder(Sequence[Pixels]):
    """Pictures spread evenly over a folder by name, each read when it is needed.

    Args:
        folder: Their folder.
        count: The largest number of pictures.
        read: Reads a picture; raises MediaError if it is damaged.

    Raises:
        UsageError: There is no such folder, or it holds fewer than two pictures.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        read: Callable[[Path], Pixels] = lambda path: read_picture(path)[0],
    ) -> None:
        if not folder.is_dir():
            raise UsageError(
                f"folder {folder} does not exist; name another with --data, --source or --target"
            )
        found = list_pictures(folder)
        if len(found) < 2:
            raise UsageError(
                f"folder {folder} holds {len(found)} pictures; an evaluation needs at least 2"
            )
        self.folder, self._read, self.paths = folder, read, spread(found, count)

    def some(self, count: int) -> PictureFolder:
        """Returns at most ``count`` of these pictures, spread evenly over them."""
        fewer = copy(self)
        fewer.paths = spread(self.paths, count)
        return fewer

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pixels]: ...
    def __getitem__(self, index: int | slice) -> Pixels | list[Pixels]:
        """Reads a picture, or several."""
        if isinstance(index, slice):
            return [self._read(path) for path in self.paths[index]]
        return self._read(self.paths[index])

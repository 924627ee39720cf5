"""Domains: the pictures, their pairs, and the order in which they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ...errors import MediaError, TrainingError
from ...pictures import read_picture
from ..recipe import DataSection, Recipe
from .folders import find_pictures, target_folder
from .transforms import shrink, to_grey

Entry = tuple[Path, ...]  # one file, or the files of source and target
KEPT = 128 * 2**20  # bytes of decoded pictures cached for each domain in each loader process


class UnreadablePicture(TrainingError):
    """A picture cannot be decoded; the next one replaces it."""


class Domain:
    """Pictures or pairs of one kind. Each is drawn once before any is drawn again, reshuffled."""

    def __init__(self, entries: Sequence[Entry], recipe: Recipe, number: int) -> None:
        if len(entries) < 2:
            raise TrainingError(
                f"data folder {entries[0][0].parent} holds one picture; at least 2 are needed"
            )
        self.entries, self.data = entries, recipe.data
        self.seed, self.number = recipe.seed, number  # each domain has its own shuffle
        self._kept, self._room = dict[Path, Tensor](), KEPT

    def load(self, k: int) -> tuple[Tensor, list[str]]:
        """Reads the k-th entry, or the first readable one after it.

        Returns:
            Its pictures, uint8 (N, 3, H, W): source and target of a pair, else one. And the
            names of the files that could not be read.

        Raises:
            TrainingError: None of the domain can be read, or halves of a pair differ in size.
        """
        n, unreadable = len(self.entries), list[str]()
        order = _shuffled(n, self.seed, k // n, self.number)
        for i in range(n):
            files = self.entries[order[(k + i) % n]]
            pictures = []
            for path in files:
                try:
                    pictures.append(self._read(path))
                except UnreadablePicture:
                    unreadable.append(str(path))
            if len(pictures) == len(files):
                return _together(files, pictures, self.data), unreadable
        raise TrainingError(
            f"none of the {n} pictures of data folder {self.entries[0][0].parent} can be read"
            f" (the first tried: {unreadable[0]}); repair or replace them"
        )

    def _read(self, path: Path) -> Tensor:
        """Reads a picture, caching the first ones while there is room."""
        if path in self._kept:
            return self._kept[path]
        picture = shrink(load_picture(path), _size(self.data, self.number == 1))
        if picture.nbytes <= self._room:
            self._kept[path] = picture
            self._room -= picture.nbytes
        return picture


def find_domains(recipe: Recipe) -> list[Domain]:
    """Returns one domain, or for unaligned pictures two: sources and targets.

    Raises:
        TrainingError: A folder is missing or holds too few pictures, or pairs are not complete.
    """
    data = recipe.data
    entries: list[list[Entry]]
    entries = [[(path,) for path in find_pictures(data.root / data.source)]]
    if data.mode == "unaligned":
        entries.append([(path,) for path in find_pictures(target_folder(data))])
    elif data.mode == "aligned" and data.target:
        entries = [_pairs(data.root / data.source, target_folder(data))]
    return [Domain(found, recipe, number) for number, found in enumerate(entries)]


def load_picture(path: Path) -> Tensor:
    """Reads a picture as uint8 RGB (3, H, W), turned as its EXIF says.

    Raises:
        UnreadablePicture: It cannot be decoded.
    """
    try:
        rgb, _ = read_picture(path)
    except MediaError as error:
        raise UnreadablePicture(str(error)) from error
    return torch.from_numpy(rgb).permute(2, 0, 1)


def load_source(path: Path, data: DataSection) -> Tensor:
    """Reads a whole picture of ``data.source`` as a generator's input: uint8 RGB (3, H, W)."""
    picture = shrink(load_picture(path), _size(data, target=False))
    picture = _together((path,), [picture], data)[0]
    return to_grey(picture) if data.mode == "colorization" else picture


def load_target(path: Path, data: DataSection) -> Tensor:
    """Reads a whole picture of ``target_folder(data)`` as a target: uint8 RGB (3, H, W)."""
    picture = shrink(load_picture(path), _size(data, target=True))
    return _together((path,), [picture], data)[-1]


def _size(data: DataSection, target: bool) -> int | None:
    """Returns the length that a picture's shorter side is scaled down to when it is read."""
    return data.target_size if target else data.source_size


def mix(*numbers: int) -> int:
    """Hashes numbers to a seed; similar inputs give unrelated seeds."""
    h = 0xCBF29CE484222325
    for number in numbers:
        h = ((h ^ number) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        h ^= h >> 29
    return h >> 1


def _pairs(source: Path, target: Path) -> list[Entry]:
    """Returns the pictures of equal names in two folders; their suffixes may differ."""
    sources, targets = _by_stem(source), _by_stem(target)
    alone = [p.name for stem, p in sources.items() if stem not in targets]
    alone += [p.name for stem, p in targets.items() if stem not in sources]
    if alone:
        raise TrainingError(
            f"{len(alone)} pictures of data folders {source} and {target} have no partner of the"
            f" same name, the first {', '.join(alone[:3])}; add the partners or remove these"
        )
    return [(path, targets[stem]) for stem, path in sources.items()]


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in find_pictures(folder):
        other = found.setdefault(path.stem, path)
        if other is not path:
            raise TrainingError(
                f"{other} and {path} have the same name, so which of them makes the pair cannot be"
                " told; remove or rename one"
            )
    return found


def _together(files: Entry, pictures: list[Tensor], data: DataSection) -> Tensor:
    """Joins an entry's pictures (3, H, W) to (N, 3, H, W); side by side ones are cut in two."""
    if data.mode == "aligned" and not data.target:
        width = pictures[0].shape[-1]
        if width % 2:
            raise TrainingError(
                f"{files[0]} is {width} pixels wide; source and target side by side need an even"
                " width"
            )
        left, right = pictures[0].split(width // 2, dim=-1)
        pictures = [right, left] if data.swap else [left, right]
    if pictures[0].shape != pictures[-1].shape:
        sizes = [
            f"{path} is {p.shape[-1]}x{p.shape[-2]}"
            for path, p in zip(files, pictures, strict=True)
        ]
        raise TrainingError(f"{' but '.join(sizes)}; a pair's pictures must have the same size")
    # Channels stay last in memory, which halves the time to resize.
    return torch.stack([picture.movedim(0, -1) for picture in pictures]).movedim(-1, 1)


@lru_cache(maxsize=8)
def _shuffled(n: int, seed: int, epoch: int, domain: int) -> list[int]:
    rng = torch.Generator().manual_seed(mix(seed, epoch, domain + 1))
    return torch.randperm(n, generator=rng).tolist()

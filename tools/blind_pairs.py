"""Pairs of pictures: folders of paintings, or what models paint at viewing size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pleinair.bundle.manifest import MANIFEST
from pleinair.errors import UsageError
from pleinair.evaluation.viewing_size import at_viewing_size
from pleinair.pictures import Pixels, is_picture, list_pictures, read_picture
from pleinair.runtime.stylizer import Stylizer, load
from pleinair.tools.blind_set import Exhibit, Shown

_Side = Mapping[str, Callable[[], Pixels]]  # what paints or reads a picture, by its name
_OF_RUNS = ("generator.pt", "student.pt")


def picture_exhibits(
    a: str, b: str, pictures: Sequence[Path], count: int, rows: int
) -> list[Exhibit]:
    """Finds pictures that both sides show, spread evenly over those there are.

    Args:
        a: A folder of paintings, or a model.
        b: The same.
        pictures: What models paint: files, and folders of them.
        count: At most so many.
        rows: Height at which models paint.

    Raises:
        UsageError: A model is to paint nothing, or both sides have no name in common.
    """
    files = _by_name(_files(pictures))
    first, second = (_side(name, files, rows) for name in (a, b))
    common = sorted(set(first) & set(second))
    if not common:
        raise UsageError(f"{a} and {b} have no picture of one name; nothing can be compared")
    count = min(count, len(common))
    names = [common[number * len(common) // count] for number in range(count)]
    return [Exhibit(name, partial(_show, first[name], second[name])) for name in names]


def _show(a: Callable[[], Pixels], b: Callable[[], Pixels]) -> tuple[Shown, Shown]:
    return {"": a()}, {"": b()}


def _side(name: str, files: Mapping[str, Path], rows: int) -> _Side:
    folder = Path(name)
    is_model = any((folder / file).is_file() for file in (MANIFEST, *_OF_RUNS))
    if folder.is_dir() and not is_model:
        paintings = _by_name(list_pictures(folder))
        return {stem: partial(_read, path) for stem, path in paintings.items()}
    if not files:
        raise UsageError(f"{name} is no folder of paintings; give a model --pictures to paint")
    model = load(name, color="rgb")
    return {stem: partial(_paint, model, path, rows) for stem, path in files.items()}


def _read(path: Path) -> Pixels:
    return read_picture(path)[0]


def _paint(model: Stylizer, path: Path, rows: int) -> Pixels:
    return model(at_viewing_size(_read(path), rows))


def _files(pictures: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in pictures:
        if path.is_dir():
            found += list_pictures(path)
        elif path.is_file() and is_picture(path):
            found.append(path)
        else:
            raise UsageError(f"--pictures {path} is neither a picture nor a folder")
    return found


def _by_name(paths: Iterable[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(path.stem, path)
        if other != path:
            raise UsageError(f"{other} and {path} have one name; leave one of them out")
    return named

"""A corpus: pictures and videos of folders, patterns, lists and stores, and their outputs.

Local paths, or addresses that fsspec knows (``s3://bucket/photos``, ``gs://...``, ``memory://...``).
"""

from __future__ import annotations

import glob
import os
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import MediaError, UsageError
from ...temporary import TemporaryFolder
from .plan import is_film, make_plan, paintable, painted_name

LIST = ".txt"


@dataclass(frozen=True)
class Piece:
    """One picture or video of a corpus, by path or address."""

    source: str
    target: str
    is_video: bool


def find_pieces(source: str | Path | Sequence[str | Path], out: str | Path) -> list[Piece]:
    """Finds what there is to paint, in the order of names.

    Args:
        source: A folder, a file or a pattern; a ``.txt`` with one file per line; or those
            files. The structure of folders is kept.
        out: The output folder; a file for a single local one.

    Raises:
        UsageError: Something does not exist, two would be painted to one place, or one to a place
            outside of ``out``.
        MediaError: There is nothing to paint in it.
    """
    twice: list[str] = []
    listed = _listed(source)
    if listed is not None:
        pieces = _of_list(listed, str(out), str(source) if isinstance(source, str | Path) else "it")
    elif is_remote(source) or is_remote(out):
        pieces = _of_store(str(source), str(out))
    else:
        plan = make_plan(os.fspath(source), out)  # type: ignore[arg-type]
        pieces = [Piece(str(i.source), str(i.target), i.is_video) for i in plan.items]
        twice = [
            str(path) for path in plan.taken
        ]  # workers that start later would choose other names
    twice += [target for target, n in Counter(p.target for p in pieces).items() if n > 1]
    if twice:
        raise UsageError(f"two files would be painted to {twice[0]}; rename one")
    return pieces


def is_remote(path: object) -> bool:
    """Whether something is an address and not a local path."""
    return "://" in str(path)


def exists(path: str) -> bool:
    """Whether there is a file."""
    if not is_remote(path):
        return Path(path).exists()
    with _store_of(path) as (store, inside):
        return bool(store.exists(inside))


@contextmanager
def as_local(path: str) -> Iterator[Path]:
    """Yields a local file to read: the file itself, or a temporary copy.

    Raises:
        MediaError: It cannot be fetched.
    """
    if not is_remote(path):
        yield Path(path)
        return
    with TemporaryFolder() as folder, _store_of(path) as (store, inside):
        copy = folder / PurePosixPath(inside).name
        store.get_file(inside, str(copy))
        yield copy


@contextmanager
def to_be_written(path: str) -> Iterator[Path]:
    """Yields a local file to write, which is stored when it is complete.

    Raises:
        MediaError: It cannot be stored.
    """
    if not is_remote(path):
        yield Path(path)
        return
    with TemporaryFolder() as folder:
        copy = folder / PurePosixPath(path).name
        yield copy
        with _store_of(path) as (store, inside):
            store.makedirs(posixpath.dirname(inside), exist_ok=True)
            temporary = f"{posixpath.dirname(inside)}/.{copy.name}.{os.getpid()}.part"
            store.put_file(str(copy), temporary)
            store.mv(temporary, inside)


def _listed(source: str | Path | Sequence[str | Path]) -> list[str] | None:
    """The files of a list; None if the source is not a list."""
    if not isinstance(source, str | Path):
        return [str(path) for path in source]
    if not str(source).lower().endswith(LIST):
        return None
    try:
        with as_local(str(source)) as file:
            lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UsageError(f"{source} does not exist") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"list {source} cannot be read: {error}") from error
    return [line.strip() for line in lines if line.strip()]


def _of_list(files: list[str], out: str, label: str) -> list[Piece]:
    """Places files below their common folder into the output folder."""
    if not files:
        raise MediaError(f"{label} names no files")
    for path in files:
        if not paintable(Path(PurePosixPath(path).name)):
            raise UsageError(f"{path} is not a picture or video by its name")
        if not exists(path):
            raise UsageError(f"{path} does not exist")
    if is_remote(files[0]) or any(map(is_remote, files)):
        parts = [PurePosixPath(path).parent.parts for path in files]
        common = posixpath.join("", *_shared(parts))
        names = [str(PurePosixPath(path).relative_to(common or ".")) for path in files]
    else:
        files = [os.path.abspath(path) for path in files]  # noqa: PTH100  # keeps links as they are
        common = os.path.commonpath([os.path.dirname(path) for path in files])  # noqa: PTH120
        names = [Path(path).relative_to(common).as_posix() for path in files]
    return [_piece(path, name, out) for path, name in zip(files, names, strict=True)]


def _shared(parts: list[tuple[str, ...]]) -> list[str]:
    """The common leading parts."""
    shared = []
    for column in zip(*parts, strict=False):
        if len(set(column)) > 1:
            break
        shared.append(column[0])
    return shared


def _of_store(source: str, out: str) -> list[Piece]:
    """Places the files of a store's folder or pattern into the output folder."""
    with _store_of(source) as (store, inside):
        root, found = inside.rstrip("/"), []
        if glob.has_magic(inside):
            fixed = inside.split("*")[0].split("?")[0].split("[")[0]
            root, found = posixpath.dirname(fixed), store.glob(inside)
        elif store.isfile(inside):
            root, found = posixpath.dirname(inside), [inside]
        else:
            found = store.find(inside)
        names = [posixpath.relpath(path, root or "/") for path in sorted(found)]
        names = [name for name in names if paintable(Path(name), Path())]
        if not names:
            raise MediaError(f"{source} does not exist, or holds no pictures or videos")
        address = [store.unstrip_protocol(posixpath.join(root, name)) for name in names]
    if not is_remote(source):
        address = [path.removeprefix("file://") for path in address]
    return [_piece(path, name, out) for path, name in zip(address, names, strict=True)]


def _piece(source: str, name: str, out: str) -> Piece:
    # A store's names may hold what leads out of folders.
    if PurePosixPath(name).is_absolute() or ".." in re.split(r"[/\\]", name):
        raise UsageError(f"{source} would be painted outside of {out}; rename it, or leave it out")
    # Files in a store are not opened for this: of an animation there the first frame is painted.
    known = Path(name if is_remote(source) else source)
    is_video = is_film(known)
    where = PurePosixPath(name).with_name(painted_name(known))
    target = posixpath.join(out, str(where)) if is_remote(out) else str(Path(out, where))
    return Piece(source, target, is_video)


@contextmanager
def _store_of(path: str) -> Iterator[tuple[Any, str]]:
    """Yields the file system of an address and the path in it; its errors become ours."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise MediaError('fsspec is not installed; run: pip install "pleinair[ray]"') from None
    try:
        yield fsspec.core.url_to_fs(path)
    except ImportError as error:  # of the library behind a protocol
        raise MediaError(f"{path} cannot be opened: {error}") from error
    except ValueError as error:  # an unknown protocol
        raise UsageError(f"{path} cannot be opened: {error}") from error
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist") from None
    except OSError as error:
        raise MediaError(f"{path} cannot be used: {error.strerror or error}") from error

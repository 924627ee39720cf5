"""What a SOURCE is: a shipped model, a bundle, a run, a checkpoint, bare weights, an ONNX model.

The content decides, not the suffix: ``v1.pt`` may be a bundle's folder, and a PyTorch checkpoint is
a zip too. The suffix is used only in messages about damaged files. Needs no torch.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from ..errors import (
    BundleError,
    ExportError,
    PleinairError,
    TrainingError,
    UsageError,
    unknown_name,
)
from ..reading import is_special
from .manifest import AGAIN, MANIFEST, no_manifest

SHIPPED = Path(__file__).parent.parent / "models"
GENERATOR: Final = "generator.pt"
STUDENT: Final = "student.pt"
WEIGHTS: Final = (".ckpt", ".pt", ".pth", ".safetensors")  # suffixes
_STATE: Final = "checkpoint.pt"  # in every run after its first save
_STAGES: Final = "stages"  # in a run whose recipe has several
_PICKLED: Final = "data.pkl"  # in every zip that PyTorch writes
_ZIP: Final = b"PK"
_MOST_FIELDS: Final = 100_000  # of an ONNX model, with functions and properties
_PICKLES: Final = frozenset(bytes((0x80, protocol)) for protocol in range(2, 6))
_GRAPH: Final = 7  # the field of an ONNX model that holds its graph
_ONNX_FIELDS: Final = frozenset({1, 2, 3, 4, 5, 6, _GRAPH, 8, 14, 20, 25, 26})
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # protobuf's wire types


class Kind(Enum):
    """The kinds of sources; values are their names in messages."""

    BUNDLE = "bundle"
    RUN = "run"
    CHECKPOINT = "checkpoint"
    WEIGHTS = "file of bare weights"
    ONNX = "ONNX model"


PAINTERS: Final = (Kind.BUNDLE, Kind.RUN, Kind.CHECKPOINT)
EXPORTABLE: Final = (*PAINTERS, Kind.ONNX)


@dataclass(frozen=True)
class Source:
    """A source that was found.

    Attributes:
        kind: What it is.
        path: The bundle's folder or zip, the run's folder, or the file.
        named: As the user named it.
    """

    kind: Kind
    path: Path
    named: str

    @property
    def checkpoint(self) -> Path:
        """The generator's file of a run or checkpoint; if a run has a student, the student's."""
        if self.kind is not Kind.RUN:
            return self.path
        student = self.path / STUDENT
        return student if student.is_file() else self.path / GENERATOR

    def is_bundle_in(self, out: Path) -> bool:
        """Whether a folder is this source itself, a bundle to which artifacts are added."""
        same = out.is_dir() and out.resolve() == self.path.resolve()
        return same and self.kind is Kind.BUNDLE


def resolve(source: str | Path, *kinds: Kind) -> Source:
    """Finds out what a source is.

    Args:
        source: A shipped model's name, or the path of anything that ``Kind`` knows.
        kinds: The accepted kinds; any by default.

    Raises:
        UsageError: It does not exist, or is of another kind.
        BundleError: It is nothing that pleinair knows, or cannot be read.
        TrainingError: It was a checkpoint, and is damaged.
        ExportError: It was an ONNX model, and is damaged.
    """
    named = str(source)
    found = _find(named)
    if kinds and found.kind not in kinds:
        raise UsageError(_other_kind(found, kinds))
    return found


def shipped_models() -> list[str]:
    """Returns the names of the bundles that come with pleinair."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{MANIFEST}"))


def _find(named: str) -> Source:
    path = Path(named)
    try:
        kind = _kind_of(path) if named else None
        # A folder that happens to bear a model's name, e.g. one with pictures, does not hide it.
        if kind is None and named in shipped_models():
            return Source(Kind.BUNDLE, SHIPPED / named, named)
        there = bool(named) and path.exists()
    except ValueError as error:  # a null character
        raise UsageError(f"{named!r} is not a path: {error}") from error
    except OSError as error:
        raise BundleError(f"{named} cannot be read: {error.strerror}") from error
    if kind:
        return Source(kind, path, named)
    if there:
        raise _unknown_content(path)
    if path.suffix:
        raise UsageError(f"{named} does not exist; give a shipped model's name or a path")
    raise UsageError(unknown_name("model or path", named, shipped_models()))


def _kind_of(path: Path) -> Kind | None:
    """Returns the kind of a path; None if it is unknown or missing."""
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        start = file.read(2)
        if start == _ZIP:
            return _kind_of_zip(path)
        if start in _PICKLES:
            return Kind.CHECKPOINT  # a bare pickle, as PyTorch wrote before 1.6
        if _is_safetensors(file):
            return Kind.WEIGHTS
        return Kind.ONNX if _is_onnx(file) else None


def _kind_of_folder(path: Path) -> Kind | None:
    if (path / MANIFEST).exists():
        return Kind.BUNDLE
    if any((path / name).is_file() for name in (GENERATOR, STUDENT)):
        return Kind.RUN
    if (path / _STATE).is_file() or (path / _STAGES).is_dir():
        raise UsageError(
            f"{path} is a run that has no generator yet: {path / GENERATOR} does not exist; train"
            " it further"
        )
    return None


def _kind_of_zip(path: Path) -> Kind | None:
    """Distinguishes bundles and checkpoints; of a truncated zip only checkpoints are recognised."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except Exception:  # zipfile raises half a dozen types for a damaged file
        return Kind.CHECKPOINT if PurePosixPath(_first_name(path)).name == _PICKLED else None
    has_manifest = any(name.name == MANIFEST and len(name.parts) <= 2 for name in names)
    is_pickled = any(name.name == _PICKLED for name in names)
    return Kind.CHECKPOINT if is_pickled and not has_manifest else Kind.BUNDLE


def _first_name(path: Path) -> str:
    """Returns the name of a zip's first member, from the start of the file."""
    with path.open("rb") as file:
        head = file.read(30)
        return file.read(int.from_bytes(head[26:28], "little")).decode(errors="replace")


def _is_safetensors(file: BinaryIO) -> bool:
    """Whether a file begins with the length of a JSON object and that object."""
    size = file.seek(0, 2)
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= min(size - 8, 100_000_000):
        return False
    with contextlib.suppress(ValueError, RecursionError):
        return isinstance(json.loads(file.read(length)), dict)
    return False


def _is_onnx(file: BinaryIO) -> bool:
    """Whether a file's top-level fields are those of an ONNX model, even if truncated."""
    file.seek(0)
    seen = set()
    for field in islice(_fields(file), _MOST_FIELDS):
        if field not in _ONNX_FIELDS:
            return False
        seen.add(field)
    return _GRAPH in seen


def _fields(file: BinaryIO) -> Iterator[int]:
    """Yields the numbers of a protobuf message's top-level fields; 0 for an invalid one."""
    while (tag := _varint(file)) is not None:
        field, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            _varint(file)
        elif wire in (_FIXED64, _FIXED32):
            file.seek(8 if wire == _FIXED64 else 4, 1)
        elif wire == _BYTES:
            file.seek(_varint(file) or 0, 1)
        else:
            field = 0
        yield field


def _varint(file: BinaryIO) -> int | None:
    """Reads a protobuf integer; None at the end of the file."""
    value = 0
    for shift in range(0, 63, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            break
    return value


def _unknown_content(path: Path) -> PleinairError:
    if path.is_dir():
        return BundleError(f"{no_manifest(path)}; nor is it a run, which has {GENERATOR}")
    if is_special(path):
        return BundleError(f"{path} is a pipe, socket or device, no file; save what it gives first")
    if instead := left_instead(path):
        return BundleError(f"{path} is {instead}")
    if path.suffix in WEIGHTS:
        return TrainingError(
            f"{path} is not a readable checkpoint: it is cut short, or something else; train or"
            " download it again"
        )
    if path.suffix == ".onnx":
        return ExportError(f"{path} is not a valid ONNX model; export or download it again")
    return BundleError(
        f"{path} is not a bundle: neither a folder nor a complete zip file; nor is it a checkpoint"
        f" or an ONNX model; {AGAIN}"
    )


def left_instead(path: Path) -> str:
    """What a download left in place of a file, with the remedy; "" if it is none of that."""
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page, as a link to a page leaves it; download the file itself"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS and not the file; run: git lfs pull"
    return ""


def _other_kind(found: Source, kinds: tuple[Kind, ...]) -> str:
    *others, last = (kind.value for kind in kinds)
    wanted = f"{', '.join(others)} or {last}" if others else last
    article = "an" if found.kind is Kind.ONNX else "a"
    if found.kind is Kind.WEIGHTS:
        remedy = "give the bundle or checkpoint that they belong to"
    elif Kind.BUNDLE in kinds or found.kind is Kind.ONNX:
        first = " first" if Kind.BUNDLE in kinds else ""
        remedy = f"export it{first}: pleinair export {found.named} --out BUNDLE"
    else:
        remedy = f"give a {wanted}"
    return f"{found.named} is not a {wanted} but {article} {found.kind.value}; {remedy}"

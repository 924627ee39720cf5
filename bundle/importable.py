"""What ``pleinair import`` takes, and what else it may have been given. Needs no torch."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path, PurePosixPath

from ..errors import PleinairError, TrainingError, UsageError, os_errors_as
from ..pictures import holds_picture, list_pictures
from ..reading import is_special
from .manifest import MANIFEST
from .resolve import WEIGHTS, Kind, Source, left_instead, resolve

_GIVE = "give the file of a generator's weights, e.g. latest_net_G.pth"
_NO_NEED = "which needs no import: translate, live and export take it"


def check_importable(source: str | Path) -> None:
    """Refuses what is neither a checkpoint nor a file of bare weights.

    Raises:
        UsageError: It does not exist, or needs no import.
        BundleError: It is what a download left in place of a file, or no file.
        TrainingError: It is something else.
    """
    path = Path(source)
    try:
        found = resolve(source)
    except PleinairError as error:
        if not path.exists():
            raise UsageError(f"{source} does not exist; {_GIVE}") from None
        if not isinstance(error, UsageError) and not isinstance(error.__cause__, OSError):
            with os_errors_as(TrainingError, f"{path} cannot be read"):
                said = _folder(path) if path.is_dir() else _file(path)
            if said:
                raise TrainingError(f"{path} is not a checkpoint but {said}") from error
        raise
    if found.kind in (Kind.BUNDLE, Kind.RUN):
        if said := _zip_without_manifest(found.path):
            raise TrainingError(f"{source} is not a checkpoint but {said}")
        raise UsageError(f"{source} is not a checkpoint but a {found.kind.value}, {_NO_NEED}")
    if found.kind is Kind.ONNX:
        raise UsageError(_of_onnx(found))


def _of_onnx(found: Source) -> str:
    return (
        f"{found.named} is not a checkpoint but an ONNX model; if it makes pictures of pictures,"
        f" export it: pleinair export {found.named} --out BUNDLE"
    )


def _zip_without_manifest(path: Path) -> str:
    """What a zip is that is no bundle; "" for a bundle."""
    if path.is_dir():
        return ""
    with zipfile.ZipFile(path) as archive:  # resolve has read it
        names = [PurePosixPath(name) for name in archive.namelist()]
    if any(name.name == MANIFEST for name in names):
        return ""
    weights = [str(name) for name in names if name.suffix in WEIGHTS]
    if weights:
        return f"a zip that holds {weights[0]}; unpack it, and import that file"
    return f"a zip without weights; {_GIVE}"


def _file(path: Path) -> str:
    """What a file is that is nothing of pleinair's; "" where that is said already."""
    if is_special(path) or left_instead(path):
        return ""
    if holds_picture(path):
        return f"a picture; {_GIVE}; translate paints pictures"
    if path.suffix in WEIGHTS:  # damaged
        return ""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] == b"ftyp" or head[:4] == b"\x1a\x45\xdf\xa3" or head[8:12] == b"AVI ":
        return f"a video; {_GIVE}; translate paints videos"
    if head.startswith(b"PK\x03\x04"):
        return "a zip that is damaged or cut short; download it again"
    return f"{_kind_of_bytes(head)}; {_GIVE}"


def _kind_of_bytes(head: bytes) -> str:
    if not head:
        return "an empty file"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last letter may be cut
    except UnicodeDecodeError:
        return "a file of another kind"
    return "a file of another kind" if b"\0" in head else "a text file"


def _folder(path: Path) -> str:
    """What a folder is that is neither bundle nor run."""
    inside = sorted(path.iterdir())
    if not inside:
        return f"an empty folder; {_GIVE}"
    if bundles := [one for one in inside if (one / MANIFEST).is_file()]:
        return f"a folder with the bundle {bundles[0]}, {_NO_NEED}"
    if weights := [one for one in inside if one.suffix in WEIGHTS and one.is_file()]:
        return f"a folder; give a file of it, e.g. {weights[0]}"
    if list_pictures(path):
        return f"a folder of pictures; {_GIVE}; translate paints pictures"
    return f"a folder; {_GIVE}"

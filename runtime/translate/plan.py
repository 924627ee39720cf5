"""Plans a translation: what to paint, and the output of each file."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...errors import MediaError, UsageError
from ...errors import shown as shortened
from ...picture_size import picture_size
from ...pictures import SUFFIXES, check_sides, is_picture
from ...reading import Malformed
from ..address import is_bare, shown
from ..sinks.video import VIDEO_SUFFIXES
from ..sources.animation import is_animation, is_still
from ..sources.opening import check_regular
from .names import LONGEST, Names, bytes_of

# Formats of videos that are read; those that are not written become Matroska.
_READ = VIDEO_SUFFIXES | {
    *(".avi", ".wmv", ".flv", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".3gp", ".ogv")
}
# Formats that are also read, but not listed in messages.
_READ_TOO = frozenset(
    {".asf", ".f4v", ".3g2", ".vob", ".m2v", ".mxf", ".divx", ".dv", ".nut"}
    | {".y4m", ".ivf", ".h264", ".264", ".h265", ".265", ".hevc", ".mjpg", ".mjpeg", ".mk3d"}
)


@dataclass(frozen=True)
class Item:
    """One picture or video."""

    source: Path
    target: Path
    is_video: bool


@dataclass(frozen=True)
class Plan:
    """All of a translation.

    Attributes:
        items: In the order in which they are painted.
        folder: The output folder if there may be several files; None for a single file.
        notes: A sentence for each file that is left out or gets another name.
        taken: The names that two files would have had.
    """

    items: list[Item]
    folder: Path | None
    notes: list[str] = field(default_factory=list)
    taken: list[Path] = field(default_factory=list)


def make_plan(source: str | Path, out: str | Path) -> Plan:
    """Finds the files to paint.

    Args:
        source: A picture, a video, a folder (with its subfolders), or a pattern such as
            ``"holiday/**/*.jpg"``.
        out: A file of the same kind, or a folder; the structure of folders is kept in it.

    Raises:
        UsageError: There is no such source, or the output does not fit it.
        MediaError: There is nothing to paint in it.
    """
    for what, given in (("source", source), ("output", out)):
        if not str(given):
            raise UsageError(f"the {what}'s name is empty")
    if "://" in str(out):
        raise UsageError(
            f"output {shown(str(out))} is an address, no file; to show it painted use live --sink"
        )
    path, out = Path(source), Path(out)
    if bytes_of(out.name) > LONGEST:
        raise MediaError(
            f"output {shortened(str(out), 200)} cannot be written: File name too long,"
            f" {bytes_of(out.name)} bytes; file systems take {LONGEST}"
        )
    for name in (path, out):
        _check_name(name)
    if "://" in str(source):
        raise UsageError(f"{shown(str(source))} is {_instead_of_file(str(source))}")
    if path.is_dir():
        wrong = f"{path} is a folder, so the output must be one too"
        return _of_many(path, _inside(path, out), out, f"folder {path}", wrong)
    if path.exists():
        return _of_one(path, out)
    if glob.has_magic(str(source)):
        found = [Path(name) for name in sorted(glob.glob(str(source), recursive=True))]  # noqa: PTH207
        if not found:
            wrong = "does not exist, and as a pattern it matches nothing"
            raise UsageError(f"{shown(str(source))} {wrong}{_download(str(source))}")
        files = [one for one in found if one.is_file() and not one.name.startswith(".")]
        wrong = f"pattern {source} may match many files, so the output must be a folder"
        return _of_many(fixed_part(path), files, out, f"pattern {source}", wrong)
    if str(source).isdecimal():
        raise UsageError(f"{source} does not exist; to paint a camera use live")
    raise UsageError(f"{source} does not exist{_download(str(source))}")


def _download(source: str) -> str:
    return "; if it is an address, download the file first" if is_bare(source) else ""


def _instead_of_file(address: str) -> str:
    """What an address is, and which verb takes it."""
    scheme = address.partition("://")[0].lower()
    if scheme in ("http", "https"):
        return "a stream or page, not a file; download a file, to record a stream use live --sink"
    if scheme == "file":
        return "an address; of a file its path is enough, without file://"
    if scheme in ("s3", "gs", "gcs", "az", "abfs", "hdfs", "memory"):
        return "an address, not a file; --engine ray reads it"
    return "a stream, not a file; to record it painted use live --sink"


def without_existing(plan: Plan) -> tuple[Plan, int]:
    """Leaves out existing outputs; returns their number, too."""
    left = [item for item in plan.items if not item.target.exists()]
    return replace(plan, items=left), len(plan.items) - len(left)


def _check_name(path: Path) -> None:
    """Refuses names that no file can have here, before they reach other calls."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        pass  # reported where it matters
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{shortened(str(path))!r} cannot be used: {said}") from None


def _of_one(source: Path, out: Path) -> Plan:
    check_regular(source)
    is_video = is_film(source)
    if out.is_dir():
        out = out / painted_name(source)
    # A picture as output asks for an animation's first frame, but where it may be one itself.
    if (
        is_picture(out)
        and out.suffix.lower() != ".webp"
        and (is_picture(source) or is_animation(source))
    ):
        is_video = False
    kind, fits = ("video", VIDEO_SUFFIXES) if is_video else ("picture", SUFFIXES)
    if out.suffix.lower() not in fits:
        suffixes = ", ".join(sorted(fits))
        known = is_video <= paintable(source)
        is_said = "is" if known else "is no picture, and"
        rare = "" if known else "; save a picture of a rare kind as PNG first"
        raise UsageError(
            f"{source} {is_said} read as a {kind}, so the output must end in {suffixes}: {out}"
            f"{rare}"
        )
    _is_no_input(source, out)
    if not is_video:
        with contextlib.suppress(Malformed, OSError):  # the decoder says what is damaged
            check_sides(out, *picture_size(source.read_bytes()))
    if out.is_dir():
        raise UsageError(f"output {out} is a folder; give another name")
    if out.exists() and not out.is_file():
        raise UsageError(f"output {out} is a pipe or device; give another name")
    return Plan([Item(source, out, is_video)], None)


def _of_many(root: Path, files: list[Path], out: Path, label: str, wrong: str) -> Plan:
    _is_no_input(root, out)
    if not out.is_dir() and (out.exists() or _looks_like_file(out)):
        raise UsageError(f"{wrong}, not {out}")
    taken = [path for path in files if paintable(path, root)]
    if not taken:
        kinds = ", ".join(sorted(SUFFIXES | _READ))
        raise MediaError(f"{label} holds no pictures or videos ({kinds})")
    names, inputs = Names(out), {path.resolve() for path in taken}
    notes = list(_not_read([path for path in files if path not in taken], label))
    wanted = {path: path.relative_to(root).with_name(painted_name(path)) for path in taken}
    # Those that keep their names choose first.
    targets: dict[Path, Path] = {}
    twice = []
    for path in sorted(taken, key=lambda path: wanted[path].name != path.name):
        targets[path] = out / names.free(wanted[path])
        if targets[path] != out / wanted[path]:
            twice.append(out / wanted[path])
            notes.append(
                f"{path} will become {targets[path]}, as its own name is taken or too long"
            )
    for target in targets.values():
        if target.exists() and target.resolve() in inputs:
            raise UsageError(f"output {target} is an input; give another folder")
    items = [Item(path, targets[path], is_film(path)) for path in taken]
    # Pictures first: they are many and small, and a video's painter is another one.
    return Plan(sorted(items, key=lambda item: item.is_video), out, notes, twice)


def _not_read(files: list[Path], label: str) -> Iterator[str]:
    """Names the files that are neither pictures nor videos that are read."""
    if files:
        some = ", ".join(path.name for path in files[:3])
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        yield f"{label}: left out as neither pictures nor videos that are read: {some}{more}"


def _inside(folder: Path, out: Path) -> list[Path]:
    """The files of a folder and its subfolders, without hidden ones and earlier outputs."""
    painted = out.resolve()
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(name.startswith(".") for name in path.relative_to(folder).parts)
        and not path.resolve().is_relative_to(painted)
    ]


def paintable(path: Path, root: Path | None = None) -> bool:
    """Whether a file, by its name, is a picture or video, and not hidden below the root."""
    names = path.relative_to(root).parts if root else path.parts[-1:]
    hidden = any(name.startswith(".") for name in names)
    return not hidden and (is_picture(path) or path.suffix.lower() in _READ | _READ_TOO)


def fixed_part(pattern: Path) -> Path:
    """The folders of a pattern before its first wildcard."""
    fixed = Path(pattern.anchor)
    for part in pattern.parts[1 if pattern.anchor else 0 : -1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _looks_like_file(path: Path) -> bool:
    return is_picture(path) or path.suffix.lower() in _READ


def video_name(name: str) -> str:
    """Returns a painted video's name: its own, or with .mkv appended.

    Also to .webm and animations, which are written where they are named only: AV1 takes longer to
    encode, and animations are large.
    """
    kept = VIDEO_SUFFIXES - {".webm", ".gif", ".webp", ".apng"}
    return name if Path(name).suffix.lower() in kept else f"{name}.mkv"


def is_film(path: Path) -> bool:
    """Whether a file is painted as a video: all that is not one picture."""
    return not is_still(path)


def painted_name(path: Path) -> str:
    """What a painted file is called."""
    if is_film(path):
        return video_name(path.name)
    return path.name if path.suffix.lower() in SUFFIXES else f"{path.name}.jpg"


def _is_no_input(source: Path, out: Path) -> None:
    if out.exists() and source.exists() and out.resolve() == source.resolve():
        raise UsageError(f"output {out} is the input; give another name")

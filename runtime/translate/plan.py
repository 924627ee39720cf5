"""What a translation will paint, and where each piece goes."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from ...errors import MediaError, UsageError
from ...pictures import SUFFIXES, is_picture
from ..sinks.video import VIDEO_SUFFIXES

# Videos that are read; those that are not written too become Matroska.
_READ = VIDEO_SUFFIXES | {
    *(".avi", ".webm", ".wmv", ".flv", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".3gp", ".ogv")
}


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
        folder: The output folder, where there may be several; None for a single file.
    """

    items: list[Item]
    folder: Path | None


def make_plan(source: str | Path, out: str | Path) -> Plan:
    """Finds what there is to paint.

    Args:
        source: A picture, a video, a folder (with what is in its folders), or a pattern such as
            ``"holiday/**/*.jpg"``.
        out: A file of the same kind, or a folder; the structure of folders is kept in it.

    Raises:
        UsageError: There is no such source, or the output does not fit it.
        MediaError: There is nothing to paint in it.
    """
    path, out = Path(source), Path(out)
    if "://" in str(source):
        raise UsageError(f"{source} is a stream, not a file; to record it painted use live --sink")
    if path.is_dir():
        wrong = f"{path} is a folder, so the output must be one too"
        return _of_many(path, _inside(path, out), out, f"folder {path}", wrong)
    if path.exists():
        return _of_one(path, out)
    if glob.has_magic(str(source)):
        found = [Path(name) for name in sorted(glob.glob(str(source), recursive=True))]  # noqa: PTH207
        if not found:
            raise UsageError(f"{source} does not exist, and nothing fits it as a pattern")
        files = [one for one in found if one.is_file() and paintable(one)]
        wrong = f"pattern {source} may fit many files, so the output must be a folder"
        return _of_many(fixed_part(path), files, out, f"pattern {source}", wrong)
    if str(source).isdecimal():
        raise UsageError(f"{source} does not exist; to paint a camera use live")
    raise UsageError(f"{source} does not exist")


def _of_one(source: Path, out: Path) -> Plan:
    is_video = not is_picture(source)
    if out.is_dir():
        out = out / (source.name if not is_video else video_name(source.name))
    kind, fits = ("video", VIDEO_SUFFIXES) if is_video else ("picture", SUFFIXES)
    if out.suffix.lower() not in fits:
        suffixes = ", ".join(sorted(fits))
        raise UsageError(
            f"{source} is read as a {kind}, so the output must end in {suffixes}: {out}"
        )
    _is_no_input(source, out)
    if out.is_dir():
        raise UsageError(f"output {out} is a folder; give another name")
    return Plan([Item(source, out, is_video)], None)


def _of_many(root: Path, files: list[Path], out: Path, label: str, wrong: str) -> Plan:
    _is_no_input(root, out)
    if not out.is_dir() and (out.exists() or _looks_like_file(out)):
        raise UsageError(f"{wrong}, not {out}")
    if not files:
        kinds = ", ".join(sorted(SUFFIXES | _READ))
        raise MediaError(f"{label} holds no pictures or videos ({kinds})")
    items = []
    for path in files:
        name = path.relative_to(root)
        is_video = not is_picture(path)
        target = out / (name.with_name(video_name(name.name)) if is_video else name)
        _is_no_input(path, target)
        items.append(Item(path, target, is_video))
    # Pictures first: they are many and small, and a video's painter is another one.
    return Plan(sorted(items, key=lambda item: item.is_video), out)


def _inside(folder: Path, out: Path) -> list[Path]:
    """What can be painted in a folder and its folders, but not what was painted into it."""
    painted = out.resolve()
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and paintable(path, folder) and not path.resolve().is_relative_to(painted)
    ]


def paintable(path: Path, root: Path | None = None) -> bool:
    """Says by its name whether a file is a picture or video, and not hidden below the root."""
    names = path.relative_to(root).parts if root else path.parts[-1:]
    hidden = any(name.startswith(".") for name in names)
    return not hidden and (is_picture(path) or path.suffix.lower() in _READ)


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
    """Returns what a painted video is called: as before, or with .mkv behind it."""
    return name if Path(name).suffix.lower() in VIDEO_SUFFIXES else f"{name}.mkv"


def _is_no_input(source: Path, out: Path) -> None:
    if out.exists() and source.exists() and out.resolve() == source.resolve():
        raise UsageError(f"output {out} is the input; give another name")

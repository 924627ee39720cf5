"""A bundle: a folder with a manifest and the artifacts it names.

Export writes bundles, everything else reads them. The same folder as one ``.zip`` is a bundle too.
Every artifact takes uint8 frames ``[1, H, W, 3]`` RGB and returns the same. Those of a painter with
strokes take its canvas as well, which follows from the manifest (``canvas/layout.py``).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ..checks import check_artifact
from ..errors import BundleError, PleinairError, UsageError, already_exists, shown
from ..files import is_cut, recover_folder, replace_folder
from ..owners import Owner, forget_lock
from ..private import without_folders
from ..reading import Malformed, is_special
from ..temporary import TemporaryFolder
from .manifest import AGAIN, MANIFEST, Artifact, Manifest, no_manifest, read_manifest, stays_inside
from .resolve import Kind, resolve

FINISHED: Final = ".finished"  # notes of an export, in the folder that it builds
UNPACKED: Final = 2**32  # bytes of a zip's files
_DENSEST: Final = 50, 2**24  # times a zip's own size, plus so many bytes: weights hardly compress
_MEMBERS: Final = 10_000  # of a zip
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class RefusedArtifact(BundleError):
    """An artifact has the hash in the manifest, but its content is out of bounds."""


class Bundle:
    """An opened bundle.

    Attributes:
        root: The folder the artifacts lie in.
        manifest: Its validated manifest.
        label: Its name in messages: the folder or zip that was opened.
    """

    def __init__(
        self, root: Path, manifest: Manifest, label: str = "", unpacked: Any = None
    ) -> None:
        self.root = root
        self.manifest = manifest
        self.label = label or str(root)
        self._unpacked = unpacked  # keeps a zip's temporary folder alive
        self._checked: set[str] = set()

    @classmethod
    def open(cls, source: str | Path) -> Bundle:
        """Opens a shipped model by name, or a bundle's folder or zip by path.

        Raises:
            UsageError: There is neither a path nor a shipped model of this name.
            BundleError: The bundle is damaged, or of another schema version.
        """
        _recover(source)
        path = resolve(source, Kind.BUNDLE).path
        if path.is_dir():
            return cls(path, read_manifest(path, str(path)), str(path))
        folder = TemporaryFolder()
        root = _unzip(path, folder.path)
        return cls(root, read_manifest(root, str(path)), str(path), folder)

    def find(
        self, target: str, precision: str, runs: Callable[[str], bool] = lambda device: not device
    ) -> Artifact | None:
        """Returns the artifact of a target and precision, or None.

        Args:
            target: As in the manifest.
            precision: As in the manifest.
            runs: Whether an artifact for a kind of device is accepted; by default only those for
                any device.
        """
        for artifact in self.manifest.artifacts:
            if (artifact.target, artifact.precision) == (target, precision) and runs(
                artifact.device
            ):
                return artifact
        return None

    def path(self, artifact: Artifact) -> Path:
        """Returns an artifact's file or folder after checking it against the manifest.

        Its content is checked too, before any library opens it.

        Raises:
            BundleError: It is missing, cannot be read, lies outside the bundle, its hash differs,
                or something in it is out of bounds.
        """
        if artifact.path in self._checked:
            return self.root / artifact.path
        path = self._named(artifact.path, artifact.sha256, f"artifact {artifact.path}")
        try:
            check_artifact(path)
        except (Malformed, OSError) as error:
            raise RefusedArtifact(
                f"{self.label}: artifact {artifact.path} is not loaded: {error}; {AGAIN}"
            ) from error
        self._checked.add(artifact.path)
        return path

    def weights(self) -> Path | None:
        """Returns the file of the generator's weights, checked as artifacts are.

        None if the bundle has none: those of version 0.1, and those of other projects' graphs.

        Raises:
            BundleError: It is missing, lies outside the bundle, or its hash differs.
        """
        weights = self.manifest.weights
        return self._named(weights.path, weights.sha256, weights.path) if weights else None

    def _named(self, name: str, sha256: str, what: str) -> Path:
        """Returns a file or folder after checking it against the manifest."""
        try:
            return self._found(name, sha256, what)
        except (OSError, RecursionError) as error:  # no file's name, say, or a thousand folders
            said = getattr(error, "strerror", None) or error
            raise BundleError(
                f"{self.label}: {shown(what)} cannot be read: {said}; {AGAIN}"
            ) from error

    def _found(self, name: str, sha256: str, what: str) -> Path:
        path, root = self.root / name, self.root.resolve()
        if not path.exists():
            raise BundleError(f"{self.label}: {what} is missing; {AGAIN}")
        files = [path, *path.rglob("*")]
        if not all(file.resolve().is_relative_to(root) for file in files):
            raise BundleError(f"{self.label}: {what} links out of the bundle; {AGAIN}")
        if path != self.root and any(file.is_symlink() for file in files):
            raise BundleError(f"{self.label}: {what} holds links; {AGAIN}")
        if any(map(is_special, files)):
            raise BundleError(f"{self.label}: {what} is or holds a pipe or device; {AGAIN}")
        if sha256_of(path) != sha256:
            raise BundleError(
                f"{self.label}: {what} does not have the sha256 that {MANIFEST} names: it was"
                f" changed or damaged; {AGAIN}"
            )
        return path


def check_out(out: Path, overwrite: bool, mark: str = MANIFEST, what: str = "folder") -> None:
    """Checks, before long work, that a folder may be written.

    Args:
        out: A folder that need not exist.
        overwrite: Whether a folder that pleinair wrote may be replaced; others never are.
        mark: The file that identifies a folder as pleinair's.
        what: What such a folder is called.

    Raises:
        UsageError: It exists and may not be replaced.
    """
    if not (out.exists() or out.is_symlink()):
        return
    if not _is_ours(out, mark):
        raise UsageError(
            f"{out} is not a {what} that pleinair wrote, and is not replaced; give another --out"
        )
    if not overwrite:
        forget_lock(out.resolve())
        raise UsageError(already_exists(out))


def _is_ours(out: Path, mark: str) -> bool:
    """Whether pleinair wrote a folder, perhaps a damaged one, or it is empty."""
    try:
        if out.is_dir() and not any(out.iterdir()):
            return True
        return b"pleinair" in (out / mark).read_bytes()
    except OSError:
        return False


def published(manifest: Manifest) -> Manifest:
    """Returns a manifest without folders of this machine."""
    return Manifest.model_validate(without_folders(manifest.model_dump()))


def write_bundle(manifest: Manifest, staged: Path, out: Path, overwrite: bool = False) -> None:
    """Writes the manifest into a staged folder of artifacts and moves it to its final name.

    Args:
        manifest: What the folder holds.
        staged: A folder next to ``out`` with all artifacts, see ``staging``; it is moved.
        out: The bundle's folder.
        overwrite: Whether an existing bundle may be replaced.

    Raises:
        BundleError: ``out`` exists and may not be replaced, or cannot be written.
    """
    text = published(manifest).model_dump_json(indent=2, exclude_none=True) + "\n"
    write_anew(staged / MANIFEST, text)
    (staged / FINISHED).unlink(missing_ok=True)
    try:
        move_folder(staged, out, overwrite)
    except OSError as error:
        raise BundleError(f"bundle {out} cannot be written: {error}") from error


def write_anew(path: Path, text: str) -> None:
    """Writes text into a staged folder; a link that a stranger's bundle has there is not followed.

    Raises:
        OSError: It cannot be written.
    """
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")


def move_folder(staged: Path, out: Path, overwrite: bool = False, mark: str = MANIFEST) -> None:
    """Moves a complete folder to its final name in the same folder.

    Raises:
        BundleError: ``out`` exists and may not be replaced, or is not pleinair's.
        OSError: It cannot be moved.
    """
    try:
        check_out(out, overwrite, mark)
    except UsageError as error:
        raise BundleError(str(error)) from None
    staged.chmod(0o755)
    replace_folder(staged, out)


def copy_artifact(source: Path, to: Path) -> None:
    """Copies a file or a folder; the folders above ``to`` are made."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to)
    else:
        shutil.copyfile(source, to)


def sha256_of(path: Path) -> str:
    """Returns a file's sha256 in hexadecimal; for a folder, of its files' names and hashes."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = (f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_of(path: Path) -> int:
    """Returns the size of a file, or of all files of a folder."""
    files = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)
    return sum(file.stat().st_size for file in files)


def _recover(source: str | Path) -> None:
    """Completes a replacement of a bundle's folder that was interrupted between two renames."""
    path = Path(source)
    with contextlib.suppress(PleinairError, OSError, ValueError):
        if is_cut(path):
            with Owner(path, wait=True):
                recover_folder(path)


def _unzip(path: Path, folder: Path) -> Path:
    """Unpacks a zip whose manifest lies at its top or in its only folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                try:
                    stays_inside(member.rstrip("/"))
                except ValueError as error:
                    raise BundleError(f"{path}: {member!r}: {error}; {AGAIN}") from None
            _check_zip(path, archive)
            archive.extractall(folder)
    except BundleError:
        raise
    except Exception as error:  # of zipfile, zlib, bz2, lzma; encrypted, or packed otherwise
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise BundleError(
                f"{path} cannot be unpacked into {folder.parent}: {error.strerror}; make room"
                " there, or set TMPDIR to another folder"
            ) from error
        raise BundleError(f"{path} is a damaged zip file: {error}; {AGAIN}") from error
    if (folder / MANIFEST).exists():
        return folder
    inner = [child for child in folder.iterdir() if (child / MANIFEST).exists()]
    if len(inner) != 1:
        raise BundleError(no_manifest(path))
    return inner[0]


def _check_zip(path: Path, archive: zipfile.ZipFile) -> None:
    """Raises, before anything is unpacked, if the content would be too large."""
    members = archive.infolist()
    total = sum(member.file_size for member in members)
    times, more = _DENSEST
    if len(members) > _MEMBERS or total > min(UNPACKED, times * path.stat().st_size + more):
        raise BundleError(
            f"{path} would unpack to {len(members)} files of {total} bytes together, which no"
            f" bundle is; {AGAIN}"
        )

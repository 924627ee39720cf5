"""A bundle: a folder with a manifest and the artifacts it names.

Export writes bundles, everything else reads them. The same folder as one ``.zip`` is a bundle too.
Every artifact takes uint8 frames ``[1, H, W, 3]`` RGB and returns the same. Those of a painter with
strokes take its canvas as well, which follows from the manifest (``canvas/layout.py``).
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import BundleError
from .manifest import AGAIN, MANIFEST, Artifact, Manifest, no_manifest, read_manifest, stays_inside
from .resolve import Kind, resolve


class Bundle:
    """An opened bundle.

    Attributes:
        root: The folder the artifacts lie in.
        manifest: Its validated manifest.
        label: How messages name it: the folder or zip that was opened.
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
        path = resolve(source, Kind.BUNDLE).path
        if path.is_dir():
            return cls(path, read_manifest(path, str(path)), str(path))
        folder = tempfile.TemporaryDirectory(prefix="pleinair-")
        root = _unzip(path, Path(folder.name))
        return cls(root, read_manifest(root, str(path)), str(path), folder)

    def find(
        self, target: str, precision: str, runs: Callable[[str], bool] = lambda device: not device
    ) -> Artifact | None:
        """Returns the artifact of a target and precision, or None.

        Args:
            target: As in the manifest.
            precision: As in the manifest.
            runs: Whether one for a kind of device will do; by default one that any runs.
        """
        for artifact in self.manifest.artifacts:
            if (artifact.target, artifact.precision) == (target, precision) and runs(
                artifact.device
            ):
                return artifact
        return None

    def path(self, artifact: Artifact) -> Path:
        """Returns an artifact's file or folder after checking that it is what the manifest names.

        Raises:
            BundleError: It is missing, lies outside the bundle, or its hash differs.
        """
        path, root = self.root / artifact.path, self.root.resolve()
        if not path.exists():
            raise BundleError(f"{self.label}: artifact {artifact.path} is missing; {AGAIN}")
        if not all(file.resolve().is_relative_to(root) for file in (path, *path.rglob("*"))):
            raise BundleError(
                f"{self.label}: artifact {artifact.path} links out of the bundle; {AGAIN}"
            )
        if artifact.path not in self._checked:
            if sha256_of(path) != artifact.sha256:
                raise BundleError(
                    f"{self.label}: artifact {artifact.path} does not have the sha256 that"
                    f" {MANIFEST} names: it was changed or damaged; {AGAIN}"
                )
            self._checked.add(artifact.path)
        return path


def write_bundle(manifest: Manifest, staged: Path, out: Path, overwrite: bool = False) -> None:
    """Writes the manifest into a staged folder of artifacts and moves it to its final name.

    Args:
        manifest: What the folder holds.
        staged: A folder beside ``out`` with every artifact in it; gone afterwards.
        out: The bundle's folder.
        overwrite: Whether an existing bundle may be replaced.

    Raises:
        BundleError: ``out`` exists and may not be replaced, or cannot be written.
    """
    text = manifest.model_dump_json(indent=2, exclude_none=True) + "\n"
    (staged / MANIFEST).write_text(text, encoding="utf-8")
    try:
        move_folder(staged, out, overwrite)
    except OSError as error:
        raise BundleError(f"bundle {out} cannot be written: {error}") from error


def move_folder(staged: Path, out: Path, overwrite: bool = False) -> None:
    """Moves a complete folder to its final name beside it.

    Raises:
        BundleError: ``out`` exists and may not be replaced.
        OSError: It cannot be moved.
    """
    old = out.with_name(out.name + ".old")
    if out.exists():
        if not overwrite:
            raise BundleError(f"{out} exists; add --overwrite to replace it")
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
    staged.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Returns a file's sha256 in hexadecimal; a folder's is that of its files' names and hashes."""
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


def _unzip(path: Path, folder: Path) -> Path:
    """Unpacks a zip whose manifest lies at its top or in its only folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                try:
                    stays_inside(member.rstrip("/"))
                except ValueError as error:
                    raise BundleError(f"{path}: {member!r}: {error}; {AGAIN}") from None
            archive.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as error:
        # RuntimeError: encrypted, or packed by a method that Python lacks
        raise BundleError(f"{path} is a damaged zip file: {error}; {AGAIN}") from error
    if (folder / MANIFEST).exists():
        return folder
    inner = [child for child in folder.iterdir() if (child / MANIFEST).exists()]
    if len(inner) != 1:
        raise BundleError(no_manifest(path))
    return inner[0]

"""What an interrupted export has finished, which the same command uses again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .. import __version__
from ..bundle.bundle import FINISHED, sha256_of
from ..bundle.manifest import Artifact
from ..files import append_line, read_lines
from ..owners import unlink
from ..pictures import Frames
from .options import ExportOptions
from .sources.checkpoints import Trained
from .targets import Target

AGAIN = "what is built is kept: the same command goes on from there"


def request_of(
    trained: Trained,
    photos: Sequence[Frames],
    options: ExportOptions,
    plan: Sequence[tuple[Target, str]],
) -> str:
    """Returns a hash of all that artifacts depend on."""
    tools = {tool for target, _ in plan for tool in target.tools}
    packages = {one.name: one.version for one in importlib.metadata.distributions()}
    versions = sorted((tool, packages.get(tool, "")) for tool in tools)
    said = [__version__, trained.sha256, trained.architecture, trained.reverse, trained.recipe]
    texts = json.dumps([said, asdict(options), versions], sort_keys=True, default=str)
    digest = hashlib.sha256(texts.encode())
    for name, weight in trained.generator.state_dict().items():
        digest.update(f"{name} {weight.shape}".encode())
        digest.update(weight.detach().cpu().contiguous().numpy())
    for photo in photos:
        digest.update(f"{photo.shape}".encode())
        digest.update(photo.tobytes())
    return digest.hexdigest()


class Finished:
    """The complete artifacts in a folder, with a note of each target and precision.

    Args:
        folder: A staged bundle. All in it that has no note of the same request, or is not as its
            note says, is removed.
        request: See ``request_of``.
    """

    def __init__(self, folder: Path, request: str) -> None:
        self.folder, self.request = folder, request
        self.notes: dict[tuple[str, str], list[Artifact]] = {}
        kept = {FINISHED}
        for line in read_lines(folder / FINISHED):
            kept |= self._taken(line)
        for path in folder.iterdir():
            if path.name in kept and self.notes:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                unlink(path)

    def find(self, target: Target, precision: str) -> list[Artifact] | None:
        """Returns the artifacts of one precision of one target; None if they are not there."""
        return self.notes.get((target.name, precision))

    def add(self, target: Target, precision: str, artifacts: list[Artifact], built: Path) -> None:
        """Takes all files of a folder, and then notes them.

        Raises:
            OSError: It cannot be noted.
        """
        names = {}
        for path in sorted(built.iterdir()):
            names[path.name] = sha256_of(path)
            path.rename(self.folder / path.name)
        said = [artifact.model_dump(mode="json") for artifact in artifacts]
        append_line(self.folder / FINISHED, [self.request, target.name, precision, names, said])
        self.notes[target.name, precision] = artifacts

    def _taken(self, line: Any) -> set[str]:
        """Takes a note, if its files are whole; returns their names."""
        try:
            request, target, precision, names, said = line
            if request != self.request:
                return set()
            if any(sha256_of(self.folder / name) != digest for name, digest in names.items()):
                return set()
            self.notes[target, precision] = [Artifact.model_validate(one) for one in said]
            return set(names)
        except (OSError, TypeError, ValueError, AttributeError, ValidationError):
            return set()

"""The runtime of graphs in browsers: onnxruntime-web's files, from its npm package.

npm fetches the package once, and it is cached. It is pinned by its hash, the ``integrity`` in npm's
registry. Browsers load the files from the site itself.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import tarfile
from pathlib import Path
from typing import Final

from ....children import run_child
from ....errors import ExportError, os_errors_as
from ....files import durable
from ....runtime.cache import cache_path
from ....temporary import TemporaryFolder

VERSION: Final = "1.30.0"
INTEGRITY: Final = (
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJm"
    "g8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
PACKAGE: Final = f"onnxruntime-web-{VERSION}.tgz"
ADDRESS: Final = f"https://registry.npmjs.org/onnxruntime-web/-/{PACKAGE}"
FILES: Final = (
    "ort.wasm.min.mjs",  # on the processor
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs",  # on the graphics processor
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
)
# The package has no file with its licence. This one is from github.com/microsoft/onnxruntime.
_LICENCE = Path(__file__).with_name("onnxruntime-web.LICENSE")


def fetch() -> Path:
    """Returns the package's file, from the cache or from npm.

    Raises:
        ExportError: It is not cached and cannot be fetched, or is not the pinned one.
    """
    path = cache_path(PACKAGE)
    if not path.exists():
        _pack(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    if f"sha512-{base64.b64encode(digest).decode()}" != INTEGRITY:
        raise ExportError(
            f"{path} is not onnxruntime-web {VERSION} as npm published it: its sha512 differs;"
            f" delete it, or replace it with {ADDRESS}"
        )
    return path


def unpack(package: Path, folder: Path) -> None:
    """Writes the files that browsers need into a folder, with their licence.

    Raises:
        ExportError: It lacks a file.
    """
    folder.mkdir(parents=True)
    try:
        with tarfile.open(package) as archive:
            for name in FILES:
                member = archive.extractfile(f"package/dist/{name}")
                assert member  # it is a file: the hash says so
                with member, (folder / name).open("wb") as file:
                    shutil.copyfileobj(member, file)
    except (tarfile.TarError, KeyError) as error:
        raise ExportError(f"{package} is not a complete onnxruntime-web: {error}") from error
    shutil.copyfile(_LICENCE, folder / "LICENSE.txt")


def _pack(path: Path) -> None:
    """Has npm fetch the package."""
    by_hand = f"or put {ADDRESS} there as {path}"
    npm = shutil.which("npm")
    if npm is None:
        raise ExportError(
            f"target web needs onnxruntime-web {VERSION}, which npm fetches, and npm is not"
            f" installed; install Node.js, {by_hand}"
        )
    with TemporaryFolder() as folder:
        said = run_child([npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"], folder)
        packed = folder / PACKAGE
        if said or not packed.exists():
            raise ExportError(
                f"npm cannot fetch onnxruntime-web {VERSION} ({said or 'it wrote no file'});"
                f" connect to the network, {by_hand}"
            )
        with os_errors_as(ExportError, f"{path} cannot be written"), durable(path) as temporary:
            shutil.copyfile(packed, temporary)

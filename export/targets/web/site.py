"""Makes a site of a bundle: puts the page and its runtime beside the artifacts.

index.html sw.js files.js app.webmanifest   the page, its service worker, its name
app/                                        scripts, style and icons
ort/                                        onnxruntime-web
check.png                                   a photograph, and what FP32 PyTorch makes of it
manifest.json fp16.web.onnx int8.web.onnx   the bundle
"""

from __future__ import annotations

import hashlib
import html
import json
import shutil
from pathlib import Path

import numpy as np

from ....bundle.manifest import MANIFEST, Manifest
from ....pictures import Pixels, write_picture
from . import onnxruntime_web

TARGET = "web"
INDEX, FILES, CHECK, ORT = "index.html", "files.js", "check.png", "ort"
_PAGE = Path(__file__).with_name("page")


def write_site(folder: Path, manifest: Manifest, photograph: Pixels, painted: Pixels) -> None:
    """Makes a site of a bundle's folder.

    Args:
        folder: With its artifacts of target web.
        manifest: As it will be written into the folder.
        photograph: uint8 [H, W, 3] that browsers check their painting with.
        painted: The reference's painting of it.

    Raises:
        ExportError: onnxruntime-web cannot be fetched.
    """
    shutil.copytree(_PAGE, folder, dirs_exist_ok=True)
    index = folder / INDEX
    text = index.read_text(encoding="utf-8").replace("{{title}}", html.escape(manifest.title))
    index.write_text(text, encoding="utf-8")
    (folder / "app.webmanifest").write_text(_web_manifest(manifest), encoding="utf-8")
    write_picture(folder / CHECK, np.hstack([photograph, painted]))
    onnxruntime_web.unpack(onnxruntime_web.fetch(), folder / ORT)
    (folder / FILES).write_text(_files(folder, manifest), encoding="utf-8")


def _files(folder: Path, manifest: Manifest) -> str:
    """The files that a browser caches at its first visit, and a version that changes with them.

    Of onnxruntime-web it caches only the files that it used.
    """
    written = [INDEX, "app.webmanifest", CHECK]
    written += sorted(file.relative_to(folder).as_posix() for file in folder.glob("app/*"))
    models = [artifact.path for artifact in manifest.artifacts if artifact.target == TARGET]
    digest = hashlib.sha256(f"{manifest.model_dump_json()}{onnxruntime_web.INTEGRITY}".encode())
    for name in written:
        digest.update((folder / name).read_bytes())
    names = [*written, MANIFEST, *models]
    version = digest.hexdigest()[:16]
    return f"self.VERSION = {json.dumps(version)};\nself.FILES = {json.dumps(names)};\n"


def _web_manifest(manifest: Manifest) -> str:
    """The web app manifest: what a device shows of the page once it is installed."""
    named = {
        "name": f"{manifest.title}, live",
        "short_name": manifest.title,
        "description": manifest.description,
    }
    values = named | json.loads((_PAGE / "app.webmanifest").read_text(encoding="utf-8"))
    return json.dumps(values, indent=2) + "\n"

"""Runs pleinair on an emulated aarch64 and compares what it paints with what it paints here.

    python tools/aarch64.py PICTURES [--into docs/aarch64.json]

What it downloads (0.6 GB, see emulator.py) is kept in ``~/.cache/pleinair/aarch64``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
from pleinair import __version__, metrics
from pleinair.benchmarks.results.file import write_json
from pleinair.bundle.bundle import Bundle
from pleinair.deploy.wheel import build_wheel
from pleinair.errors import PleinairError
from pleinair.metrics import DRIFT_LIMITS
from pleinair.pictures import Pixels, list_pictures, read_picture, write_picture
from pleinair.runtime.cache import cache_path
from pleinair.runtime.tuning import processor
from pleinair.tools.emulator import CPU, Emulator, command, make_emulator

NEAR: Final = 50.0  # dB between a painting there and here: nobody sees it
SIDE: Final = 256  # pixels, of the pictures that are painted
# What is painted: backend with its way, precision, and how many pictures (FP32 takes seconds each).
CASES: Final = (
    ("onnxruntime:cpu", "int8", 16),
    ("onnxruntime:cpu", "fp16", 4),
    ("onnxruntime:cpu", "fp32", 4),
    ("openvino:cores", "int8", 16),
    ("openvino:cores", "fp32", 4),
)


def compare(
    emulator: Emulator,
    pictures: Path,
    model: str = "monet-conv",
    cases: Sequence[tuple[str, str, int]] = CASES,
) -> dict[str, Any]:
    """Paints pictures there and here by the command line, and measures the differences.

    Args:
        emulator: Where.
        pictures: A folder of photographs; their middle, ``SIDE`` pixels square, is painted.
        model: A shipped model's name, or a bundle.
        cases: Backend, precision and number of pictures each.

    Returns:
        Machines, versions, bundle, and a row a case: ``same`` is the share of values that are equal
        here and there, ``max_abs``, ``p99_abs`` and ``psnr_db`` are of the difference, ``fp32_*``
        of that to the FP32 artifact in ONNX Runtime here.

    Raises:
        PleinairError: Something failed there or here.
    """
    bundle = Bundle.open(model)
    with tempfile.TemporaryDirectory(prefix="pleinair-") as temporary:
        folder = Path(temporary)
        site = folder / "site"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        command([*pip, "install", "--no-deps", "--target", site, build_wheel(folder)])
        most = max(count for *_, count in cases)
        names = _write_middles(pictures, folder / "in", most)
        reference = _paint_here(folder / "in", folder / "fp32", model, "onnxruntime:cpu", "fp32")
        rows = []
        for backend, precision, count in cases:
            label = f"{backend.partition(':')[0]}-{precision}"
            some = folder / f"{label}-in"
            some.mkdir()
            for name in names[:count]:
                shutil.copyfile(folder / "in" / name, some / name)
            here = _paint_here(some, folder / f"{label}-here", model, backend, precision)
            there = folder / f"{label}-there"
            emulator.run(
                ["-m", "pleinair", *_arguments(some, there, model, backend, precision)], site
            )
            pairs = list(_pairs(here, there))
            rows.append(
                {
                    "backend": backend.partition(":")[0],
                    "precision": precision,
                    "pictures": len(pairs),
                    **_difference(pairs),
                    "fp32_psnr_db_here": _psnr(_pairs(reference, here)),
                    "fp32_psnr_db_there": _psnr(_pairs(reference, there)),
                }
            )
        return {
            "command": "python tools/aarch64.py tests/data/photos",
            "pleinair": __version__,
            "here": json.loads(command([sys.executable, "-c", _ABOUT]))
            | {"processor": processor()},
            "there": json.loads(emulator.run(["-c", _ABOUT], site)) | {"processor": CPU},
            "emulator": command([emulator.qemu, "--version"]).splitlines()[0],
            "bundle": {
                "name": bundle.manifest.name,
                "artifacts": {a.path: a.sha256 for a in bundle.manifest.artifacts},
            },
            "side": SIDE,
            "rows": rows,
        }


_ABOUT: Final = """\
import importlib.metadata, json, platform
names = {"numpy", "opencv-python", "opencv-python-headless", "onnxruntime", "openvino", "av"}
found = {d.name.lower(): d.version for d in importlib.metadata.distributions()}
print(json.dumps({
    "machine": platform.machine(),
    "system": platform.freedesktop_os_release()["PRETTY_NAME"],
    "python": platform.python_version(),
    "libraries": {name: found[name] for name in sorted(names & found.keys())},
}))
"""


def missed(found: dict[str, Any]) -> list[str]:
    """Says which rows of a comparison are out of bounds.

    Each must be as near to FP32 as its precision is to be anywhere, and ``NEAR`` to this machine.
    """
    said = []
    for row in found["rows"]:
        least = DRIFT_LIMITS[row["precision"]].psnr
        if row["fp32_psnr_db_there"] < least or row["psnr_db"] < NEAR:
            said.append(
                f"{row['backend']} {row['precision']} on aarch64 is {row['fp32_psnr_db_there']} dB"
                f" from FP32 (at least {least:g}) and {row['psnr_db']} dB from this machine (at"
                f" least {NEAR:g})"
            )
    return said


def _write_middles(pictures: Path, folder: Path, most: int) -> list[str]:
    """Writes the middles of photographs without loss, and returns their names."""
    folder.mkdir()
    names = []
    for path in list_pictures(pictures)[:most]:
        rgb = read_picture(path)[0]
        scale = SIDE / min(rgb.shape[:2])
        if scale > 1:
            rgb = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        top, left = ((length - SIDE) // 2 for length in rgb.shape[:2])
        names.append(f"{path.stem}.png")
        write_picture(folder / names[-1], rgb[top : top + SIDE, left : left + SIDE])
    return names


def _arguments(source: Path, out: Path, model: str, backend: str, precision: str) -> list[str]:
    chosen = ["--backend", backend, "--precision", precision, "--model", model]
    return ["translate", str(source), str(out), *chosen]


def _paint_here(source: Path, out: Path, model: str, backend: str, precision: str) -> Path:
    command([sys.executable, "-m", "pleinair", *_arguments(source, out, model, backend, precision)])
    return out


def _pairs(wanted: Path, found: Path) -> Iterator[tuple[Pixels, Pixels]]:
    """The pictures of the second folder, each beside that of the same name in the first."""
    for path in list_pictures(found):
        yield read_picture(wanted / path.name)[0], read_picture(path)[0]


def _difference(pairs: Sequence[tuple[Pixels, Pixels]]) -> dict[str, float]:
    found = metrics.compare(pairs)
    equal = sum(int((a == b).sum()) for a, b in pairs)
    return {
        "same": round(equal / sum(a.size for a, _ in pairs), 6),
        "max_abs": found.max_abs,
        "p99_abs": found.p99_abs,
        "psnr_db": round(found.psnr_db, 2),
    }


def _psnr(pairs: Iterator[tuple[Pixels, Pixels]]) -> float:
    return round(metrics.compare(pairs).psnr_db, 2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the emulator if need be, compares, prints or writes the result."""
    parser = argparse.ArgumentParser(prog="python tools/aarch64.py")
    parser.add_argument("pictures", type=Path, help="a folder of photographs")
    parser.add_argument("--model", default="monet-conv", help="a shipped model's name, or a bundle")
    parser.add_argument("--into", type=Path, help="the JSON file to write")
    asked = parser.parse_args(arguments)
    try:
        found = compare(make_emulator(cache_path("aarch64")), asked.pictures, asked.model)
        if asked.into:
            write_json(asked.into, found)
    except PleinairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1))
    for sentence in missed(found):
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())

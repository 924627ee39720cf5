"""Runs pleinair on an emulated aarch64 and compares what it paints with what it paints here.

    python -m pleinair.deploy.aarch64 PICTURES [--into docs/aarch64.json]

It needs Linux with apt-get and dpkg, and no privileges: QEMU's user mode runs a Python of Debian's
arm64 packages, with the wheels that a Jetson's kit asks for. What was downloaded (0.6 GB) is kept
in ``~/.cache/pleinair/aarch64``. How long anything takes there says nothing of a device.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2

from .. import __version__, metrics
from ..benchmarks.results import write_json
from ..bundle import Bundle
from ..errors import PleinairError
from ..metrics import BARS
from ..pictures import Pixels, list_pictures, read_picture, write_picture
from ..runtime.kept import kept
from ..runtime.tuning import processor
from .wheel import build_wheel

CPU: Final = "cortex-a76"  # as QEMU calls it: ARMv8.2 with dot products, as in a Jetson Orin's
# ONNX Runtime looks here for the kind of core, and crashes where there is none.
_CPUINFO: Final = """\
processor\t: {index}
BogoMIPS\t: 125.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd0b
CPU revision\t: 0

"""
_FEATURES: Final = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop"
    " asimddp"
)
_PACKAGES: Final = ("python3", "libstdc++6", "libgomp1", "ca-certificates")
_REQUIREMENTS: Final = Path(__file__).with_name("kit") / "requirements.txt"
# Up to the C library of JetPack 6. pip must be told each of them, or it takes an older version.
_PLATFORMS: Final = (
    *(f"manylinux_2_{n}_aarch64" for n in range(35, 16, -1)),
    "manylinux2014_aarch64",
)
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


class NoEmulator(PleinairError):
    """This machine cannot run another's programs, or what that takes cannot be fetched."""


@dataclass(frozen=True)
class Emulator:
    """A QEMU, the root of an arm64 system, and its Python's packages."""

    qemu: Path
    root: Path
    site: Path

    @property
    def python(self) -> Path:
        """The system's interpreter."""
        return next((self.root / "usr" / "bin").glob("python3.*[0-9]"))

    def run(self, arguments: Sequence[object], *packages: Path) -> str:
        """Runs Python there; it sees this machine's files.

        Args:
            arguments: Of the interpreter.
            packages: More folders with packages.

        Returns:
            What it printed.

        Raises:
            PleinairError: It failed.
        """
        with tempfile.TemporaryDirectory(prefix="pleinair-") as cache:
            done = subprocess.run(
                [self.qemu, "-L", self.root, "-cpu", CPU, self.python, *map(str, arguments)],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONHOME": str(self.root / "usr"),
                    "PYTHONPATH": os.pathsep.join(map(str, (*packages, self.site))),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "XDG_CACHE_HOME": cache,
                    "HOME": cache,
                },
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
            raise PleinairError(f"the emulated aarch64 ended with {done.returncode}: {said}")
        return done.stdout


def open_emulator(folder: Path) -> Emulator:
    """Opens an emulator that was made before.

    Raises:
        NoEmulator: There is none.
    """
    emulator = Emulator(folder / "qemu-aarch64-static", folder / "root", folder / "site")
    if not (folder / "ready").exists():
        raise NoEmulator(
            f"there is no emulated aarch64 in {folder}; make one with:"
            " python -m pleinair.deploy.aarch64 PICTURES"
        )
    return emulator


def make_emulator(folder: Path) -> Emulator:
    """Downloads an emulator, an arm64 system and its Python's packages; what is there is kept.

    Raises:
        NoEmulator: It cannot be had here.
    """
    asked = _REQUIREMENTS.read_text(encoding="utf-8")
    ready = folder / "ready"
    if ready.exists() and ready.read_text(encoding="utf-8") == asked:
        return open_emulator(folder)
    if platform.system() != "Linux" or not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise NoEmulator("an emulated aarch64 needs Linux with apt-get and dpkg")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    emulator = Emulator(folder / "qemu-aarch64-static", folder / "root", folder / "site")
    shutil.move(_qemu(folder / "host"), emulator.qemu)
    packages = _packages("arm64", folder / "arm64", ["install", "--yes", "--download-only"])
    for package in packages:
        _command(["dpkg", "-x", package, emulator.root])
    (emulator.root / "proc").mkdir(exist_ok=True)
    cores = [_CPUINFO.format(index=i, features=_FEATURES) for i in range(os.cpu_count() or 1)]
    (emulator.root / "proc" / "cpuinfo").write_text("".join(cores), encoding="utf-8")
    _install(emulator, folder / "wheels")
    for leftover in ("host", "arm64", "wheels"):
        shutil.rmtree(folder / leftover)
    ready.write_text(asked, encoding="utf-8")
    return emulator


def _qemu(folder: Path) -> Path:
    """Fetches QEMU for this machine."""
    here = _command(["dpkg", "--print-architecture"]).strip()
    (package,) = _packages(here, folder, ["download"], ["qemu-user-static"])
    _command(["dpkg", "-x", package, folder / "root"])
    return folder / "root" / "usr" / "bin" / "qemu-aarch64-static"


def _packages(
    architecture: str, folder: Path, command: list[str], names: Sequence[str] = _PACKAGES
) -> list[Path]:
    """Downloads Debian packages of an architecture by the sources that this machine has."""
    archives = folder / "cache" / "archives"
    for needed in (folder / "state" / "lists" / "partial", archives / "partial"):
        needed.mkdir(parents=True)
    (folder / "status").touch()
    settings = folder / "apt.conf"
    settings.write_text(
        f'#clear APT::Architectures;\nAPT::Architecture "{architecture}";\n'
        f'APT::Architectures {{ "{architecture}"; }};\nAPT::Install-Recommends "false";\n'
        f'Dir::State "{folder}/state";\nDir::State::status "{folder}/status";\n'
        f'Dir::Cache "{folder}/cache";\nAPT::Sandbox::User "";\n',
        encoding="utf-8",
    )
    environment = os.environ | {"APT_CONFIG": str(settings)}
    _command(["apt-get", "--quiet", "update"], environment)
    _command(["apt-get", "--quiet", *command, *names], environment, archives)
    return sorted(archives.glob("*.deb"))


def _install(emulator: Emulator, wheels: Path) -> None:
    """Installs the kit's requirements, as built for aarch64."""
    version = emulator.python.name.removeprefix("python")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    chosen = ["--only-binary=:all:", "--python-version", version, *platforms]
    _command([*pip, "download", *chosen, "--no-deps", "--dest", wheels, "-r", _REQUIREMENTS])
    _command([*pip, "install", *chosen, "--no-deps", "--target", emulator.site, *wheels.iterdir()])


def _command(
    command: Sequence[object], environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise NoEmulator(f"{words[0]} failed for the emulated aarch64: {said}")
    return done.stdout


def compare(
    emulator: Emulator,
    pictures: Path,
    model: str = "monet",
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
    with tempfile.TemporaryDirectory(prefix="pleinair-") as beside:
        folder = Path(beside)
        site = folder / "site"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        _command([*pip, "install", "--no-deps", "--target", site, build_wheel(folder)])
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
            "command": "python -m pleinair.deploy.aarch64 tests/data/photos",
            "pleinair": __version__,
            "here": json.loads(_command([sys.executable, "-c", _ABOUT]))
            | {"processor": processor()},
            "there": json.loads(emulator.run(["-c", _ABOUT], site)) | {"processor": CPU},
            "emulator": _command([emulator.qemu, "--version"]).splitlines()[0],
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
        least = BARS[row["precision"]].psnr
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
    _command(
        [sys.executable, "-m", "pleinair", *_arguments(source, out, model, backend, precision)]
    )
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
    parser = argparse.ArgumentParser(prog="python -m pleinair.deploy.aarch64")
    parser.add_argument("pictures", type=Path, help="a folder of photographs")
    parser.add_argument("--model", default="monet", help="a shipped model's name, or a bundle")
    parser.add_argument("--into", type=Path, help="the JSON file to write")
    asked = parser.parse_args(arguments)
    try:
        found = compare(make_emulator(kept("aarch64")), asked.pictures, asked.model)
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

"""An emulated aarch64: QEMU's user mode, Debian's arm64 Python, and wheels for it.

It takes no privileges, only Linux with apt-get and dpkg. How long anything takes there says nothing
of a device.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pleinair.errors import PleinairError

CPU: Final = "cortex-a76"  # as QEMU calls it; it has dot products, as a Jetson Orin's A78AE has
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
_REQUIREMENTS: Final = Path(__file__).parents[1] / "deploy" / "jetson" / "kit" / "requirements.txt"
# Up to the C library of JetPack 6. pip must be told each of them, or it takes an older version.
_PLATFORMS: Final = (
    *(f"manylinux_2_{n}_aarch64" for n in range(35, 16, -1)),
    "manylinux2014_aarch64",
)


class NoEmulator(PleinairError):
    """This machine has none, or cannot have one."""


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
            " python tools/aarch64.py PICTURES"
        )
    return emulator


def make_emulator(folder: Path) -> Emulator:
    """Downloads an emulator, an arm64 system and its Python's packages; what is there is kept.

    Raises:
        NoEmulator: It cannot be had here.
        PleinairError: Something cannot be fetched.
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
        command(["dpkg", "-x", package, emulator.root])
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
    here = command(["dpkg", "--print-architecture"]).strip()
    (package,) = _packages(here, folder, ["download"], ["qemu-user-static"])
    command(["dpkg", "-x", package, folder / "root"])
    return folder / "root" / "usr" / "bin" / "qemu-aarch64-static"


def _packages(
    architecture: str, folder: Path, verb: list[str], names: Sequence[str] = _PACKAGES
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
    command(["apt-get", "--quiet", "update"], environment)
    command(["apt-get", "--quiet", *verb, *names], environment, archives)
    return sorted(archives.glob("*.deb"))


def _install(emulator: Emulator, wheels: Path) -> None:
    """Installs the kit's requirements, as built for aarch64."""
    version = emulator.python.name.removeprefix("python")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    platforms = [word for name in _PLATFORMS for word in ("--platform", name)]
    chosen = ["--only-binary=:all:", "--python-version", version, *platforms]
    command([*pip, "download", *chosen, "--no-deps", "--dest", wheels, "-r", _REQUIREMENTS])
    command([*pip, "install", *chosen, "--no-deps", "--target", emulator.site, *wheels.iterdir()])


def command(
    words: Sequence[object], environment: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    """Runs a program here; returns what it printed.

    Raises:
        PleinairError: It failed.
    """
    named = [str(word) for word in words]
    done = subprocess.run(
        named, env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise PleinairError(f"{Path(named[0]).name} failed: {said}")
    return done.stdout

"""The choice at ``auto``: measured once for a bundle on a machine, then remembered.

What is remembered holds for one machine (processor, cores, versions of the libraries) and one
bundle (the hashes of its artifacts); where either changes, it is measured anew.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..bundle.bundle import Bundle
from ..bundle.manifest import Artifact
from ..cores import allowed_cores
from ..errors import BackendError
from ..reading import Malformed, read_json, validate
from .backends import BACKENDS, Backend
from .cache import cache_path, write_cached

PATIENCE = 5.0  # seconds after which no further candidate is tried
_FOLDER = "choices"
_ROUNDS = 3  # of which the best counts
_HOPELESS = 1.5  # times the best so far: what takes longer in its first round gets no more
_AT_ONCE = 4.0  # the same for the very first frame, which takes longer anyhow
_BETTER = 0.9  # of the time: what a larger precision must save to be worth it
_USUAL = (360, 640)  # (height, width) to measure with where sizes are not known
# What is quickest for a size is so for others like it: choices are kept for these, by height.
_CLASSES = (256, 360, 720, 1080, 2160)
Paint = Callable[[Any], Any]


@dataclass(frozen=True)
class Candidate:
    """One way to paint with a bundle."""

    backend: str
    precision: str
    way: str  # of the backend: a device, or how to use the cores
    path: str  # of the artifact inside the bundle

    @classmethod
    def of(cls, backend: Backend, artifact: Artifact, way: str) -> Candidate:
        """Returns the candidate that runs an artifact with a backend in one of its ways."""
        return cls(backend.name, artifact.precision, way, artifact.path)


@dataclass(frozen=True)
class Task:
    """What is asked for, as far as the choice depends on it."""

    bundle: Bundle
    backend: str
    precision: str
    in_flight: int
    size: tuple[int, int] | None  # (height, width)

    def key(self) -> dict[str, Any]:
        """Returns all that the choice depends on."""
        artifacts = sorted(a.sha256 for a in self.bundle.manifest.artifacts)
        return {
            "machine": machine(),
            "libraries": _libraries(),
            "bundle": self.bundle.manifest.name,
            "artifacts": hashlib.sha256(" ".join(artifacts).encode()).hexdigest()[:16],
            "backend": self.backend,
            "precision": self.precision,
            "in_flight": self.in_flight,
            "rows": _class_of(self.size or _USUAL),
        }


def recall(task: Task) -> Candidate | None:
    """Returns what was chosen for such a task before, or None."""
    key = task.key()
    found = _read(cache_path(_name(key)))
    return Candidate(**found["choice"]) if found and found["key"] == key else None


def remember(task: Task, times: dict[Candidate, float]) -> Candidate:
    """Notes how long each candidate takes for a frame, the preferred ones first; returns the best.

    A later one must be clearly quicker: where there is little between them, the smaller file wins.
    """
    choice = next(iter(times))
    for candidate, seconds in times.items():
        margin = 1 if candidate.precision == choice.precision else _BETTER
        choice = candidate if seconds < margin * times[choice] else choice
    rows = [asdict(candidate) | {"ms": round(1000 * t, 2)} for candidate, t in times.items()]
    key = task.key()
    found = {"key": key, "choice": asdict(choice), "measured": rows}
    write_cached(cache_path(_name(key)), json.dumps(found, indent=2).encode())
    return choice


def remembered() -> Iterator[dict[str, Any]]:
    """Yields what holds on this machine now, with the times that led to it and the file.

    Of a bundle that was exported again, or of two of one name, that is the newest choice.
    """
    here, libraries, newest = machine(), _libraries(), dict[str, dict[str, Any]]()
    for path in sorted(cache_path(_FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime):
        found = _read(path)
        if found and found["key"]["machine"] == here and found["key"]["libraries"] == libraries:
            request = {name: of for name, of in found["key"].items() if name != "artifacts"}
            newest[json.dumps(request, sort_keys=True)] = found | {"file": str(path)}
    yield from newest.values()


def _libraries() -> dict[str, Any]:
    """The installed backends with their versions."""
    return {backend.name: backend.version for backend in BACKENDS.values() if backend.installed}


class _Key(BaseModel):
    model_config = ConfigDict(extra="allow")

    machine: dict[str, Any]
    libraries: dict[str, Any]
    bundle: str
    backend: str
    precision: str
    in_flight: int
    rows: int


@dataclass(frozen=True)
class _Time(Candidate):
    ms: float


class _Choice(BaseModel):
    """What is remembered of one task."""

    key: _Key
    choice: Candidate
    measured: list[_Time]


def _read(path: Path) -> dict[str, Any] | None:
    """Returns what is remembered in a file; nothing of one that is damaged."""
    try:
        found = validate(_Choice, read_json(path)).model_dump()
    except (OSError, Malformed):
        return None
    chosen = (found["choice"]["path"], found["choice"]["way"])
    measured = {(row["path"], row["way"]) for row in found["measured"]}
    return found if chosen in measured else None


def seconds_a_frame(
    paint: Paint, size: tuple[int, int] | None, in_flight: int, best: float = float("inf")
) -> float:
    """Measures a painter: seconds a frame, with so many frames painted at once.

    Args:
        paint: Takes uint8 [H, W, 3].
        size: (height, width).
        in_flight: Frames painted at once.
        best: Of the others so far, for there is no use in measuring well what is slow.
    """
    frame = np.random.default_rng(0).integers(0, 256, (*(size or _USUAL), 3), np.uint8)
    start = time.perf_counter()
    paint(frame)
    first = time.perf_counter() - start
    if first > _AT_ONCE * in_flight * best:
        return first
    frames, shortest = [frame] * max(2, 2 * in_flight), float("inf")
    with ThreadPoolExecutor(in_flight) as pool:
        list(pool.map(paint, frames))  # the first ones take longer
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            list(pool.map(paint, frames))
            shortest = min(shortest, (time.perf_counter() - start) / len(frames))
            if shortest > _HOPELESS * best:
                break
    return shortest


def machine() -> dict[str, Any]:
    """Returns what identifies this kind of machine, which speed depends on."""
    return {
        "processor": processor(),
        "cores": len(allowed_cores()),
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """Returns the processor's name; Linux keeps it in a file, elsewhere Python knows."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        return names[0] if names else platform.machine()
    except OSError:
        return platform.processor() or platform.machine()


def ways_of(backend: Backend, in_flight: int) -> list[str]:
    """Returns a backend's ways; one that cannot say them has none."""
    try:
        return backend.ways(in_flight)
    except BackendError:
        return []


def _class_of(size: tuple[int, int]) -> int:
    """The class of a (height, width): that of a 16:9 picture with as many pixels, or more."""
    rows = (size[0] * size[1] * 9 / 16) ** 0.5
    return next((rows_of for rows_of in _CLASSES if rows <= rows_of), _CLASSES[-1])


def _name(key: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return f"{_FOLDER}/{digest[:16]}.json"

"""The painter: one loaded artifact, from any picture to its painting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ..bundle import Artifact, Bundle
from ..errors import BackendError, UsageError, unknown_name
from ..pictures import Pixels
from .backends import BACKENDS, Backend, Engine, find_backend

PRECISIONS = ("int8", "w8", "fp16", "fp32")


@dataclass(frozen=True)
class Choice:
    """What ``auto`` came to."""

    backend: str
    precision: str


class Stylizer:
    """Paints pictures of any size. Safe to call from several threads.

    Attributes:
        bundle: The bundle that was loaded.
        choice: The backend and precision in use.
        strength: 1 is the painting, 0 the picture itself.
    """

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine,
        choice: Choice,
        color: Literal["bgr", "rgb"] = "bgr",
        strength: float = 1.0,
    ) -> None:
        if color not in ("bgr", "rgb"):
            raise UsageError(unknown_name("color", color, ("bgr", "rgb")))
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must be between 0 and 1, got {strength}")
        self.bundle, self.engine, self.choice = bundle, engine, choice
        self.color, self.strength = color, strength

    def prepare(self, height: int, width: int) -> None:
        """Gets ready for many frames of one size."""
        self.engine.prepare(*self._padded(height, width))

    def __call__(self, picture: Pixels) -> Pixels:
        """Paints a uint8 picture [H, W, 3]; returns one of the same shape.

        Sizes that are no multiple of the generator's stride are padded by repeating the border
        and cropped again, never stretched.

        Raises:
            UsageError: It is no uint8 [H, W, 3].
            BackendError: The inference library failed.
        """
        if (
            not isinstance(picture, np.ndarray)
            or picture.dtype != np.uint8
            or picture.ndim != 3
            or picture.shape[2] != 3
            or not picture.size
        ):
            got = (
                f"{picture.dtype} {list(picture.shape)}"
                if isinstance(picture, np.ndarray)
                else type(picture).__name__
            )
            raise UsageError(f"expected a uint8 picture [H, W, 3], got {got}")
        if self.strength == 0:
            return picture.copy()
        height, width = picture.shape[:2]
        rows, columns = self._padded(height, width)
        frame = picture if self.color == "rgb" else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        if (rows, columns) != (height, width):
            frame = cv2.copyMakeBorder(
                frame, 0, rows - height, 0, columns - width, cv2.BORDER_REPLICATE
            )
        painted = self.engine(np.ascontiguousarray(frame)[None])[0, :height, :width]
        if self.color == "bgr":
            painted = cv2.cvtColor(painted, cv2.COLOR_RGB2BGR)
        if self.strength < 1:
            painted = cv2.addWeighted(painted, self.strength, picture, 1 - self.strength, 0)
        return painted

    def _padded(self, height: int, width: int) -> tuple[int, int]:
        multiple = self.bundle.manifest.frame.multiple_of
        least = 2 * multiple  # what the graphs are exported for
        up = [max(least, -(-side // multiple) * multiple) for side in (height, width)]
        return up[0], up[1]


def load(
    model: str | Path = "monet",
    backend: str = "auto",
    precision: str = "auto",
    color: Literal["bgr", "rgb"] = "bgr",
    strength: float = 1.0,
    in_flight: int = 1,
    size: tuple[int, int] | None = None,
) -> Stylizer:
    """Loads a model.

    Args:
        model: A shipped model's name, or a bundle's folder or zip.
        backend: ``"auto"`` (the fastest here, by a short measurement) or a backend's name.
        precision: ``"auto"`` (the smallest that the bundle has) or ``int8``, ``fp16``, ``fp32``.
        color: Channel order of the pictures that will be painted.
        strength: 1 is the painting, 0 the picture itself.
        in_flight: How many pictures will be painted at once; 1 asks for the shortest delay.
        size: (height, width) of the frames to come, if they all have one size.

    Raises:
        UsageError: Unknown model, backend or precision.
        BundleError: The bundle is damaged.
        BackendError: No backend here can run the bundle.
    """
    bundle = Bundle.open(model)
    candidates = [
        (row, artifact)
        for row in (BACKENDS.values() if backend == "auto" else [find_backend(backend)])
        if row.available or backend != "auto"
        for artifact in [_artifact(bundle, row, precision)]
        if artifact is not None
    ]
    if not candidates:
        missing = "" if backend == "auto" else find_backend(backend).missing
        raise BackendError(missing or _nothing_runs(bundle, backend, precision))
    stylizers, failures = [], []
    for row, artifact in candidates:
        choice = Choice(row.name, artifact.precision)
        try:
            engine = row.load(bundle.path(artifact), in_flight)
            stylizer = Stylizer(bundle, engine, choice, color, strength)
            if size:
                stylizer.prepare(*size)
            stylizers.append(stylizer)
        except BackendError as error:  # with "auto" the next one may do
            failures.append(error)
    if not stylizers:
        raise failures[0]
    return stylizers[0] if len(stylizers) == 1 else min(stylizers, key=lambda s: _seconds(s, size))


def _artifact(bundle: Bundle, backend: Backend, precision: str) -> Artifact | None:
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(unknown_name("precision", precision, ("auto", *PRECISIONS)))
    wanted = PRECISIONS if precision == "auto" else (precision,)
    found = (
        bundle.find(target, name, backend.runs) for name in wanted for target in backend.targets
    )
    return next((artifact for artifact in found if artifact), None)


def _seconds(stylizer: Stylizer, size: tuple[int, int] | None, runs: int = 3) -> float:
    """The best time of a few frames, after a first one."""
    frame = np.random.default_rng(0).integers(0, 256, (*(size or (256, 256)), 3), np.uint8)
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        stylizer(frame)
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _nothing_runs(bundle: Bundle, backend: str, precision: str) -> str:
    has = ", ".join(
        f"{a.target} {a.precision} {a.device}".rstrip() for a in bundle.manifest.artifacts
    )
    missing = "; ".join(row.install for row in BACKENDS.values() if not row.installed)
    return (
        f"{bundle.label} has no artifact that backend {backend!r} can run at precision"
        f" {precision!r} here; it has: {has}"
        + (f"; to install more backends: {missing}" if missing else "")
    )

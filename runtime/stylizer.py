"""The painter: one loaded artifact, from any picture to its painting."""

from __future__ import annotations

import contextlib
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ..bundle.bundle import Bundle
from ..bundle.manifest import Artifact
from ..canvas.layout import Piece, reach_of
from ..errors import BackendError, UsageError, shown, unknown_name
from ..pictures import Frames, Pixels
from . import tiles
from .backends import (
    BACKENDS,
    CHECKPOINT,
    Backend,
    Engine,
    PartEngine,
    PlaneEngine,
    StrokeEngine,
    find_backend,
)
from .models import open_model
from .probe import probe
from .strokes.canvases import Canvases, Plans
from .strokes.shift import Place
from .strokes.torus import Torus, Turn
from .tuning import PATIENCE, Candidate, Task, recall, remember, seconds_a_frame, ways_of
from .yuv import Picture, Yuv

PRECISIONS = ("int8", "w8", "fp16", "fp32")


@dataclass(frozen=True)
class Choice:
    """What ``auto`` came to."""

    backend: str
    precision: str
    way: str = ""  # of the backend: a device, or how it uses the cores


class Stylizer:
    """Paints pictures of any size. Safe to call from several threads.

    Attributes:
        bundle: The bundle that was loaded.
        choice: The backend and precision in use.
        strength: 1 is the painting, 0 the picture itself.
        wraps: Whether it paints on canvases that go on over their borders, for ``Torus``.
        note: What ``auto`` left out, or what could not be kept, and why; empty if nothing.
    """

    note = ""

    def __init__(
        self,
        bundle: Bundle,
        engine: Engine,
        choice: Choice,
        color: Literal["bgr", "rgb"] = "bgr",
        strength: float = 1.0,
        wraps: bool = False,
    ) -> None:
        if color not in ("bgr", "rgb"):
            raise UsageError(unknown_name("color", color, ("bgr", "rgb")))
        if not 0 <= strength <= 1:
            raise UsageError(f"strength must be between 0 and 1, got {shown(strength)}")
        self.bundle, self.engine, self.choice = bundle, engine, choice
        self.color, self.strength, self.wraps = color, strength, wraps

    def prepare(self, height: int, width: int) -> None:
        """Gets ready for many frames of one size."""
        self.engine.prepare(*self._padded(height, width))

    def __call__(self, picture: Pixels) -> Pixels:
        """Paints a uint8 picture [H, W, 3]; returns one of the same shape.

        Sizes that are no multiple of the generator's stride are padded by repeating the border
        and cropped again, never stretched. Beyond 24 megapixels it is painted by tiles, whose
        strokes are those of the whole picture.

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
        if picture.shape[0] * picture.shape[1] > tiles.WHOLE:
            return self._by_tiles(picture)
        return self._whole(picture)

    @property
    def paints_planes(self) -> bool:
        """Whether ``paint`` takes planes, too."""
        return isinstance(self.engine, PlaneEngine) and self.engine.paints_planes

    @property
    def turns(self) -> bool:
        """Whether ``paint`` paints on canvases that are turned."""
        return self.wraps and isinstance(self.engine, PartEngine)

    def paint(self, picture: Picture, needed: Pixels | None = None, turn: Turn = (0, 0)) -> Picture:
        """Paints a picture fully; both sides are multiples of the generator's stride.

        Args:
            picture: RGB [H, W, 3], or planes: then it returns planes.
            needed: uint8 [H, W], 255 where paint is needed; elsewhere, 0, there may be anything.
            turn: Of the canvas, see ``Torus``.
        """
        if isinstance(picture, Yuv):
            assert isinstance(self.engine, PlaneEngine)
            return self.engine.planes(picture, needed, turn)
        frames = np.ascontiguousarray(picture)[None]
        if isinstance(self.engine, PartEngine):
            painted: Pixels = self.engine(frames, needed=needed, turn=turn)[0]
        else:
            painted = self.engine(frames)[0]
        return painted

    def plan(self, picture: Pixels) -> Plans:
        """Returns the plan by which strokes are laid on a picture, as it is padded."""
        assert isinstance(self.engine, StrokeEngine)
        return self.engine.plan(self._frame(picture))

    def _frame(self, picture: Pixels, *piece: Piece) -> Frames:
        """What the engine takes: RGB, padded."""
        frame = picture if self.color == "rgb" else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        height, width = picture.shape[:2]
        if self.wraps and not piece:
            torus, place, turn = self._lies(picture)
            frame = torus.lay(frame, place, turn)
        else:
            rows, columns = self._padded(height, width)
            below, right = rows - height, columns - width
            if below or right:
                frame = cv2.copyMakeBorder(frame, 0, below, 0, right, cv2.BORDER_REPLICATE)
        return np.ascontiguousarray(frame)[None]

    def _whole(self, picture: Pixels, *piece: Piece) -> Pixels:
        height, width = picture.shape[:2]
        frames = self._frame(picture, *piece)
        if self.wraps and not piece:
            torus, place, turn = self._lies(picture)
            painted = torus.cut(self.paint(frames[0], turn=turn), place, turn)
        else:
            painted = self.engine(frames, *piece)[0]
        painted = painted[:height, :width]
        if self.color == "bgr":
            painted = cv2.cvtColor(painted, cv2.COLOR_RGB2BGR)
        return blended(painted, picture, self.strength)

    def _by_tiles(self, picture: Pixels) -> Pixels:
        manifest, painted = self.bundle.manifest, np.empty_like(picture)
        multiple, sees = manifest.frame.multiple_of, manifest.generator.receptive_field
        strokes, size = manifest.strokes, self._padded(*picture.shape[:2])
        if strokes:  # a stroke reaches out from where the network sees for it
            sees += reach_of(strokes.hand, size[0])
        margin = tiles.margin_of(sees, multiple)
        for top, bottom, first, last in tiles.spans(picture.shape[0], margin, multiple):
            for left, right, begin, end in tiles.spans(picture.shape[1], margin, multiple):
                piece = [Piece(top, left, size)] if strokes else []
                tile = self._whole(picture[top:bottom, left:right], *piece)
                painted[first:last, begin:end] = tile[
                    first - top : last - top, begin - left : end - left
                ]
        return painted

    def _padded(self, height: int, width: int) -> tuple[int, int]:
        multiple = self.bundle.manifest.frame.multiple_of
        if self.wraps:
            return self._torus(height, width).size
        least = 2 * multiple  # what the graphs are exported for
        up = [max(least, -(-side // multiple) * multiple) for side in (height, width)]
        return up[0], up[1]

    def _lies(self, picture: Pixels) -> tuple[Torus, Place, Turn]:
        """On which canvas a picture lies, where, and how that is turned."""
        torus = self._torus(*picture.shape[:2])
        place = _place_of(picture, torus.size)
        return torus, place, torus.turn(place) if self.turns else (0, 0)

    def _torus(self, height: int, width: int) -> Torus:
        return Torus(height, width, self.bundle.manifest.frame.multiple_of)


def _place_of(picture: Pixels, size: tuple[int, int]) -> Place:
    """Where on a torus a picture lies: elsewhere for each, or all would have the same marks."""
    number = zlib.crc32(cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA).tobytes())
    return float(number % size[0]), float((number >> 16) % size[1])


def blended(painted: Pixels, picture: Pixels, strength: float) -> Pixels:
    """Lets a picture show through its painting; strength 1 is the painting."""
    if strength == 1:
        return painted
    return cv2.addWeighted(painted, strength, picture, 1 - strength, 0)


def load(
    model: str | Path | Bundle = "monet",
    backend: str = "auto",
    precision: str = "auto",
    color: Literal["bgr", "rgb"] = "bgr",
    strength: float = 1.0,
    in_flight: int = 1,
    size: tuple[int, int] | None = None,
    stroke: str = "",
    wrap: bool = False,
) -> Stylizer:
    """Loads a model.

    Args:
        model: A shipped model's name, a bundle's folder or zip, an open bundle, or a checkpoint.
        backend: ``"auto"`` (the fastest here, by a short measurement that is remembered), a
            backend's name, or that and one of its ways, e.g. ``"onnxruntime:cuda"``.
        precision: ``"auto"`` (the smallest that the bundle has) or ``int8``, ``fp16``, ``fp32``.
        color: Channel order of the pictures that will be painted.
        strength: 1 is the painting, 0 the picture itself.
        in_flight: How many pictures will be painted at once; 1 asks for the shortest delay.
        size: (height, width) of the frames to come, if they all have one size.
        stroke: Size of strokes, ``fine``, ``medium`` or ``large``; the model's if empty.
        wrap: Whether strokes are painted on canvases that go on over their borders, for ``Easel``;
            to models without strokes it makes no difference.

    Raises:
        UsageError: Unknown model, backend or precision, or strokes of a model that has none.
        BundleError: The bundle is damaged.
        BackendError: No backend here can run the bundle.
    """
    if in_flight < 1:
        raise UsageError(f"in_flight must be at least 1, got {in_flight}")
    bundle = open_model(model)
    canvases = Canvases.of(bundle, stroke, wrap)
    artifacts = _asked(bundle, backend, precision, in_flight)

    artifacts, note = _faithful(artifacts) if precision == "auto" else (artifacts, "")

    def make(candidate: Candidate) -> Stylizer:
        path = bundle.path(artifacts[candidate])
        probe(BACKENDS[candidate.backend], bundle, artifacts[candidate])
        engine = BACKENDS[candidate.backend].load(path, in_flight, candidate.way, canvases)
        choice = Choice(candidate.backend, candidate.precision, candidate.way)
        wraps = wrap and canvases is not None
        stylizer = Stylizer(bundle, engine, choice, color, strength, wraps)
        if size:
            stylizer.prepare(*size)
        stylizer.note = "; ".join(filter(None, (note, getattr(engine, "note", ""))))
        return stylizer

    if len(artifacts) == 1:
        return make(next(iter(artifacts)))
    task = Task(bundle, backend, precision, in_flight, size)
    if (known := recall(task)) in artifacts:
        with contextlib.suppress(BackendError):  # then it is measured anew
            return make(known)
    return _best(task, artifacts, make)


def check_names(model: str | Path | Bundle, backend: str, precision: str, stroke: str = "") -> None:
    """Raises what ``load`` would raise for the names alone; loads no engine.

    Raises:
        UsageError: Unknown model, backend or precision, or strokes of a model that has none.
        BundleError: The bundle is damaged.
        BackendError: No backend here can run the bundle.
    """
    bundle = open_model(model)
    Canvases.of(bundle, stroke)
    _asked(bundle, backend, precision, 1)


def _asked(
    bundle: Bundle, backend: str, precision: str, in_flight: int
) -> dict[Candidate, Artifact]:
    """Returns what can paint as asked, at least one."""
    name, _, way = backend.partition(":")
    artifacts = _candidates(bundle, name, way, precision, in_flight)
    if not artifacts:
        missing = "" if name == "auto" else find_backend(name).missing
        raise BackendError(missing or _nothing_runs(bundle, backend, precision))
    return artifacts


def _faithful(candidates: dict[Candidate, Artifact]) -> tuple[dict[Candidate, Artifact], str]:
    """Leaves out what misses its drift limits, unless there is nothing else; says so."""
    missing = {a.path: a for a in candidates.values() if a.drift.missed}
    kept = {one: a for one, a in candidates.items() if a.path not in missing}
    told = "; ".join(
        f"{a.target} {a.precision} misses its drift limits ({a.drift.missed})"
        for a in missing.values()
    )
    if not missing or not kept:
        return candidates, f"{told}; it paints, as nothing else here can" if missing else ""
    named = " or ".join(dict.fromkeys(a.precision for a in missing.values()))
    return kept, f"{told}; auto leaves it out, precision {named} takes it all the same"


def _candidates(
    bundle: Bundle, backend: str, way: str, precision: str, in_flight: int
) -> dict[Candidate, Artifact]:
    """Returns what can paint: each backend's ways with its artifacts, the smallest first."""
    if precision not in ("auto", *PRECISIONS):
        raise UsageError(unknown_name("precision", precision, ("auto", *PRECISIONS)))
    rows = BACKENDS.values() if backend == "auto" else [find_backend(backend)]
    usable = [row for row in rows if row.available]
    precisions = PRECISIONS if precision == "auto" else (precision,)
    measured = [row for row in usable if row.in_auto]
    others = [row for row in usable if not row.in_auto]
    return _pairs(bundle, measured, way, precisions, in_flight) or _pairs(
        bundle, others, way, precisions, in_flight
    )


def _pairs(
    bundle: Bundle, rows: list[Backend], way: str, precisions: Iterable[str], in_flight: int
) -> dict[Candidate, Artifact]:
    found: dict[Candidate, Artifact] = {}
    for name in precisions:
        for row in rows:
            fitting = (bundle.find(target, name, row.runs) for target in row.takes(bundle))
            artifact = next(filter(None, fitting), None)
            if artifact:
                ways = [way] if way or not row.in_auto else ways_of(row, in_flight)
                found |= {Candidate.of(row, artifact, one): artifact for one in ways}
    return found


def _best(
    task: Task, candidates: Iterable[Candidate], make: Callable[[Candidate], Stylizer]
) -> Stylizer:
    """Measures the candidates and returns the best; one that fails is none."""
    times: dict[Candidate, float] = {}
    failures = []
    loaded: dict[Candidate, Stylizer] = {}
    end = time.perf_counter() + PATIENCE
    for candidate in candidates:
        if times and time.perf_counter() > end:
            break  # those to come are the larger precisions
        try:
            stylizer = make(candidate)
            shortest = min(times.values(), default=float("inf"))
            seconds = seconds_a_frame(stylizer, task.size, task.in_flight, shortest)
        except BackendError as error:
            failures.append(error)
            continue
        times[candidate] = seconds
        if seconds < shortest:
            loaded[candidate] = stylizer
    if not times:
        raise failures[0]
    return loaded[remember(task, times)]


def _nothing_runs(bundle: Bundle, backend: str, precision: str) -> str:
    artifacts = bundle.manifest.artifacts
    has = ", ".join(
        f"{a.target} {a.precision}" + f" for {a.device}" * bool(a.device) for a in artifacts
    )
    able = {
        target: " or ".join(row.name for row in BACKENDS.values() if target in row.takes(bundle))
        for target in dict.fromkeys(a.target for a in artifacts)
    }
    ways = [f"{target} runs with {names}" for target, names in able.items() if names]
    lacking = [row for row in BACKENDS.values() if not row.installed]
    if install := [row.install for row in lacking if able.keys() & row.takes(bundle)]:
        ways.append(f"to install more backends: {'; '.join(install)}")
    asked = None if backend == "auto" else find_backend(backend.partition(":")[0])
    takes = [t for t in asked.takes(bundle) if t != CHECKPOINT] if asked else []
    if asked and takes and not able.keys() & {*takes}:
        export = f"pleinair export {bundle.label} --target {takes[0]} --out BUNDLE"
        ways.append(f"for {asked.name}: {export}")
    return (
        f"{bundle.label} has no artifact that backend {backend!r} can run at precision"
        f" {precision!r} here; {'; '.join([f'it has: {has}', *ways])}"
    )

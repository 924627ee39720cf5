"""The live filter: a camera, stream or clip, painted as it comes; the newest frame wins."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...bundle.bundle import Bundle
from ...bundle.resolve import shipped_models
from ...cores import usable_cores
from ...errors import MediaError, PleinairError, UsageError
from ...owners import Owner
from ...words import meant_names, near_names
from ..address import is_bare, shown
from ..controls import Controls
from ..memory import kept_memory, share_heaps
from ..models import open_model
from ..pipeline import Pipeline, Report
from ..sinks.opening import (
    SCREENS,
    check_screens,
    check_sinks,
    is_screen,
    open_sinks,
    registered,
)
from ..sinks.video import VIDEO_SUFFIXES
from ..sources.cameras import AS_IT_IS, CameraMode
from ..sources.reconnect import open_live
from ..stylizer import Stylizer, check_names, load
from ..video_painter import VideoPainter
from ..yuv import Picture, mapped, parts_of, resized, rgb_of
from .adaptive import AdaptivePainter

Array = npt.NDArray[Any]

_OF_PAINTINGS = ("photo",)  # take a painting, which no camera shows: not among the styles
_FEW = 2  # cores
_WHITE, _NO_COLOUR = 255, 128  # of RGB or luma, of chroma


@dataclass(frozen=True)
class Look:
    """What the viewer sees beside the painting itself."""

    size: tuple[int, int] | None = None  # (width, height) to paint at; none keeps the source's
    mirror: bool = False
    side_by_side: bool = False  # the original to the left
    steady: bool = False  # keep the paint from trembling
    target_fps: float | None = None  # paint as small as this needs; what is shown keeps its size
    follow: bool = True  # strokes stay on what the camera sees, see ``Easel``


class _Taken(NamedTuple):
    """A frame on its way, as the controls said when it came."""

    picture: Picture
    fitted: VideoPainter | AdaptivePainter
    prepared: Any  # by a ``VideoPainter``
    divider: float | None  # where the original ends, if it is shown beside


class LivePainter:
    """Paints frames in their order, as the controls say at each; a ``Painter`` for the pipeline.

    Args:
        look: What does not change along the way.
        controls: What does.
        load_style: Loads a model by its name; called in the background.
        stylizer: Paints until another style is asked for.
    """

    def __init__(
        self,
        look: Look,
        controls: Controls,
        load_style: Callable[[str], Stylizer],
        stylizer: Stylizer,
    ) -> None:
        self.look, self.controls, self.load_style = look, controls, load_style
        self.pool = ThreadPoolExecutor(1, "style")
        self.coming: tuple[str, Future[Stylizer]] | None = None
        self.last: Picture | None = None
        self._take(stylizer, controls.style)

    def __call__(self, picture: Picture) -> Picture:
        """Paints one frame after the other."""
        taken = self.prepare(picture)
        if taken is None or not self.is_painted(taken):
            return self.finish(taken, None)
        return self.finish(taken, partial(self.paint, taken))

    def prepare(self, picture: Picture) -> _Taken | None:
        """Takes a picture; returns None while paused."""
        look, controls = self.look, self.controls
        if controls.paused and self.last is not None:
            return None
        self._follow()
        self.stylizer.strength = controls.strength
        fitted = self.fitted
        takes_planes = isinstance(fitted, VideoPainter) and fitted.takes_planes
        if not takes_planes or _is_odd(look.size):
            picture = rgb_of(picture)
        if look.size and look.size != (picture.shape[1], picture.shape[0]):
            picture = resized(picture, look.size)
        if controls.mirror:
            picture = mapped(picture, lambda part, share: np.ascontiguousarray(part[:, ::-1]))
        prepared = fitted.prepare(picture) if isinstance(fitted, VideoPainter) else None
        return _Taken(picture, fitted, prepared, controls.divider if controls.compare else None)

    def is_painted(self, taken: _Taken | None) -> bool:
        """Whether it has to be painted."""
        if taken is None:
            return False
        _, fitted, prepared, _ = taken
        return not isinstance(fitted, VideoPainter) or fitted.is_painted(prepared)

    def paint(self, taken: _Taken) -> Picture:
        """Paints it, smaller if it has to be."""
        picture, fitted, prepared, _ = taken
        return fitted.paint(prepared) if isinstance(fitted, VideoPainter) else fitted(picture)

    def finish(self, taken: _Taken | None, painting: Callable[[], Picture] | None) -> Picture:
        """Returns what to show: the last picture while paused."""
        if taken is None:
            assert self.last is not None
            return self.last
        picture, fitted, prepared, divider = taken
        if isinstance(fitted, VideoPainter):
            shown = fitted.finish(prepared, painting)
        else:
            assert painting is not None
            shown = painting()
        if divider is not None:
            shown = _divided(picture, shown, divider)
        self.last = _beside(picture, shown) if self.look.side_by_side else shown
        return self.last

    def state(self) -> dict[str, Any]:
        """Nothing: live does not go on later."""
        return {}

    def what(self) -> str:
        """Says what paints, and at which size."""
        choice, size = self.stylizer.choice, getattr(self.fitted, "size", None)
        at = f" at {size[0]}x{size[1]}" if size else ""
        return f"{self.style} {choice.backend} {choice.precision}{at}"

    def _follow(self) -> None:
        """Loads the style that is asked for, and takes it up when it is ready."""
        controls = self.controls
        if self.coming is None and controls.style != self.style:
            controls.loading = controls.style
            self.coming = controls.style, self.pool.submit(self.load_style, controls.style)
        elif self.coming and self.coming[1].done():
            name, loaded = self.coming
            self.coming, controls.loading = None, ""
            try:
                self._take(loaded.result(), name)
            except PleinairError as error:
                controls.message, controls.style = str(error), self.style

    def _take(self, stylizer: Stylizer, style: str) -> None:
        self.stylizer, self.style = stylizer, style
        adapts = self.look.target_fps
        painter = VideoPainter(stylizer, self.look.steady, late=not adapts)
        self.fitted: VideoPainter | AdaptivePainter = painter
        if adapts:
            self.fitted = AdaptivePainter(painter, stylizer.prepare, adapts)


def _is_odd(size: tuple[int, int] | None) -> bool:
    return bool(size) and any(side % 2 for side in size or ())


def _beside(left: Picture, right: Picture) -> Picture:
    lefts = iter(parts_of(left))
    return mapped(right, lambda part, share: np.hstack([next(lefts)[0], part]))


def _divided(original: Picture, painted: Picture, divider: float) -> Picture:
    """The original left of the divider, a part of the width, and the painting right of it."""
    originals, at = iter(parts_of(original)), round(divider * original.shape[1] / 2)

    def divided(part: Array, share: int) -> Array:
        end, side = 2 * at // share, 2 // share
        both = np.hstack([next(originals)[0][:, :end], part[:, end:]])
        both[:, max(0, end - side) : end] = _NO_COLOUR if share == 2 else _WHITE
        return both

    return mapped(painted, divided)


@dataclass(frozen=True)
class LiveResult:
    """What was shown."""

    report: Report
    stylizer: Stylizer
    problems: list[str]

    def stats(self) -> dict[str, Any]:
        """The object that ``live --json`` prints."""
        report = self.report
        p50, p90, p99 = (
            np.percentile(report.delays, [50, 90, 99]) * 1000 if report.delays else (0, 0, 0)
        )
        return {
            "frames": report.frames,
            "seconds": round(report.seconds, 3),
            "fps": round(report.fps, 2),
            "dropped": report.dropped,
            "latency_ms": {
                "p50": round(float(p50), 2),
                "p90": round(float(p90), 2),
                "p99": round(float(p99), 2),
            },
            "size": list(report.size or (0, 0)),
            "backend": self.stylizer.choice.backend,
            "precision": self.stylizer.choice.precision,
        }


def live(
    source: str = "0",
    sink: str | Sequence[str] = "window",
    model: str | Path = "monet",
    *,
    camera: CameraMode = AS_IT_IS,
    backend: str = "auto",
    precision: str = "auto",
    strength: float = 1.0,
    look: Look = Look(),
    controls: Controls | None = None,
    duration: float | None = None,
    loop: bool = False,
    stroke: str = "",
    overwrite: bool = False,
    wait: bool = False,
    progress: Callable[[int], None] | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> LiveResult:
    """Paints a live source until it ends, the viewer quits or ``duration`` is over.

    Args:
        source: A camera's index, a URL, or a file (played at its own pace).
        sink: ``"window"``, ``"http"`` (a page for browsers; also ``"http:PORT"`` or
            ``"http:HOST:PORT"``, with a token of one's own ``"http:PORT/TOKEN"``),
            ``"virtual-camera"``, ``"null"``, or a video file to record to; several are given as a
            list.
        model: A shipped model's name, a bundle's folder or zip, or a checkpoint.
        camera: Size and frame rate to ask of a camera.
        backend: ``"auto"`` or a backend's name.
        precision: ``"auto"``, ``int8``, ``fp16`` or ``fp32``.
        strength: 1 is the painting, 0 the original.
        look: Size, mirror, side by side, steadiness, frame rate to hold.
        controls: What can be changed along the way, also from another thread; made of ``strength``
            and ``look`` if not given.
        duration: Seconds from the first painting.
        loop: Whether a video file begins again at its end.
        stroke: Size of strokes, ``fine``, ``medium`` or ``large``; the model's if empty.
        overwrite: Whether an existing recording may be replaced.
        wait: Whether to wait while another process writes the same recording.
        progress: Called after each frame.
        say: Called with what the viewer should know, e.g. the page's address.

    Raises:
        UsageError: The request does not fit together.
        BusyError: Another process writes the same recording.
        MediaError: The source or sink cannot be used.
    """
    if duration is not None and not duration >= 0:
        raise UsageError(f"duration must be a number of seconds, got {duration}")
    share_heaps()
    if controls is None:
        controls = Controls(strength=strength, mirror=look.mirror)
    controls.style = str(model)
    others = (n for n in shipped_models() if n not in (controls.style, *_OF_PAINTINGS))
    controls.styles = [controls.style, *others]
    sinks = [sink] if isinstance(sink, str) else list(sink)
    check_sinks(sinks)
    asked_model = open_model(model)
    check_names(asked_model, backend, precision, stroke)  # before a camera's light goes on
    check_screens(sinks)
    with contextlib.ExitStack() as until_done:
        for file in (one for one in sinks if not is_screen(one)):
            until_done.enter_context(_recording(file, source, overwrite, wait))
        opened = until_done.enter_context(open_live(source, camera, loop))
        opened.say, opened.planes = say, True
        size = look.size or opened.size

        def load_style(name: str) -> Stylizer:
            shape = (size[1], size[0]) if size else None
            is_asked = name == str(model)
            bundle = asked_model if is_asked else open_model(name)
            asked = stroke if bundle.manifest.strokes or is_asked else ""
            loaded = load_for_live(bundle, look, shape, backend, precision, strength, asked)
            if loaded.note:
                say(loaded.note)
            return loaded

        painter = LivePainter(look, controls, load_style, load_style(controls.style))
        pipeline = Pipeline(opened, painter)
        with open_sinks(sinks, opened, controls, painter.what, say) as out:
            # Ctrl-C is how one ends a recording that has no other end; it is kept.
            with kept_memory(), contextlib.suppress(KeyboardInterrupt):
                pipeline.run(out, duration, progress)
            if not pipeline.report.frames and opened.problems:
                raise MediaError("; ".join(opened.problems))
    return LiveResult(pipeline.report, painter.stylizer, opened.problems)


def load_for_live(
    bundle: Bundle,
    look: Look,
    size: tuple[int, int] | None = None,
    backend: str = "auto",
    precision: str = "auto",
    strength: float = 1.0,
    stroke: str = "",
) -> Stylizer:
    """Loads a model to be shown with a look; see ``load``."""
    is_late = bundle.manifest.strokes and look.follow and not look.target_fps
    # Nobody waits for paint then: of few cores, one is left to what is shown meanwhile.
    at_once = 2 if is_late and usable_cores() <= _FEW else 1
    return load(
        bundle,
        backend,
        precision,
        "rgb",
        strength,
        in_flight=at_once,
        size=size,
        stroke=stroke,
        wrap=look.follow,
    )


def _is_no_sink(sink: str) -> str:
    """Returns the sentence for a name that is neither a screen nor a video file."""
    several = sink.replace(",", " ").split()
    if len(several) > 1 and all(map(is_screen, several)):
        return f"{sink!r} is no sink; repeat the option: --sink {' --sink '.join(several)}"
    names, suffixes = [*SCREENS, *registered()], sorted(VIDEO_SUFFIXES)
    said = f"sink {shown(sink)!r} is none of {', '.join(names)}, or a video file"
    said += f" ({', '.join(suffixes)})"
    name = sink.partition(":")[0]
    if meant_names(name, ["streaming"]):
        return f"{said}; let OBS stream: show it the page of --sink http, or --sink virtual-camera"
    near = near_names("camera" if name.startswith("/dev/video") else name, names)
    near = near or [f"http:{sink}"] * is_bare(sink)
    return f"{said}; did you mean {' or '.join(map(repr, near))}?" if near else said


def _recording(sink: str, source: str, overwrite: bool, wait: bool) -> Owner:
    """Takes the name of a recording, if it may be written."""
    path = Path(sink)
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(_is_no_sink(sink))
    if path.is_dir():
        raise UsageError(f"sink {sink} is a folder; give the name of a video")
    if path.exists() and path.resolve() == Path(source).resolve():
        raise UsageError(f"output {sink} is the input; give another name")
    owner = Owner(path, wait, MediaError)
    if path.exists() and not overwrite:
        owner.release()
        raise UsageError(f"{sink} exists; add --overwrite to replace it")
    return owner

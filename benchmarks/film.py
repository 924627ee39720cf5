"""Where a video's time goes: the stages of ``translate``, in core-milliseconds per frame.

Each stage is measured alone, one frame after the other, by the processor time of the whole process.
The pipeline, which runs all stages at once, is measured as well.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from ..bundle.bundle import Bundle
from ..cores import usable_cores
from ..errors import MediaError
from ..pictures import Pixels
from ..runtime.colour import SWSCALE_DOWN, SWSCALE_UP, Decoded, Encodable, coded, planes_if
from ..runtime.pipeline import Pipeline
from ..runtime.sinks.encoding import DEFAULT, configure
from ..runtime.sinks.output import plan_output
from ..runtime.sinks.video import VideoSink
from ..runtime.sources.video import VideoSource
from ..runtime.stylizer import Stylizer, load
from ..runtime.translate.videos import frames_at_once, speak_planes
from ..runtime.video_painter import Prepared, VideoPainter
from ..runtime.yuv import Picture, rgb_of
from ..temporary import TemporaryFolder

STAGES = ("decode", "to_rgb", "prepare", "paint", "finish", "from_rgb", "encode")
FRAMES = 60
_SETTLING = 4  # frames that are painted before timing starts
_ZONES = Path("/sys/class/powercap")
T = TypeVar("T")


def measure_film(bundle: Bundle, backend: str, precision: str, clip: Path) -> dict[str, Any]:
    """Measures the stages, the conversions in planes and by swscale, and the whole.

    Returns:
        ``{size, frames, stages_ms, swscale_ms, core_ms, fps, overhead, joules}``: times are
        per frame. ``core_ms`` is the whole pipeline's time on all cores; ``overhead`` is its wall
        time divided by the stages' sum per core; ``joules`` is the energy of a frame, or None.

    Raises:
        PleinairError: The clip cannot be read or written, or the backend fails.
    """
    cv2.setNumThreads(1)  # as translate does
    with VideoSource(str(clip)) as source:
        assert source.size
        end = float(FRAMES / (source.fps or Fraction(30)))
    at_once, height_width = frames_at_once(), source.size[::-1]
    stylizer = load(
        bundle, backend, precision, "rgb", in_flight=at_once, size=height_width, wrap=True
    )
    stages, swscale = _alone(clip, end, stylizer)
    whole = _whole(clip, end, stylizer)
    ideal = sum(stages.values()) / usable_cores()
    return {
        "size": list(source.size),
        "frames": whole.pop("frames"),
        "stages_ms": stages,
        "swscale_ms": swscale,
        **whole,
        "overhead": 1000 / whole["fps"] / ideal,
    }


def _alone(clip: Path, end: float, stylizer: Stylizer) -> tuple[dict[str, float], dict[str, float]]:
    """Core-ms per frame of each stage, and of the conversions by swscale."""
    clock, sws = _Clock(), _Clock()
    to_rgb, painter = Decoded(), VideoPainter(stylizer)
    up, down = VideoReformatter(), VideoReformatter()
    source = VideoSource(str(clip), end=end)
    with source:
        assert source.first is not None  # it was opened
        form = plan_output(source, clip.with_suffix(".mp4"), DEFAULT).form
        source.planes = painter.takes_planes and form.colour
        encodable = Encodable(form.size, form.pix_fmt, form.colour)
        encoder: Any = av.CodecContext.create(DEFAULT.encoder, "w")
        configure(encoder, DEFAULT, form)
        frames = list(clock.each("decode", chain([source.first], islice(source.decoder, FRAMES))))
    for decoded in frames:
        picture = clock.of("to_rgb", _taken, decoded, source, to_rgb)
        sws.of("to_rgb", _from_planes, up, decoded)
        prepared = clock.of("prepare", painter.prepare, picture)
        painted = clock.of("paint", _painted, painter, prepared)
        shown = clock.of("finish", _finished, painter, prepared, painted)
        planes = clock.of("from_rgb", encodable, shown)
        sws.of("from_rgb", _to_planes, down, rgb_of(shown), encodable)
        planes.pts, planes.time_base = decoded.pts, decoded.time_base
        clock.of("encode", encoder.encode, planes)
    clock.of("encode", encoder.encode, None)
    stages = {name: clock.a_frame(name, len(frames)) for name in STAGES}
    return stages, {name: sws.a_frame(name, len(frames)) for name in ("to_rgb", "from_rgb")}


def _taken(decoded: av.VideoFrame, source: VideoSource, to_rgb: Decoded) -> Picture:
    """What a source makes of an upright frame."""
    return planes_if(decoded, source.planes) or to_rgb(decoded)


def _painted(painter: VideoPainter, prepared: Prepared) -> Picture | None:
    return painter.paint(prepared) if painter.is_painted(prepared) else None


def _finished(painter: VideoPainter, prepared: Prepared, painted: Picture | None) -> Picture:
    return painter.finish(prepared, None if painted is None else lambda: painted)


def _from_planes(up: VideoReformatter, decoded: av.VideoFrame) -> av.VideoFrame:
    matrix = coded(decoded).matrix
    return up.reformat(decoded, format="rgb24", src_colorspace=matrix, interpolation=SWSCALE_UP)


def _to_planes(down: VideoReformatter, rgb: Pixels, encodable: Encodable) -> av.VideoFrame:
    packed = av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(rgb), format="rgb24")
    matrix, (width, height) = encodable.colour.matrix, encodable.size
    return down.reformat(
        packed,
        width,
        height,
        encodable.pix_fmt,
        dst_colorspace=matrix,
        interpolation=SWSCALE_DOWN,
    )


def _whole(clip: Path, end: float, stylizer: Stylizer) -> dict[str, Any]:
    """All stages at once, into a file."""
    source = VideoSource(str(clip), end=end)
    with (
        TemporaryFolder() as folder,
        source,
        VideoSink(folder / "out.mp4", source, DEFAULT) as sink,
    ):
        meter, start = EnergyMeter(), time.process_time()
        painter = VideoPainter(stylizer)
        speak_planes(source, painter, sink)
        report = Pipeline(source, painter, frames_at_once()).run(sink)
        core_ms, joules = 1000 * (time.process_time() - start), meter.joules()
    if not report.frames:
        raise MediaError(f"{clip} holds no frame that can be decoded")
    frames = report.frames
    return {
        "frames": frames,
        "core_ms": core_ms / frames,
        "fps": report.fps,
        "joules": None if joules is None else joules / frames,
    }


class _Clock:
    """Measures the processor time of stages."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {}

    def of(self, stage: str, work: Callable[..., T], *given: Any) -> T:
        """Does work, and notes its time."""
        start = time.process_time()
        done = work(*given)
        self.times.setdefault(stage, []).append(1000 * (time.process_time() - start))
        return done

    def each(self, stage: str, items: Iterator[T]) -> Iterator[T]:
        """Passes items on, and notes the time to get each."""
        while (item := self.of(stage, next, items, None)) is not None:
            yield item

    def a_frame(self, stage: str, frames: int) -> float:
        """Returns a stage's mean time a frame; some frames are not painted."""
        times = self.times[stage]
        if stage in ("decode", "encode"):
            return sum(times) / frames
        return statistics.fmean(times[_SETTLING:] or times)


class EnergyMeter:
    """Counts the joules of processors, by the kernel's RAPL; often only root reads its counters."""

    def __init__(self, zones: Path = _ZONES) -> None:
        packages = sorted(zones.glob("*-rapl:*"))
        self.packages = [one for one in packages if one.name.count(":") == 1]  # not their parts
        self.before = self._read()

    def joules(self) -> float | None:
        """Returns the joules that all packages used since then; None if they are not known."""
        before, now = self.before, self._read()
        if not before or len(before) != len(now):
            return None
        used = 0
        for package, first, last in zip(self.packages, before, now, strict=True):
            used += last - first
            if last < first:  # the counter wrapped
                used += int((package / "max_energy_range_uj").read_text())
        return used / 1e6

    def _read(self) -> list[int]:
        try:
            return [int((one / "energy_uj").read_text()) for one in self.packages]
        except (OSError, ValueError):
            return []

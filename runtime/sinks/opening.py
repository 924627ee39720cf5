"""Opens the sinks of live by their spelling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..controls import Controls
from ..sources.source import Source
from .http import HttpSink
from .recordings import Recordings
from .sink import NullSink, Sink
from .video import VideoSink
from .virtual_camera import VirtualCameraSink
from .window import WindowSink

SCREENS = ("window", "http", "virtual-camera", "null")


def is_screen(spec: str) -> bool:
    """Whether a spelling is no file to record to."""
    return spec.partition(":")[0] in SCREENS


def open_sink(
    spec: str,
    source: Source,
    controls: Controls | None = None,
    what: Callable[[], str] = lambda: "",
    say: Callable[[str], None] = lambda sentence: None,
) -> Sink:
    """Opens a sink.

    Args:
        spec: ``"window"``, ``"http"`` or ``"http:HOST:PORT"``, ``"virtual-camera"``, ``"null"``, or
            a video's path.
        source: What the frames come from.
        controls: What the viewer can change.
        what: Says what paints.
        say: Called with what the viewer should know, such as the address of the page.

    Raises:
        UsageError: The address is none.
        MediaError: It cannot be opened.
    """
    kind, _, address = spec.partition(":")
    controls = controls or Controls()
    if kind == "null":
        return NullSink()
    if kind == "window":
        return WindowSink("pleinair", controls, Recordings(source, controls), what)
    if kind == "virtual-camera":
        return VirtualCameraSink(source)
    if kind == "http":
        return HttpSink(address, controls, Recordings(source, controls), what, say)
    video = VideoSink(Path(spec), source)
    for note in video.plan.notes if video.plan else ():
        say(note)
    return video

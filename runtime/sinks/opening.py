"""Opens the sinks of live by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ...errors import MediaError, PleinairError, UsageError
from ...progress import Say
from ..controls import Controls
from ..frame import Frame
from ..sources.pictures import PictureSource
from ..sources.reconnect import ReconnectingSource
from ..sources.source import Source
from ..sources.video import VideoSource
from .http import HttpSink, parse_address
from .recordings import Recordings
from .sink import NullSink, SeveralSinks, Sink
from .video import VideoSink
from .virtual_camera import VirtualCameraSink, find_library
from .window import WindowSink, check_display

SCREENS = ("window", "http", "virtual-camera", "null")
GROUP = "pleinair.sinks"


def is_screen(spec: str) -> bool:
    """Whether a name is a screen and not a file to record to."""
    return spec.partition(":")[0] in (*SCREENS, *registered())


def registered() -> dict[str, EntryPoint]:
    """Returns third parties' sinks, by name: entry points of the group ``pleinair.sinks``.

    Each names a function that takes the part of ``NAME:ADDRESS`` after the colon, and the source,
    and returns a ``Sink``.
    """
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def open_sinks(
    specs: Sequence[str],
    source: Source,
    controls: Controls | None = None,
    what: Callable[[], str] = lambda: "",
    say: Say = lambda sentence: None,
) -> Sink:
    """Opens one sink or several, which then get the same frames.

    Args:
        specs: ``"window"``, ``"http"``, ``"http:HOST:PORT"``, ``"virtual-camera"``, ``"null"`` or
            a video's path.
        source: What the frames come from.
        controls: What the viewer can change.
        what: Returns model, backend and precision.
        say: Called with what the viewer should know, such as the address of the page.

    Raises:
        UsageError: There is none, one is named twice, or a page's address is invalid.
        MediaError: One cannot be opened; those opened before it are closed.
    """
    check_sinks(specs)
    controls = controls or Controls()
    with ExitStack() as opened:
        sinks: list[Sink] = []
        recordings = Recordings(source, controls, say=say)
        for spec in specs:
            sinks.append(_open(spec, source, controls, recordings, what, say))
            opened.callback(sinks[-1].discard)
            if _kind(spec) in ("window", "http"):  # only one writes what the viewer asks for
                recordings = Recordings(source, Controls())
        opened.pop_all()
    return sinks[0] if len(sinks) == 1 else SeveralSinks(sinks)


def check_sinks(specs: Sequence[str]) -> None:
    """Checks the names of sinks without opening any.

    Raises:
        UsageError: There is none, one is named twice, or a page's address is invalid.
    """
    if not specs or len({*map(_kind, specs)}) < len(specs):
        raise UsageError(f"sinks must differ, got {', '.join(specs) or 'none'}")
    for spec in specs:
        if _kind(spec) == "http":
            parse_address(spec.partition(":")[2])


def check_screens(specs: Sequence[str]) -> None:
    """Checks that what the sinks need is here, before a camera or model is opened.

    Raises:
        MediaError: There is no display, or no library for a virtual camera.
    """
    needs = {"window": check_display, "virtual-camera": find_library}
    for kind in map(_kind, specs):
        needs.get(kind, lambda: None)()


def _kind(spec: str) -> str:
    return spec.partition(":")[0] if is_screen(spec) else spec


def _open(
    spec: str,
    source: Source,
    controls: Controls,
    recordings: Recordings,
    what: Callable[[], str],
    say: Say,
) -> Sink:
    kind, _, address = spec.partition(":")
    if kind not in SCREENS and (entry := registered().get(kind)):
        return _open_registered(entry, address, source)
    if kind == "null":
        return NullSink()
    if kind == "window":
        return WindowSink("pleinair", controls, recordings, what)
    if kind == "virtual-camera":
        return VirtualCameraSink(source, say)
    if kind == "http":
        page = HttpSink(address, controls, recordings, what, say)
        if isinstance(source, VideoSource) and not source.is_url:
            length = f", after {source.info.seconds:.0f} s" if source.info.seconds else ""
            say(f"the page ends with {source.label}{length}; --loop plays it again and again")
        elif isinstance(source, PictureSource):
            say(f"the page ends with {source.label}; translate paints pictures into files")
        return page
    video = VideoSink(Path(spec), source)
    for note in video.plan.notes if video.plan else ():
        say(note)
    stream = source.inner if isinstance(source, ReconnectingSource) else None
    if isinstance(stream, VideoSource) and "audio" in {one.kind for one in stream.info.streams}:
        say(f"{stream.label}: its sound will not be recorded; to keep it, save the stream first")
    return video


def _open_registered(entry: EntryPoint, address: str, source: Source) -> Sink:
    with _errors_of(entry):
        sink = entry.load()(address, source)
        if not isinstance(sink, Sink):
            raise TypeError(f"it returned {type(sink).__name__}, which is not a Sink")
        return _Registered(entry, sink)


class _Registered(Sink):
    """A third party's sink; errors name it."""

    def __init__(self, entry: EntryPoint, sink: Sink) -> None:
        self.entry, self.sink = entry, sink

    def write(self, frame: Frame) -> bool:
        with _errors_of(self.entry):
            wanted: bool | None = self.sink.write(frame)
            if wanted is None:  # the return was forgotten, and the show would end
                raise TypeError("write returned None; True is to go on, False to end")
        return wanted

    def finish(self) -> None:
        with _errors_of(self.entry):
            self.sink.finish()

    def discard(self) -> None:
        with _errors_of(self.entry):
            self.sink.discard()


@contextmanager
def _errors_of(entry: EntryPoint) -> Iterator[None]:
    try:
        yield
    except PleinairError:
        raise
    except Exception as error:
        said = f"{error}" or type(error).__name__
        raise MediaError(
            f"sink {entry.name!r} of {entry.value} cannot be used: {said}; update it"
        ) from error

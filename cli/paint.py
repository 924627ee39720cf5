"""Verbs that paint: demo, translate, live."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import UsageError, unknown_name
from ..files import write_durably
from ..picture_size import MOST
from .app import (
    Backend,
    Follow,
    Json,
    Model,
    Overwrite,
    Precision,
    Steady,
    Strength,
    Stroke,
    Wait,
    app,
)
from .console import end_with, print_line, progress, say
from .parse import check_file, parse_size, parse_time


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The video to write; a still goes beside it.")] = Path(
        "demo.mp4"
    ),
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    stroke: Stroke = "",
    overwrite: Overwrite = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Paint the bundled clip with the bundled model: a video and a before/after still."""
    from ..runtime.translate.demo import run_demo
    from ..runtime.translate.options import Look, PaintOptions

    if out.is_dir():
        out /= "demo.mp4"
    options = PaintOptions(backend, precision, Look(stroke=stroke))
    with progress("painting the demo clip") as advance:
        result, still = run_demo(out, model, options, overwrite, wait, advance)
    stats = result.stats() | {"video": str(out), "still": str(still)}
    say(stats, as_json, f"{_summary(stats)}\nwrote {out} and {still}")
    end_with(result.problems)


@app.command()
def translate(
    source: Annotated[
        str,
        typer.Argument(metavar="IN", help="A picture, video, folder or pattern ('a/**/*.jpg')."),
    ],
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="A file of the same kind, or a folder.")
    ],
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    strength: Strength = 1.0,
    steady: Steady = False,
    follow: Follow = True,
    stroke: Stroke = "",
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Where to start in videos: seconds or 1:02:03.5."),
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="TIME", help="Where to end in videos.")] = None,
    codec: Annotated[str, typer.Option(help="h264 (in .webm av1), hevc or av1.")] = "h264",
    quality: Annotated[
        int,
        typer.Option(
            min=0, max=51, help="Quality of videos: lower means better quality and larger files."
        ),
    ] = 21,
    preset: Annotated[
        str,
        typer.Option(
            help="ultrafast ... medium ... slower: slower ones give smaller files. Default:"
            " superfast for h264, veryfast for others."
        ),
    ] = "",
    hardware: Annotated[
        bool, typer.Option("--hardware", help="Encode on the graphics card.")
    ] = False,
    background: Annotated[
        str, typer.Option(help="Colour under transparent parts: white, black, grey or #rrggbb.")
    ] = "white",
    keep_location: Annotated[
        bool, typer.Option("--keep-location", help="Keep the place where videos were taken.")
    ] = False,
    keep_profile: Annotated[
        bool,
        typer.Option("--keep-profile", help="Write pictures in their colour profile, not sRGB."),
    ] = False,
    engine: Annotated[
        str,
        typer.Option(
            help="local, or ray for a cluster; IN may then be a .txt list or an fsspec address."
        ),
    ] = "local",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be painted, and paint nothing.")
    ] = False,
    overwrite: Overwrite = False,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip existing outputs: for a folder that grew.")
    ] = False,
    wait: Wait = False,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="Refuse pictures and frames that are larger.")
    ] = MOST,
    stats: Annotated[Path | None, typer.Option(help="Write the timings to this JSON file.")] = None,
    as_json: Json = False,
) -> None:
    """Paint pictures, videos and folders of them; sound, subtitles and timing are kept.

    An interrupted job resumes when the same command is given again.
    """
    from ..runtime.address import shown
    from ..runtime.sinks.encoding import Encoding
    from ..runtime.stylizer import check_names
    from ..runtime.translate.options import Look, PaintOptions
    from ..runtime.translate.ray_engine import preview_corpus, translate_corpus
    from ..runtime.translate.translate import preview
    from ..runtime.translate.translate import translate as run

    if skip_existing and engine == "ray":
        raise UsageError("--skip-existing is for --engine local")
    if engine not in ("local", "ray"):
        raise UsageError(unknown_name("engine", engine, ("local", "ray")))
    look = Look(
        strength,
        steady,
        follow,
        parse_time("--start", start),
        parse_time("--end", end),
        stroke,
        background,
        keep_location,
        keep_profile,
    )
    encoding = Encoding(codec, quality, preset, hardware)
    if dry_run:
        check_names(model, backend, precision, stroke)
        rows = (
            preview_corpus(source, out)
            if engine == "ray"
            else preview(source, out, look, encoding, max_pixels, print_line)
        )
        rows = [row for row in rows if not (skip_existing and row["exists"])]
        say({"items": rows}, as_json, "\n".join(line for row in rows for line in _foreseen(row)))
        return
    check_file("--stats", stats)
    options = PaintOptions(backend, precision, look, encoding)
    with progress(f"painting {shown(source)}") as advance:
        writing: dict[str, Any] = {"overwrite": overwrite, "wait": wait, "progress": advance}
        result = (
            translate_corpus(source, out, model, options, **writing)
            if engine == "ray"
            else run(
                source,
                out,
                model,
                **options.keywords(),
                **writing,
                skip_existing=skip_existing,
                max_pixels=max_pixels,
                say=print_line,
            )
        )
    figures = result.stats()
    if stats:
        write_durably(stats, json.dumps(figures, indent=2) + "\n")
    for note in result.notes if engine == "ray" else ():
        print_line(note)
    say(figures, as_json, f"{_translated(figures, Path(out).is_dir())}\nwrote {out}")
    end_with(result.problems)


@app.command()
def live(
    named: Annotated[
        str | None, typer.Argument(metavar="[SOURCE]", help="The same as --source; default: 0.")
    ] = None,
    source: Annotated[str, typer.Option(help="A camera's index, a URL or a file.")] = "",
    camera_size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Size to request from the camera; frames are never stretched."
        ),
    ] = None,
    camera_fps: Annotated[
        float | None, typer.Option(min=1, max=1000, help="Frame rate to request from the camera.")
    ] = None,
    sink: Annotated[
        list[str] | None,
        typer.Option(
            help="window, http (a page for browsers; http:PORT, http:HOST:PORT),"
            " virtual-camera, null, or a video file to record to. Repeat for several; default:"
            " window."
        ),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            help="Keeps the page's address: 8 to 64 letters, digits, - and _; default: a new one."
        ),
    ] = "",
    model: Model = "monet",
    backend: Backend = "auto",
    precision: Precision = "auto",
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Paint at this size.")] = None,
    strength: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="1 paints, 0 leaves the original; default: as last time."),
    ] = None,
    mirror: Annotated[
        bool | None,
        typer.Option("--mirror/--no-mirror", help="Mirror the picture; default: as last time."),
    ] = None,
    side_by_side: Annotated[
        bool, typer.Option("--side-by-side", help="Show the original to the left.")
    ] = False,
    target_fps: Annotated[
        float | None, typer.Option(min=1, max=1000, help="Frame rate to hold by painting smaller.")
    ] = None,
    steady: Steady = False,
    follow: Follow = True,
    stroke: Stroke = "",
    duration: Annotated[
        float | None, typer.Option(min=0, help="Stop so many seconds after the first painting.")
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Play a video file again and again, until Ctrl-C.")
    ] = False,
    overwrite: Overwrite = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Paint a camera, a stream or a clip as it plays; late frames are dropped.

    In a window, h shows the keys. Strength, mirror and divider are kept for the next time.
    """
    from ..runtime.address import shown
    from ..runtime.controls import Controls, read_settings
    from ..runtime.live.live import Look
    from ..runtime.live.live import live as run
    from ..runtime.sources.cameras import CameraMode

    if named and source:
        raise UsageError(f"the source is given twice: {named} and --source {source}; leave one out")
    if named == "":
        raise UsageError("the source's name is empty")
    source = named or source or "0"
    look = Look(parse_size(size), False, side_by_side, steady, target_fps, follow)
    sinks = [_with_token(one, token) for one in sink or ["window"]]
    if token and not any("/" in one for one in sinks if one.startswith("http")):
        raise UsageError("--token is for the page: add --sink http")
    interactive = any(one.partition(":")[0] in ("window", "http") for one in sinks)
    controls = Controls(**(read_settings() if interactive else {}))
    controls.strength = controls.strength if strength is None else strength
    controls.mirror = controls.mirror if mirror is None else mirror
    with progress(f"painting {shown(source)} live") as advance:
        result = run(
            source,
            sinks,
            model,
            camera=CameraMode(parse_size(camera_size, "--camera-size"), camera_fps),
            backend=backend,
            precision=precision,
            look=look,
            controls=controls,
            duration=duration,
            loop=loop,
            stroke=stroke,
            overwrite=overwrite,
            wait=wait,
            progress=lambda done: advance(done, None),
            say=print_line,
        )
    stats = result.stats()
    text = _summary(stats) if stats["frames"] else "nothing was painted in that time"
    if result.report.delays:
        delay = stats["latency_ms"]
        told = f"delay p50 {delay['p50']} ms, p99 {delay['p99']} ms"
        text = f"{text}, {stats['dropped']} dropped, {told}"
    say(stats, as_json, text)
    end_with(result.problems)


def _with_token(sink: str, token: str) -> str:
    """Puts the token behind the page's address."""
    kind, _, address = sink.partition(":")
    return f"http:{address}/{token}" if kind == "http" and token else sink


def _foreseen(row: dict[str, Any]) -> Iterator[str]:
    """What a dry run prints of one picture or video."""
    yield f"{row['source']} -> {row['target']}{' (exists)' * row['exists']}"
    if "problem" in row:
        yield f"  cannot be painted: {row['problem']}"
    if "plan" in row:
        media, plan = row["media"], row["plan"]
        width, height = row["size"]
        yield (
            f"  {media['container']}: {width}x{height}, {row['fps'] or 'unknown'} fps,"
            f" {media['pix_fmt']} -> {plan['container']}: {plan['encoder']}, {plan['pix_fmt']}"
        )
        for track in plan["tracks"]:
            becomes = track["becomes"] or "left out"
            yield f"  {track['kind']} {track['codec']} -> {becomes}"
    for note in row.get("notes", ()):
        yield f"  {note}"


def _summary(stats: dict[str, Any], what: str = "") -> str:
    """Says what was painted, by default frames of one size, and how fast by what."""
    width, height = stats["size"]
    what = what or f"{_counted(stats['frames'], 'frame')} of {width}x{height}"
    return f"{what} at {stats['fps']:.1f} fps with {stats['backend']} {stats['precision']}"


def _translated(stats: dict[str, Any], several: bool) -> str:
    """Says what was painted; several files have no common size."""
    if "items" in stats:
        cut = f"{stats['outputs']} of {stats['inputs']} painted, {stats['frames']} frames"
        return f"{cut} at {stats['fps']:.1f} fps by {_counted(len(stats['workers']), 'worker')}"
    files, frames = stats["finished"], stats["kept"] - stats["finished"]
    before = [_counted(files, "file")] * bool(files) + [_counted(frames, "frame")] * bool(frames)
    kept = f"{' and '.join(before)} painted before; " if before else ""
    pictures, videos = stats["pictures"], stats["videos"]
    frames = stats["frames"] - pictures
    if not stats["frames"]:
        return f"{kept}nothing was left to paint"
    if not several:
        return kept + _summary(stats, "1 picture" * pictures)
    now = [_counted(pictures, "picture")] * bool(pictures)
    now += [f"{_counted(frames, 'frame')} of {_counted(videos, 'video')}"] * bool(videos)
    return kept + _summary(stats, " and ".join(now))


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"

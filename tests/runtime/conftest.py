"""Films made to be told apart: frames show their numbers, a corner is red, a flash clicks."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

BITS, SIDE = 6, 16  # of a frame's number: squares at the top, from the left, lowest bit first
SIZE = (112, 80)


_STYLE = (
    "Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold,"
    " Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow,"
    " Alignment, MarginL, MarginR, MarginV, Encoding"
)
_HEADER = (
    f"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\n"
    f"Format: {_STYLE}\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,"
    "1,0,2,10,10,10,1\n\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR,"
    " MarginV, Effect, Text\n"
).encode()


@dataclass
class Film:
    """What a film is made of."""

    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    frames: int = 24
    rate: Fraction = Fraction(24)
    ticks: list[int] | None = None  # the frames' times, in frames of the rate
    options: dict[str, str] = field(default_factory=dict)
    sound: str = ""
    heard: tuple[int, str] = (48000, "mono")  # rate and layout of the sound
    packet: int = 1024  # samples, where the codec leaves it open
    subtitles: str = ""
    offset: Fraction = Fraction(0)  # seconds, of all of its clock
    aspect: Fraction | None = None
    tags: tuple[int, int, int, int] | None = None  # primaries, transfer, matrix, range
    flash: int = 12  # the frame that is white below, and clicks
    matrix: tuple[int, int, int, int] | None = None  # of display, where there is an MP4's track
    muxer: dict[str, str] = field(default_factory=dict)
    format: str | None = None


def picture(index: int, size: tuple[int, int] = SIZE, is_white: bool = False) -> np.ndarray:
    """The frame of a number, RGB."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    rgb = np.dstack([60 + x // 2, 80 + y // 2, 120 + 0 * x]).astype(np.uint8)
    for bit in range(BITS):
        rgb[:SIDE, bit * SIDE : (bit + 1) * SIDE] = 230 if index >> bit & 1 else 20
    rgb[SIDE : 2 * SIDE, :SIDE] = [220, 30, 30]
    rgb[height // 2 :] = 235 if is_white else rgb[height // 2 :]
    return rgb


def number(rgb: np.ndarray) -> int:
    """The number of an upright frame; -1 of one too narrow for it."""
    if rgb.shape[1] < BITS * SIDE:
        return -1
    middles = [rgb[SIDE // 2, bit * SIDE + SIDE // 2].mean() > 125 for bit in range(BITS)]
    return sum(1 << bit for bit, is_set in enumerate(middles) if is_set)


@pytest.fixture(scope="session")
def make_film() -> Callable[..., Path]:
    return make


def make(path: Path, **how: Any) -> Path:
    """Writes a film; see ``Film``."""
    film = Film(**how)
    with av.open(f"file:{path}", "w", format=film.format, options=film.muxer) as out:
        video = _add_video(out, film)
        sound: Any = None
        if film.sound:
            sound = out.add_stream(film.sound, rate=film.heard[0], layout=film.heard[1])
            sound.bit_rate = 128_000
        words: Any = _add_words(out, film) if film.subtitles else None
        out.start_encoding()
        packets = [*_video(video, film), *(_sound(sound, film) if sound else ())]
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        packets += _words(words, film) if words else []
        for packet in packets:
            ticks = round(film.offset / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            out.mux(packet)
    if film.matrix:
        _turn(path, film.matrix)
    return path


def _add_video(out: Any, film: Film) -> Any:
    stream = out.add_stream(film.codec, rate=film.rate)
    stream.width, stream.height, stream.pix_fmt = *film.size, film.pix_fmt
    stream.options = film.options
    stream.time_base = stream.codec_context.time_base = 1 / film.rate
    if film.aspect:
        stream.codec_context.sample_aspect_ratio = film.aspect
        stream.sample_aspect_ratio = film.aspect
    if film.tags:
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = film.tags[:3]
        context.color_range = film.tags[3]
    return stream


def _video(stream: Any, film: Film) -> list[Any]:
    packets = []
    for index in range(film.frames):
        rgb = picture(index, film.size, index == film.flash)
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        if not film.pix_fmt.startswith(("rgb", "gbr", "bgr")):
            matrix, full = (film.tags[2], film.tags[3]) if film.tags else (6, 1)
            frame = frame.reformat(
                format=film.pix_fmt,
                dst_colorspace=5 if matrix in (2, 5, 6) else matrix,
                dst_color_range=full or 1,
            )
        frame.pts = film.ticks[index] if film.ticks else index
        frame.time_base = 1 / film.rate
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _sound(stream: Any, film: Film) -> list[Any]:
    """Silence, and a click of 5 ms at the flash."""
    rate, layout = film.heard
    end = (film.ticks[-1] if film.ticks else film.frames) / film.rate
    wave = np.zeros(int(rate * (end + Fraction(1, 10))), np.int16)
    at = int(rate * (film.ticks[film.flash] if film.ticks else film.flash) / film.rate)
    wave[at : at + 240] = 20000 * np.sin(np.arange(240) * 0.5)
    context = stream.codec_context
    frames = av.AudioResampler(
        context.format.name, layout, rate, frame_size=context.frame_size or film.packet
    )
    frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    packets = []
    for piece in [*frames.resample(frame), *frames.resample(None)]:
        packets += stream.encode(piece)
    return packets + stream.encode(None)


def _add_words(out: Any, film: Film) -> Any:
    stream = out.add_stream(film.subtitles)
    stream.codec_context.subtitle_header = _HEADER
    stream.time_base = Fraction(1, 1000)
    return stream


def _words(stream: Any, film: Film) -> list[Any]:
    from av.subtitles.subtitle import SubtitleSet

    packets = []
    for index, text in enumerate((b"one", b"two")):
        said = SubtitleSet.create(text=b"0,0,Default,,0,0,0,," + text, start=0, end=200, pts=0)
        packet = stream.codec_context.encode_subtitle(said)
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = 100 + 400 * index
        packet.duration = 200
        packets.append(packet)
    return packets


def _turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Writes the matrix of the first track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 4 + (32 if data[at] else 20) + 8 + 8
    a, b, c, d = (65536 * value for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@dataclass
class Seen:
    """What a player finds in a file."""

    numbers: list[int]
    times: np.ndarray  # of the frames, in seconds
    frames: list[np.ndarray]
    click: float | None  # when the sound begins to be heard
    flash: float | None
    words: list[tuple[float, str]]
    packets: int  # of sound
    start: float
    seconds: float
    aspect: Fraction | None
    tags: tuple[int, int, int]
    format: str


@pytest.fixture(scope="session")
def see() -> Callable[[Path], Seen]:
    return look_at


def look_at(path: Path) -> Seen:
    """Decodes a file as a player does, with nothing of pleinair; its display matrix is let be."""
    with av.open(f"file:{path}") as file:
        video = file.streams.video[0]
        decoded = list(file.decode(video))
        frames = [frame.to_ndarray(format="rgb24") for frame in decoded]
        times = np.array([float((frame.pts or 0) * frame.time_base) for frame in decoded])
        context = video.codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace)
        start, seconds = (file.start_time or 0) / 1e6, (file.duration or 0) / 1e6
        aspect, name = video.sample_aspect_ratio, file.format.name
    light = np.array([frame.mean() for frame in frames])
    white = times[light > np.median(light) + 20] if len(times) else []
    if name == "avi":  # it numbers frames as they are coded, which is not when they are shown
        times = _decoding_times(path)
        white = times[light > np.median(light) + 20]
    click, packets = _click(path)
    return Seen(
        [number(frame) for frame in frames],
        times,
        frames,
        click,
        float(white[0]) if len(white) else None,
        _read_words(path),
        packets,
        start,
        seconds,
        aspect,
        tags,
        name,
    )


def _decoding_times(path: Path) -> np.ndarray:
    with av.open(f"file:{path}") as file:
        times = [float(p.dts * p.time_base) for p in file.demux(video=0) if p.size]
    return np.sort(times)


def _click(path: Path) -> tuple[float | None, int]:
    with av.open(f"file:{path}") as file:
        if not file.streams.audio:
            return None, 0
        packets = sum(packet.size > 0 for packet in file.demux(audio=0))
    with av.open(f"file:{path}") as file:
        for frame in file.decode(audio=0):
            wave = frame.to_ndarray().astype(np.float64)
            packed = frame.layout.nb_channels if wave.shape[0] == 1 else 1
            wave = wave[0][::packed]
            level = 32768 if np.abs(wave).max() > 2 else 1
            loud = np.flatnonzero(np.abs(wave) > 0.15 * level)
            if len(loud):
                return float(frame.pts * frame.time_base) + loud[0] / frame.sample_rate, packets
    return None, packets


def _read_words(path: Path) -> list[tuple[float, str]]:
    with av.open(f"file:{path}") as file:
        if not file.streams.subtitles:
            return []
        found = []
        for packet in file.demux(subtitles=0):
            for one in packet.decode() if packet.size else ():
                text = one.dialogue.decode()
                if text:
                    found.append((round(float(packet.pts * packet.time_base), 3), text))
    return found

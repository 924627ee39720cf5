"""What the tests share: the command line in this process, and makers of small files."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent
settings.register_profile("untimed", deadline=None)  # speed is measured in benchmarks, never here
settings.register_profile(  # of tests that make whole films
    "films",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("untimed")

# Files that take long come first: the other process would have nothing left to do beside the last.
LONGEST = (
    *("export/test_exporter", "export/targets/test_coreml", "deploy/jetson", "benchmarks/test_run"),
    *("train/test_run", "export", "deploy", "benchmarks", "examples", "runtime/translate"),
    *("cli", "docs", "runtime/sources", "train/test_trainer"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the files; `--no-loadscope-reorder` keeps xdist from ordering them otherwise."""
    place = {name: number for number, name in enumerate(LONGEST)}

    def order(item: pytest.Item) -> int:
        return min((place[name] for name in LONGEST if f"tests/{name}" in item.nodeid), default=99)

    items.sort(key=order)


def pytest_collection_finish() -> None:
    """Has the garbage collector pass over what was imported; to look at it takes long each time."""
    gc.collect()
    gc.freeze()


def _of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes of a run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _cache_of_its_own(tmp_path_factory):
    """What is measured in tests is neither read from the user's cache nor left there.

    The processes of a run share it, as a user's do: compiling the loops of strokes takes long.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(_of_the_run(tmp_path_factory) / "cache"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _threads_that_wait_sleep():
    """ONNX Runtime's would keep a core busy while they wait, half of its processor time here."""
    import onnxruntime

    class Options(onnxruntime.SessionOptions):
        def __init__(self) -> None:
            super().__init__()
            self.add_session_config_entry("session.intra_op.allow_spinning", "0")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "SessionOptions", Options)
        yield


@dataclass
class Run:
    code: int
    out: str
    err: str

    def error(self) -> str:
        """The one sentence of a failure."""
        assert "Traceback" not in self.err
        lines = self.said()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")

    def said(self) -> list[str]:
        """The sentences of a run, without the progress that a slow machine prints between."""
        progress = re.compile(r"[\w ./-]+:? \d+ of \d+(, about .+ left)?")
        return [line for line in self.err.splitlines() if not progress.fullmatch(line)]


@pytest.fixture
def cli(monkeypatch, capfd) -> Callable[..., Run]:
    """Runs the command line in this process; also catches what C libraries print."""
    from pleinair.cli import main

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # A shell may start the tests with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["pleinair", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        return Run(int(ended.value.code or 0), out, err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def photos() -> Path:
    return ROOT / "tests" / "data" / "photos"


@pytest.fixture(scope="session")
def read_all(photos) -> Callable[[str], list[Any]]:
    """Reads a folder of the test pictures: photos or paintings."""
    from pleinair.pictures import list_pictures, read_picture

    return lambda name: [read_picture(path)[0] for path in list_pictures(photos.parent / name)]


@pytest.fixture(scope="session")
def demo_clip() -> Path:
    return ROOT / "assets" / "demo.mp4"


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A copy of the shipped bundle with its ONNX files alone, to be damaged."""
    copy = tmp_path / "bundle"
    shutil.copytree(
        ROOT / "models" / "monet-conv", copy, ignore=shutil.ignore_patterns("*.openvino")
    )
    values = json.loads((copy / "manifest.json").read_text())
    values["artifacts"] = [a for a in values["artifacts"] if a["target"] == "onnx"]
    (copy / "manifest.json").write_text(json.dumps(values))
    return copy


@pytest.fixture(scope="session")
def once_a_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, Callable[[Path], object]], Path]:
    """Makes a folder that the processes of a run share, as it takes long to make."""
    from filelock import FileLock

    shared = _of_the_run(tmp_path_factory)

    def make(name: str, fill: Callable[[Path], object]) -> Path:
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not (folder / "made").exists():
                folder.mkdir()
                fill(folder)
                (folder / "made").touch()
        return folder

    return make


class Converted:
    """What torch.onnx made of graphs, in files that the processes of a run share."""

    def __init__(self, folder: Path, convert: Callable[..., Any]) -> None:
        self.folder, self.convert = folder, convert

    def __call__(self, graph: Any, example: Any, *arguments: Any, **options: Any) -> Any:
        import onnx
        import torch
        from filelock import FileLock

        same = io.BytesIO()
        try:
            torch.save((graph, example), same)
        except Exception:  # it holds what cannot be pickled
            return self.convert(graph, example, *arguments, **options)
        if not options.get("dynamo"):  # the other one writes files
            return self.convert(graph, example, *arguments, **options)
        key = same.getvalue() + repr((arguments, options)).encode()
        path = self.folder / f"{hashlib.sha256(key).hexdigest()}.onnx"
        with FileLock(f"{path}.lock"):
            if not path.exists():
                program = self.convert(graph, example, *arguments, **options)
                path.write_bytes(program.model_proto.SerializeToString())
        return SimpleNamespace(model_proto=onnx.load(path))

    @contextmanager
    def anew(self) -> Iterator[None]:
        """Converts all again, where that is the point."""
        shared, self.folder = self.folder, Path(tempfile.mkdtemp(dir=self.folder))
        yield
        self.folder = shared


@pytest.fixture(scope="session")
def converted_once(once_a_run: Callable[..., Path]) -> Iterator[Converted]:
    """Lets torch.onnx convert equal generators once, as that is most of a small export's time."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        once = Converted(once_a_run("converted", lambda folder: None), torch.onnx.export)
        patch.setattr(torch.onnx, "export", once)
        yield once


@pytest.fixture(scope="session")
def stroke_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of an untrained painter with strokes, whose plans are as photographs' are."""
    import torch
    from pleinair.networks.checkpoint import save_atomically
    from pleinair.networks.strokes import StrokeGenerator
    from pleinair.networks.weights import halved

    torch.manual_seed(0)
    generator = StrokeGenerator()
    network = generator.network
    for name, value in network.named_parameters():
        if "conv2.weight" in name:
            torch.nn.init.normal_(value, std=0.03)
    with torch.no_grad():
        network.plan.weight.mul_(0.5)
        middles = torch.tensor([0.5, 0.5, 0.5, 0.6, 0.6, 0.9, 0.2, 0.1])
        network.plan.bias.copy_(middles.repeat_interleave(3))
    folder = tmp_path_factory.mktemp("strokes")
    state = {"format": "pleinair-generator-1", "architecture": "strokes", "options": {}}
    state |= {"recipe": {"name": "tiny", "title": "Tiny"}, "step": 1}
    state["state"] = halved(generator.state_dict())  # as training does
    save_atomically(state, folder / "generator.pt")
    return folder


@pytest.fixture(scope="session")
def small_photos(once_a_run: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """The photographs cut to two sizes, to export by: getting ready for each size takes long."""
    from pleinair.pictures import list_pictures, read_picture, write_picture

    def fill(folder: Path) -> None:
        (folder / "photos").mkdir()
        for number, path in enumerate(list_pictures(ROOT / "tests" / "data" / "photos")):
            width = 96 if number % 4 else 128
            write_picture(folder / "photos" / path.name, read_picture(path)[0][:96, :width])

    return once_a_run("small_photos", fill) / "photos"


@pytest.fixture(scope="session")
def stroke_bundle(
    stroke_run: Path, photos: Path, once_a_run: Any, converted_once: Converted
) -> Path:
    """The same, exported; by photographs of one size, as getting ready for each takes long."""
    from pleinair.api.export import export
    from pleinair.pictures import list_pictures, read_picture, write_picture

    def fill(folder: Path) -> None:
        (folder / "photos").mkdir()
        for path in list_pictures(photos)[:4]:
            write_picture(folder / "photos" / path.name, read_picture(path)[0][:96, :96])
        targets = ("onnx", "openvino")
        export(stroke_run, folder / "tiny", targets=targets, calibration=folder / "photos")

    return Path(once_a_run("stroke_bundle", fill) / "tiny")


@pytest.fixture
def edit() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Changes a bundle's manifest."""

    def change(bundle: Path, how: Callable[[dict[str, Any]], object]) -> None:
        path = bundle / "manifest.json"
        values = json.loads(path.read_text())
        how(values)
        path.write_text(json.dumps(values))

    return change


@pytest.fixture(scope="session")
def barriers() -> Callable[[Any], list[str]]:
    """What axe finds wrong with an open page of Playwright: light and dark, phone and desktop."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def find(page: Any) -> list[str]:
        found = []
        for scheme, (width, height) in product(("light", "dark"), ((390, 844), (1280, 800))):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": height})
            for violation in axe.run(page).response["violations"]:
                places = [node["html"] for node in violation["nodes"]]
                found.append(f"{violation['id']}, {scheme}, {width} wide: {places}")
        return found

    return find


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """Makes a small video: a bright square wanders over a still gradient."""

    def make(
        path: Path,
        size: tuple[int, int] = (64, 48),
        frames: int = 12,
        times: list[int] | None = None,
        audio: str | None = None,
        audio_seconds: float | None = None,
        rotation: int = 0,
        gop: int = 12,
        color: tuple[int, int, int] | None = None,
        colorspace: int = 2,
        faststart: bool = True,
        timecode: str = "",
    ) -> Path:
        width, height = size
        mp4 = path.suffix != ".mkv"
        options = {"movflags": "+faststart"} if faststart and mp4 else {}
        with av.open(f"file:{path}", "w", options=options) as out:
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height = width, height
            even = width % 2 == 0 and height % 2 == 0
            stream.pix_fmt = "yuv420p" if even else "yuv444p"
            # Slower presets of x264 do not write the same bits twice at every size.
            stream.options = {"g": str(gop), "crf": "18", "preset": "superfast"}
            stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
            stream.codec_context.colorspace = colorspace
            if timecode:  # MOV keeps it in a stream of data
                stream.metadata["timecode"] = timecode
            if rotation:
                stream.set_display_rotation(rotation)
            sound = out.add_stream(audio, rate=48000, layout="mono") if audio else None
            y, x = np.mgrid[:height, :width]
            for index in range(frames):
                rgb = np.dstack([x * 2 % 256, y * 3 % 256, (x + y) % 256]).astype(np.uint8)
                at = index % max(1, width - 8)
                rgb[: height // 2, at : at + 8] = 250
                if color:
                    rgb[:] = color
                picture = av.VideoFrame.from_ndarray(rgb, format="rgb24")
                if colorspace != 2:
                    picture = picture.reformat(format=stream.pix_fmt, dst_colorspace=colorspace)
                picture.pts = times[index] if times else index
                picture.time_base = Fraction(1, 25)
                out.mux(stream.encode(picture))
            out.mux(stream.encode(None))
            if sound is not None:
                _add_sound(out, sound, audio_seconds or frames / 25)
        return path

    return make


def _add_sound(out, sound, seconds: float) -> None:
    fmt = sound.codec_context.format.name
    size = sound.codec_context.frame_size or 1024
    resampler = av.AudioResampler(fmt, "mono", 48000, frame_size=size)
    wave = np.sin(np.arange(int(seconds * 48000)) / 20) * 9000
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        out.mux(sound.encode(piece))
    out.mux(sound.encode(None))


@pytest.fixture(scope="session")
def packets() -> Callable[..., list[tuple[int, bytes]]]:
    """A stream's packets as (pts, payload)."""

    def read(path: Path, kind: str = "audio") -> list[tuple[int, bytes]]:
        with av.open(f"file:{path}") as container:
            streams = getattr(container.streams, kind)
            return [(p.pts, bytes(p)) for p in container.demux(*streams) if p.size]

    return read


@pytest.fixture(scope="session")
def frame_times() -> Callable[[Path], list[float]]:
    """A video's presentation times in seconds."""

    def read(path: Path) -> list[float]:
        with av.open(f"file:{path}") as container:
            return [round(frame.time, 4) for frame in container.decode(video=0)]

    return read


@pytest.fixture(scope="session")
def make_png() -> Callable[..., Path]:
    """Writes a PNG by hand: every colour type and depth, palettes and their transparency."""

    def make(
        path: Path, rows: np.ndarray, color_type: int, palette: bytes = b"", trns: bytes = b""
    ):
        def chunk(kind: bytes, data: bytes) -> bytes:
            crc = struct.pack(">I", zlib.crc32(kind + data))
            return struct.pack(">I", len(data)) + kind + data + crc

        height, width = rows.shape[:2]
        depth = rows.dtype.itemsize * 8
        lines = rows.astype(rows.dtype.newbyteorder(">")).reshape(height, -1)
        body = b"".join(b"\0" + line.tobytes() for line in lines)
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, 0))
            + (chunk(b"PLTE", palette) if palette else b"")
            + (chunk(b"tRNS", trns) if trns else b"")
            + chunk(b"IDAT", zlib.compress(body))
            + chunk(b"IEND", b"")
        )
        return path

    return make


_TILE = 64  # of HEIC


def _box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def _full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]), *content)


def _coded(rgb: np.ndarray) -> tuple[bytes, bytes]:
    """A picture in HEVC: its configuration's box, and its data."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx265", rate=1)
        stream.width, stream.height, stream.pix_fmt = rgb.shape[1], rgb.shape[0], "yuv420p"
        stream.codec_context.color_range = 2
        stream.options = {"crf": "4", "x265-params": "log-level=none"}
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=5, dst_color_range=2)
        frame.pts = 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            packet.dts = packet.pts
            out.mux(packet)
    data = file.getvalue()
    found = []
    for name in (b"hvcC", b"mdat"):
        at = data.index(name) - 4
        found.append(data[at : at + struct.unpack_from(">I", data, at)[0]])
    return found[0], found[1][8:]


def _heic(
    rgb: np.ndarray,
    backwards: bool = False,
    extra: bytes = b"",
    profile: bytes = b"",
    kind=b"grid",
    alpha: np.ndarray | None = None,
) -> bytes:
    """A HEIC of tiles, whose last ones hang over the edges; its alpha [64, 64] is scaled."""
    height, width = rgb.shape[:2]
    rows, columns = -(-height // _TILE), -(-width // _TILE)
    padded = np.pad(rgb, ((0, rows * _TILE - height), (0, columns * _TILE - width), (0, 0)), "edge")
    at = [(r * _TILE, c * _TILE) for r in range(rows) for c in range(columns)]
    tiles = [_coded(padded[y : y + _TILE, x : x + _TILE]) for y, x in at]
    count = len(tiles)
    numbers, whole = list(range(1, count + 1)), count + 1
    order = numbers[::-1] if backwards else numbers
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    kinds = [*((number, b"hvc1") for number in numbers), (whole, kind)]
    entries = [_full(b"infe", struct.pack(">HH4s", n, 0, k), b"\0", version=2) for n, k in kinds]
    colours = _box(b"colr", b"nclx", struct.pack(">HHHB", 1, 13, 5, 0x80))
    sizes = [_full(b"ispe", struct.pack(">II", *s)) for s in ((_TILE, _TILE), (width, height))]
    shown = _box(b"colr", b"prof", profile) if profile else colours
    properties = _box(b"ipco", tiles[0][0], *sizes, shown, extra)
    uses = [struct.pack(">HB", n, 3) + bytes([0x81, 2, 4]) for n in numbers]
    uses.append(struct.pack(">HB", whole, 3 if extra else 2) + bytes([3, 4] + [5] * bool(extra)))
    refers = _box(b"dimg", struct.pack(f">HH{count}H", whole, count, *order))
    if alpha is not None:
        tiles.append(_coded(np.dstack([alpha] * 3)))
        order = [*order, whole + 1]
        entries.append(
            _full(b"infe", struct.pack(">HH4s", whole + 1, 0, b"hvc1"), b"\0", version=2)
        )
        told = _full(b"auxC", b"urn:mpeg:hevc:2015:auxid:1\0")
        properties = _box(b"ipco", tiles[0][0], *sizes, shown, extra, told)
        uses.append(struct.pack(">HB", whole + 1, 3) + bytes([0x81, 2, 5 + bool(extra)]))
        refers += _box(b"auxl", struct.pack(">HHH", whole + 1, 1, whole))

    def meta(start: int) -> bytes:
        places = b""
        for number, (_, data) in zip(order, tiles, strict=True):
            places += struct.pack(">HHHHII", number, 0, 0, 1, start, len(data))
            start += len(data)
        places += struct.pack(">HHHHII", whole, 1, 0, 1, 0, len(grid))
        return _full(
            b"meta",
            _full(b"hdlr", bytes(4), b"pict", bytes(13)),
            _full(b"pitm", struct.pack(">H", whole)),
            _full(b"iloc", b"\x44\0", struct.pack(">H", len(entries)), places, version=1),
            _full(b"iinf", struct.pack(">H", len(entries)), *entries),
            _full(b"iref", refers),
            _box(b"iprp", properties, _full(b"ipma", struct.pack(">I", len(uses)), *uses)),
            _box(b"idat", grid),
        )

    head = _box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + _box(b"mdat", *(data for _, data in tiles))


@pytest.fixture(scope="session")
def make_heic() -> Callable[..., bytes]:
    """Makes a HEIC whose tiles hang over its edges; see ``_heic``."""
    return _heic

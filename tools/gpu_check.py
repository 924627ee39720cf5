"""Measures every shipped model on an NVIDIA GPU: latency at three sizes, drift, live, GPU tests.

tools/gpu_check.sh OUT [--minutes 8] [--model NAME ...] [--dry-run]
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.resolve import shipped_models
from pleinair.errors import PleinairError, UsageError
from pleinair.pictures import Pixels
from pleinair.runtime.backends import find_backend
from pleinair.runtime.live.live import live
from pleinair.runtime.sinks.encoding import Encoding, hardware_encoders
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.strokes.canvases import Canvases
from pleinair.runtime.strokes.drift import Painted, painted_errors
from pleinair.runtime.stylizer import Stylizer
from pleinair.runtime.translate.translate import translate
from pleinair.runtime.verify import frames_of, paint_all
from pleinair.tools.gpu_ways import WAYS, Device, Gpu, StandIn, Way

ROOT = Path(__file__).parents[1]
SIZES = ((640, 360), (1280, 720), (1920, 1080))  # (width, height)
TINY = ((64, 48),)
TURNS = 30  # frames that are timed
WARMING = 3  # frames before those
LIVE = 10.0  # seconds
ENDING = 90  # seconds kept for live and the tests


class TimeUp(BaseException):
    """There is no time left: no error, so nothing takes it for one."""


@dataclass
class Row:
    """One line of the table."""

    model: str
    way: str
    precision: str
    size: str = ""
    p50_ms: float | None = None
    p90_ms: float | None = None
    psnr_db: float | None = None  # from FP32 in ONNX Runtime on the CPU
    strokes: float | None = None  # share of pixels that take another stroke
    clocks: str = ""
    note: str = ""


class Check:
    """What is found, written after each line: whatever happens later, that is kept.

    Args:
        out: The folder.
        device: What paints.
        dry: Tiny, to see whether it works.
        deadline: When to end, by ``time.monotonic``.
    """

    def __init__(self, out: Path, device: Device, dry: bool, deadline: float) -> None:
        self.out, self.device, self.dry, self.deadline = out, device, dry, deadline
        self.rows: list[Row] = []
        self.others: dict[str, Any] = {}
        self.built = out / "built"
        self.built.mkdir(parents=True)
        self.about = {"device": device.about(), "torch": torch.__version__, "numpy": np.__version__}

    def models(self, names: Sequence[str]) -> None:
        """Measures each model in each way, the first models first."""
        for name in names:
            bundle = Bundle.open(name)
            frames = list(frames_of(DEMO_CLIP, 1 if self.dry else 3))
            reference = bundle.find("onnx", "fp32")
            assert reference is not None
            wanted = paint_all(bundle, reference, find_backend("onnxruntime"), frames)
            for way in WAYS:
                for precision in way.precisions:
                    if self.dry and way.slow:
                        self.add(Row(name, way.name, precision, note="not in a dry run"))
                    elif time.monotonic() > self.deadline - (0 if self.dry else ENDING):
                        self.add(Row(name, way.name, precision, note="no time was left"))
                    else:
                        self.measure(bundle, way, precision, frames, wanted)

    def measure(
        self,
        bundle: Bundle,
        way: Way,
        precision: str,
        frames: list[Pixels],
        wanted: list[Painted],
    ) -> None:
        """Adds a line for each size, or one that says why there is none."""
        row = Row(bundle.manifest.name, way.name, precision)
        try:
            painter = way.painter(bundle, precision, self.device, self.built)
            plan = painter.plan if bundle.manifest.strokes else lambda _: None
            made = [Painted(painter(f), plan(f)) for f in frames]
            found = painted_errors(zip(wanted, made, strict=True), Canvases.of(bundle))
            row.psnr_db, row.strokes = round(found.psnr_db, 2), found.strokes
            for size in TINY if self.dry else SIZES:
                self.add(self.timed(row, painter, size))
        except PleinairError as error:
            self.add(Row(row.model, row.way, precision, note=str(error)))
        except Exception as error:  # a compiler's or driver's: the others can be measured
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            self.add(Row(row.model, row.way, precision, note=said))

    def timed(self, row: Row, painter: Stylizer, size: tuple[int, int]) -> Row:
        """Times one size."""
        width, height = size
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        for _ in range(WARMING):
            painter(picture)
        times = [self.device.ms(lambda: painter(picture)) for _ in range(3 if self.dry else TURNS)]
        p50, p90 = statistics.median(times), float(np.percentile(times, 90))
        found = asdict(row) | {"size": f"{width}x{height}", "clocks": self.device.clocks()}
        return Row(**found | {"p50_ms": round(p50, 2), "p90_ms": round(p90, 2)})

    def live(self, model: str) -> None:
        """Plays the demo clip live, paints it with the encoder in hardware, decodes it by NVDEC."""
        backend = "onnxruntime:cpu" if self.dry else "auto"
        seconds = 1.0 if self.dry else LIVE
        target = str(self.out / "live.mp4")
        found = live(str(DEMO_CLIP), target, model, backend=backend, duration=seconds)
        self.others["live"] = found.stats()
        encoders = hardware_encoders()
        self.others["encoders in hardware"] = encoders
        if encoders and not self.dry:
            done = translate(
                DEMO_CLIP, self.out / "nvenc.mp4", model, encoding=Encoding(hardware=True)
            )
            self.others["translate with the encoder in hardware"] = done.stats()
        self.others["decoding, frames a second"] = {
            kind: _decoding(kind) for kind in ("", *_decoders())
        }
        self.write()

    def tests(self) -> None:
        """Runs the suite's tests that need a GPU."""
        left = self.deadline - time.monotonic()
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
        where = ["tests/tools/test_gpu_train.py"] if self.dry else ["tests"]
        try:
            done = subprocess.run(
                [*command, *where],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=max(1.0, left - 2),
            )
            said = done.stdout.strip().splitlines()[-1:] or done.stderr.splitlines()[-1:]
            self.others["tests"] = " ".join(said)
        except subprocess.TimeoutExpired:
            self.others["tests"] = "the time was up before they were done"
        self.write()

    def add(self, row: Row) -> None:
        """Adds a line and writes all."""
        self.rows.append(row)
        print(_line(row), flush=True)
        self.write()

    def write(self) -> None:
        """Writes what there is."""
        found = {"about": self.about, "rows": [asdict(row) for row in self.rows], **self.others}
        (self.out / "check.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        (self.out / "table.md").write_text(self.table(), encoding="utf-8")

    def table(self) -> str:
        """Returns all of it for eyes."""
        names = (
            "model",
            "way",
            "precision",
            "size",
            "p50 ms",
            "p90 ms",
            "PSNR dB",
            "other strokes",
        )
        head = [f"| {' | '.join((*names, 'clocks', 'note'))} |", "|---" * 10 + "|"]
        about = [f"{key}: {value}" for key, value in (self.about | self.others).items()]
        return "\n".join([*about, "", *head, *map(_line, self.rows)]) + "\n"


def _line(row: Row) -> str:
    strokes = None if row.strokes is None else f"{row.strokes:.1%}"
    values = asdict(row) | {"strokes": strokes}
    return f"| {' | '.join('' if v is None else str(v) for v in values.values())} |"


def _decoders() -> list[str]:
    return [kind for kind in av.codec.hwaccel.hwdevices_available() if kind == "cuda"]


def _decoding(kind: str) -> float | str:
    """Frames a second that are decoded and fetched, on the CPU or by a kind of hardware."""
    hwaccel = av.codec.hwaccel.HWAccel(kind, allow_software_fallback=False) if kind else None
    try:
        with av.open(str(DEMO_CLIP), hwaccel=hwaccel) as container:
            start = time.perf_counter()
            frames = sum(1 for _ in islice(container.decode(video=0), 200))
            return round(frames / (time.perf_counter() - start), 1)
    except (av.error.FFmpegError, RuntimeError, OSError) as error:
        return f"not here: {error}"


@contextmanager
def _until(seconds: float) -> Iterator[None]:
    """Ends what takes too long."""

    def ring(*_: object) -> None:
        raise TimeUp

    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, max(0.1, seconds))
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)


def run(out: Path, names: Sequence[str], seconds: float, dry: bool) -> bool:
    """Does it all, as far as there is time; says whether it was all.

    Raises:
        UsageError: ``out`` exists, or a model does not.
        BackendError: There is no GPU.
    """
    if out.exists():
        raise UsageError(f"{out} exists; give a new folder for what is found")
    device: Device = StandIn() if dry else Gpu()
    check = Check(out, device, dry, time.monotonic() + seconds)
    print(f"measures {', '.join(names)} on {check.about['device']}", flush=True)
    whole, stopped = False, ""
    try:
        with _until(seconds):
            check.models(names)
            check.live(names[0])
            check.tests()
            whole = True
    except TimeUp:
        stopped = "the time is up"
    except KeyboardInterrupt:
        stopped = "interrupted"
    except PleinairError as error:
        stopped = str(error)
    if stopped:
        check.others["stopped"] = stopped
    check.write()
    print(f"{check.table()}wrote {out}: table.md, check.json")
    return whole


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it; returns the exit status, 2 for a request that is wrong."""
    parser = argparse.ArgumentParser(prog="gpu_check.sh", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to write, a new one")
    parser.add_argument("--minutes", type=float, default=8, help="for all of it")
    parser.add_argument("--model", nargs="+", default=[], help="shipped models; all if none")
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, tiny")
    parser.add_argument("--started", type=float, default=time.time(), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    seconds = 60 * options.minutes - (time.time() - options.started)
    names = options.model or sorted(shipped_models(), key=lambda name: name != "monet")
    try:
        if seconds <= 0:
            raise UsageError("the time was up before it began; give more --minutes")
        return 0 if run(options.out, names, seconds, options.dry_run) else 1
    except PleinairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


if __name__ == "__main__":
    sys.exit(main())

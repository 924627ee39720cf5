"""The commands that are attacked: what they read, what they write, and what is known of it."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from pleinair.bundle.bundle import Bundle
from pleinair.bundle.resolve import SHIPPED
from pleinair.errors import PleinairError
from pleinair.tools.attack_inputs import keep_only, small_clip, write_features, write_graph

WAY = ("--model", "monet-conv", "--backend", "onnxruntime", "--precision", "int8")
# Of a graph: to make one of a generator takes seconds of tracing, which no fault can meet.
EXPORT = (
    *("export", "net.onnx", "--target", "onnx", "--precision", "fp32", "--precision", "fp16"),
    "--calibration",
)
EXPORTED = ("fp32.onnx", "fp16.onnx", "strip.jpg")
BENCH = (
    "--quick --backend onnxruntime --precision int8 --size 64x64 --scenario single-stream"
    " --duration 0.1 --frames 2 --pictures in --clip clip.mp4"
)
HAND = (
    "train hand --pictures paintings --photos in --hand van-gogh --device cpu --out run"
    " --set data.crop=64 --set data.workers=0 --set model.ndf=4 --set optim.steps=2"
    " --set optim.batch=1 --set log.checkpoint_every=1 --set log.samples_every=1"
)
SAVE = (
    "evaluate scored --backend onnxruntime --precision int8 --viewing 0 --data . --source in"
    " --target paintings --features features.onnx --pictures 3 --save"
)
KIT = "deploy jetson net.onnx --precision fp16 --calibration in --out kit"
KITTED = ("fp32.onnx", "fp16.onnx", "strip.jpg", "graph.onnx", "*.sh", "*.service", "*.txt")
TRAINED = ("checkpoint.pt", "generator.pt", "reverse.pt", "step_*.jpg")
RECIPE = """name = "tiny"
data = { root = ".", source = "in", target = "in", crop = 32, workers = 0 }
model = { generator = "edge_s", ndf = 8 }
optim = { steps = 4, batch = 1, pool = 2, ema = 0.9 }
log = { stats_every = 1, samples_every = 4, checkpoint_every = 1 }
"""
_DATA = SHIPPED.parent / "tests" / "data"
_ALPHA_FRAMES = 60


@dataclass(frozen=True)
class Command:
    """A command whose output is known.

    Attributes:
        name: What the table calls it.
        arguments: Of ``pleinair``, in a folder of its own.
        output: What it writes there, a file or a folder.
        share: How many of the signals it gets, beside the others' shares.
        known: Patterns of the files that have the same bits each time; all, if the output is
            either whole or not there.
        replaced: A bundle that lies under the output's name before.
    """

    name: str
    arguments: tuple[str, ...]
    output: str
    share: int = 1
    known: tuple[str, ...] = ()
    replaced: str = ""

    def state(self, folder: Path) -> dict[str, bytes]:
        """What it has written: all names, and the bits that are the same each time."""
        out = folder / self.output
        files = sorted(out.rglob("*")) if out.is_dir() else [out]
        return {
            str(file.relative_to(folder)): _content(file)
            if not self.known or any(map(file.match, self.known))
            else b""
            for file in files
            if file.is_file() and not file.name.startswith(".")
        }

    def half(self, folder: Path, expected: dict[str, bytes]) -> list[str]:
        """The files of a cut run that are neither missing nor whole."""
        state = self.state(folder)
        if not self.known:
            return [name for name in state if state[name] != expected.get(name)]
        return [name for name in state if not _is_readable(folder / name)]


def _content(path: Path) -> bytes:
    """A file's bits; those of all values of a state, as pickle notes which have one object."""
    from pleinair.networks.checkpoint import load_state

    if path.suffix == ".pt":
        with suppress(PleinairError):
            return repr(_values(load_state(path))).encode()
    return path.read_bytes()


def _values(state: Any) -> Any:
    if isinstance(state, dict):
        return [(key, _values(value)) for key, value in state.items()]
    if isinstance(state, list | tuple):
        return [_values(value) for value in state]
    if hasattr(state, "numpy"):
        return state.dtype, state.shape, hashlib.sha256(state.numpy().tobytes()).hexdigest()
    return state


def _is_readable(path: Path) -> bool:
    """Whether those who read a file take it; of an earlier state, too."""
    from pleinair.benchmarks.results.file import read_results
    from pleinair.networks.checkpoint import load_state

    try:
        if path.suffix == ".pt":
            load_state(path)
        elif path.name == "results.json":
            read_results(path)
        elif path.suffix == ".onnx":  # never without the manifest that knows its hash
            folders = (at for at in path.parents if (at / "manifest.json").exists())
            bundle = Bundle.open(next(folders, path.parent))
            for artifact in bundle.manifest.artifacts:
                bundle.path(artifact)
    except PleinairError:
        return False
    return True


COMMANDS = (
    Command("video", ("translate", "clip.mp4", "o.mp4", *WAY), "o.mp4", 6),
    Command("folder", ("translate", "in", "out", *WAY), "out", 6),
    Command("picture", ("translate", "in/0.jpg", "o.png", *WAY), "o.png", 6),
    Command("alpha", ("translate", "alpha.mkv", "a.mkv", *WAY), "a.mkv", 2),
    Command("train", ("train", "tiny.toml", "--device", "cpu", "--out", "run"), "run", 2, TRAINED),
    Command("hand", (*HAND.split(),), "run", 1, TRAINED),
    Command("export", (*EXPORT, "in", "--out", "made"), "made", 1, EXPORTED),
    Command(
        "replace", (*EXPORT, "in", "--out", "made", "--overwrite"), "made", 1, EXPORTED, "photo"
    ),
    Command("kit", (*KIT.split(),), "kit", 1, KITTED),
    Command("save", (*SAVE.split(),), "scored", 1, ("*",), "int8"),
    Command(
        "bench",
        ("bench", "run", "int8", *BENCH.split(), "--out", "measured", "--overwrite"),
        "measured",
        1,
        ("nothing",),
    ),
)


def write_inputs(place: Path, pictures: list[Path]) -> None:
    """Writes all that commands read into a folder."""
    (place / "in").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        shutil.copy(picture, place / "in" / f"{number}.jpg")
    shutil.copytree(_DATA / "paintings", place / "paintings")
    small_clip(place / "clip.mp4")
    _transparent_clip(place / "alpha.mkv")
    (place / "tiny.toml").write_text(RECIPE)
    write_graph(place / "net.onnx")
    write_features(place / "features.onnx")
    shutil.copytree(SHIPPED / "monet-conv", place / "int8")
    keep_only(place / "int8", "int8.onnx")


def _transparent_clip(path: Path) -> None:
    """Writes a clip with alpha: an edge that moves."""
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuva420p"
        for index in range(_ALPHA_FRAMES):
            pixels = np.full((64, 96, 4), (200, 60, 40, 255), np.uint8)
            pixels[:, 20 + index :, 3] = 0
            frame = av.VideoFrame.from_ndarray(pixels, "rgba").reformat(format="yuva420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

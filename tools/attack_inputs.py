"""Damaged inputs of every format: flipped bits, cuts, swapped parts, other values in manifests."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from pleinair.bundle.bundle import Bundle, sha256_of
from pleinair.bundle.resolve import SHIPPED
from pleinair.errors import PleinairError
from pleinair.pictures import SUFFIXES
from pleinair.runtime.sources.demo_clip import DEMO_CLIP

_FRAMES = 110  # of the clip: more than a segment has
VALUES: tuple[Any, ...] = (None, -1, 0, 2**40, 10**400, 1e308, True)
VALUES += ("", "x" * 10_000, "../a", [], {}, [[[[]]]])


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Returns bytes that are not quite the same."""
    new = bytearray(data)
    kind = chance.choice(("flip", "flip", "cut", "swap", "fill", "repeat"))
    at, length = chance.randrange(len(new)), chance.randrange(1, max(2, min(4096, len(new) // 4)))
    if kind == "flip":
        for _ in range(chance.choice((1, 1, 3, 20))):
            spot = chance.choice((chance.randrange(len(new)), chance.randrange(min(512, len(new)))))
            new[spot] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del new[at:]
    elif kind == "swap":
        to = chance.randrange(len(new))
        new[at : at + length], new[to : to + length] = (
            new[to : to + length],
            new[at : at + length],
        )
    elif kind == "fill":
        new[at : at + length] = bytes([chance.choice((0, 0xFF))]) * length
    else:
        new[at:at] = new[at : at + length]
    return bytes(new)


def other_values(values: Any, chance: random.Random) -> Any:
    """Returns JSON with another value at one place."""
    values = json.loads(json.dumps(values))
    at = values
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = chance.choice(list(keys))
        inner = at[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
            at = inner
            continue
        if chance.random() < 0.2 and isinstance(at, dict):
            del at[key]
        else:
            at[key] = chance.choice(VALUES)
        return values


def use(kind: str, path: Path) -> None:
    """Does with an input what a verb would do with it first."""
    if kind in ("manifest", "graph", "ir", "zip"):
        bundle = Bundle.open(path)
        for artifact in bundle.manifest.artifacts:
            bundle.path(artifact)
        if kind == "graph":
            _run(bundle)
    elif kind == "picture":
        from pleinair.pictures import read_picture

        read_picture(path)
    elif kind == "video":
        from pleinair.runtime.sources.opening import open_source

        with open_source(str(path)) as source:
            for frame in source.frames():
                if frame.index >= 5:
                    break
    elif kind == "generator":
        from pleinair.networks.load import load_generator

        load_generator(path)
    elif kind == "recipe":
        from pleinair.train.stages import load_stages

        load_stages(path)


def _run(bundle: Bundle) -> None:
    import numpy as np
    from pleinair.runtime.backends import find_backend

    artifact = bundle.find("onnx", "int8")
    assert artifact
    for name in ("onnxruntime", "openvino", "opencv"):
        engine = find_backend(name).load(bundle.path(artifact))
        engine(np.zeros((1, 16, 16, 3), np.uint8))


def make(kind: str, folder: Path, seed: int) -> Path:
    """Writes a damaged input into a folder; it follows from the seed."""
    chance = random.Random(seed)
    if kind in ("manifest", "graph", "ir", "zip"):
        return _bundle(kind, folder, chance)
    drawn = sorted((SHIPPED.parent / "tests" / "data").rglob("*.*"))
    sources = {
        "picture": [path for path in drawn if path.suffix in SUFFIXES],
        "video": [folder.parent / "clip.mp4"],
        "generator": [folder.parent / "generator.pt"],
        "recipe": sorted((SHIPPED.parent / "recipes").glob("*.toml")),
    }
    source = chance.choice(sources[kind])
    path = folder / f"input{source.suffix}"
    path.write_bytes(mutated(source.read_bytes(), chance))
    return path


def _bundle(kind: str, folder: Path, chance: random.Random) -> Path:
    """A bundle with a damaged part whose hash is right, or with a damaged manifest."""
    bundle = folder / "bundle"
    shutil.copytree(SHIPPED / "monet-conv", bundle)
    manifest = bundle / "manifest.json"
    values = json.loads(manifest.read_text())
    if kind == "manifest":
        text = json.dumps(other_values(values, chance)).encode()
        manifest.write_bytes(text if chance.random() < 0.7 else mutated(text, chance))
    elif kind == "zip":
        path = folder / "bundle.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("manifest.json", "int8.onnx"):
                archive.write(bundle / name, name)
        path.write_bytes(mutated(path.read_bytes(), chance))
        return path
    else:
        name = "int8.onnx" if kind == "graph" else "int8.openvino"
        file = bundle / name if kind == "graph" else bundle / name / "model.xml"
        file.write_bytes(mutated(file.read_bytes(), chance))
        for artifact in values["artifacts"]:
            if artifact["path"] == name:
                artifact["sha256"] = sha256_of(bundle / name)
        manifest.write_text(json.dumps(values))
        keep_only(bundle, name)
    return bundle


def keep_only(bundle: Path, name: str) -> None:
    """Has the manifest of a bundle name one artifact alone."""
    manifest = bundle / "manifest.json"
    values = json.loads(manifest.read_text())
    values["artifacts"] = [a for a in values["artifacts"] if a["path"] == name]
    manifest.write_text(json.dumps(values))


def try_batch(kind: str, folder: Path, seeds: range, report: Path) -> None:
    """Uses inputs one after the other; writes a line a seed, before and after."""
    with report.open("a", encoding="utf-8") as lines:
        for seed in seeds:
            work = folder / "input"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            path = make(kind, work, seed)
            lines.write(f"{seed} begun\n")
            lines.flush()
            try:
                use(kind, path)
                verdict = "taken"
            except PleinairError as error:
                verdict = "refused" if str(error) else "refused without a word"
            except Exception as error:
                verdict = f"foreign: {type(error).__name__}: {str(error)[:200]}"
            lines.write(f"{seed} {verdict}\n".replace("\r", " "))
            lines.flush()


def attack_inputs(
    kind: str, count: int, folder: Path, wrong: Callable[[str], None], first: int = 0
) -> int:
    """Tries damaged inputs in children, which may crash; returns how many were refused.

    Their seeds are ``first`` and those that follow.
    """
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / f"{kind}.txt"
    report.unlink(missing_ok=True)
    done, end = first, first + count
    while done < end:
        code = (
            "import sys; from pathlib import Path; from pleinair.tools.attack_inputs import *\n"
            "kind, folder, first, last, report = sys.argv[1:]\n"
            "try_batch(kind, Path(folder), range(int(first), int(last)), Path(report))"
        )
        arguments = [kind, str(folder), str(done), str(end), str(report)]
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
        begun = [int(line.split()[0]) for line in lines if line.endswith(" begun")]
        if ended.returncode:
            last = begun[-1] if begun else done
            wrong(f"{kind} {last}: the process ended with {ended.returncode} {ended.stderr[-300:]}")
        done = (begun[-1] if begun else done) + 1
    for line in report.read_text(encoding="utf-8").splitlines():
        if " foreign: " in line or "without a word" in line:
            wrong(f"{kind} {line}")
    return sum(line.endswith(" refused") for line in report.read_text().splitlines())


def small_clip(path: Path) -> Path:
    """Writes some seconds of the demo clip, made small."""
    with av.open(str(DEMO_CLIP)) as clip, av.open(str(path), "w") as small:
        stream: Any = small.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv420p"
        for index, frame in enumerate(islice(clip.decode(video=0), _FRAMES)):
            picture = frame.reformat(160, 90)
            picture.pts, picture.time_base = index, Fraction(1, 24)
            small.mux(stream.encode(picture))
        small.mux(stream.encode(None))
    return path


def write_generator(path: Path) -> None:
    """Writes a small generator to be damaged."""
    from pleinair.networks.checkpoint import save_atomically
    from pleinair.networks.generators import create_generator

    state = create_generator("edge_s").state_dict()
    recipe = {"name": "tiny", "title": "Tiny"}
    whole = {"format": "pleinair-generator-1", "architecture": "edge_s", "options": {}}
    save_atomically({**whole, "recipe": recipe, "step": 1, "state": state}, path)


def write_graph(path: Path) -> None:
    """Writes a small painter of another project: an ONNX graph from -1 to 1."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    chance = np.random.default_rng(0)
    weights = {
        name: numpy_helper.from_array(chance.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in (("in", (4, 3, 3, 3)), ("out", (3, 4, 3, 3)))
    }
    nodes = [
        helper.make_node("Conv", ["x", "in"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "out"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["c"], ["y"]),
    ]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "height", "width"])
        for name in ("x", "y")
    )
    graph = helper.make_graph(nodes, "net", [x], [y], [*weights.values()])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def write_features(path: Path) -> None:
    """Writes a feature network that knows the mean colour of a picture."""
    import onnx
    from onnx import TensorProto, helper

    taken = helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, 32, 32))
    given = helper.make_tensor_value_info("features", TensorProto.FLOAT, (1, 3, 1, 1))
    node = helper.make_node("GlobalAveragePool", ["picture"], ["features"])
    graph = helper.make_graph([node], "features", [taken], [given])
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


KINDS = ("manifest", "graph", "ir", "zip", "picture", "video", "generator", "recipe")

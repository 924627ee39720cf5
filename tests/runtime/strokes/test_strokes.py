"""Painters with strokes in the runtime: canvases, sizes of strokes, tiles, what does not fit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.canvas.layout import lay_canvas
from pleinair.errors import BackendError, BundleError, UsageError
from pleinair.pictures import read_picture, write_picture
from pleinair.runtime import tiles
from pleinair.runtime.backends import BACKENDS, find_backend
from pleinair.runtime.strokes.canvases import Canvases, check_inputs
from pleinair.runtime.stylizer import load
from pleinair.runtime.verify import verify

PAINTS = [("onnxruntime", "int8"), ("openvino", "int8"), ("openvino", "fp32")]


@pytest.fixture
def damaged(stroke_bundle, tmp_path, edit):
    """Copies the bundle and changes its manifest."""

    def damage(how):
        copy = tmp_path / "damaged"
        shutil.copytree(stroke_bundle, copy)
        edit(copy, how)
        return copy

    return damage


@pytest.fixture(scope="module")
def photo(photos):
    return read_picture(photos / "00.jpg")[0]


def apart(one, other):
    return np.abs(one.astype(int) - other)


@pytest.mark.parametrize(("backend", "precision"), PAINTS)
@pytest.mark.parametrize("shape", [(1, 1), (37, 90), (120, 160)])
def test_any_size_is_painted(stroke_bundle, photo, backend, precision, shape):
    paint = load(stroke_bundle, backend, precision, color="rgb")
    picture = photo[: shape[0], : shape[1]]
    painted = paint(picture)
    assert painted.shape == picture.shape
    assert painted.dtype == np.uint8
    assert np.array_equal(painted, paint(picture))
    assert shape == (1, 1) or apart(painted, picture).mean() > 3


def test_backends_paint_alike(stroke_run, stroke_bundle, photo):
    expected = load(stroke_run, "torch", color="rgb")(photo)
    for backend in ("onnxruntime", "openvino"):
        assert apart(load(stroke_bundle, backend, "fp32", color="rgb")(photo), expected).max() <= 1
    assert load(stroke_bundle, precision="int8").choice.backend in ("onnxruntime", "openvino")


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_frames_at_once_are_the_same_bits(stroke_bundle, photo, backend):
    frames = [np.roll(photo, 8 * i, 1) for i in range(3)] * 2
    alone = load(stroke_bundle, backend, "int8")
    together = load(stroke_bundle, backend, "int8", in_flight=3, size=photo.shape[:2])
    with ThreadPoolExecutor(3) as pool:
        for one, other in zip(map(alone, frames), pool.map(together, frames), strict=True):
            assert np.array_equal(one, other)


@pytest.fixture(scope="module")
def tall(photo):
    """A picture that is high enough for strokes of different sizes."""
    return np.ascontiguousarray(np.tile(photo, (3, 1, 1))[:400, :96])


def test_strokes_have_sizes(stroke_run, stroke_bundle, tall):
    photo = tall
    medium = load(stroke_bundle, "onnxruntime", "fp32")(photo)
    large = load(stroke_bundle, "onnxruntime", "fp32", stroke="large")(photo)
    assert apart(medium, large).mean() > 1
    assert apart(load(stroke_run, "torch", stroke="large")(photo), large).max() <= 1
    for model, stroke, said in (
        (stroke_bundle, "huge", "stroke 'huge'"),
        ("monet-conv", "fine", "monet-conv paints without strokes; leave --stroke out"),
    ):
        with pytest.raises(UsageError, match=said):
            load(model, stroke=stroke)


def test_the_command_line_knows_sizes_of_strokes(stroke_bundle, tall, tmp_path, cli, make_video):
    source = tmp_path / "in.png"
    write_picture(source, tall)
    painted = {}
    for stroke in ("", "fine"):
        out = tmp_path / f"out{stroke}.png"
        asked = ["--stroke", stroke] if stroke else []
        done = cli("translate", source, out, "--model", stroke_bundle, *asked)
        assert done.code == 0, done.err
        painted[stroke] = read_picture(out)[0]
    assert not np.array_equal(*painted.values())
    clip = make_video(tmp_path / "in.mp4", frames=4)
    live = ("live", "--source", clip, "--sink", "null", "--stroke", "large")
    assert cli(*live, "--model", stroke_bundle).code == 0
    refused = cli(*live, "--model", "monet-conv")
    assert "leave --stroke out" in refused.error()
    refused = cli("translate", source, tmp_path / "no.png", "--model", "photo", "--stroke", "fine")
    assert "leave --stroke out" in refused.error()
    assert not (tmp_path / "no.png").exists()


@pytest.mark.parametrize("way", ["onnxruntime int8", "openvino int8", "torch fp32"])
def test_tiles_have_the_strokes_of_the_whole(stroke_run, stroke_bundle, photo, monkeypatch, way):
    backend, precision = way.split()
    model = stroke_run if backend == "torch" else stroke_bundle
    rows, columns = (np.arange(side) % photo.shape[k] for k, side in enumerate((90, 1300)))
    picture = photo[rows][:, columns]
    paint = load(model, backend, precision, color="rgb")
    whole = paint(picture)
    monkeypatch.setattr(tiles, "WHOLE", 1000)
    monkeypatch.setattr(tiles.spans, "__defaults__", (640,))
    tiled = paint(picture)
    if precision == "int8":
        assert np.array_equal(tiled, whole)
    else:  # a convolution's sums may be of another order
        assert (apart(tiled, whole) > 1).mean() < 1e-3


def test_canvases_are_laid_once_a_size(stroke_bundle, monkeypatch):
    laid = []

    def lay(*what):
        laid.append(what[1:3])
        return lay_canvas(*what)

    monkeypatch.setattr("pleinair.runtime.strokes.canvases.lay_canvas", lay)
    paint = load(stroke_bundle, "onnxruntime", "int8")
    for size in ((64, 288), (288, 64), (64, 288)):
        for _ in range(2):
            paint(np.zeros((*size, 3), np.uint8))
    assert laid == [(64, 288), (288, 64)]


LITTLE_MEMORY = """
import resource
from pleinair.bundle.manifest import Strokes
from pleinair.canvas.hand import MONET
from pleinair.errors import BackendError
from pleinair.runtime.strokes.canvases import Canvases

canvases = Canvases(Strokes(hand=MONET, step=1), "test")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
try:
    canvases(4096, 4096)
except BackendError as error:
    print(error)
assert canvases(64, 64)["cell"].any()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_a_canvas_for_which_there_is_no_memory():
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "not enough memory for the canvas of 4096x4096 pixels; paint smaller" in done.stdout


def test_only_backends_that_can_are_offered(stroke_bundle):
    for name, able in (("opencv", True), ("torch", False), ("onnxruntime", True)):
        if able:
            load(stroke_bundle, name)
            continue
        with pytest.raises(BackendError, match=r"openvino or .*; openvino runs with"):
            load(stroke_bundle, name)
    canvases = Canvases.of(Bundle.open(stroke_bundle))
    with pytest.raises(BackendError, match="'ncnn' cannot paint strokes; use openvino or onnx"):
        find_backend("ncnn").load(stroke_bundle / "fp32.onnx", canvases=canvases)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["strokes"]["hand"]["layers"].pop(), "do not fit .*another candidates"),
        (lambda m: m["strokes"].update(step=1), "do not fit .*another texels_0_1"),
        (lambda m: m["strokes"]["hand"]["layers"][0].update(length=-1), "hand.layers.0.length"),
        (lambda m: m["strokes"].update(step=3), "strokes.step"),
        (lambda m: m["strokes"].update(stroke="huge"), "strokes.stroke"),
        (lambda m: m.pop("strokes"), "its manifest has no strokes"),
        (lambda m: m.update(schema_version=1), "strokes from schema_version 2 on"),
    ],
)
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "opencv"])
def test_a_canvas_that_does_not_fit(damaged, change, said, backend):
    with pytest.raises(BundleError, match=said) as raised:
        load(damaged(change), backend, "int8")
    assert "\n" not in str(raised.value)


def test_graphs_that_take_all_candidates_together_fit_too(stroke_bundle):
    """Which are those of the first bundles with strokes."""
    canvases = Canvases.of(Bundle.open(stroke_bundle))
    arrays = canvases(64, 96)
    takes = {name: array.shape for name, array in arrays.items() if "s_" not in name}
    check_inputs(stroke_bundle, {"frame": (1, 64, 96, 3), **takes}, canvases)
    takes["candidates"] = (2, *takes["candidates"][1:])
    with pytest.raises(BundleError, match="another candidates"):
        check_inputs(stroke_bundle, {"frame": (1, 64, 96, 3), **takes}, canvases)


@pytest.mark.parametrize(
    ("backend", "artifact"),
    [
        ("onnxruntime", "int8.onnx"),
        ("openvino", "int8.openvino"),
        ("openvino", "int8.onnx"),
        ("opencv", "int8.onnx"),
    ],
)
def test_a_graph_without_strokes_gets_no_canvas(stroke_bundle, backend, artifact):
    canvases = Canvases.of(Bundle.open(stroke_bundle))
    other = Bundle.open("monet-conv")
    with pytest.raises(BundleError, match=f"do not fit {artifact}"):
        BACKENDS[backend].load(other.root / artifact, canvases=canvases)


def test_verify_measures_strokes(stroke_bundle, photo, tmp_path, cli, monkeypatch):
    for i in range(2):
        write_picture(tmp_path / f"{i}.png", photo[:96, 8 * i : 128 + 8 * i])
    found = verify(stroke_bundle, tmp_path)
    assert found["ok"], found["problems"]
    assert not found["notes"]
    for row in found["artifacts"]:
        assert "openvino" in {measured["backend"] for measured in row["measured"]}
        for measured in row["measured"]:
            assert measured["strokes"] <= 0.05
            assert measured["psnr_db"] >= row["manifest"]["psnr_db"] - 6
            assert {"quarter_db", "delta_e"} <= measured.keys()
    monkeypatch.setattr("pleinair.runtime.verify.verify", lambda *_, **__: found)  # once is enough
    shown = cli("verify", stroke_bundle, "--pictures", tmp_path)
    assert "plan dB here" in shown.out
    assert "apart" in shown.out
    assert json.loads(cli("verify", stroke_bundle, "--pictures", tmp_path, "--json").out)["ok"]


def test_pictures_have_layouts_of_their_own(stroke_bundle) -> None:
    """Else a folder of paintings, or scenes of a film, would share their most striking marks."""
    greys = [np.full((160, 224, 3), level, np.uint8) for level in (120, 123)]
    alike = {}
    for wrap in (False, True):
        paint = load(stroke_bundle, "onnxruntime", "fp32", wrap=wrap)
        first, second = (paint(grey).astype(float).mean(2) for grey in greys)
        assert (paint(greys[0]) == paint(greys[0])).all()
        alike[wrap] = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert alike[False] > 0.8
    assert alike[True] < 0.4

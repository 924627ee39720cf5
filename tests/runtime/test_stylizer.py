from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pleinair
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.errors import BackendError, BundleError, UsageError
from pleinair.runtime.backends import BACKENDS, Backend
from pleinair.runtime.stylizer import load


@pytest.fixture(scope="module")
def photo(photos):
    return cv2.imread(str(photos / "03.jpg"))


@pytest.fixture(scope="module")
def paint():
    return load("monet-conv", "onnxruntime", "int8")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([1.0, 0.5, 0.0]))
def test_any_size_keeps_its_shape(height, width, strength):
    paint = load_once(strength)
    picture = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    before = picture.copy()
    painted = paint(picture)
    assert painted.shape == picture.shape
    assert painted.dtype == np.uint8
    assert np.array_equal(picture, before)  # the input is left alone


_loaded: dict[float, pleinair.Stylizer] = {}


def load_once(strength: float) -> pleinair.Stylizer:
    if strength not in _loaded:
        _loaded[strength] = load("monet-conv", "onnxruntime", "int8", strength=strength)
    return _loaded[strength]


@pytest.mark.parametrize("shape", [(1, 1), (5000, 3), (479, 641)])
@pytest.mark.parametrize(
    "backend", [b.name for b in BACKENDS.values() if b.available and "onnx" in b.targets]
)
def test_extreme_sizes_on_every_backend(shape, backend):
    picture = np.full((*shape, 3), 90, np.uint8)
    assert load("monet-conv", backend)(picture).shape == picture.shape


@pytest.mark.parametrize(
    "backend", [b.name for b in BACKENDS.values() if b.available and "onnx" in b.targets]
)
def test_painting_is_the_same_in_any_way_it_is_asked_for(backend, photo):
    """Prepared or not, small batches or not: the same artifact gives the same picture."""
    plain = load("monet-conv", backend, "fp32")(photo)
    prepared = load("monet-conv", backend, "fp32", in_flight=2, size=photo.shape[:2])(photo)
    assert cv2.absdiff(plain, prepared).max() <= 1


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "opencv"])
def test_a_read_only_picture_is_painted_and_paintings_are_not_painted_over(backend, photo):
    paint = load("monet-conv", backend, "int8", color="rgb")
    first = paint(photo)
    kept = first.copy()
    locked = photo.copy()
    locked.flags.writeable = False
    assert np.array_equal(paint(locked), kept)
    paint(255 - photo)
    assert np.array_equal(first, kept)


def test_backends_agree(photo):
    names = [b.name for b in BACKENDS.values() if b.available and "onnx" in b.targets]
    pictures = [load("monet-conv", name, "fp32")(photo) for name in names]
    for other in pictures[1:]:
        assert cv2.absdiff(pictures[0], other).max() <= 1


def test_bgr_and_rgb_paint_the_same(photo):
    bgr = load("monet-conv", "onnxruntime", "fp32")(photo)
    rgb = load("monet-conv", "onnxruntime", "fp32", color="rgb")(
        cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)
    )
    assert np.array_equal(bgr, rgb[..., ::-1])
    assert not np.array_equal(bgr, photo)


def test_strength(photo, paint):
    none = load("monet-conv", "onnxruntime", "int8", strength=0)(photo)
    half = load("monet-conv", "onnxruntime", "int8", strength=0.5)(photo)
    assert np.array_equal(none, photo)
    assert none is not photo
    between = (photo.astype(float) + paint(photo)) / 2
    assert np.abs(half - between).max() <= 1


def test_views_paint_as_copies_do(photo, paint):
    for view in (photo[:, ::-1], photo[::2, ::2], photo[..., ::-1], photo[3:40, 5:31]):
        assert np.array_equal(paint(view), paint(view.copy()))


@pytest.mark.parametrize(
    "backend", [b.name for b in BACKENDS.values() if b.available and "onnx" in b.targets]
)
def test_threads_get_the_same_picture(backend, photo):
    paint = load("monet-conv", backend, "int8", in_flight=4)
    pictures = [photo, photo[:40], photo[:, :50], photo[8:, 8:]] * 4
    expected = [paint(picture) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(paint, pictures))
    assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize(
    ("picture", "got"),
    [
        (np.zeros((4, 4, 3), np.float32), r"float32 \[4, 4, 3\]"),
        (np.zeros((4, 4), np.uint8), r"uint8 \[4, 4\]"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8 \[0, 4, 3\]"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"uint8 \[1, 4, 4, 3\]"),
        ([[1, 2, 3]], "list"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(paint, picture, got):
    with pytest.raises(UsageError, match=f"expected a uint8 picture .*{got}"):
        paint(picture)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "mone"}, "did you mean 'monet'"),
        ({"backend": "onxruntime"}, "unknown backend 'onxruntime'; did you mean 'onnxruntime'"),
        ({"precision": "int9"}, "unknown precision 'int9'; did you mean 'int8'"),
        ({"color": "grb"}, "unknown color 'grb'"),
        ({"strength": 1.5}, "strength must be between 0 and 1"),
        ({"strength": float("nan")}, "strength must be between 0 and 1"),
    ],
)
def test_wrong_requests_offer_what_is_right(arguments, message):
    with pytest.raises(UsageError, match=message):
        load(**{"backend": "onnxruntime", **arguments})


def test_a_precision_that_the_bundle_lacks(bundle, edit):
    edit(bundle, lambda m: m.update(artifacts=m["artifacts"][:1]))
    has = pleinair.Bundle.open(bundle).manifest.artifacts[0].precision
    lacks = "int8" if has != "int8" else "fp32"
    with pytest.raises(BackendError, match=f"at precision '{lacks}'.* it has: onnx {has}"):
        load(bundle, "onnxruntime", lacks)
    assert load(bundle, "onnxruntime").choice.precision == has


def test_a_bundle_for_other_machines_says_for_which(bundle, edit, monkeypatch):
    """An engine for one GPU, and no artifact that would run elsewhere."""

    def for_a_gpu(manifest):
        manifest["artifacts"] = manifest["artifacts"][:1]
        manifest["artifacts"][0] |= {"target": "tensorrt", "precision": "fp16", "device": "sm86"}

    edit(bundle, for_a_gpu)
    monkeypatch.setattr(Backend, "available", property(lambda self: self.name != "tensorrt"))
    said = r"has no artifact .* here; it has: tensorrt fp16 for sm86; tensorrt runs with tensorrt"
    with pytest.raises(BackendError, match=said):
        load(bundle)


def test_auto_takes_a_backend_that_works(monkeypatch):
    def broken(*_):
        raise BackendError("no")

    first, *others = [b for b in BACKENDS.values() if b.available and "onnx" in b.targets]
    if not others:
        pytest.skip("needs two backends")
    monkeypatch.setattr(f"pleinair.runtime.backends.{first.name}.engine.load", broken)
    assert load("monet-conv").choice.backend != first.name
    with pytest.raises(BackendError):
        load("monet-conv", first.name)


def test_an_artifact_that_is_no_network(bundle, edit):
    import hashlib

    (bundle / "int8.onnx").write_bytes(b"not a network")
    digest = hashlib.sha256(b"not a network").hexdigest()

    def change(manifest):
        for artifact in manifest["artifacts"]:
            if artifact["precision"] == "int8":
                artifact.update(sha256=digest)

    edit(bundle, change)
    for backend in (b.name for b in BACKENDS.values() if b.available and "onnx" in b.targets):
        with pytest.raises(BundleError, match=r"int8\.onnx is not loaded: it is damaged") as caught:
            load(bundle, backend, "int8")
        assert "\n" not in str(caught.value)


def test_a_changed_artifact_is_never_loaded(bundle):
    (bundle / "int8.onnx").write_bytes(b"changed")
    with pytest.raises(BundleError, match="sha256"):
        load(bundle, precision="int8")


def test_the_public_load_is_this_one():
    assert pleinair.load is load
    assert isinstance(pleinair.load("monet-conv", "onnxruntime"), pleinair.Stylizer)


@pytest.mark.parametrize("in_flight", [0, -1])
def test_at_least_one_picture_is_in_flight(in_flight):
    with pytest.raises(UsageError, match=f"in_flight must be at least 1, got {in_flight}"):
        load("monet-conv", "onnxruntime", in_flight=in_flight)


MISSES = "misses: PSNR 30.00 dB < 38"


def test_auto_leaves_out_what_misses_its_bars(bundle, edit):
    def miss(manifest, *precisions):
        for artifact in manifest["artifacts"]:
            if artifact["precision"] in precisions:
                artifact["drift"]["verdict"] = MISSES

    edit(bundle, lambda m: miss(m, "int8"))
    found = load(bundle, "onnxruntime")
    assert found.choice.precision != "int8"
    assert "onnx int8 misses its drift limits (PSNR 30.00 dB < 38); auto leaves" in found.note
    named = load(bundle, "onnxruntime", "int8")
    assert (named.choice.precision, named.note) == ("int8", "")
    edit(bundle, lambda m: miss(m, "fp32", "fp16"))
    assert "it paints, as nothing else here can" in load(bundle, "onnxruntime").note


def test_the_verbs_say_what_auto_left_out(cli, bundle, edit, photos, make_video, tmp_path):
    edit(bundle, lambda m: m["artifacts"][-1]["drift"].update(verdict=MISSES))
    left = "onnx int8 misses its drift limits"
    backend = ("--model", bundle, "--backend", "onnxruntime")
    run = cli("translate", photos / "00.jpg", tmp_path / "o.png", *backend)
    assert left in run.err
    clip = make_video(tmp_path / "clip.mp4")
    assert left in cli("live", clip, "--sink", "null", *backend).err

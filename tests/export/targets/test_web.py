"""Sites: by a bundle's own graphs, and of what has to be built."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from pleinair import metrics
from pleinair.api.export import export
from pleinair.bundle.bundle import Bundle, sha256_of
from pleinair.errors import ExportError
from pleinair.export.targets.web import onnxruntime_web
from pleinair.runtime.strokes.still import Still
from pleinair.runtime.stylizer import load

MONET = Path(__file__).parents[3] / "models" / "monet-conv"


@pytest.fixture(scope="module")
def npm():
    """Skips where onnxruntime-web cannot be had."""
    try:
        onnxruntime_web.fetch()
    except ExportError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def lent(npm, tmp_path_factory):
    """The site of the shipped model, by its own graphs."""
    site = tmp_path_factory.mktemp("lent") / "site"
    export(MONET, site, targets=["web"])
    return site


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Neither npm nor what it fetched before; returns where that would lie."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path / "cache" / "pleinair" / onnxruntime_web.PACKAGE


def check_site(site: Path) -> Bundle:
    """A site is a whole bundle; all that its page keeps for offline use is there."""
    bundle = Bundle.open(site)
    for artifact in bundle.manifest.artifacts:
        assert sha256_of(bundle.path(artifact)) == artifact.sha256
        assert artifact.target == "web"
        assert artifact.drift.verdict == "built, not run here; its graph: holds"
        assert artifact.tool_versions["onnxruntime-web"] == onnxruntime_web.VERSION
    version, files = (line.partition(" = ")[2].rstrip(";") for line in
                      (site / "files.js").read_text().splitlines())  # fmt: skip
    assert len(json.loads(version)) == 16
    assert {a.path for a in bundle.manifest.artifacts} <= set(json.loads(files))
    for name in (*json.loads(files), "sw.js", *(f"ort/{n}" for n in onnxruntime_web.FILES)):
        assert (site / name).stat().st_size, name
    return bundle


def test_a_bundle_lends_its_graphs(lent):
    made, lender = check_site(lent), Bundle.open(MONET)
    assert [a.precision for a in made.manifest.artifacts] == ["fp32", "fp16", "int8"]
    for artifact in made.manifest.artifacts:
        own = lender.find("onnx", artifact.precision)
        assert own and artifact.sha256 == own.sha256
        assert artifact.drift.psnr_db == own.drift.psnr_db
    web = json.loads((lent / "app.webmanifest").read_text())
    assert web["short_name"] == lender.manifest.title
    assert all((lent / icon["src"]).exists() for icon in web["icons"])
    assert "{{" not in (lent / "index.html").read_text()


def test_the_check_is_what_the_generator_paints(lent):
    both = cv2.imread(str(lent / "check.png"))
    photograph, painted = np.hsplit(both, 2)
    exact = load("monet-conv", "onnxruntime", "fp32")
    expected = exact(photograph)
    assert metrics.compare([(expected, painted)]).psnr_db >= 60
    changed = metrics.compare([(photograph, expected)]).psnr_db
    assert changed < 32  # it paints
    assert abs(metrics.compare([(photograph, painted)]).psnr_db - changed) < 0.1


def test_what_is_no_bundle_is_built(npm, run, photos, tmp_path):
    out = tmp_path / "site"
    manifest = export(run, out, targets=["web"], precisions=["fp16"], calibration=photos)
    assert [(a.target, a.precision) for a in manifest.artifacts] == [("web", "fp16")]
    assert check_site(out).manifest.title == "Tiny"


def test_sites_are_made_when_they_are_asked_for(run, photos, tmp_path):
    manifest = export(run, tmp_path / "b", precisions=["fp32"], calibration=photos)
    assert "web" not in {a.target for a in manifest.artifacts}
    assert "web" not in {s.target for s in manifest.skipped}


def test_a_site_paints_in_python_too(lent, cli, photos):
    frame = cv2.imread(str(photos / "00.jpg"))
    paint = load(lent, "onnxruntime", "int8")
    np.testing.assert_array_equal(paint(frame), load("monet-conv", "onnxruntime", "int8")(frame))
    assert cli("verify", lent, "--pictures", photos).code == 0


# --- strokes ---


def film(width: int, height: int) -> np.ndarray:
    """Noise on a still picture, something that crosses it, light that grows, then a cut."""
    photos = Path(__file__).parents[2] / "data" / "photos"  # whole ones, with edges and sky
    random = np.random.default_rng(2)
    first, second = (
        cv2.resize(cv2.imread(str(photos / f"0{i}.jpg")), (width, height)) // 2 for i in (0, 1)
    )
    frames = []
    for index in range(60):
        frame = (second if index >= 50 else first) + random.normal(0, 2, first.shape)
        frame[10:30, 2 * index : 2 * index + 9] = (
            (40, 200, 90) if index < 20 else frame[10:30, 2 * index : 2 * index + 9]
        )
        frames.append((frame + index / 12).clip(0, 255).astype(np.uint8))
    return np.stack(frames)


@pytest.mark.parametrize("size", [(96, 64), (109, 75)])
def test_the_page_keeps_still_what_python_keeps_still(size):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    frames, still = film(*size), Still()
    expected = np.stack([still(frame) for frame in frames])
    page = Path(onnxruntime_web.__file__).parent / "page" / "app" / "still.js"
    done = subprocess.run(
        [node, Path(__file__).with_name("still.mjs"), page, *map(str, size)],
        input=frames.tobytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    kept = np.frombuffer(done.stdout, np.uint8).reshape(frames.shape)
    np.testing.assert_array_equal(kept, expected)
    changed = [(one != other).mean() for one, other in pairwise(expected)]
    assert min(changed[24:49]) == 0  # nothing moves
    assert 0.01 < max(changed[24:49]) < 0.9  # light is followed
    assert changed[49] > 0.9  # a cut


def test_a_painter_with_strokes_lends_its_graphs(npm, cli, stroke_bundle, tmp_path):
    done = cli("export", stroke_bundle, "--target", "web", "--out", tmp_path / "site")
    assert done.code == 0, done.err
    manifest = check_site(tmp_path / "site").manifest
    assert manifest.strokes == Bundle.open(stroke_bundle).manifest.strokes
    both = cv2.imread(str(tmp_path / "site" / "check.png"))
    photograph, painted = np.hsplit(both, 2)
    np.testing.assert_array_equal(load(stroke_bundle, "onnxruntime", "fp32")(photograph), painted)


def test_a_shipped_painter_with_strokes_becomes_a_site_of_what_it_has(npm, cli, tmp_path):
    done = cli("export", "monet", "--target", "web", "--out", tmp_path / "site", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["artifacts"][0]["target"] == "web"
    lent = Bundle.open("monet")
    found = {a.precision: a.sha256 for a in check_site(tmp_path / "site").manifest.artifacts}
    assert found == {a.precision: a.sha256 for a in lent.manifest.artifacts}
    ours = [file for file in (tmp_path / "site").rglob("*") if file.parent.name != "ort"]
    assert sum(file.stat().st_size for file in ours if file.is_file()) < 1.5e6


# --- what goes wrong ---


def test_neither_npm_nor_its_package(offline, cli, tmp_path):
    done = cli("export", "monet-conv", "--target", "web", "--out", tmp_path / "site")
    assert done.code == 1
    assert "npm is not installed; install Node.js, or put https://" in done.error()
    assert str(offline) in done.error()
    assert not (tmp_path / "site").exists()
    assert not list(tmp_path.glob(".site*"))


def test_npm_without_a_network(offline, cli, tmp_path):
    npm = tmp_path / "npm"
    npm.write_text(
        "#!/bin/sh\necho 'npm error getaddrinfo ENOTFOUND registry.npmjs.org' >&2\nexit 1\n"
    )
    npm.chmod(0o755)
    done = cli("export", "monet-conv", "--target", "web", "--out", tmp_path / "site")
    assert done.code == 1
    assert "ENOTFOUND registry.npmjs.org); connect to the network" in done.error()


def test_another_package_is_not_taken(offline, cli, tmp_path):
    offline.parent.mkdir(parents=True)
    offline.write_bytes(b"something else")
    done = cli("export", "monet-conv", "--target", "web", "--out", tmp_path / "site")
    assert done.code == 1
    assert "its sha512 differs; delete it" in done.error()


def test_what_is_there_stays(cli, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine").write_text("kept")
    done = cli("export", "monet-conv", "--target", "web", "--out", tmp_path / "site")
    assert done.code == 2
    assert "site is not a folder that pleinair wrote" in done.error()
    assert (tmp_path / "site" / "mine").read_text() == "kept"


def test_a_damaged_bundle(npm, cli, tmp_path):
    bundle = Path(shutil.copytree(MONET, tmp_path / "bundle"))
    (bundle / "int8.onnx").write_bytes(b"damaged")
    done = cli("export", bundle, "--target", "web", "--out", tmp_path / "site")
    assert done.code == 1
    assert "int8.onnx does not have the sha256" in done.error()
    assert not (tmp_path / "site").exists()


def test_there_is_no_w8_site(cli, tmp_path):
    where = ("--target", "web", "--out", tmp_path / "site")
    done = cli("export", "monet-conv", "--precision", "w8", *where)
    assert done.code == 2
    assert "web has fp32, fp16, int8" in done.error()

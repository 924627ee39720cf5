from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pleinair.pictures import read_picture, write_picture
from pleinair.runtime import tiles
from pleinair.runtime.stylizer import load
from pleinair.runtime.translate.translate import translate


@given(st.integers(1, 3000), st.integers(1, 40), st.sampled_from([1, 4, 8]), st.integers(1, 300))
def test_spans_cover_all_once_on_the_grid(length, field, multiple, core):
    margin = tiles.margin_of(field, multiple)
    assert margin >= field / 2
    at = 0
    for top, bottom, first, last in tiles.spans(length, margin, multiple, core):
        assert first == at < last
        assert top % multiple == 0
        assert top == max(0, first - margin)
        assert bottom == min(length, last + margin)
        at = last
    assert at == length


@pytest.mark.parametrize(("backend", "precision"), [("onnxruntime", "int8"), ("openvino", "fp32")])
@pytest.mark.parametrize("shape", [(700, 900), (613, 531)])
def test_tiles_are_equal_to_the_whole(photos, monkeypatch, backend, precision, shape):
    pytest.importorskip(backend)
    photo, _ = read_picture(photos / "03.jpg")
    rows, columns = (np.arange(side) % photo.shape[k] for k, side in enumerate(shape))
    picture = photo[rows][:, columns]
    paint = load("monet-conv", backend, precision, color="rgb", strength=0.9)
    whole = paint(picture)
    monkeypatch.setattr(tiles, "WHOLE", 1000)
    monkeypatch.setattr(tiles.spans, "__defaults__", (200,))
    tiled = paint(picture)
    apart = np.abs(tiled.astype(int) - whole)
    assert apart.max() <= (0 if precision == "int8" else 1)
    assert not np.array_equal(whole, picture)


def test_a_huge_picture_is_translated_by_tiles(tmp_path, photos, monkeypatch):
    sizes = []
    monkeypatch.setattr(tiles, "WHOLE", 90_000)
    monkeypatch.setattr(tiles.spans, "__defaults__", (128,))
    paint = load("monet-conv", "onnxruntime", "int8").engine.__class__.__call__

    def noted(self, frames, *piece):
        sizes.append(frames.shape[1] * frames.shape[2])
        return paint(self, frames, *piece)

    monkeypatch.setattr(
        "pleinair.runtime.backends.onnxruntime.engine.OnnxRuntimeEngine.__call__", noted
    )
    write_picture(tmp_path / "in.png", np.full((500, 700, 3), 90, np.uint8))
    out = tmp_path / "out.png"
    translate(tmp_path / "in.png", out, "monet-conv", backend="onnxruntime", precision="int8")
    assert len(sizes) == 4 * 6
    assert max(sizes) < 90_000
    assert read_picture(tmp_path / "out.png")[0].shape == (500, 700, 3)

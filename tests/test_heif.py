"""HEIC as phones write it: one picture of many tiles."""

from __future__ import annotations

import random

import numpy as np
import pytest
from pleinair.errors import MediaError
from pleinair.heif import icc_of, primary
from pleinair.picture_size import picture_size
from pleinair.pictures import read_picture
from pleinair.reading import Malformed


@pytest.fixture(scope="module")
def rgb() -> np.ndarray:
    y, x = np.mgrid[:100, :150]
    return np.dstack([x, y * 2, 255 - x]).astype(np.uint8)


@pytest.fixture(scope="module")
def whole(rgb, make_heic) -> bytes:
    return make_heic(rgb)


@pytest.mark.parametrize(
    ("how", "turn"),
    [
        ({}, lambda x: x),
        ({"backwards": True}, lambda x: x),
        ({"extra": b"\0\0\0\x09irot\3"}, lambda x: np.rot90(x, -1)),
    ],
    ids=["in-order", "backwards", "turned"],
)
def test_tiles_are_put_together(tmp_path, rgb, make_heic, how, turn):
    path = tmp_path / "x.heic"
    path.write_bytes(make_heic(rgb, **how))
    found, alpha = read_picture(path)
    assert alpha is None
    assert found.shape == turn(rgb).shape
    assert np.abs(found.astype(int) - turn(rgb)).mean() < 2
    assert picture_size(path.read_bytes()) == (150, 100)


@pytest.mark.parametrize(
    ("extra", "turn"), [(b"", lambda x: x), (b"\0\0\0\x09irot\3", lambda x: np.rot90(x, -1))]
)
def test_transparent_parts_are_read(tmp_path, rgb, make_heic, extra, turn):
    alpha = np.tile(np.arange(64, dtype=np.uint8) * 4, (64, 1))
    (tmp_path / "x.heic").write_bytes(make_heic(rgb, extra=extra, alpha=alpha))
    found, seen = read_picture(tmp_path / "x.heic")
    assert np.abs(found.astype(int) - turn(rgb)).mean() < 2
    expected = turn(np.tile(np.linspace(0, 252, 150), (100, 1)))
    assert seen is not None and np.abs(seen - expected).mean() < 4


def test_it_is_measured_before_it_is_decoded(tmp_path, whole):
    (tmp_path / "x.heic").write_bytes(whole)
    with pytest.raises(MediaError, match="150x100 pixels, more than 14999"):
        read_picture(tmp_path / "x.heic", max_pixels=14_999)


def test_what_is_put_together_otherwise_is_named(tmp_path, rgb, make_heic):
    (tmp_path / "x.heic").write_bytes(make_heic(rgb[:64, :64], kind=b"iovl"))
    with pytest.raises(MediaError, match=r"derived as 'iovl', .*; save it as JPEG or PNG"):
        read_picture(tmp_path / "x.heic")


def test_damaged_ones_are_refused_or_read(tmp_path, whole, rgb, capfd):
    chance, refused = random.Random(0), 0
    for at in range(60):
        data = bytearray(whole)
        if at < 20:
            del data[len(data) * at // 20 :]
        for _ in range(5 if at >= 20 else 0):
            data[chance.randrange(900)] ^= 1 << chance.randrange(8)
        (tmp_path / "x.heic").write_bytes(data)
        try:
            assert read_picture(tmp_path / "x.heic")[0].shape in (
                rgb.shape,
                (*rgb.shape[1::-1], 3),
            )
        except MediaError as error:
            assert "x.heic" in str(error)
            refused += 1
    assert refused > 20
    assert capfd.readouterr().err == ""


def test_any_bytes_are_boxes_or_not():
    for data in (b"", b"\0\0\0\x01ftyp", b"\0\0\0\x0cmeta\0\0\0\0", bytes(64)):
        with pytest.raises(Malformed):
            primary(data)
        assert icc_of(data) == b""

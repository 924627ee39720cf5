"""Pictures that OpenCV reads otherwise than they are meant, or not at all."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from pleinair.errors import MediaError
from pleinair.pictures import read_picture

HEIGHT, WIDTH = 24, 40
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
RGB = np.dstack([40 + 5 * COLUMNS, 60 + 7 * ROWS, np.full_like(ROWS, 120)]).astype(np.uint8)
ALPHA = (COLUMNS * 6).astype(np.uint8)
GREY = RGB[..., 0]
WHITE_IS_ZERO = 0


def save(path: Path, pixels: np.ndarray | Image.Image, **how: object) -> Path:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(path, **how)
    return path


def with_tag(data: bytes, tag: int, value: int) -> bytes:
    """Returns a TIFF with another value of a tag."""
    new = bytearray(data)
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    places = (at + 2 + 12 * index for index in range(count))
    (place,) = (one for one in places if struct.unpack_from("<H", data, one)[0] == tag)
    struct.pack_into("<H", new, place + 8, value)
    return bytes(new)


def test_tiff_keeps_its_colours_where_they_are_transparent(tmp_path) -> None:
    path = save(tmp_path / "a.tif", np.dstack([RGB, ALPHA]), compression="tiff_lzw")
    rgb, alpha = read_picture(path)
    assert np.array_equal(rgb, RGB)
    assert np.array_equal(alpha, ALPHA)


def test_tiff_whose_colours_are_multiplied_by_alpha(tmp_path) -> None:
    dark = (RGB.astype(np.uint16) * ALPHA[..., None] // 255).astype(np.uint8)
    path = save(tmp_path / "a.tif", np.dstack([dark, ALPHA]))
    path.write_bytes(with_tag(path.read_bytes(), 338, 1))
    rgb, alpha = read_picture(path)
    opaque = ALPHA > 100
    assert np.abs(rgb[opaque].astype(int) - RGB[opaque]).max() <= 3
    assert np.array_equal(alpha, ALPHA)


def test_tiff_of_grey_with_alpha(tmp_path) -> None:
    rgb, alpha = read_picture(save(tmp_path / "a.tif", np.dstack([GREY, ALPHA])))
    assert np.array_equal(rgb, np.dstack([GREY] * 3))
    assert np.array_equal(alpha, ALPHA)


def test_tiff_of_cielab(tmp_path) -> None:
    lab = ImageCms.profileToProfile(
        Image.fromarray(RGB),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    rgb, _ = read_picture(save(tmp_path / "a.tif", lab))
    assert np.abs(rgb.astype(int) - RGB).mean() < 1.5


@pytest.mark.parametrize("factor", [1, 257])
def test_tiff_in_which_0_is_white(tmp_path, factor) -> None:
    grey = GREY.astype(np.uint16 if factor > 1 else np.uint8) * factor
    content = io.BytesIO()
    Image.fromarray(255 * factor - grey).save(content, "TIFF")
    (tmp_path / "a.tif").write_bytes(with_tag(content.getvalue(), 262, WHITE_IS_ZERO))
    rgb, _ = read_picture(tmp_path / "a.tif")
    assert np.array_equal(rgb, np.dstack([GREY] * 3))


def test_tiff_of_float_grey(tmp_path) -> None:
    rgb, _ = read_picture(save(tmp_path / "a.tif", GREY.astype(np.float32) / 255))
    assert np.array_equal(rgb, np.dstack([GREY] * 3))


def test_tiff_in_a_way_that_opencv_does_not_know(tmp_path) -> None:
    rgb, _ = read_picture(save(tmp_path / "a.tif", RGB, compression="zstd"))
    assert np.array_equal(rgb, RGB)


def test_tiff_that_nobody_knows_how_to_show(tmp_path) -> None:
    path = save(tmp_path / "a.tif", GREY.astype(np.int32) * 2**20)
    with pytest.raises(MediaError, match="or of a rare kind: save it as PNG"):
        read_picture(path)


@pytest.mark.parametrize("orientation", [1, 6])
def test_tiff_with_alpha_is_turned_once(tmp_path, orientation) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = save(tmp_path / "a.tif", np.dstack([RGB, ALPHA]), exif=exif.tobytes())
    rgb, alpha = read_picture(path)
    turns = -1 if orientation == 6 else 0
    assert np.array_equal(rgb, np.rot90(RGB, turns))
    assert np.array_equal(alpha, np.rot90(ALPHA, turns))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_png_of_grey_with_a_transparent_shade(tmp_path, make_png, kind) -> None:
    shades = COLUMNS % 16
    pixels = (shades * (np.iinfo(kind).max // 15)).astype(kind)
    trns = struct.pack(">H", int(pixels[0, 5]))
    rgb, alpha = read_picture(make_png(tmp_path / "a.png", pixels, 0, trns=trns))
    assert np.array_equal(rgb[..., 0], shades * 17)
    assert np.array_equal(alpha, np.where(shades == 5, 0, 255))


def test_png_of_one_bit_with_a_transparent_shade(tmp_path) -> None:
    shades = Image.fromarray((COLUMNS % 2).astype(np.uint8) * 255).convert("1")
    rgb, alpha = read_picture(save(tmp_path / "a.png", shades, bits=1, transparency=0))
    assert np.array_equal(rgb[..., 0], COLUMNS % 2 * 255)
    assert np.array_equal(alpha, COLUMNS % 2 * 255)

from __future__ import annotations

import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError
from pleinair.pictures import read_picture, write_picture

RGB = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 99, 199]]], np.uint8)


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Puts an EXIF segment with one entry behind a JPEG's start."""
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]


def test_colour(make_png, tmp_path):
    rgb, alpha = read_picture(make_png(tmp_path / "x.png", RGB, 2))
    assert np.array_equal(rgb, RGB)
    assert alpha is None


def test_grey(make_png, tmp_path):
    grey = np.array([[0, 100, 255]], np.uint8)
    rgb, alpha = read_picture(make_png(tmp_path / "x.png", grey, 0))
    assert np.array_equal(rgb, np.dstack([grey] * 3))
    assert alpha is None


def test_alpha(make_png, tmp_path):
    a = np.array([[0, 128], [255, 7]], np.uint8)
    rgb, alpha = read_picture(make_png(tmp_path / "x.png", np.dstack([RGB, a]), 6))
    assert np.array_equal(rgb, RGB)
    assert np.array_equal(alpha, a)


def test_grey_with_alpha(make_png, tmp_path):
    pixels = np.array([[[10, 128], [200, 255]]], np.uint8)
    rgb, alpha = read_picture(make_png(tmp_path / "x.png", pixels, 4))
    assert np.array_equal(rgb, np.dstack([pixels[..., 0]] * 3))
    assert np.array_equal(alpha, pixels[..., 1])


@pytest.mark.parametrize("trns", [b"", b"\xff\x40"])
def test_palette(make_png, tmp_path, trns):
    palette = bytes([200, 10, 20, 30, 210, 40])
    path = make_png(tmp_path / "x.png", np.array([[0, 1]], np.uint8), 3, palette, trns)
    rgb, alpha = read_picture(path)
    assert rgb.tolist() == [[[200, 10, 20], [30, 210, 40]]]
    assert (alpha is None) if not trns else alpha.tolist() == [[255, 64]]


def test_16_bits_are_rounded_to_8(make_png, tmp_path):
    pixels = np.array([[[0, 128, 129], [65535, 65407, 65406]]], np.uint16)
    rgb, alpha = read_picture(make_png(tmp_path / "x.png", pixels, 2))
    assert rgb.dtype == np.uint8
    assert rgb.tolist() == [[[0, 0, 1], [255, 255, 254]]]
    assert alpha is None


def test_16_bits_with_alpha(make_png, tmp_path):
    pixels = np.array([[[65535, 0, 257, 32768]]], np.uint16)
    rgb, alpha = read_picture(make_png(tmp_path / "x.png", pixels, 6))
    assert rgb.tolist() == [[[255, 0, 1]]]
    assert alpha.dtype == np.uint8
    assert alpha.tolist() == [[128]]


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda x: x),
        (2, lambda x: x[:, ::-1]),
        (3, lambda x: x[::-1, ::-1]),
        (6, lambda x: np.rot90(x, -1)),
        (8, lambda x: np.rot90(x, 1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path, orientation, turn):
    rgb = np.zeros((16, 32, 3), np.uint8)
    rgb[:8, :16] = [250, 20, 20]
    jpeg = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    (tmp_path / "x.jpg").write_bytes(with_orientation(jpeg, orientation))
    found, _ = read_picture(tmp_path / "x.jpg")
    assert found.shape == turn(rgb).shape
    assert np.abs(found.astype(int) - turn(rgb)).mean() < 8


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".PNG"])
def test_lossless_formats_keep_every_pixel(tmp_path, suffix):
    write_picture(tmp_path / f"x{suffix}", RGB)
    assert np.array_equal(read_picture(tmp_path / f"x{suffix}")[0], RGB)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_is_written_where_the_format_has_it(tmp_path, suffix):
    alpha = np.array([[0, 128], [255, 7]], np.uint8)
    write_picture(tmp_path / f"x{suffix}", RGB, alpha)
    rgb, found = read_picture(tmp_path / f"x{suffix}")
    assert np.array_equal(found, alpha)
    assert np.array_equal(rgb, RGB)


def test_alpha_is_laid_over_white_where_it_has_not(tmp_path):
    black = np.zeros((16, 16, 3), np.uint8)
    alpha = np.full((16, 16), 51, np.uint8)  # one fifth
    for suffix in (".jpg", ".bmp"):
        write_picture(tmp_path / f"x{suffix}", black, alpha)
        rgb, found = read_picture(tmp_path / f"x{suffix}")
        assert found is None
        assert np.abs(rgb.astype(int) - 204).max() <= 1


@pytest.mark.parametrize("name", ["ü [x] 雪.png", "a:b.png", "%03d.png"])
def test_any_name(tmp_path, name):
    write_picture(tmp_path / name, RGB)
    assert np.array_equal(read_picture(tmp_path / name)[0], RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
def test_a_truncated_picture_is_an_error_and_prints_nothing(tmp_path, photos, capfd, suffix):
    path = tmp_path / f"x{suffix}"
    write_picture(path, read_picture(photos / "00.jpg")[0])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"cannot be decoded as a picture"):
        read_picture(path)
    assert capfd.readouterr() == ("", "")


def test_a_png_with_changed_bytes_is_an_error(tmp_path, make_png, capfd):
    path = make_png(tmp_path / "x.png", RGB, 2)
    data = bytearray(path.read_bytes())
    data[45] ^= 255
    path.write_bytes(data)
    with pytest.raises(MediaError):
        read_picture(path)
    assert capfd.readouterr().err == ""


def test_what_is_no_picture(tmp_path):
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(MediaError, match=r"x\.png"):
            read_picture(tmp_path / "x.png")
    with pytest.raises(MediaError, match="cannot be read"):
        read_picture(tmp_path)
    with pytest.raises(MediaError, match="No such file"):
        read_picture(tmp_path / "nowhere.png")


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(MediaError, match="cannot be written"):
        write_picture(tmp_path / "file" / "x.png", RGB)
    with pytest.raises(MediaError, match="pictures are written as"):
        write_picture(tmp_path / "x.xyz", RGB)
    with pytest.raises(MediaError, match=r"a \.jpg has at most 65500 pixels on a side"):
        write_picture(tmp_path / "x.jpg", np.zeros((70_000, 1, 3), np.uint8))

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_picture(tmp_path / "x.png", RGB)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]

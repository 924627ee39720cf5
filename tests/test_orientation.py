"""EXIF's eight orientations, in every format that has them, with alpha and in 16 bits."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from pleinair.orientation import Orientation, stored_orientation
from pleinair.pictures import read_picture

TURNED = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
MATRICES = {
    1: (1, 0, 0, 1),
    2: (-1, 0, 0, 1),
    3: (-1, 0, 0, -1),
    4: (1, 0, 0, -1),
    5: (0, 1, 1, 0),
    6: (0, 1, -1, 0),
    7: (0, -1, -1, 0),
    8: (0, -1, 1, 0),
}


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 274, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)


def in_jpeg(data: bytes, tag: bytes) -> bytes:
    body = b"Exif\0\0" + tag
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def in_png(data: bytes, tag: bytes) -> bytes:
    chunk = struct.pack(">I", len(tag)) + b"eXIf" + tag
    return data[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + data[33:]


def in_webp(data: bytes, tag: bytes) -> bytes:
    """Puts a lossless WebP into the extended form."""
    (bits,) = struct.unpack_from("<I", data, data.index(b"VP8L") + 9)
    width, height = bits & 0x3FFF, bits >> 14 & 0x3FFF
    flags = 0x08 | (0x10 if bits >> 28 & 1 else 0)
    head = struct.pack("<I", flags) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
    chunks = b"VP8X" + struct.pack("<I", 10) + head + data[12:]
    chunks += b"EXIF" + struct.pack("<I", len(tag)) + tag + bytes(len(tag) % 2)
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def in_tiff(data: bytes, orientation: int) -> bytes:
    """Writes the directory of entries anew, with one more."""
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = [data[at + 2 + 12 * i : at + 14 + 12 * i] for i in range(count)]
    entries = [e for e in entries if e[:2] != b"\x12\x01"]
    entries.append(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    entries.sort(key=lambda entry: struct.unpack_from("<H", entry))
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return data[:4] + struct.pack("<I", len(data)) + data[8:] + directory


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".webp", np.uint8),
        *((suffix, kind) for suffix in (".png", ".tif") for kind in (np.uint8, np.uint16)),
    ],
)
def test_all_eight_with_alpha_and_in_16_bits(tmp_path, orientation, suffix, channels, kind):
    top = np.iinfo(kind).max
    stored = np.random.default_rng(0).integers(0, top + 1, (5, 9, channels), kind)
    options = [cv2.IMWRITE_WEBP_QUALITY, 101, cv2.IMWRITE_TIFF_COMPRESSION, 1]
    data = cv2.imencode(suffix, stored, options)[1].tobytes()
    put = {".png": in_png, ".webp": in_webp, ".tif": in_tiff}[suffix]
    tag = orientation if suffix == ".tif" else exif(orientation)
    (tmp_path / f"plain{suffix}").write_bytes(data)
    (tmp_path / f"turned{suffix}").write_bytes(put(data, tag))
    rgb, alpha = read_picture(tmp_path / f"plain{suffix}")
    found, alpha_found = read_picture(tmp_path / f"turned{suffix}")
    assert np.array_equal(found, TURNED[orientation](rgb))
    assert (alpha is None) == (channels == 3)
    if alpha is not None:
        assert np.array_equal(alpha_found, TURNED[orientation](alpha))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_all_eight_of_a_jpeg(tmp_path, orientation, order):
    stored = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    data = cv2.imencode(".jpg", stored)[1].tobytes()
    (tmp_path / "plain.jpg").write_bytes(data)
    (tmp_path / "turned.jpg").write_bytes(in_jpeg(data, exif(orientation, order)))
    plain, turned = (read_picture(tmp_path / f"{name}.jpg")[0] for name in ("plain", "turned"))
    assert np.array_equal(turned, TURNED[orientation](plain))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("scale", [1, 65536])
def test_a_display_matrix_says_the_same_eight(orientation, scale):
    a, b, c, d = (scale * value for value in MATRICES[orientation])
    found = Orientation.of_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
    stored = np.arange(12).reshape(3, 4)
    assert found.exact
    assert np.array_equal(found(stored), TURNED[orientation](stored))
    assert found == Orientation.of_exif(orientation)


def test_a_slanting_matrix_is_none_of_the_eight():
    assert not Orientation.of_matrix((46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)).exact
    assert Orientation.of_matrix((65530, 700, 0, -700, 65530, 0, 0, 0, 1 << 30)).exact
    assert Orientation.of_matrix((0,) * 9) == Orientation()


@pytest.mark.parametrize("value", [0, 9, 300])
def test_a_number_that_is_none_of_the_eight_is_upright(value):
    assert stored_orientation(exif(value)) == Orientation()


@pytest.mark.parametrize("cut", range(4, 26, 3))
def test_damaged_exif_is_upright(cut):
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    found = stored_orientation(in_jpeg(jpeg, exif(6)[:cut]))
    assert found in (Orientation(), Orientation.of_exif(6))
    assert stored_orientation(b"\xff\xd8\xff\xe1") == Orientation()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_all_eight_of_an_avif_under_any_name(tmp_path, orientation, mode):
    y, x = np.mgrid[:40, :64]
    stored = np.dstack([x * 4, y * 6, 255 - x * 4, 100 + x + y])[..., : len(mode)].astype(np.uint8)
    tag = Image.Exif()
    tag[274] = orientation
    for name, kept in (("plain.avif", None), ("IMG_0001.HEIC", tag)):
        beside = {"exif": kept} if kept else {}
        Image.fromarray(stored).save(tmp_path / name, "AVIF", quality=95, **beside)
    rgb, alpha = read_picture(tmp_path / "plain.avif")
    found, alpha_found = read_picture(tmp_path / "IMG_0001.HEIC")
    assert np.array_equal(found, TURNED[orientation](rgb))
    assert np.abs(rgb.astype(int) - stored[..., :3]).mean() < 4
    assert (alpha is None) == (mode == "RGB")
    if alpha is not None:
        assert np.array_equal(alpha_found, TURNED[orientation](alpha))

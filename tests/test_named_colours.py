"""Colours that a picture names by numbers are painted as they are meant."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from pleinair.named_colours import named_hdr, named_profile
from pleinair.pictures import read_picture

P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
LINEAR = struct.pack(">I", 100_000)
PIXEL = (200, 80, 40)
IN_P3 = (216, 69, 17)  # what sRGB has for these numbers in Display P3


def png(*chunks: tuple[bytes, bytes], pixel: tuple[int, int, int] = PIXEL) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), pixel).save(content, "PNG")
    data = content.getvalue()
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:33] + made + data[33:]


@pytest.mark.parametrize(
    ("chunks", "meant"),
    [
        ([(b"cICP", bytes([12, 13, 0, 1]))], IN_P3),
        ([(b"cHRM", P3)], IN_P3),
        ([(b"gAMA", LINEAR)], (229, 152, 110)),
        ([(b"gAMA", LINEAR), (b"sRGB", b"\0")], PIXEL),  # which comes before gAMA
        ([(b"cICP", bytes([1, 13, 0, 1])), (b"gAMA", LINEAR)], PIXEL),
        ([(b"gAMA", struct.pack(">I", 45455))], PIXEL),
        ([(b"gAMA", bytes(4)), (b"cHRM", bytes(32))], PIXEL),  # which mean nothing
        ([(b"cHRM", bytes(3))], PIXEL),
        ([(b"cICP", bytes([99, 13, 0, 1]))], PIXEL),
    ],
)
def test_chunks_of_png(tmp_path, chunks, meant) -> None:
    (tmp_path / "x.png").write_bytes(png(*chunks))
    rgb, _ = read_picture(tmp_path / "x.png")
    np.testing.assert_allclose(rgb[4, 4], meant, atol=2)


def test_numbers_of_avif(tmp_path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (32, 32), PIXEL).save(content, "AVIF", quality=100)
    data = content.getvalue()
    at = data.index(b"nclx") + 4
    (tmp_path / "x.avif").write_bytes(data[:at] + struct.pack(">HH", 12, 13) + data[at + 4 :])
    rgb, _ = read_picture(tmp_path / "x.avif")
    np.testing.assert_allclose(rgb[16, 16], IN_P3, atol=4)


def test_high_dynamic_range_is_said_and_its_numbers_stay(tmp_path, cli) -> None:
    data = png((b"cICP", bytes([9, 16, 0, 1])))
    assert (named_hdr(data), named_profile(data)) == ("PQ", b"")
    (tmp_path / "x.png").write_bytes(data)
    asked = cli("translate", tmp_path / "x.png", tmp_path / "o.png", "--model", "monet-conv")
    assert "high dynamic range (PQ) is not applied" in asked.err


def test_the_profile_is_one_that_others_read() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(named_profile(png((b"cHRM", P3)))))
    assert profile.profile.xcolor_space.strip() == "RGB"
    np.testing.assert_allclose(profile.profile.red_primary[1][:2], (0.682, 0.319), atol=0.002)

"""What a header promises is known before anything is allocated for it."""

from __future__ import annotations

import io
import resource
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pleinair.errors import MediaError
from pleinair.picture_size import picture_size
from pleinair.pictures import read_picture
from pleinair.reading import Malformed
from pleinair.runtime.sources.opening import open_source


def png(width: int, height: int) -> bytes:
    """A whole PNG of zeros, which shrink to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packer, data = zlib.compressobj(9), b""
    for _ in range(height):
        data += packer.compress(bytes(1 + width // 8))
    data += packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (640, 359)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_size_that_a_decoder_finds(suffix, size, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], channels), np.uint8)
    good, data = cv2.imencode(suffix, pixels)
    assert good
    assert picture_size(data.tobytes()) == size


@pytest.mark.parametrize("size", [(16, 16), (64, 200), (641, 359)])
def test_avif(size):
    file = io.BytesIO()
    Image.new("RGB", size, (90, 120, 40)).save(file, "AVIF")
    assert picture_size(file.getvalue()) == size


def test_heic_says_the_size_of_the_whole_and_not_of_a_tile():
    def box(kind: bytes, *content: bytes) -> bytes:
        data = b"".join(content)
        return struct.pack(">I4s", 8 + len(data), kind) + data

    tile, whole = (
        box(b"ispe", bytes(4), struct.pack(">II", *s)) for s in ((512, 512), (4032, 3024))
    )
    start = box(b"ftyp", b"heic", bytes(4))
    file = start + box(b"meta", bytes(4), box(b"iprp", box(b"ipco", tile, whole)))
    assert picture_size(file) == (4032, 3024)
    for cut in (len(start), len(start) + 8):
        with pytest.raises(Malformed, match="cut off before its size"):
            picture_size(file[:cut])


def test_an_avif_that_is_larger_than_allowed_is_not_decoded(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.avif")
    with pytest.raises(MediaError, match=r"64x48 pixels, more than 3000; .*--max-pixels"):
        read_picture(tmp_path / "a.avif", max_pixels=3000)
    assert read_picture(tmp_path / "a.avif", max_pixels=3072)[0].shape == (48, 64, 3)


def test_webp_without_loss():
    pixels = np.zeros((33, 77, 3), np.uint8)
    data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 101])[1]
    assert picture_size(data.tobytes()) == (77, 33)


def test_a_header_that_promises_too_much_costs_nothing(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(24000, 24000))
    assert path.stat().st_size < 200_000
    with pytest.raises(
        MediaError, match=r"24000x24000 pixels, more than 268435456; .*--max-pixels"
    ):
        read_picture(path)
    code = (
        "import sys; from pathlib import Path; from pleinair.pictures import read_picture\n"
        "from pleinair.errors import MediaError\n"
        "try: read_picture(Path(sys.argv[1]))\nexcept MediaError: print('refused')"
    )

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (400 * 2**20, 400 * 2**20))

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        preexec_fn=little,
        check=False,
    )
    assert done.stdout == "refused\n", done.stderr


def test_more_can_be_allowed_and_less(tmp_path, make_video):
    path = tmp_path / "a.png"
    path.write_bytes(png(64, 64))
    assert read_picture(path, 64 * 64)[0].shape == (64, 64, 3)
    with pytest.raises(MediaError, match="more than 4095"):
        read_picture(path, 64 * 64 - 1)
    video = make_video(tmp_path / "v.mp4", (64, 48))
    with pytest.raises(MediaError, match="frames have 64x48 pixels"):
        open_source(str(video), max_pixels=64 * 48 - 1)


def test_the_command_says_it_too(tmp_path, cli):
    (tmp_path / "a.png").write_bytes(png(64, 64))
    run = cli("translate", tmp_path / "a.png", tmp_path / "b.png", "--max-pixels", 100)
    assert (run.code, "64x64 pixels, more than 100" in run.error()) == (1, True)


@given(st.binary(max_size=64), st.sampled_from([b"\xff\xd8", b"RIFF1234WEBP", b"BM", b"II*\0"]))
def test_any_header_is_a_size_or_words(data, magic):
    for content in (data, magic + data, b"\x89PNG\r\n\x1a\n" + data, b"MM\0+" + data):
        try:
            width, height = picture_size(content)
        except Malformed:
            continue
        assert width >= 0
        assert height >= 0


def tiff(
    size: tuple[int, int] = (4000, 4000),
    before: tuple[tuple[int, int, int], ...] = (),
    after: tuple[tuple[int, int, int], ...] = (),
) -> bytes:
    """A whole TIFF of grey zeros, with more tags: their numbers, kinds and values."""
    tags = [(256, 4, size[0]), (257, 4, size[1]), (258, 3, 8), (259, 3, 8), (262, 3, 1)]
    tags += [(273, 4, 0), (277, 3, 1), (278, 4, size[1]), (279, 4, 0)]
    tags, data = [*before, *tags, *after], zlib.compress(bytes(size[0] * size[1]))
    begin = 8 + 2 + 12 * len(tags) + 4
    known = {273: begin, 279: len(data)}
    rows = [struct.pack("<HHII", tag, kind, 1, known.get(tag, n)) for tag, kind, n in tags]
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(rows) + bytes(4) + data


def big_tiff(size: tuple[int, int], kind: int) -> bytes:
    """A BigTIFF of the other byte order, whose size is of a kind of number."""
    data = zlib.compress(bytes(size[0] * size[1]))
    begin = 16 + 8 + 20 * 9 + 8
    tags = [(256, kind, size[0]), (257, kind, size[1]), (258, 3, 8), (259, 3, 8), (262, 3, 1)]
    tags += [(273, 16, begin), (277, 3, 1), (278, 4, size[1]), (279, 16, len(data))]
    forms = {3: ">HHQH6x", 4: ">HHQI4x", 16: ">HHQQ", 17: ">HHQq"}
    rows = [struct.pack(forms[k], tag, k, 1, value) for tag, k, value in tags]
    head = b"MM\0+" + struct.pack(">HHQQ", 8, 0, 16, len(tags))
    return head + b"".join(rows) + bytes(8) + data


def two_sized_jpeg() -> bytes:
    """A JPEG of 4000x4000, with another size where FF 00 would have a length, if it had one."""
    data = cv2.imencode(".jpg", np.zeros((4000, 4000, 3), np.uint8))[1].tobytes()[2:]
    end = data.index(b"\xff\xc0") + 19
    other = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 16, 16, 3) + b"\1\x11\0\2\x11\1\3\x11\1"
    comment = b"\xff\xfe" + struct.pack(">H", 2 + len(other)) + other
    return b"\xff\xd8\xff\0" + struct.pack(">H", end + 6) + data[:end] + comment + data[end:]


def two_sized_png() -> bytes:
    """A PNG of 4000x4000 behind a text that says another size where a PNG says its own."""
    whole, text = png(4000, 4000), struct.pack(">II", 16, 16) + b"text"
    check = struct.pack(">I", zlib.crc32(b"teXt" + text))
    return whole[:8] + struct.pack(">I", len(text)) + b"teXt" + text + check + whole[8:]


LYING = {
    "jpeg": two_sized_jpeg(),
    "png": two_sized_png(),
    "tiff, smaller before": tiff(before=((256, 4, 16), (257, 4, 16))),
    "tiff, smaller after": tiff(after=((256, 4, 16), (257, 4, 16))),
    "tiff, 64 bits": tiff(after=((256, 16, 16),)),
    "tiff, signed": big_tiff((4000, 4000), 17),
    "tiff, tiles": tiff((16, 16), after=((322, 4, 65536), (323, 4, 4096))),
    "tiff, tags": tiff((16, 16), after=((1, 3, 1),) * 5000),
}


@pytest.mark.parametrize("kind", LYING)
def test_no_second_size_gets_past_the_limit(tmp_path, kind):
    """Decoders of one format take another place for its size: what each of them takes counts."""
    (tmp_path / "a").write_bytes(LYING[kind])
    with pytest.raises(MediaError, match=r"4000x4000 pixels|cannot be decoded as a picture: it"):
        read_picture(tmp_path / "a", max_pixels=1_000_000)


def test_those_pictures_are_read_where_they_say_one_size(tmp_path):
    """The samples themselves: each lies in one thing only."""
    for data in (tiff(), big_tiff((4000, 4000), 16), big_tiff((4000, 4000), 4), png(4000, 4000)):
        (tmp_path / "a").write_bytes(data)
        assert read_picture(tmp_path / "a")[0].shape == (4000, 4000, 3)
    assert picture_size(tiff((16, 16), after=((322, 4, 64), (323, 4, 64)))) == (16, 16)

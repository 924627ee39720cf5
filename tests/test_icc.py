"""Pictures with a colour profile are painted, and written, as sRGB."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from pleinair.heif import icc_of
from pleinair.icc import can_convert
from pleinair.pictures import read_picture, write_picture

# RGB -> XYZ (D50) of each profile's primaries, and the exponent of its curve.
P3 = ([0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407], 2.2)
ADOBE = ([0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457], 2.2)


def icc(rows, gamma: float, space: bytes = b"RGB ") -> bytes:
    """A small ICC profile, version 2, of a matrix and a curve."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    name = b"test\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {b"desc": described, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz([0.9642, 1, 0.8249])}
    if space == b"RGB ":
        for letter, column in zip(b"rgb", np.transpose(rows), strict=True):
            tags[bytes([letter]) + b"XYZ"] = xyz(column)
            tags[bytes([letter]) + b"TRC"] = curve
    else:
        tags[b"kTRC"] = curve
    table, body, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02100000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1) + fixed(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def smooth() -> np.ndarray:
    y, x = np.mgrid[:48, :64]
    return np.dstack([40 + x * 3, 60 + y * 3, 200 - x - y]).astype(np.uint8)


def numbers_in(profile: bytes, rgb: np.ndarray) -> np.ndarray:
    """What sRGB pixels are in a profile."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    source = ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(Image.fromarray(rgb), source, target))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("primaries", [P3, ADOBE], ids=["p3", "adobe"])
def test_a_profile_is_applied(tmp_path, suffix, primaries):
    profile = icc(primaries[:3], primaries[3])
    rgb = smooth()
    stored = numbers_in(profile, rgb)
    assert np.abs(stored.astype(int) - rgb).max() > 10  # or it would not be seen
    quality = {"quality": 100, "lossless": True} if suffix == ".webp" else {"quality": 98}
    Image.fromarray(stored).save(tmp_path / f"x{suffix}", icc_profile=profile, **quality)
    found, _ = read_picture(tmp_path / f"x{suffix}")
    apart = np.abs(found.astype(int) - rgb)
    assert apart.mean() < 1.5
    assert np.percentile(apart, 99) < 6


def test_alpha_and_orientation_stay_beside_a_profile(tmp_path):
    profile, rgb = icc(P3[:3], P3[3]), smooth()
    stored = np.dstack([numbers_in(profile, rgb), rgb[..., 0]])
    tag = Image.Exif()
    tag[274] = 6
    Image.fromarray(stored).save(tmp_path / "x.png", icc_profile=profile, exif=tag)
    found, alpha = read_picture(tmp_path / "x.png")
    assert np.abs(found.astype(int) - np.rot90(rgb, -1)).mean() < 1.5
    assert np.array_equal(alpha, np.rot90(rgb[..., 0], -1))


def test_grey_with_a_gamma_of_its_own(tmp_path):
    grey = np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(8, 0)
    Image.fromarray(grey).save(tmp_path / "x.png", icc_profile=icc(None, 1.8, b"GRAY"))
    found, _ = read_picture(tmp_path / "x.png")
    linear = (grey[0] / 255) ** 1.8
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(found[0] - 255 * srgb[:, None]).max() < 2


def test_what_says_srgb_keeps_every_number(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(smooth()).save(tmp_path / "x.png", icc_profile=profile)
    assert np.array_equal(read_picture(tmp_path / "x.png")[0], smooth())


@pytest.mark.parametrize("profile", [b"", b"no profile", icc(P3[:3], 2.2)[:200]])
def test_a_damaged_profile_is_as_none(tmp_path, profile):
    Image.fromarray(smooth()).save(tmp_path / "x.png", icc_profile=profile)
    assert np.array_equal(read_picture(tmp_path / "x.png")[0], smooth())


def test_a_profile_of_another_colour_space_is_as_none(tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "x.png", icc_profile=icc(None, 1.0, b"GRAY"))
    assert np.array_equal(read_picture(tmp_path / "x.png")[0], smooth())


def test_cmyk_without_a_profile_is_as_before(tmp_path):
    Image.fromarray(smooth()).convert("CMYK").save(tmp_path / "x.jpg", quality=98)
    found, _ = read_picture(tmp_path / "x.jpg")
    assert np.abs(found.astype(int) - smooth()).mean() < 3


def test_what_is_written_is_srgb(tmp_path):
    assert can_convert()
    write_picture(tmp_path / "x.jpg", smooth())
    with Image.open(tmp_path / "x.jpg") as written:
        assert "icc_profile" not in written.info
    assert cv2.imread(str(tmp_path / "x.jpg")) is not None


def test_a_profile_in_heic_is_applied(tmp_path, make_heic):
    profile = icc(P3[:3], P3[3])
    (tmp_path / "x.heic").write_bytes(make_heic(numbers_in(profile, smooth()), profile=profile))
    apart = np.abs(read_picture(tmp_path / "x.heic")[0].astype(int) - smooth())
    assert apart.mean() < 2.5
    assert icc_of((tmp_path / "x.heic").read_bytes()) == profile


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_a_profile_is_kept_if_asked_for(tmp_path, suffix, cli):
    """What is shown by the profile is the picture; its numbers are not sRGB's."""
    profile, rgb = icc(P3[:3], P3[3]), smooth()
    pixels, kept = numbers_in(profile, rgb), tmp_path / f"kept{suffix}"
    if suffix in (".png", ".webp"):
        pixels = np.dstack([pixels, rgb[..., 0] | 1])
    how = {"quality": 98, "lossless": True} if suffix == ".webp" else {"quality": 98}
    Image.fromarray(pixels).save(tmp_path / f"x{suffix}", icc_profile=profile, **how)
    way = ("--model", "monet-conv", "--strength", 0, "--keep-profile")
    done = cli("translate", tmp_path / f"x{suffix}", kept, *way)
    assert (done.code, done.err) == (0, "")
    with Image.open(kept) as written:
        assert written.info["icc_profile"] == profile
        numbers = np.asarray(written.convert("RGB")).astype(int)
    before, alpha = read_picture(tmp_path / f"x{suffix}")
    found, alpha_kept = read_picture(kept)
    assert np.abs(found.astype(int) - before).mean() < 2
    assert np.abs(numbers - found).max() > 10
    assert alpha is None or np.array_equal(alpha, alpha_kept)


def test_a_profile_that_cannot_be_kept_is_said(tmp_path, cli):
    grey = Image.fromarray(smooth()[..., 0])
    grey.save(tmp_path / "grey.png", icc_profile=icc(None, 1.8, b"GRAY"))
    Image.fromarray(smooth()).save(tmp_path / "p3.png", icc_profile=icc(P3[:3], P3[3]))
    Image.fromarray(smooth()).save(tmp_path / "none.png")
    way = ("--model", "monet-conv", "--strength", 0, "--keep-profile")
    for name, out, said in (
        ("grey.png", "a.png", "cannot be kept, as it is of GRAY and a painting is of RGB"),
        ("p3.png", "b.bmp", "cannot be kept, as a .bmp has none; it will be sRGB"),
        ("none.png", "c.png", ""),
    ):
        done = cli("translate", tmp_path / name, tmp_path / out, *way)
        assert done.code == 0
        assert said in " ".join(done.err.split())
        assert bool(said) == bool(done.err)
        with Image.open(tmp_path / out) as written:
            assert "icc_profile" not in written.info

"""Colour profiles of pictures: what they mean is painted in sRGB, and back (ground floor).

Little CMS converts, which Pillow carries. It is loaded for pictures with a profile only.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .heif import icc_of
from .named_colours import named_profile

Pixels = npt.NDArray[Any]

# How the formats mark a profile: JPEG, PNG, WebP; in TIFF and elsewhere its own signature.
_MARKS = (b"ICC_PROFILE\0", b"iCCP", b"ICCP", b"acsp")
_EARLY = 4096  # bytes of a PNG in which its profile begins, as it stands before the pixels
MISSING = (
    "has a colour profile, which this Pillow cannot apply: install PyPI's, which has Little CMS;"
    " its colours are taken as sRGB"
)


def has_profile(data: bytes) -> bool:
    """Whether a picture's file holds a colour profile, as far as its bytes tell."""
    return any(mark in data for mark in _MARKS) or bool(named_profile(data))


def can_convert() -> bool:
    """Whether Pillow was built with the library that applies profiles, as its wheels are."""
    from PIL import features

    return bool(features.check("littlecms2"))


def to_srgb(data: bytes, rgb: Pixels) -> Pixels:
    """Converts a decoded picture from its profile to sRGB.

    Args:
        data: Its file.
        rgb: Its pixels as they are stored, uint8 [H, W, 3] or grey [H, W]; of CMYK whatever
            the decoder made.

    Returns:
        uint8 RGB [H, W, 3]; the pixels as they came where the file has no profile that fits them,
        or says sRGB, or where nothing here can apply it.
    """
    if not has_profile(data) or not can_convert():
        return rgb
    from PIL import Image, ImageCms

    try:
        with _opened(data) as (icc, mode, picture):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if _is_srgb(profile):
                return rgb
            stored = _as_stored(profile.profile.xcolor_space.strip(), mode, rgb, picture)
        if stored is None:
            return rgb
        return _converted(stored, profile, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return rgb  # a damaged profile: viewers take the numbers as sRGB, too


def from_srgb(rgb: Pixels, icc: bytes) -> Pixels:
    """Converts uint8 RGB [H, W, 3] from sRGB to the numbers that a profile means by it.

    Args:
        rgb: The pixels.
        icc: What ``own_profile`` returned.
    """
    from PIL import Image, ImageCms

    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    return _converted(picture, ImageCms.createProfile("sRGB"), profile)


def own_profile(data: bytes) -> tuple[bytes, str]:
    """Returns the ICC profile that a picture's painting can be written in.

    Args:
        data: The picture's file.

    Returns:
        The profile, and why there is none: empty too if the file has none, or sRGB's.
    """
    if not has_profile(data) or not can_convert():
        return b"", ""
    from PIL import Image, ImageCms

    try:
        with _opened(data) as (icc, _, _):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            space = profile.profile.xcolor_space.strip()
            if _is_srgb(profile):
                return b"", ""
            if space != "RGB":
                return b"", f"it is of {space} and a painting is of RGB"
            _converted(Image.new("RGB", (1, 1)), ImageCms.createProfile("sRGB"), profile)
            return icc, ""
    except ImageCms.PyCMSError:
        return b"", "it can be read and not written"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return b"", ""


def is_taken(data: bytes) -> bool:
    """Whether the profile that a picture's file holds can be read, and is one for its pixels."""
    from PIL import Image

    try:
        with _opened(data) as (icc, mode, _):
            return mode == "LAB" or _fits(icc, mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return b"iCCP" not in data[:_EARLY]  # else it only looked like one


def _fits(icc: bytes, mode: str) -> bool:
    """Whether a profile can convert pixels of one of Pillow's modes."""
    from PIL import Image, ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space, dot = profile.profile.xcolor_space.strip(), np.zeros((1, 1, 3), np.uint8)
        stored = _as_stored(space, mode, dot, Image.new("CMYK", (1, 1)))
        if stored is not None:
            _converted(stored, profile, ImageCms.createProfile("sRGB"))
        return stored is not None
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False


@contextlib.contextmanager
def _opened(data: bytes) -> Iterator[tuple[bytes, str, Any]]:
    """Yields a file's profile, Pillow's mode of its pixels, and the picture if Pillow knows it.

    Raises:
        OSError: It has no profile, or is not a picture.
    """
    from PIL import Image

    if data[4:8] == b"ftyp":
        picture, icc, mode = None, icc_of(data) or named_profile(data), "RGB"
    else:
        picture = Image.open(io.BytesIO(data))
        icc = named_profile(data) or picture.info.get("icc_profile", b"")
        mode = picture.mode
    with picture or contextlib.nullcontext():
        if not icc:
            raise OSError
        yield icc, mode, picture


def _converted(picture: Any, source: Any, target: Any) -> Pixels:
    from PIL import ImageCms

    return np.array(  # a copy: Pillow's own pixels cannot be written, which PyTorch warns of
        ImageCms.profileToProfile(
            picture,
            source,
            target,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    )


def _as_stored(space: str, mode: str, rgb: Pixels, picture: Any) -> Any:
    """The picture in the profile's own colour space; None if it is another's."""
    from PIL import Image

    if space == "CMYK" and mode == "CMYK":
        return picture.copy()
    if space == "GRAY" and mode in ("1", "L", "LA", "I;16", "I;16B", "I"):
        return Image.fromarray(np.ascontiguousarray(rgb[..., 0] if rgb.ndim == 3 else rgb))
    if space == "RGB" and mode not in ("CMYK", "LAB", "YCCK"):
        return Image.fromarray(np.ascontiguousarray(rgb))
    return None


def _is_srgb(profile: Any) -> bool:
    said = profile.profile.profile_description or ""
    return re.search(r"\bsRGB\b", said, re.IGNORECASE) is not None

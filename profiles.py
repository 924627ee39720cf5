"""Colour profiles of pictures: what they mean is painted in sRGB (ground floor).

Little CMS converts, which Pillow carries. It is loaded for pictures with a profile only.
"""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]

# How the formats mark a profile: JPEG, PNG, WebP; in TIFF and elsewhere its own signature.
_MARKS = (b"ICC_PROFILE\0", b"iCCP", b"ICCP", b"acsp")
MISSING = (
    "has a colour profile, which this Pillow cannot apply: install PyPI's, which has Little CMS;"
    " its colours are taken as sRGB"
)


def has_profile(data: bytes) -> bool:
    """Whether a picture's file holds a colour profile, as far as its bytes tell."""
    return any(mark in data for mark in _MARKS)


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
        with Image.open(io.BytesIO(data)) as picture:
            icc, mode = picture.info.get("icc_profile"), picture.mode
            if not icc:
                return rgb
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            if _is_srgb(profile):
                return rgb
            stored = _as_stored(profile.profile.xcolor_space.strip(), mode, rgb, picture)
        if stored is None:
            return rgb
        converted = ImageCms.profileToProfile(
            stored,
            profile,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return rgb  # a damaged profile: viewers take the numbers as sRGB, too
    return np.asarray(converted)


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

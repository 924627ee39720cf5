"""Pictures that OpenCV misreads, or does not read at all (ground floor).

In TIFF, OpenCV multiplies colours by their alpha, and takes CIELAB for RGB. Pillow reads both
correctly, but has no 16 bits of colour. Each knows compressions that the other does not.
"""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PHOTOMETRIC, _EXTRA_SAMPLES = 262, 338
_LAB = frozenset({8, 9, 10})
_CHUNK = struct.Struct(">I4s")


def is_rare(data: bytes) -> bool:
    """Whether a TIFF has alpha or is of CIELAB, in as many bits as Pillow reads."""
    if data[:4] not in TIFF:
        return False
    picture = _opened(data)
    if picture is None or picture.mode in ("I;16", "I;16B", "F"):
        return False
    tags = picture.tag_v2
    return tags.get(_PHOTOMETRIC) in _LAB or _EXTRA_SAMPLES in tags


def by_pillow(data: bytes) -> Pixels | None:
    """Decodes a TIFF or BMP: uint8 BGR or BGRA [H, W, C], or 32 bits of grey [H, W] from 0 to 1.

    Returns:
        None if it is neither, or Pillow does not know it either.
    """
    picture = _opened(data) if data[:4] in TIFF or data[:2] == b"BM" else None
    if picture is None:
        return None
    try:
        if picture.mode == "F":
            return np.dstack([np.asarray(picture)] * 3)
        if picture.mode in ("I", "I;16", "I;16B"):  # with no telling how bright 1 is
            return None
        if picture.mode == "LAB":
            picture = _of_lab(picture)
        has_alpha = picture.mode in ("RGBA", "RGBa", "LA", "La", "PA")
        pixels = np.asarray(picture.convert("RGBA" if has_alpha else "RGB"))
    except (OSError, ValueError, SyntaxError, MemoryError):
        return None
    order = [2, 1, 0, 3] if has_alpha else [2, 1, 0]
    return np.ascontiguousarray(pixels[..., order])


def is_inverted(data: bytes) -> bool:
    """Whether 0 is white in a TIFF of grey; OpenCV minds that in 8 bits and fewer."""
    picture = _opened(data) if data[:4] in TIFF else None
    return picture is not None and picture.tag_v2.get(_PHOTOMETRIC) == 0


def _opened(data: bytes) -> Any:
    from PIL import Image

    try:
        with warnings.catch_warnings():  # of large ones: their size has been looked at
            warnings.simplefilter("ignore")
            return Image.open(io.BytesIO(data), formats=["TIFF", "BMP"])
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError, TypeError, KeyError):
        return None


def _of_lab(picture: Any) -> Any:
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    try:
        return ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    except ImageCms.PyCMSError as error:
        raise ValueError from error


def grey_alpha(png: bytes, grey: Pixels) -> Pixels | None:
    """Returns the alpha of a PNG of grey that names one shade as transparent; None without one.

    Args:
        png: The file, known to be whole.
        grey: As decoded, [H, W], fewer than 8 bits spread over 8.

    Returns:
        uint8 or uint16 [H, W], as ``grey`` is.
    """
    depth, kind, at = png[24], png[25], 8
    while kind == 0 and at + 8 <= len(png):
        length, name = _CHUNK.unpack_from(png, at)
        if name == b"tRNS" and length == 2:
            (shade,) = struct.unpack_from(">H", png, at + 8)
            if depth < 8:
                shade = shade * 255 // (2**depth - 1)
            return np.where(grey == shade, 0, np.iinfo(grey.dtype).max).astype(grey.dtype)
        at += 12 + length
    return None

"""Pictures: how they are passed around, read and written (ground floor).

What is read: 8 or 16 bits, grey, colour or palette, with or without alpha, turned as EXIF says.
What goes on: 8-bit sRGB, and the alpha channel beside it, which is never painted. 16 bits are
rounded to 8. Formats without alpha (JPEG, BMP) get the picture laid over white.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from .errors import MediaError
from .files import NameTaken, durable
from .orientation import Orientation, stored_orientation
from .picture_size import MOST, picture_size
from .profiles import to_srgb
from .reading import Malformed

# uint8 RGB [H, W, 3]. The element type is left open, as OpenCV's own annotations leave it.
Pixels = npt.NDArray[Any]
Frames = npt.NDArray[Any]  # uint8 RGB [1, H, W, 3], what a frame graph takes and returns
Alpha = npt.NDArray[Any]
Thing = TypeVar("Thing")
_PNG = b"\x89PNG\r\n\x1a\n"
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_KEEPS_ALPHA = frozenset({".png", ".webp", ".tif", ".tiff"})

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
READ_ONLY = frozenset({".heic", ".heif", ".avif"})
# What is wrong with a file or camera is said by our own errors.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def is_picture(path: Path) -> bool:
    """Says by its name whether a file is a picture."""
    return path.suffix.lower() in SUFFIXES | READ_ONLY and not path.name.startswith(".")


def list_pictures(folder: Path) -> list[Path]:
    """Returns the pictures directly in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_picture(path))


def spread(things: Sequence[Thing], count: int) -> list[Thing]:
    """Returns at most ``count`` of some things, evenly spread over them, every time the same."""
    count = min(count, len(things))
    return [things[i * len(things) // count] for i in range(count)]


def read_picture(path: Path, max_pixels: int = MOST) -> tuple[Pixels, Alpha | None]:
    """Reads a picture as RGB [H, W, 3] and its alpha [H, W], if it has one.

    Args:
        path: The file.
        max_pixels: How large it may be; a larger one costs nothing but its header.

    Raises:
        MediaError: The file is missing, empty, too large, or no picture that can be decoded.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror or error}") from error
    if not data.size:
        raise MediaError(f"{path} is empty")
    _check_size(path, data, max_pixels)
    is_jpeg = data[:2].tobytes() == b"\xff\xd8"  # which has no alpha: no need to look for it
    pixels = None if is_jpeg else _decode(data, cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim == 2 or pixels.shape[2] != 4:
        pixels = _decode(data, _AS_STORED)
    if pixels is None and data[4:8].tobytes() == b"ftyp":
        pixels = _decode_heif(data.tobytes(), path, max_pixels)
    if pixels is None:
        raise MediaError(f"{path} cannot be decoded as a picture; it may be damaged")
    file, pixels = data.tobytes(), _to_8_bit(pixels)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    rgb = to_srgb(file, cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB))
    # OpenCV turns TIFF pictures itself, whatever it is asked for.
    is_tiff = file[:4] in (b"II*\0", b"MM\0*")
    turn = Orientation() if is_tiff else stored_orientation(file)
    return turn(rgb), None if alpha is None else np.ascontiguousarray(turn(alpha))


def _check_size(path: Path, data: Alpha, max_pixels: int) -> None:
    try:
        width, height = picture_size(data.data)
    except Malformed as error:
        raise MediaError(f"{path} cannot be decoded as a picture: {error}") from None
    if width * height > max_pixels:
        raise _too_large(path, width, height, max_pixels)


def _too_large(path: Path, width: int, height: int, max_pixels: int) -> MediaError:
    return MediaError(
        f"{path} says that it has {width}x{height} pixels, more than {max_pixels};"
        " to paint it all the same, use translate with --max-pixels"
    )


def write_picture(
    path: Path,
    rgb: Pixels,
    alpha: Alpha | None = None,
    ground: Sequence[int] = (255, 255, 255),
    replace: bool = True,
    ready: Callable[[Path], None] = lambda temporary: None,
) -> None:
    """Writes a picture in the format of its suffix, durably.

    Args:
        path: Where to.
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W], if it has one.
        ground: What it is laid over where the format has no alpha.
        replace: Whether an existing file may be replaced.
        ready: Called with the complete file just before it gets its name.

    Raises:
        MediaError: The format is unknown or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MediaError(f"{path}: pictures are written as {', '.join(sorted(SUFFIXES))}")
    if alpha is not None and suffix in _KEEPS_ALPHA:
        pixels = np.dstack([rgb[..., ::-1], alpha])
    else:
        if alpha is not None:
            rgb = over(rgb, alpha, ground)
        pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    try:
        good, data = cv2.imencode(suffix, pixels, options)
    except cv2.error as error:
        raise MediaError(f"{path} cannot be encoded: {error.err}") from error
    if not good:
        raise MediaError(f"{path} cannot be encoded as {suffix}")
    try:
        with durable(path, replace=replace, ready=ready) as temporary:
            temporary.write_bytes(data.tobytes())  # unlike tofile it says why it fails
    except NameTaken:
        raise MediaError(
            f"{path} cannot be written: another program wrote a file of this name meanwhile;"
            " add --overwrite"
        ) from None
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {error.strerror or error}") from error


def _decode(data: Alpha, flags: int) -> npt.NDArray[Any] | None:
    if data[:8].tobytes() == _PNG and not _is_whole_png(data.tobytes()):
        return None  # libpng would say so on stderr
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:
        return None  # OpenCV raises for some damaged files and for sizes beyond its limit


def _decode_heif(data: bytes, path: Path, max_pixels: int) -> npt.NDArray[Any] | None:
    """Decodes what OpenCV may not know, by FFmpeg; None if that does not know it either."""
    import av

    try:
        with av.open(io.BytesIO(data), "r") as file:
            tiles = len(file.streams.video)
            for one in file.streams.video:  # what is coded may be larger than the header says
                width, height = one.codec_context.width, one.codec_context.height
                if width * height > max_pixels:
                    raise _too_large(path, width, height, max_pixels)
            frames = [frame.to_ndarray(format="bgr24") for frame in islice(file.decode(video=0), 1)]
    except (av.error.FFmpegError, OSError, ValueError, IndexError):
        return None
    if tiles > 2:  # a second one is alpha
        raise MediaError(
            f"{path} is a HEIC picture of {tiles} tiles, which nothing here puts together; save it"
            " as JPEG or PNG"
        )
    return frames[0] if frames else None


def _is_whole_png(data: bytes) -> bool:
    """Whether its chunks reach the last one, with good check sums."""
    at = len(_PNG)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end) if end + 4 <= len(data) else (None,)
        if zlib.crc32(data[at + 4 : end]) != checksum:
            return False
        if kind == b"IEND":
            return True
        at = end + 4
    return False


def _to_8_bit(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return (np.clip(pixels.astype(np.float32), 0, 1) * 255 + 0.5).astype(np.uint8)  # float TIFF


def over(rgb: Pixels, alpha: Alpha, ground: Sequence[int] = (255, 255, 255)) -> Pixels:
    """Lays uint8 RGB [H, W, 3] by its alpha [H, W] over one colour."""
    share = alpha[..., None].astype(np.float32) / 255
    laid: Pixels = (rgb * share + np.array(ground, np.float32) * (1 - share) + 0.5).astype(np.uint8)
    return laid

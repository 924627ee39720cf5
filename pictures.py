"""Pictures: how they are passed around, read and written (ground floor).

What is read: 8 or 16 bits, grey, colour or palette, with or without alpha, turned as EXIF says.
What goes on: 8-bit sRGB, and the alpha channel beside it, which is never painted. 16 bits are
rounded to 8. What is written is sRGB, or in a given profile. Formats without alpha (JPEG, BMP) get
the picture laid over white.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from .errors import MediaError, os_errors_as
from .files import NameTaken, durable
from .heif import Grid, alpha_of, primary
from .icc import from_srgb, to_srgb
from .orientation import Orientation, stored_orientation
from .picture_size import GIF, MOST, picture_size
from .rare_pictures import TIFF, by_pillow, grey_alpha, is_inverted, is_rare
from .reading import Malformed

# uint8 RGB [H, W, 3]. The element type is left open, as OpenCV's own annotations leave it.
Pixels = npt.NDArray[Any]
Frames = npt.NDArray[Any]  # uint8 RGB [1, H, W, 3], what a frame graph takes and returns
Alpha = npt.NDArray[Any]
Thing = TypeVar("Thing")
_PNG = b"\x89PNG\r\n\x1a\n"
_HEADS = (b"\xff\xd8\xff", _PNG, *GIF, *TIFF)
_BRANDS = frozenset({b"avif", b"heic", b"heix", b"mif1"})
_DECODED = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})  # beside what every PNG has
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
_KEEPS_ALPHA = frozenset({".png", ".webp", ".tif", ".tiff"})
KEEPS_PROFILE = _KEEPS_ALPHA | {".jpg", ".jpeg"}
_LONGEST = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # pixels of a side
# OpenCV's options; with colours of half the size, strokes would have no sharp edges.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]
_JPEG += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
# What Pillow does otherwise than OpenCV, if it is not told so.
_PILLOWS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 97, "subsampling": 0},  # a profile's rounding, there and back, adds to it
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_lzw"},
}

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
READ_ONLY = frozenset({".heic", ".heif", ".avif", ".jfif", ".jpe", ".mpo"})
# What is wrong with a file or camera is said by our own errors.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def is_picture(path: Path) -> bool:
    """Says by its name whether a file is a picture."""
    return path.suffix.lower() in SUFFIXES | READ_ONLY and not path.name.startswith(".")


def holds_picture(path: Path) -> bool:
    """Whether a file begins as a picture does, whatever its name."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    if head[4:8] == b"ftyp":
        return head[8:] in _BRANDS
    return head.startswith(_HEADS) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")


def list_pictures(folder: Path) -> list[Path]:
    """Returns the pictures directly in a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_picture(path))


def spread(things: Sequence[Thing], count: int) -> list[Thing]:
    """Returns at most ``count`` of some things, evenly spread over them, every time the same."""
    count = min(count, len(things))
    return [things[i * len(things) // count] for i in range(count)]


def thinned(things: Sequence[Thing], most: int) -> Sequence[Thing]:
    """Returns every n-th of some things from the first on, at most so many."""
    return things[:: -(-len(things) // most)]


def read_picture(path: Path, max_pixels: int = MOST) -> tuple[Pixels, Alpha | None]:
    """Reads a picture as RGB [H, W, 3] and its alpha [H, W], if it has one.

    Args:
        path: The file.
        max_pixels: How large it may be; a larger one costs nothing but its header.

    Raises:
        MediaError: The file is missing, empty, too large, or no picture that can be decoded.
    """
    with os_errors_as(MediaError, f"{path} cannot be read"):
        data = np.fromfile(path, np.uint8)
    if not data.size:
        raise MediaError(f"{path} is empty")
    _check_size(path, data, max_pixels)
    file = data.tobytes()
    pixels = _decode(data, file)
    if pixels is None and file[4:8] == b"ftyp":
        pixels = _decode_heif(file, path, max_pixels)
    if pixels is None:
        raise MediaError(
            f"{path} cannot be decoded as a picture; it may be damaged, or of a rare kind: save it"
            " as PNG"
        )
    height, width = pixels.shape[:2]
    if width * height > max_pixels:  # whatever its header says
        raise _too_large(path, width, height, max_pixels)
    pixels = _to_8_bit(pixels)
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    rgb = to_srgb(file, cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB))
    # OpenCV and Pillow turn TIFF pictures themselves, whatever they are asked for.
    turn = Orientation() if file[:4] in TIFF else stored_orientation(file)
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


def check_sides(path: Path, width: int, height: int, instead: str = ".png") -> None:
    """Refuses to write what is longer than a format can say; names another one instead.

    Raises:
        MediaError: It is.
    """
    most = _LONGEST.get(path.suffix.lower())
    if most and max(width, height) > most:
        raise MediaError(
            f"{path} cannot be written: a {path.suffix} has at most {most} pixels on a side, and"
            f" this has {width}x{height}; give a {instead}"
        )


def write_picture(
    path: Path,
    rgb: Pixels,
    alpha: Alpha | None = None,
    ground: Sequence[int] = (255, 255, 255),
    replace: bool = True,
    ready: Callable[[Path], None] = lambda temporary: None,
    profile: bytes = b"",
) -> None:
    """Writes a picture in the format of its suffix, durably.

    Args:
        path: Where to.
        rgb: uint8 [H, W, 3].
        alpha: uint8 [H, W], if it has one.
        ground: What it is laid over where the format has no alpha.
        replace: Whether an existing file may be replaced.
        ready: Called with the complete file just before it gets its name.
        profile: The ICC profile of RGB to write it in, where the format has any; else it is sRGB.

    Raises:
        MediaError: The format is unknown or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MediaError(f"{path}: pictures are written as {', '.join(sorted(SUFFIXES))}")
    check_sides(path, rgb.shape[1], rgb.shape[0])
    if alpha is not None and suffix not in _KEEPS_ALPHA:
        rgb, alpha = over(rgb, alpha, ground), None
    try:
        data = _encode(suffix, rgb, alpha, profile if suffix in KEEPS_PROFILE else b"")
    except (cv2.error, OSError, ValueError) as error:
        raise MediaError(f"{path} cannot be encoded: {getattr(error, 'err', error)}") from error
    try:
        with durable(path, replace=replace, ready=ready) as temporary:
            temporary.write_bytes(data)  # unlike tofile it says why it fails
    except NameTaken:
        raise MediaError(
            f"{path} cannot be written: another program wrote a file of this name meanwhile;"
            " add --overwrite"
        ) from None
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {error.strerror or error}") from error


def _encode(suffix: str, rgb: Pixels, alpha: Alpha | None, profile: bytes) -> bytes:
    """Encodes a picture: by OpenCV, or with a profile by Pillow, in the same ways."""
    is_jpeg = suffix in (".jpg", ".jpeg")
    if profile:
        from PIL import Image

        rgb = from_srgb(rgb, profile)
        form = Image.registered_extensions()[suffix]
        pixels = rgb if alpha is None else np.dstack([rgb, alpha])
        how: dict[str, Any] = {"icc_profile": profile}
        how |= _PILLOWS.get(form, {})
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, form, **how)
        return content.getvalue()
    pixels = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    good, data = cv2.imencode(suffix, pixels, _JPEG if is_jpeg else [])
    if not good:
        raise ValueError("OpenCV refuses it")
    return data.tobytes()


def _decode(data: Alpha, file: bytes) -> npt.NDArray[Any] | None:
    """Decodes all but HEIC and AVIF: BGR or BGRA [H, W, C] of 8 or 16 bits, or float."""
    if file[:8] == _PNG:
        whole = _bare_png(file)
        if whole is None:
            return None
        file, data = whole, np.frombuffer(whole, np.uint8)
    if is_rare(file):
        return by_pillow(file)
    is_jpeg = file[:2] == b"\xff\xd8"  # which has no alpha: no need to look for it
    pixels = None if is_jpeg else _by_opencv(data, cv2.IMREAD_UNCHANGED)
    if pixels is not None and pixels.ndim == 2 and file[:8] == _PNG:
        return _as_colour(pixels, grey_alpha(file, pixels))
    if pixels is None or pixels.ndim == 2 or pixels.shape[2] != 4:
        pixels = _by_opencv(data, _AS_STORED)
    if pixels is None:
        return by_pillow(file)
    return ~pixels if pixels.dtype == np.uint16 and is_inverted(file) else pixels


def _as_colour(grey: Pixels, alpha: Pixels | None) -> Pixels:
    """Grey [H, W] as BGR, or BGRA where it has alpha."""
    return np.dstack([grey] * 3 + ([] if alpha is None else [alpha]))


def _by_opencv(data: Alpha, flags: int) -> npt.NDArray[Any] | None:
    try:
        return cv2.imdecode(data, flags)
    except cv2.error:
        return None  # OpenCV raises for some damaged files and for sizes beyond its limit


def _decode_heif(data: bytes, path: Path, max_pixels: int) -> npt.NDArray[Any] | None:
    """Decodes what OpenCV may not know, by FFmpeg; None if that does not know it either.

    Raises:
        MediaError: It is too large, or put together in a way that is not known here.
    """
    import av

    try:
        shown, alpha = primary(data), alpha_of(data)
    except Malformed as error:
        raise MediaError(
            f"{path} cannot be decoded as a picture: {error}; save it as JPEG or PNG"
        ) from None
    items = [one for one in (shown, alpha) if one]
    for _, grid in items:
        if grid and grid.size[0] * grid.size[1] > max_pixels:
            raise _too_large(path, *grid.size, max_pixels)
    wanted = {tile for number, grid in items for tile in (grid.tiles if grid else (number,))}
    try:
        with av.open(io.BytesIO(data), "r") as file:
            streams = [one for one in file.streams.video if one.id in wanted]
            for one in streams:  # what is coded may be larger than the header says
                width, height = one.codec_context.width, one.codec_context.height
                if width * height > max_pixels:
                    raise _too_large(path, width, height, max_pixels)
            tiles: dict[int, npt.NDArray[Any]] = {}
            for packet in file.demux(*streams):
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    tiles[packet.stream.id] = frame.to_ndarray(format="bgr24")
        whole = [_put_together(grid, tiles) if grid else tiles[number] for number, grid in items]
    except (av.error.FFmpegError, OSError, ValueError, LookupError):
        return None
    if not alpha:
        return whole[0]
    height, width = whole[0].shape[:2]
    return np.dstack([whole[0], cv2.resize(whole[1][..., 0], (width, height))])


def _put_together(grid: Grid, tiles: dict[int, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Lays tiles beside each other, row by row; the last ones may hang over the edges.

    Raises:
        KeyError: One is missing.
        ValueError: They are of different sizes, or do not fill the whole.
    """
    width, height = grid.size
    whole = np.zeros((height, width, 3), np.uint8)
    high, wide = tiles[grid.tiles[0]].shape[:2]
    rows = len(grid.tiles) // grid.columns
    if wide * grid.columns < width or high * rows < height:
        raise ValueError
    for place, number in enumerate(grid.tiles):
        row, column = divmod(place, grid.columns)
        room = whole[row * high : (row + 1) * high, column * wide : (column + 1) * wide]
        if tiles[number].shape[:2] != (high, wide):
            raise ValueError
        room[:] = tiles[number][: room.shape[0], : room.shape[1]]
    return whole


def _bare_png(data: bytes) -> bytes | None:
    """A PNG without the chunks that do not change how it is decoded, of whose faults libpng tells.

    Returns:
        None if its chunks do not reach the last one, each with a good check sum.
    """
    at, kept = len(_PNG), [_PNG]
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, end) if end + 4 <= len(data) else (None,)
        if zlib.crc32(data[at + 4 : end]) != checksum:
            return None
        if kind[:1].isupper() or kind in _DECODED:
            kept.append(data[at : end + 4])
        if kind == b"IEND":
            return b"".join(kept)
        at = end + 4
    return None


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


def shrink(picture: Pixels, side: int) -> Pixels:
    """Scales uint8 [H, W, 3] down until its longer side has at most so many pixels."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture


def middle(picture: Pixels, height: int, width: int) -> Pixels:
    """Returns the middle of [H, W, ...], all of a side that is shorter."""
    high, wide = picture.shape[:2]
    top, left = max(0, high - height) // 2, max(0, wide - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])

"""How videos are encoded: codecs, quality, and the encoders that have them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from ...cores import usable_cores
from ...errors import UsageError, unknown_name
from ..colour import Colour

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 logs errors only
# Codec -> its encoder in software.
CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1"}


@dataclass(frozen=True)
class AlphaCodec:
    """What keeps transparent parts where no codec of ``CODECS`` does.

    Attributes:
        encoder: FFmpeg's name of it.
        pix_fmt: The pixel format.
        note: What is said of it.
        says_range: Whether files say that it uses the full range of values.
    """

    encoder: str
    pix_fmt: str
    note: str
    says_range: bool = False


_PRORES = ("prores_ks", "yuva444p10le")
_VP9 = AlphaCodec("libvpx-vp9", "yuva420p", "its transparent parts are kept, in VP9", True)
_ALPHA = {
    ".webm": _VP9,
    ".mkv": _VP9,
    ".mov": AlphaCodec(
        *_PRORES,
        "its transparent parts are kept, in ProRes 4444, which makes large files; a .webm is small",
    ),
    ".gif": AlphaCodec(
        *_PRORES,
        "its transparent parts are kept where they are more than half, as a GIF knows no others",
    ),
    ".webp": AlphaCodec(*_PRORES, "its transparent parts are kept"),
    ".apng": AlphaCodec(*_PRORES, "its transparent parts are kept"),
}
# Vendors of hardware encoders: FFmpeg names these codec_vendor.
_HARDWARE = ("nvenc", "videotoolbox", "qsv", "amf")
# Without B-frames and the macroblock tree, veryfast is only slower than superfast.
_PRESETS = {"libx264": "superfast"}
_FEW = 2  # cores
PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower")


@dataclass(frozen=True)
class Encoding:
    """What to encode with.

    Attributes:
        codec: ``h264`` (plays everywhere), ``hevc`` or ``av1`` (smaller files, slower).
        quality: Constant rate factor, 0 to 51: lower means better quality and larger files.
        preset: x264's name for the time to spend on smaller files; if empty, superfast for
            x264 and veryfast for others.
        hardware: Encode on the graphics card: fast, but larger files, and other bits on another
            machine.
    """

    codec: str = "h264"
    quality: int = 21
    preset: str = ""
    hardware: bool = False

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(unknown_name("codec", self.codec, CODECS))
        if self.preset and self.preset not in PRESETS:
            raise UsageError(unknown_name("preset", self.preset, PRESETS))
        if not 0 <= self.quality <= 51:
            raise UsageError(f"quality must be between 0 and 51, got {self.quality}")

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder.

        Raises:
            UsageError: A hardware encoder is asked for, and there is none here.
        """
        if not self.hardware:
            return CODECS[self.codec]
        for maker in _HARDWARE:
            if works(f"{self.codec}_{maker}"):
                return f"{self.codec}_{maker}"
        raise UsageError(f"no hardware here encodes {self.codec}; omit --hardware")

    def options(self, encoder: str) -> dict[str, str]:
        """Returns the encoder's own options."""
        quality = str(self.quality)
        preset = self.preset or _PRESETS.get(encoder, "veryfast")
        if encoder == "libx264":
            # A resumed job must give the same bits. x264 does not with frames that are coded out of
            # order, nor with its macroblock tree, which reads uninitialised memory. Without both,
            # files are some per cent larger.
            return {"preset": preset, "crf": quality, "bf": "0", "mbtree": "0"}
        if encoder == "libx265":
            return {"preset": preset, "crf": quality, "x265-params": "log-level=error"}
        # The presets of the other two are numbers, and their quality goes to 63.
        speed, crf = PRESETS.index(preset), str(round(self.quality * 63 / 51))
        if encoder == "libsvtav1":
            return {"preset": str(12 - speed), "crf": crf}
        if encoder == "libvpx-vp9":  # frames that are not shown would have no alpha
            return {"crf": crf, "b": "0", "cpu-used": str(8 - speed), "auto-alt-ref": "0"}
        others = {
            "nvenc": {"rc": "vbr", "cq": quality},
            "amf": {"rc": "cqp", "qp_i": quality, "qp_p": quality},
            "ks": {"profile": "4444", "alpha_bits": "8"},  # ProRes
        }
        return others.get(encoder.rpartition("_")[2], {})  # others take it from their context


@dataclass(frozen=True)
class Format:
    """What one video's encoder must know besides the encoding."""

    size: tuple[int, int]  # (width, height)
    time_base: Fraction
    rate: Fraction
    colour: Colour
    aspect: Fraction | None = None  # of a pixel
    tags: tuple[int, int, int] = (2, 2, 2)  # primaries, transfer and matrix as the source says
    alpha: AlphaCodec | None = None  # what keeps transparent parts

    @property
    def pix_fmt(self) -> str:
        """The pixel format: subsampled chroma needs even sides, but in VP9."""
        if self.alpha:
            return self.alpha.pix_fmt
        even = self.size[0] % 2 == 0 and self.size[1] % 2 == 0
        return "yuv420p" if even else "yuv444p"


def alpha_codec(encoding: Encoding, path: Path) -> AlphaCodec | None:
    """Returns what keeps transparent parts in a file, unless another codec is asked for."""
    found = _ALPHA.get(path.suffix.lower())
    is_asked = encoding.codec != DEFAULT.codec or encoding.hardware
    return found if found and not is_asked and found.encoder in av.codecs_available else None


def encoder_of(encoding: Encoding, form: Format) -> str:
    """Returns FFmpeg's name of the encoder of a video."""
    return form.alpha.encoder if form.alpha else encoding.encoder


def fitted(encoding: Encoding, path: Path) -> Encoding:
    """Returns an encoding that a file's container takes: a .webm has AV1 in place of H.264.

    An animation is made of a film that only this program sees, and which loses next to nothing.
    """
    if path.suffix.lower() in (".gif", ".webp", ".apng"):
        return Encoding(quality=min(encoding.quality, 10))
    if path.suffix.lower() == ".webm" and encoding.codec == "h264":
        return replace(encoding, codec="av1")
    return encoding


def configure(context: VideoCodecContext, encoding: Encoding, form: Format) -> None:
    """Configures an encoder, alone or of a container; both then give the same bits."""
    context.width, context.height = form.size
    context.pix_fmt = form.pix_fmt
    context.time_base, context.framerate = form.time_base, form.rate
    context.thread_count = _threads(encoding, context.name)
    context.options = encoding.options(context.name)
    context.flags |= Flags.global_header | Flags.frame_duration
    if form.aspect:
        context.sample_aspect_ratio = form.aspect
    context.color_primaries, context.color_trc, context.colorspace = form.tags
    context.color_range = form.colour.range
    if encoding.codec == "hevc":
        context.codec_tag = "hvc1"  # QuickTime plays no other
    if context.name.endswith(("qsv", "videotoolbox")):
        context.qscale = True
        # QSV's scale is that of x264; VideoToolbox's is 1 to 100, the best.
        of_100 = max(1, 100 - 2 * encoding.quality)
        context.global_quality = (
            of_100 * 118 if context.name.endswith("videotoolbox") else encoding.quality * 118
        )
    if context.name == "libsvtav1":
        _open_unhurried(context)


def _threads(encoding: Encoding, encoder: str) -> int:
    """How many threads encode; 0 is FFmpeg's own choice.

    Two cores are busy with painting, and to wait for each other costs x264's threads a twentieth.
    """
    is_quick = encoder == "libx264" and encoding.preset in {"", "superfast", "ultrafast"}
    return 1 if is_quick and usable_cores() <= _FEW else 0


def _open_unhurried(context: VideoCodecContext) -> None:
    """Opens SVT-AV1, and takes back the priority that it gives itself where root runs it.

    It makes the calling thread and its own ones real-time: as root in a container, two films would
    keep everything else from running, and even wait for ever for threads that never run.
    """
    if not hasattr(os, "sched_getscheduler"):
        context.open()
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    context.open()
    if os.sched_getscheduler(0) != policy:
        for thread in Path("/proc/self/task").iterdir():
            with contextlib.suppress(OSError):  # one that has ended
                os.sched_setscheduler(int(thread.name), policy, priority)


DEFAULT = Encoding()


def works(encoder: str) -> bool:
    """Whether an encoder can be opened on this machine."""
    try:
        context: Any = av.CodecContext.create(encoder, "w")
        context.width, context.height, context.pix_fmt = 640, 360, "yuv420p"
        context.time_base = context.framerate = Fraction(1, 30)
        context.open()
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True


def hardware_encoders() -> list[str]:
    """Returns the encoders in hardware that work here."""
    names = [f"{codec}_{maker}" for codec in CODECS for maker in _HARDWARE]
    return [name for name in names if name in av.codecs_available and works(name)]

"""How far pictures are from their references; training, export and benchmarks measure alike.

Pictures are uint8 RGB ``[H, W, 3]``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .pictures import Pixels

Array = npt.NDArray[Any]

IDENTICAL_DB = 99.0  # stands for the infinite PSNR of identical pictures, which JSON cannot say


@dataclass(frozen=True)
class ImageErrors:
    """How far a set of pictures is from its reference.

    Of a painter with strokes PSNR is that of its plans, and colours are compared where the stroke
    is the same.
    """

    images: int
    psnr_db: float  # of the mean squared error over all pictures
    ssim: float  # mean over pictures
    delta_e: float  # mean CIEDE2000 over all pixels
    max_abs: int  # largest difference in grey levels
    p99_abs: int  # 99th percentile of the differences in grey levels
    strokes: float | None = None  # share of pixels that take another stroke
    quarter_db: float | None = None  # PSNR of the pictures at a quarter of the size

    def rounded(self) -> dict[str, Any]:
        """Returns the figures by name, with as many digits as manifests and results give."""
        digits = {"psnr_db": 2, "ssim": 5, "delta_e": 3, "strokes": 5, "quarter_db": 2}
        known = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: round(value, digits.get(name)) for name, value in known.items()}


@dataclass(frozen=True)
class DriftLimits:
    """What a drift must keep to; a limit of None is not checked."""

    psnr: float | None = None  # dB, at least
    ssim: float | None = None  # at least
    delta_e: float | None = None  # mean CIEDE2000, at most
    strokes: float | None = None  # share of pixels that take another stroke, at most
    quarter: float | None = None  # dB at a quarter of the size, at least

    def missed(self, found: ImageErrors) -> list[str]:
        """Returns a phrase for each limit that is missed."""
        missed = []
        if self.psnr is not None and found.psnr_db < self.psnr:
            missed.append(f"PSNR {found.psnr_db:.2f} dB < {self.psnr:g}")
        if self.ssim is not None and found.ssim < self.ssim:
            missed.append(f"SSIM {found.ssim:.4f} < {self.ssim:g}")
        if self.delta_e is not None and found.delta_e > self.delta_e:
            missed.append(f"CIEDE2000 {found.delta_e:.2f} > {self.delta_e:g}")
        return [*missed, *self._strokes_missed(found)]

    def _strokes_missed(self, found: ImageErrors) -> list[str]:
        missed = []
        if self.strokes is not None and found.strokes is not None and found.strokes > self.strokes:
            missed.append(f"other strokes {found.strokes:.1%} > {self.strokes:.1%}")
        least, quarter = self.quarter, found.quarter_db
        if least is not None and quarter is not None and quarter < least:
            missed.append(f"PSNR at a quarter {quarter:.2f} dB < {least:g}")
        return missed

    def margin(self, found: ImageErrors) -> float:
        """Returns the distance to the nearest limit in dB; negative if it is missed.

        Halving an error adds 6 dB to the distance from each limit.
        """
        margins = [
            found.psnr_db - self.psnr if self.psnr is not None else math.inf,
            _decibels((1 - self.ssim) / (1 - found.ssim + 1e-9), 10) if self.ssim else math.inf,
            _decibels(self.delta_e / (found.delta_e + 1e-9), 20) if self.delta_e else math.inf,
        ]
        if self.strokes and found.strokes is not None:
            margins.append(_decibels(self.strokes / (found.strokes + 1e-9), 20))
        return min(margins)


# Limits of an artifact's drift from FP32, by precision.
DRIFT_LIMITS = {
    "fp32": DriftLimits(60.0, 0.999, 0.1),
    "fp16": DriftLimits(55.0, 0.995, 0.5),
    "w8": DriftLimits(38.0, 0.98, 1.0),
    "int8": DriftLimits(38.0, 0.98, 1.0),
}
# The same for painters with strokes.
STROKE_DRIFT_LIMITS = {
    "fp32": DriftLimits(60.0, strokes=0.005, quarter=50.0),
    "fp16": DriftLimits(50.0, strokes=0.02, quarter=42.0),
    "w8": DriftLimits(38.0, strokes=0.08, quarter=36.0),
    "int8": DriftLimits(38.0, strokes=0.08, quarter=36.0),
}


def drift_limits(precision: str, has_strokes: bool) -> DriftLimits:
    """Returns what the drift of an artifact must keep to."""
    return (STROKE_DRIFT_LIMITS if has_strokes else DRIFT_LIMITS)[precision]


def is_worse(
    psnr_db: float, expected_db: float, tolerance_db: float = 6.0, cap_db: float = 56.0
) -> bool:
    """Whether a PSNR is lower than an earlier one by more than a tolerance.

    By default that is an error more than twice as large, and visible.

    Args:
        psnr_db: Of this measurement.
        expected_db: Of the earlier one, on other pictures.
        tolerance_db: By how much it may be lower.
        cap_db: Higher values count as this one, since single roundings decide above it.
    """
    return psnr_db < min(expected_db, cap_db) - tolerance_db


def compare(pairs: Iterable[tuple[Pixels, Pixels]]) -> ImageErrors:
    """Measures pairs of (reference, picture) of equal shapes.

    Raises:
        ValueError: There is no pair, or a pair's shapes differ.
    """
    found = _Sums()
    for reference, picture in pairs:
        found.add(reference, picture)
    return found.difference()


class StrokePair(NamedTuple):
    """A painting with strokes and its reference."""

    reference: Pixels
    picture: Pixels
    same: npt.NDArray[np.bool_]  # [H, W]: where both take the same stroke
    plan_error: float  # mean squared error of the plan, whose range is 1


def compare_strokes(pairs: Iterable[StrokePair]) -> ImageErrors:
    """Measures painters with strokes.

    Raises:
        ValueError: There is no pair, or a pair's shapes differ.
    """
    found = _Sums()
    plans, quarters, others = [], [], []
    for pair in pairs:
        found.add(pair.reference, pair.picture, pair.same)
        plans.append(pair.plan_error)
        quarters.append(_quarter_error(pair.reference, pair.picture))
        others.append(1 - pair.same.mean())
    return replace(
        found.difference(),
        psnr_db=psnr_of(float(np.mean(plans)) * 255**2),
        strokes=float(np.mean(others)),
        quarter_db=psnr_of(float(np.mean(quarters))),
    )


def _quarter_error(reference: Pixels, picture: Pixels) -> float:
    size = [max(1, side // 4) for side in reference.shape[1::-1]]
    small = [
        cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for one in (reference, picture)
    ]
    return float(((small[0] - small[1]) ** 2).mean())


class _Sums:
    """Takes pairs of pictures one by one."""

    def __init__(self) -> None:
        self.histogram = np.zeros(256, np.int64)  # of absolute differences
        self.ssims: list[float] = []
        self.delta_es: list[float] = []

    def add(self, reference: Pixels, picture: Pixels, where: Array | None = None) -> None:
        """Adds a pair; colours are compared where it says."""
        if reference.shape != picture.shape:
            raise ValueError(f"expected shape {reference.shape}, got {picture.shape}")
        self.histogram += np.bincount(cv2.absdiff(reference, picture).ravel(), minlength=256)
        self.ssims.append(ssim(reference, picture))
        self.delta_es.append(_mean_delta_e(reference, picture, where))

    def difference(self) -> ImageErrors:
        """Returns what was found."""
        if not self.ssims:
            raise ValueError("no pictures to compare")
        levels, total = np.arange(256), self.histogram.sum()
        return ImageErrors(
            images=len(self.ssims),
            psnr_db=psnr_of(float((self.histogram * levels**2).sum() / total)),
            ssim=float(np.mean(self.ssims)),
            delta_e=float(np.mean(self.delta_es)),
            max_abs=int(np.flatnonzero(self.histogram)[-1]),
            p99_abs=int(np.searchsorted(np.cumsum(self.histogram), 0.99 * total)),
        )


def psnr_of(mse: float) -> float:
    """Peak signal-to-noise ratio in dB of a mean squared error in grey levels, at most 99."""
    return IDENTICAL_DB if mse == 0 else min(IDENTICAL_DB, 10 * float(np.log10(255.0**2 / mse)))


def ssim(reference: Pixels, picture: Pixels) -> float:
    """Structural similarity of luminance (Wang et al. 2004): 11x11 Gaussian window, sigma 1.5."""
    x = cv2.cvtColor(reference, cv2.COLOR_RGB2GRAY).astype(np.float64)
    y = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = _blur(x), _blur(y)
    vx, vy, vxy = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    value = ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return float(value.mean())


def _blur(x: Array) -> Array:
    return cv2.GaussianBlur(x, (11, 11), 1.5)


def delta_e(reference: Pixels, picture: Pixels) -> Array:
    """CIEDE2000 colour difference of each pixel, [H, W]; about 1 is just noticeable."""
    return ciede2000(lab(reference), lab(picture))


def _mean_delta_e(reference: Pixels, picture: Pixels, where: Array | None) -> float:
    """The mean of ``delta_e``, which is computed where pixels differ."""
    differ = (reference != picture).any(-1)
    total = differ.size
    if where is not None:
        differ, total = differ & where, np.count_nonzero(where)
    if not differ.any():
        return 0.0
    found = delta_e(reference[differ][None], picture[differ][None])
    return float(found.sum(dtype=np.float64) / total)


def luminance(picture: Pixels) -> Array:
    """Luma of a picture in grey levels (BT.601, as OpenCV's grey), float32 [H, W], not rounded."""
    return cv2.cvtColor(picture.astype(np.float32), cv2.COLOR_RGB2GRAY)


def lab(picture: Pixels) -> Array:
    """CIE L*a*b* of a picture (sRGB, D65), float32 [H, W, 3]; L* is 0..100."""
    # In float32 CIEDE2000 is right to 1e-4 and takes a third of the time.
    return cv2.cvtColor(picture.astype(np.float32) / 255.0, cv2.COLOR_RGB2Lab)


def ciede2000(lab1: Array, lab2: Array) -> Array:
    """CIEDE2000 between L*a*b* colours ``[..., 3]`` (Sharma, Wu and Dalal 2005, eqs. 2 to 22)."""
    l1, a1, b1 = np.moveaxis(lab1, -1, 0)
    l2, a2, b2 = np.moveaxis(lab2, -1, 0)
    mean_c7 = ((_length(a1, b1) + _length(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = _length(a1, b1), _length(a2, b2)
    h1, h2 = _hue(a1, b1), _hue(a2, b2)
    grey = c1 * c2 == 0  # hue means nothing where a colour is grey

    turn = h2 - h1  # whole numbers in arrays would make it float64
    turn = np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))
    turn = np.where(grey, 0, turn)
    d_light, d_chroma = l2 - l1, c2 - c1
    d_hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))

    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hues, mean = h1 + h2, (h1 + h2) / 2
    across = np.where(hues < 360, mean + 180, mean - 180)
    hue = np.where(grey, hues, np.where(np.abs(h1 - h2) > 180, across, mean))
    t = (
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    s_light = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    s_chroma = 1 + 0.045 * chroma
    s_hue = 1 + 0.015 * chroma * t
    chroma7 = chroma**7
    bend = np.minimum(((hue - 275) / 25) ** 2, 80)  # processors are slow at numbers near 0
    rotation = -np.sin(np.radians(60 * np.exp(-bend)))
    rotation = rotation * 2 * np.sqrt(chroma7 / (chroma7 + 25.0**7))
    dl, dc, dh = d_light / s_light, d_chroma / s_chroma, d_hue / s_hue
    result: Array = np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rotation * dc * dh, 0))
    return result


def _length(x: Array, y: Array) -> Array:
    length: Array = np.sqrt(x * x + y * y)  # quicker than np.hypot
    return length


def _hue(a: Array, b: Array) -> Array:
    degrees = np.degrees(np.arctan2(b, a))
    return np.where(degrees < 0, degrees + 360, degrees)  # quicker than % 360


def _decibels(ratio: float, factor: int) -> float:
    return factor * math.log10(ratio)

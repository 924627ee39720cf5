"""Ranges of INT8 activations by four rules; the search tries each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import HistogramCollector, TensorData, TensorsData

from .observe import BINS, Histogram, Observed

LEVELS = 255
OUTSIDE = 1e-4  # share of values outside of the percentile rule's range, both ends together
COARSE = 8  # bins that are merged for entropy, whose cost is quadratic in their number


def _min_max(seen: Histogram) -> tuple[float, float]:
    """Covers all values."""
    return seen.low, seen.high


def _percentile(seen: Histogram) -> tuple[float, float]:
    """Covers all values but the rarest ones at both ends."""
    share = np.cumsum(seen.counts) / seen.counts.sum()
    low, high = np.searchsorted(share, (OUTSIDE / 2, 1 - OUTSIDE / 2))
    return float(seen.centres[low]), float(seen.centres[high])


def _entropy(seen: Histogram) -> tuple[float, float]:
    """Minimises the divergence of the rounded distribution (as TensorRT's calibration)."""
    collector = HistogramCollector("entropy", False, BINS // COARSE, 128, 0, "same")
    counts = seen.counts.reshape(-1, COARSE).sum(1)
    edges = np.linspace(-seen.reach, seen.reach, counts.size + 1, dtype=np.float32)
    ends = np.float32(seen.low), np.float32(seen.high)
    low, high = collector.get_entropy_threshold((counts, edges, *ends), 128)
    return float(low), float(high)


def _mse(seen: Histogram) -> tuple[float, float]:
    """Minimises the squared error of rounding and clipping."""
    best, least = (seen.low, seen.high), np.inf
    for share in np.linspace(0.2, 1.0, 161):
        low, high = share * seen.low, share * seen.high
        cut = seen.centres - np.clip(seen.centres, low, high)
        rounded = (seen.counts[cut == 0].sum()) * ((high - low) / LEVELS) ** 2 / 12
        cost = rounded + (seen.counts * cut**2).sum()
        if cost < least:
            best, least = (float(low), float(high)), float(cost)
    return best


RULES: dict[str, Callable[[Histogram], tuple[float, float]]] = {
    "min-max": _min_max,
    "percentile": _percentile,
    "entropy": _entropy,
    "mse": _mse,
}


def ranges_by(rule: str, observed: Observed) -> TensorsData:
    """Returns each tensor's range by a rule, in the form of ONNX Runtime's quantizer."""
    data = {}
    for name, seen in observed.histograms.items():
        low, high = RULES[rule](seen)
        ends = np.float32(max(min(low, 0.0), seen.low)), np.float32(min(max(high, 0.0), seen.high))
        data[name] = TensorData(lowest=ends[0], highest=ends[1])
    return TensorsData(CalibrationMethod.MinMax, data)

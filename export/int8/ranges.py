"""Ranges of INT8 activations by four rules; the search tries each of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnxruntime.quantization import CalibrationMethod
from onnxruntime.quantization.calibrate import (
    TensorData,
    TensorsData,
    entropy,
    smooth_distribution,
)

from .observe import Array, Histogram, Observed

LEVELS = 255
OUTSIDE = 1e-4  # share of values outside of the percentile rule's range, both ends together
ROUNDED = 128  # bins of the rounded distribution
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
    """Minimises the divergence of the rounded distribution (as TensorRT's calibration).

    It finds what ONNX Runtime's ``HistogramCollector`` finds, without its Python loop over bins.
    """
    counts = seen.counts.reshape(-1, COARSE).sum(1)
    edges = np.linspace(-seen.reach, seen.reach, counts.size + 1, dtype=np.float32)
    middle, least = counts.size // 2, ROUNDED // 2
    cuts = [(middle - n, min(middle + n + 1, counts.size)) for n in range(least, middle + 1)]
    start, end = min(cuts, key=lambda cut: _divergence(counts, *cut))
    return max(float(edges[start]), seen.low), min(float(edges[end]), seen.high)


def _divergence(counts: Array, start: int, end: int) -> float:
    """Returns how far counts go apart when they are cut to a range and merged to few bins."""
    kept = counts[start:end]
    cut = kept.copy()
    cut[0] += counts[:start].sum()
    cut[-1] += counts[end:].sum()
    each = kept.size // ROUNDED
    whole = each * ROUNDED
    merged = kept[:whole].reshape(ROUNDED, each).sum(1)
    merged[-1] += kept[whole:].sum()
    filled = np.count_nonzero(cut[:whole].reshape(ROUNDED, each), 1)
    rounded = np.zeros_like(cut)  # of integers, as in ONNX Runtime
    rounded[:whole] = np.repeat((filled > 0) * merged // np.maximum(filled, 1), each)
    p, q = smooth_distribution(cut), smooth_distribution(rounded)
    return np.inf if p is None or q is None else float(np.float32(entropy(p, q)))


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

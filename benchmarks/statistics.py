"""From times to figures: percentiles, spread, confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .scenarios import Turn

RESAMPLES = 1000
_Array = npt.NDArray[np.float64]
QUANTILES = np.linspace(0, 100, 101)


def summarize(turns: Sequence[Turn], seed: int) -> dict[str, Any]:
    """Returns the figures of one case, in milliseconds and frames a second.

    Confidence intervals are 95 %, by bootstrap over rounds and not over frames: frames of one round
    share the machine's state, so there are fewer independent samples than frames.
    """
    rounds = [1000 * np.array(turn.latencies) for turn in turns if turn.latencies]
    times = np.concatenate(rounds)
    p50, p90, p99 = np.percentile(times, [50, 90, 99])
    seconds = sum(turn.seconds for turn in turns)
    return {
        "p50_ms": float(p50),
        "p90_ms": float(p90),
        "p99_ms": float(p99),
        "mean_ms": float(times.mean()),
        "fps": len(times) / seconds,
        "cv": float(times.std() / times.mean()),
        "p50_ci_ms": interval(rounds, lambda chosen: float(np.median(chosen)), seed),
        "mean_ci_ms": interval(rounds, lambda chosen: float(chosen.mean()), seed),
        "frames": len(times),
        "dropped": sum(turn.dropped for turn in turns),
        "seconds": seconds,
        "stages_ms": _stages(turns, len(times)),
        "rounds_p50_ms": [float(np.median(one)) for one in rounds],
        "rounds_fps": [len(turn.latencies) / turn.seconds for turn in turns if turn.latencies],
        "quantiles_ms": np.percentile(times, QUANTILES).tolist(),
    }


def interval(
    rounds: Sequence[_Array], statistic: Callable[[_Array], float], seed: int
) -> tuple[float, float]:
    """Percentile bootstrap of a statistic of all frames, 95 %, resampling whole rounds."""
    random = np.random.default_rng(seed)
    values = [
        statistic(np.concatenate([rounds[i] for i in picked]))
        for picked in random.integers(0, len(rounds), (RESAMPLES, len(rounds)))
    ]
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def ratio(
    numerator: Sequence[float], denominator: Sequence[float], seed: int = 0
) -> tuple[float, float, float]:
    """Ratio of two cases' medians over their rounds, with its 95 % bootstrap interval.

    Returns:
        (ratio, low, high)
    """
    random = np.random.default_rng(seed)
    above, below = np.array(numerator), np.array(denominator)
    tops = np.median(random.choice(above, (RESAMPLES, len(above))), axis=1)
    bottoms = np.median(random.choice(below, (RESAMPLES, len(below))), axis=1)
    low, high = np.percentile(tops / bottoms, [2.5, 97.5])
    return float(np.median(above) / np.median(below)), float(low), float(high)


def _stages(turns: Sequence[Turn], frames: int) -> dict[str, float]:
    """Mean milliseconds of each stage of a frame."""
    names = list(dict.fromkeys(name for turn in turns for name in turn.stages))
    return {
        name: 1000 * sum(turn.stages.get(name, 0.0) for turn in turns) / frames for name in names
    }

"""Rounds weights so that their errors cancel in a layer's output."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BLOCK = 64  # inputs that are rounded before the others are corrected for them
DAMPING = 0.01  # of the mean second moment, so that constant inputs correct nothing


def round_weights(
    weight: Array, bias: Array | None, scale: Array, limit: int, moments: Array | None
) -> tuple[Array, Array | None]:
    """Rounds a convolution's weights to integers (GPTQ, Frantar et al. 2023, algorithm 1).

    Inputs are processed one by one, the strongest first. The error of each rounding is compensated
    by the weights that are not rounded yet, block by block (section 3.3 there). The bias comes last
    and stays float: it absorbs the remaining error (bias correction).

    Args:
        weight: Kernels (O, ...).
        bias: (O,), if there is one.
        scale: The value of one integer step, (O,).
        limit: The largest integer.
        moments: Mean of v v^T of the layer's inputs and a one, (K + 1, K + 1); None rounds to the
            nearest integers.

    Returns:
        Integers of the weight's shape, and the bias.
    """
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    steps = scale.reshape(-1).astype(np.float64)
    if moments is None:
        integers = np.clip(np.rint(rows / steps[:, None]), -limit, limit)
        return integers.reshape(weight.shape).astype(np.int8), bias
    count = rows.shape[1]
    order = np.argsort(-np.diag(moments)[:count], kind="stable")
    ahead = _cholesky_of_inverse(moments, np.append(order, count) if bias is not None else order)
    left = rows[:, order] if bias is None else np.column_stack([rows[:, order], bias])
    integers = np.empty_like(rows)
    for start in range(0, count, BLOCK):
        end = min(start + BLOCK, count)
        errors = np.empty((len(rows), end - start))
        for index in range(start, end):
            rounded = np.clip(np.rint(left[:, index] / steps), -limit, limit)
            error = (left[:, index] - rounded * steps) / ahead[index, index]
            left[:, index + 1 : end] -= np.outer(error, ahead[index, index + 1 : end])
            errors[:, index - start], integers[:, order[index]] = error, rounded
        left[:, end:] -= errors @ ahead[start:end, end:]  # lazily, which is six times as fast
    corrected = bias if bias is None else left[:, -1].astype(bias.dtype)
    return integers.reshape(weight.shape).astype(np.int8), corrected


def _cholesky_of_inverse(moments: Array, order: Array) -> Array:
    """The upper triangle U with ``inv(moments) == U^T U``."""
    damped = moments[np.ix_(order, order)].astype(np.float64)
    inputs = order < len(moments) - 1  # without the constant input of the bias
    damped[np.diag_indices_from(damped)] += DAMPING * np.diag(damped)[inputs].mean() * inputs
    upper: Array = np.linalg.cholesky(np.linalg.inv(damped)).T
    return upper

"""Painting small and showing large, with the original's fine detail."""

from __future__ import annotations

import cv2

from ...pictures import Pixels


def enlarge(painted: Pixels, small: Pixels, original: Pixels) -> Pixels:
    """Enlarges a painting and adds what the picture lost when it was made small for it.

    That is one level of a Laplacian pyramid (Burt and Adelson 1983), taken from the original.

    Args:
        painted: uint8 [h, w, 3], painted from ``small``.
        small: The original at that size.
        original: uint8 [H, W, 3].

    Returns:
        The painting, [H, W, 3].
    """
    size = (original.shape[1], original.shape[0])
    if size == (painted.shape[1], painted.shape[0]):
        return painted
    blurred, large = (cv2.resize(x, size, interpolation=cv2.INTER_LINEAR) for x in (small, painted))
    detail = cv2.addWeighted(original, 1, blurred, -1, 128)  # as bytes about 128
    return cv2.addWeighted(large, 1, detail, 1, -128)

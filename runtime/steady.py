"""Temporal stability: paintings that are still where the video is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..pictures import Pixels

_Array = npt.NDArray[Any]
_REDUCED = 4  # flow is computed at this fraction of the size
_SMALLEST = 64  # minimum rows and columns of a frame to compute flow for
_CUT = 24.0  # mean change in grey levels, after motion compensation, that marks a new scene


class Steady:
    """Blends each painting with the one before, moved along the video's optical flow.

    The weight of each pixel depends on how well the *original* frames agree there along the flow:
    what is the same stays painted the same; what has changed, or was hidden, is painted again, so
    nothing lags or ghosts. Flow is DIS (Kroeger et al. 2016). Frames must come in order.

    Args:
        share: Weight of the previous painting where the originals agree fully; from 0 to below 1.
        tolerance: Deviation in grey levels at which the agreement is 1/e.
    """

    def __init__(self, share: float = 0.6, tolerance: float = 6.0) -> None:
        self.share, self.tolerance = share, tolerance
        self.grey: _Array | None = None
        self.painted: Pixels | None = None

    def __call__(self, original: Pixels, painted: Pixels) -> Pixels:
        """Steadies one frame.

        Args:
            original: uint8 [H, W, 3].
            painted: The same size.

        Returns:
            What to show instead of ``painted``.
        """
        grey = _reduced(original)
        before, self.grey = self.grey, grey
        if before is not None and self.painted is not None and before.shape == grey.shape:
            painted = self._blend(before, grey, self.painted, painted)
        self.painted = painted
        return painted

    def state(self) -> dict[str, _Array]:
        """Returns all that the next frame depends on; empty before the first."""
        if self.grey is None or self.painted is None:
            return {}
        return {"grey": self.grey, "painted": self.painted}

    def restore(self, state: dict[str, _Array]) -> None:
        """Continues from a state, which may be another process's."""
        self.grey, self.painted = state.get("grey"), state.get("painted")

    def _blend(self, before: _Array, grey: _Array, old: Pixels, new: Pixels) -> Pixels:
        if old.shape != new.shape or min(new.shape[:2]) < _SMALLEST:
            return new
        # A DIS object's result depends on its earlier calls; a resumed job has a new one.
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        back = flow.calc(grey, before, np.zeros((*grey.shape, 2), np.float32))
        apart = cv2.absdiff(_moved(before, back), grey).astype(np.float32)
        if apart.mean() > _CUT:
            return new
        agreement = self.share * np.exp(-cv2.blur(apart, (5, 5)) / self.tolerance)
        height, width = new.shape[:2]
        trust = cv2.resize(agreement, (width, height), interpolation=cv2.INTER_LINEAR)
        back = cv2.resize(back, (width, height), interpolation=cv2.INTER_LINEAR)
        back *= (width / grey.shape[1], height / grey.shape[0])
        return cv2.blendLinear(_moved(old, back), new, trust, 1 - trust)


def _reduced(rgb: Pixels) -> _Array:
    size = [max(1, side // _REDUCED) for side in (rgb.shape[1], rgb.shape[0])]
    return cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def _moved(picture: _Array, flow: _Array) -> _Array:
    """Looks up each pixel where the flow says that it was.

    It is cubic, as linear interpolation would blur what moves with every frame.
    """
    rows, columns = np.indices(flow.shape[:2], np.float32)
    at = (columns + flow[..., 0], rows + flow[..., 1])
    return cv2.remap(picture, *at, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

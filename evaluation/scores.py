"""Scores of a painter: distance to the target domain, content, artefacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from .. import metrics
from ..errors import UsageError
from ..networks.painter import Paint
from ..pictures import Pixels
from ..progress import Progress
from .checkerboard import Spectrum
from .distances import fid, kid
from .features import Features
from .flicker import flicker


class Scores(BaseModel):
    """The scores; None if one cannot be measured, see the functions that measure."""

    model_config = ConfigDict(frozen=True)

    pictures: int  # painted pictures
    targets: int  # pictures of the target domain
    kid: float  # of the painted pictures to the targets
    kid_photographs: float  # of the originals to the targets
    kid_ratio: float | None  # below 1 is nearer than the originals; None if those have none
    fid: float | None
    fid_photographs: float | None
    ssim: float  # mean SSIM of luminance to the originals: content
    delta_e: float  # mean CIEDE2000 to the originals: shift of colours
    strength: float  # mean absolute difference to the originals in grey levels
    checkerboard: float | None  # relative to the originals; 1 adds none
    flicker: float | None  # relative to the clip, if any; 1 adds none
    pair_l1: float | None  # mean absolute difference to the paired target, if any
    pair_l1_photographs: float | None  # of the originals to the same
    pair_delta_e: float | None  # mean CIEDE2000, likewise
    pair_delta_e_photographs: float | None


class Evaluator:
    """Scores painters on the same pictures, and computes what they share once.

    Args:
        pictures: Originals, uint8 RGB [H, W, 3] of any sizes, at least 2.
        targets: Pictures of the domain that the painted ones shall belong to, at least 2.
        features: The network that compares them.
        progress: Called after each picture.
        paired: Whether each picture shall become the target of the same number.

    Attributes:
        targets: Features of the targets, [N, D].
        dimensions: How many features a picture has; FID needs more pictures than that.

    Raises:
        UsageError: There are fewer than 2 pictures of either kind, or not as many of both though
            they are pairs.
    """

    def __init__(
        self,
        pictures: Sequence[Pixels],
        targets: Sequence[Pixels],
        features: Features,
        progress: Progress = lambda done, total: None,
        paired: bool = False,
    ) -> None:
        if min(len(pictures), len(targets)) < 2:
            raise UsageError(
                "an evaluation needs at least 2 pictures and 2 targets, got"
                f" {len(pictures)} and {len(targets)}"
            )
        if paired and len(pictures) != len(targets):
            raise UsageError(f"{len(pictures)} pictures and {len(targets)} targets are no pairs")
        self.pictures, self._features = pictures, features
        self._partners = targets if paired else None
        total = len(pictures) + len(targets)
        self._spectrum = Spectrum()
        self._originals = features(self._spectrum.passing(_counted(pictures, progress, 0, total)))
        self.targets = features(_counted(targets, progress, len(pictures), total))
        self.dimensions = self.targets.shape[1]
        self._kid = kid(self._originals, self.targets)
        self._fid = fid(self._originals, self.targets)

    def score(
        self,
        paint: Paint,
        clip: Iterable[Pixels] | None = None,
        progress: Progress = lambda done, total: None,
    ) -> Scores:
        """Paints all pictures, and a clip if there is one, and scores them.

        Args:
            paint: The painter, from uint8 RGB [H, W, 3] to the same shape.
            clip: Consecutive frames of a video, for flicker.
            progress: Called after each picture.

        Raises:
            MediaError: The clip has fewer than two frames, or they are too small or differ in size.
        """
        spectrum, changes = Spectrum(), list[tuple[float, float, float]]()
        misses: list[tuple[float, float, float, float]] = []

        def painted() -> Iterator[Pixels]:
            for original in _counted(self.pictures, progress, 0, len(self.pictures)):
                picture = paint(original)
                if self._partners is not None:
                    partner = self._partners[len(changes)]
                    misses.append((*_miss(partner, picture), *_miss(partner, original)))
                changes.append(_change(original, picture))
                yield picture

        vectors = self._features(spectrum.passing(painted()))
        ssim, delta_e, strength = np.mean(changes, axis=0)
        distance, frechet = kid(vectors, self.targets), fid(vectors, self.targets)
        l1, delta_e_pair, l1_before, delta_e_before = (
            np.mean(misses, axis=0) if misses else [None] * 4
        )
        trembling = None if clip is None else flicker((frame, paint(frame)) for frame in clip)
        return Scores(
            pictures=len(vectors),
            targets=len(self.targets),
            kid=round(distance, 6),
            kid_photographs=round(self._kid, 6),
            kid_ratio=_ratio(distance, self._kid),
            fid=_rounded(frechet),
            fid_photographs=_rounded(self._fid),
            ssim=round(float(ssim), 4),
            delta_e=round(float(delta_e), 3),
            strength=round(float(strength), 3),
            checkerboard=_ratio(spectrum.checkerboard(), self._spectrum.checkerboard()),
            flicker=_rounded(trembling),
            pair_l1=_rounded(l1),
            pair_l1_photographs=_rounded(l1_before),
            pair_delta_e=_rounded(delta_e_pair),
            pair_delta_e_photographs=_rounded(delta_e_before),
        )


def _counted(
    pictures: Iterable[Pixels], progress: Progress, done: int, total: int
) -> Iterator[Pixels]:
    for number, picture in enumerate(pictures, done + 1):
        yield picture
        progress(number, total)


def _change(original: Pixels, painted: Pixels) -> tuple[float, float, float]:
    """SSIM, mean CIEDE2000 and mean absolute difference in grey levels."""
    return (
        metrics.ssim(original, painted),
        float(metrics.delta_e(original, painted).mean()),
        float(cv2.absdiff(original, painted).mean()),
    )


def _miss(partner: Pixels, picture: Pixels) -> tuple[float, float]:
    """Mean absolute difference in grey levels and mean CIEDE2000 of a pair.

    Raises:
        UsageError: They are of different size.
    """
    if partner.shape != picture.shape:
        raise UsageError(
            f"a picture is {picture.shape[1]}x{picture.shape[0]}, but what it shall become"
            f" {partner.shape[1]}x{partner.shape[0]}; a pair's pictures must have the same size"
        )
    return (
        float(cv2.absdiff(partner, picture).mean()),
        float(metrics.delta_e(partner, picture).mean()),
    )


def _ratio(painted: float | None, originals: float | None) -> float | None:
    """None where one is missing, or the originals' is no distance: KID may be 0 or below."""
    if painted is None or originals is None or originals <= 0:
        return None
    return round(painted / originals, 4)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(float(score), 4)

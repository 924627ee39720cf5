"""A camera as a source."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial

import av
import cv2

from ...errors import MediaError, UsageError
from ...pictures import Pixels
from ..colour import Decoded, planes_if
from ..frame import NO_PIXELS, Frame
from ..yuv import Picture, rgb_of
from .cameras import AS_IT_IS, CameraMode
from .coded import CodedPicture, decoder_of
from .source import Source

_JPEG = cv2.VideoWriter.fourcc(*"MJPG")
_DARK, _DARKEST = 30, 20  # the frame by which a camera should have shown more than such grey levels


class CameraSource(Source):
    """A camera by its index, through OpenCV.

    Args:
        index: Of the camera.
        mode: What to ask of it; what it gives instead is said, and never stretched to that.
    """

    live = can_return = True

    def __init__(self, index: int, mode: CameraMode = AS_IT_IS) -> None:
        super().__init__()
        self.mode = mode
        self.label = f"camera {index}"
        try:
            self.capture = cv2.VideoCapture(index)
        except cv2.error:  # no C integer
            raise UsageError(f"there is no camera {index}") from None
        if not self.capture.isOpened():
            raise MediaError(
                f"camera {index} cannot be opened: it is not there, in use, or not permitted;"
                " try another --source index, or paint a film: pleinair live FILM"
            )
        self.capture.set(cv2.CAP_PROP_FOURCC, _JPEG)
        self.capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # old frames are delay
        if mode.size:
            self.capture.set(cv2.CAP_PROP_FRAME_WIDTH, mode.size[0])
            self.capture.set(cv2.CAP_PROP_FRAME_HEIGHT, mode.size[1])
        if mode.fps:
            self.capture.set(cv2.CAP_PROP_FPS, mode.fps)
            self.fps = Fraction(mode.fps).limit_denominator(1001)
        width = int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = (width, height)
        self.decoder, self.to_rgb = decoder_of("mjpeg"), Decoded()
        is_jpeg = self.capture.get(cv2.CAP_PROP_FOURCC) == _JPEG
        if is_jpeg and self.capture.getBackendName() == "V4L2":
            # Pictures come as they are sent: one that is dropped is never decoded.
            self.capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def _compare(self, given: tuple[int, int]) -> None:
        """Says which size the camera gives, if it is not the one that was asked for."""
        asked = self.mode.size
        if asked and asked != given:
            self.say(
                f"{self.label} has no {asked[0]}x{asked[1]} and gives {given[0]}x{given[1]};"
                " pleinair cameras lists sizes"
            )

    def frames(self) -> Iterator[Frame]:
        """Yields frames until the camera stops giving any."""
        index, is_black = 0, True
        while True:
            with self.reading:
                good, given = self.capture.read()
            if not good:
                self.problems.append(f"{self.label} stopped after {index} frames")
                return
            frame = Frame(NO_PIXELS, index, later=partial(self._pixels, given))
            if (is_black or not self.defers) and not frame.complete().picture.shape[0]:
                continue  # damaged
            if index == 0:
                self._compare((frame.picture.shape[1], frame.picture.shape[0]))
            if is_black:
                is_black = index <= _DARK and int(rgb_of(frame.picture).max()) < _DARKEST
            if is_black and index == _DARK:
                self.say(
                    f"{self.label} gives black pictures: its cover is closed, or another program or"
                    " the system's privacy settings keep it; try another --source index"
                )
            yield frame
            index += 1

    def _pixels(self, given: Pixels) -> Picture:
        """Returns a picture of BGR [H, W, 3] or a JPEG's bytes; without pixels if it is damaged."""
        if given.ndim == 3:
            return cv2.cvtColor(given, cv2.COLOR_BGR2RGB)
        decoded = CodedPicture(av.Packet(given.tobytes()), self.decoder).decode()
        if decoded is None:
            return NO_PIXELS
        return planes_if(decoded, self.planes) or self.to_rgb(decoded)

    def _free(self) -> None:
        self.capture.release()

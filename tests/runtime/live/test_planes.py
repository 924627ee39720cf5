"""Live paints planes as they come, and shows what is beside and around them as it does in RGB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from pleinair.pictures import Pixels, read_picture
from pleinair.runtime.colour import Colour, Encodable
from pleinair.runtime.controls import Controls
from pleinair.runtime.live.live import LivePainter, Look
from pleinair.runtime.planes import planes_of, rgb_of, yuv_of
from pleinair.runtime.stylizer import load
from pleinair.runtime.yuv import Yuv

PHOTO = sorted((Path(__file__).parents[2] / "data" / "photos").iterdir())[0]
JPEG = Colour(Colorspace.ITU601, ColorRange.JPEG)


def planes(size: tuple[int, int] = (320, 192)) -> Yuv:
    rgb = cv2.resize(read_picture(PHOTO)[0], size, interpolation=cv2.INTER_AREA)
    made = yuv_of(planes_of(rgb, JPEG.matrix, JPEG.range), JPEG.matrix, JPEG.range)
    assert made is not None
    return made


def off(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def painter(look: Look, controls: Controls, backend: str = "openvino") -> LivePainter:
    pytest.importorskip("numba")
    pytest.importorskip(backend)
    stylizer = load("monet", backend, "int8", "rgb", size=(192, 320), wrap=look.follow)
    return LivePainter(look, controls, lambda name: stylizer, stylizer)


def test_planes_are_painted_as_planes():
    seen, shown = planes(), painter(Look(), Controls())(planes())
    assert isinstance(shown, Yuv)
    assert shown.shape == seen.shape
    assert off(shown.rgb(), painter(Look(), Controls())(seen.rgb())) < 2
    assert off(shown.rgb(), seen.rgb()) > 5


@pytest.mark.parametrize(
    ("look", "controls"),
    [
        (Look(mirror=True), Controls(mirror=True)),
        (Look(size=(160, 96)), Controls()),
        (Look(side_by_side=True), Controls()),
        (Look(), Controls(compare=True, divider=0.3)),
        (Look(), Controls(compare=True, divider=0.0)),
    ],
)
def test_planes_are_shown_as_rgb_is(look, controls):
    """Without paint, which would differ in single marks."""
    controls.strength = 0.0
    of_planes, of_rgb = (painter(look, controls)(seen) for seen in (planes(), planes().rgb()))
    assert isinstance(of_planes, Yuv)
    assert of_planes.shape == of_rgb.shape
    assert off(of_planes.rgb(), of_rgb) < 1.5


@pytest.mark.parametrize("look", [Look(size=(161, 96)), Look(steady=True), Look(follow=False)])
def test_what_is_not_painted_in_planes_is_painted_in_rgb(look):
    shown = painter(look, Controls())(planes())
    assert isinstance(shown, np.ndarray)
    assert shown.shape[:2] == ((96, 161) if look.size else (192, 320))


def test_planes_of_another_colour_are_encoded_as_what_they_show():
    seen, colour = planes(), Colour(Colorspace.ITU709, ColorRange.MPEG)
    encoded = Encodable((320, 192), "yuv420p", colour)(seen)
    assert off(rgb_of(encoded, colour.matrix, colour.range), seen.rgb()) < 1.5

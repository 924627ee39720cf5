"""Tone mapping of high dynamic range (PQ, HLG): BT.2020 light becomes BT.709 pixels.

The curve is that of Report ITU-R BT.2390-11, section 5.4.1, on the brightest of the three colours,
so that hues stay. All of it is one table of colours, which FFmpeg's ``lut3d`` looks up.
"""

from __future__ import annotations

import struct
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideDataContainer, Type

from ..temporary import TemporaryFolder

Array = npt.NDArray[Any]

PQ, HLG = 16, 18  # FFmpeg's numbers of the transfers
NAMES = {PQ: "PQ", HLG: "HLG"}
WHITE = 100.0  # cd/m2 of BT.709's white
USUAL_PEAK = 1000.0  # cd/m2, if neither metadata nor frames tell
_MOST = 10_000.0
_SIDE = 33  # of the table
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
_LUMA_709 = np.array([0.2126, 0.7152, 0.0722])
_TO_709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ]
)


def nits(signal: Array, transfer: int) -> Array:
    """Returns the light, in cd/m2, that a signal [..., 3] in [0, 1] asks a display for."""
    signal = np.clip(signal, 0, 1)
    if transfer == PQ:
        return _light_of(signal)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luma = np.maximum(scene @ _LUMA_2020, 1e-6)[..., None]
    bright: Array = USUAL_PEAK * scene * luma**0.2
    return bright


def _light_of(signal: Array) -> Array:
    """The light of a signal in PQ."""
    root = signal ** (1 / _M2)
    light: Array = _MOST * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def _pq(light: Array) -> Array:
    powered = (light / _MOST) ** _M1
    signal: Array = ((_C1 + _C2 * powered) / (1 + _C3 * powered)) ** _M2
    return signal


def compressed(light: Array, peak: float) -> Array:
    """Maps light up to ``peak`` to light up to white, both in cd/m2, as BT.2390 says."""
    if peak <= WHITE:
        return np.minimum(light, WHITE)
    most = _pq(np.array(peak))
    value, top = np.minimum(_pq(light) / most, 1), float(_pq(np.array(WHITE)) / most)
    knee = 1.5 * top - 0.5
    t = np.clip((value - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * top
    )
    return _light_of(np.where(value < knee, value, spline) * most)


def to_bt709(signal: Array, transfer: int, peak: float) -> Array:
    """Returns BT.709 pixels [..., 3] in [0, 1] of a BT.2020 signal in the same."""
    light = nits(signal, transfer)
    brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-6)
    linear = light * compressed(brightest, peak) / brightest / WHITE
    rgb = linear @ _TO_709.T
    # Colours outside of BT.709 are made paler until they fit.
    grey = np.clip(rgb @ _LUMA_709, 0, 1)[..., None]
    low, high = rgb.min(axis=-1, keepdims=True), rgb.max(axis=-1, keepdims=True)
    share = np.minimum(
        np.where(low < 0, grey / np.maximum(grey - low, 1e-9), 1),
        np.where(high > 1, (1 - grey) / np.maximum(high - grey, 1e-9), 1),
    )
    encoded: Array = np.clip(grey + share * (rgb - grey), 0, 1) ** (1 / 2.4)
    return encoded


class ToneMap:
    """Turns frames of high dynamic range into RGB pixels of BT.709.

    Args:
        transfer: ``PQ`` or ``HLG``.
        peak: The brightest light of the video, in cd/m2.
    """

    def __init__(self, transfer: int, peak: float) -> None:
        self.transfer, self.peak = transfer, peak
        self.graph: av.filter.Graph | None = None
        self.shape: tuple[int, int] = (0, 0)

    def __call__(self, rgb: av.VideoFrame) -> av.VideoFrame:
        """Takes a frame in ``gbrp10le`` and returns one in ``rgb24``."""
        if self.graph is None or self.shape != (rgb.width, rgb.height):
            self.graph, self.shape = self._graph(rgb), (rgb.width, rgb.height)
        rgb.pts = None
        self.graph.vpush(rgb)
        return self.graph.vpull()

    def _graph(self, rgb: av.VideoFrame) -> av.filter.Graph:
        axis = np.linspace(0, 1, _SIDE)
        blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")  # red varies fastest
        table = to_bt709(np.stack([red, green, blue], axis=-1), self.transfer, self.peak)
        lines = [f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in table.reshape(-1, 3)]
        with TemporaryFolder() as folder:
            path = folder / "table.cube"
            path.write_text(f"LUT_3D_SIZE {_SIDE}\n" + "\n".join(lines) + "\n", encoding="ascii")
            graph = av.filter.Graph()
            source = graph.add_buffer(
                width=rgb.width, height=rgb.height, format=rgb.format, time_base=rgb.time_base
            )
            name = path.as_posix().replace(":", r"\:").replace("'", r"\'")
            graph.link_nodes(
                source,
                graph.add("lut3d", f"file='{name}':interp=tetrahedral"),
                graph.add("format", "rgb24"),
                graph.add("buffersink"),
            ).configure()
        return graph


def _unlisted(cls: Any, value: int) -> Any:
    """A type that FFmpeg knows and PyAV 18 does not, of which it would raise: EXIF, or a view."""
    one = object.__new__(cls)
    one._value_, one._name_ = value, f"UNLISTED_{value}"
    return cls._value2member_map_.setdefault(value, one)


Type._missing_ = classmethod(_unlisted)  # type: ignore[assignment,method-assign]


def side_data(frame: av.VideoFrame) -> dict[Any, bytes]:
    """Returns a decoded frame's side data, by type."""
    # ``frame.side_data`` would stay in the frame and refer to it: the memory of both would be freed
    # only when garbage is collected.
    container: Any = SideDataContainer  # whose constructor has no annotations
    return {one.type: bytes(one) for one in container(frame)}


def announced_peak(frame: av.VideoFrame) -> float | None:
    """Returns the brightest light, in cd/m2, of a frame's metadata; None if there is none."""
    found = side_data(frame)
    light, display = found.get(Type.CONTENT_LIGHT_LEVEL), found.get(Type.MASTERING_DISPLAY_METADATA)
    if light:
        (brightest,) = struct.unpack_from("=I", light)
        if brightest:
            return float(min(brightest, _MOST))
    if display and len(display) >= 88:  # AVMasteringDisplayMetadata
        top, bottom, _, known = struct.unpack_from("=iiii", display, 72)
        if known and top > 0 and bottom > 0:
            return float(min(top / bottom, _MOST))
    return None


def measured_peak(frames: list[Array], transfer: int) -> float:
    """Returns the brightest light, in cd/m2, of frames [H, W, 3] uint16, except a few pixels."""
    brightest = [
        float(np.percentile(nits(frame[::4, ::4] / 65535, transfer).max(axis=-1), 99.9))
        for frame in frames
    ]
    return float(np.clip(max(brightest, default=USUAL_PEAK), WHITE, 4000))

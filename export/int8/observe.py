"""Statistics of a float graph on photographs: histograms of tensors, moments of convolutions.

One pass collects them; ranges and rounded weights are computed from them later.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import NodeProto, TensorProto, helper

from ...pictures import Frames

Array = npt.NDArray[Any]

BINS = 4096
STEP = 5  # one of so many values is counted; minimum and maximum are of all
WINDOWS = 16384  # windows sampled for each convolution over all photographs
LARGEST = 4096  # inputs of one output; with more, the matrix of moments is too large


@dataclass
class Histogram:
    """Counts of a tensor's values in bins of equal width between ``-reach`` and ``reach``."""

    reach: float = 2.0**-20  # doubled, and bins merged, when a value lies beyond
    counts: Array = field(default_factory=lambda: np.zeros(BINS, np.int64))
    low: float = 0.0  # zero is in every range, as an integer of its own
    high: float = 0.0

    def add(self, values: Array) -> None:
        """Counts the values of one photograph."""
        self.low, self.high = (
            min(self.low, float(values.min())),
            max(self.high, float(values.max())),
        )
        while max(-self.low, self.high) > self.reach:
            merged = np.zeros_like(self.counts)
            merged[BINS // 4 : -BINS // 4] = self.counts.reshape(-1, 2).sum(1)
            self.counts, self.reach = merged, 2 * self.reach
        some = values.ravel()[::STEP]
        bins = (some * (BINS / 2 / self.reach) + BINS / 2).astype(np.int32)
        self.counts += np.bincount(np.minimum(bins, BINS - 1), minlength=BINS)

    @property
    def centres(self) -> Array:
        """The value in the middle of each bin."""
        middle: Array = (np.arange(BINS) + 0.5) * (2 * self.reach / BINS) - self.reach
        return middle


@dataclass
class Observed:
    """The statistics of one graph."""

    histograms: dict[str, Histogram]  # by tensor
    # By convolution: the mean of v v^T, where v is a kernel's window and a one for the bias.
    moments: dict[str, Array]


def observe(path: Path, frames: Sequence[Frames], operations: Iterable[str]) -> Observed:
    """Runs a float frame graph on photographs.

    Args:
        path: The .onnx file.
        frames: Photographs, uint8 [1, H, W, 3].
        operations: Types of nodes whose inputs and outputs are counted.
    """
    model = onnx.load(path)
    nodes = [node for node in model.graph.node if node.op_type in operations]
    histograms = {name: Histogram() for name in _float_tensors(model, nodes)}
    windows = list(_windows(model))
    look = values_of(model, list(histograms))
    random, share = np.random.default_rng(0), -(-WINDOWS // len(frames))
    for frame in frames:
        values = look(frame)
        for name, histogram in histograms.items():
            histogram.add(values[name])
        for window in windows:
            window.add(values[window.node.input[0]], random, share)
    return Observed(histograms, {w.node.name: w.moments / w.count for w in windows})


def values_of(model: onnx.ModelProto, names: Sequence[str]) -> Callable[[Frames], dict[str, Array]]:
    """Returns a function that runs a float graph on a frame and returns the named tensors."""
    twin = copy.deepcopy(model)
    del twin.graph.output[:]
    for name in dict.fromkeys(names):
        twin.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    session = ort.InferenceSession(twin.SerializeToString(), providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0].name
    return lambda frame: dict(zip(names, session.run(list(names), {taken: frame}), strict=True))


def _float_tensors(model: onnx.ModelProto, nodes: Iterable[NodeProto]) -> list[str]:
    constants = {tensor.name for tensor in model.graph.initializer}
    inferred = onnx.shape_inference.infer_shapes(model).graph
    types = {
        value.name: value.type.tensor_type.elem_type
        for value in (*inferred.value_info, *inferred.output)
    }
    names = dict.fromkeys(name for node in nodes for name in (*node.input[:2], *node.output))
    return [n for n in names if types.get(n) == TensorProto.FLOAT and n not in constants]


@dataclass
class _Window:
    """Windows of one convolution's kernel."""

    node: NodeProto
    kernel: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]  # top, left, bottom, right
    moments: Array
    count: int = 0

    def add(self, x: Array, random: np.random.Generator, most: int) -> None:
        """Samples places of one photograph's [1, C, h, w]."""
        top, left, bottom, right = self.pads
        x = np.pad(x[0], ((0, 0), (top, bottom), (left, right)))
        views = np.lib.stride_tricks.sliding_window_view(x, self.kernel, (1, 2))
        views = views[:, :: self.strides[0], :: self.strides[1]]  # [C, h', w', kh, kw]
        count = min(most, views.shape[1] * views.shape[2])
        rows, columns = (random.integers(0, side, count) for side in views.shape[1:3])
        seen = views[:, rows, columns].swapaxes(0, 1).reshape(count, -1)
        seen = np.hstack([seen, np.ones((count, 1), seen.dtype)])
        self.moments += seen.T @ seen
        self.count += count


def _windows(model: onnx.ModelProto) -> Iterator[_Window]:
    """Yields a window for each plain convolution that is not too large."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Conv":
            continue
        shape = shapes[node.input[1]]
        inputs = int(np.prod(shape[1:]))
        options = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        plain = options.get("group", 1) == 1 and set(options.get("dilations", (1,))) == {1}
        if (
            len(shape) != 4
            or not plain
            or inputs > LARGEST
            or options.get("auto_pad", b"NOTSET") != b"NOTSET"
        ):
            continue
        yield _Window(
            node,
            (shape[2], shape[3]),
            tuple(options.get("strides", (1, 1))),
            tuple(options.get("pads", (0, 0, 0, 0))),
            np.zeros((inputs + 1, inputs + 1), np.float32),
        )

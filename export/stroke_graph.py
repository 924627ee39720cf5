"""The graph that paints strokes: ``networks.stroke_head`` in ONNX, written for CPUs.

Everything is a flat vector with one number a mark or a sample, indices are int32, and single
numbers are gathered from flat vectors: what libraries do fast. The one thing on which they differ
is the operator for that, see ``GATHERS``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..bundle import Strokes
from ..canvas.hand import DIRECTIONS
from ..canvas.layout import canvas_inputs
from ..canvas.winners import HIDDEN, KINDS, NEED, TURN
from .onnx_graph import OPSET, PLAN

# ONNX Runtime copies single numbers ten times as fast by the one, OpenVINO by the other.
GATHERS = {"onnxruntime": "GatherElements", "openvino": "Gather"}

PAINTED = "painted"
Names = list[str]


def add_head(graph: Path, strokes: Strokes, gather: str, path: Path) -> None:
    """Writes the whole painter: the graph of a plan, and behind it the head.

    Args:
        graph: From ``frame``, uint8 RGB [1, H, W, 3], to ``plan``.
        strokes: How the bundle paints.
        gather: One of ``GATHERS``.
        path: The .onnx file to write. It takes the canvas beside the frame, see ``Canvas.arrays``,
            and returns ``painted``, uint8 RGB [1, H, W, 3], and ``plan``.
    """
    model = onnx.load(graph)
    head = _Head(strokes, gather)
    head.paint()
    whole = model.graph
    painted = helper.make_tensor_value_info(PAINTED, TensorProto.UINT8, [1, "H", "W", 3])
    frame, plan = whole.input[0], whole.output[0]
    inputs, outputs = [frame, *_canvas_inputs(strokes)], [painted, plan]
    nodes, constants = [*whole.node, *head.nodes], [*whole.initializer, *head.constants]
    merged = helper.make_model(
        helper.make_graph(nodes, "strokes", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=model.ir_version,
        producer_name=model.producer_name,
    )
    merged.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(merged, full_check=True)
    onnx.save(merged, path)


def _canvas_inputs(strokes: Strokes) -> list[onnx.ValueInfoProto]:
    taken = canvas_inputs(len(strokes.hand.layers), strokes.step)
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), shape)
        for name, (kind, shape) in taken.items()
    ]


class _Head:
    """Writes the nodes; each method returns the names of what it computes."""

    def __init__(self, strokes: Strokes, gather: str) -> None:
        self.body, self.layers = strokes.hand.body, len(strokes.hand.layers)
        self.step, self.gather = strokes.step, gather
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def paint(self) -> None:
        """From ``plan`` and the canvas to ``painted``."""
        colour, opacity = self._marks()
        self.texels = self.rows("texels", 2 * self.step**2)
        tops = self._tops(opacity)
        top = self.op("Max", *tops) if len(tops) > 1 else tops[0]
        flat = self._flat(colour, opacity, tops)
        near = self._near(flat)
        planes = self._laid(near, flat, top, self.take(opacity, top), whole=True)
        around = self._around(top)
        paint = [self.take(one, around) for one in colour]
        planes = self._laid(planes, paint, around, self.take(opacity, around))
        self._frame([self._byte(plane) for plane in planes])

    def _marks(self) -> tuple[Names, str]:
        """Of each mark its colour, in grey levels, and its opacity."""
        kinds = self.rows(PLAN, KINDS)
        at = [self.take(kind, "cell") for kind in (*kinds[:6], *self._directions(kinds[6:]))]
        show_from, cosine, sine, agree, light, *hue = self.rows("marks", 8)
        colour = [
            self.mul(
                self.add(self.add(at[i], self.mul(at[3], light)), self.mul(at[4], hue[i])),
                self.real(255),
            )
            for i in range(3)
        ]
        need = self.sub(at[5], show_from)
        turn = self.add(self.add(self.mul(at[6], cosine), self.mul(at[7], sine)), agree)
        fades = [
            self.add(self.mul(value, self.real(steep)), self.real(0.5))
            for value, steep in ((need, NEED), (turn, TURN))
        ]
        return colour, self.op("Clip", self.op("Min", *fades), self.real(0), self.real(1))

    def _directions(self, plan: Names) -> Names:
        """Unit vectors, the nearer to those at rest the shorter the plan's are."""
        rest = self.rows("rest", 2)
        many = self.whole([self.layers, 1])
        rest = [self.flat(self.op("Expand", one, many)) for one in rest]
        lacking = self.mul(self.sub(self.real(1), self._length(plan)), self.real(0.5))
        lacking = self.op("Max", lacking, self.real(0))
        mixed = [self.add(p, self.mul(lacking, r)) for p, r in zip(plan, rest, strict=True)]
        length = self._length(mixed)
        return [self.op("Div", one, length) for one in mixed]

    def _length(self, vector: Names) -> str:
        squares = self.add(*(self.mul(one, one) for one in vector))
        return self.op("Sqrt", self.op("Max", squares, self.real(1e-8)))

    def _tops(self, opacity: str) -> Names:
        """Of each layer the number of the topmost shown mark at each sample, or 0."""
        count = self.op("Cast", self.op("Squeeze", self.op("Shape", "cell")), to=TensorProto.INT32)
        numbers = self.op("Range", self.number(0), count, self.number(1))
        shows = self.op("Greater", opacity, self.real(HIDDEN))
        shown = self.mul(self.op("Cast", shows, to=TensorProto.INT32), numbers)
        found = self.take(shown, self.flat("candidates"))
        slots = self.reshape(found, [self.layers, DIRECTIONS, -1])
        return self.rows(self.op("ReduceMax", slots, self.whole([1]), keepdims=0), self.layers)

    def _flat(self, colour: Names, opacity: str, tops: Names) -> Names:
        """The colour of each sample: the layers' marks one over the other, over the ground."""
        ground = self.flat("ground")
        flat = [self.take(one, ground) for one in colour]
        for layer in tops:
            shown, paint = self.take(opacity, layer), [self.take(one, layer) for one in colour]
            flat = [
                self.add(f, self.mul(self.sub(p, f), shown))
                for f, p in zip(flat, paint, strict=True)
            ]
        return flat

    def _near(self, flat: Names) -> Names:
        """Means over 3x3 samples, those outside of the picture left out."""
        return [
            self.flat(self.op("AveragePool", self._picture(one), kernel_shape=[3, 3], pads=[1] * 4))
            for one in flat
        ]

    def _around(self, top: str) -> str:
        """Of 3x3 samples the topmost mark, where it lies over the sample's own; else 0."""
        picture = self._picture(self.op("Cast", top, to=TensorProto.FLOAT))
        most = self.op("MaxPool", picture, kernel_shape=[3, 3], pads=[1] * 4)
        most = self.op("Cast", self.flat(most), to=TensorProto.INT32)
        over = self.op("Cast", self.op("Greater", most, top), to=TensorProto.INT32)
        return self.mul(most, over)

    def _laid(
        self, beneath: Names, paint: Names, mark: str, shown: str, whole: bool = False
    ) -> Names:
        """Lays marks over what is beneath, in each pixel of a sample as far as they cover it.

        Args:
            beneath: Of each colour, for all pixels of a sample alike, or of each pixel and colour.
            paint: The colour of each sample's mark.
            mark: Its number.
            shown: Its opacity.
            whole: Whether ``paint`` has the opacity in it already.
        """
        pixels = self.step**2
        there = self.op("Cast", self.op("Greater", mark, self.number(0)), to=TensorProto.INT32)
        texel = self.mul(self.add(self.take("origin", mark), "place"), there)
        texels = [self.take(plane, texel) for plane in self.texels]
        light = self.mul(self.add(self.add(paint[0], paint[1]), paint[2]), self.real(self.body / 3))
        if whole:
            light = self.mul(light, shown)
        laid = []
        for pixel, (cover, relief) in enumerate(zip(texels[:pixels], texels[pixels:], strict=True)):
            lit = self.mul(relief, light)
            part = cover if whole else self.mul(cover, shown)
            for colour in range(3):
                below = beneath[colour if len(beneath) == 3 else 3 * pixel + colour]
                change = self.sub(self.add(paint[colour], lit), below)
                laid.append(self.add(below, self.mul(change, part)))
        return laid

    def _picture(self, values: str) -> str:
        """A number for each sample as a picture of one channel."""
        size = self.op("Shape", "ground")
        shape = self.op("Concat", self.whole([1, 1]), size, axis=0)
        return self.op("Reshape", values, shape)

    def _byte(self, value: str) -> str:
        inside = self.op("Clip", value, self.real(0), self.real(255))
        return self.op("Cast", self.op("Round", inside), to=TensorProto.UINT8)

    def _frame(self, planes: Names) -> None:
        """From planes, by row and column in the sample, then colour, to a frame.

        First the bytes of one row of a sample come together, then whole rows are put in order.
        """
        planes = [self.reshape(plane, [1, -1]) for plane in planes]
        together = self.reshape(self.op("Concat", *planes, axis=0), [self.step, 3 * self.step, -1])
        pixels = self.op("Transpose", together, perm=[0, 2, 1])
        height = self.op("Shape", "ground", start=0, end=1)
        shape = self.op("Concat", self.whole([self.step]), height, self.whole([-1]), axis=0)
        rows = self.op("Transpose", self.op("Reshape", pixels, shape), perm=[1, 0, 2])
        self.op("Reshape", rows, self.op("Shape", "frame"), output=PAINTED)

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node with one output and returns its name."""
        name = output or f"head_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def add(self, a: str, b: str) -> str:
        """The sum."""
        return self.op("Add", a, b)

    def mul(self, a: str, b: str) -> str:
        """The product."""
        return self.op("Mul", a, b)

    def sub(self, a: str, b: str) -> str:
        """The difference."""
        return self.op("Sub", a, b)

    def take(self, values: str, indices: str) -> str:
        """Single numbers of a flat vector, at flat indices."""
        return self.op(self.gather, values, indices, axis=0)

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """The same values in another shape."""
        return self.op("Reshape", value, self.whole(shape))

    def flat(self, value: str) -> str:
        """The same values as a vector."""
        return self.reshape(value, [-1])

    def rows(self, value: str, count: int) -> Names:
        """Cuts a value along its outermost axis into so many flat vectors."""
        if count == 1:
            return [self.flat(value)]
        name = f"head_{len(self.nodes)}"
        parts = [f"{name}_{i}" for i in range(count)]
        table = self.reshape(value, [count, -1])
        self.nodes.append(
            helper.make_node("Split", [table], parts, f"{name}_rows", axis=0, num_outputs=count)
        )
        return [self.flat(part) for part in parts]

    def real(self, value: float) -> str:
        """A float constant."""
        return self._constant(np.array(value, np.float32))

    def number(self, value: int) -> str:
        """An index."""
        return self._constant(np.array(value, np.int32))

    def whole(self, values: Sequence[int]) -> str:
        """A shape or axes, which ONNX wants in int64."""
        return self._constant(np.array(values, np.int64))

    def _constant(self, array: np.ndarray[Any, Any]) -> str:
        name = f"head_{array.dtype.kind}{array.itemsize}_{'_'.join(map(str, array.ravel()))}"
        if all(known.name != name for known in self.constants):
            self.constants.append(numpy_helper.from_array(array, name))
        return name

"""The graph that paints strokes: ``networks.stroke_head`` in ONNX, written for CPUs.

Everything is a flat vector with one number a mark or a sample, indices are int32, and single
numbers are gathered from flat vectors, by GatherElements: what libraries do fast. Only OpenVINO is
slow at that one, and replaces it when it loads a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...bundle.manifest import Strokes
from ...canvas.layout import canvas_inputs, pixels, slots
from ...canvas.winners import HIDDEN, KINDS, NEED, TURN
from .float_onnx import OPSET, PLAN

PAINTED = "painted"
Names = list[str]


def add_head(graph: Path, strokes: Strokes, path: Path) -> None:
    """Writes the whole painter: the graph of a plan, and behind it the head.

    Args:
        graph: From ``frame``, uint8 RGB [1, H, W, 3], to ``plan``.
        strokes: How the bundle paints.
        path: The .onnx file to write. It takes the canvas beside the frame, see ``Canvas.arrays``,
            and returns ``painted``, uint8 RGB [1, H, W, 3], and ``plan``.
    """
    model = onnx.load(graph)
    head = _Head(strokes)
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

    def __init__(self, strokes: Strokes) -> None:
        self.body, self.layers = strokes.hand.body, len(strokes.hand.layers)
        self.step = strokes.step
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: dict[tuple[str, ...], str] = {}

    def paint(self) -> None:
        """From ``plan`` and the canvas to ``painted``."""
        colour, opacity = self._marks()
        tops = self._tops(opacity)
        top = self.op("Max", *tops)
        marks = [self.to_index(one) for one in tops]
        shown = [self.take(opacity, mark) for mark in marks]
        flat = self._flat(colour, shown, marks)
        near = [self._mean(one) for one in flat]
        # The topmost mark's opacity is in the colour already.
        light = self.mul(self._light(flat), self._topmost(tops, shown))
        grain = self.real(1 / 255)
        paint = self._softened(flat)
        planes = self._laid(near, paint, light, grain, self._texels(self.to_index(top)))
        around = self._around(top)
        paint, opaque = [self.take(one, around) for one in colour], self.take(opacity, around)
        grain = self.mul(opaque, grain)
        planes = self._laid(planes, paint, self._light(paint), grain, self._texels(around))
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
        """Of each layer the number of the topmost shown mark at each sample, or 0; as floats.

        The largest of two floats is found faster than that of two whole numbers, and one after
        the other faster than by a reduction.
        """
        count = self.op("Cast", self.op("Squeeze", self.op("Shape", "cell")), to=TensorProto.INT32)
        numbers = self.op("Range", self.number(0), count, self.number(1))
        shows = self.op("Greater", opacity, self.real(HIDDEN))
        shown = self.mul(self.to_float(shows), self.to_float(numbers))
        tops = []
        for layer in range(self.layers):
            top, *others = (self.take(shown, slot) for slot in slots(layer))
            for other in others:
                top = self.op("Max", top, other)
            tops.append(top)
        return tops

    def _flat(self, colour: Names, shown: Names, marks: Names) -> Names:
        """The colour of each sample: the layers' marks one over the other, over the ground."""
        ground = self.flat("ground")
        flat = [self.take(one, ground) for one in colour]
        for opacity, mark in zip(shown, marks, strict=True):
            paint = [self.take(one, mark) for one in colour]
            flat = [
                self.add(f, self.mul(self.sub(p, f), opacity))
                for f, p in zip(flat, paint, strict=True)
            ]
        return flat

    def _topmost(self, tops: Names, values: Names) -> str:
        """Of each layer's values that of the topmost layer that has a mark."""
        found = values[0]
        for top, value in zip(tops[1:], values[1:], strict=True):
            found = self.op("Where", self.op("Greater", top, self.real(0)), value, found)
        return found

    def _softened(self, flat: Names) -> Names:
        """Colours of samples in each of their pixels: where those are 2x2, enlarged bilinearly."""
        if self.step == 1:
            return flat
        planes = [self._halves(half, 3) for one in flat for half in self._halves(one, 2)]
        # By pixel, then colour: each colour has its upper half's columns before its lower half's.
        return [
            planes[2 * colour + row][column]
            for row in (0, 1)
            for column in (0, 1)
            for colour in range(3)
        ]

    def _halves(self, values: str, axis: int) -> Names:
        """Enlarges by 2 along an axis of samples; returns the even places and the odd ones."""
        own = self.mul(self._picture(values), self.real(0.75))
        before, after = self._beside(self._picture(values), axis, "edge")
        return [
            self.flat(self.add(own, self.mul(next_to, self.real(0.25))))
            for next_to in (before, after)
        ]

    def _mean(self, values: str) -> str:
        """Means over 3x3 samples, those outside of the picture left out."""
        for axis in (2, 3):
            sums = self._three("Add", self._picture(values), axis)
            values = self.mul(sums, self._share(axis))
        return self.flat(values)

    def _share(self, axis: int) -> str:
        """One in three, and at the border one in two: of rows or of columns."""
        shape = [self.whole([1])] * 4
        shape[axis] = self.op("Shape", "ground", start=axis - 2, end=axis - 1)
        ones = self.op("Expand", self.real(1), self.op("Concat", *shape, axis=0))
        return self.op("Reciprocal", self._three("Add", ones, axis))

    def _three(self, kind: str, picture: str, axis: int) -> str:
        """Joins each sample with those on both sides; outside of the picture there is zero."""
        before, after = self._beside(picture, axis, "constant")
        return self.op(kind, self.op(kind, before, picture), after)

    def _beside(self, picture: str, axis: int, outside: str) -> Names:
        """Of each sample the one before and the one after it along an axis.

        Args:
            picture: From ``_picture``.
            axis: 2 for rows, 3 for columns.
            outside: What is there outside of the picture: ``constant``, zero, or the ``edge``.
        """
        sides = self.whole([int(at % 4 == axis) for at in range(8)])
        padded = self.op("Pad", picture, sides, mode=outside)
        return [
            self.op("Slice", padded, self.whole([begin]), self.whole([end]), self.whole([axis]))
            for begin, end in ((0, -2), (2, 2**31 - 1))
        ]

    def _around(self, top: str) -> str:
        """Of 3x3 samples the topmost mark, where it lies over the sample's own; else 0."""
        most = self._three("Max", self._three("Max", self._picture(top), 2), 3)
        most = self.flat(most)
        return self.to_index(self.mul(most, self.to_float(self.op("Greater", most, top))))

    def _texels(self, mark: str) -> list[tuple[str, str]]:
        """Cover and relief of marks in each pixel of a sample; of no mark the first, bare texel.

        Cover is in 0..255 and relief in 0..1, where flat is 1/2: parts of the one number in which
        a canvas has both, see ``Canvas.arrays``. One is gathered in half the time of two.
        """
        there = self.to_index(self.op("Greater", mark, self.number(0)))
        texel = self.mul(self.add(self.take("origin", mark), "place"), there)
        found = [self.take(plane, texel) for plane in pixels(self.step)]
        covers = [self.op("Floor", both) for both in found]
        return [(cover, self.sub(both, cover)) for cover, both in zip(covers, found, strict=True)]

    def _light(self, paint: Names) -> str:
        """What the light adds to paint from relief 0 to relief 1."""
        total = self.add(self.add(paint[0], paint[1]), paint[2])
        return self.mul(total, self.real(self.body / 3 * 256 / 127))

    def _laid(
        self, beneath: Names, paint: Names, light: str, grain: str, texels: list[tuple[str, str]]
    ) -> Names:
        """Lays marks over what is beneath, in each pixel of a sample as far as they cover it.

        Args:
            beneath: Of each colour, for all pixels of a sample alike, or of each pixel and colour.
            paint: The colours of each sample's mark, likewise.
            light: See ``_light``.
            grain: How much each of 255 parts of cover hides.
            texels: Cover and relief of each pixel.
        """
        shade = self.mul(light, self.real(0.5))  # what relief 0 takes from flat paint
        dark = [self.sub(one, shade) for one in paint]
        laid = []
        for pixel, (cover, relief) in enumerate(texels):
            lit, part = self.mul(relief, light), self.mul(cover, grain)
            for colour in range(3):
                place = 3 * pixel + colour
                below = beneath[place % len(beneath)]
                change = self.add(self.sub(dark[place % len(dark)], below), lit)
                laid.append(self.add(below, self.mul(change, part)))
        return laid

    def _picture(self, values: str) -> str:
        """A number for each sample as a picture of one channel."""
        size = self.op("Shape", "ground")
        return self.op("Reshape", values, self.op("Concat", self.whole([1, 1]), size, axis=0))

    def _byte(self, value: str) -> str:
        inside = self.op("Clip", value, self.real(0), self.real(255))
        return self.op("Cast", self.op("Round", inside), to=TensorProto.UINT8)

    def _frame(self, planes: Names) -> None:
        """From planes, by row and column in the sample, then colour, to a frame.

        Row by row of the samples: what is read and written at once is then in the cache.
        """
        rows, columns = (self.op("Shape", "ground", start=k, end=k + 1) for k in (0, 1))
        row = self.op("Concat", rows, self.whole([1, -1]), axis=0)
        lines = self.op("Concat", *(self.op("Reshape", one, row) for one in planes), axis=1)
        line = self.op("Concat", self.whole([-1, 3 * self.step]), columns, axis=0)
        lines = self.op("Transpose", self.op("Reshape", lines, line), perm=[0, 2, 1])
        self.op("Reshape", lines, self.op("Shape", "frame"), output=PAINTED)

    def op(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Adds a node with one output, unless there is the same already; returns its name."""
        key = (kind, *inputs, repr(attributes))
        if key not in self.known:
            name = output or f"head_{len(self.nodes)}"
            self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
            self.known[key] = name
        return self.known[key]

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
        return self.op("GatherElements", values, indices, axis=0)

    def to_float(self, value: str) -> str:
        """As a float; of a truth 1 or 0."""
        return self.op("Cast", value, to=TensorProto.FLOAT)

    def to_index(self, value: str) -> str:
        """As a whole number."""
        return self.op("Cast", value, to=TensorProto.INT32)

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

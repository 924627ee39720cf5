"""The graph that paints strokes: ``networks.stroke_head`` in ONNX, written for CPUs.

Everything is a flat vector with one number a mark or a sample, indices are int32, and single
numbers are gathered from flat vectors, by GatherElements: what libraries do fast. Only OpenVINO is
slow at that one, and replaces it when it loads a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
PART = "head."  # what the names of the head's nodes begin with
Names = list[str]
Join = Callable[[str, str], str]


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
    """Writes the nodes; each method returns the names of what it computes.

    Nodes are named ``head.PART.NUMBER``, so that a profile tells what a part takes.
    """

    def __init__(self, strokes: Strokes) -> None:
        self.body, self.layers = strokes.hand.body, len(strokes.hand.layers)
        self.step = strokes.step
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.known: dict[tuple[str, ...], str] = {}
        self.part = "marks"
        self.grain = self.real(1 / 255)  # how much each of 255 parts of cover hides

    def paint(self) -> None:
        """From ``plan`` and the canvas to ``painted``."""
        colour, opacity = self._marks()
        self.part = "tops"
        tops = self._tops(opacity)
        top = self.op("Max", *tops)
        marks = [self.to_index(one) for one in tops]
        self.part = "paint"
        shown = [self.take(opacity, mark) for mark in marks]
        flat = self._flat(colour, shown, marks)
        # The topmost mark's opacity is in the colour already.
        light = self.mul(self._light(flat), self._topmost(tops, shown))
        cover, relief = self._texels([self.to_index(top)])
        own = self._lit(flat, light, relief)
        painted = self._laid(self._near(flat), own, [self.mul(c, self.grain) for c in cover])
        self.part = "edges"
        above = self._above(top)
        cover, relief = self._texels(above)
        laid, covers = [], []
        for pixel, part in enumerate(cover):
            mark = above[pixel % len(above)]
            paint = self._unpacked(self.take(colour, mark))
            laid += self._lit(paint, self._light(paint), relief[pixel : pixel + 1])
            covers.append(self.mul(part, self.mul(self.take(opacity, mark), self.grain)))
        painted = self._laid(painted, laid, covers)
        self.part = "frame"
        self._frame([self._byte(plane) for plane in painted])

    def _marks(self) -> tuple[str, str]:
        """Of each mark its colour, see ``_packed``, and its opacity."""
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
        return self._packed(colour), self.op(
            "Clip", self.op("Min", *fades), self.real(0), self.real(1)
        )

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

    def _packed(self, colour: Names) -> str:
        """Three bytes in one number, which a float holds exactly: one is gathered, not three."""
        red, green, blue = (self._rounded(one) for one in colour)
        packed = self.add(self.mul(red, self.real(256)), green)
        return self.add(self.mul(packed, self.real(256)), blue)

    def _unpacked(self, packed: str) -> Names:
        """The three bytes in a number, as floats."""
        high = self.op("Floor", self.mul(packed, self.real(1 / 256)))
        red = self.op("Floor", self.mul(high, self.real(1 / 256)))
        green = self.sub(high, self.mul(red, self.real(256)))
        return [red, green, self.sub(packed, self.mul(high, self.real(256)))]

    def _flat(self, colour: str, shown: Names, marks: Names) -> Names:
        """The colour of each sample: the layers' marks one over the other, over the ground."""
        flat = self._unpacked(self.take(colour, self.flat("ground")))
        for opacity, mark in zip(shown, marks, strict=True):
            paint = self._unpacked(self.take(colour, mark))
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

    def _near(self, flat: Names) -> Names:
        """Colours around each pixel, by pixel and colour, or of each colour for all pixels alike.

        Of single pixels the mean of 3x3; of a pixel in a block that of the three blocks it touches:
        three parts of that above or below, three of that beside, one of the diagonal one.
        """
        if self.step == 1:
            return [self._mean(one) for one in flat]

        def start(own: str, vertical: str) -> str:
            return self.add(self.mul(own, self.real(3 / 7)), self.mul(vertical, self.real(1 / 7)))

        def finish(beside: str, vertical: str) -> str:
            return self.add(beside, self.mul(vertical, self.real(3 / 7)))

        planes = [self._touching(one, start, finish) for one in flat]
        return [plane[pixel] for pixel in range(4) for plane in planes]

    def _touching(self, values: str, start: Join, finish: Join) -> Names:
        """Joins for each pixel of a block of 2x2 the three other blocks that it touches.

        Args:
            values: A number for each block.
            start: Joins a block with the one above or below.
            finish: Joins what ``start`` made of the block beside with the one above or below.
        """
        own = self._picture(values)
        return [
            self.flat(finish(beside, vertical))
            for vertical in self._beside(own, 2, "edge")
            for beside in self._beside(start(own, vertical), 3, "edge")
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

    def _above(self, top: str) -> Names:
        """Of the marks next to each pixel the topmost, where it lies over the sample's own; or 0.

        Of blocks of pixels there is one for each pixel.
        """
        if self.step == 1:
            most = [self.flat(self._three("Max", self._three("Max", self._picture(top), 2), 3))]
        else:
            most = self._touching(top, self.most, self.most)
        return [
            self.to_index(self.mul(one, self.to_float(self.op("Greater", one, top))))
            for one in most
        ]

    def _texels(self, marks: Names) -> tuple[Names, Names]:
        """Cover and relief in each pixel of a sample; of no mark the first, bare texel's.

        Cover is in 0..255 and relief in 0..1, where flat is 1/2: parts of the one number in which
        a canvas has both, see ``Canvas.arrays``. One is gathered in half the time of two.

        Args:
            marks: One for all pixels, or one for each.
        """
        texels = []
        for mark in marks:
            there = self.to_index(self.op("Greater", mark, self.number(0)))
            texels.append(self.mul(self.add(self.take("origin", mark), "place"), there))
        planes = enumerate(pixels(self.step))
        found = [self.take(plane, texels[pixel % len(texels)]) for pixel, plane in planes]
        cover = [self.op("Floor", both) for both in found]
        return cover, [self.sub(both, part) for both, part in zip(found, cover, strict=True)]

    def _light(self, paint: Names) -> str:
        """What the light adds to paint from relief 0 to relief 1."""
        total = self.add(self.add(paint[0], paint[1]), paint[2])
        return self.mul(total, self.real(self.body / 3 * 256 / 127))

    def _lit(self, paint: Names, light: str, relief: Names) -> Names:
        """Paint in each pixel of a sample, by pixel and colour, lit by its relief.

        Args:
            paint: The three colours of each sample's mark.
            light: See ``_light``.
            relief: Of each pixel.
        """
        shade = self.mul(light, self.real(0.5))  # what relief 0 takes from flat paint
        dark = [self.sub(one, shade) for one in paint]
        lights = [self.mul(one, light) for one in relief]
        return [self.add(one, lit) for lit in lights for one in dark]

    def _laid(self, beneath: Names, paint: Names, parts: Names) -> Names:
        """Lays paint over what is beneath, in each pixel as far as it covers it.

        Args:
            beneath: By pixel and colour, or of each colour, for all pixels alike.
            paint: By pixel and colour.
            parts: How much each pixel is covered, 0 to 1.
        """
        laid = []
        for place, one in enumerate(paint):
            below = beneath[place % len(beneath)]
            laid.append(self.add(below, self.mul(self.sub(one, below), parts[place // 3])))
        return laid

    def _picture(self, values: str) -> str:
        """A number for each sample as a picture of one channel."""
        size = self.op("Shape", "ground")
        return self.op("Reshape", values, self.op("Concat", self.whole([1, 1]), size, axis=0))

    def _rounded(self, value: str) -> str:
        """To whole numbers within 0..255; ONNX Runtime's WebGPU has no Round, but it has Floor."""
        clipped = self.op("Clip", value, self.real(0), self.real(255))
        return self.op("Floor", self.add(clipped, self.real(0.5)))

    def _byte(self, value: str) -> str:
        return self.op("Cast", self._rounded(value), to=TensorProto.UINT8)

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
            name = output or self._name()
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

    def most(self, a: str, b: str) -> str:
        """The larger one."""
        return self.op("Max", a, b)

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
        name = self._name()
        parts = [f"{name}_{i}" for i in range(count)]
        table = self.reshape(value, [count, -1])
        self.nodes.append(
            helper.make_node("Split", [table], parts, f"{name}_rows", axis=0, num_outputs=count)
        )
        return [self.flat(part) for part in parts]

    def _name(self) -> str:
        return f"{PART}{self.part}.{len(self.nodes)}"

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
        name = f"head.{array.dtype.kind}{array.itemsize}_{'_'.join(map(str, array.ravel()))}"
        if all(known.name != name for known in self.constants):
            self.constants.append(numpy_helper.from_array(array, name))
        return name

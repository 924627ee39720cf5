"""The stroke head in ONNX, written for CPUs: ``networks.stroke_head`` as a graph.

All values are flat vectors with one number for each mark or sample, and indices are int32. Single
numbers are gathered by GatherElements, which is fast in most libraries. OpenVINO is slow at it; its
backend replaces it when it loads a graph.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from ...bundle.manifest import Strokes
from ...canvas.layout import CELL, canvas_inputs, pixels, slots
from ...canvas.winners import HIDDEN, KINDS, NEED, TURN
from .float_onnx import OPSET, PLAN
from .nodes import Names, NodeWriter

PAINTED = "painted"
PART = "head."  # what the names of the head's nodes begin with


def add_head(graph: Path, strokes: Strokes, path: Path) -> None:
    """Appends the stroke head to the graph of a plan and writes the complete painter.

    Args:
        graph: From ``frame``, uint8 RGB [1, H, W, 3], to ``plan``.
        strokes: How the bundle paints.
        path: The .onnx file to write. It takes the canvas after the frame, see ``Canvas.arrays``,
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


class _Sample(NamedTuple):
    """What lies on top of each sample: vectors."""

    paint: Names  # of the three colours
    light: str  # see ``_Head._light``
    mark: str
    origin: str


class _Coat(NamedTuple):
    """What marks put on the pixels of samples."""

    paint: Names  # by pixel and colour
    covers: Names  # by pixel, 0..1
    marks: Names  # by pixel


class _Head(NodeWriter):
    """Writes the nodes of the head.

    They are named ``head.PART.NUMBER``, so that a profile shows the time of each part.
    """

    def __init__(self, strokes: Strokes) -> None:
        super().__init__("head")
        self.part = "marks"
        hand = strokes.hand
        self.body, self.spill, self.layers = hand.body, hand.spill, len(hand.layers)
        self.step = strokes.step
        self.grain = self.real(1 / 255)  # opacity of one of 255 steps of cover

    def paint(self) -> None:
        """From ``plan`` and the canvas to ``painted``."""
        colour, opacity = self._marks()
        self.part = "tops"
        tops = self._tops(opacity)
        marks = [self.to_index(one) for one in tops]
        self.part = "paint"
        shown = [self.take(opacity, mark) for mark in marks]
        paints = [self._unpacked(self.take(colour, mark)) for mark in (self.flat("ground"), *marks)]
        flat, tops = self._flat(paints, shown, tops)
        top = self.op("Max", *tops)
        # The topmost mark's opacity is in the colour already.
        light = self.mul(self._light(flat), self._topmost(tops, shown))
        self.part = "edges"
        own = _Sample(flat, light, top, self.take("origin", self.to_index(top)))
        if self.step == 1:
            near = [self._mean(one) for one in flat]
            others = [self._topmost_around(top, colour, opacity)]
        else:
            sides = self._sides(own)
            near = [
                self.mul(self.add(a, b), self.real(0.5))
                for vertical, horizontal in zip(*sides, strict=True)
                for a, b in zip(vertical.paint, horizontal.paint, strict=True)
            ]
            others = [self._coat(side) for side in sides]
        painted = self._laid(near, [self._coat([own]), *others])
        self.part = "frame"
        self._frame([self._byte(plane) for plane in painted])

    def _marks(self) -> tuple[str, str]:
        """Returns each mark's colour, see ``_packed``, and its opacity."""
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
        """Returns unit vectors of directions; short ones are drawn towards those of ``rest``."""
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
        """Returns, by layer, each sample's topmost visible mark as a float; 0 for none.

        Max is faster for floats than for integers, and one after the other is faster than a
        reduction.
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
        """Packs three bytes into a float, exactly, so that one number is gathered for three."""
        red, green, blue = (self._rounded(one) for one in colour)
        packed = self.add(self.mul(red, self.real(256)), green)
        return self.add(self.mul(packed, self.real(256)), blue)

    def _unpacked(self, packed: str) -> Names:
        """The three bytes in a number, as floats."""
        high = self.op("Floor", self.mul(packed, self.real(1 / 256)))
        red = self.op("Floor", self.mul(high, self.real(1 / 256)))
        green = self.sub(high, self.mul(red, self.real(256)))
        return [red, green, self.sub(packed, self.mul(high, self.real(256)))]

    def _flat(self, paints: list[Names], shown: Names, tops: Names) -> tuple[Names, Names]:
        """Returns each sample's colour, and what of the tops is not beyond a contour.

        Args:
            paints: The colours of the ground and of each layer's mark.
            shown: Its opacity.
            tops: Its number; 0 for none.
        """
        flat, *coats = paints
        if self.spill:
            here = self._here()
            kept = [self._kept(paint, here) for paint in coats]
            shown = [self.mul(opacity, part) for opacity, part in zip(shown, kept, strict=True)]
            most = [self.to_float(self.op("Greater", part, self.real(0.5))) for part in kept]
            tops = [self.mul(top, there) for top, there in zip(tops, most, strict=True)]
        for paint, opacity in zip(coats, shown, strict=True):
            flat = [
                self.add(f, self.mul(self.sub(p, f), opacity))
                for f, p in zip(flat, paint, strict=True)
            ]
        return flat, tops

    def _here(self) -> str:
        """Returns the plan's brightness for the finest marks at each sample, 0..255."""
        finest = self.whole([self.layers - 1]), self.whole([3 * self.layers]), self.whole([1])
        colours = self.op("Slice", PLAN, *finest, self.whole([self.layers]))
        brightness = self.op("ReduceMean", colours, self.whole([1]))
        sides = self.reals([1, 1, CELL / self.step, CELL / self.step])
        return self.mul(
            self.flat(self.op("Resize", brightness, "", sides, mode="linear")), self.real(255)
        )

    def _kept(self, paint: Names, here: str) -> str:
        """Returns how much of paint is kept where the plan is as bright as ``here``, 0..1."""
        assert self.spill
        fades, ends = (255 * part for part in self.spill)
        brightness = self.mul(self.add(self.add(*paint[:2]), paint[2]), self.real(1 / 3))
        differs = self.op("Abs", self.sub(brightness, here))
        left = self.mul(self.sub(self.real(ends), differs), self.real(1 / (ends - fades)))
        return self.op("Clip", left, self.real(0), self.real(1))

    def _topmost(self, tops: Names, values: Names) -> str:
        """Returns the value of the topmost layer that has a mark."""
        found = values[0]
        for top, value in zip(tops[1:], values[1:], strict=True):
            found = self.op("Where", self.op("Greater", top, self.real(0)), value, found)
        return found

    def _sides(self, own: _Sample) -> tuple[list[_Sample], list[_Sample]]:
        """For each pixel of a block of 2x2 the two other blocks that it touches along a side.

        Returns:
            The blocks above or below, and those to the left or right, pixels row by row.
        """
        above, below = self._moved(own, 2)
        left, right = self._moved(own, 3)
        return [above, above, below, below], [left, right, left, right]

    def _moved(self, own: _Sample, axis: int) -> list[_Sample]:
        """What lies before and after each sample along an axis; at the border itself."""
        planes = [
            [self.flat(side) for side in self._beside(self._picture(one), axis, "edge")]
            for one in (*own.paint, own.light, own.mark, own.origin)
        ]
        return [_Sample(list(one[:3]), *one[3:]) for one in zip(*planes, strict=True)]

    def _mean(self, values: str) -> str:
        """Returns means over 3x3 samples, without those outside of the picture."""
        # Sums of slices are a little quicker in ONNX Runtime, but TensorRT-RTX makes tens of
        # megabytes of code of them.
        picture = self._picture(values)
        return self.flat(self.op("AveragePool", picture, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))

    def _three(self, kind: str, picture: str, axis: int) -> str:
        """Joins each sample with its two neighbours along an axis; outside there is zero."""
        before, after = self._beside(picture, axis, "constant")
        return self.op(kind, self.op(kind, before, picture), after)

    def _beside(self, picture: str, axis: int, outside: str) -> Names:
        """Returns each sample's neighbours along an axis: before it and after it.

        Args:
            picture: From ``_picture``.
            axis: 2 for rows, 3 for columns.
            outside: The padding: ``constant`` (zero) or ``edge``.
        """
        sides = self.whole([int(at % 4 == axis) for at in range(8)])
        padded = self.op("Pad", picture, sides, mode=outside)
        return [
            self.op("Slice", padded, self.whole([begin]), self.whole([end]), self.whole([axis]))
            for begin, end in ((0, -2), (2, 2**31 - 1))
        ]

    def _topmost_around(self, top: str, colour: str, opacity: str) -> _Coat:
        """Of the marks on top of each pixel and of those around it the topmost."""
        most = self.flat(self._three("Max", self._three("Max", self._picture(top), 2), 3))
        mark = self.to_index(most)
        paint = self._unpacked(self.take(colour, mark))
        sample = _Sample(paint, self._light(paint), most, self.take("origin", mark))
        coat = self._coat([sample])
        shown = self.take(opacity, mark)
        return coat._replace(covers=[self.mul(cover, shown) for cover in coat.covers])

    def _coat(self, samples: list[_Sample]) -> _Coat:
        """What marks put on the pixels of samples: one for all pixels, or one for each.

        Cover is in 0..255 and relief in 0..1, where flat is 1/2: parts of the one number in which
        a canvas has both, see ``Canvas.arrays``. One is gathered in half the time of two. Where
        there is no mark it is the first texel's, which is bare.
        """
        paint, covers = [], []
        samples = samples * (self.step**2 // len(samples))
        for plane, sample in zip(pixels(self.step), samples, strict=True):
            there = self.to_index(self.op("Greater", sample.mark, self.real(0)))
            texel = self.mul(self.add(sample.origin, "place"), there)
            both = self.take(plane, texel)
            cover = self.op("Floor", both)
            paint += self._lit(sample.paint, sample.light, self.sub(both, cover))
            covers.append(self.mul(cover, self.grain))
        return _Coat(paint, covers, [sample.mark for sample in samples])

    def _light(self, paint: Names) -> str:
        """Returns the brightness that relief 1 has over relief 0."""
        total = self.add(self.add(paint[0], paint[1]), paint[2])
        return self.mul(total, self.real(self.body / 3 * 256 / 127))

    def _lit(self, paint: Names, light: str, relief: str) -> Names:
        """Paint in one pixel of samples, by colour, lit by its relief; see ``_light``."""
        shade = self.mul(light, self.real(0.5))  # what relief 0 takes from flat paint
        lit = self.mul(light, relief)
        return [self.add(self.sub(one, shade), lit) for one in paint]

    def _laid(self, near: Names, coats: list[_Coat]) -> Names:
        """Lays coats one over the other, by the numbers of their marks; see the head in PyTorch.

        Args:
            near: What is seen where none covers: by pixel and colour, or of each colour alike.
            coats: What covers.
        """
        painted = []
        for pixel in range(self.step**2):
            shares = self._shares([(coat.marks[pixel], coat.covers[pixel]) for coat in coats])
            for place in range(3 * pixel, 3 * pixel + 3):
                around = out = near[place % len(near)]
                for coat, share in zip(coats, shares, strict=True):
                    out = self.add(out, self.mul(self.sub(coat.paint[place], around), share))
                painted.append(out)
        return painted

    def _shares(self, coats: list[tuple[str, str]]) -> Names:
        """How much of a pixel is seen to be each coat, of the mark and the cover of each."""
        marks, covers = (list(parts) for parts in zip(*coats, strict=True))
        for first, second in combinations(range(len(coats)), 2):  # one that is there twice
            same = self.op("Equal", marks[second], marks[first])
            covers[second] = self.op("Where", same, self.real(0), covers[second])
        shares, one = list(covers), self.real(1)
        for first, second in combinations(range(len(coats)), 2):
            over = self.to_float(self.op("Greater", marks[second], marks[first]))
            beneath = self.sub(one, over)
            hidden = self.mul(covers[second], over), self.mul(covers[first], beneath)
            for index, part in zip((first, second), hidden, strict=True):
                shares[index] = self.mul(shares[index], self.sub(one, part))
        return shares

    def _picture(self, values: str) -> str:
        """Reshapes one number for each sample to a picture of one channel."""
        size = self.op("Shape", "ground")
        return self.op("Reshape", values, self.op("Concat", self.whole([1, 1]), size, axis=0))

    def _rounded(self, value: str) -> str:
        """To whole numbers within 0..255; ONNX Runtime's WebGPU has no Round, but it has Floor."""
        clipped = self.op("Clip", value, self.real(0), self.real(255))
        return self.op("Floor", self.add(clipped, self.real(0.5)))

    def _byte(self, value: str) -> str:
        return self.op("Cast", self._rounded(value), to=TensorProto.UINT8)

    def _frame(self, planes: Names) -> None:
        """Joins planes, ordered by row and column in the sample and by colour, to a frame.

        It goes row by row of the samples, so that the data stay in the cache.
        """
        rows, columns = (self.op("Shape", "ground", start=k, end=k + 1) for k in (0, 1))
        row = self.op("Concat", rows, self.whole([1, -1]), axis=0)
        lines = self.op("Concat", *(self.op("Reshape", one, row) for one in planes), axis=1)
        line = self.op("Concat", self.whole([-1, 3 * self.step]), columns, axis=0)
        lines = self.op("Transpose", self.op("Reshape", lines, line), perm=[0, 2, 1])
        self.op("Reshape", lines, self.op("Shape", "frame"), output=PAINTED)

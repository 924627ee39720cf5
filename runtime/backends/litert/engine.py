"""LiteRT, once TensorFlow Lite: a .tflite by its Python runtime, XNNPACK as on a phone.

A file is for one size, since GPU delegates need fixed sizes. For another size the program is
rewritten in memory: the sizes of its tensors, and the output sizes of transposed convolutions.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from ....cores import usable_cores
from ....errors import BackendError
from ....pictures import Frames
from ..library import mapped_errors, muted
from ..protocols import Engine

BYTES = (1.0, -128)  # scale and zero point with which INT8 values are a frame's bytes
TRANSPOSE_CONV = schema.BuiltinOperator.TRANSPOSE_CONV


class LiteRtEngine:
    """An interpreter for each thread, for the size that it painted last.

    Args:
        path: A folder with a ``{width}x{height}.tflite`` for each size.
        threads: How many each interpreter has.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self.path, self.threads = path, threads
        self.mine = threading.local()
        with mapped_errors("litert", f"load {path}"):
            self.programs = {size_of(file): file.read_bytes() for file in path.glob("*.tflite")}
            if not self.programs:
                raise BackendError(f"litert: {path} holds no WIDTHxHEIGHT.tflite; export it again")
            self._open(
                *min(self.programs)
            )  # refuses what it cannot read now, not at the first frame

    def prepare(self, height: int, width: int) -> None:
        """Does nothing: the first frame of a size opens an interpreter for it."""

    def __call__(self, frames: Frames) -> Frames:
        """Paints uint8 RGB [1, H, W, 3]."""
        height, width = frames.shape[1:3]
        with mapped_errors("litert", f"paint a {width}x{height} frame"):
            if getattr(self.mine, "size", None) != (height, width):
                self._open(height, width)
            interpreter, taken, made = self.mine.interpreter, self.mine.taken, self.mine.made
            in_bytes = taken["dtype"] == np.int8
            x = (frames ^ 128).view(np.int8) if in_bytes else frames.astype(np.float32)
            interpreter.set_tensor(taken["index"], x)
            interpreter.invoke()
            made_of_it: Any = interpreter.get_tensor(made["index"])
        painted: Frames
        if in_bytes:
            painted = made_of_it.view(np.uint8) ^ 128
        else:
            painted = (made_of_it + 0.5).astype(np.uint8)  # it is clamped already
        return painted

    def _open(self, height: int, width: int) -> None:
        """Opens an interpreter for this thread."""
        program = self.programs.get((height, width))
        if program is None:
            program = resized(self.programs[min(self.programs)], height, width)
        with muted():
            interpreter = Interpreter(model_content=program, num_threads=self.threads)
            interpreter.allocate_tensors()
        (taken,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
        for tensor in (taken, made):
            whole = tensor["dtype"] == np.int8 and tensor["quantization"] == BYTES
            if not (whole or tensor["dtype"] == np.float32) or tensor["shape"][3] != 3:
                raise BackendError(f"litert: {self.path} takes no frames; export it again")
        mine = self.mine
        mine.interpreter, mine.taken, mine.made, mine.size = (
            interpreter,
            taken,
            made,
            (height, width),
        )


def size_of(file: Path) -> tuple[int, int]:
    """Returns the (height, width) that a file is named after."""
    found = re.fullmatch(r"(\d+)x(\d+)", file.stem)
    if not found:
        raise BackendError(f"litert: {file} is not named WIDTHxHEIGHT.tflite; export it again")
    return int(found[2]), int(found[1])


def resized(program: bytes, height: int, width: int) -> bytes:
    """Returns a program of convolutions for frames of another size.

    Args:
        program: A .tflite with one picture as input.
        height: Of the frames; like the width a multiple of the generator's stride.
        width: Of the frames.
    """
    model = schema.ModelT.InitFromPackedBuf(program, 0)
    (graph,) = model.subgraphs
    _, rows, columns, _ = graph.tensors[graph.inputs[0]].shape

    def scaled(shape: Any) -> Any:
        count, h, w, channels = map(int, shape)
        return np.array([count, h * height // rows, w * width // columns, channels], np.int32)

    pictures, told = set(graph.inputs), set()
    for operator in graph.operators:
        if pictures.intersection(operator.inputs):
            pictures.update(operator.outputs)
        if model.operatorCodes[operator.opcodeIndex].builtinCode == TRANSPOSE_CONV:
            told.add(graph.tensors[operator.inputs[0]].buffer)
    for index in pictures:
        graph.tensors[index].shape = scaled(graph.tensors[index].shape)
    for index in told:
        buffer = model.buffers[index]
        buffer.data = scaled(np.asarray(buffer.data, np.uint8).view(np.int32)).view(np.uint8)
    builder = flatbuffers.Builder(len(program))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def load(path: Path, in_flight: int) -> Engine:
    """Loads a folder of .tflite files."""
    cores = usable_cores()
    return LiteRtEngine(path, max(1, cores // min(in_flight, cores)))

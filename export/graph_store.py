"""The graphs that targets are built from; each is made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from ..bundle.manifest import Quantization
from ..metrics import DriftLimits
from ..networks.describe import strokes_of
from ..networks.painter import stride_of
from ..networks.strokes import StrokeGenerator, planner
from ..pictures import Frames, thinned
from ..progress import Say
from ..runtime.backends import Engine, find_backend
from ..runtime.strokes.canvases import Canvases
from .calibration import middle
from .drift import Paint, PlanDifference, reference_pictures, reference_plans
from .graphs.float_onnx import export_float
from .graphs.half import Fp32Reason, fp32_layers
from .graphs.strokes import add_head
from .int8.observe import observe
from .int8.quantize import OPERATIONS, OnnxInt8Builder, Quantizer, Scheme
from .int8.search import PICTURES, Int8Builder, Search


@dataclass(frozen=True)
class About:
    """Texts about a model for people to read."""

    title: str = ""
    description: str = ""
    author: str = ""
    licence: str = ""
    version: str = ""


@dataclass(frozen=True)
class Graph:
    """A frame graph; of one in INT8 the record of its search, of one in FP16 what stays FP32."""

    path: Path
    record: Quantization | None = None
    float32: dict[str, str] = field(default_factory=dict)


class GraphStore:
    """Makes the graphs of a generator, in a folder, with photographs for calibration.

    Attributes:
        generator: From pictures (B, 3, H, W) in [-1, 1] to the same.
        calibration: Frames uint8 [1, H, W, 3] whose activations set INT8 ranges.
        metadata: Written into every graph.
        budget: Limits of INT8 drift; layers stay float until it keeps to them.
        about: Texts for formats that show them.
    """

    def __init__(
        self,
        generator: nn.Module,
        calibration: Sequence[Frames],
        metadata: dict[str, str],
        folder: Path,
        budget: DriftLimits | None = None,
        judge: Callable[[Paint], float] = lambda _: 0.0,
        about: About | None = None,
    ) -> None:
        """Crops the photographs to the stride; for ``judge`` see ``Search``."""
        stride = stride_of(generator)
        self.generator, self.metadata, self.folder = generator, metadata, folder
        self.calibration = [middle(frame, stride) for frame in calibration]
        self.budget, self.judge = budget, judge
        self.about = about or About()
        self.tell: Say = lambda _: None  # called with a line where a step takes long
        self.quantized: dict[Scheme, Graph] = {}
        self.strokes = strokes_of(generator)

    def _whole(self, graph: Path) -> Path:
        """Returns the complete graph: for a painter with strokes, plan and stroke head."""
        if self.strokes is None:
            return graph
        path = graph.with_suffix(".whole.onnx")
        add_head(graph, self.strokes, path)
        return path

    @cached_property
    def canvases(self) -> Canvases | None:
        """The canvases of the generator, if it paints strokes."""
        return Canvases(self.strokes, "this generator") if self.strokes else None

    def load(self, backend: str, path: Path) -> Engine:
        """Loads an artifact of the generator, with its canvas if it has one."""
        return find_backend(backend).load(path, canvases=self.canvases)

    def float_graph(self, dtype: torch.dtype = torch.float32) -> Path:
        """Returns the ONNX frame graph whose convolutions compute in ``dtype``.

        For a painter with strokes this graph and ``int8_graph`` end with the plan.
        """
        path = self.folder / f"{dtype}.onnx".removeprefix("torch.")
        if not path.exists():
            needs_fp32 = self.fp32_layers if dtype == torch.float16 else {}
            export_float(self.generator, path, dtype, self.metadata, needs_fp32)
        return path

    @cached_property
    def fp32_layers(self) -> dict[str, Fp32Reason]:
        """The layers that FP16 graphs leave in FP32."""
        return fp32_layers(planner(self.generator), self.calibration)

    @property
    def fp32_reasons(self) -> dict[str, str]:
        """Why they are left, by name."""
        return {name: layer.reason for name, layer in self.fp32_layers.items()}

    def graph(self, precision: str, scheme: Scheme) -> Graph:
        """Returns the ONNX frame graph of a precision, complete with the stroke head if it has one.

        Args:
            precision: ``fp32``, ``fp16`` or ``int8``.
            scheme: How INT8 is quantized.

        Raises:
            ExportError: No INT8 graph keeps to the budget.
        """
        if precision == "int8":
            found = self.int8_graph(scheme)
        elif precision == "fp16":
            found = Graph(self.float_graph(torch.float16), float32=self.fp32_reasons)
        else:
            found = Graph(self.float_graph())
        return replace(found, path=self._whole(found.path))

    def int8_graph(self, scheme: Scheme) -> Graph:
        """Returns the same in INT8; for a painter with strokes it ends with the plan."""
        if scheme not in self.quantized:
            path = self.folder / f"int8-{scheme.name}.onnx"
            builder = OnnxInt8Builder(self._quantizer, scheme, path, self.calibration[0])
            self.quantized[scheme] = Graph(path, self.search(builder))
        return self.quantized[scheme]

    def search(self, builder: Int8Builder) -> Quantization:
        """Finds the INT8 graph that drifts least and keeps to the budget.

        Raises:
            ExportError: No graph keeps to the budget.
        """
        frames = thinned(self.calibration, PICTURES)
        if isinstance(self.generator, StrokeGenerator) and self.strokes:
            plans = reference_plans(self.generator, frames)
            counts = bool(self.budget and self.budget.strokes)
            compare = PlanDifference(self.strokes, counts)
            search = Search(builder, frames, plans, self.budget, self.judge, compare, self.tell)
            return search.run()
        reference = reference_pictures(self.generator, frames)
        search = Search(builder, frames, reference, self.budget, self.judge, tell=self.tell)
        return search.run()

    @cached_property
    def _quantizer(self) -> Quantizer:
        graph = self.float_graph()
        if self.strokes:
            graph = self.folder / "centred.onnx"
            export_float(self.generator, graph, torch.float32, self.metadata, centred=True)
        return Quantizer(graph, observe(graph, self.calibration, OPERATIONS), self.metadata)

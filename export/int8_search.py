"""Which INT8 graph drifts least: ranges by each rule, and where a budget asks for it, float layers.

Every graph that is tried is painted with by the backend that will run it.

1. Each rule's ranges are tried; the best stay.
2. If that holds the budget, or there is none, it is done.
3. Else each layer is left in float once, alone, and what that gains is its sensitivity.
4. The fewest of the most sensitive layers that hold the budget stay float, found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..bundle import Layer, Quantization
from ..metrics import BARS, Bars
from ..pictures import Frames
from ..runtime.backends import find_backend
from .drift import BudgetMissed, Paint, difference
from .openvino_ir import write_ir
from .quantize import Quantizer, Scheme
from .ranges import RULES

RESERVE = 0.3  # dB: the photographs that are searched with are not those that are judged with
PICTURES = 16
FEW = 4  # of them are enough to put layers in order


@dataclass(frozen=True)
class Quantized:
    """An INT8 graph, and how it was found."""

    path: Path
    record: Quantization


class Search:
    """The search for one scheme's graph."""

    def __init__(
        self,
        quantizer: Quantizer,
        scheme: Scheme,
        frames: Sequence[Frames],
        budget: Bars | None,
        judge: Callable[[Paint], float],
    ) -> None:
        """Prepares a search.

        Args:
            quantizer: Makes the graphs.
            scheme: What integers, and where.
            frames: Photographs to search with.
            budget: What must be held, at the cost of layers that stay float.
            judge: Returns the margin in dB that something which paints has to the budget, on the
                photographs that drift is reported of.
        """
        self.quantizer, self.scheme, self.budget, self.judge = quantizer, scheme, budget, judge
        self.bars = budget or BARS["int8"]
        self.backend = find_backend(scheme.backend)
        step = -(-len(frames) // PICTURES)
        self.frames = frames[::step]
        reference = find_backend("onnxruntime").load(quantizer.float_path)
        self.wanted = [reference(frame) for frame in self.frames]

    def run(self, path: Path) -> Quantized:
        """Writes the graph that is found.

        Raises:
            BudgetMissed: No graph holds the budget; says what the best one reaches.
        """
        tried = {rule: self._margin(path, rule) for rule in RULES}
        rule = max(tried, key=lambda rule: tried[rule])
        gains: dict[str, float] = {}
        spared: list[str] = []
        if self.budget and not self._holds(path, rule, spared, tried[rule]):
            gains, spared = self._spare(path, rule)
        self.quantizer.write(path, self.scheme, rule, spared)
        return Quantized(path, self._record(rule, tried, gains, spared))

    def _spare(self, path: Path, rule: str) -> tuple[dict[str, float], list[str]]:
        """Returns what leaving each layer in float gains, and the fewest that must be."""
        layers = self.quantizer.layers
        few = self._margin(path, rule, count=FEW)
        gains = {layer: self._margin(path, rule, [layer], FEW) - few for layer in layers}
        order = sorted(layers, key=lambda layer: -gains[layer])
        count = bisect_left(
            range(len(order) + 1),
            True,
            lo=1,
            hi=len(order),
            key=lambda count: self._margin(path, rule, order[:count]) >= RESERVE,
        )
        while not self._holds(path, rule, order[:count], RESERVE):
            if count == len(order):
                raise BudgetMissed(self._best_reached(path, rule, order))
            count += 1
        return gains, order[:count]

    def _holds(self, path: Path, rule: str, spared: Sequence[str], margin: float) -> bool:
        """Whether a graph holds the budget on the photographs that drift is reported of."""
        if margin < 0:
            return False
        self.quantizer.write(path, self.scheme, rule, spared)
        return self.judge(self._engine(path)) >= 0

    def _engine(self, path: Path) -> Paint:
        """What will run: OpenVINO reads an IR otherwise than the ONNX graph that it is made of."""
        if self.scheme.backend == "openvino":
            ir = path.with_suffix(".openvino")
            write_ir(path, ir, {})
            path = ir
        return self.backend.load(path)

    def _margin(
        self, path: Path, rule: str, spared: Sequence[str] = (), count: int = PICTURES
    ) -> float:
        self.quantizer.write(path, self.scheme, rule, spared)
        frames, wanted = self.frames[:count], self.wanted[:count]
        found = difference(self._engine(path), frames, wanted)
        return self.bars.margin(found)

    def _best_reached(self, path: Path, rule: str, spared: Sequence[str]) -> str:
        self.quantizer.write(path, self.scheme, rule, spared)
        found = difference(self._engine(path), self.frames, self.wanted)
        return (
            f"INT8 for {self.scheme.name} cannot hold --max-drift: with every convolution in float"
            f" it still misses {', '.join(self.bars.missed(found)) or 'it on other photographs'};"
            " ask for less, or export --precision fp16"
        )

    def _record(
        self, rule: str, tried: dict[str, float], gains: dict[str, float], spared: Sequence[str]
    ) -> Quantization:
        macs = self.quantizer.macs(self.frames[0])
        total = sum(macs.values())
        layers = {*self.quantizer.layers} - {*spared}
        return Quantization(
            ranges=rule,
            margins_db={rule: round(margin, 2) for rule, margin in tried.items()},
            int8_macs=round(sum(macs[layer] for layer in layers) / total, 4),
            layers=[
                Layer(
                    name=layer,
                    macs=round(macs[layer] / total, 4),
                    gain_db=round(gains[layer], 2),
                    float=layer in spared,
                )
                for layer in sorted(gains, key=lambda layer: -gains[layer])
            ],
        )

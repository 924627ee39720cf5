"""Which INT8 graph drifts least: ranges by each rule, and where a budget asks for it, float layers.

1. Each rule's ranges are tried; the best stay.
2. If that holds the budget, or there is none, it is done.
3. Else each layer is left in float once, alone, and what that gains is its sensitivity.
4. The fewest of the most sensitive layers that hold the budget stay float, found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ...bundle.manifest import Layer, Quantization
from ...metrics import DRIFT_LIMITS, DriftLimits, ImageErrors
from ...pictures import Frames
from ..drift import BudgetMissed, Paint, difference

RESERVE = 0.3  # dB: the photographs that are searched with are not those that are judged with
PICTURES = 16
FEW = 4  # of them are enough to put layers in order

Compare = Callable[[Paint, Sequence[Frames], Sequence[Any]], ImageErrors]


class Int8Builder(Protocol):
    """Makes INT8 graphs of one generator, for one family of runtimes."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def rules(self) -> Sequence[str]:
        """Ways to set the ranges of activations."""

    @property
    def layers(self) -> Sequence[str]:
        """What can be left in float."""

    def paint(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Returns something that paints as the graph with these ranges and float layers would."""

    def make(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Makes that graph in place of what it made before; returns what really runs it."""

    def macs(self) -> dict[str, int]:
        """Returns the multiply-adds of each convolution, transposed ones as well."""


class Search:
    """The search for one maker's graph."""

    def __init__(
        self,
        builder: Int8Builder,
        frames: Sequence[Frames],
        reference: Sequence[Any],
        budget: DriftLimits | None,
        judge: Callable[[Paint], float],
        compare: Compare = difference,
    ) -> None:
        """Prepares a search.

        Args:
            builder: Makes the graphs.
            frames: Photographs to search with, ``PICTURES`` of them or fewer.
            reference: What the float generator makes of them: paintings, or what ``compare`` takes.
            budget: What must be held, at the cost of layers that stay float.
            judge: Returns the margin in dB that something which paints has to the budget, on the
                photographs that drift is reported of.
            compare: Tells how far what something paints is from ``reference``.
        """
        self.builder, self.frames, self.reference = builder, frames, reference
        self.budget, self.judge, self.compare = budget, judge, compare
        self.limits = budget or DRIFT_LIMITS["int8"]

    def run(self) -> Quantization:
        """Lets the maker make the best graph, and says how it was found.

        Raises:
            BudgetMissed: No graph holds the budget; says what the best one reaches.
        """
        tried = {rule: self._margin(rule) for rule in self.builder.rules}
        rule = max(tried, key=lambda rule: tried[rule])
        gains: dict[str, float] = {}
        float_layers: list[str] = []
        if not self.budget:
            self.builder.make(rule, float_layers)
        elif tried[rule] < 0 or not self._holds(rule, float_layers):
            gains, float_layers = self._find_float_layers(rule)
        return self._record(rule, tried, gains, float_layers)

    def _find_float_layers(self, rule: str) -> tuple[dict[str, float], list[str]]:
        """Returns what leaving each layer in float gains, and the fewest that must be."""
        layers = self.builder.layers
        self._check_reach(rule)
        few = self._margin(rule, count=FEW)
        gains = {layer: self._margin(rule, [layer], FEW) - few for layer in layers}
        order = sorted(layers, key=lambda layer: -gains[layer])
        count = bisect_left(
            range(len(order) + 1),
            True,
            lo=1,
            hi=len(order),
            key=lambda count: self._margin(rule, order[:count]) >= RESERVE,
        )
        while not self._holds(rule, order[:count]) and count < len(order):
            count += 1
        return gains, order[:count]

    def _check_reach(self, rule: str) -> None:
        """Tries the most that can be done, before the long work for less."""
        paint = self.builder.make(rule, self.builder.layers)
        if self.judge(paint) >= 0:
            return
        missed = self.limits.missed(self.compare(paint, self.frames, self.reference))
        raise BudgetMissed(
            f"INT8 for {self.builder.name} cannot hold --max-drift: with every convolution in float"
            f" it still misses {', '.join(missed) or 'it on other photographs'}; ask for less, or"
            " export --precision fp16"
        )

    def _holds(self, rule: str, float_layers: Sequence[str]) -> bool:
        """Makes a graph; whether it holds the budget on the photographs that drift is told of."""
        return self.judge(self.builder.make(rule, float_layers)) >= 0

    def _margin(self, rule: str, float_layers: Sequence[str] = (), count: int = PICTURES) -> float:
        paint = self.builder.paint(rule, float_layers)
        return self.limits.margin(self.compare(paint, self.frames[:count], self.reference[:count]))

    def _record(
        self,
        rule: str,
        tried: dict[str, float],
        gains: dict[str, float],
        float_layers: Sequence[str],
    ) -> Quantization:
        macs = self.builder.macs()
        total = sum(macs.values())
        layers = {*self.builder.layers} - {*float_layers}
        return Quantization(
            ranges=rule,
            margins_db={rule: round(margin, 2) for rule, margin in tried.items()},
            int8_macs=round(sum(macs[layer] for layer in layers) / total, 4),
            layers=[
                Layer(
                    name=layer,
                    macs=round(macs[layer] / total, 4),
                    gain_db=round(gains[layer], 2),
                    float=layer in float_layers,
                )
                for layer in sorted(gains, key=lambda layer: -gains[layer])
            ],
        )

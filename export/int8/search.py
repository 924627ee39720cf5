"""The search for the INT8 graph with the least drift.

1. The ranges of each rule are tried; the best are kept.
2. If they keep to the budget, or there is no budget, the search ends.
3. Otherwise each layer is left in float once, alone; the gain is its sensitivity.
4. Bisection finds the fewest of the most sensitive layers that must stay float.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from ...bundle.manifest import Layer, Quantization
from ...metrics import DRIFT_LIMITS, DriftLimits, ImageErrors
from ...pictures import Frames
from ...progress import Say, duration
from ..drift import BudgetMissed, Paint, difference

RESERVE = 0.3  # dB: the search uses other photographs than the final measurement
PICTURES = 16
LONG = 5.0  # seconds after which it is said how long the rest takes
FEW = 4  # photographs are enough to rank the layers

Compare = Callable[[Paint, Sequence[Frames], Sequence[Any]], ImageErrors]


class Int8Builder(Protocol):
    """Makes INT8 graphs of one generator, for one family of runtimes."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def rules(self) -> Sequence[str]:
        """Ways to set the ranges of activations."""

    @property
    def layers(self) -> Sequence[str]:
        """The layers that may stay float."""

    def paint(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Returns a painter that is equivalent to the graph with these ranges and float layers."""

    def make(self, rule: str, float_layers: Sequence[str]) -> Paint:
        """Writes that graph, replacing an earlier one; returns a painter that runs it."""

    def macs(self) -> dict[str, int]:
        """Returns the multiply-adds of each convolution, transposed ones included."""


class Search:
    """The search for one builder's graph."""

    def __init__(
        self,
        builder: Int8Builder,
        frames: Sequence[Frames],
        reference: Sequence[Any],
        budget: DriftLimits | None,
        judge: Callable[[Paint], float],
        compare: Compare = difference,
        tell: Say = lambda _: None,
    ) -> None:
        """Prepares a search.

        Args:
            builder: Builds the graphs.
            frames: Photographs to search with, ``PICTURES`` of them or fewer.
            reference: The float generator's results for them, as ``compare`` takes them.
            budget: Limits of drift; layers stay float until the graph keeps to them.
            judge: Returns a painter's margin to the budget in dB, on the photographs that drift is
                reported for.
            compare: Returns a painter's errors against ``reference``.
            tell: Called with how long the ranges take, once the first are tried.
        """
        self.builder, self.frames, self.reference = builder, frames, reference
        self.budget, self.judge, self.compare = budget, judge, compare
        self.tell = tell
        self.limits = budget or DRIFT_LIMITS["int8"]

    def run(self) -> Quantization:
        """Builds the best graph and returns the record of the search.

        Raises:
            BudgetMissed: No graph keeps to the budget; the message says what the best one reaches.
        """
        tried = dict(self._tried())
        rule = max(tried, key=lambda rule: tried[rule])
        gains: dict[str, float] = {}
        float_layers: list[str] = []
        if not self.budget:
            self.builder.make(rule, float_layers)
        elif tried[rule] < 0 or not self._holds(rule, float_layers):
            gains, float_layers = self._find_float_layers(rule)
        return self._record(rule, tried, gains, float_layers)

    def _tried(self) -> Iterator[tuple[str, float]]:
        """Yields each rule with the margin that its ranges leave."""
        rules, began = self.builder.rules, time.perf_counter()
        for count, rule in enumerate(rules, 1):
            yield rule, self._margin(rule)
            seconds = time.perf_counter() - began
            if count == 1 and seconds > LONG:
                left = seconds * (len(rules) - 1)
                self.tell(
                    f"INT8 for {self.builder.name}: the first of {len(rules)} ways to set ranges"
                    f" took {seconds:.0f} s: at most {duration(left)} for the others"
                )

    def _find_float_layers(self, rule: str) -> tuple[dict[str, float], list[str]]:
        """Returns each layer's gain in float, and the fewest layers that must stay float."""
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
        """Checks that the budget can be kept at all: with every layer in float."""
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
        """Builds a graph; returns whether it keeps to the budget on the reported photographs."""
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

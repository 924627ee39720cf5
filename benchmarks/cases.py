"""What is measured: every backend x precision x size x scenario that can run here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ..bundle.bundle import Bundle
from ..bundle.manifest import Artifact
from ..errors import UsageError, unknown_name
from ..runtime.backends import BACKENDS, Backend
from ..runtime.stylizer import PRECISIONS
from .peers import BASELINE, NO_INT8, PEERS, Peer, find_runner

# A scenario is a question: how long one frame takes, how many frames go through in a second, or how
# old a camera's frame is when its painting is ready.
SCENARIOS: Final = ("single-stream", "offline", "live")
_BASELINE_PIXELS: Final = 256 * 256
ANY_DEVICE: Final = "cpu"  # where artifacts for any device run
DEFAULT_SIZES: Final = ((256, 256), (640, 360), (1280, 720))


@dataclass(frozen=True)
class Variant:
    """One artifact in one backend."""

    backend: str
    precision: str
    target: str
    device: str

    @property
    def label(self) -> str:
        """Its name in tables and messages."""
        return f"{self.backend} {self.precision}"


@dataclass(frozen=True)
class Case:
    """One row of the result: a variant at one size (width, height) in one scenario."""

    variant: Variant
    size: tuple[int, int]
    scenario: str
    threads: int | None = None  # fewer than the run's, to measure scaling

    @property
    def label(self) -> str:
        """Its name in tables and messages."""
        return f"{self.variant.label} {self.size[0]}x{self.size[1]} {self.scenario}"


@dataclass(frozen=True)
class Skipped:
    """What cannot be measured here, and why."""

    backend: str
    precision: str
    reason: str

    def row(self) -> dict[str, str]:
        """The object in ``results.json``."""
        return dataclasses.asdict(self)


def plan_variants(
    bundle: Bundle,
    backends: Sequence[str] = (),
    precisions: Sequence[str] = (),
    peers: bool = False,
) -> tuple[list[Variant], list[Skipped]]:
    """Pairs a bundle's artifacts with the installed backends.

    Args:
        bundle: What is measured.
        backends: Names; all if none.
        precisions: Names; those that the bundle has if none.
        peers: Whether to include the peers that are not measured by default.

    Returns:
        What can run; and what cannot, with the reason.

    Raises:
        UsageError: Unknown backend or precision.
    """
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UsageError(unknown_name("precision", precision, PRECISIONS))
    named = list(dict.fromkeys(backends)) or [
        *(name for name in BACKENDS if name not in PEERS),  # PyTorch is a peer here
        *(peer.name for peer in PEERS.values() if peer.usual),
    ]
    if peers:
        named += [name for name in PEERS if name not in (*named, BASELINE)]
    rows = [find_runner(name, bundle.manifest.strokes is not None) for name in named]
    has = {artifact.precision for artifact in bundle.manifest.artifacts}
    wanted = list(dict.fromkeys(precisions)) or [name for name in PRECISIONS if name in has]
    found = [_variant(bundle, row, precision) for row in rows for precision in wanted]
    if peers:
        found.append(_baseline())
    variants = [one for one in found if isinstance(one, Variant)]
    skipped = [one for one in found if isinstance(one, Skipped)]
    if not backends:
        skipped += _without_backend(bundle, wanted)
    return variants, skipped


def _baseline() -> Variant | Skipped:
    lacks = PEERS[BASELINE].missing
    return Skipped(BASELINE, "fp32", lacks) if lacks else Variant(BASELINE, "fp32", "", ANY_DEVICE)


def plan_cases(
    variants: Iterable[Variant], sizes: Sequence[tuple[int, int]], scenarios: Sequence[str]
) -> list[Case]:
    """Returns every variant at every size in every scenario.

    Raises:
        UsageError: Unknown scenario.
    """
    for scenario in scenarios:
        if scenario not in SCENARIOS:
            raise UsageError(unknown_name("scenario", scenario, SCENARIOS))
    return [
        Case(variant, size, scenario)
        for scenario in dict.fromkeys(scenarios)
        for size in dict.fromkeys(sizes)
        for variant in variants
        if variant.backend not in PEERS
        or (scenario == "single-stream" and (variant.backend != BASELINE or _is_small(size)))
    ]


def _is_small(size: tuple[int, int]) -> bool:
    """Whether the baseline is measured at a size: at larger ones a frame takes seconds."""
    return size[0] * size[1] <= _BASELINE_PIXELS


def find_artifact(bundle: Bundle, variant: Variant) -> Artifact | None:
    """Returns the artifact that a variant of this bundle runs; None for the baseline, its own."""
    if variant.backend == BASELINE:
        return None
    device = "" if variant.device == ANY_DEVICE else variant.device
    artifact = bundle.find(variant.target, variant.precision, lambda known: known == device)
    assert artifact is not None  # variants are made of what the bundle has
    return artifact


def _variant(bundle: Bundle, row: Backend | Peer, precision: str) -> Variant | Skipped:
    kinds = row.takes(bundle)
    if bundle.manifest.strokes and not kinds:  # whatever is installed
        peer = "as a peer takes frames alone, and strokes need a canvas"
        reason = f"{row.name} {peer if isinstance(row, Peer) else 'cannot paint strokes'}"
        return Skipped(row.name, precision, reason)
    lacks = row.missing or (isinstance(row, Peer) and row.lacks(precision))
    if lacks:
        return Skipped(row.name, precision, lacks)
    found = (bundle.find(target, precision, row.runs) for target in kinds)
    artifact = next(filter(None, found), None)
    if artifact is None:
        reason = f"the bundle has no such {' or '.join(kinds)} artifact that runs here"
        if row is BACKENDS["torch"]:
            add = f"of strokes it needs a pt2 program: pleinair export {bundle.label} --target pt2"
            reason = NO_INT8 if precision == "int8" else f"{add} --out BUNDLE"
        return Skipped(row.name, precision, reason)
    return Variant(row.name, precision, artifact.target, artifact.device or ANY_DEVICE)


def _without_backend(bundle: Bundle, precisions: Sequence[str]) -> list[Skipped]:
    """Artifacts of targets that no backend here runs: formats of other devices."""
    known = {target for row in BACKENDS.values() for target in row.targets}
    return [
        Skipped(a.target, a.precision, f"no backend on this machine runs target {a.target}")
        for a in bundle.manifest.artifacts
        if a.target not in known and a.precision in precisions
    ]

"""The drift gate: how far an artifact's pictures are from the FP32 PyTorch generator's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from .. import metrics
from ..bundle import Drift
from ..pictures import Frames
from .frame_graph import FrameGraph

# (PSNR in dB at least, SSIM at least, mean CIEDE2000 at most)
BARS = {
    "fp32": (60.0, 0.999, 0.1),
    "fp16": (55.0, 0.995, 0.5),
    "w8": (38.0, 0.98, 1.0),
    "int8": (38.0, 0.98, 1.0),
}


def reference_pictures(generator: nn.Module, frames: Sequence[Frames]) -> list[Frames]:
    """Paints frames with the FP32 PyTorch generator, by the plain frame graph."""
    graph = FrameGraph(generator).eval()
    with torch.no_grad():
        return [graph(torch.from_numpy(frame)).numpy() for frame in frames]


def measure(
    paint: Callable[[Frames], Frames],
    precision: str,
    frames: Sequence[Frames],
    wanted: Sequence[Frames],
) -> Drift:
    """Paints frames with an artifact and compares them with the reference pictures."""
    found = metrics.compare((w[0], paint(f)[0]) for f, w in zip(frames, wanted, strict=True))
    return Drift(
        reference="pytorch fp32",
        images=found.images,
        psnr_db=round(found.psnr_db, 2),
        ssim=round(found.ssim, 5),
        delta_e=round(found.delta_e, 3),
        max_abs=found.max_abs,
        p99_abs=found.p99_abs,
        verdict=verdict(found, precision),
    )


def verdict(found: metrics.Difference, precision: str) -> str:
    """Says ``holds``, or which bars of this precision are missed."""
    psnr, ssim, delta_e = BARS[precision]
    missed = []
    if found.psnr_db < psnr:
        missed.append(f"PSNR {found.psnr_db:.1f} dB < {psnr:.0f}")
    if found.ssim < ssim:
        missed.append(f"SSIM {found.ssim:.3f} < {ssim}")
    if found.delta_e > delta_e:
        missed.append(f"CIEDE2000 {found.delta_e:.2f} > {delta_e}")
    return "misses: " + ", ".join(missed) if missed else "holds"

"""How far each variant's paintings are from the FP32 reference, on the same real photographs.

The reference is the bundle's FP32 graph in PyTorch (``networks/onnx_module.py``). Without PyTorch
it is the same graph in ONNX Runtime; its distance from PyTorch was measured at export and
is in the manifest.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .. import metrics
from ..bundle.bundle import Bundle
from ..errors import BackendError, BundleError
from ..evaluation.flicker import flicker
from ..pictures import Pixels
from ..progress import Progress
from ..runtime.strokes.canvases import Canvases
from ..runtime.strokes.drift import Painted as Stroked
from ..runtime.strokes.drift import painted_errors
from .cases import Variant, find_artifact
from .peers import BASELINE, find_runner
from .pictures import BenchInputs, save_arrays
from .process import WorkerProcess
from .settings import Settings

# The first of them that can run here.
REFERENCES = tuple(Variant(name, "fp32", "onnx", "cpu") for name in ("torch", "onnxruntime"))
_TOLERANCE, _CAP = 3.0, 60.0  # dB; stricter than ``verify``, which only looks for visible errors
_WORST = 3
_ALEXNET = "alexnet-owt-7be5be79.pth"  # its weights, as torchvision names them
Lpips = Callable[[Iterable[tuple[Pixels, Pixels]]], float]


@dataclass
class Painted:
    """What a variant painted of the inputs."""

    pictures: dict[str, Pixels]
    clip: list[Pixels]
    plans: dict[str, Any] = field(default_factory=dict)  # of the pictures, if it paints strokes


@dataclass
class Drift:
    """One variant's distance from the reference; None where it could not be measured."""

    variant: Variant
    images: int = 0
    psnr_db: float | None = None  # of the plans, where there are strokes
    ssim: float | None = None
    delta_e: float | None = None
    lpips: float | None = None  # where its weights are
    max_abs: int | None = None
    p99_abs: int | None = None
    p999_abs: int | None = None
    strokes: float | None = None  # share of pixels that take another stroke
    quarter_db: float | None = None  # PSNR at a quarter of the size
    flicker_ratio: float | None = None
    kid: float | None = None  # from the painted set to paintings, if features are given
    exported_psnr_db: float | None = None  # against FP32 PyTorch, from the manifest
    worst: list[dict[str, Any]] = field(default_factory=list)  # pictures, the worst first
    warning: str = ""
    error: str = ""

    def row(self) -> dict[str, Any]:
        """The object in ``results.json``."""
        return {**asdict(self.variant), **{k: v for k, v in asdict(self).items() if k != "variant"}}


class DriftMeter:
    """Paints with one variant after another and compares."""

    def __init__(
        self, bundle: Bundle, inputs: BenchInputs, settings: Settings, folder: Path
    ) -> None:
        self.bundle, self.inputs, self.settings, self.folder = bundle, inputs, settings, folder
        self.source = folder / "material.npz"
        keyed = {f"p{i}": picture for i, picture in enumerate(inputs.pictures.values())}
        keyed |= {f"c{i}": frame for i, frame in enumerate(inputs.clip)}
        save_arrays(self.source, keyed)
        first = folder / "first.npy"
        np.save(first, next(iter(inputs.pictures.values()))[None])
        self.first = first
        self.lpips = load_lpips()

    def reference(self) -> tuple[Variant, Painted] | None:
        """Paints the reference; None if the bundle or the machine has none."""
        if self.bundle.find("onnx", "fp32") is None:
            return None
        for variant in REFERENCES:
            runner = find_runner(variant.backend)
            if runner.missing or variant.target not in runner.takes(self.bundle):
                continue
            try:
                return variant, self.paint(variant)
            except (BackendError, BundleError):  # its own row says so
                continue
        return None

    def paint(self, variant: Variant) -> Painted:
        """Paints all inputs in a process of its own.

        Raises:
            BackendError: It failed, with the reason.
        """
        target = self.folder / "painted.npz"
        with WorkerProcess(self.settings.timeout) as worker:
            worker.ask(
                "open",
                bundle=str(self.bundle.root),
                variant=asdict(variant),
                scenario="single-stream",
                in_flight=1,
                frames=str(self.first),
                cores=self.settings.cores,
            )
            worker.ask("paint", source=str(self.source), target=str(target))
        with np.load(target) as painted:
            pictures = {name: painted[f"p{i}"] for i, name in enumerate(self.inputs.pictures)}
            clip = [painted[f"c{i}"] for i in range(len(self.inputs.clip))]
            plans = {
                name: painted[f"p{i}-plan"]
                for i, name in enumerate(self.inputs.pictures)
                if f"p{i}-plan" in painted
            }
        target.unlink()
        return Painted(pictures, clip, plans)

    def measure(
        self, variant: Variant, reference: tuple[Variant, Painted] | None
    ) -> tuple[Drift, Painted | None]:
        """Returns a variant's drift, and its paintings if it could paint."""
        drift = Drift(variant)
        artifact = find_artifact(self.bundle, variant)
        drift.exported_psnr_db = artifact.drift.psnr_db if artifact else None
        try:
            same = reference[1] if reference and variant == reference[0] else None
            painted = same or self.paint(variant)
        except BackendError as error:
            drift.error = str(error)
            return drift, None
        if len(self.inputs.clip) > 1:
            drift.flicker_ratio = flicker(zip(self.inputs.clip, painted.clip, strict=True))
        if reference:
            wanted = reference[1].pictures
            _compare(drift, wanted, painted.pictures, self._errors(reference[1], painted))
            if self.lpips:
                pairs = ((wanted[name], painted.pictures[name]) for name in wanted)
                drift.lpips = round(self.lpips(pairs), 5)
        return drift, painted

    def _errors(self, reference: Painted, painted: Painted) -> metrics.ImageErrors:
        pictures = (
            [Stroked(one.pictures[name], one.plans.get(name)) for name in reference.pictures]
            for one in (reference, painted)
        )
        return painted_errors(zip(*pictures, strict=True), Canvases.of(self.bundle))


def measure_all(
    meter: DriftMeter,
    variants: Sequence[Variant],
    reference: tuple[Variant, Painted] | None,
    progress: Progress,
) -> Iterator[tuple[Drift, Painted | None]]:
    """Measures one variant after another; the baseline is another generator and has no drift."""
    same = [variant for variant in variants if variant.backend != BASELINE]
    for done, variant in enumerate(same, 1):
        yield meter.measure(variant, reference)
        progress(done, len(same))


def _torch_cache() -> Path:
    """PyTorch's folder; to ask PyTorch itself takes seconds, as it is imported first."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()


def error_map(reference: Pixels, painted: Pixels, full: int) -> Pixels:
    """Colours each pixel by its channels' largest absolute error: black at 0, bright at ``full``.

    Args:
        reference: uint8 RGB [H, W, 3].
        painted: The same.
        full: Grey levels that the brightest colour stands for.
    """
    error = cv2.absdiff(reference, painted).max(axis=2).astype(np.float32)
    scaled = np.clip(error * (255 / full), 0, 255).astype(np.uint8)
    coloured: Pixels = cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO)
    return cv2.cvtColor(coloured, cv2.COLOR_BGR2RGB)


def _compare(
    drift: Drift,
    wanted: dict[str, Pixels],
    painted: dict[str, Pixels],
    found: metrics.ImageErrors,
) -> None:
    figures = found.rounded()
    vars(drift).update(figures)
    psnr_db = figures["psnr_db"]
    counts = np.zeros(256, np.int64)
    scores: list[dict[str, Any]] = []
    for name, picture in wanted.items():
        errors = cv2.absdiff(picture, painted[name])
        counts += np.bincount(errors.ravel(), minlength=256)
        mse = float((errors.astype(np.float64) ** 2).mean())
        scores.append({"picture": name, "psnr_db": round(metrics.psnr_of(mse), 2)})
    drift.p999_abs = int(np.searchsorted(np.cumsum(counts), 0.999 * counts.sum()))
    drift.worst = sorted(scores, key=lambda score: score["psnr_db"])[:_WORST]
    if metrics.is_worse(psnr_db, drift.exported_psnr_db or 0.0, _TOLERANCE, _CAP):
        drift.warning = (
            f"{drift.variant.label} paints {psnr_db:.1f} dB from the reference here, but its"
            f" export measured {drift.exported_psnr_db:.1f} dB: this backend or artifact now"
            " computes something else"
        )


def load_lpips() -> Lpips | None:
    """Returns the mean LPIPS of pairs of uint8 RGB [H, W, 3]; None where weights are missing.

    LPIPS (Zhang et al. 2018) says how different pictures look to a network, 0 if they are the same.
    Its own few weights come with torchmetrics; those of AlexNet below it do not. They are used if
    PyTorch's cache has them; nothing is downloaded.
    """
    if not all(map(importlib.util.find_spec, ("torch", "torchvision", "torchmetrics"))):
        return None
    if not (_torch_cache() / "hub" / "checkpoints" / _ALEXNET).is_file():
        return None
    import torch
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    metric = LearnedPerceptualImagePatchSimilarity(net_type="alex", normalize=True)

    def tensor(picture: Pixels) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None] / 255

    def lpips(pairs: Iterable[tuple[Pixels, Pixels]]) -> float:
        with torch.inference_mode():
            return float(np.mean([metric(tensor(a), tensor(b)).item() for a, b in pairs]))

    return lpips

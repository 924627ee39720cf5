"""``manifest.json``: the description of a bundle and its artifacts, validated field by field."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from ..canvas.hand import Hand
from ..errors import BundleError
from ..metrics import DriftLimits, ImageErrors
from ..reading import DEEPEST, Malformed, read_json, validate

SCHEMA_VERSIONS: Final = (1, 2)  # 2 has strokes and weights
WEIGHTS: Final = "generator.safetensors"
MANIFEST: Final = "manifest.json"
AGAIN: Final = "export or download the bundle again"
LONGEST: Final = 2**22  # bytes of a manifest
STRIDE: Final = 512  # the largest of any generator


def stays_inside(path: str) -> str:
    """Validates a path in a manifest or zip, and returns it.

    Raises:
        ValueError: It leads out of the bundle, or to where it can hardly be removed.
    """
    parts = PurePosixPath(path)
    if (
        parts.is_absolute()
        or ".." in parts.parts
        or "\\" in path
        or ":" in path
        or path in ("", ".")
    ):
        raise ValueError("the path must stay inside the bundle")
    if len(parts.parts) > DEEPEST:
        raise ValueError(f"the path has more than {DEEPEST} parts")
    return path


InsidePath = Annotated[str, AfterValidator(stays_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Generator(_Part):
    """The network in numbers."""

    architecture: str
    width: int = Field(ge=0)  # channels of the widest stage of residual blocks
    parameters: int = Field(ge=0)
    # multiply-adds for a 256x256 picture, convolutions at their true output size
    macs_256: int = Field(ge=0)
    stride: int = Field(ge=1, le=STRIDE)  # H and W are padded to a multiple of it
    # side in pixels of what one output pixel can see, by convolutions
    receptive_field: int = Field(ge=0, le=1 << 20)


class Training(_Part):
    """The origin of the weights."""

    dataset: str
    steps: int
    processes: int = 1  # parallel processes, each with its own batches
    seed: int
    recipe: dict[str, Any]
    checkpoint_sha256: Sha256
    scores: dict[str, float] = {}
    scored: str = ""  # how: the command, pictures and backend

    @field_validator("scores")
    @classmethod
    def _rename(cls, scores: dict[str, float]) -> dict[str, float]:
        """Reads ``lattice``, the name of the checkerboard score in version 0.1."""
        return {"checkerboard" if k == "lattice" else k: v for k, v in scores.items()}


class FrameFormat(_Part):
    """The format of frames."""

    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["uint8"] = "uint8"
    color: Literal["RGB"] = "RGB"
    multiple_of: int = Field(default=8, ge=1, le=STRIDE)


class Drift(_Part):
    """How far an artifact's pictures are from those of the FP32 PyTorch generator.

    For a painter with strokes PSNR is measured on plans, each kind of value relative to its range,
    and colours are compared where the stroke is the same.
    """

    reference: str  # the generator it was compared with
    runner: str = ""  # the backend that painted
    images: int
    psnr_db: float  # from the mean squared error over all pictures; 99 stands for identical
    ssim: float  # mean over pictures
    delta_e: float  # mean CIEDE2000
    max_abs: int  # grey levels
    p99_abs: int  # grey levels: 99 % of all values differ by no more
    strokes: float | None = None  # share of pixels that take another stroke
    quarter_db: float | None = None  # PSNR of the pictures at a quarter of the size
    verdict: str
    limits: dict[str, float] = {}  # what the verdict is of; bundles of before 0.2 do not say

    @property
    def missed(self) -> str:
        """The limits that it misses; empty if it keeps all."""
        return self.verdict.partition("misses: ")[2]

    def of_its_graph(self) -> Drift:
        """Returns the drift of an artifact that is built and not run here, only its graph."""
        return self.model_copy(
            update={"verdict": f"built, not run here; its graph: {self.verdict}"}
        )

    def limits_told(self) -> str:
        """Returns the limits as a table shows them; empty if they are not known."""
        psnr = "PSNR" if self.strokes is None else "plan"
        forms = {
            "psnr": psnr + " >= {:g} dB",
            "ssim": "SSIM >= {:g}",
            "delta_e": "CIEDE2000 <= {:g}",
            "strokes": "other strokes <= {:.1%}",
            "quarter": "quarter >= {:g} dB",
        }
        return ", ".join(forms[name].format(bar) for name, bar in self.limits.items())

    def figures(self) -> dict[str, str]:
        """Returns the columns of a table, by heading."""
        if self.strokes is None or self.quarter_db is None:
            return {
                "PSNR dB": f"{self.psnr_db:.1f}",
                "SSIM": f"{self.ssim:.4f}",
                "CIEDE2000": f"{self.delta_e:.2f}",
            }
        return {
            "plan dB": f"{self.psnr_db:.1f}",
            "other strokes": f"{self.strokes:.1%}",
            "CIEDE2000": f"{self.delta_e:.2f}",
            "quarter dB": f"{self.quarter_db:.1f}",
        }

    @classmethod
    def of(cls, found: ImageErrors, limits: DriftLimits, reference: str, runner: str = "") -> Drift:
        """Makes the row of measured errors, with a verdict by limits."""
        missed = limits.missed(found)
        return cls(
            reference=reference,
            runner=runner,
            **found.rounded(),
            verdict="misses: " + ", ".join(missed) if missed else "holds",
            limits={name: bar for name, bar in asdict(limits).items() if bar is not None},
        )


class Layer(_Part):
    """A convolution's sensitivity to quantization."""

    name: str
    macs: float  # share of all multiply-adds
    gain_db: float  # gain if it alone stays float
    float: bool  # whether it stays float


class Quantization(_Part):
    """How an INT8 artifact was made."""

    ranges: str  # the rule for activations
    margins_db: dict[str, float]  # distance to the nearest limit of drift, by rule
    int8_macs: float  # share of the multiply-adds that are INT8
    layers: list[Layer] = []  # the most sensitive first; empty if none had to stay float


class Artifact(_Part):
    """A file for one family of runtimes, or a folder if the format has several files."""

    target: str
    precision: Literal["fp32", "fp16", "w8", "int8"]  # w8: INT8 weights, FP16 arithmetic
    path: InsidePath
    sha256: Sha256
    bytes: int = Field(ge=1)
    dynamic: bool = True  # any H and W that are multiples of `multiple_of`
    device: str = ""  # the only kind of device it runs on, e.g. sm86
    opset: int | None = None
    tool_versions: dict[str, str] = {}
    quantization: Quantization | None = None
    float32: dict[str, str] = {}  # layers of an FP16 artifact that stay FP32, and why
    seconds: float = 0  # to build and measure it
    drift: Drift


class Strokes(_Part):
    """The parameters of a painter's canvas; the size of the picture is the only other one."""

    hand: Hand
    step: Literal[1, 2]  # marks are chosen for each pixel (1) or for each block of 2x2 (2)
    stroke: Literal["fine", "medium", "large"] = "medium"  # default size of marks
    seed: int = 0


class Weights(_Part):
    """The file of the generator's weights, under PyTorch's names."""

    path: InsidePath = WEIGHTS
    sha256: Sha256
    bytes: int = Field(ge=1)


class Skipped(_Part):
    """An artifact that could not be built."""

    target: str
    precision: str
    reason: str  # with the remedy
    drifts: bool = False  # whether it missed its limits of drift


class Manifest(_Part):
    """``manifest.json``."""

    schema_version: Literal[1, 2] = 1
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str
    licence: str
    description: str
    created: datetime
    pleinair_version: str
    generator: Generator
    training: Training
    frame: FrameFormat = FrameFormat()
    strokes: Strokes | None = None  # of a painter with strokes
    weights: Weights | None = None  # none of another project's graph
    artifacts: list[Artifact] = Field(min_length=1, max_length=1000)
    skipped: list[Skipped] = []

    @field_validator("strokes", "weights")
    @classmethod
    def _of_version_2(cls, part: _Part | None, info: ValidationInfo) -> _Part | None:
        """Readers of version 1 must refuse parts that they do not know."""
        if part and info.data.get("schema_version") == 1:
            raise ValueError(f"there are {info.field_name} from schema_version 2 on only")
        return part


def read_manifest(root: Path, label: str) -> Manifest:
    """Reads a bundle's manifest; ``label`` names the bundle in messages.

    Raises:
        BundleError: It is missing, damaged, or of another version.
    """
    path = root / MANIFEST
    try:
        values = read_json(path, LONGEST)
    except FileNotFoundError:
        raise BundleError(no_manifest(label)) from None
    except (OSError, Malformed) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise BundleError(f"{label}: {MANIFEST} cannot be read: {said}; {AGAIN}") from error
    version = values.get("schema_version") if isinstance(values, dict) else None
    if not isinstance(version, int) or version not in SCHEMA_VERSIONS:
        raise BundleError(
            f"{label}: {MANIFEST}: schema_version is {version!r}, this pleinair reads"
            f" {' and '.join(map(str, SCHEMA_VERSIONS))}; export the bundle again or install the"
            " pleinair that wrote it"
        )
    try:
        return validate(Manifest, values)
    except Malformed as error:
        raise BundleError(f"{label}: {MANIFEST}: {error}; {AGAIN}") from None


def no_manifest(source: str | Path) -> str:
    """Returns the message for a folder or zip without a manifest."""
    return (
        f"{source} is not a bundle: it has no {MANIFEST}; give the folder or zip that export wrote"
    )

"""A device's figures as they are shared: complete, and nothing about the owner.

A file is what ``pleinair bench --submit FILE`` writes and ``pleinair bench table --json`` prints.
Unknown fields are refused: they may hold private data.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from ...bundle.manifest import Sha256
from ...errors import PleinairError
from ...reading import Malformed, validate


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Machine(_Part):
    """A kind of machine."""

    cpu: str
    arch: str  # as uname calls it: x86_64, aarch64
    flags: list[str]  # instructions that decide the speed of INT8, FP16 and BF16
    logical_cores: PositiveInt | None
    memory_mb: PositiveInt
    os: str
    gpus: list[dict[Literal["name", "driver", "memory"], str]]


class MeasuredBundle(_Part):
    """What was run: files by their hashes."""

    name: str
    title: str
    architecture: str
    macs_256: PositiveInt
    checkpoint_sha256: Sha256
    artifacts: dict[str, Sha256]


class Figures(_Part):
    """One backend and precision at one size in one scenario."""

    backend: str
    device: str
    precision: Literal["fp32", "fp16", "w8", "int8"]
    size: tuple[PositiveInt, PositiveInt]  # width, height
    scenario: Literal["single-stream", "offline", "live"]
    p50_ms: PositiveFloat
    p90_ms: PositiveFloat
    p99_ms: PositiveFloat
    fps: PositiveFloat
    rss_mb: PositiveFloat | None
    artifact_bytes: PositiveInt | None
    psnr_db: float | None
    ssim: float | None
    delta_e: float | None
    flicker_ratio: float | None


class Device(_Part):
    """Runs on one machine, with one bundle and one set of libraries."""

    machine: Machine
    threads: PositiveInt
    libraries: dict[str, str]
    pleinair: str
    bundle: MeasuredBundle
    when: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}T")
    warnings: list[str]  # what makes the figures doubtful
    results: list[Figures] = Field(min_length=1)


class Submission(_Part):
    """A file."""

    devices: list[Device] = Field(min_length=1)


def check_submission(value: Mapping[str, Any], path: Path) -> None:
    """Checks the content of a file, or what will be its content.

    Raises:
        PleinairError: It is not a submission; the message names the field.
    """
    try:
        validate(Submission, value)
    except Malformed as error:
        raise PleinairError(
            f"{path} is not a table of devices: {error}; make it with pleinair bench --submit"
        ) from None

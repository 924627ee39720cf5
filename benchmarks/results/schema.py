"""What ``results.json`` must hold to be compared and put into tables; there may be more in it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Row(_Open):
    """A case."""

    backend: str
    device: str
    precision: str
    size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    scenario: str
    p50_ms: Positive | None
    p90_ms: Positive | None
    p99_ms: Positive | None
    fps: Positive | None
    rss_mb: Number | None
    artifact_bytes: int | None
    psnr_db: Number | None
    ssim: Number | None
    delta_e: Number | None
    flicker_ratio: Number | None
    rounds_p50_ms: list[Positive] | None
    rounds_fps: list[Positive] | None


class Software(_Open):
    """Versions."""

    libraries: dict[str, Any]
    pleinair: Any


class Method(_Open):
    """How it was measured."""

    threads: int


class Environment(_Open):
    """Where it was measured, and of what."""

    machine: dict[str, Any]
    software: Software
    method: Method
    bundle: dict[str, Any]
    when: str


class Skipped(_Open):
    """What was not measured."""

    backend: str
    precision: str
    reason: str


class ResultsFile(_Open):
    """All of a file."""

    warnings: list[str]
    environment: Environment
    results: list[Row]
    skipped: list[Skipped]

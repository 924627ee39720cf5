"""Statistics of a run: ``stats.jsonl``, and TensorBoard if requested."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ..errors import TrainingError, os_errors_as
from ..files import write_durably
from ..pictures import read_picture
from ..reading import Malformed, parse_json
from .recipe import LogSection


class Stats:
    """Appends one JSON line at a time; lines after the resumed step are dropped first.

    Args:
        out: The run's folder.
        step: How many steps are done.
        log: Whether TensorBoard gets the numbers too, under ``tensorboard/``.
        enabled: Off in all processes but the first.

    Raises:
        TrainingError: TensorBoard is asked for and not installed, or the file cannot be written.
    """

    def __init__(self, out: Path, step: int, log: LogSection, enabled: bool = True) -> None:
        self.board = _open_board(out, step) if enabled and log.tensorboard else None
        self.file = None
        if enabled:
            path = out / "stats.jsonl"
            with os_errors_as(TrainingError, f"{path} cannot be written"):
                write_durably(path, "".join(_lines_until(path, step)))
                self.file = path.open("a", encoding="utf-8")
        self.started = time.time()

    def write(self, step: int, values: dict[str, float]) -> None:
        """Writes the losses of a step, and the seconds since the run was started or resumed."""
        if self.file is not None:
            seconds = round(time.time() - self.started, 2)
            rounded = {name: round(value, 5) for name, value in values.items()}
            self.file.write(json.dumps({"step": step, "seconds": seconds, **rounded}) + "\n")
            self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def picture(self, step: int, path: Path) -> None:
        """Shows a sample grid in TensorBoard."""
        if self.board is not None:
            self.board.add_image("samples", read_picture(path)[0], step, dataformats="HWC")

    def __enter__(self) -> Stats:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()
        if self.board is not None:
            self.board.close()


def _open_board(out: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError as error:
        raise TrainingError(
            "log.tensorboard needs TensorBoard; run: pip install tensorboard"
        ) from error
    return SummaryWriter(out / "tensorboard", purge_step=step + 1)


def _lines_until(path: Path, step: int) -> list[str]:
    kept = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            if parse_json(line)["step"] <= step:
                kept.append(line.decode() + "\n")
        except (Malformed, KeyError, TypeError):
            continue  # a line cut by a kill
    return kept

"""A generator's checkpoint becomes a generator again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import TrainingError, UsageError
from .checkpoint import load_state
from .generators import create_generator

FORMAT = "pleinair-generator-1"


@dataclass(frozen=True)
class LoadedGenerator:
    """A generator and where it comes from."""

    generator: nn.Module
    architecture: str
    options: dict[str, Any]  # of create_generator
    recipe: dict[str, Any]
    step: int
    reverse: bool  # whether it is a run's way back
    processes: int  # that trained it together


def load_generator(path: Path) -> LoadedGenerator:
    """Loads what training or ``pleinair import`` wrote, on the CPU and ready to paint.

    Raises:
        UsageError: There is no such file.
        TrainingError: It is no generator of pleinair, or does not fit its architecture.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist or is no file; give a generator's checkpoint")
    state = load_state(path)
    if state.get("format") != FORMAT:
        raise TrainingError(
            f"{path} holds no generator of pleinair; give a run's generator.pt, or what"
            " `pleinair import` makes of a checkpoint of another project"
        )
    try:
        architecture, options = state["architecture"], state.get("options", {})
        generator = create_generator(architecture, **options)
        generator.load_state_dict(state["state"])
        return LoadedGenerator(
            generator.eval(),
            architecture,
            options,
            state["recipe"],
            state["step"],
            state.get("direction") == "reverse",
            state.get("processes", 1),
        )
    except KeyError as error:
        raise TrainingError(f"{path} is no whole generator: it has no {error}") from error
    except (RuntimeError, TypeError, AttributeError) as error:
        last = str(error).splitlines()[-1].strip()
        raise TrainingError(f"{path} does not fit {state['architecture']}: {last}") from error
    except UsageError as error:
        raise TrainingError(f"{path}: {error}") from error

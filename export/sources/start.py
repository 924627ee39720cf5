"""The start of a new run with strokes: the weights of the shipped painter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from ...bundle.bundle import Bundle
from ...bundle.resolve import GENERATOR, SHIPPED, shipped_models
from ...networks.checkpoint import save_atomically
from ...networks.generators import create_generator, options_of
from ...networks.load import generator_state
from ...networks.strokes import StrokeGenerator
from ...temporary import TemporaryFolder
from ...train.recipe import ModelSection

PAINTER = "monet"


@contextmanager
def shipped_start(model: ModelSection, painter: str = PAINTER) -> Iterator[Path | None]:
    """Yields a temporary generator's checkpoint with the weights of a shipped painter.

    Yields:
        The file, or None if one of them has no strokes or their networks differ.
    """
    generator = _shipped_generator(painter)
    options = options_of(model.generator, model.options)
    wanted = create_generator(model.generator, **options)
    if not isinstance(generator, StrokeGenerator) or _shapes(generator) != _shapes(wanted):
        yield None
        return
    state = generator_state("strokes", options, {"name": painter}, generator.state_dict())
    with TemporaryFolder() as folder:
        path = folder / GENERATOR
        save_atomically(state, path)
        yield path


def _shipped_generator(painter: str) -> nn.Module | None:
    if painter not in shipped_models():
        return None
    folder = SHIPPED / painter
    if Bundle.open(folder).manifest.generator.architecture != "strokes":
        return None
    from .source import load_source  # needs onnx; without a start it is not imported

    return load_source(str(folder)).generator


def _shapes(generator: nn.Module) -> dict[str, Any]:
    return {name: value.shape for name, value in generator.state_dict().items()}

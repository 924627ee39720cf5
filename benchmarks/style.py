"""Whether quantization changes the style: KID of each painted set to a folder of paintings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import UsageError
from ..pictures import Pixels, list_pictures, read_picture, spread

_PAINTINGS = 300  # at most


def load_style(features: Path, paintings: Path) -> Callable[[list[Pixels]], float]:
    """Returns a function from a painted set to its KID to the paintings.

    Args:
        features: A feature network, see ``evaluation/features.py``.
        paintings: A folder of at least two.

    Raises:
        UsageError: A file or folder is missing.
        ModuleNotFoundError: PyTorch is not installed.
    """
    from ..evaluation.distances import kid
    from ..evaluation.features import load_features

    if not paintings.is_dir():
        raise UsageError(f"folder {paintings} does not exist; name another with --targets")
    paths = spread(list_pictures(paintings), _PAINTINGS)
    if len(paths) < 2:
        raise UsageError(f"folder {paintings} holds {len(paths)} pictures; KID needs at least 2")
    vectors = load_features(features)
    target = vectors(read_picture(path)[0] for path in paths)
    return lambda painted: kid(target, vectors(painted))

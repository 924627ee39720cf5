from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pleinair.train.recipe import Recipe, validate_recipe

DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """Returns a function that makes a tiny recipe on the test pictures; sections can be changed."""

    def make(**sections: dict[str, Any]) -> Recipe:
        values: dict[str, Any] = {
            "name": "tiny",
            "seed": 3,
            "data": {
                "root": str(DATA),
                "source": "photos",
                "target": "paintings",
                "crop": 64,
                "workers": 0,
            },
            "model": {"ndf": 8},
            "optim": {"steps": 6, "batch": 2, "pool": 4, "ema": 0.9},
            "log": {"stats_every": 1, "samples_every": 6, "checkpoint_every": 2},
        }
        for name, changes in sections.items():
            values[name] = {**values.get(name, {}), **changes}
        return validate_recipe(values, "test")

    return make

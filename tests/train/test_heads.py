"""Heads painted finely: what is taught, and what stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pleinair.errors import TrainingError
from pleinair.networks.checkpoint import load_state, save_atomically
from pleinair.networks.generators import create_generator
from pleinair.networks.strokes import StrokeGenerator
from pleinair.train.losses.heads import cells_of, plan_heads, with_heads
from pleinair.train.recipe import Recipe
from pleinair.train.run import train

Make = Callable[..., Recipe]
ALONE = {"adversarial": 0.0, "cycle": 0.0, "identity": 0.0, "plan_heads": 1.0}


def half_a_mask() -> torch.Tensor:
    """White on the left half."""
    mask = torch.full((1, 3, 64, 64), -1.0)
    mask[..., :32] = 1
    return mask


def test_heads_change_the_finest_layer_only() -> None:
    torch.manual_seed(0)
    plan = torch.rand(1, 24, 16, 16)
    before, wanted = plan.clone(), with_heads(plan, cells_of(half_a_mask()))
    assert torch.equal(plan, before)
    apart = (wanted - plan).unflatten(1, (8, 3))
    assert apart[:, :, :2].abs().max() == 0
    assert apart[..., 8:].abs().max() == 0
    need = wanted.unflatten(1, (8, 3))[0, 5, 2]
    assert need[:, :8].unique().tolist() == [1.25]
    spread = wanted[:, [11, 14], :, :8] / plan[:, [11, 14], :, :8]
    assert torch.allclose(spread, torch.full_like(spread, 0.5))
    colours = [p.unflatten(1, (8, 3))[:, :3, 2, :, :8].std() for p in (plan, wanted)]
    assert colours[1] > 1.3 * colours[0]


def test_the_loss_is_least_at_what_is_wanted() -> None:
    torch.manual_seed(0)
    kept, mask = torch.rand(1, 24, 16, 16), half_a_mask()
    wanted = with_heads(kept, cells_of(mask))
    assert plan_heads(wanted, kept, mask).item() == pytest.approx(0, abs=1e-5)
    nothing = torch.full_like(mask, -1)
    assert plan_heads(kept, kept, nothing).item() == 0
    assert plan_heads(kept, kept, mask) > 1
    missing, beside = wanted.clone(), wanted.clone()
    missing[:, 17, :, :8] -= 0.5
    beside[:, 17, :, 8:] += 0.5
    assert plan_heads(missing, kept, mask) > 1.5 * plan_heads(beside, kept, mask) > 0


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """Four pictures with a bright disc, and masks that are white there."""
    rng = np.random.default_rng(0)
    for folder in ("photos", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for k in range(4):
        picture = rng.integers(40, 120, (96, 96, 3), np.uint8)
        mask, centre = np.zeros((96, 96), np.uint8), tuple(map(int, rng.integers(30, 66, 2)))
        cv2.circle(picture, centre, 24, (230, 220, 240), -1)
        cv2.circle(mask, centre, 24, 255, -1)
        cv2.imwrite(str(tmp_path / "data" / "photos" / f"{k}.png"), picture)
        cv2.imwrite(str(tmp_path / "data" / "masks" / f"{k}.png"), mask)
    return tmp_path / "data"


@pytest.fixture
def painter(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = {"format": "pleinair-generator-1", "architecture": "strokes", "options": {}}
    generator = create_generator("strokes").state_dict()
    path = tmp_path / "painter.pt"
    save_atomically({**state, "recipe": {"name": "x"}, "step": 0, "state": generator}, path)
    return path


def sections(data: Path, **optim: Any) -> dict[str, Any]:
    pictures = {"root": str(data), "mode": "aligned", "source": "photos", "target": "masks"}
    return {
        "data": {**pictures, "crop": 64},
        "model": {"generator": "strokes"},
        "loss": ALONE,
        "optim": {"steps": 4, "batch": 2, **optim},
    }


def test_a_painter_learns_where_heads_are(
    make_recipe: Make, masked: Path, painter: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(**sections(masked, steps=120, lr=3e-3, beta1=0.9, ema=0.9))
    generator = create_generator("strokes").eval()
    assert isinstance(generator, StrokeGenerator)
    generator.load_state_dict(
        load_state(train(recipe, tmp_path / "run", "cpu", painter))["state"]  # type: ignore[arg-type]
    )
    picture, mask = (
        torch.from_numpy(cv2.imread(str(masked / folder / "0.png"))[..., ::-1].copy())
        for folder in ("photos", "masks")
    )
    with torch.no_grad():
        plan = generator.network(picture.permute(2, 0, 1)[None] / 127.5 - 1)
    need, head = plan[0, 17], cells_of(mask.permute(2, 0, 1)[None] / 127.5 - 1)[0, 0] > 0.5
    assert need[head].mean() > 0.8
    assert need[~head].mean() < 0.4


def test_it_goes_on_with_the_same_bits(
    make_recipe: Make, masked: Path, painter: Path, tmp_path: Path
) -> None:
    """And from the network that it began with, not the one that it has become."""
    recipe = make_recipe(**sections(masked))
    whole = load_state(train(recipe, tmp_path / "whole", "cpu", painter))  # type: ignore[arg-type]

    def stop(step: int, _: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "broken", "cpu", painter, report=stop)
    again = load_state(train(recipe, tmp_path / "broken", "cpu", painter))  # type: ignore[arg-type]
    assert all(torch.equal(whole["state"][key], again["state"][key]) for key in whole["state"])


def test_it_needs_a_painter(make_recipe: Make, masked: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="--init"):
        train(make_recipe(**sections(masked)), tmp_path / "run", "cpu")
    assert not (tmp_path / "run/generator.pt").exists()


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("loss", {"cycle": 1.0, "plan_marks": 1.0}, "set cycle, plan_marks to 0"),
        ("data", {"mode": "unaligned"}, "masks, white on heads"),
        ("model", {"generator": "edge_s"}, "for model.generator strokes"),
        ("optim", {"quantize": True}, "without optim.quantize"),
        ("distil", {"student": "edge_s"}, r"and \[distil\]"),
    ],
)
def test_recipes_that_do_not_fit(
    make_recipe: Make, masked: Path, section: str, changes: dict[str, Any], said: str
) -> None:
    values = sections(masked)
    with pytest.raises(TrainingError, match=said):
        make_recipe(**{**values, section: {**values.get(section, {}), **changes}})

"""Where the eye looks, and what plans made by hand make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pleinair.canvas.hand import HANDS
from pleinair.errors import TrainingError
from pleinair.networks.plan_by_hand import make_plan
from pleinair.train.data.loader import TrainingPictures
from pleinair.train.fabric import make_fabric
from pleinair.train.importance import importance, rarity
from pleinair.train.recipe import Recipe
from pleinair.train.trainer import Trainer
from torch import Tensor

Make = Callable[..., Recipe]
FINE = 17  # of a plan's channels: the need for fine marks


def facade() -> Tensor:
    """Features (1, 8, 20, 24): windows all over, one other thing at 10, 12, and a sky above."""
    torch.manual_seed(0)
    features = torch.randn(8).view(1, 8, 1, 1).repeat(1, 1, 20, 24)
    features[:, :, ::4, ::4] = torch.randn(8).view(1, 8, 1, 1)
    features[:, :, :4] = 0
    features[:, :, 10, 12] = torch.randn(8)
    return features


def test_what_occurs_once_is_rare() -> None:
    rare = rarity(facade())
    assert rare.shape == (1, 1, 20, 24)
    assert rare[0, 0, 10, 12] == rare.max()
    assert rare[0, 0, 10, 12] > 0.2
    assert rare[0, 0, 8, 8] < 0.01  # one of many windows
    assert rare[0, 0, 1, 5] < 0.01  # the sky


def test_what_is_rare_matters_if_it_is_seen_strongly() -> None:
    features = facade()
    features[:, :, 10, 12] *= -1  # unlike anything
    assert importance(features * 1e5)[0, 0, 10, 12] == 1
    assert importance(features * 1e5)[0, 0, 8, 8] == 0
    assert importance(features * 1e2).max() == 0


def test_places_next_to_each_other_are_not_compared() -> None:
    features = facade()
    alone = rarity(features)[0, 0, 10, 12].item()
    features[:, :, 9:12, 11:14] = features[:, :, 10:11, 12:13].clone()
    assert rarity(features)[0, 0, 10, 12].item() == pytest.approx(alone, abs=0.02)


def test_small_things_get_fine_marks_where_they_matter() -> None:
    picture = torch.full((1, 3, 96, 192), 0.6)
    for column in (40, 136):
        picture[:, :, 44:52, column : column + 8] = 0.1
    matters = torch.zeros(1, 1, 6, 12)
    matters[..., :6] = 1
    needs = make_plan(picture, HANDS["monet"], matters)[0, FINE]
    assert needs[11, 10] > 0.5
    assert needs[11, 34] < 0.2
    assert make_plan(picture, HANDS["monet"])[0, FINE, 11, 34] > 0.5  # by its contrast alone


def test_importance_is_taught(make_recipe: Make, vgg: Path) -> None:
    """The loss of needs is another than without it."""

    def loss(plan_importance: bool) -> float:
        torch.manual_seed(0)
        recipe = make_recipe(
            data={"crop": 96},
            model={"generator": "strokes"},
            loss={
                "adversarial": 0.0,
                "cycle": 0.0,
                "identity": 0.0,
                "plan_marks": 1.0,
                "plan_importance": plan_importance,
                "vgg": str(vgg),
            },
        )
        trainer = Trainer(recipe, make_fabric(recipe.compute, "cpu"))
        return trainer.train_step([TrainingPictures(recipe).batch(range(1))])["plan_marks"]

    assert abs(loss(True) - loss(False)) > 1e-3


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ({"plan_marks": 1.0, "plan_importance": True}, "need loss.vgg"),
        ({"plan_importance": True, "vgg": "vgg.pth"}, "plans made by hand"),
        (
            {
                "plan_marks": 1.0,
                "plan_importance": True,
                "vgg": "vgg.pth",
                "vgg_custom": "torchvision",
            },
            "Caffe",
        ),
    ],
)
def test_what_importance_needs_is_said(make_recipe: Make, loss: dict, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        make_recipe(model={"generator": "strokes"}, loss=loss)

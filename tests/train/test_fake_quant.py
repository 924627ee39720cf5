from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from pleinair.export.int8.quantize import LIMITS
from pleinair.networks.generators import create_generator
from pleinair.train.data.loader import TrainingPictures
from pleinair.train.fake_quant import FakeQuantized, round_weights
from pleinair.train.recipe import Recipe
from pleinair.train.trainer import Trainer
from torch import nn

Make = Callable[..., Recipe]


def grow(generator: nn.Module) -> None:
    """Gives an edge generator weights as after training: none is zero any more."""
    with torch.no_grad():
        for name, value in generator.named_parameters():
            if name.endswith("conv2.weight"):
                value.normal_(std=0.03)
        generator.get_parameter("up_full.weight").normal_(std=0.05)


def test_weights_have_129_levels_for_each_output_channel() -> None:
    weight = torch.randn(4, 3, 5, 5) * torch.tensor([0.01, 1, 10, 100]).view(4, 1, 1, 1)
    rounded = round_weights(weight)
    for before, after in zip(weight, rounded, strict=True):
        step = before.abs().max() / LIMITS[7]
        assert (after / step - (after / step).round()).abs().max() < 1e-3
        assert (before - after).abs().max() <= step / 2 * 1.001
        assert len(after.unique()) <= 129


def test_a_quantized_generator_paints_nearly_the_same_and_learns() -> None:
    torch.manual_seed(0)
    generator = create_generator("edge_s")
    grow(generator)
    quantized = FakeQuantized(generator)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    exact, rounded = generator(x), quantized(x)
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).abs().mean() < 0.1 * (exact - x).abs().mean()
    rounded.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in generator.parameters())
    assert not any(m._forward_pre_hooks for m in generator.modules())  # left as it was


def test_fine_tuning_lowers_what_rounding_costs(
    make_recipe: Make, fabric: Fabric, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    generator = create_generator("edge_s")
    grow(generator)
    generator.keep_flat()
    state = {
        "format": "pleinair-generator-1",
        "architecture": "edge_s",
        "options": {},
        "recipe": {"name": "teacher"},
        "step": 0,
        "state": generator.state_dict(),
    }
    torch.save(state, tmp_path / "teacher.pt")
    recipe = make_recipe(
        data={"mode": "single"},
        loss={"adversarial": 0, "cycle": 0, "identity": 0},
        distil={"teacher": str(tmp_path / "teacher.pt"), "ssim": 0},
        optim={"quantize": True, "steps": 40, "lr": 3e-4, "decay_from": 0.2},
    )
    trainer = Trainer(recipe, fabric)
    trainer.networks["generator"].load_state_dict(generator.state_dict())
    batch = TrainingPictures(recipe).batch(range(2))
    lost = [trainer.train_step([batch])["distil_pixel"] for _ in range(40)]
    assert min(lost[-5:]) < 0.8 * lost[0]
    assert "observer" in trainer.state_dict()["networks"]

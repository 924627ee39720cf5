"""What training knows of painters with strokes: losses of plans, recipes, runs that go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pleinair.canvas.hand import HANDS
from pleinair.errors import PleinairError, UsageError
from pleinair.networks.checkpoint import load_state
from pleinair.networks.generators import check_options, create_generator
from pleinair.networks.plan_by_hand import make_plan
from pleinair.networks.strokes import StrokeGenerator
from pleinair.train.data.loader import TrainingPictures
from pleinair.train.discriminators import create_discriminator
from pleinair.train.fabric import make_fabric
from pleinair.train.losses import terms as losses
from pleinair.train.recipe import Recipe
from pleinair.train.run import train
from pleinair.train.trainer import Trainer
from torch._subclasses.fake_tensor import FakeTensorMode

Make = Callable[..., Recipe]
STROKES = {
    "model": {"generator": "strokes", "reverse": "edge_s", "discriminator": "masses", "ndf": 8},
    "loss": {"plan_marks": 1.0, "plan_colour": 0.1, "cycle_back": 0.0, "reduced": 2},
    "optim": {"steps": 4, "batch": 1, "pool": 2},
}


def test_losses_of_plans_see_their_own_kind_only() -> None:
    plan, colours, marks = torch.rand(2, 24, 4, 5), torch.zeros(24), torch.zeros(24)
    colours[:9], marks[15:18] = 1 / 16, 0.5
    other = plan + colours.view(24, 1, 1)
    assert losses.plan_marks(plan, other).item() == 0
    assert losses.plan_colour(plan, other).item() == pytest.approx(1.5, rel=1e-4)
    other = plan + marks.view(24, 1, 1)
    assert losses.plan_colour(plan, other).item() == 0
    assert losses.plan_marks(plan, other).item() == pytest.approx(1.5 * 0.5 / 8, rel=1e-4)
    turned = plan.clone()
    turned[:, 18:21] += 0.5  # one of the two values of all directions
    assert losses.plan_marks(plan, turned).item() == pytest.approx(12 * 0.25 / 2, rel=1e-4)


def test_the_light_over_a_picture_may_change_at_no_price() -> None:
    plan, chip = torch.rand(1, 24, 24, 32), torch.zeros(1, 24, 24, 32)
    assert losses.plan_detail(plan, plan + 0.1).item() == pytest.approx(0, abs=1e-4)
    chip[:, :9, 12, 16] = 0.1
    assert losses.plan_detail(plan, plan + chip).item() > 1e-3
    assert losses.plan_detail(plan, plan + chip.roll(9, 1)).item() == pytest.approx(0, abs=1e-4)


def test_light_may_end_at_an_edge_but_not_beside_it() -> None:
    hand = torch.zeros(1, 24, 24, 32)
    hand[:, :9, :, 16:] = 0.8  # a dark house, and a bright sky

    def price(first: int) -> float:
        lit = torch.zeros_like(hand)
        lit[:, :9, :, first:] = 0.1
        return losses.plan_detail(hand + lit, hand).item()

    assert price(16) < 0.1 * price(21)
    lit = torch.zeros_like(hand)
    lit[:, 0:9:3] = 0.1  # of broad marks alone
    assert losses.plan_detail(hand + lit, hand).item() > price(16)


@pytest.mark.parametrize("content", [0.0, 1.0])
def test_what_is_kept_teaches_needs_alone(make_recipe: Make, vgg: Path, content: float) -> None:
    """And the game colours."""
    torch.manual_seed(0)
    loss = {**STROKES["loss"], "plan_marks": 1e-9, "plan_colour": 0.0}
    loss |= {"content": content, "vgg": str(vgg)}
    recipe = make_recipe(**{**STROKES, "loss": loss, "data": {"crop": 96}})
    trainer = Trainer(recipe, make_fabric(recipe.compute, "cpu"))
    generator = trainer.networks["generator"]
    assert isinstance(generator, StrokeGenerator)
    gradients: list[torch.Tensor] = []
    generator.network.plan.weight.register_hook(gradients.append)
    trainer.train_step([TrainingPictures(recipe).batch(range(1))])
    kinds = gradients[0].abs().flatten(1).sum(1).view(8, 3).sum(1)
    taught = kinds > 1e-5 * kinds.sum()
    assert taught.tolist() == [True] * 3 + [False] * 2 + [content > 0] + [False] * 2


def test_massing_forgives_marks_and_not_masses() -> None:
    torch.manual_seed(0)
    picture = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 16) * 2 - 1, size=(128, 128))
    marks = torch.tensor([[0.2, -0.2], [-0.2, 0.2]]).repeat(64, 64)
    assert losses.massing(picture, picture + marks).item() < 0.02
    assert losses.massing(picture, 0.5 * picture - 0.4).item() < 0.25  # paler and darker
    assert losses.massing(picture, picture.flip(-1)).item() > 0.5


def test_the_judge_of_masses_sees_brightness_and_no_single_pixels() -> None:
    torch.manual_seed(0)
    discriminator = create_discriminator("masses", ndf=8).eval()
    picture = torch.rand(2, 3, 96, 128) - 0.5
    scores = discriminator(picture)
    assert scores.shape[:2] == (2, 2)
    assert (discriminator(picture + 0.3) - scores).abs().max() > 1e-3
    marks = torch.tensor([[0.3, -0.3], [-0.3, 0.3]]).repeat(48, 64)
    assert torch.allclose(discriminator(picture + marks), scores, atol=1e-5)


def test_gradients_reach_the_network_through_the_strokes() -> None:
    torch.manual_seed(0)
    generator = create_generator("strokes").train()
    assert isinstance(generator, StrokeGenerator)
    painted = generator(torch.rand(1, 3, 64, 96) * 2 - 1)
    painted.square().sum().backward()
    for name, parameter in generator.named_parameters():
        if name.startswith("network.plan"):
            assert parameter.grad is not None
            # Every kind of value matters: colours, differences, needs, directions.
            kinds = parameter.grad.flatten(1).abs().sum(1).view(8, 3) if parameter.dim() > 1 else ()
            assert all(kind.max() > 0 for kind in kinds), name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"hand": "monett"}, "monet"),
        ({"step": 3}, "step is 1 or 2"),
        ({"stroke": "tiny"}, "stroke"),
        ({"ngf": 3}, "no option 'ngf'"),
    ],
)
def test_options_are_checked(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_options("strokes", options)


@pytest.mark.parametrize(
    ("section", "changes", "said"),
    [
        ("model", {"generator": "edge_s"}, "for model.generator strokes"),
        ("optim", {"quantize": True}, "without optim.quantize"),
        ("loss", {"cycle_back": 1.0}, "loss.reduced"),
        ("model", {"norm": "batch"}, "norm"),
        ("data", {"crop": 72}, "multiple of 32"),
    ],
)
def test_recipes_that_do_not_fit(make_recipe: Make, section: str, changes: dict, said: str) -> None:
    values = {**STROKES, section: {**STROKES.get(section, {}), **changes}}
    with pytest.raises(PleinairError, match=said):
        make_recipe(**values)


def test_options_go_to_the_generator_that_has_them(make_recipe: Make, tmp_path: Path) -> None:
    model = {**STROKES["model"], "hand": "monet", "step": 1}
    generator = train(make_recipe(**{**STROKES, "model": model}), tmp_path / "run", "cpu")
    assert generator
    saved = load_state(generator)
    assert saved["options"] == {"hand": "monet", "step": 1}
    # What a run is for is rounded to half precision: bundles lose nothing of it.
    assert all(torch.equal(value.half().float(), value) for value in saved["state"].values())
    assert load_state(tmp_path / "run/reverse.pt")["options"] == {}


def test_a_run_with_strokes_goes_on_with_the_same_bits(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(**STROKES)
    whole = load_state(train(recipe, tmp_path / "whole", "cpu"))
    seen: list[int] = []

    def stop(step: int, _: dict[str, float]) -> None:
        seen.append(step)
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "broken", "cpu", report=stop)
    again = load_state(train(recipe, tmp_path / "broken", "cpu"))
    assert seen == [1, 2]
    assert all(torch.equal(whole["state"][key], again["state"][key]) for key in whole["state"])


def first_losses(recipe: Recipe, device: str = "cpu") -> dict[str, float]:
    trainer = Trainer(recipe, make_fabric(recipe.compute, device))
    return trainer.train_step([TrainingPictures(recipe).batch(range(1))])


def test_the_head_paints_in_float32_whatever_the_network_computes_in() -> None:
    torch.manual_seed(0)
    generator = create_generator("strokes").eval()
    assert isinstance(generator, StrokeGenerator)
    picture = torch.rand(1, 3, 64, 96) * 2 - 1
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            plan = generator.network(picture)
            painted = generator(picture)
        assert (plan.dtype, painted.dtype) == (torch.bfloat16, torch.float32)
        assert torch.equal(painted, generator.paint(plan.float()))


def test_half_precision_learns_the_same(make_recipe: Make) -> None:
    half = first_losses(make_recipe(**STROKES, compute={"precision": "bf16"}))
    full = first_losses(make_recipe(**STROKES))
    assert half == pytest.approx(full, rel=0.03)
    assert half != full


def test_plans_and_paintings_are_made_where_the_pictures_are() -> None:
    """Of tensors without values, which tell devices apart where there is only one."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        pictures = torch.empty(2, 3, 64, 64, device="cuda")
        with torch.device("cuda"):
            generator = create_generator("strokes").eval()
        for made in (make_plan(pictures, HANDS["monet"]), generator(pictures)):
            assert made.device.type == "cuda"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_on_a_gpu_too(make_recipe: Make, precision: str) -> None:
    here = first_losses(make_recipe(**STROKES))
    there = first_losses(make_recipe(**STROKES, compute={"precision": precision}), "cuda")
    assert there == pytest.approx(here, rel=0.05)

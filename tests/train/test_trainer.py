"""One step of training: every generator, objective and kind of data; schedules; accumulation."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from pleinair.errors import PleinairError, TrainingError, UsageError
from pleinair.networks.generators import GENERATORS, EdgeGenerator
from pleinair.train.data.loader import Batch, TrainingPictures
from pleinair.train.fabric import make_fabric
from pleinair.train.image_pool import ImagePool
from pleinair.train.losses.terms import OBJECTIVES
from pleinair.train.optimizers import lr_factor
from pleinair.train.recipe import LossSection, OptimSection, Recipe
from pleinair.train.trainer import Trainer

Make = Callable[..., Recipe]
MODES = ("unaligned", "aligned", "colorization", "single")
# What is kept of a picture is learnt within a few steps; who wins the game is not.
LEARNT = {
    "unaligned": ("cycle_source", "cycle_target"),
    "aligned": ("paired",),
    "colorization": ("paired",),
    "single": ("distil_pixel",),
}


def sections(generator: str, objective: str, mode: str, teacher: Path) -> dict[str, Any]:
    """A recipe that is as small as this generator can be trained."""
    resnet = generator.startswith("resnet")
    unet = generator.startswith("unet")
    crop = {"unet_256": 256, "unet_128": 128}.get(generator, 32)
    loss: dict[str, Any] = {"objective": objective}
    if mode == "single":
        loss |= {"cycle": 0, "identity": 0}
    elif mode != "unaligned":
        loss |= {"cycle": 0, "identity": 0, "paired": 10}
    return {
        "data": {"mode": mode, "crop": crop, "target": "" if mode == "aligned" else "paintings"},
        "model": {
            "generator": generator,
            "ndf": 4,
            # Two layers see 16 pixels; three end with one patch of a crop of 32.
            "discriminator": "n_layers",
            "layers": 2,
            **({"ngf": 2, "norm": "batch" if unet else "instance"} if resnet or unet else {}),
        },
        "loss": loss,
        "distil": {"teacher": str(teacher)} if mode == "single" else {},
        "optim": {"steps": 8, "batch": 1, "lr": 2e-3, "pool": 0, "decay_from": 1.0},
    }


# Each generator in each mode, and each objective in each mode.
@pytest.mark.parametrize(
    ("generator", "objective", "mode"),
    [(generator, "lsgan", mode) for generator in sorted(GENERATORS) for mode in MODES]
    + [
        ("edge_s", objective, mode)
        for objective in sorted({*OBJECTIVES} - {"lsgan"})
        for mode in MODES
    ],
)
def test_takes_real_steps_and_learns(
    make_recipe: Make, fabric: Fabric, teacher: Path, generator: str, objective: str, mode: str
) -> None:
    recipe = make_recipe(**sections(generator, objective, mode, teacher))
    trainer = Trainer(recipe, fabric)
    for network in trainer.networks.values():
        if isinstance(network, EdgeGenerator):  # new ones are the identity: no cycle could be lost
            torch.nn.init.normal_(network.soften.weight, std=0.1)
            network.keep_flat()
    before = {k: v.clone() for k, v in trainer.networks["generator"].state_dict().items()}
    batch = TrainingPictures(recipe).batch(range(1))
    steps = [trainer.train_step([batch]) for _ in range(8)]
    after = trainer.networks["generator"].state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    judged = [sum(v for name, v in s.items() if name[:2] in ("d_", "pe")) for s in steps]
    kept = [sum(step[name] for name in LEARNT[mode]) for step in steps]
    assert min(judged[1:]) < judged[0]
    assert min(kept[1:]) < kept[0]


def test_edge_generators_are_flat_after_every_step(make_recipe: Make, fabric: Fabric) -> None:
    trainer = Trainer(make_recipe(), fabric)
    trainer.train_step([TrainingPictures(trainer.recipe).batch(range(2))])
    for trained in (trainer.networks["generator"], trainer.averages["generator"].module):
        corrected = copy.deepcopy(trained)
        corrected.keep_flat()  # finds nothing to correct
        torch.testing.assert_close(corrected.state_dict(), trained.state_dict())


@pytest.mark.parametrize("discriminator", ["patch", "n_layers", "pixel", "global"])
def test_every_discriminator_learns_to_tell(
    make_recipe: Make, fabric: Fabric, discriminator: str
) -> None:
    recipe = make_recipe(model={"discriminator": discriminator}, optim={"lr": 1e-3})
    trainer = Trainer(recipe, fabric)
    batch = TrainingPictures(recipe).batch(range(2))
    judged = [trainer.train_step([batch])["d_target"] for _ in range(10)]
    assert judged[-1] < judged[0]


def test_all_regularisers_at_once(make_recipe: Make, fabric: Fabric, vgg: Path) -> None:
    """Those of the section whose weight is 0 unless it is given: a new one, too."""
    fields, elsewhere = LossSection.model_fields, ("paired", "plan_heads", *LossSection.BY_HAND)
    off = {n for n, f in fields.items() if isinstance(f.default, float) and not f.default}
    names = off.difference(elsewhere)
    recipe = make_recipe(loss=dict.fromkeys(names, 1.0) | {"vgg": str(vgg)})
    trainer = Trainer(recipe, fabric)
    trainer.measure_target(16)
    values = trainer.train_step([TrainingPictures(recipe).batch(range(2))])
    seen = {"g_features" if name == "projected" else name for name in names}
    assert seen | {"d_features", "colour_back"} <= values.keys()


def test_a_weight_of_zero_takes_no_time(make_recipe: Make, fabric: Fabric) -> None:
    trainer = Trainer(make_recipe(loss={"cycle": 0, "identity": 0}), fabric)
    values = trainer.train_step([TrainingPictures(trainer.recipe).batch(range(2))])
    assert values.keys() == {"g_target", "d_target"}
    assert trainer.networks.keys() == {"generator", "discriminators"}


@pytest.mark.parametrize(
    ("loss", "passes"),
    [
        ({}, 3),  # there and back, back alone, and what should stay the same
        ({"cycle": 0}, 2),
        ({"adversarial": 0, "style": 1, "cycle_back": 0}, 2),
        ({"adversarial": 0, "style": 1, "cycle_back": 0, "identity": 0}, 1),
    ],
)
def test_the_way_back_paints_only_what_a_loss_needs(
    make_recipe: Make, fabric: Fabric, vgg: Path, loss: dict[str, Any], passes: int
) -> None:
    trainer = Trainer(make_recipe(loss=loss | {"vgg": str(vgg)}), fabric)
    painted: list[int] = []
    trainer.networks["reverse"].register_forward_hook(lambda _, x, y: painted.append(len(y)))
    trainer.train_step([TrainingPictures(trainer.recipe).batch(range(2))])
    assert sum(painted) == passes * 2


def test_weights_follow_their_ramp(make_recipe: Make, fabric: Fabric) -> None:
    recipe = make_recipe(loss={"variation": [[0, 0], [0.5, 4]]}, optim={"steps": 4, "lr": 1e-9})
    trainer = Trainer(recipe, fabric)
    batch = TrainingPictures(recipe).batch(range(2))
    seen = [trainer.train_step([batch])["variation"] for _ in range(4)]
    assert seen[0] == 0
    assert seen[2] == pytest.approx(2 * seen[1], rel=1e-3)
    assert seen[3] == pytest.approx(seen[2], rel=1e-3)


def test_accumulated_batches_make_the_step_of_one_large_batch(
    make_recipe: Make, fabric: Fabric
) -> None:
    whole = Trainer(make_recipe(optim={"pool": 0, "batch": 4}), fabric)
    parts = Trainer(make_recipe(optim={"pool": 0, "batch": 2, "accumulate": 2}), fabric)
    pictures = TrainingPictures(whole.recipe)
    one = whole.train_step([pictures.batch(range(4))])
    two = parts.train_step([pictures.batch(range(2)), pictures.batch(range(2, 4))])
    assert one == pytest.approx(two, rel=1e-4, abs=1e-6)
    for name, weight in whole.networks["generator"].state_dict().items():
        other = parts.networks["generator"].state_dict()[name]
        assert torch.allclose(weight, other, atol=1e-5), name


def test_a_student_learns_beside_its_teacher(make_recipe: Make, fabric: Fabric, vgg: Path) -> None:
    recipe = make_recipe(
        model={"generator": "resnet_6blocks", "ngf": 4},
        loss={"vgg": str(vgg)},
        distil={"student": "edge_s", "content": 1.0, "style": 1.0, "variation": 0.1},
        optim={"lr": 1e-3},
    )
    trainer = Trainer(recipe, fabric)
    assert trainer.exported == "student"
    batch = TrainingPictures(recipe).batch(range(2))
    steps = [trainer.train_step([batch]) for _ in range(6)]
    assert steps[-1]["distil_pixel"] < steps[0]["distil_pixel"]
    assert trainer.generator_state("student")["architecture"] == "edge_s"
    assert trainer.generator_state("generator")["options"] == {"ngf": 4}


@pytest.mark.slow
def test_compiled_networks_give_the_same_losses(make_recipe: Make, fabric: Fabric) -> None:
    loss = {"cycle": 0, "identity": 0}  # one generator and one discriminator to compile
    eager = Trainer(make_recipe(loss=loss), fabric)
    compiled = Trainer(make_recipe(loss=loss, compute={"compile": True}), fabric)
    batch = TrainingPictures(eager.recipe).batch(range(2))
    one, two = eager.train_step([batch]), compiled.train_step([batch])
    assert one == pytest.approx(two, rel=1e-3, abs=1e-5)
    assert eager.networks["generator"].state_dict().keys() == (
        compiled.networks["generator"].state_dict().keys()
    )


def test_bfloat16_stays_near_float32(make_recipe: Make, fabric: Fabric) -> None:
    exact = Trainer(make_recipe(), fabric)
    rounded_recipe = make_recipe(compute={"precision": "bf16"})
    rounded = Trainer(rounded_recipe, make_fabric(rounded_recipe.compute, "cpu"))
    batch = TrainingPictures(exact.recipe).batch(range(2))
    one, two = exact.train_step([batch]), rounded.train_step([batch])
    assert one == pytest.approx(two, rel=0.1, abs=0.02)
    assert rounded.networks["generator"].state_dict()["stem.weight"].dtype == torch.float32


def test_losses_of_small_differences_stay_exact_in_bfloat16(make_recipe: Make, vgg: Path) -> None:
    loss = {"vgg": str(vgg), "style": 1.0, "ssim": 1.0, "flat": 1.0, "content": 1.0}
    values = []
    for precision in ("fp32", "bf16"):
        recipe = make_recipe(loss=loss, compute={"precision": precision})
        trainer = Trainer(recipe, make_fabric(recipe.compute, "cpu"))
        trainer.measure_target(16)
        values.append(trainer.train_step([TrainingPictures(recipe).batch(range(2))]))
    exact, rounded = values
    for name in ("style", "ssim", "flat"):
        assert rounded[name] == pytest.approx(exact[name], rel=0.1, abs=1e-3), name


def test_a_resumed_pool_moves_to_where_the_pictures_are() -> None:
    pool = ImagePool(1)
    pool.swap(torch.zeros(1, 3, 2, 2))
    batch = torch.ones(8, 3, 2, 2, device="meta")  # stands for a GPU
    assert pool.swap(batch).device.type == "meta"


def test_half_precision_needs_a_gpu(make_recipe: Make) -> None:
    with pytest.raises(TrainingError, match="fp16 needs a GPU"):
        make_fabric(make_recipe(compute={"precision": "fp16"}).compute, "cpu")


@pytest.mark.parametrize(
    ("device", "kind"), [("cuda:9", TrainingError), ("tpu", UsageError), ("cpu:x", UsageError)]
)
def test_a_device_that_is_not_there_is_named(
    make_recipe: Make, device: str, kind: type[PleinairError]
) -> None:
    with pytest.raises(kind, match=f"{device}"):
        make_fabric(make_recipe().compute, device)


def test_a_run_begun_on_a_gpu_goes_on_the_same(make_recipe: Make, fabric: Fabric) -> None:
    """There the channels of weights, and so of Adam's moments, lie last in memory."""
    recipe = make_recipe()
    batch = TrainingPictures(recipe).batch(range(2))
    whole, parts = Trainer(recipe, fabric), Trainer(recipe, fabric)
    whole.train_step([batch])
    state = copy.deepcopy(whole.state_dict())
    for optimizer in state["optimizers"].values():
        for moments in optimizer["state"].values():
            for name, value in moments.items():
                if value.dim() == 4:
                    moments[name] = value.contiguous(memory_format=torch.channels_last)
    parts.load_state_dict(state)
    assert whole.train_step([batch]) == parts.train_step([batch])
    for name, weight in whole.networks["generator"].state_dict().items():
        assert torch.equal(weight, parts.networks["generator"].state_dict()[name]), name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_on_a_gpu_too(make_recipe: Make, precision: str) -> None:
    recipe = make_recipe(compute={"precision": precision, "compile": True})
    trainer = Trainer(recipe, make_fabric(recipe.compute, "cuda"))
    batch = TrainingPictures(recipe).batch(range(2))
    steps = [trainer.train_step([batch]) for _ in range(5)]
    assert all(torch.isfinite(torch.tensor(list(s.values()))).all() for s in steps)


def test_learning_rate_policies() -> None:
    def factors(**settings: Any) -> list[float]:
        return [lr_factor(OptimSection(steps=10, **settings), step) for step in range(10)]

    linear = factors(policy="linear", decay_from=0.5)
    assert linear[:6] == [1.0] * 6
    assert linear[5:] == pytest.approx([1, 5 / 6, 4 / 6, 3 / 6, 2 / 6])
    cosine = factors(policy="cosine", decay_from=0.0)
    assert cosine == sorted(cosine, reverse=True)
    assert cosine[5] == pytest.approx(0.5, abs=0.1)
    assert cosine[-1] == pytest.approx(0.5 * (1 - math.cos(math.pi * 2 / 11)))
    steps = factors(policy="step", milestones=(0.3, 0.8), gamma=0.1)
    warm = factors(policy="linear", warmup=4, decay_from=1.0)
    assert warm[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])
    assert steps == pytest.approx([1] * 3 + [0.1] * 5 + [0.01] * 2)


def test_a_plateau_of_the_kid_lowers_the_learning_rate(make_recipe: Make, fabric: Fabric) -> None:
    optim = {"policy": "plateau", "patience": 1, "gamma": 0.5, "lr": 1e-3}
    trainer = Trainer(make_recipe(optim=optim, evaluate={"every": 1}), fabric)
    better = [trainer.follow(kid) for kid in (0.5, 0.4, 0.41, 0.42, 0.39)]
    assert better == [True, True, False, False, True]
    rates = {group["lr"] for o in trainer.optimizers.values() for group in o.param_groups}
    assert rates == {5e-4}


def test_batch_normalisation_sees_one_domain_at_a_time(make_recipe: Make, fabric: Fabric) -> None:
    model = {"generator": "resnet_6blocks", "ngf": 2, "norm": "batch"}
    trainer = Trainer(make_recipe(model=model), fabric)
    dark, bright = torch.full((1, 3, 64, 64), -0.9), torch.rand(1, 3, 64, 64)
    trainer.train_step([Batch(dark, bright)])
    # source, target and the cycle: three passes, each counted
    counted = trainer.networks["generator"].state_dict()["model.2.num_batches_tracked"]
    assert counted.item() == 3

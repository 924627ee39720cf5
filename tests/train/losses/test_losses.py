from __future__ import annotations

import math

import pytest
import torch
from pleinair.train.image_pool import ImagePool
from pleinair.train.losses import terms as losses
from torch import Tensor, nn


def test_lsgan_by_hand() -> None:
    real, fake = torch.full((1, 1, 2, 2), 0.8), torch.full((1, 1, 2, 2), 0.1)
    assert losses.lsgan_discriminator(real, fake).item() == pytest.approx((0.04 + 0.01) / 2)
    assert losses.lsgan_generator(fake).item() == pytest.approx(0.81)


@pytest.mark.parametrize("name", sorted(losses.OBJECTIVES))
def test_every_objective_rewards_telling_apart_and_fooling(name: str) -> None:
    objective = losses.OBJECTIVES[name]
    good, bad = torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3)
    assert objective.discriminator(good, bad) < objective.discriminator(bad, good)
    assert objective.generator(good) < objective.generator(bad)


def test_objectives_by_hand() -> None:
    real, fake = torch.tensor([[0.8]]), torch.tensor([[-0.3]])
    by_hand = {
        "bce": (-math.log(sigmoid(0.8)) - math.log(1 - sigmoid(-0.3))) / 2,
        "l1": (0.2 + 0.3) / 2,
        "hinge": 0.2 + 0.7,
        "wgan-gp": -0.3 - 0.8,
    }
    for name, expected in by_hand.items():
        found = losses.OBJECTIVES[name].discriminator(real, fake).item()
        assert found == pytest.approx(expected, abs=1e-6), name
    fooled = losses.OBJECTIVES["bce"].generator(fake).item()
    assert fooled == pytest.approx(-math.log(sigmoid(-0.3)), abs=1e-6)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_gradient_penalty_wants_slope_one() -> None:
    real, fake, mix = torch.rand(4, 3, 8, 8), torch.rand(4, 3, 8, 8), torch.rand(4, 1, 1, 1)
    direction = torch.randn(3 * 8 * 8)
    direction /= direction.norm()

    def slope(times: float) -> float:
        def discriminator(x: Tensor) -> Tensor:
            return times * x.flatten(1) @ direction

        return losses.gradient_penalty(discriminator, real, fake, mix).item()

    assert slope(1.0) == pytest.approx(0, abs=1e-6)
    assert slope(3.0) == pytest.approx(4, abs=1e-4)


def test_gradient_penalty_reaches_the_discriminator() -> None:
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
    pictures = torch.rand(2, 3, 8, 8)
    losses.gradient_penalty(discriminator, pictures, -pictures, torch.rand(2, 1, 1, 1)).backward()
    gradient = discriminator[0].weight.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_gradient_penalty_is_not_rounded_to_half_precision(half: torch.dtype) -> None:
    discriminator = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 3))
    inputs = discriminator, torch.rand(2, 3, 8, 8), -torch.rand(2, 3, 8, 8), torch.rand(2, 1, 1, 1)
    with torch.autocast("cpu", half):
        found = losses.gradient_penalty(*inputs)
    assert found.dtype == torch.float32
    assert torch.equal(found, losses.gradient_penalty(*inputs))


def test_structure_is_zero_for_the_same_and_sees_lost_detail() -> None:
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    assert losses.structure(x, x).item() == pytest.approx(0, abs=1e-5)
    assert losses.structure(x, nn.functional.avg_pool2d(x, 5, 1, 2)).item() > 0.3


def test_total_variation_by_hand() -> None:
    ramp = torch.arange(4.0).expand(1, 3, 4, 4)  # one step a column, none a row
    assert losses.total_variation(ramp).item() == 1


def test_noise_consistency_is_what_a_generator_makes_of_noise() -> None:
    x, noise = torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.1)
    found = losses.noise_consistency(lambda p: 3 * p, x, 3 * x, noise).item()
    assert found == pytest.approx(0.3)


def test_cycle_and_identity_are_mean_absolute_differences() -> None:
    x, y = torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.25)
    assert losses.cycle(x, y).item() == losses.identity(x, y).item() == 0.25


def test_low_frequency_colour_sees_tint_but_not_texture() -> None:
    x = torch.zeros(1, 3, 32, 32)
    checks = torch.ones(32, 32)
    checks[::2, ::2] = checks[1::2, 1::2] = -1
    assert losses.low_frequency_colour(x, x + checks).item() == pytest.approx(0, abs=1e-6)
    assert losses.low_frequency_colour(x, x + 0.5).item() == pytest.approx(0.5)


def test_shift_consistency_is_zero_for_a_pointwise_generator() -> None:
    x = torch.rand(1, 3, 64, 64)
    assert losses.shift_differences(torch.tanh, x, torch.tanh(x), 3, 5).max() < 1e-6


def test_shift_consistency_sees_what_padding_paints() -> None:
    blur = nn.AvgPool2d(9, stride=1, padding=4)  # dark borders
    x = torch.ones(1, 3, 64, 64)
    assert losses.shift_differences(blur, x, blur(x), 3, 5).mean() > 0.01


def test_shift_consistency_finds_a_lattice() -> None:
    lattice = torch.zeros(64, 64)
    lattice[::8] = 1

    def generator(x: Tensor) -> Tensor:
        return x + lattice

    x = torch.rand(1, 3, 64, 64)
    assert losses.shift_differences(generator, x, generator(x), 3, 0).mean() > 0.1


def test_flatness_tells_sky_from_foliage() -> None:
    picture = torch.full((1, 3, 64, 64), 0.4)
    picture[..., 32:] = torch.rand(1, 3, 64, 32)
    flat = losses.flatness(picture)
    assert flat.shape == (1, 1, 64, 64)
    assert flat[..., :20].min() > 0.95
    assert flat[..., 44:].max() < 0.1


def test_added_detail_is_dabs_in_skies_and_nothing_else() -> None:
    picture = torch.full((1, 3, 96, 96), 0.4)
    picture[..., 48:] = torch.rand(1, 3, 96, 48)

    def cost(change: Tensor) -> float:
        return float(losses.added_detail(picture, picture + change).mean())

    tint, sky, foliage = (torch.zeros_like(picture) for _ in range(3))
    tint[:, 0, :, :48] = 0.4
    sky[:, 0, 40:48, 16:24] = 0.4
    foliage[:, 0, 40:48, 72:80] = 0.4
    assert cost(tint) / (96 * 48) < 0.1 * cost(sky) / (8 * 8)  # a pixel
    assert cost(foliage) < 0.02 * cost(sky)
    assert cost(sky) > 9 * cost(sky / 4)  # a bright dab costs more than four faint strokes
    assert cost(sky) < 400 * cost(sky / 40)  # and those are not for nothing


def test_gram_is_the_covariance_of_channels() -> None:
    features = torch.randn(2, 5, 16, 16) + 3
    expected = torch.stack([torch.cov(f.flatten(1), correction=0) for f in features])
    torch.testing.assert_close(losses.gram(features), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_gram_and_its_gradient_are_those_of_centred_features(
    half: torch.dtype, layout: torch.memory_format
) -> None:
    features = (60 * torch.randn(2, 5, 24, 16) + 40).relu()  # as VGG's: skewed, far from zero
    features = features.to(memory_format=layout).requires_grad_()
    centred = features.flatten(2) - features.flatten(2).mean(-1, keepdim=True)
    expected = centred @ centred.transpose(1, 2) / (24 * 16)
    pull = torch.randn(2, 5, 5)  # not symmetric
    (slope,) = torch.autograd.grad((pull * expected).sum(), features)
    found = losses.gram(features)
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=1e-5)
    (found_slope,) = torch.autograd.grad((pull * found).sum(), features)
    torch.testing.assert_close(found_slope, slope, atol=1e-5, rtol=1e-5)
    with torch.autocast("cpu", half):  # the matrix is of float32 all the same
        rounded = features.detach().to(half).requires_grad_()
        found = losses.gram(rounded)
    assert found.dtype == torch.float32
    assert (found - expected).norm() < 5e-3 * expected.norm()
    (found_slope,) = torch.autograd.grad((pull * found).sum(), rounded)
    assert found_slope.dtype == half
    assert (found_slope - slope).norm() < 1e-2 * slope.norm()


def test_mean_gram_style_is_zero_at_its_target_and_pulls_towards_it() -> None:
    paintings = [torch.randn(4, 3, 8, 8)]
    style = losses.MeanGramStyle([3], momentum=0.5)
    style.set_target([paintings])
    assert style(paintings).item() == pytest.approx(0, abs=1e-6)
    scale = torch.tensor(2.0, requires_grad=True)
    style = losses.MeanGramStyle([3], momentum=0.5)
    style.set_target([paintings])
    style([scale * paintings[0]]).backward()
    assert scale.grad is not None
    assert scale.grad > 0  # too much contrast: less is better


def test_image_pool_returns_old_pictures_half_of_the_time() -> None:
    pool = ImagePool(capacity=10, seed=0)
    batches = [torch.full((2, 3, 2, 2), float(i)) for i in range(200)]
    returned = [pool.swap(batch) for batch in batches]
    assert all(torch.equal(r, b) for r, b in zip(returned[:5], batches[:5], strict=True))
    late = zip(returned[5:], batches[5:], strict=True)
    new = [bool(torch.equal(r[i], b[i])) for r, b in late for i in (0, 1)]
    assert 0.4 < sum(new) / len(new) < 0.6


def test_image_pool_of_nothing_passes_everything_through() -> None:
    pool, batch = ImagePool(0), torch.rand(3, 3, 2, 2)
    assert torch.equal(pool.swap(batch), batch)


def test_image_pool_goes_on_exactly_from_its_state() -> None:
    one, two = ImagePool(4, seed=1), ImagePool(4, seed=2)
    for i in range(10):
        one.swap(torch.full((1, 3, 2, 2), float(i)))
    two.load_state_dict(one.state_dict())
    for i in range(20):
        batch = torch.full((1, 3, 2, 2), 100.0 + i)
        assert torch.equal(one.swap(batch), two.swap(batch))

"""The head paints what a plan says, and passes gradients to all of it."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from pleinair.canvas.hand import HANDS, MONET
from pleinair.canvas.layout import lay_canvas
from pleinair.networks.plan_by_hand import MANNERS, make_plan
from pleinair.networks.stroke_head import KINDS, CanvasTensors, StrokeHead
from pleinair.networks.strokes import PlanNetwork, StrokeGenerator
from torch import Tensor

SIZE = (64, 96)


def canvas(step: int = 2, seed: int = 0) -> CanvasTensors:
    return CanvasTensors.of(lay_canvas(MONET, *SIZE, step, 0.5, seed))


def flat_plan(colour: float = 0.5, need: float = 1.5, angle: float = 0.0) -> Tensor:
    """A plan that is the same everywhere: grey marks that do not differ."""
    kinds = torch.zeros(KINDS, 3)
    kinds[:3], kinds[5] = colour, need
    kinds[6], kinds[7] = np.cos(2 * np.radians(angle)), np.sin(2 * np.radians(angle))
    return kinds.flatten().view(1, -1, 1, 1).expand(-1, -1, SIZE[0] // 4, SIZE[1] // 4).clone()


def set_kind(plan: Tensor, kind: int, value: float) -> Tensor:
    plan[:, 3 * kind : 3 * kind + 3] = value
    return plan


@pytest.mark.parametrize("step", [1, 2])
def test_marks_of_one_colour_paint_that_colour(step: int) -> None:
    head = StrokeHead(MONET)
    head.body = 0.0  # without relief
    painted = head(flat_plan(77 / 255), canvas(step))  # marks have bytes for colours
    assert painted.shape == (1, 3, *SIZE)
    assert torch.allclose(painted, torch.tensor(77 / 255), atol=1e-5)


@pytest.mark.parametrize("angle", [0, 45, 90, 135])
def test_marks_lie_as_the_plan_says(angle: int) -> None:
    plan = set_kind(flat_plan(angle=angle), 3, 3.0)
    painted = StrokeHead(MONET)(plan, canvas())[0].mean(0).numpy()
    gy, gx = np.gradient(cv2.GaussianBlur(painted, (0, 0), 1.5))
    along = 0.5 * np.arctan2(-2 * (gx * gy).sum(), (gy * gy - gx * gx).sum())
    apart = abs(np.degrees(along) - angle) % 180
    assert min(apart, 180 - apart) < 12


@pytest.mark.parametrize("step", [1, 2])
def test_marks_do_not_spill_over_contours(step: int) -> None:
    plan = flat_plan(0.2)
    plan[:, :9, :, 12:] = 0.8  # the right half
    plan[:, 16:18] = -1.0  # broad marks alone
    wrong = []
    for hand in (MONET, MONET.model_copy(update={"spill": None})):
        head = StrokeHead(hand)
        head.body = 0.0
        painted = head(plan, canvas(step))[0].mean(0)
        apart = (painted - torch.tensor([0.2] * 48 + [0.8] * 48)).abs()
        apart[:, 42:54] = 0  # the contour itself is soft
        wrong.append((apart > 0.1).float().mean().item())
    assert wrong[0] < 0.001
    assert wrong[1] > 0.03


def test_what_is_not_needed_does_not_show() -> None:
    plan = flat_plan()
    plan[:, 1], plan[:, 2] = 1.0, 1.0  # red of the middle and fine layers
    red = StrokeHead(MONET)(plan, canvas())[:, 0]
    plan[:, 16:18] = -1.0  # their needs
    assert (StrokeHead(MONET)(plan, canvas())[:, 0] < 0.6).all()
    assert (red > 0.9).float().mean() > 0.5


def test_more_need_shows_more_marks_and_hides_none() -> None:
    shares = []
    for need in (0.0, 0.3, 0.6, 1.0):
        plan = flat_plan()
        plan[:, 1], plan[:, 16], plan[:, 17] = 1.0, need, -1.0
        shares.append(StrokeHead(MONET)(plan, canvas())[0, 0])
    more = [(b >= a - 0.02).float().mean().item() for a, b in pairwise(shares)]
    assert min(more) > 0.99
    assert shares[0].mean() < shares[1].mean() < shares[2].mean() < shares[3].mean()


def test_gradients_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    # They pass through the rounding of colours, which no difference of paintings sees. At contours
    # no mark learns a colour from where it ends, so this plan has none.
    monkeypatch.setattr("pleinair.networks.stroke_head._as_bytes", lambda colour: colour)
    torch.manual_seed(0)
    head, laid = StrokeHead(MONET), canvas()
    plan = (flat_plan(need=0.5, angle=20) + 0.02 * torch.randn(1, 24, 16, 24)).double()
    laid = laid._replace(
        **{name: getattr(laid, name).double() for name in ("marks", "texels", "rest")}
    )
    head.body = 0.0  # how it is lit is no loss's business
    weight = torch.randn(1, 3, *SIZE, dtype=torch.float64)
    plan.requires_grad_()
    (head(plan, laid) * weight).sum().backward()
    direction = torch.randn_like(plan) * 1e-7
    with torch.no_grad():
        both = [(head(plan + sign * direction, laid) * weight).sum() for sign in (1, -1)]
    assert ((both[0] - both[1]) / 2).item() == pytest.approx(
        (plan.grad * direction).sum().item(), rel=1e-3
    )


def test_the_same_picture_has_the_same_bits() -> None:
    torch.manual_seed(1)
    generator = StrokeGenerator().eval()
    x = torch.rand(1, 3, *SIZE) * 2 - 1
    with torch.no_grad():
        assert torch.equal(generator(x), generator(x))
        first = generator.train()(x)
        others = [generator(x) for _ in range(6)]
    assert any(not torch.equal(first, other) for other in others)  # training draws layouts


def test_a_new_network_knows_slopes_to_eight_sides() -> None:
    network = PlanNetwork()
    slanting = torch.tensor(np.tri(64, dtype=np.float32)).expand(1, 3, -1, -1) * 2 - 1
    with torch.no_grad():
        seen = [
            torch.relu(network.near(torch.relu(network.stem(network.unshuffle(x)))))[0, :8]
            for x in (slanting, slanting.flip(-1))
        ]
    means = torch.stack([s[:, 3:-3, 3:-3].mean((1, 2)) for s in seen])
    assert (means[0] - means[1]).abs().max() > 0.2


@pytest.mark.parametrize("name", HANDS)
def test_every_hand_has_a_manner_and_paints(name: str) -> None:
    assert name in MANNERS
    hand = HANDS[name]
    x = torch.rand(1, 3, *SIZE)
    plan = make_plan(x, hand)
    assert plan.shape == (1, KINDS * len(hand.layers), 16, 24)
    laid = CanvasTensors.of(lay_canvas(hand, *SIZE, 2, 0.5))
    painted = StrokeHead(hand)(plan, laid)
    assert torch.isfinite(painted).all()
    assert painted.std() > 0.02


def test_a_plan_by_hand_follows_edges_and_rests_where_it_is_calm() -> None:
    x = torch.zeros(1, 3, 128, 128)
    x[..., 64:] = 1.0  # an upright edge
    plan = make_plan(x, MONET).view(KINDS, 3, 32, 32)
    cosine, sine = plan[6:, 2, 16, 15]
    assert cosine < -0.8  # of the doubled angle: upright
    assert abs(sine) < 0.1
    assert plan[6:, :, 16, 3].abs().max() < 0.1  # far from it there is no direction
    assert plan[5, 1, 16, 15] > plan[5, 1, 16, 3]  # middle marks at the edge only
    assert plan[5, 2].max() < 0  # fine ones would look like beads there
    x[..., 60:68, 96:104] = 0.0
    fine = make_plan(x, MONET).view(KINDS, 3, 32, 32)[5, 2]
    assert fine[15:17, 24:26].min() > 0.5  # they are for small things
    assert fine[:, :20].max() < 0

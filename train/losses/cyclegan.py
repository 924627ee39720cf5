"""The losses of a CycleGAN (Zhu et al. 2017): one module for generators, one for discriminators.

Each has a single forward and backward pass, as distributed data parallel training requires.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ...canvas.winners import KINDS
from ...networks.plan_by_hand import make_plan
from ...networks.strokes import StrokeGenerator
from ..discriminators import FeatureDiscriminator, create_discriminator
from ..features import VGG16, channels_of
from ..importance import LAYER, importance
from ..recipe import LossSection, Recipe
from . import terms as losses
from .distil import distil_terms
from .heads import plan_heads
from .terms import OBJECTIVES, MeanGramStyle

Weights = Mapping[str, float]
Terms = dict[str, Tensor]

KEPT = 32 * 2**20  # bytes; glibc maps larger blocks anew each time, page by page


class Draw(NamedTuple):
    """The random choices of one step."""

    dy: int  # shift down in pixels
    dx: int  # shift to the right
    noise: Tensor | None  # (B, 3, H, W), if its loss is on


class Made(NamedTuple):
    """The generators' detached results in one step, and their weighted losses."""

    terms: Terms
    fake_target: Tensor | None  # None while only plans are learned
    fake_source: Tensor | None  # none if no loss needs it
    features: list[Tensor]  # of fake_target, for the discriminators on features


class GeneratorLosses(nn.Module):
    """The generators and their weighted losses.

    Args:
        recipe: Which losses.
        generator: Source -> target.
        reverse: Target -> source, if that is trained.
        discriminators: The discriminators, which are not trained here.
        vgg: Feature network, if a loss needs one.
        style: The mean Gram loss, if it is on.
    """

    def __init__(
        self,
        recipe: Recipe,
        generator: nn.Module,
        reverse: nn.Module | None,
        discriminators: nn.ModuleDict,
        vgg: VGG16 | None = None,
        style: MeanGramStyle | None = None,
    ) -> None:
        super().__init__()
        self.generator, self.reverse = generator, reverse
        self.recipe, self.loss = recipe, recipe.loss
        self.objective = OBJECTIVES[recipe.loss.objective]
        # In a tuple, so that they are no submodules: this optimizer trains all submodules.
        self.others = (discriminators, vgg, style)

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        teacher_output: Tensor | None,
        draw: Draw,
        weight: Weights,
    ) -> Made:
        """Translates a batch and computes the weighted losses.

        Args:
            source: (B, 3, H, W) in [-1, 1].
            target: The same, of the other domain.
            teacher_output: A teacher's painting of ``source``, if there is a teacher; for
                ``plan_heads`` the kept network's plan.
            draw: The random choices of this step.
            weight: The current weight of each loss.
        """
        discriminators, vgg, _ = self.others
        terms: Terms = {}
        if self.loss.plan_heads:
            assert teacher_output is not None and isinstance(self.generator, StrokeGenerator)
            apart = plan_heads(self.generator.network(source), teacher_output, target)
            return Made({"plan_heads": weight["plan_heads"] * apart}, None, None, [])
        same_target = kept = None
        if self.loss.by_hand:
            plan = self._plan(terms, weight, source)
            if not any(value for name, value in weight.items() if name not in LossSection.BY_HAND):
                return Made(terms, None, None, [])
            fake_target, kept = self._paint(plan)
            if self.loss.identity:
                assert isinstance(self.generator, StrokeGenerator)
                same_target, _ = self._paint(self.generator.network(target))
        elif self.loss.identity:
            fake_target, same_target = forward_batched(self.generator, source, target)
        else:
            fake_target = self.generator(source)
        fake_target = fake_target.float()  # losses are computed in float32
        if "target" in discriminators:
            scores = discriminators["target"](fake_target)
            terms["g_target"] = weight["adversarial"] * self.objective.generator(scores)
        if self.loss.paired:
            terms["paired"] = weight["paired"] * losses.paired(target, fake_target)
        fake_source = None
        if self.reverse is not None:
            fake_source = self._add_way_back(
                terms, weight, source, target, fake_target, same_target
            )
        kept = fake_target if kept is None else kept
        self._add_regularisers(terms, weight, source, kept, draw)
        features = self._add_feature_losses(terms, weight, source, kept)
        if teacher_output is not None:
            terms |= distil_terms(self.recipe.distil, fake_target, teacher_output, vgg, self.loss)
        detached = fake_source.detach() if fake_source is not None else None
        return Made(terms, fake_target.detach(), detached, [f.detach() for f in features])

    def _plan(self, terms: Terms, weight: Weights, source: Tensor) -> Tensor:
        """Computes a plan, and adds its losses against the handmade one."""
        assert isinstance(self.generator, StrokeGenerator)
        plan: Tensor = self.generator.network(source)
        with torch.no_grad(), losses.full_precision(source):
            matters = self._importance(source)
            by_hand = make_plan((source.float() + 1) / 2, self.generator.hand, matters)
        for name in LossSection.BY_HAND:
            if weight[name]:
                terms[name] = weight[name] * getattr(losses, name)(plan.float(), by_hand)
        return plan

    def _importance(self, source: Tensor) -> Tensor | None:
        """Returns how much each place matters, if plans made by hand heed it."""
        if not self.loss.plan_importance:
            return None
        vgg = self.others[1]
        assert vgg is not None
        return importance(vgg(source)[LAYER])

    def _paint(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Paints a plan twice: for adversarial and cycle losses, and for content losses.

        Adversarial and cycle losses train colours only; they would prefer many small marks of
        similar colours. Content losses train only where marks are needed; they would prefer a
        photograph's colours, and marks along every line.
        """
        assert isinstance(self.generator, StrokeGenerator)
        layers = plan.shape[1] // KINDS
        colours, spread, needs, directions = plan.split([n * layers for n in (3, 2, 1, 2)], 1)
        still = torch.cat([spread, needs, directions], 1).detach()
        painted = self.generator.paint(torch.cat([colours, still], 1))
        if not self.loss.content:
            return painted, painted
        given = torch.cat([colours, spread], 1).detach()
        kept = self.generator.paint(torch.cat([given, needs, directions.detach()], 1))
        return painted, kept.float()

    def _add_way_back(
        self,
        terms: Terms,
        weight: Weights,
        source: Tensor,
        target: Tensor,
        fake_target: Tensor,
        same_target: Tensor | None,
    ) -> Tensor | None:
        """Adds the losses that need the reverse generator; returns its fakes if one needs them."""
        painted = self._paint_back(source, target, fake_target)
        if same_target is not None:
            same = losses.identity(self._reduced(target), self._reduced(same_target))
            same = same + losses.identity(self._reduced(source), painted["same"])
            terms["identity"] = weight["identity"] * same
        if "cycled" in painted:
            terms["cycle_source"] = weight["cycle"] * losses.cycle(
                self._reduced(source), painted["cycled"]
            )
        if "fake" in painted:
            self._add_losses_of_fakes(terms, weight, source, target, painted["fake"])
        return painted.get("fake")

    def _reduced(self, pictures: Tensor) -> Tensor:
        """Scales pictures to the size of the reverse direction."""
        return reduce(pictures, self.loss.reduced)

    def _paint_back(self, source: Tensor, target: Tensor, fake_target: Tensor) -> dict[str, Tensor]:
        """Returns the reverse generator's paintings of those pictures that a loss needs."""
        assert self.reverse is not None
        loss, pictures = self.loss, dict[str, Tensor]()
        if loss.cycle:
            pictures["cycled"] = self._reduced(fake_target)
        if "source" in self.others[0] or loss.back_weight or loss.paired or loss.colour:
            pictures["fake"] = self._reduced(target)
        if loss.identity:
            pictures["same"] = self._reduced(source)
        return dict(zip(pictures, forward_batched(self.reverse, *pictures.values()), strict=True))

    def _add_losses_of_fakes(
        self, terms: Terms, weight: Weights, source: Tensor, target: Tensor, fake_source: Tensor
    ) -> None:
        """Adds the losses of the reverse generator's painting of the target."""
        discriminators = self.others[0]
        if "source" in discriminators:
            scores = discriminators["source"](fake_source)
            terms["g_source"] = weight["adversarial"] * self.objective.generator(scores)
        if self.loss.back_weight:
            cycled_target = self.generator(fake_source)
            terms["cycle_target"] = weight["cycle_back"] * losses.cycle(target, cycled_target)
        if self.loss.paired:
            terms["paired_back"] = weight["paired"] * losses.paired(source, fake_source)
        if self.loss.colour:
            kept = losses.low_frequency_colour(target, fake_source)
            terms["colour_back"] = weight["colour"] * kept

    def _add_regularisers(
        self, terms: Terms, weight: Weights, source: Tensor, painted: Tensor, draw: Draw
    ) -> None:
        """Adds content losses, and consistency under shifts and noise."""
        if self.loss.colour:
            terms["colour"] = weight["colour"] * losses.low_frequency_colour(source, painted)
        if self.loss.ssim:
            terms["ssim"] = weight["ssim"] * losses.structure(source, painted)
        if self.loss.massing:
            terms["massing"] = weight["massing"] * losses.massing(source, painted)
        if self.loss.variation:
            terms["variation"] = weight["variation"] * losses.total_variation(painted)
        if self.loss.shift or self.loss.flat:
            apart = losses.shift_differences(self.generator, source, painted, draw.dy, draw.dx)
            if self.loss.shift:
                terms["shift"] = weight["shift"] * apart.mean()
            if self.loss.flat:
                flat = losses.flatness(source)[..., draw.dy :, draw.dx :]
                terms["flat"] = weight["flat"] * (flat * apart).mean()
        if self.loss.calm:
            terms["calm"] = weight["calm"] * losses.added_detail(source, painted).mean()
        if draw.noise is not None:
            noisy = losses.noise_consistency(self.generator, source, painted, draw.noise)
            terms["noise"] = weight["noise"] * noisy

    def _add_feature_losses(
        self, terms: Terms, weight: Weights, source: Tensor, painted: Tensor
    ) -> list[Tensor]:
        """Adds the losses on VGG features; returns the painting's texture features."""
        discriminators, vgg, style = self.others
        if vgg is None or not self.loss.on_features:
            return []
        seen = vgg(painted)
        texture = [seen[name] for name in self.loss.texture_layers if name in seen]
        if "features" in discriminators:
            scores = map(self.objective.generator, discriminators["features"](texture))
            terms["g_features"] = weight["projected"] * mean(scores)
        if style is not None:
            terms["style"] = weight["style"] * style(texture)
        if self.loss.content:
            with torch.no_grad():
                original = vgg(source)[self.loss.content_layer]
            kept = losses.content(original, seen[self.loss.content_layer])
            terms["content"] = weight["content"] * kept
        return texture


class DiscriminatorLosses(nn.Module):
    """The discriminators and their weighted losses."""

    def __init__(self, recipe: Recipe, discriminators: nn.ModuleDict) -> None:
        super().__init__()
        self.discriminators, self.loss = discriminators, recipe.loss
        self.objective = OBJECTIVES[recipe.loss.objective]

    def forward(
        self,
        real: Mapping[str, Tensor],
        fake: Mapping[str, Tensor],
        real_features: Sequence[Tensor],
        fake_features: Sequence[Tensor],
        mix: Tensor | None,
    ) -> Terms:
        """Scores real and painted pictures.

        Args:
            real: Pictures (B, 3, H, W) by domain, ``source`` and ``target``.
            fake: Painted ones, detached, from the pools.
            real_features: VGG's of the real target pictures, for the discriminators on features.
            fake_features: Of the painted ones.
            mix: (B, 1, 1, 1), for the gradient penalty.
        """
        terms: Terms = {}
        real = {**real, "source": reduce(real["source"], self.loss.reduced)}
        for domain in ("target", "source"):
            if domain in self.discriminators:
                discriminator = self.discriminators[domain]
                scores = forward_batched(discriminator, real[domain], fake[domain])
                terms[f"d_{domain}"] = self.objective.discriminator(*scores)
                if mix is not None:
                    penalty = losses.gradient_penalty(
                        discriminator, real[domain], fake[domain], mix
                    )
                    terms[f"penalty_{domain}"] = self.loss.gradient_penalty * penalty
        if "features" in self.discriminators:
            heads = self.discriminators["features"]
            scores = heads(real_features), heads(fake_features)
            terms["d_features"] = mean(map(self.objective.discriminator, *scores))
        return terms


def make_discriminators(recipe: Recipe) -> nn.ModuleDict:
    """Creates the discriminators that a recipe's weights ask for."""
    model, loss = recipe.model, recipe.loss
    discriminators = nn.ModuleDict()
    if loss.adversarial:
        for domain in ("target", "source") if loss.two_sided else ("target",):
            discriminators[domain] = create_discriminator(
                model.discriminator, model.ndf, model.layers
            )
    if loss.projected:
        channels = [channels_of(name) for name in loss.texture_layers]
        halvings = [max(1, 3 - int(name[4])) for name in loss.texture_layers]
        discriminators["features"] = FeatureDiscriminator(channels, halvings)
    return discriminators


def forward_batched(network: nn.Module, *batches: Tensor) -> Sequence[Tensor]:
    """Passes several batches through a network at once, so that its weights are read once.

    They go one by one with batch normalisation, which would mix them, and on a CPU where results
    are so large that allocating them costs more.
    """
    normed = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    on_cpu = batches[0].device.type == "cpu"
    if normed or (on_cpu and _first_result(network, batches) > KEPT):
        return [network(batch) for batch in batches]
    return torch.split(network(torch.cat(batches)), [len(batch) for batch in batches])


def _first_result(network: nn.Module, batches: Sequence[Tensor]) -> int:
    """Returns the bytes of the first convolution's result, usually the largest."""
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    pixels = sum(batch[:, 0].numel() for batch in batches)
    values = pixels // math.prod(first.stride) * first.out_channels
    return values * (2 if torch.is_autocast_enabled("cpu") else 4)


def reduce(pictures: Tensor, factor: int) -> Tensor:
    """Averages blocks of ``factor`` x ``factor`` pixels."""
    return avg_pool2d(pictures, factor) if factor > 1 else pictures


def mean(terms: Iterable[Tensor]) -> Tensor:
    """Mean of scalars."""
    return torch.stack(list(terms)).mean()

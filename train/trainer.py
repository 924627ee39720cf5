"""The CycleGAN training loop (Zhu et al. 2017): two generators, two discriminators, one file.

    pleinair train recipes/monet.toml --data DATA --out runs/monet

A run's folder holds ``recipe.json``, ``stats.jsonl``, ``samples/``, ``checkpoint.pt`` (everything
that is needed to go on) and ``generator.pt`` (the averaged generator, which is what gets exported).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchvision.utils import save_image

from .. import __version__
from ..errors import TrainingError
from . import losses
from .checkpoint import GENERATOR, LAST, load_state, save_atomically
from .data import UnpairedPictures, find_pictures, load_picture, make_loader, to_range
from .discriminators import FeatureDiscriminator, PatchDiscriminator
from .features import CHANNELS, VGG16
from .generators import create_generator
from .image_pool import ImagePool
from .losses import MeanGramStyle
from .recipe import Recipe

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class _Made:
    """What the generators made in one step, and their weighted losses."""

    terms: dict[str, Tensor]
    fake_target: Tensor
    fake_source: Tensor | None  # none if the way back is not trained
    features: list[Tensor]  # of fake_target, for the discriminators on features


class Trainer:
    """All that a run consists of; ``state_dict`` and ``load_state_dict`` hold the whole of it."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        model, optim = recipe.model, recipe.optim
        self.forward = self._network(create_generator(model.generator))  # source -> target
        self.backward = self._network(create_generator(model.reverse))  # target -> source
        self.judge_target = self._network(PatchDiscriminator(model.ndf))
        self.judge_source = self._network(PatchDiscriminator(model.ndf))
        self.judges = nn.ModuleDict({"target": self.judge_target, "source": self.judge_source})
        self.vgg = self._vgg()
        channels = [CHANNELS[name] for name in recipe.loss.texture_layers]
        if recipe.loss.projected:
            halvings = [max(1, 3 - int(name[4])) for name in recipe.loss.texture_layers]
            heads = FeatureDiscriminator(channels, halvings)
            self.judges["features"] = self._network(heads)
        self.style = MeanGramStyle(channels).to(self.device) if recipe.loss.style else None
        self.average = AveragedModel(self.forward, multi_avg_fn=get_ema_multi_avg_fn(optim.ema))
        self.optim_g = self._adam(nn.ModuleList([self.forward, self.backward]), optim.lr)
        self.optim_d = self._adam(self.judges, optim.lr_discriminator or optim.lr)
        self.schedulers = [
            torch.optim.lr_scheduler.LambdaLR(o, self._lr_factor)
            for o in (self.optim_g, self.optim_d)
        ]
        self.pool_target = ImagePool(optim.pool, recipe.seed)
        self.pool_source = ImagePool(optim.pool, recipe.seed + 1)
        self.rng = torch.Generator().manual_seed(recipe.seed)  # shifts

    def _network(self, module: nn.Module) -> nn.Module:
        return module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def _adam(self, module: nn.Module, lr: float) -> torch.optim.Adam:
        optim = self.recipe.optim
        fused = self.device.type in ("cpu", "cuda")
        return torch.optim.Adam(module.parameters(), lr=lr, betas=(optim.beta1, 0.999), fused=fused)

    def _lr_factor(self, step: int) -> float:
        """1 up to ``decay_from``, then linearly to 0 (not quite: the last step still learns)."""
        total, start = (
            self.recipe.optim.steps,
            self.recipe.optim.decay_from * self.recipe.optim.steps,
        )
        return 1.0 if step < start else (total - step + 1) / (total - start + 1)

    def _vgg(self) -> VGG16 | None:
        loss = self.recipe.loss
        if loss.vgg is None or not loss.needs_vgg:
            return None
        layers = set(loss.texture_layers if loss.projected or loss.style else ())
        layers |= {loss.content_layer} if loss.content else set()
        return VGG16(loss.vgg, sorted(layers)).to(self.device)

    # ---- one step -------------------------------------------------------------------------------

    def train_step(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """Updates generators, then discriminators, on one batch each of (B, 3, H, W) in [-1, 1].

        Generators treat each picture by itself, so all that one of them has to translate at a time
        goes through it as one batch: three passes instead of six.

        Returns:
            Each loss, weighted as it was added.
        """
        source = source.to(self.device, memory_format=torch.channels_last)
        target = target.to(self.device, memory_format=torch.channels_last)
        self.judges.requires_grad_(False)
        made = self._generator_losses(source, target)
        self.optim_g.zero_grad(set_to_none=True)
        torch.stack(list(made.terms.values())).sum().backward()
        self.optim_g.step()
        self.average.update_parameters(self.forward)

        self.judges.requires_grad_(True)
        judged = self._judge_losses(source, target, made)
        self.optim_d.zero_grad(set_to_none=True)
        if judged:
            torch.stack(list(judged.values())).sum().backward()
        self.optim_d.step()
        for scheduler in self.schedulers:
            scheduler.step()
        self.step += 1
        terms = made.terms | judged
        values = torch.stack([term.detach() for term in terms.values()]).tolist()
        return dict(zip(terms, values, strict=True))

    def _generator_losses(self, source: Tensor, target: Tensor) -> _Made:
        weight, n = self.recipe.loss, len(source)
        there = self.forward(torch.cat([source, target]) if weight.identity else source)
        fake_target, fake_source = there[:n], None
        terms: dict[str, Tensor] = {}
        if weight.adversarial:
            judged = self.judge_target(fake_target)
            terms["g_target"] = weight.adversarial * losses.lsgan_generator(judged)
        if weight.two_sided:
            fake_source = self._add_way_back(terms, source, target, there)
        if weight.colour:
            terms["colour"] = weight.colour * losses.low_frequency_colour(source, fake_target)
        if weight.shift:
            dy, dx = torch.randint(0, 8, (2,), generator=self.rng).tolist()
            terms["shift"] = weight.shift * losses.shift_consistency(
                self.forward, source, fake_target, dy, dx
            )
        features = self._add_feature_losses(terms, source, fake_target)
        return _Made(terms, fake_target.detach(), fake_source, features)

    def _add_way_back(
        self, terms: dict[str, Tensor], source: Tensor, target: Tensor, there: Tensor
    ) -> Tensor:
        """Adds the losses that need the backward generator; returns its fakes, detached."""
        weight, n = self.recipe.loss, len(source)
        back = self.backward(
            torch.cat([there[:n], target, source] if weight.identity else [there[:n], target])
        )
        fake_source: Tensor = back[n : 2 * n]
        if weight.adversarial:
            judged = self.judge_source(fake_source)
            terms["g_source"] = weight.adversarial * losses.lsgan_generator(judged)
        if weight.cycle:
            terms["cycle_source"] = weight.cycle * losses.cycle(source, back[:n])
            terms["cycle_target"] = weight.cycle * losses.cycle(target, self.forward(fake_source))
        if weight.identity:
            terms["identity"] = weight.identity * (
                losses.identity(target, there[n:]) + losses.identity(source, back[2 * n :])
            )
        if weight.colour:
            terms["colour_back"] = weight.colour * losses.low_frequency_colour(target, fake_source)
        return fake_source.detach()

    def _add_feature_losses(
        self, terms: dict[str, Tensor], source: Tensor, painted: Tensor
    ) -> list[Tensor]:
        """Adds the losses on VGG features; returns the painting's texture features, detached."""
        weight = self.recipe.loss
        if self.vgg is None:
            return []
        seen = self.vgg.named(painted)
        texture = [seen[name] for name in weight.texture_layers if name in seen]
        if "features" in self.judges:
            scores = self.judges["features"](texture)
            terms["g_features"] = weight.projected * _mean(map(losses.lsgan_generator, scores))
        if self.style is not None:
            terms["style"] = weight.style * self.style(texture)
        if weight.content:
            with torch.no_grad():
                original = self.vgg.named(source)[weight.content_layer]
            terms["content"] = weight.content * losses.content(original, seen[weight.content_layer])
        return [feature.detach() for feature in texture]

    def _judge_losses(self, source: Tensor, target: Tensor, made: _Made) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = {}
        if self.recipe.loss.adversarial:
            real, fake = target, made.fake_target
            terms["d_target"] = self._judge(self.judge_target, real, fake, self.pool_target)
        if self.recipe.loss.adversarial and made.fake_source is not None:
            real, fake = source, made.fake_source
            terms["d_source"] = self._judge(self.judge_source, real, fake, self.pool_source)
        if "features" in self.judges:
            heads = self.judges["features"]
            scores = heads(self._texture(target)), heads(made.features)
            terms["d_features"] = _mean(map(losses.lsgan_discriminator, *scores))
        return terms

    def _judge(self, judge: nn.Module, real: Tensor, fake: Tensor, pool: ImagePool) -> Tensor:
        scores = judge(torch.cat([real, pool.swap(fake)]))
        return losses.lsgan_discriminator(scores[: len(real)], scores[len(real) :])

    @torch.no_grad()
    def _texture(self, pictures: Tensor) -> list[Tensor]:
        assert self.vgg is not None
        seen = self.vgg.named(pictures)
        return [seen[name] for name in self.recipe.loss.texture_layers]

    # ---- the run --------------------------------------------------------------------------------

    def measure_target(self, pictures: int = 384) -> None:
        """Measures the target domain, before the first step: feature scale, mean Gram matrices."""
        if self.vgg is None or not (self.style or "features" in self.judges):
            return
        crops = UnpairedPictures(self.recipe)
        crops.length = pictures

        def texture(first: int) -> list[Tensor]:
            batch = torch.stack([crops[k][1] for k in range(first, first + 8)])
            return self._texture(batch.to(self.device))

        if "features" in self.judges:
            self.judges["features"].set_scale(texture(0))  # type: ignore[operator]
        if self.style is not None:
            self.style.set_target([texture(first) for first in range(0, pictures, 8)])

    def state_dict(self) -> dict[str, Any]:
        """Returns everything that the next step depends on."""
        return {
            "format": "pleinair-checkpoint-1",
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "networks": {name: net.state_dict() for name, net in self._networks().items()},
            "optimizers": [o.state_dict() for o in (self.optim_g, self.optim_d)],
            "schedulers": [s.state_dict() for s in self.schedulers],
            "pools": [self.pool_target.state_dict(), self.pool_source.state_dict()],
            "rng": {"shifts": self.rng.get_state(), "torch": torch.get_rng_state()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what ``state_dict`` returned."""
        for name, net in self._networks().items():
            net.load_state_dict(state["networks"][name])
        for optimizer, saved in zip((self.optim_g, self.optim_d), state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for scheduler, saved in zip(self.schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)
        self.pool_target.load_state_dict(state["pools"][0])
        self.pool_source.load_state_dict(state["pools"][1])
        self.rng.set_state(state["rng"]["shifts"])
        torch.set_rng_state(state["rng"]["torch"])
        self.step = state["step"]

    def _networks(self) -> dict[str, nn.Module]:
        networks = {
            "forward": self.forward,
            "backward": self.backward,
            "judges": self.judges,
            "average": self.average,
        }
        if self.style is not None:
            networks["style"] = self.style
        return networks

    def generator_state(self) -> dict[str, Any]:
        """Returns the averaged generator with all that a bundle's manifest says of its training."""
        return {
            "format": "pleinair-generator-1",
            "pleinair_version": __version__,
            "architecture": self.recipe.model.generator,
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "state": {k: v.detach().cpu() for k, v in self.average.module.state_dict().items()},
        }


def train(recipe: Recipe, out: Path, device: str = "auto", report: Report | None = None) -> Path:
    """Trains until the recipe's last step, going on from the run's checkpoint if there is one.

    Args:
        recipe: What to train.
        out: The run's folder, made if missing.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``...
        report: Called after every step with the number of steps done and their losses.

    Returns:
        The averaged generator's file.

    Raises:
        TrainingError: Bad data, a run of another recipe, or losses that are no numbers.
    """
    place = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    find_pictures(recipe.data.root / recipe.data.source)  # fail before anything is built
    find_pictures(recipe.data.root / recipe.data.target)
    trainer = Trainer(recipe, torch.device(place))
    out.mkdir(parents=True, exist_ok=True)
    if (out / LAST).exists():
        state = load_state(out / LAST)
        _check_same_recipe(recipe, state, out / LAST)
        trainer.load_state_dict(state)
    else:
        trainer.measure_target()
        (out / "recipe.json").write_text(recipe.model_dump_json(indent=2) + "\n")
    with _Stats(out / "stats.jsonl", trainer.step) as stats:
        try:
            _run(trainer, out, stats, report)
        except KeyboardInterrupt:
            _save(trainer, out)
            raise
    return out / GENERATOR


def _run(trainer: Trainer, out: Path, stats: _Stats, report: Report | None) -> None:
    log, total = trainer.recipe.log, trainer.recipe.optim.steps
    for source, target in make_loader(trainer.recipe, trainer.step):
        values = trainer.train_step(source, target)
        if not all(math.isfinite(value) for value in values.values()):
            bad = ", ".join(name for name, value in values.items() if not math.isfinite(value))
            raise TrainingError(
                f"training diverged at step {trainer.step}: {bad} is not finite; the last good"
                f" checkpoint is kept in {out}; lower optim.lr or the weight of that loss"
            )
        done, last = trainer.step, trainer.step == total
        if done % log.stats_every == 0 or last:
            stats.write(done, values)
        if done % log.samples_every == 0 or last:
            save_samples(trainer, out / "samples" / f"step_{done:06d}.jpg")
        if done % log.checkpoint_every == 0 or last:
            _save(trainer, out)
        if report:
            report(done, values)


def _save(trainer: Trainer, out: Path) -> None:
    save_atomically(trainer.state_dict(), out / LAST)
    save_atomically(trainer.generator_state(), out / GENERATOR)


@torch.no_grad()
def save_samples(trainer: Trainer, path: Path, count: int = 8) -> None:
    """Writes a grid: pictures above, what the averaged generator makes of them below."""
    data = trainer.recipe.data
    pictures = find_pictures(data.root / (data.samples or data.source))
    chosen = pictures[:: max(1, len(pictures) // count)][:count]
    tops, bottoms = [], []
    for picture in chosen:
        x = to_range(load_picture(picture)).to(trainer.device)[None]
        stride = int(trainer.forward.stride)  # type: ignore[arg-type]
        x = x[..., : x.shape[-2] // stride * stride, : x.shape[-1] // stride * stride][
            ..., :256, :256
        ]
        tops.append(_onto_canvas(x[0]))
        bottoms.append(_onto_canvas(trainer.average(x)[0]))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(tops + bottoms, path, nrow=len(chosen), normalize=True, value_range=(-1, 1))


def _onto_canvas(picture: Tensor, side: int = 256) -> Tensor:
    height, width = picture.shape[-2:]
    return nn.functional.pad(picture, (0, side - width, 0, side - height), value=1.0)


def _check_same_recipe(recipe: Recipe, state: dict[str, Any], path: Path) -> None:
    """Refuses to go on with other settings; where the data lies and what is logged may change."""
    free = {("data", "root"), ("data", "workers"), ("loss", "vgg")}
    ours, theirs = recipe.model_dump(mode="json"), state.get("recipe", {})
    differ = [
        f"{section}.{key} (was {theirs.get(section, {}).get(key)!r}, now {value!r})"
        for section in ("data", "model", "loss", "optim")
        for key, value in ours[section].items()
        if (section, key) not in free and theirs.get(section, {}).get(key) != value
    ]
    if ours["seed"] != theirs.get("seed"):
        differ.append(f"seed (was {theirs.get('seed')}, now {ours['seed']})")
    if differ:
        raise TrainingError(
            f"{path} was trained with another recipe: {'; '.join(differ)}; take another --out"
        )


def _mean(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).mean()


class _Stats:
    """Appends one JSON line at a time; lines after the resumed step are dropped first."""

    def __init__(self, path: Path, step: int) -> None:
        kept = []
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line + "\n")
                except (json.JSONDecodeError, KeyError):
                    continue  # a line cut by a kill
        path.write_text("".join(kept))
        self.file = path.open("a")
        self.started = time.time()

    def write(self, step: int, values: dict[str, float]) -> None:
        seconds = round(time.time() - self.started, 2)
        rounded = {name: round(value, 5) for name, value in values.items()}
        self.file.write(json.dumps({"step": step, "seconds": seconds, **rounded}) + "\n")
        self.file.flush()

    def __enter__(self) -> _Stats:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

"""The state of a run and one step of it; ``run.py`` has the loop.

Lightning Fabric handles devices, processes and precision. There are up to three optimizers: for the
generators, the discriminators and a student.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.utils import convert_conv2d_weight_memory_format
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from .. import __version__
from ..errors import TrainingError
from ..networks.generators import EdgeGenerator, create_generator, options_of
from ..networks.load import FORMAT as GENERATOR_FORMAT
from ..networks.strokes import StrokeGenerator, planner
from ..networks.weights import halved
from .data.loader import Batch, TrainingPictures
from .discriminators import FeatureDiscriminator
from .fake_quant import FakeQuantized
from .features import VGG16, channels_of
from .image_pool import ImagePool
from .importance import LAYER
from .losses.cyclegan import DiscriminatorLosses, Draw, GeneratorLosses, Made, make_discriminators
from .losses.distil import StudentLosses, load_teacher
from .losses.terms import MeanGramStyle
from .optimizers import make_scheduler, match_layout
from .recipe import Recipe
from .steps import averaged, gather, mark_last

_M = TypeVar("_M", bound=nn.Module)

FORMAT = "pleinair-checkpoint-2"
SHIFT = 16  # pixels; exclusive limit of random shifts
NOISE = 4 / 255  # deviation in [-1, 1] of the noise loss: two grey levels, a camera's


class Trainer:
    """Networks, optimizers, history and random states; ``state_dict`` has all of them."""

    def __init__(self, recipe: Recipe, fabric: Fabric) -> None:
        self.recipe, self.fabric, self.step = recipe, fabric, 0
        self.best_kid = math.inf
        # Convolutions are faster with channels last, especially strided ones on CPUs.
        last = fabric.device.type in ("cpu", "cuda")
        self.layout = torch.channels_last if last else torch.contiguous_format
        torch.manual_seed(recipe.seed)  # the same networks in every process
        self._make_networks()
        self._make_frozen()
        self._make_averages()
        self._make_loss_modules()
        seed = recipe.seed + fabric.global_rank
        torch.manual_seed(seed)  # dropout differs between processes
        self.rng = torch.Generator().manual_seed(recipe.seed)  # the same in every process
        self.own_rng = torch.Generator().manual_seed(seed)
        pool = partial(ImagePool, recipe.optim.pool)
        self.pools = {"target": pool(seed), "source": pool(seed + 1)}

    def _make_networks(self) -> None:
        """Creates the trained networks; the state of all in ``networks`` is saved."""
        model, loss = self.recipe.model, self.recipe.loss
        options = options_of(model.generator, model.options)
        generator = create_generator(model.generator, **options)
        self.networks: dict[str, nn.Module] = {"generator": self._place(generator)}
        if loss.two_sided:
            name = model.reverse or model.generator
            reverse = create_generator(name, **options_of(name, model.options))
            self.networks["reverse"] = self._place(reverse)
        self.discriminators = make_discriminators(self.recipe)
        if len(self.discriminators):
            self.networks["discriminators"] = self._place(self.discriminators)
        if self.recipe.distil.student:
            student = create_generator(self.recipe.distil.student)
            self.networks["student"] = self._place(student)
        if self.recipe.compute.compile:
            for name, network in self.networks.items():
                # A gradient penalty needs second derivatives, which compiled graphs lack.
                if name != "discriminators":
                    network.compile(dynamic=False)
                elif loss.objective != "wgan-gp":
                    for discriminator in self.discriminators.values():
                        discriminator.compile(dynamic=False)

    def _make_frozen(self) -> None:
        """Creates the frozen modules: feature network, mean style, teacher."""
        loss, distil = self.recipe.loss, self.recipe.distil
        self.vgg, self.style, self.teacher = None, None, None
        channels = [channels_of(name) for name in loss.texture_layers]
        if loss.vgg and (loss.needs_vgg or distil.content or distil.style):
            texture = loss.projected or loss.style or distil.style
            layers = set(loss.texture_layers if texture else ())
            layers |= {loss.content_layer} if loss.content or distil.content else set()
            layers |= {LAYER} if loss.plan_importance else set()
            self.vgg = self._place(VGG16(loss.vgg, sorted(layers), loss.vgg_custom))
        if loss.style:
            self.style = MeanGramStyle(channels).to(self.fabric.device)
            self.networks["style"] = self.style
        if distil.teacher:
            self.teacher = load_teacher(distil.teacher, self.recipe.data.crop)
        elif loss.plan_heads:
            self.teacher = copy.deepcopy(planner(self.networks["generator"]))
            self.networks["kept"] = self.teacher
        if self.teacher is not None:
            self._place(self.teacher.eval().requires_grad_(False))

    def _make_averages(self) -> None:
        """Creates the moving averages of all generators, which are exported."""
        average = get_ema_multi_avg_fn(self.recipe.optim.ema)
        self.averages: dict[str, AveragedModel] = {
            name: AveragedModel(self.networks[name], multi_avg_fn=average).eval()  # no dropout
            for name in ("generator", "reverse", "student")
            if name in self.networks
        }

    def _make_loss_modules(self) -> None:
        """Combines networks and losses in one module for each optimizer."""
        optim, generator = self.recipe.optim, self.networks["generator"]
        if optim.quantize:
            generator = FakeQuantized(generator)
            self.networks["observer"] = generator.observer.to(self.fabric.device)
        loss_module = GeneratorLosses(
            self.recipe,
            generator,
            self.networks.get("reverse"),
            self.discriminators,
            self.vgg,
            self.style,
        )
        self.loss_modules: dict[str, Any] = {}  # as Fabric wraps them
        self.optimizers: dict[str, torch.optim.Adam] = {}
        self._setup("generators", loss_module, optim.lr)
        if len(self.discriminators):
            discriminator_losses = DiscriminatorLosses(self.recipe, self.discriminators)
            self._setup("discriminators", discriminator_losses, optim.lr_discriminator or optim.lr)
        if "student" in self.networks:
            student_losses = StudentLosses(self.recipe, self.networks["student"], self.vgg)
            self._setup("student", student_losses, optim.lr)
        self.schedulers = {
            name: make_scheduler(optimizer, optim) for name, optimizer in self.optimizers.items()
        }

    def _setup(self, name: str, loss_module: nn.Module, lr: float) -> None:
        betas = (self.recipe.optim.beta1, self.recipe.optim.beta2)
        fused = self.fabric.device.type in ("cpu", "cuda")
        optimizer = torch.optim.Adam(loss_module.parameters(), lr=lr, betas=betas, fused=fused)
        self.loss_modules[name], wrapped = self.fabric.setup(loss_module, optimizer)
        self.optimizers[name] = wrapped

    def _place(self, module: _M) -> _M:
        placed = module.to(self.fabric.device)
        return convert_conv2d_weight_memory_format(placed, self.layout)

    def train_step(self, batches: Sequence[Batch]) -> dict[str, float]:
        """Updates generators, then discriminators, then a student, once each.

        Args:
            batches: As many as ``optim.accumulate``; their gradients are averaged.

        Returns:
            Each loss, weighted as it was added, averaged over the batches of this process.
        """
        weight = self.recipe.loss.at(self.step / self.recipe.optim.steps)
        placed = [self._pair(batch) for batch in batches]
        self.discriminators.requires_grad_(False)
        # A random shift, never zero.
        dy, dx = divmod(int(torch.randint(1, SHIFT**2, (), generator=self.rng)), SHIFT)
        made, terms = [], []
        for last, (source, target, teacher_output) in mark_last(placed):
            with self._accumulating("generators", not last):
                draw = Draw(dy, dx, self._noise(source))
                out = self.loss_modules["generators"](source, target, teacher_output, draw, weight)
                self._backward(out.terms, len(placed))
            made.append(out)
            terms.append({name: value.detach() for name, value in out.terms.items()})
        self._update("generators")
        self.discriminators.requires_grad_(True)
        painted = made[0].fake_target is not None
        for name, train in (
            ("discriminators", self._train_discriminators),
            ("student", self._train_student),
        ):
            if name in self.loss_modules and painted:
                terms += train(placed, made)
            elif name in self.loss_modules:
                self._update(name)  # without gradients: the learning rate's policy counts steps
        for name, average in self.averages.items():
            average.update_parameters(self.networks[name])
        for scheduler in self.schedulers.values():
            if isinstance(scheduler, LambdaLR):
                scheduler.step()
        self.step += 1
        return averaged(terms)

    def _pair(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Returns source, target and teacher's output on the device."""
        source = self._to_device(batch.source)
        teacher_output = None
        if self.teacher is not None:
            with torch.no_grad(), self.fabric.autocast():
                teacher_output = self.teacher(source).float()
        if batch.target is not None:
            return source, self._to_device(batch.target), teacher_output
        assert teacher_output is not None  # without targets a recipe names a teacher
        return source, teacher_output, teacher_output

    def _to_device(self, pictures: Tensor) -> Tensor:
        return pictures.to(self.fabric.device, memory_format=self.layout, non_blocking=True)

    def _noise(self, source: Tensor) -> Tensor | None:
        if not self.recipe.loss.noise:
            return None
        return NOISE * torch.randn(source.shape, generator=self.own_rng).to(source.device)

    def _train_discriminators(
        self, placed: Sequence[tuple[Tensor, Tensor, Tensor | None]], made: Sequence[Made]
    ) -> list[dict[str, Tensor]]:
        terms = []
        for last, ((source, target, _), out) in mark_last(zip(placed, made, strict=True)):
            real, fake = {"target": target, "source": source}, {}
            assert out.fake_target is not None
            if "target" in self.discriminators:
                fake["target"] = self.pools["target"].swap(out.fake_target)
            if "source" in self.discriminators and out.fake_source is not None:
                fake["source"] = self.pools["source"].swap(out.fake_source)
            mix = None
            if self.recipe.loss.objective == "wgan-gp":
                mix = torch.rand(len(source), 1, 1, 1, generator=self.own_rng).to(source.device)
            features = self._texture(target) if "features" in self.discriminators else []
            with self._accumulating("discriminators", not last):
                judged = self.loss_modules["discriminators"](
                    real, fake, features, out.features, mix
                )
                self._backward(judged, len(placed))
            terms.append({name: value.detach() for name, value in judged.items()})
        self._update("discriminators")
        return terms

    def _train_student(
        self, placed: Sequence[tuple[Tensor, Tensor, Tensor | None]], made: Sequence[Made]
    ) -> list[dict[str, Tensor]]:
        terms = []
        for last, ((source, _, _), out) in mark_last(zip(placed, made, strict=True)):
            with self._accumulating("student", not last):
                distilled = self.loss_modules["student"](source, out.fake_target)
                self._backward(distilled, len(placed))
            terms.append({name: value.detach() for name, value in distilled.items()})
        self._update("student")
        return terms

    def _accumulating(self, loss_module: str, more: bool) -> Any:
        """Skips the exchange of gradients between processes while more batches follow."""
        return self.fabric.no_backward_sync(self.loss_modules[loss_module], enabled=more)

    def _backward(self, terms: dict[str, Tensor], batches: int) -> None:
        self.fabric.backward(torch.stack(list(terms.values())).sum() / batches)

    def _update(self, name: str) -> None:
        self.optimizers[name].step()
        for network in self.networks.values():
            if isinstance(network, EdgeGenerator):
                network.keep_flat()
        self.optimizers[name].zero_grad(set_to_none=True)

    @torch.no_grad()
    def _texture(self, pictures: Tensor) -> list[Tensor]:
        assert self.vgg is not None
        with self.fabric.autocast():
            seen = self.vgg(pictures)
        return [seen[name] for name in self.recipe.loss.texture_layers]

    def measure_target(self, pictures: int = 384) -> None:
        """Measures the target domain, before the first step: feature scale, mean Gram matrices."""
        if self.vgg is None or not (self.style or "features" in self.discriminators):
            return
        crops = TrainingPictures(self.recipe)

        def texture(first: int) -> list[Tensor]:
            targets = crops.batch(range(first, first + 8)).target
            assert targets is not None  # these losses are of the target domain
            return self._texture(self._to_device(targets))

        if "features" in self.discriminators:
            heads = self.discriminators["features"]
            assert isinstance(heads, FeatureDiscriminator)
            heads.set_scale(texture(0))
        if self.style is not None:
            self.style.set_target([texture(first) for first in range(0, pictures, 8)])

    def follow(self, kid: float) -> bool:
        """Updates plateau schedules with a new KID; returns whether it is the best."""
        for scheduler in self.schedulers.values():
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(kid)
        better = kid < self.best_kid
        self.best_kid = min(kid, self.best_kid)
        return better

    @property
    def exported(self) -> str:
        """The name of the average that the run is for."""
        return "student" if "student" in self.averages else "generator"

    def generator_state(self, name: str) -> dict[str, Any]:
        """Returns an averaged generator's checkpoint, with all that a manifest needs."""
        model = self.recipe.model
        architecture = {
            "generator": model.generator,
            "reverse": model.reverse or model.generator,
            "student": self.recipe.distil.student,
        }[name]
        state = {k: v.detach().cpu() for k, v in self.averages[name].module.state_dict().items()}
        if isinstance(self.averages[name].module, StrokeGenerator):
            state = halved(state)  # so that bundles store them losslessly in half the bytes
        return {
            "format": GENERATOR_FORMAT,
            "pleinair_version": __version__,
            "architecture": architecture,
            "options": {} if name == "student" else options_of(architecture, model.options),
            "direction": "reverse" if name == "reverse" else "forward",
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "processes": self.fabric.world_size,
            "state": state,
        }

    def state_dict(self) -> dict[str, Any]:
        """Returns the complete state; all processes must call it."""
        return {
            "format": FORMAT,
            "recipe": self.recipe.model_dump(mode="json"),
            "step": self.step,
            "best_kid": self.best_kid,
            "networks": {name: net.state_dict() for name, net in self.networks.items()},
            "averages": {name: net.state_dict() for name, net in self.averages.items()},
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
            "schedulers": {name: s.state_dict() for name, s in self.schedulers.items()},
            "precision": self.fabric.strategy.precision.state_dict(),
            "processes": gather(self._own_state(), self.fabric.world_size),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what ``state_dict`` returned.

        Raises:
            TrainingError: It comes from another number of processes.
        """
        if len(state["processes"]) != self.fabric.world_size:
            raise TrainingError(
                f"the checkpoint is of {len(state['processes'])} processes, this run has"
                f" {self.fabric.world_size}; go on with as many"
            )
        networks = dict(state["networks"])
        if "judges" in networks:  # their name in checkpoints of version 0.1
            networks["discriminators"] = networks.pop("judges")
        for mine, saved in (
            (self.networks, networks),
            (self.averages, state["averages"]),
            (self.optimizers, state["optimizers"]),
            (self.schedulers, state["schedulers"]),
        ):
            for name, part in mine.items():
                part.load_state_dict(saved[name])
        for optimizer in self.optimizers.values():
            match_layout(optimizer)
        if state["precision"]:  # of float16; none if the run began in another
            self.fabric.strategy.precision.load_state_dict(state["precision"])
        self._load_own_state(state["processes"][self.fabric.global_rank])
        self.step, self.best_kid = state["step"], state["best_kid"]

    def _own_state(self) -> dict[str, Any]:
        """Returns the state that differs between processes."""
        cuda = self.fabric.device.type == "cuda"
        return {
            "pools": {name: pool.state_dict() for name, pool in self.pools.items()},
            "rng": self.rng.get_state(),
            "own_rng": self.own_rng.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(self.fabric.device) if cuda else None,
        }

    def _load_own_state(self, state: dict[str, Any]) -> None:
        for name, pool in self.pools.items():
            pool.load_state_dict(state["pools"][name])
        self.rng.set_state(state["rng"])
        self.own_rng.set_state(state["own_rng"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.fabric.device)

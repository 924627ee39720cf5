"""Generators trained with pytorch-CycleGAN-and-pix2pix become generators of pleinair.

Names and shapes of that project's state dicts define the architecture, its norm, its channels and,
for a ResNet, its dropout. (A U-Net's names do not show dropout. This does not matter: nothing is
dropped while painting.)

The result is that of the project's evaluation mode. Its test script uses it only with ``--eval``.
Without, batch norm takes the statistics of the picture itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..bundle.importable import check_importable
from ..errors import TrainingError, UsageError, already_exists
from .checkpoint import load_state, save_atomically
from .generators import create_generator
from .load import generator_state
from .weights import read_weights

RESNETS = {n: f"resnet_{n}blocks" for n in (9, 8, 7, 6, 5, 4)}  # by residual blocks
UNETS = {8: "unet_256", 7: "unet_128"}  # by halvings

# The first convolution of each.
_RESNET, _UNET = "model.1.weight", "model.model.0.weight"

State = dict[str, Tensor]


@dataclass(frozen=True)
class Imported:
    """The generator that was recognised."""

    architecture: str
    options: dict[str, Any]  # of create_generator
    parameters: int
    assumed: tuple[str, ...] = ()  # assumptions made to find it in the file


def import_checkpoint(
    source: Path, out: Path, *, name: str = "", overwrite: bool = False
) -> Imported:
    """Reads a generator's state dict, e.g. ``latest_net_G.pth``, and writes a ``generator.pt``.

    Args:
        source: A state dict of a ResNet of 4 to 9 blocks, also CUT's and FastCUT's, of unet_256
            or unet_128 for RGB pictures, with any norm and any number of channels; nested and
            with any prefixes; written by torch, or as ``.safetensors``.
        out: The file to write, for ``pleinair export``.
        name: The generator's name; by default the source's.
        overwrite: Whether ``out`` may be replaced.

    Raises:
        UsageError: The source does not exist or needs no import, or ``out`` is taken.
        TrainingError: The source holds no such state dict, or ``out`` cannot be written.
    """
    _check_paths(source, out, overwrite)
    title = name or source.stem
    recipe = {"name": _slug(title), "title": title}
    state, assumed = _find(_load(source), source)
    architecture, options = _recognise(state, source)
    state = _fitted(state, architecture, options, source)
    if broken := [name for name, tensor in state.items() if not tensor.isfinite().all()]:
        raise TrainingError(
            f"{source} cannot be imported: {broken[0]} has values that are no finite numbers, as a"
            " training that failed leaves them"
        )
    content = generator_state(architecture, options, recipe, state)
    save_atomically(content, out, replace=overwrite)
    learnt = (t.numel() for k, t in state.items() if k.endswith(("weight", "bias")))
    return Imported(architecture, options, sum(learnt), tuple(assumed))


def _load(source: Path) -> dict[str, Any]:
    """Reads a file written by torch or by safetensors."""
    if source.suffix == ".safetensors" and source.stat().st_size:
        return read_weights(source)[0]
    return load_state(source)


def _check_paths(source: Path, out: Path, overwrite: bool) -> None:
    check_importable(source)
    if out.is_dir():
        raise UsageError(f"output {out} is a folder; give a file, e.g. {out / 'generator.pt'}")
    if out.exists() and out.samefile(source):
        raise UsageError(f"output {out} is the input; take another name")
    if out.exists() and not overwrite:
        raise UsageError(already_exists(out))


def _slug(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug:
        raise UsageError(f"no letter or digit of {name!r} can be in a name; give --name")
    return slug


def _find(state: Mapping[str, Any], source: Path) -> tuple[State, list[str]]:
    """Returns the generator's state dict in a file, and the assumptions made to find it.

    A file may nest it (``{"state_dict": ...}``), wrap its names (``module.``, ``netG.``), or hold
    several networks.
    """
    if str(state.get("format", "")).startswith("pleinair-"):
        raise UsageError(f"{source} is a checkpoint of pleinair already and needs no import")
    found = {
        (where, prefix): part
        for where, tensors in _nested(state, "")
        for prefix, part in _unwrapped(tensors)
    }
    if not found:
        raise _unknown(source, state)
    (where, prefix), part = next(iter(found.items()))
    assumed = [f"taken from {where!r} in the file"] if where else []
    assumed += [f"names without {prefix!r} before them"] if prefix else []
    if len(found) > 1:
        others = ", ".join(repr(".".join(filter(None, place))) for place in list(found)[1:])
        assumed.append(f"of {len(found)} generators in the file the first; the others: {others}")
    return _without_statistics(part), assumed


def _nested(value: Mapping[Any, Any], where: str) -> Iterator[tuple[str, State]]:
    """Yields dicts of tensors nested in a dict, with their paths; averaged weights come first."""
    tensors = {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, Tensor)}
    if tensors:
        yield where, tensors
    inner = [(k, v) for k, v in value.items() if isinstance(k, str) and isinstance(v, Mapping)]
    for key, part in sorted(inner, key=lambda pair: "ema" not in pair[0].lower()):
        yield from _nested(part, f"{where}.{key}" if where else key)


def _unwrapped(state: State) -> Iterator[tuple[str, State]]:
    """Yields each generator in a dict of tensors, with the prefix of its names."""
    if _is_kernel(state, "1.weight") and _is_kernel(state, "4.weight"):  # its layers alone
        yield "", {f"model.{key}": value for key, value in state.items()}
    for last in (_RESNET, _UNET):
        for key in [key for key in state if key.endswith(last) and _is_kernel(state, key)]:
            prefix = key.removesuffix(last)
            part = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            whole = part if last == _UNET else {k: v for k, v in part.items() if k[:6] == "model."}
            if last == _UNET or _is_kernel(part, "model.4.weight"):
                yield prefix, part if len(whole) == len(part) or not prefix else whole


def _without_statistics(state: State) -> State:
    """Drops the unused statistics that instance norm kept before torch 0.4."""
    kept = ("running_mean", "running_var", "num_batches_tracked")
    return {
        key: value
        for key, value in state.items()
        if not (key.endswith(kept) and f"{key.rpartition('.')[0]}.weight" not in state)
    }


def _recognise(state: State, source: Path) -> tuple[str, dict[str, Any]]:
    """Returns architecture and options by a state dict's names and shapes."""
    if _is_kernel(state, _RESNET):
        return _recognise_resnet(state, source)
    return _recognise_unet(state, source)


def _recognise_resnet(state: State, source: Path) -> tuple[str, dict[str, Any]]:
    places = sorted({int(key.split(".")[1]) for key in state if ".conv_block." in key})
    if len(places) not in RESNETS:
        raise TrainingError(
            f"{source} holds a ResNet of {len(places)} residual blocks; only 4 to 9 are supported"
        )
    layers = [key.split(".")[1] for key in state if re.fullmatch(r"model\.\d+\.weight", key)]
    last = max(int(place) for place in layers if _is_kernel(state, f"model.{place}.weight"))
    options = _options(state, "model.1", "model.2", f"model.{last}", source)
    # A layer of dropout moves a block's second convolution from place 5 to place 6.
    second = f"model.{places[0]}.conv_block.5.weight"
    options["dropout"] = not _is_kernel(state, second)
    filters = [int(key.split(".")[1]) for key in state if key.endswith(".filt")]
    if filters:
        options["antialias"] = "both" if max(filters) > places[0] else "down"
    return RESNETS[len(places)], options


def _recognise_unet(state: State, source: Path) -> tuple[str, dict[str, Any]]:
    levels = max(key.count("model.") for key in state) - 1
    if levels not in UNETS:
        raise TrainingError(
            f"{source} holds a U-Net of {levels} levels; only 8 (unet_256) and 7 (unet_128) are"
            " supported"
        )
    options = _options(state, "model.model.0", "model.model.1.model.2", "model.model.3", source)
    return UNETS[levels], options


def _options(state: State, first: str, norm: str, last: str, source: Path) -> dict[str, Any]:
    """Returns the options common to all; args name the first and last layer and a norm."""
    ngf, takes = state[f"{first}.weight"].shape[:2]
    returns = len(state.get(f"{last}.bias", ()))
    if (takes, returns) != (3, 3):
        raise TrainingError(
            f"{source} holds a generator from {takes} to {returns} channels; only RGB to RGB, 3 to"
            " 3, is supported"
        )
    if f"{norm}.running_mean" in state:
        return {"norm": "batch", "ngf": ngf}
    return {"norm": "instance" if f"{first}.bias" in state else "none", "ngf": ngf}


def _is_kernel(state: State, key: str) -> bool:
    return key in state and state[key].dim() == 4


def _fitted(state: State, architecture: str, options: dict[str, Any], source: Path) -> State:
    """Returns the complete state in the generator's order and types."""
    with torch.device("meta"):
        expected = create_generator(architecture, **options).state_dict()
    for key in expected:
        if key.endswith("num_batches_tracked"):  # torch before 0.4.1 did not count
            state.setdefault(key, torch.zeros((), dtype=torch.int64))
    for key in [*expected, *state]:
        if key not in state:
            problem = "is missing"
        elif key not in expected:
            problem = "does not belong there"
        elif state[key].shape != expected[key].shape:
            problem = f"has the shape {[*state[key].shape]}, not {[*expected[key].shape]}"
        else:
            continue
        raise TrainingError(f"{source} looks like {architecture}, but {key} {problem}")
    return {key: state[key].to(value.dtype, copy=True) for key, value in expected.items()}


def _unknown(source: Path, state: Mapping[Any, Any]) -> TrainingError:
    first = ", ".join(map(str, list(state)[:3])) or "nothing"
    return TrainingError(
        f"{source} holds no generator that can be imported: it begins with {first}; supported are"
        f" state dicts of {', '.join([*RESNETS.values(), *UNETS.values()])} of"
        " pytorch-CycleGAN-and-pix2pix, CUT and FastCUT, e.g. latest_net_G.pth"
    )

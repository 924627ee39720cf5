"""Answers to commands that do not parse, and to words that people try."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, cast

from typer import Abort
from typer.core import TyperGroup

from ..errors import UsageError, shown
from ..export.targets import TARGETS
from ..words import meant_names, near_names, plain

_MODELS = {"source", "bundle", "checkpoint"}  # arguments that others call the model
# Requests that are not verbs of their own.
_WITH_MORE = ("bench compare", "deploy jetson", "train --list")
_ABOUT = ("help", "version")
# What to do with a word too many.
_MORE = {
    "translate": "for several pictures give their folder, or a pattern in quotes: 'photos/*.jpg'",
    "live": "a video to record to is a sink: --sink painted.mp4",
    "demo": "the video is an option: --out demo.mp4",
    "import": "the file to write is an option: --out generator.pt",
    "export": "for several targets repeat the option: --target onnx --target web",
    "bench run": "for several sizes repeat the option: --size 640x360 --size 1280x720",
    "deploy jetson": "the kit's folder is an option: --out kit",
    "train": "pictures are options: --pictures paintings --photos photographs",
    "evaluate": "pictures are an option: --data FOLDER",
    "verify": "pictures are an option: --pictures FOLDER",
    "cameras": "to paint one: pleinair live NUMBER",
}
# What there is no option for, and why; by verbs and the words of options.
_NO_OPTION = {
    "translate": {
        "fps framerate": "frames keep their times",
        "height imgsz resolution scale size width": "the output is as large as the input",
        "audio mute noaudio": "sound is kept as it is",
        "seed": "the same picture is painted the same",
        "prompt": "a model has one style, and --model names it",
    },
    "train": {"resume continue": "the same command goes on where a run was interrupted"},
    "export": {
        "dynamic": "artifacts take any size where their target can",
        "opset simplify": "graphs are written as each target takes them",
    },
    "import": {"arch architecture netg ngf norm": "the architecture is read from the file"},
}
# What pydantic, by which typer checks values, calls them; with the limit in its place.
_VALUES = {
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
}


class Verbs(TyperGroup):
    """The verbs; a word that is none is answered with the one it means."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the verb.

        Raises:
            UsageError: There is none of this name.
        """
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            raise UsageError(_no_verb(args, ctx.command_path, self.commands))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb; of an interruption typer would keep the exit status alone.

        Raises:
            Abort: It was interrupted; with what that leaves behind.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as end:
            raise Abort(str(end)) from end


def _no_verb(words: list[str], path: str, verbs: Iterable[str]) -> str:
    from ..bundle.resolve import shipped_models  # may need a library that is not here

    word, known = words[0], [*verbs]
    if not word:
        return f"the verb is empty; see {path} --help"
    if path == "pleinair":
        known += _WITH_MORE
    if about := near_names("help" if word.strip("/") == "?" else word, _ABOUT):
        verb = [one for one in words[1:2] if one in known]
        near = [" ".join([*verb, f"--{about[0]}"])]  # help train
    elif word in shipped_models():
        near = _painted_with(word)
    else:
        ours = [target for target in TARGETS if plain(target) == plain(word)]
        targets = (f"export SOURCE --target {one}" for one in ours or meant_names(word, TARGETS))
        near = meant_names(word, known) or [*targets]
    if not near and (word.isdecimal() or "://" in word or _is_there(word)):
        what = shown(word)
        return f"{what} is not a verb; did you mean 'translate {what} OUT' or 'live {what}'?"
    near = near or near_names(word, verbs) or _later(words, known)
    if not near:
        models = near_names("".join(words[:2]), shipped_models())
        near = [way for model in models for way in _painted_with(model)]
    remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else f"see {path} --help"
    return f"{shown(word)!r} is not a verb of {path}; {remedy}"


def _painted_with(model: str) -> list[str]:
    return [f"translate IN OUT --model {model}", f"live --model {model}"]


def _later(words: list[str], verbs: Iterable[str]) -> list[str]:
    """Returns the verb that follows words too many, as in ``python -m pleinair live``."""
    first = words[0].replace(",", " ").split()  # a whole line in quotes, or with commas
    return [word for word in [*first[:1], *words[1:]] if word in verbs][:1]


def usage(error: Exception) -> str:
    """The sentence for a command line that does not parse; nothing where help was shown instead."""
    said: str = cast(Any, error).format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if not said or not context:
        return f"{said}; see pleinair --help" if said else ""
    verb: str = context.command_path
    others, near = [], []
    if option := getattr(error, "option_name", ""):
        others = _verbs_with(option, context.find_root().command)
        near = _near_options(option, context.command.params, bool(others))
        said = f"{verb} has no option {option}"
        if why := _why_not(verb, option):
            said += f": {why}"
        elif near:
            said += f"; did you mean {' or '.join(near)}?"
        elif verb == "pleinair":
            said += "; options of a verb follow the verb"
    elif value := _value(error):
        said = value
    elif said.startswith("Got unexpected extra argument"):
        more = _more(verb.removeprefix("pleinair "), said, context.command.params)
        said += f"; {more}" if more else ""
    joined = " See" if said.endswith("?") else "; see"
    elsewhere = f"; {option} is an option of {', '.join(others)}" if others and not near else ""
    return f"{said}{joined} {verb} --help{elsewhere}"


def _why_not(verb: str, option: str) -> str:
    """Returns why a verb has no such option; "" if it only has another name."""
    words = _NO_OPTION.get(verb.removeprefix("pleinair "), {})
    return next((why for ours, why in words.items() if plain(option) in ours.split()), "")


def _verbs_with(option: str, command: Any) -> list[str]:
    """Returns the verbs that have an option."""
    verbs = getattr(command, "commands", {}).items()
    return [name for name, verb in verbs if any(option in param.opts for param in verb.params)]


def _more(verb: str, said: str, params: Iterable[Any]) -> str:
    """Returns what to do with the words too many that a sentence ends with, in brackets."""
    from ..bundle.resolve import shipped_models

    word = said.rpartition("(")[2].split()[0].rstrip(")")
    name, _, value = word.lstrip("/").partition("=")
    if word != name and any(f"--{name}" in param.opts for param in params):
        return f"an option begins with two dashes: --{name} {value}".rstrip()
    if path := _torn(sys.argv[1:]):
        return f'did you mean "{path}", in quotes?'
    if word in shipped_models():
        if any("--model" in param.opts for param in params):
            return f"the model is an option: --model {word}"
        if any(param.param_type_name == "argument" for param in params):
            return "give one model at a time"
    return _MORE.get(verb, "")


def _torn(words: list[str]) -> str:
    """Returns the path with spaces that some words are together; "" if there is none."""
    parts = [slice(i, j) for i in range(len(words)) for j in range(i + 2, len(words) + 1)]
    return next((path for part in parts if _is_there(path := " ".join(words[part]))), "")


def _is_there(name: str) -> bool:
    return os.path.exists(name)  # noqa: PTH110  # of names that no file can have pathlib raises


def _value(error: Exception) -> str:
    """Returns the sentence for a value that an option does not take; "" if it is none."""
    problems = getattr(error.__cause__, "errors", None)  # of a pydantic.ValidationError
    problem: dict[str, Any] = problems()[0] if problems else {"type": ""}
    if problem["type"] not in _VALUES:
        return ""
    takes = _VALUES[problem["type"]].format(**problem.get("ctx", {}))
    option: str = cast(Any, error).param.opts[0]
    return f"{option!r} is {takes}, got {shown(str(problem['input']))!r}"


def _near_options(option: str, params: Iterable[Any], right: bool) -> list[str]:
    """Returns the options of a verb that may be meant; of one spelled right only by meaning."""
    ours = [name for param in params for name in param.opts if name.startswith("--")]
    known = {name.removeprefix("--"): name for name in [*ours, "--debug", "--help"]}
    words = [param for param in params if param.param_type_name == "argument"]
    known |= {param.name: f"{_metavar(param)}, a word without --" for param in words}
    for model in _MODELS & known.keys() - {"model"}:
        known.setdefault("model", known[model])
    name = option.lstrip("-")
    near = (
        [name] * (name in known) or meant_names(name, known) if right else near_names(name, known)
    )
    return [known[one] for one in near]


def _metavar(argument: Any) -> str:
    """Returns what --help calls an argument."""
    return str(argument.metavar or argument.name).upper().strip("[]")

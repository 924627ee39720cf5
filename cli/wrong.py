"""Answers to commands that do not parse, and to words that people try."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from typer import Abort
from typer.core import TyperGroup

from ..errors import UsageError, shown
from ..export.targets import TARGETS
from ..words import meant_names, near_names

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
    if path == "pleinair":
        known += _WITH_MORE
    if about := near_names(word, _ABOUT):
        verb = [one for one in words[1:2] if one in known]
        near = [" ".join([*verb, f"--{about[0]}"])]  # help train
    elif word in shipped_models():
        near = [f"translate IN OUT --model {word}", f"live --model {word}"]
    else:
        targets = (f"export SOURCE --target {target}" for target in meant_names(word, TARGETS))
        near = meant_names(word, known) or [*targets]
    if not near and (word.isdecimal() or "://" in word or Path(word).exists()):
        what = shown(word)
        return f"{what} is not a verb; did you mean 'translate {what} OUT' or 'live {what}'?"
    near = near or near_names(word, verbs)
    remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else f"see {path} --help"
    return f"{shown(word)!r} is not a verb of {path}; {remedy}"


def usage(error: Exception) -> str:
    """The sentence for a command line that does not parse; nothing where help was shown instead."""
    said: str = cast(Any, error).format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if not said or not context:
        return f"{said}; see pleinair --help" if said else ""
    verb: str = context.command_path
    if option := getattr(error, "option_name", ""):
        near = _near_options(option, context.command.params)
        said = f"{verb} has no option {option}"
        if near:
            said += f"; did you mean {' or '.join(near)}?"
        elif verb == "pleinair":
            said += "; options of a verb follow the verb"
    elif value := _value(error):
        said = value
    elif said.startswith("Got unexpected extra argument"):
        more = _more(verb.removeprefix("pleinair "), said, context.command.params)
        said += f"; {more}" if more else ""
    joined = " See" if said.endswith("?") else "; see"
    return f"{said}{joined} {verb} --help"


def _more(verb: str, said: str, params: Iterable[Any]) -> str:
    """Returns what to do with the words too many that a sentence ends with, in brackets."""
    from ..bundle.resolve import shipped_models

    word = said.rpartition("(")[2].split()[0].rstrip(")")
    if word in shipped_models():
        if any("--model" in param.opts for param in params):
            return f"the model is an option: --model {word}"
        if any(param.param_type_name == "argument" for param in params):
            return "give one model at a time"
    return _MORE.get(verb, "")


def _value(error: Exception) -> str:
    """Returns the sentence for a value that an option does not take; "" if it is none."""
    problems = getattr(error.__cause__, "errors", None)  # of a pydantic.ValidationError
    problem: dict[str, Any] = problems()[0] if problems else {"type": ""}
    if problem["type"] not in _VALUES:
        return ""
    takes = _VALUES[problem["type"]].format(**problem.get("ctx", {}))
    option: str = cast(Any, error).param.opts[0]
    return f"{option!r} is {takes}, got {shown(str(problem['input']))!r}"


def _near_options(option: str, params: Iterable[Any]) -> list[str]:
    """Returns the options of a verb that may be meant."""
    ours = [name for param in params for name in param.opts if name.startswith("--")]
    known = {name.removeprefix("--"): name for name in [*ours, "--debug", "--help"]}
    words = (param for param in params if param.param_type_name == "argument")
    known |= {param.name: f"{_metavar(param)}, a word without --" for param in words}
    return [known[name] for name in near_names(option.lstrip("-"), known)]


def _metavar(argument: Any) -> str:
    """Returns what --help calls an argument."""
    return str(argument.metavar or argument.name).upper().strip("[]")

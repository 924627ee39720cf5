"""Sentences for what does not parse: words for verbs and options that people try."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from typer.core import TyperGroup

from ..errors import UsageError, shown
from ..words import meant_names, near_names

# What can be asked for, but is no verb of its own.
_WITH_MORE = ("--help", "--version", "bench compare", "deploy jetson", "train --list")
# What to do with a word too many.
_MORE = {
    "translate": "for several pictures give their folder, or a pattern in quotes: 'photos/*.jpg'",
    "live": "a video to record to is a sink: --sink painted.mp4",
    "deploy jetson": "the kit's folder is an option: --out kit",
}


class Verbs(TyperGroup):
    """The verbs; a word that is none is answered with the one it means."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the verb.

        Raises:
            UsageError: There is none of this name.
        """
        if args and args[0] not in self.commands and not ctx.resilient_parsing:
            raise UsageError(_no_verb(args[0], ctx.command_path, self.commands))
        return super().resolve_command(ctx, args)


def _no_verb(word: str, path: str, verbs: Iterable[str]) -> str:
    near = near_names(word, verbs)
    if path == "pleinair":
        known = [*verbs, *_WITH_MORE]
        meant = [f"--{word}"] if f"--{word}" in known else meant_names(word, known)
        if not meant and (word.isdecimal() or "://" in word or Path(word).exists()):
            what = shown(word)
            return f"{what} is no verb; did you mean 'translate {what} OUT' or 'live {what}'?"
        near = meant or near
    remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else f"see {path} --help"
    return f"{shown(word)!r} is no verb of {path}; {remedy}"


def usage(error: Exception) -> str:
    """The sentence for a command line that does not parse; nothing where help was shown instead.

    Args:
        error: One of typer's errors of usage.
    """
    said: str = cast(Any, error).format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if not said or not context:
        return f"{said}; see pleinair --help" if said else ""
    verb: str = context.command_path
    if option := getattr(error, "option_name", ""):
        near = _near_options(option, context.command.params)
        said = f"{verb} has no option {option}"
        said += f"; did you mean {' or '.join(near)}?" if near else ""
    elif said.startswith("Got unexpected extra argument"):
        words = verb.removeprefix("pleinair ")
        said += f"; {_MORE[words]}" if words in _MORE else ""
    joined = " See" if said.endswith("?") else "; see"
    return f"{said}{joined} {verb} --help"


def _near_options(option: str, params: Iterable[Any]) -> list[str]:
    """Returns the options of a verb that may be meant."""
    ours = [name for param in params for name in param.opts if name.startswith("--")]
    known = {name.removeprefix("--"): name for name in [*ours, "--debug", "--help"]}
    words = (param for param in params if param.param_type_name == "argument")
    known |= {param.name: f"{param.name.upper()}, a word without --" for param in words}
    return [known[name] for name in near_names(option.lstrip("-"), known)]

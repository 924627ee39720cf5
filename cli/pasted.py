"""Words that no shell has made ready: signs as pages print them, paths that are not expanded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..errors import UsageError, shown

_DASHES, _QUOTES = r"\u2010-\u2015\u2212\ufe58\uff0d", r"[\u2018-\u201f\u00ab\u00bb\u2039\u203a]"
_OPTION = re.compile(rf"[-{_DASHES}]*[{_DASHES}][-{_DASHES}]*([A-Za-z][\w-]*(=.*)?)")
_ONE_DASH = re.compile(r"-[A-Za-z][\w-]+(=.*)?")
_UNEXPANDED = re.compile(r"(~[\w.-]*|\$\{?[A-Za-z_]\w*\}?|%\w+%)[/\\]")
_DRIVE = re.compile(r"([A-Za-z]):[/\\]")


def check_words(words: Sequence[str]) -> None:
    """Checks the words of a command line before they are parsed.

    Raises:
        UsageError: An option has no value, or a word names no file and is not as a shell gives it.
    """
    for before, word in pairwise(["", *words]):
        option, has_value, value = word.partition("=")
        if not (option.startswith("--") and has_value):
            option, value = before, word
        if not value and option.startswith("--"):
            raise UsageError(f"{option} is empty; give it a value, or leave it out")
        if (
            value
            and not os.path.lexists(Path(*Path(value).parts[:1]))
            and (wrong := _wrong_with(value))
        ):
            raise UsageError(f"{shown(value, 200)} {wrong}")


def _wrong_with(word: str) -> str:
    """Returns what is wrong with a word, and what to type; "" if nothing is."""
    if option := _OPTION.fullmatch(word):
        return f"begins with a dash as pages print it; type --{option[1]}"
    if _ONE_DASH.fullmatch(word):
        return f"begins with one dash; an option has two, -{word}, and a verb none"
    if (bare := re.sub(f"^{_QUOTES}+|{_QUOTES}+$", "", word)) != word:
        return f'has quotes as pages print them, which a shell does not know; type "{bare}"'
    if _UNEXPANDED.match(word):
        path = os.path.expandvars(os.path.expanduser(word))  # noqa: PTH111 - it leaves what is unknown
        meant = f"did you mean {path}?" if path != word else "write the name of the folder itself"
        return f"is as it was typed: the shell has not expanded it; {meant}"
    if os.name != "nt" and (drive := _DRIVE.match(word)):
        here = f"/mnt/{drive[1].lower()}/{word[3:]}".replace("\\", "/")
        return f"does not exist: it is a path of Windows, and this is not; in WSL it is {here}"
    return ""

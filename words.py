"""Words that people try, and ours that they mean: of names, of verbs, and of options."""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

_FILE = Path(__file__).with_suffix(".toml")


@functools.cache
def _meanings() -> dict[str, list[str]]:
    """Our words, by the words of others."""
    found: dict[str, list[str]] = {}
    for ours, words in tomllib.loads(_FILE.read_text(encoding="utf-8")).items():
        for word in words.split():
            found.setdefault(word, []).append(ours)
    return found


def plain(name: str) -> str:
    """Returns a name in small letters, without signs between them: ``Van_Gogh`` is ``vangogh``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Returns which known names may be meant: written otherwise, by meaning, or by spelling."""
    known = list(known)
    if same := [word for word in known if plain(word) == plain(name)]:
        return same
    if plain(name) in _meanings():  # "ort" is not "torch" misspelled, nor "gpu" "cpu"
        return meant_names(name, known)
    return difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.55)


def meant_names(name: str, known: Iterable[str]) -> list[str]:
    """Returns which known names a word means; of a backend with a device the backend is known."""
    known = set(known)
    meant = _meanings().get(plain(name), ())
    return [word for word in meant if word in known or word.partition(":")[0] in known]

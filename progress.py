"""How a long job reports its progress: by counts, or by lines of text."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]  # how much is done, and of how much if that is known
Say = Callable[[str], None]  # a sentence
